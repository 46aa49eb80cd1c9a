"""The user's own file of rows told in another style: ``kodforge convert``."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import Field

from tasks.artifacts import Outcome, Receipt, batches
from tasks.errors import BadInput
from tasks.files import check_suffix, read_models, row_writer
from tasks.models import (
    SCHEMA_VERSION,
    Call,
    Difficulty,
    Labels,
    Lineage,
    Metadata,
    ProgramRun,
    Reject,
    ReleaseRow,
    Row,
    Split,
    Style,
    TestInfo,
    Tier,
)
from tasks.run import Run, StageName
from tasks.shards import shard_task
from tasks.star_import import with_star_import
from tasks.styles.ids import converted_id

_TEXTS = ("question", "solution", "test")
_NEEDED = "Needed: id (or question_id), question, solution, test (texts); optional: subset, style, entry_points"


class RowToConvert(Row):
    """A row of the user's file. ``entry_points``: names that a stub must declare beside those that the tests use."""

    id: str = Field(min_length=1)
    question: str = Field(min_length=1)
    solution: str
    test: str
    subset: str = ""
    style: Style = Style.INSTRUCT
    entry_points: list[str] = Field([])


class ConvertedRow(Row):
    """A row told in another style, verified: the columns of ``kodforge convert``."""

    id: str
    converted_from: str
    subset: str
    style: Style
    question: str
    solution: str
    test: str
    io: list[ProgramRun]
    test_info: list[TestInfo]
    mends: list[str] = Field(description="What was changed in what the converter wrote, and why.")
    statement_coverage: float | None
    branch_coverage: float | None
    integrity_tier: Tier
    tests_passed: list[str]
    response_id: str = Field(description="Of the converter's answer, in the file of answers.")


def rejects_beside(out: Path) -> Path:
    """The file that gets the rows which could not be converted."""
    return out.with_name(f"{out.stem}.rejects{out.suffix}")


def check_file(rows: Path, out: Path) -> None:
    """Look through a whole file.

    Raises:
        BadInput: a file of another ending, a column is missing or no text (names row and column), an id occurs twice,
            two rows would have one id in the other style, or there are no rows.
    """
    check_suffix(out)
    if rows.exists() and any(one.exists() and one.samefile(rows) for one in (out, rejects_beside(out))):
        raise BadInput(f"--out is {str(out)!r}, which would overwrite the file of rows. Give another name")
    if not sum(1 for _ in rows_to_convert(rows)):
        raise BadInput(f"{rows} has no rows. {_NEEDED}")


def rows_to_convert(path: Path) -> Iterator[RowToConvert]:
    """The rows of a file, in order; raises as ``check_file`` does."""
    told: dict[str, str] = {}
    for row, _ in read_models(path, RowToConvert, _values, _NEEDED):
        if row.style is Style.INSTRUCT:
            other = told.setdefault(converted_id(row.id, Style.INSTRUCT), row.id)
            if other != row.id:
                raise BadInput(
                    f"{path}: id {row.id!r} and id {other!r} of two rows would have the same id in the other style, "
                    f"whose suffix takes the place of _I. Give one of them another"
                )
        yield row


def _values(row: dict[str, Any]) -> dict[str, Any]:
    values = {name: row[name] for name in ("style", "entry_points", *_TEXTS) if row.get(name) is not None}
    # A row without a text is rejected like any other that cannot be told; a file without the column is refused.
    values |= {name: "" for name in ("solution", "test") if name in row and row[name] is None}
    return values | {"id": row.get("id") or row.get("question_id"), "subset": row.get("subset") or ""}


@shard_task("read {path}")
def read_file(run: Run, path: Path) -> list[Receipt]:
    """Cut the user's file into shards; raises as ``check_file`` does."""
    receipts = []
    for number, rows in enumerate(batches(rows_to_convert(path), run.config.shard_size)):
        content = hashlib.sha256("".join(row.model_dump_json() for row in rows).encode()).hexdigest()

        def work(rows: list[RowToConvert] = rows) -> Outcome:
            return Outcome(rows_in=len(rows), rows=[_as_released(row) for row in rows])

        shard = f"part-{number:05d}"
        receipts.append(run.stage(StageName.ROWS).run_shard(shard, ReleaseRow, [content], work))
    return receipts


_NO_CALL = Call(response_id="", model="", template="", sampling="{}", prompt_tokens=0, completion_tokens=0)


def _as_released(row: RowToConvert) -> ReleaseRow:
    """A row as those of a run are, where nothing is known of it but its texts."""
    lineage = Lineage(
        method="file",
        sources=[],
        libraries=[],
        operator="",
        question_call=_NO_CALL,
        contract_call=None,
        rating=None,
        solution_call=_NO_CALL,
        sandbox_backend="",
        sandbox_image="",
        integrity_tier=Tier.SHARED,
        tests_passed=[],
    )
    named = [
        TestInfo(docstring="", function_declaration="", function_name=name, parameter_list="")
        for name in row.entry_points
    ]
    return ReleaseRow(
        version=SCHEMA_VERSION,
        style=row.style,
        subset=row.subset,
        question_id=row.id,
        question=row.question,
        solution=row.solution,
        test=with_star_import(row.test),
        test_info=named,
        gpt_pass_sequence=[],
        gpt_pass_trial_num=0,
        gpt_difficulty=Difficulty.MEDIUM,
        gpt_pass_percentage=0,
        trials=[],
        chosen_trial=0,
        statement_coverage=None,
        branch_coverage=None,
        mutation_score=None,
        quality=[],
        solver=None,
        metadata=Metadata(original_instruction=row.question, prompt_id="", row_id=0, seed_ids=[]),
        licence="",
        lineage=lineage,
        split=Split.TRAIN,
        benchmark_similarity=0,
        benchmark_item="",
        benchmark_span="",
        benchmark_hits=[],
        content=[],
        labels=Labels(topics=[], skills=[], libraries=[], language="", words=0, structure=""),
        duplicates=[],
        filter_reason="",
    )


def _converted(row: ReleaseRow) -> ConvertedRow:
    lineage = row.lineage
    return ConvertedRow(
        id=row.question_id,
        converted_from=lineage.converted_from,
        subset=row.subset,
        style=row.style,
        question=row.question,
        solution=row.solution,
        test=row.test,
        io=row.io,
        test_info=row.test_info,
        mends=lineage.conversion_mends,
        statement_coverage=row.statement_coverage,
        branch_coverage=row.branch_coverage,
        integrity_tier=lineage.integrity_tier,
        tests_passed=lineage.tests_passed,
        response_id=lineage.conversion_call.response_id if lineage.conversion_call else "",
    )


def write_rows(run: Run, receipts: list[Receipt], out: Path) -> Counter[str]:
    """Write the converted rows into one file and the rejects of all stages beside it.

    Args:
        receipts: of the conversions, of those verified, and of those curated.

    Returns:
        How many rows were converted, and how many were rejected for which reason.

    Raises:
        BadInput: a file cannot be written.
    """
    counts: Counter[str] = Counter()
    with row_writer(out, ConvertedRow) as write, row_writer(rejects_beside(out), Reject) as write_rejects:
        for receipt in receipts:
            stage = run.stage(StageName(receipt.stage))
            rejects = stage.rejects(receipt)
            write_rejects(list(rejects))
            counts.update(one.reason.value for one in rejects)
            if receipt.stage == StageName.CONVERTED:
                rows = stage.rows(receipt, ReleaseRow)
                write([_converted(row) for row in rows])
                counts["converted"] += len(rows)
    return counts
