"""The release folder: Parquet splits that ``datasets.load_dataset`` opens, the card, and ``release.json``.

``release.json`` is written last; a folder without it is incomplete. While a release is written, ``unfinished.json``
says whose the folder is and which files in it may be replaced or removed; no other file is touched.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import PurePosixPath

import pyarrow as pa
import pyarrow.compute as pc

from tasks.arrow import arrow_schema, values
from tasks.artifacts import Receipt, Store, parquet_bytes
from tasks.curation.report import NAME, report_of
from tasks.errors import BadInput
from tasks.licences.decision import EXAMPLES, decide
from tasks.licences.mix import MixReport, as_published, check_mix, refuse
from tasks.models import SCHEMA_VERSION, RejectReason, ReleaseRow, Split
from tasks.publishing import attribution as licences
from tasks.publishing.card import dataset_card
from tasks.publishing.curriculum import curriculum
from tasks.publishing.summary import Summary
from tasks.run import Run, StageName, config_fingerprint
from tasks.settings import BuildConfig

MANIFEST = "release.json"
UNFINISHED = "unfinished.json"
_LEFT_OVER = re.compile(r"(?P<name>.+)\.[0-9a-f]{32}\.tmp")
"""What a write that was killed leaves behind."""
COLUMNS = [name for name in arrow_schema(ReleaseRow).names if name != "split"]


def release_store(config: BuildConfig) -> Store:
    """Where the release goes."""
    return Store(config.release.path or f"{config.store.rstrip('/')}/{config.run}/release")


def check_release_free(config: BuildConfig) -> None:
    """Make sure that publishing overwrites nothing but an earlier release of the same run.

    Raises:
        BadInput: the folder holds another run's release, or files that are no release.
    """
    _own_files(release_store(config), config.run)


def _own_files(store: Store, run: str) -> set[str]:
    """The files of a release folder that are the run's to replace: paths below it.

    Raises:
        BadInput: the folder is another's.
    """
    found = [(name, key) for name, key in ((MANIFEST, "sha256"), (UNFINISHED, "files")) if store.exists(name)]
    strangers = [name for name in store.names() if not _is_left_over(name, {MANIFEST, UNFINISHED})]
    if strangers and not found:
        raise BadInput(
            f"release folder {store.url!r} holds files that are no release of kodforge ({strangers[0]}, …). "
            f"Choose an empty folder: --set release.path=…"
        )
    files: set[str] = set()
    for name, key in found:
        try:
            told = json.loads(store.read(name))
            owner, names = told["run"], [PurePosixPath(file) for file in told.get(key, ())]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BadInput(f"{store.path(name)} is not a release manifest ({error}). Choose another folder") from error
        if owner != run:
            raise BadInput(
                f"release folder {store.url!r} already holds the release of run {owner!r}, this run is {run!r}. "
                f"Choose another folder (--set release.path=…), or delete the old release first"
            )
        files |= {str(file) for file in names if not file.is_absolute() and ".." not in file.parts}
    return files


def _is_left_over(name: str, of: set[str]) -> bool:
    found = _LEFT_OVER.fullmatch(name)
    return found is not None and found["name"] in of


class _Folder:
    """A release folder that is being written. ``sha256``: of the files written, by their paths below it."""

    def __init__(self, store: Store, run: str) -> None:
        self._store, self._run = store, run
        self._own = _own_files(store, run)
        self.sha256: dict[str, str] = {}
        self._claim(self._own)
        store.remove(MANIFEST)

    def _claim(self, files: set[str]) -> None:
        """Own files before they are written: whenever the run is killed, all that it wrote is known to be its own."""
        self._own |= files
        told = {"run": self._run, "files": sorted(self._own)}
        self._store.write(json.dumps(told, indent=1).encode(), UNFINISHED)

    def write(self, data: bytes, name: str) -> None:
        if name not in self._own:
            self._claim({name})
        self._store.write(data, *name.split("/"))
        self.sha256[name] = hashlib.sha256(data).hexdigest()

    def finish(self, state: dict[str, object]) -> None:
        """Remove what earlier releases had and this one has not, and vouch for the rest."""
        for stale in self._own - self.sha256.keys():
            if self._store.fs.isfile(self._store.path(stale)):
                self._store.remove(stale)
        folders = {parent for name in self._own for parent in PurePosixPath(name).parents}
        for folder in sorted(folders, key=lambda one: -len(one.parts)):
            own = {PurePosixPath(name).name for name in self._own if PurePosixPath(name).parent == folder}
            for name in self._store.names(*folder.parts):
                if _is_left_over(name, own | {MANIFEST, UNFINISHED}):
                    self._store.remove(*folder.parts, name)
            if folder.parts and not self._store.names(*folder.parts):
                self._store.remove(*folder.parts)
        self._store.write(json.dumps({**state, "sha256": self.sha256}, indent=1).encode(), MANIFEST)
        self._store.remove(UNFINISHED)


def _split_tables(run: Run, receipts: list[Receipt], split: Split, size: int) -> Iterator[pa.Table]:
    """The rows of one split in tables of ``size`` rows, holding one file's rows at a time."""
    held = arrow_schema(ReleaseRow).empty_table().select(COLUMNS)
    for receipt in receipts:
        table = run.stage(run.last_stage).table(receipt.name)
        rows = table.filter(pc.field("split") == split.value).select(COLUMNS)
        held = pa.concat_tables([held, rows])
        while held.num_rows > size:
            yield held.slice(0, size)
            held = held.slice(size)
    if held.num_rows:
        yield held.combine_chunks()


def _credits(run: Run, receipts: list[Receipt]) -> tuple[licences.Credits, MixReport]:
    """The sources of the rows, and what becomes of their licences.

    Raises:
        BadInput: the policy refuses to publish them.
    """
    credited = licences.Credits()
    examples: dict[str, list[str]] = defaultdict(list)
    for receipt in receipts:
        table = run.stage(run.last_stage).table(receipt.name, ["question_id", "subset", "licence", "lineage"])
        credited.add(table)
        for name, row in zip(values(table, "licence"), values(table, "question_id"), strict=True):
            if len(examples[name]) < EXAMPLES:
                examples[name].append(row)
    policy = run.config.release.licensing
    if policy.on_violation == "refuse":
        decided = check_mix(credited.licences, policy)
        refuse(decided, examples)
    else:
        decided = decide(run, run.receipts(StageName.TRIPLETS))
    return credited, as_published(decided, credited.licences, policy)


def _count(run: Run, receipts: list[Receipt], split: Split) -> int:
    stage = run.stage(run.last_stage)
    return sum(
        stage.table(receipt.name, ["split"]).filter(pc.field("split") == split.value).num_rows for receipt in receipts
    )


def publish(run: Run, summary: Summary) -> dict[str, int]:
    """Write the release; an equal one that is already there is left as it is.

    Returns:
        Rows per split; empty splits are left out.

    Raises:
        BadInput: nothing is left to release, or the folder belongs to another run.
    """
    check_release_free(run.config)
    store, size = release_store(run.config), run.config.release.rows_per_file
    receipts = run.receipts(run.last_stage)
    counts = {split: _count(run, receipts, split) for split in Split}
    credited, licensed = _credits(run, receipts)
    if not any(counts.values()):
        if any(RejectReason.BUDGET_EXHAUSTED in row.reasons for row in summary.funnel):
            raise BadInput(
                f"run {run.config.run!r} has no row to release: its budget was reached before the first was done. Run "
                f"the same command with a higher budget.usd or budget.tokens; nothing is paid for twice"
            )
        raise BadInput(
            f"run {run.config.run!r} has no row to release: every question was rejected. "
            f"`kodforge inspect` shows why; the rejects are in {run.store.url}/{run.config.run}/*/rejects"
        )
    rows = {split.value: count for split, count in counts.items() if count}
    curation = report_of(run.config)
    state: dict[str, object] = {
        "run": run.config.run,
        "schema_version": SCHEMA_VERSION,
        "config": config_fingerprint(run.config),
        "curated": [receipt.content for receipt in receipts],
        "report": hashlib.sha256(run.store.read(run.config.run, NAME)).hexdigest() if curation else "",
        "rows": rows,
    }
    if store.exists(MANIFEST):
        before = json.loads(store.read(MANIFEST))
        if {key: before.get(key) for key in state} == state:
            store.remove(UNFINISHED)
            return rows
    folder = _Folder(store, run.config.run)
    for split, count in counts.items():
        total = -(-count // size)
        for number, table in enumerate(_split_tables(run, receipts, split, size)):
            folder.write(parquet_bytes(table), f"data/{split.value}-{number:05d}-of-{total:05d}.parquet")
    if run.config.release.curriculum:
        numbers: Counter[str] = Counter()
        for level, table in curriculum(run, receipts, COLUMNS, size):
            folder.write(parquet_bytes(table), f"curriculum/{level}-{numbers[level]:05d}.parquet")
            numbers[level] += 1
    owed = licences.attribution(credited, licensed, run.config.release.licensing, run.config.release.title)
    card = dataset_card(run.config, summary, sorted(folder.sha256), curation)
    texts = {**owed.files, licences.FILE: owed.text.encode(), "README.md": card.encode()}
    if curation:
        texts[NAME] = curation.model_dump_json(indent=1).encode()
    for name, data in texts.items():
        folder.write(data, name)
    folder.finish(state)
    return rows
