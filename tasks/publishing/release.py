"""A release: Parquet files that ``datasets.load_dataset`` opens, the card, what is owed, and what machines need."""

from __future__ import annotations

import hashlib
import logging
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
from semver import Version

from tasks.arrow import arrow_schema, values
from tasks.curation.report import NAME, report_of
from tasks.errors import BadInput
from tasks.licences.decision import EXAMPLES, decide
from tasks.licences.mix import MixReport, as_published, check_mix, refuse
from tasks.models import SCHEMA_VERSION, Difficulty, RejectReason, ReleaseRow, Split
from tasks.publishing import attribution as licences
from tasks.publishing.card import CHANGELOG, Facts, about, dataset_card
from tasks.publishing.changes import Diff, raised
from tasks.publishing.croissant import FILE as CROISSANT
from tasks.publishing.croissant import croissant, folder_of
from tasks.publishing.diff import DEFAULT, diff
from tasks.publishing.folder import (
    CARD,
    FIRST,
    Manifest,
    Release,
    Table,
    check_release_free,
    is_whole,
    release_store,
    versions,
)
from tasks.publishing.parquet import SORT_KEY, Order, ParquetFiles
from tasks.publishing.publication import point_at_highest, remove_old, sha256_of, write_version
from tasks.publishing.summary import Summary
from tasks.released import Released
from tasks.run import Run, StageName, config_fingerprint
from tasks.scratch import scratch_folder
from tasks.sets.tables import SetTable
from tasks.settings import BuildConfig
from tasks.settings.stages import Release as Rules
from tasks.store import Store
from tasks.teachers.usage import usage_of

_LOG = logging.getLogger(__name__)
Sets = dict[tuple[str, str], ParquetFiles]
"""By configuration and split."""
COLUMNS = [name for name in arrow_schema(ReleaseRow).names if name != "split"]


class _Writer:
    """Writes tables as the files of a release, on this machine, and keeps what its card tells of them.

    Attributes:
        files: by their paths below the release.
        sha256, sizes: of them.
    """

    def __init__(self, folder: Path, rules: Rules) -> None:
        self._folder, self._rules = folder, rules
        self.files: dict[str, Path] = {}
        self.sha256: dict[str, str] = {}
        self.tables: list[Table] = []
        self.schemas: dict[str, pa.Schema] = {}
        self.sizes: dict[str, int] = {}

    def add_rows(self, released: Released, order: Order) -> None:
        """The rows themselves, sorted, a split after the other."""
        for split, tables in order.split_tables(lambda: released.tables(COLUMNS), COLUMNS):
            files = _files(self._folder, split, self._rules, SORT_KEY, "question_id")
            for table in tables:
                files.add(table)
            files.close()
            self._place(DEFAULT, split, files)

    def add_sets(self, sets: Sets) -> None:
        """The sets made of the rows."""
        configs = list(dict.fromkeys(config for config, _ in sets))
        for config, split in sorted(sets, key=lambda one: (configs.index(one[0]), _place_of(one[1]))):
            self._place(config, split, sets[config, split])

    def _place(self, config: str, split: str, files: ParquetFiles) -> None:
        total = len(files.paths)
        names = [f"{folder_of(config)}/{split}-{number:05d}-of-{total:05d}.parquet" for number in range(total)]
        self.schemas.setdefault(config, files.schema)
        for name, path in zip(names, files.paths, strict=True):
            self.files[name] = self._folder / name
            self.files[name].parent.mkdir(parents=True, exist_ok=True)
            path.replace(self.files[name])
            self.sizes[name] = self.files[name].stat().st_size
            self.sha256[name] = sha256_of(self.files[name])
        self.tables.append(Table(config=config, split=split, rows=files.rows, bytes=files.bytes, files=names))


def _made(sets: Iterable[SetTable], folder: Path, rules: Rules) -> Sets:
    """The sets by configuration and split, until the number of their files is known."""
    found: Sets = {}
    for one in sets:
        if (one.config, one.split) not in found:
            found[one.config, one.split] = _files(folder, f"{one.config}-{one.split}", rules)
        found[one.config, one.split].add(one.table)
    for files in found.values():
        files.close()
    return found


def _files(folder: Path, name: str, rules: Rules, sorted_by: Sequence[str] = (), ids: str = "") -> ParquetFiles:
    return ParquetFiles(folder, name, rules.rows_per_file, rules.rows_per_group, sorted_by, ids)


def _place_of(split: str) -> tuple[int, str]:
    """Splits in the order of their kind: train before what it is not, easy before hard; others by name."""
    known = [*Split, *Difficulty]
    return (known.index(split) if split in known else len(known), split)


def _credits(released: Released) -> tuple[licences.Credits, MixReport]:
    """The sources of the rows, and what becomes of their licences.

    Raises:
        BadInput: the policy refuses to publish them.
    """
    credited = licences.Credits()
    examples: dict[str, list[str]] = defaultdict(list)
    for table in released.tables(["question_id", "subset", "licence", "lineage"]):
        credited.add(table)
        for name, row in zip(values(table, "licence"), values(table, "question_id"), strict=True):
            if len(examples[name]) < EXAMPLES:
                examples[name].append(row)
    policy = released.run.config.release.licensing
    if policy.on_violation == "refuse":
        decided = check_mix(credited.licences, policy)
        refuse(decided, examples)
    else:
        decided = decide(released.run, released.run.receipts(StageName.TRIPLETS))
    return credited, as_published(decided, credited.licences, policy)


def publish(run: Run, summary: Summary, sets: Callable[[Released], Iterable[SetTable]]) -> Manifest:
    """Write the release; an equal one that is already there is left as it is.

    Another one gets a higher version, and those before are kept (``tasks.publishing.publication``).

    Args:
        sets: what a release holds beside its rows.

    Raises:
        BadInput: nothing is left to release, the folder belongs to another run, or ``release.version`` is taken.
        StoreFull: there is no space for it, on local disk or in the store.
    """
    config = run.config
    check_release_free(config)
    released, store = Released(run), release_store(config)
    if not any(part.rows_out for part in released.parts):
        raise _nothing_to_release(run, summary)
    keys = pa.concat_tables(released.tables(["split", *SORT_KEY]))
    order = Order(keys, [split.value for split in Split])
    credited, licensed = _credits(released)
    curation = report_of(config)
    report = [hashlib.sha256(run.store.read(config.run, NAME)).hexdigest()] if curation else []
    manifest = Manifest(
        run=config.run,
        schema_version=SCHEMA_VERSION,
        config=config_fingerprint(config),
        inputs=released.inputs + report,
        rows={split: count for split, count in order.counts.items() if count},
        licences=dict(sorted(credited.licences.items())),
        licensing=config.release.licensing.model_dump(mode="json"),
    )
    before = next(reversed(versions(store)), None)
    if before is None or not (before[1].same_rows(manifest) and is_whole(before)):
        _check_version(config, store, before)
        with scratch_folder() as folder:
            writer = _Writer(folder, config.release)
            made = _made(sets(released), folder, config.release)
            writer.add_rows(released, order)
            writer.add_sets(made)
            manifest = manifest.model_copy(update={"tables": writer.tables, "sha256": writer.sha256, "date": _today()})
            compared = _compared(before, (Store(str(folder)), manifest))
            usage = usage_of(run)
            owed = licences.attribution(credited, licensed, config.release.licensing, config.release.title)

            def texts_of(version: str) -> tuple[Manifest, dict[str, bytes]]:
                numbered = manifest.model_copy(update={"version": version, "previous": compared.before})
                changes = compared.told(version)
                facts = Facts(config, summary, usage, numbered, writer.schemas, writer.sizes, curation, changes)
                texts = {**owed.files, licences.FILE: owed.text.encode(), CARD: dataset_card(facts).encode()}
                texts[CROISSANT] = croissant(numbered, writer.schemas, writer.sizes, about(facts)).encode()
                texts[CHANGELOG] = _changelog(numbered, changes, before).encode()
                if curation:
                    texts[NAME] = curation.model_dump_json(indent=1).encode()
                return numbered, texts

            wanted = config.release.version
            write_version(store, wanted, wanted or compared.version, texts_of, writer.files)
    done = point_at_highest(store)
    remove_old(store, config.release.keep)
    return done


def _nothing_to_release(run: Run, summary: Summary) -> BadInput:
    if any(RejectReason.BUDGET_EXHAUSTED in row.reasons for row in summary.funnel):
        return BadInput(
            f"run {run.config.run!r} has no row to release: its budget was reached before the first was done. Run "
            f"the same command with a higher budget.usd or budget.tokens; nothing is paid for twice"
        )
    return BadInput(
        f"run {run.config.run!r} has no row to release: every question was rejected. "
        f"`kodforge inspect` shows why; the rejects are in {run.store.url}/{run.config.run}/*/rejects"
    )


def _check_version(config: BuildConfig, store: Store, before: Release | None) -> None:
    wanted = config.release.version
    if wanted and before and Version.parse(wanted) <= before[1].semantic:
        raise BadInput(
            f"release.version is {wanted}, and {store.url!r} has {before[1].version}, which holds something else. "
            f"Nothing was written. Give a higher one, or none (--set release.version=), to have it raised by what "
            f"changed"
        )


@dataclass(frozen=True)
class _Compared:
    """What differs from the version before, and the number that follows from it.

    Attributes:
        before: its number; empty where this is the first.
        found: None where there is none before, or it can no longer be read.
    """

    before: str
    version: str
    found: Diff | None

    def told(self, version: str) -> str:
        """As Markdown, for the version that it became."""
        if self.found:
            return self.found.model_copy(update={"after": version}).to_markdown()
        return f"Version {self.before} can no longer be read, so that it is not known what changed." * bool(self.before)


def _compared(before: Release | None, now: Release) -> _Compared:
    if before is None:
        return _Compared("", FIRST, None)
    version = before[1].semantic
    try:
        found = diff(before, now)
    except BadInput as error:
        _LOG.warning("what changed since version %s is not known: %s", version, error)  # the card tells no paths
        return _Compared(str(version), str(version.bump_major()), None)
    return _Compared(str(version), str(raised(version, found.change)), found)


def _changelog(manifest: Manifest, changes: str, before: Release | None) -> str:
    """That of the version before with one more entry, the newest first."""
    title = "# Changelog\n"
    entry = f"\n## {manifest.version} ({manifest.date})\n\n{(changes or 'The first version.').rstrip()}\n"
    old = ""
    if before and (data := before[0].find(CHANGELOG)):
        old = data.decode("utf-8", "replace").removeprefix(title)
    return title + entry + old


def _today() -> str:
    """The date of the release; that of SOURCE_DATE_EPOCH where it is set (reproducible-builds.org)."""
    told = os.environ.get("SOURCE_DATE_EPOCH")
    moment = datetime.fromtimestamp(int(told), UTC) if told else datetime.now(UTC)
    return moment.date().isoformat()
