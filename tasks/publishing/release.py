"""The release folder: Parquet splits that ``datasets.load_dataset`` opens, the card, and ``release.json``.

``release.json`` is written last; a folder without it is incomplete.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator

import pyarrow as pa
import pyarrow.compute as pc

from tasks.arrow import arrow_schema, values
from tasks.artifacts import Receipt, Store, parquet_bytes
from tasks.curation.report import NAME, report_of
from tasks.errors import BadInput
from tasks.licences.mix import MixReport, check_mix, refuse
from tasks.models import SCHEMA_VERSION, RejectReason, ReleaseRow, Split
from tasks.publishing import attribution as licences
from tasks.publishing.card import dataset_card
from tasks.publishing.curriculum import curriculum
from tasks.publishing.summary import Summary
from tasks.run import Run, config_fingerprint
from tasks.settings import BuildConfig

MANIFEST = "release.json"
_EXAMPLES = 3
FOLDERS = ("data", "curriculum", licences.FOLDER)
FILES = ("README.md", licences.FILE, NAME)
COLUMNS = [name for name in arrow_schema(ReleaseRow).names if name != "split"]


def release_store(config: BuildConfig) -> Store:
    """Where the release goes."""
    return Store(config.release.path or f"{config.store.rstrip('/')}/{config.run}/release")


def check_release_free(config: BuildConfig) -> None:
    """Make sure that publishing overwrites nothing but an earlier release of the same run.

    Raises:
        BadInput: the folder holds another run's release, or files that are no release.
    """
    store = release_store(config)
    if not store.exists(MANIFEST):
        if strangers := [name for name in store.names() if name not in (*FOLDERS, *FILES)]:
            raise BadInput(
                f"release folder {store.url!r} holds files that are no release of kodforge ({strangers[0]}, …). "
                f"Choose an empty folder: --set release.path=…"
            )
        return
    try:
        owner = json.loads(store.read(MANIFEST))["run"]
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{store.path(MANIFEST)} is not a release manifest ({error}). Choose another folder") from error
    if owner != config.run:
        raise BadInput(
            f"release folder {store.url!r} already holds the release of run {owner!r}, this run is {config.run!r}. "
            f"Choose another folder (--set release.path=…), or delete the old release first"
        )


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
            if len(examples[name]) < _EXAMPLES:
                examples[name].append(row)
    policy = run.config.release.licensing
    licensed = check_mix(credited.licences, policy)
    if policy.on_violation == "refuse":
        refuse(licensed, examples)
    return credited, licensed


def _remove_stale(store: Store, files: Collection[str]) -> None:
    for folder in FOLDERS:
        for stale in store.names(folder):
            if not any(name == f"{folder}/{stale}" or name.startswith(f"{folder}/{stale}/") for name in files):
                store.remove(folder, stale)


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
    state = {
        "run": run.config.run,
        "schema_version": SCHEMA_VERSION,
        "config": config_fingerprint(run.config),
        "curated": [receipt.content for receipt in receipts],
        "rows": rows,
    }
    if store.exists(MANIFEST):
        before = json.loads(store.read(MANIFEST))
        if {key: before.get(key) for key in state} == state:
            return rows
        store.remove(MANIFEST)
    files: dict[str, str] = {}
    for split, count in counts.items():
        total = -(-count // size)
        for number, table in enumerate(_split_tables(run, receipts, split, size)):
            name = f"data/{split.value}-{number:05d}-of-{total:05d}.parquet"
            data = parquet_bytes(table)
            store.write(data, name)
            files[name] = hashlib.sha256(data).hexdigest()
    if run.config.release.curriculum:
        numbers: Counter[str] = Counter()
        for level, table in curriculum(run, receipts, COLUMNS, size):
            name = f"curriculum/{level}-{numbers[level]:05d}.parquet"
            data = parquet_bytes(table)
            store.write(data, name)
            files[name] = hashlib.sha256(data).hexdigest()
            numbers[level] += 1
    curation = report_of(run.config)
    owed = licences.attribution(credited, licensed, run.config.release.licensing, run.config.release.title)
    card = dataset_card(run.config, summary, sorted(files), curation)
    texts = {**owed.files, licences.FILE: owed.text.encode(), "README.md": card.encode()}
    if curation:
        texts[NAME] = curation.model_dump_json(indent=1).encode()
    for name, data in texts.items():
        store.write(data, *name.split("/"))
        files[name] = hashlib.sha256(data).hexdigest()
    _remove_stale(store, files)
    store.write(json.dumps({**state, "sha256": files}, indent=1).encode(), MANIFEST)
    return rows
