"""Decisions by hand: how they are read, and what they make of a row."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from flows.console.options import load_config
from flows.orchestration.preflight import check_curation
from tasks.artifacts import to_table
from tasks.curation.decisions import curate, curate_again
from tasks.curation.dedup.deciding import decide
from tasks.curation.files import read_file
from tasks.curation.reviewed import tell_reviews
from tasks.errors import BadInput
from tasks.models import (
    BenchmarkHit,
    ContentFinding,
    DuplicateDecision,
    Edge,
    Examination,
    Labels,
    Measure,
    RejectReason,
    ReleaseRow,
    Split,
    Style,
    Triplet,
)
from tasks.reviews import Review, dump_reviews, holding, is_doubt, parse_reviews
from tasks.run import Run, StageName
from tasks.styles.ids import converted_id
from tests.kpis.runs import ALL, finished
from tests.publishing.rows import release_row

NAME = ALL[0]
HIT = {"benchmark": "humaneval", "item_id": "1", "way": "words_10", "part": "question", "similarity": 0.5, "span": "s"}
FOUND = {"rule": "secret", "part": "solution", "line": 1, "evidence": "k…"}


def triplet(**values: object) -> Triplet:
    row = release_row(NAME, 5)
    return Triplet(**{name: getattr(row, name) for name in Triplet.model_fields}).model_copy(update=values)


def duplicate(kind: str = "", contaminated: tuple[str, ...] = ()) -> DuplicateDecision:
    return DuplicateDecision(
        question_id=NAME,
        subset="Docs",
        representative="other" if kind else NAME,
        representative_subset="Docs",
        kind=kind,
        similarity=0.9,
        cluster_size=2,
        duplicates=[],
        contaminated=list(contaminated),
    )


def examined(hit: str = "", content: str = "") -> Examination:
    return Examination(
        id=NAME,
        hits=[BenchmarkHit(**HIT, outcome=hit)] if hit else [],
        content=[ContentFinding(**FOUND, outcome=content)] if content else [],
        labels=Labels(topics=["other"], skills=[], libraries=[], language="en", words=3, structure=""),
        outcome=hit or content or "noted",
        contaminated=hit == "rejected",
    )


def review(decision: str, name: str = NAME, note: str = "looked at it") -> Review:
    return Review(question_id=name, decision=decision, note=note, reviewer="ada")


def decided(decision: str, duplicate_of: DuplicateDecision, found: Examination, **licence: object):
    refused, excludes = licence.get("refused", {}), bool(licence.get("excludes"))
    (row,) = curate([triplet()], [duplicate_of], [found], refused, excludes, holding([review(decision)]))
    return row


@pytest.mark.parametrize("found", [examined(), examined(hit="rejected"), examined(content="caution")])
def test_a_row_that_is_rejected_by_hand_leaves_with_the_note_as_evidence(found):
    row = decided("reject", duplicate("near"), found)
    assert row.reason is RejectReason.REVIEWED
    assert row.evidence == "rejected in a review by ada: looked at it"


@pytest.mark.parametrize(
    ("duplicate_of", "found", "over"),
    [
        (duplicate("near"), examined(), "word 3-grams 0.90 with other"),
        (duplicate("exact"), examined(content="rejected"), "secret in solution"),
        (duplicate(), examined(hit="caution"), "humaneval/1"),
        (duplicate(contaminated=("x",)), examined(content="caution"), "duplicates of it are contaminated"),
    ],
)
def test_a_row_that_is_accepted_by_hand_is_in_train_and_says_over_what(duplicate_of, found, over):
    row = decided("accept", duplicate_of, found)
    assert row.split is Split.TRAIN
    assert row.filter_reason.startswith("accepted in a review by ada: looked at it (over ")
    assert over in row.filter_reason


def test_nobody_brings_back_what_is_contaminated_or_has_no_licence():
    assert decided("accept", duplicate("near"), examined(hit="rejected")).reason is RejectReason.CONTAMINATED
    refused = {triplet().licence: "not allowed"}
    assert decided("accept", duplicate(), examined(), refused=refused, excludes=True).reason == "licence_refused"
    row = decided("accept", duplicate(), examined(content="caution"), refused=refused)
    assert row.split is Split.USE_WITH_CAUTION
    assert row.filter_reason.startswith("not allowed; accepted in a review")


def test_what_nobody_can_bring_back_is_told_first():
    refused = {triplet().licence: "not allowed"}

    def told(found: Examination, **licence: bool) -> object:
        (row,) = curate([triplet()], [duplicate("near")], [found], refused, bool(licence.get("excludes")))
        return row.reason

    assert told(examined(hit="rejected"), excludes=True) is RejectReason.CONTAMINATED
    assert told(examined(), excludes=True) is RejectReason.LICENCE_REFUSED
    assert told(examined()) is RejectReason.NEAR_DUPLICATE


def signed(*names: str):
    """What ``decide`` reads of rows that all ask the same."""

    class Signed:
        def table(self, columns: list[str]) -> pa.Table:
            made = {
                "id": list(names),
                "subset": ["Docs"] * len(names),
                "licence": ["MIT"] * len(names),
                "quality": [[1.0]] * len(names),
                "exact": [b"0" * 16] * len(names),
            }
            return pa.table(made).select(columns)

        def questions(self, *_: object) -> list[str]:
            return []

        def take(self, rows: np.ndarray, columns: list[str]) -> pa.Table:
            raise AssertionError("exact duplicates are not compared")

    return Signed()


@pytest.mark.parametrize(
    ("accepted", "rejected", "stands"), [((), (), "a"), (("c",), (), "c"), ((), ("a",), "b"), (("a",), ("a", "b"), "a")]
)
def test_of_a_cluster_an_accepted_row_stays_and_a_rejected_one_takes_no_other_with_it(accepted, rejected, stands):
    pairs = to_table([], Edge)
    found = pa.table({"outcome": ["noted"] * 3, "contaminated": [False] * 3})
    rules = {"refused": (), "excludes": False, "across_subsets": True}
    table = decide(signed("a", "b", "c"), pairs, found, accepted=accepted, rejected=rejected, **rules)
    assert set(table["representative"].to_pylist()) == {stands}


def test_of_two_lines_on_a_row_the_last_one_holds():
    lines = [review("reject"), review("accept", "other"), review("accept")]
    read = parse_reviews(dump_reviews(lines), "f")
    assert read == lines
    assert {name: one.decision.value for name, one in holding(read).items()} == {NAME: "accept", "other": "accept"}


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"{", "line 3: the line: Invalid JSON"),
        (b'{"decision": "accept"}', "line 3: question_id: Field required"),
        (b'{"question_id": "a", "decision": "maybe"}', "line 3: decision: .*got 'maybe'"),
        (b'{"question_id": "a", "decision": "accept", "more": 1}', "line 3: more: Extra inputs"),
        (b"\xff", "line 3"),
    ],
)
def test_a_wrong_line_is_named_before_any_work_starts(tmp_path, line, why):
    file = tmp_path / "review.jsonl"
    file.write_bytes(dump_reviews([review("accept")]) + b"\n" + line)
    with pytest.raises(BadInput, match=why):
        check_curation(load_config("demo", [f"curation.review={file}"]))


def test_a_file_that_is_not_there_is_said_to_be_missing(tmp_path):
    with pytest.raises(BadInput, match="there is no such file"):
        check_curation(load_config("demo", [f"curation.review={tmp_path}/none.jsonl"]))


def test_decisions_without_effect_are_told(tmp_path):
    file = tmp_path / "review.jsonl"
    names = (ALL[0], ALL[3], "Docs_00000099_I", "Docs_00000000_C")
    file.write_bytes(dump_reviews([review("accept", name) for name in names]))
    run = finished(tmp_path / "store", curation={"review": str(file)})
    said: list[str] = []
    tell_reviews(run, lambda message, *values: said.append(message % values))
    tell_reviews(run, lambda message, *values: said.append(message % values), StageName.CONVERTED)
    assert said == [
        f"review: {ALL[3]} cannot be accepted, as it was rejected at triplets: failed",
        "review: run r has no row Docs_00000099_I, so that the decision on it has no effect",
        "review: run r has no row Docs_00000000_C, so that the decision on it has no effect",
    ]


def test_a_decision_on_no_row_of_ones_own_file_is_told(prefect_here, tmp_path):
    rows, file = tmp_path / "rows.jsonl", tmp_path / "review.jsonl"
    rows.write_text('{"id": "mine", "question": "add two numbers"}\n')
    file.write_bytes(dump_reviews([review("accept", "mine"), review("accept", "not-mine_C")]))
    config = load_config("demo", [f"store={tmp_path}/store", "run=r", f"curation.review={file}"])
    run = Run(config=config, teachers=config.teachers)
    run.finish(StageName.ROWS, read_file(run, rows))
    said: list[str] = []
    tell_reviews(run, lambda message, *values: said.append(message % values), StageName.ROWS)
    assert said == ["review: run r has no row not-mine_C, so that the decision on it has no effect"]


WEAK = Measure(
    check="mutants", value=0.4, reject_below=0.1, caution_below=0.5, outcome="caution", why="mutants survive"
)


def retold(**values: object) -> ReleaseRow:
    return release_row(converted_id(NAME, Style.COMPLETE), 5).model_copy(update=values)


def test_whoever_accepts_a_row_in_another_style_gives_it_no_licence():
    row = retold(split=Split.USE_WITH_CAUTION, filter_reason="not allowed", quality=[WEAK])
    accepted = curate_again(
        row, examined(content="caution"), review("accept", row.question_id), {row.licence: "not allowed"}
    )
    assert accepted.split is Split.USE_WITH_CAUTION
    assert accepted.filter_reason.startswith("not allowed; accepted in a review by ada")


def test_a_row_in_another_style_has_the_doubts_of_its_own_text_and_says_them_first():
    row = retold(filter_reason="accepted in a review by ada", quality=[WEAK])
    doubted = curate_again(row, examined(content="caution"))
    assert doubted.split is Split.USE_WITH_CAUTION
    assert is_doubt(doubted.filter_reason), "else it would be in the evaluation set"
    assert doubted.filter_reason.startswith("secret in solution")
    kept = curate_again(row, examined())
    assert (kept.split, kept.filter_reason) == (Split.TRAIN, row.filter_reason), "what was accepted stays accepted"
