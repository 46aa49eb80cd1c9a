"""Reasoners in the config: what is usual for them, what they cost, how the command tells of them."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from flows.console.estimate import estimate_run
from flows.console.inspect_post_training import show_responses, show_retold, show_styles
from tasks.models import ReleaseRow, Style
from tasks.run import StageName
from tasks.settings import BuildConfig
from tests.responses.test_answer_stage import answer, graded, rows_of, running

SERVER = {"base_url": "http://127.0.0.1:9/v1", "model": "r1"}


def config(reasoner: dict, **settings) -> BuildConfig:
    return BuildConfig(profile="pilot", teachers={"reasoners": {"r1": reasoner}}, **settings)


def test_a_reasoner_has_room_to_think_where_nothing_else_is_said():
    usual = config(SERVER).teachers.reasoners["r1"]
    assert (usual.sampling.max_tokens, usual.sampling.temperature, usual.sampling.top_p) == (16_384, 0.6, 0.95)
    assert usual.timeout_s > 300
    told = config({**SERVER, "sampling": {"max_tokens": 99}}).teachers.reasoners["r1"]
    assert (told.sampling.max_tokens, told.sampling.temperature) == (99, 0.6)


def test_one_model_under_two_names_is_refused():
    cooler = {**SERVER, "sampling": {"temperature": 0.2}}
    assert len(BuildConfig(teachers={"reasoners": {"a": SERVER, "b": cooler}}).teachers.reasoners) >= 2
    with pytest.raises(ValueError, match=r"reasoners\.a and reasoners\.b are one model \(r1\)"):
        BuildConfig(teachers={"reasoners": {"a": SERVER, "b": {**SERVER, "base_url": "http://127.0.0.1:8/v1"}}})


def test_a_budget_in_dollars_needs_the_prices_of_reasoners_too():
    priced = {"kind": "demo", "prices": {"input": 0, "output": 0}}
    with pytest.raises(ValueError, match=r"teachers\.reasoners\.r1\.prices"):
        BuildConfig(budget={"usd": 1}, teachers={"author": priced, "reasoners": {"r1": SERVER}})


def test_the_estimate_counts_tries_styles_and_what_is_held_out(tmp_path):
    def estimated(**post_training):
        rules = {"reasoning": {"tries": 2}, **post_training}
        found = estimate_run(config(SERVER, store=str(tmp_path), only=["Prefill"], post_training=rules))
        return {one.stage: one for one in found}

    plain = estimated()
    once, rows = plain["responses"], plain["solutions"].most_calls // 4  # solver_tries of the profile
    assert (once.role, once.most_calls, once.completion_tokens) == ("reasoners.r1", 2 * rows, once.calls * 6000)
    assert "conversions" not in plain
    more = estimated(reasoning={"tries": 4})["responses"]
    assert (more.most_calls, more.calls) == (2 * once.most_calls, pytest.approx(2 * once.calls, abs=1))
    both = estimated(styles={"into": ["complete"]}, held_out={"share": 0.5})
    assert both["conversions"].calls < both["conversions"].most_calls == rows
    assert both["responses"].most_calls == 2 * once.most_calls
    assert both["responses"].calls < once.calls


def test_answers_and_styles_of_a_row_are_told(tmp_path):
    rows = rows_of("unstutter", "vowel-share")
    lineage = rows[0].lineage
    call = lineage.solution_call
    lineage = lineage.model_copy(update={"converted_from": "unstutter", "conversion_call": call})
    other = rows[0].model_copy(update={"question_id": "unstutter_C", "style": Style.COMPLETE, "lineage": lineage})
    out = StringIO()
    console = Console(file=out, width=200)
    with running(tmp_path, rows, [other]) as (run, shards, placing):
        graded(run, shards, answer(run, shards, placing)[0])
        show_styles(console, run, "unstutter")
        show_responses(console, run, "unstutter")
        show_responses(console, run, "vowel-share")
        show_retold(
            console, run, run.stage(StageName.CONVERTED).rows("part-00000-complete", ReleaseRow)[0].model_dump()
        )
    told = out.getvalue()
    for text in (
        "told in the style complete as unstutter_C",
        "answer 1 of demo",
        "under unstutter = shorten: all 7 tests passed",
        "the reply holds no code",
        "It tells unstutter in the style complete",
    ):
        assert text in told
