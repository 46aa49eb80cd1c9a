"""The columns of every stage's rows, read off the models."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel

from docs.builder.settings import described
from docs.builder.tables import code, enums_of, own_doc, parts_of, table, told_type
from tasks.models import (
    Attempt,
    AttemptVerdict,
    Audit,
    Candidate,
    Centroid,
    Conversion,
    CorpusRow,
    CrossCheck,
    DuplicateDecision,
    Edge,
    EvalAnswer,
    EvalItem,
    EvalVerdict,
    Examination,
    Failure,
    Grade,
    Pair,
    PairVerdict,
    Placement,
    Placing,
    Question,
    Reference,
    Reject,
    RejectReason,
    ReleaseRow,
    Response,
    Seed,
    SeedGroup,
    Signature,
    Solution,
    Triplet,
    Verdict,
)
from tasks.run import StageName

PAGE = "reference/data.md"

STAGES: dict[StageName, type[BaseModel]] = {
    StageName.ROWS: CorpusRow,
    StageName.SEEDS: Seed,
    StageName.PROMPTS: SeedGroup,
    StageName.QUESTIONS: Question,
    StageName.ATTEMPTS: Attempt,
    StageName.VERDICTS: AttemptVerdict,
    StageName.SOLUTIONS: Solution,
    StageName.CROSSCHECKS: CrossCheck,
    StageName.AUDITS: Audit,
    StageName.TRIPLETS: Triplet,
    StageName.SIGNATURES: Signature,
    StageName.EXAMINATIONS: Examination,
    StageName.CENTROIDS: Centroid,
    StageName.PLACEMENTS: Placement,
    StageName.EDGES: Edge,
    StageName.DUPLICATES: DuplicateDecision,
    StageName.CURATED: ReleaseRow,
    StageName.SELECTED: ReleaseRow,
    StageName.PLACINGS: Placing,
    StageName.CONVERSIONS: Conversion,
    StageName.RETOLD: ReleaseRow,
    StageName.CONVERTED: ReleaseRow,
    StageName.RESPONSES: Response,
    StageName.GRADES: Grade,
    StageName.CANDIDATES: Candidate,
    StageName.REFERENCES: Reference,
}
"""What a row of each stage of a run is. The stage ``rows`` is that of a file given to ``kodforge curate``."""

FILES: dict[str, type[BaseModel]] = {
    "kodforge verify: in": Pair,
    "kodforge verify: out": PairVerdict,
    "kodforge evaluate: items": EvalItem,
    "kodforge evaluate: answers": EvalAnswer,
    "kodforge evaluate: verdicts": EvalVerdict,
    "kodforge evaluate --feedback, kodforge feedback": Failure,
}
_CLOSED: tuple[type[StrEnum], ...] = (Verdict, RejectReason)
"""Sets of values that are too long for a cell."""


def _parts(model: type[BaseModel]) -> list[type[BaseModel]]:
    return [part for field in model.model_fields.values() for part in parts_of(field.annotation)]


def nested() -> list[type[BaseModel]]:
    """Structs within the rows, each once."""
    found: dict[type[BaseModel], None] = {}
    waiting = [part for model in [*STAGES.values(), *FILES.values()] for part in _parts(model)]
    while waiting:
        model = waiting.pop(0)
        if model not in found:
            found[model] = None
            waiting += _parts(model)
    return list(found)


def _columns(model: type[BaseModel], link: dict[type[BaseModel], str]) -> str:
    rows = []
    for name, field in model.model_fields.items():
        closed = [kind for kind in enums_of(field.annotation) if kind in _CLOSED]
        told = told_type(field.annotation, link)
        if closed:
            told = f"[{closed[0].__name__}](#{closed[0].__name__})" + (" or empty" if told.endswith("empty") else "")
        rows.append([code(name), told, described(field)])
    return table(["column", "type", "meaning"], rows)


def _written(title: str, anchor: str, model: type[BaseModel], link: dict[type[BaseModel], str]) -> str:
    return f"### {title} {{ #{anchor} }}\n\n{own_doc(model)}\n\n{_columns(model, link)}\n"


def pages() -> dict[str, str]:
    """The page of the data, by its place in the site."""
    link = {model: f"#{model.__name__}" for model in nested()}
    text = (
        "# Data between stages\n\nA run is a folder `<store>/<run>/` with a folder for each stage: Parquet shards, "
        "`receipts/` and a `manifest.json`, and what left the run there in `rejects/` ([how a shard is committed]"
        "(../architecture.md#committing-a-shard-and-resuming)). These are the columns of each. A type *or empty* can "
        "be null. What users read of a release is in [the released dataset](../dataset.md).\n\n## Stages of a run\n\n"
    )
    first: dict[type[BaseModel], StageName] = {}
    for stage, model in STAGES.items():
        if model in first:
            text += f"### {code(stage)} {{ #stage-{stage} }}\n\nThe columns of [{code(first[model])}](#stage-"
            text += f"{first[model]}).\n\n"
        else:
            first[model] = stage
            text += _written(code(stage), f"stage-{stage}", model, link)
    text += "### `rejects/` of every stage { #Reject }\n\n" + own_doc(Reject) + "\n\n" + _columns(Reject, link)
    text += "\n## Files\n\n"
    for title, model in FILES.items():
        text += _written(title, f"file-{model.__name__}", model, link)
    text += "## Structs\n\n"
    for model in nested():
        text += _written(model.__name__, model.__name__, model, link)
    text += "## Closed sets of values\n\n"
    for closed in _CLOSED:
        text += f"### {closed.__name__} {{ #{closed.__name__} }}\n\n{own_doc(closed)}\n\n"
        text += ", ".join(code(member.value) for member in closed) + "\n\n"
    return {PAGE: text}
