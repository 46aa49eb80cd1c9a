"""Curation of the user's own file of questions: ``kodforge curate``."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from tasks.arrow import values
from tasks.artifacts import Outcome, Receipt, batches
from tasks.curation.decisions import judge
from tasks.curation.stage import decided_among
from tasks.errors import BadInput
from tasks.files import check_suffix, read_rows, row_writer
from tasks.models import BenchmarkHit, ContentFinding, CorpusRow, DuplicateDecision, Examination, Row
from tasks.reviews import NO_REVIEWS, Review, Reviews, holding, of_inputs
from tasks.run import Run, StageName
from tasks.settings import Axis, Mix
from tasks.shards import shard_task

PART_ROWS = 20_000
_TEXTS = ("solution", "test", "subset", "licence")
_COLUMNS = "Needed: id, question; optional: solution, test, subset, licence (texts), quality (number)"


class CurationDecision(Row):
    """What became of one row: the columns of ``kodforge curate``."""

    id: str
    subset: str
    decision: Literal["train", "use_with_caution", "reject"]
    reason: str
    evidence: str
    similarity: float
    representative: str
    cluster_size: int
    duplicates: list[str]
    benchmark_item: str
    benchmark_similarity: float
    benchmark_span: str
    benchmark_hits: list[BenchmarkHit]
    content: list[ContentFinding]
    topics: list[str]
    skills: list[str]
    libraries: list[str]
    language: str
    words: int
    quality: float


def _corpus_row(path: Path, number: int, row: Mapping[str, Any]) -> CorpusRow:
    for column in ("id", "question"):
        if not isinstance(row.get(column), str) or not row[column].strip():
            raise BadInput(
                f"{path}, row {number}: column {column!r} must be a text that is not empty, got "
                f"{row.get(column)!r:.100}. {_COLUMNS}"
            )
    for column in _TEXTS:
        if not isinstance(row.get(column) or "", str):
            raise BadInput(
                f"{path}, row {number}: column {column!r} must be a text, got {row[column]!r:.100}. {_COLUMNS}"
            )
    try:
        quality = float(row.get("quality") or 0)
    except (TypeError, ValueError, OverflowError):
        quality = math.nan
    if not math.isfinite(quality):
        raise BadInput(
            f"{path}, row {number}: column 'quality' must be a finite number, got {row['quality']!r:.100}. {_COLUMNS}"
        )
    texts = {column: row.get(column) or "" for column in _TEXTS}
    for column in ("id", "question", *_TEXTS):
        if any("\ud800" <= character <= "\udfff" for character in row.get(column) or ""):
            raise BadInput(
                f"{path}, row {number}: column {column!r} has half of a surrogate pair, which no file can hold as "
                f"UTF-8. Replace it"
            )
    return CorpusRow(id=row["id"], question=row["question"], quality=[quality], **texts)


def corpus_rows(path: Path) -> Iterator[CorpusRow]:
    """The rows of a file, in order.

    Raises:
        BadInput: a column is missing, empty or of another type (names row and column), an id occurs twice, there are no
            rows, or the file cannot be read.
    """
    seen: set[bytes] = set()
    for number, row in enumerate(read_rows(path), 1):
        one = _corpus_row(path, number, row)
        key = hashlib.blake2b(one.id.encode("utf-8", "surrogatepass"), digest_size=12).digest()
        if key in seen:
            raise BadInput(f"{path}, row {number}: id {one.id!r} occurs twice. Ids must be unique")
        seen.add(key)
        yield one
    if not seen:
        raise BadInput(f"{path} has no rows. {_COLUMNS}")


@shard_task("read {path}")
def read_file(run: Run, path: Path) -> list[Receipt]:
    """Check the user's file and cut it into shards.

    Raises:
        BadInput: as of ``corpus_rows``.
    """
    receipts = []
    stage = run.stage(StageName.ROWS)
    size = min(PART_ROWS, run.config.curation.dedup.block_rows)
    for number, rows in enumerate(batches(corpus_rows(path), size)):
        content = hashlib.sha256("".join(row.model_dump_json() for row in rows).encode()).hexdigest()

        def work(rows: list[CorpusRow] = rows) -> Outcome:
            return Outcome(rows_in=len(rows), rows=rows)

        receipts.append(stage.run_shard(f"part-{number:05d}", CorpusRow, [content], work))
    return receipts


@shard_task("decide {part.name}")
def decide_part(
    run: Run,
    part: Receipt,
    examinations: Receipt,
    duplicates: Receipt,
    refused: dict[str, str],
    reviews: Reviews = NO_REVIEWS,
) -> Receipt:
    """Decide on one shard of the user's rows. Their licences matter to who publishes them, and are not looked at."""
    assert not refused
    mine = decided_among(run, StageName.ROWS, part, reviews)
    decided = holding(mine)

    def work() -> Outcome:
        return Outcome.of(
            [
                decision_of(duplicate, found, quality[0], decided.get(found.id))
                for duplicate, found, quality in zip(
                    run.stage(StageName.DUPLICATES).rows(duplicates, DuplicateDecision),
                    run.stage(StageName.EXAMINATIONS).rows(examinations, Examination),
                    values(run.stage(StageName.ROWS).table(part, ["quality"]), "quality"),
                    strict=True,
                )
            ]
        )

    depends_on = [part, examinations, duplicates, *of_inputs(mine)]
    return run.stage(StageName.CURATED).run_shard(part.name, CurationDecision, depends_on, work)


def decision_of(
    duplicate: DuplicateDecision, found: Examination, quality: float, review: Review | None = None
) -> CurationDecision:
    """What becomes of a row, as ``kodforge curate`` tells it."""
    judgement = judge(duplicate, found, review)
    top = found.hits[0] if found.hits else None
    doubt = judgement.doubts[0].kind if judgement.doubts else ""
    return CurationDecision(
        id=found.id,
        subset=duplicate.subset,
        decision=judgement.decision,
        reason=judgement.reason.value if judgement.reason else doubt,
        evidence=judgement.evidence or "; ".join(one.told for one in judgement.doubts),
        similarity=duplicate.similarity,
        representative=duplicate.representative,
        cluster_size=duplicate.cluster_size,
        duplicates=duplicate.duplicates,
        benchmark_item=f"{top.benchmark}/{top.item_id}" if top else "",
        benchmark_similarity=top.similarity if top else 0.0,
        benchmark_span=top.span if top else "",
        benchmark_hits=found.hits,
        content=found.content,
        topics=found.labels.topics,
        skills=found.labels.skills,
        libraries=found.labels.libraries,
        language=found.labels.language,
        words=found.labels.words,
        quality=quality,
    )


def write_decisions(run: Run, decided: list[Receipt], out: Path) -> Counter[str]:
    """Copy the decisions into one file; how many rows got which.

    Raises:
        BadInput: the file cannot be written.
    """
    counts: Counter[str] = Counter()
    with row_writer(out, CurationDecision) as write:
        for receipt in decided:
            rows = run.stage(StageName(receipt.stage)).rows(receipt, CurationDecision)
            counts.update(row.decision for row in rows)
            write(list(rows))
    return counts


def check_files(rows: Path, out: Path) -> None:
    """Raises:
    BadInput: a file of another ending, or the first row is not one.
    """
    check_suffix(out)
    if out.exists() and rows.exists() and out.samefile(rows):
        raise BadInput(f"--out is {str(out)!r}, the file of rows itself. Give another name")
    next(corpus_rows(rows))


def check_mix_of_file(mix: Mix) -> None:
    """Raises:
    BadInput: the mix asks for what rows of a file do not tell.
    """
    for axis in (Axis.DIFFICULTY, Axis.STYLE):
        if axis in mix.axes:
            raise BadInput(f"curation.mix asks for {axis.value}, which rows of a file do not have. Leave it out")
