"""A release: Parquet files that ``datasets.load_dataset`` opens, the card, what is owed, and what machines need."""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
from semver import Version

from tasks.arrow import arrow_schema, values
from tasks.artifacts import Store
from tasks.curation.report import NAME, report_of
from tasks.errors import BadInput
from tasks.licences.decision import EXAMPLES, decide
from tasks.licences.mix import MixReport, as_published, check_mix, refuse
from tasks.models import SCHEMA_VERSION, Difficulty, RejectReason, ReleaseRow, Split
from tasks.publishing import attribution as licences
from tasks.publishing.card import CHANGELOG, Facts, about, dataset_card
from tasks.publishing.changes import raised
from tasks.publishing.croissant import FILE as CROISSANT
from tasks.publishing.croissant import croissant, folder_of
from tasks.publishing.diff import DEFAULT, Release, diff
from tasks.publishing.folder import (
    FIRST,
    UNFINISHED,
    Folder,
    Manifest,
    Table,
    check_release_free,
    earlier_releases,
    is_whole,
    read_manifest,
    release_store,
    remove_release,
    set_aside,
)
from tasks.publishing.parquet import SORT_KEY, Order, ParquetFiles
from tasks.publishing.summary import Summary
from tasks.released import Released
from tasks.run import Run, StageName, config_fingerprint
from tasks.sets.tables import SetTable
from tasks.settings import BuildConfig
from tasks.settings.stages import Release as Rules
from tasks.teachers.usage import usage_of

_LOG = logging.getLogger(__name__)
Sets = dict[tuple[str, str], ParquetFiles]
"""By configuration and split."""
COLUMNS = [name for name in arrow_schema(ReleaseRow).names if name != "split"]


class _Writer:
    """Writes tables into a release folder and keeps what its card tells of them."""

    def __init__(self, folder: Folder, rules: Rules) -> None:
        self._folder, self._rules = folder, rules
        self.tables: list[Table] = []
        self.schemas: dict[str, pa.Schema] = {}
        self.sizes: dict[str, int] = {}

    def add_rows(self, released: Released, order: Order) -> None:
        """The rows themselves, sorted, a split after the other."""
        for split, tables in order.split_tables(lambda: released.tables(COLUMNS), COLUMNS):
            with tempfile.TemporaryDirectory(prefix="kodforge-") as folder:
                files = _files(folder, split, self._rules, SORT_KEY, "question_id")
                for table in tables:
                    files.add(table)
                files.close()
                self._place(DEFAULT, split, files)

    def add_sets(self, sets: Sets) -> None:
        """The sets made of the rows, which wait on local disk."""
        configs = list(dict.fromkeys(config for config, _ in sets))
        for config, split in sorted(sets, key=lambda one: (configs.index(one[0]), _place_of(one[1]))):
            self._place(config, split, sets[config, split])

    def _place(self, config: str, split: str, files: ParquetFiles) -> None:
        total = len(files.paths)
        names = [f"{folder_of(config)}/{split}-{number:05d}-of-{total:05d}.parquet" for number in range(total)]
        self.schemas.setdefault(config, files.schema)
        self.sizes |= {name: path.stat().st_size for name, path in zip(names, files.paths, strict=True)}
        self._folder.place(dict(zip(names, files.paths, strict=True)))
        self.tables.append(Table(config=config, split=split, rows=files.rows, bytes=files.bytes, files=names))


@contextmanager
def _made(sets: Iterable[SetTable], rules: Rules) -> Iterator[Sets]:
    """The sets by configuration and split, on local disk until their number is known."""
    found: Sets = {}
    with tempfile.TemporaryDirectory(prefix="kodforge-") as folder:
        for one in sets:
            if (one.config, one.split) not in found:
                found[one.config, one.split] = _files(folder, f"{one.config}-{one.split}", rules)
            found[one.config, one.split].add(one.table)
        for files in found.values():
            files.close()
        yield found


def _files(folder: str, name: str, rules: Rules, sorted_by: Sequence[str] = (), ids: str = "") -> ParquetFiles:
    return ParquetFiles(Path(folder), name, rules.rows_per_file, rules.rows_per_group, sorted_by, ids)


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

    Another one gets a higher version, and the one before is kept beside it (``tasks.publishing.folder``).

    Args:
        sets: what a release holds beside its rows.

    Raises:
        BadInput: nothing is left to release, the folder belongs to another run, or ``release.version`` is taken.
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
    before = read_manifest(store)
    if before and _is_equal(before, manifest) and is_whole(store, before):
        store.remove(UNFINISHED)
        return before
    _check_version(config, store, before)
    with _made(sets(released), config.release) as made:  # where one cannot be, the release before stays as it is
        set_aside(store, config.run)
        earlier = earlier_releases(store, config.run)
        folder = Folder(store, config.run)
        writer = _Writer(folder, config.release)
        writer.add_rows(released, order)
        writer.add_sets(made)
    manifest = manifest.model_copy(update={"tables": writer.tables, "sha256": folder.sha256, "date": _today()})
    changes, version = _compared(config, earlier[-1] if earlier else None, (store, manifest))
    previous = earlier[-1][1].version if earlier else ""
    manifest = manifest.model_copy(update={"version": version, "previous": previous})
    facts = Facts(config, summary, usage_of(run), manifest, writer.schemas, writer.sizes, curation, changes)
    owed = licences.attribution(credited, licensed, config.release.licensing, config.release.title)
    texts = {**owed.files, licences.FILE: owed.text.encode(), "README.md": dataset_card(facts).encode()}
    texts[CROISSANT] = croissant(manifest, writer.schemas, writer.sizes, about(facts)).encode()
    texts[CHANGELOG] = _changelog(manifest, changes, earlier[-1] if earlier else None).encode()
    if curation:
        texts[NAME] = curation.model_dump_json(indent=1).encode()
    for name, data in texts.items():
        folder.write(data, name)
    done = folder.finish(manifest)
    for old, _ in earlier[: max(0, len(earlier) - config.release.keep)]:
        remove_release(old, config.run)
    return done


def _is_equal(before: Manifest, manifest: Manifest) -> bool:
    names = ("run", "schema_version", "config", "inputs", "rows")
    return all(getattr(before, name) == getattr(manifest, name) for name in names)


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


def _check_version(config: BuildConfig, store: Store, before: Manifest | None) -> None:
    wanted = config.release.version
    taken = [one.version for _, one in earlier_releases(store, config.run)] + ([before.version] if before else [])
    highest = max(taken, key=Version.parse, default="")
    if wanted and highest and Version.parse(wanted) <= Version.parse(highest):
        raise BadInput(
            f"release.version is {wanted}, and {store.url!r} has {highest}, which holds something else. Nothing was "
            f"written. Give a higher one, or none (--set release.version=), to have it raised by what changed"
        )


def _compared(config: BuildConfig, before: Release | None, now: Release) -> tuple[str, str]:
    """What changed, as Markdown, and the version that follows from it."""
    if before is None:
        return "", config.release.version or FIRST
    version = before[1].semantic
    try:
        found = diff(before, now)
    except BadInput as error:
        _LOG.warning("what changed since version %s is not known: %s", version, error)  # the card tells no paths
        told = f"Version {version} can no longer be read, so that it is not known what changed."
        return told, config.release.version or str(version.bump_major())
    wanted = config.release.version or str(raised(version, found.change))
    return found.model_copy(update={"after": wanted}).to_markdown(), wanted


def _changelog(manifest: Manifest, changes: str, before: Release | None) -> str:
    """That of the version before with one more entry, the newest first."""
    title = "# Changelog\n"
    entry = f"\n## {manifest.version} ({manifest.date})\n\n{(changes or 'The first version.').rstrip()}\n"
    old = ""
    if before and before[0].exists(CHANGELOG):
        old = before[0].read(CHANGELOG).decode("utf-8", "replace").removeprefix(title)
    return title + entry + old


def _today() -> str:
    """The date of the release; that of SOURCE_DATE_EPOCH where it is set (reproducible-builds.org)."""
    told = os.environ.get("SOURCE_DATE_EPOCH")
    moment = datetime.fromtimestamp(int(told), UTC) if told else datetime.now(UTC)
    return moment.date().isoformat()
