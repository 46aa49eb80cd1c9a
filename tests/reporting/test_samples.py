"""Rows worth a look are those at the ends of the scales, with what makes them so."""

from __future__ import annotations

import pytest

from tasks.models import Reject, RejectReason, ReleaseRow, Split, Triplet
from tasks.reporting.questions_map import questions_map
from tasks.reporting.samples import EACH, samples_of
from tasks.reporting.shown import in_one_line, shown
from tasks.run import StageName
from tests.kpis.runs import finished, subset_of, write
from tests.reporting.runs import signature

TOKEN = "ghp_" + "R7kq2ZxN4vWm9TfLs3Yb8HdPc6JgUa1EoXw5"
IDS = [f"Docs_{number:08d}_I" for number in range(8)]


@pytest.fixture
def run(tmp_path):
    rows = {name: {"gpt_pass_percentage": 0.9, "question": f"question {name}"} for name in IDS}
    rows[IDS[4]]["gpt_pass_percentage"] = 0.1
    rows[IDS[5]] |= {"split": Split.USE_WITH_CAUTION, "filter_reason": "overlaps with HumanEval/7"}
    rows[IDS[6]] |= {"mutation_score": 0.0}
    return finished(tmp_path, questions=IDS, solved=IDS, released=IDS[:7], rows=rows)


def test_the_hardest_comes_first(run):
    found = samples_of(run).hardest
    assert len(found) == EACH
    assert (found[0].question_id, found[0].question) == (IDS[4], f"question {IDS[4]}")
    assert "attempts pass" in found[0].why


def test_the_least_verified_comes_first(run):
    found = samples_of(run).weakest[0]
    assert found.question_id == IDS[6]
    assert "0% of mutants caught" in found.why


def test_the_doubtful_are_those_with_a_reason(run):
    (found,) = samples_of(run).doubtful
    assert (found.question_id, found.why) == (IDS[5], "overlaps with HumanEval/7")


def test_tokens_are_those_of_the_question_and_of_its_attempts_each_call_once(run):
    # The question and its attempt name one call, of 2 tokens.
    assert {one.why for one in samples_of(run).dearest} == {"2 tokens for the question, its attempts and solutions"}


def test_one_is_shown_for_each_reason_with_evidence_and_question(run):
    (found,) = samples_of(run).rejected
    assert (found.stage, found.reason, found.rows, found.row_id) == ("curated", "near_duplicate", 1, IDS[7])
    assert (found.evidence, found.question) == ("e", "Write `double(x)`.")


@pytest.mark.parametrize("text", [f"the token is {TOKEN}", "write to jane.miller@contoso-media.com"])
def test_what_must_not_be_passed_on_is_shown_nowhere(tmp_path, text):
    rows = {IDS[0]: {"question": text, "solution": f"x = {text!r}"}}
    run = finished(tmp_path, questions=IDS[:2], solved=IDS[:2], released=IDS[:1], rows=rows)
    kept = run.stage(StageName.CURATED).rows(run.receipts(StageName.CURATED)[0], ReleaseRow)
    told = Reject(id=IDS[1], subset=subset_of(IDS[1]), reason=RejectReason.UNSAFE_CONTENT, evidence=f"found: {text}")
    write(run, StageName.CURATED, kept, [told], shard="part-00001")
    write(run, StageName.SIGNATURES, [signature(IDS[0], text)])
    found = samples_of(run)
    assert text.split()[-1] not in str(found) + str(questions_map(run))
    assert found.hardest[0].question.startswith("(not shown: ")
    assert found.hardest[0].test.startswith("from solution import")
    assert found.rejected[0].evidence.startswith("(not shown: ")


def test_long_texts_say_how_much_is_left_out():
    assert shown("x y " * 500, 1500).endswith("… 500 characters more")
    assert shown("x y " * 375, 1500) == "x y " * 375
    assert len(in_one_line("x\ny " * 500, 90)) == 90


def test_evidence_in_json_is_indented(tmp_path):
    run = finished(tmp_path)
    reject = Reject(id=IDS[1], subset="Docs", reason=RejectReason.FAILED, evidence='[{"attempt":1,"why":"ü"}]')
    write(run, StageName.TRIPLETS, run.stage(StageName.TRIPLETS).rows("part-00000", Triplet), [reject], shard="part-1")
    found = {one.stage: one.evidence for one in samples_of(run).rejected}
    assert found["triplets"].splitlines()[2] == '  "attempt": 1,' and "ü" in found["triplets"]


def test_a_key_of_this_process_is_hidden(monkeypatch):
    monkeypatch.setenv("TEST_API_KEY", "open sesame, please")
    assert "sesame" not in shown("print('open sesame, please')")
