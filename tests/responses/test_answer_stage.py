"""Rows put to a reasoning model and graded, as the flow does it: a real endpoint, a real box, shards on disk."""

from __future__ import annotations

from contextlib import contextmanager

import pytest
from prefect.logging import disable_run_logger

from tasks.artifacts import Outcome
from tasks.models import Grade, Placing, ReleaseRow, Response, Split, Style, Verdict
from tasks.responses.stage import answer_rows, grade_responses
from tasks.run import Run, StageName
from tasks.settings import BuildConfig
from tasks.teachers.cache import open_cache
from tasks.teachers.clients import close_clients
from tasks.teachers.endpoints import managed
from tests.conftest import LIMITS
from tests.publishing.rows import release_row
from tests.responses.rows import TEST


def entry(name: str) -> dict:
    """What the demo teacher was given for a question."""
    from tasks.teachers.transcripts import packaged

    return next(one for one in packaged()._by_question.values() if one["id"] == name)


def rows_of(*names: str) -> list[ReleaseRow]:
    found = []
    for name in names:
        made = entry(name)
        attempt = made["attempts"][0]
        update = {"question": made["question"], "solution": attempt["solution"], "test": attempt["test"]}
        found.append(release_row(name, 5).model_copy(update=update))
    return found


@contextmanager
def running(folder, rows, converted=(), held_out=(), **settings):
    """A run with these rows, and its endpoints."""
    given = {"tries": 2, **settings.pop("reasoning", {})}
    config = BuildConfig(
        run="r",
        store=str(folder),
        teachers={"reasoners": {"demo": {"kind": "demo"}}},
        sandbox={"backend": "bubblewrap", **LIMITS},
        post_training={"reasoning": given},
        **settings,
    )
    with managed(config.teachers) as teachers:
        run = Run(config=config, teachers=teachers)
        places = [
            Placing(
                question_id=row.question_id,
                group=row.question_id,
                split=Split.EVALUATION if row.question_id in held_out else Split.TRAIN,
            )
            for row in rows
        ]
        shards = [commit(run, StageName.CURATED, "part-00000", rows, ReleaseRow)]
        if converted:
            shards.append(commit(run, StageName.CONVERTED, "part-00000-complete", converted, ReleaseRow))
        try:
            yield run, shards, commit(run, StageName.PLACINGS, "part-00000", places, Placing)
        finally:
            close_clients()


def commit(run, stage, name, rows, model):
    key = [row.model_dump(mode="json") for row in rows]
    return run.stage(stage).run_shard(name, model, [key], lambda: Outcome.of(rows))


def answer(run, shards, placing):
    with disable_run_logger():
        receipt = answer_rows.fn(run, shards, placing, "demo")
    return receipt, run.stage(StageName.RESPONSES).rows(receipt.name, Response)


def graded(run, shards, receipt):
    with disable_run_logger():
        done = grade_responses.fn(run, shards, receipt)
    return done, run.stage(StageName.GRADES).rows(done.name, Grade)


def test_every_try_is_kept_with_its_thoughts_and_graded(tmp_path):
    names = ("unstutter", "vowel-share", "rotate-matrix")
    with running(tmp_path, rows_of(*names)) as (run, shards, placing):
        receipt, responses = answer(run, shards, placing)
        done, grades = graded(run, shards, receipt)
        uses = list(open_cache(run.cache_path).uses(run.account))
    assert (receipt.name, receipt.rows_in, receipt.rows_out, receipt.rejected) == ("part-00000-demo", 6, 6, 0)
    assert [one.response_id for one in responses] == [f"{name}/demo/{number}" for name in names for number in (1, 2)]
    assert [one.response_id for one in grades] == [one.response_id for one in responses]
    assert done.name == receipt.name
    assert all(one.reasoning and "think>" not in one.reasoning + one.text for one in responses)
    assert [one.finish_reason for one in responses] == ["stop"] * 4 + ["length", "stop"]
    assert [bool(one.code) for one in responses] == [True, True, True, False, False, True]
    assert [one.passed for one in grades] == [False, True, True, False, False, True]
    assert (grades[0].alias, grades[0].alias_verdict) == ("unstutter = shorten", Verdict.PASSED)
    assert {use.stage for use in uses} == {"responses"}


def test_a_row_that_no_answer_solves_keeps_its_answers(tmp_path):
    with running(tmp_path, rows_of("shelter-distance")) as (run, shards, placing):
        receipt, responses = answer(run, shards, placing)
        grades = graded(run, shards, receipt)[1]
    assert [one.verdict for one in grades] == [Verdict.FAILED] * 2
    assert all("shelter_distance" in one.code for one in responses)


def test_what_is_held_out_is_asked_in_no_style(tmp_path):
    rows = rows_of("unstutter", "vowel-share")
    lineage = rows[0].lineage.model_copy(update={"converted_from": "unstutter"})
    other = rows[0].model_copy(update={"question_id": "unstutter_C", "style": Style.COMPLETE, "lineage": lineage})
    with running(tmp_path, rows, [other], held_out=["unstutter"]) as (run, shards, placing):
        receipt, responses = answer(run, shards, placing)
        assert {one.question_id for one in responses} == {"vowel-share"}
        graded(run, shards, receipt)
    with running(tmp_path / "all", rows, [other]) as (run, shards, placing):
        assert {one.question_id for one in answer(run, shards, placing)[1]} == {
            "unstutter", "vowel-share", "unstutter_C",
        }  # fmt: skip


def test_all_held_out_leaves_empty_shards(tmp_path):
    with running(tmp_path, rows_of("unstutter"), held_out=["unstutter"]) as (run, shards, placing):
        receipt, responses = answer(run, shards, placing)
        assert (receipt.rows_in, responses, graded(run, shards, receipt)[1]) == (0, [], [])


def test_a_rerun_asks_and_runs_nothing_and_more_tries_ask_for_these_alone(tmp_path):
    rows = rows_of("unstutter")
    with running(tmp_path, rows) as (run, shards, placing):
        first = answer(run, shards, placing)[0]
        graded_first = graded(run, shards, first)[0]
        assert answer(run, shards, placing)[0] == first
        assert graded(run, shards, first)[0] == graded_first
    with running(tmp_path, rows, reasoning={"tries": 3}) as (run, shards, placing):
        again, responses = answer(run, shards, placing)
        uses = list(open_cache(run.cache_path).uses(run.account))
    assert again.fingerprint != first.fingerprint
    assert [one.number for one in responses] == [1, 2, 3]
    assert sum(use.paid for use in uses) == 3


def test_what_no_model_answered_is_a_reject_that_a_later_run_asks_again(tmp_path):
    rows = rows_of("unstutter")
    with running(tmp_path, rows, budget={"tokens": 0}) as (run, shards, placing):
        receipt, responses = answer(run, shards, placing)
        assert (receipt.rows_in, responses, receipt.reasons) == (2, [], {"budget_exhausted": 2})
        assert {one.id for one in run.stage(StageName.RESPONSES).rejects(receipt.name)} == {
            "unstutter/demo/1", "unstutter/demo/2",
        }  # fmt: skip
        assert graded(run, shards, receipt)[1] == []
    with running(tmp_path, rows) as (run, shards, placing):
        assert len(answer(run, shards, placing)[1]) == 2


def test_accepted_aliases_grade_anew_without_asking(tmp_path):
    rows = rows_of("unstutter")
    with running(tmp_path, rows) as (run, shards, placing):
        receipt = answer(run, shards, placing)[0]
        strict = graded(run, shards, receipt)[1]
    with running(tmp_path, rows, reasoning={"accept_alias": True}) as (run, shards, placing):
        assert answer(run, shards, placing)[0] == receipt
        lenient = graded(run, shards, receipt)[1]
    assert ([one.passed for one in strict], [one.passed for one in lenient]) == ([False, True], [True, True])
    assert lenient[0].verdict is Verdict.ERROR


def test_the_prompt_is_one_user_turn_that_names_the_libraries():
    from tasks.responses.asking import response_request
    from tasks.settings import Endpoint, EndpointKind
    from tests.responses.rows import problem

    endpoint = Endpoint(kind=EndpointKind.DEMO)
    for style in Style:
        asked = problem(style=style, question="Do {{ this }}.", libraries=("pandas",), test=TEST)
        ((role, content),) = response_request(asked, endpoint, 0).messages
        assert role == "user"
        assert content.startswith("Do {{ this }}.")
        assert "pandas" in content
        assert "<|" not in content


@pytest.mark.parametrize("name", ["a b", "../x", "", "x" * 33])
def test_names_of_reasoners_that_are_no_file_names_are_refused(name):
    with pytest.raises(ValueError, match="reasoners"):
        BuildConfig(teachers={"reasoners": {name: {"kind": "demo"}}})
