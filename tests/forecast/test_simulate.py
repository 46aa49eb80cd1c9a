"""What a forecast says of runs whose time can be told without one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tasks.errors import BadInput
from tasks.forecast.outcomes import Tries, pass_rates
from tasks.forecast.rates import DEFAULT, Outcomes, Rates, read_rates
from tasks.forecast.simulate import Forecast, Simulation
from tasks.forecast.work import work_of
from tasks.settings import BuildConfig, Rigour

CALM = {"failed": 0.0, "streams": 100_000, "first_token_s": 1.0, "tokens_per_s": 100.0}
AUTHOR: dict[str, Any] = {"kind": "openai", "base_url": "http://127.0.0.1:9/v1", "max_in_flight": 1000}
STEADY = {"spread": 0.0, "completion_tokens": 900, "prompt_tokens": 100, "answer_bytes": 1000, "per_row": 1}


def rates(**changes: Any) -> Rates:
    """Rates of a world without chance: every call takes ten seconds, and nothing else takes any."""
    calls = dict.fromkeys(("questions", "attempts", "solutions", "responses", "conversions"), STEADY)
    nothing = {name: {**STEADY, "per_row": 0} for name in ("ratings", "contracts", "mending")}
    calm = {
        "teacher": CALM,
        "worker": {"cores": 2, "task_s": 0.0, "hours_between_crashes": 1e12},
        "server": {"task_s": 0.0, "task_bytes": 100},
        "calls": calls | nothing,
        "stages": {name: {"sandbox_s": 0.0, "own_s": 0.0} for name in read_rates().stages},
        "curation": {"start_s": 5, "row_s": 0.0, "kept": 1.0},
        "publishing": {"start_s": 7, "row_s": 0.0},
        "outcomes": {"Prefill": {"easy": 0, "medium": 0, "hard": 0, "failed": 1}},
    }
    return read_rates(overrides={**calm, **changes})


def config(count: int = 100, **changes: Any) -> BuildConfig:
    values: dict[str, Any] = {
        "profile": "demo",
        "only": ["Prefill"],
        "subsets": {"Prefill": {"count": count}},
        "shard_size": 10,
        "shards_in_flight": 100,
        "diversity": {"look_every": 100},
        "questions": {"repair": False},
        "verification": {"attempts": 3, "rigour": Rigour.FAST},
        "teachers": {"author": {**AUTHOR, "prices": {"input": 1, "output": 2}}},
    }
    return BuildConfig(**{**values, **changes})


def simulated(one: BuildConfig, known: Rates, workers: int = 1) -> Forecast:
    return Simulation(work_of(one), known, workers, seed=0).run()


def phases(found: Forecast) -> dict[str, float]:
    return {phase.name: phase.seconds for phase in found.phases}


def test_questions_that_never_pass_take_every_attempt():
    found = simulated(config(), rates())
    assert phases(found) == pytest.approx(
        {"source": 10.0, "verify": 30.0, "curate": 5.0, "post-train": 0.0, "publish": 7.0}
    )
    assert (found.questions, found.attempts, found.rows) == (100, 300, 0)
    assert found.calls == {"questions": 100, "attempts": 300}
    assert found.usd == pytest.approx((400 * 100 * 1 + 400 * 900 * 2) / 1e6)
    assert found.bytes["answers"] == 400_000


@pytest.mark.parametrize(("workers", "seconds"), [(1, 100.0), (2, 50.0), (5, 20.0)])
def test_few_calls_at_once_are_shared_out_among_workers(workers, seconds):
    author = {**AUTHOR, "max_in_flight": 10}
    found = simulated(config(teachers={"author": author}), rates(), workers)
    assert phases(found)["source"] == pytest.approx(seconds)
    assert found.phases[0].bottleneck == "teacher"


def test_more_workers_than_the_endpoint_has_streams_for_gain_nothing():
    narrow = rates(teacher={**CALM, "streams": 10})
    alone, many = (simulated(config(), narrow, workers) for workers in (1, 5))
    assert phases(many)["source"] == pytest.approx(phases(alone)["source"]) == pytest.approx(100.0)


def test_few_shards_at_once_leave_the_teacher_idle():
    found = simulated(config(shards_in_flight=1), rates())
    assert phases(found)["source"] == pytest.approx(100.0)
    assert found.phases[0].bottleneck == "latency"


def test_pace_of_the_endpoint_is_kept():
    author = {**AUTHOR, "limits": {"requests_per_minute": 60}}
    found = simulated(config(teachers={"author": author}), rates())
    assert phases(found)["source"] == pytest.approx(99 + 10.0)


def test_sandbox_holds_up_what_is_judged():
    found = simulated(config(), rates(stages={"verdicts": {"sandbox_s": 4.0}}))
    assert phases(found)["verify"] == pytest.approx(300 * 4.0 / 2 + 10, rel=0.05)
    verify = next(phase for phase in found.phases if phase.name == "verify")
    assert verify.bottleneck == "sandbox"
    assert verify.used["sandbox"] > 0.9


def test_own_work_of_a_process_is_done_one_after_another():
    found = simulated(config(), rates(stages={"verdicts": {"own_s": 0.5}}))
    assert phases(found)["verify"] >= 150.0


def test_crashes_cost_time_and_no_answer():
    worker = {"cores": 2, "task_s": 0.0, "hours_between_crashes": 0.005, "restart_s": 100}
    calm, stormy = simulated(config(), rates()), simulated(config(), rates(worker=worker))
    assert stormy.seconds > calm.seconds
    assert stormy.calls == calm.calls


def test_reasoners_and_styles_are_asked_for_solved_rows():
    easy = rates(outcomes={"Prefill": {"easy": 1, "medium": 0, "hard": 0, "failed": 0}})
    reasoned = config(
        teachers={
            "author": AUTHOR,
            "reasoners": {"one": {**AUTHOR, "model": "another"}},
        },
        post_training={"styles": {"into": ["complete"]}, "held_out": {"share": 0.0}, "reasoning": {"tries": 2}},
    )
    found = simulated(reasoned, easy)
    solved = found.calls["conversions"]
    assert 90 <= solved <= 100
    assert found.rows == pytest.approx(2 * solved)
    assert found.calls["responses"] == len(reasoned.teachers.reasoners) * 2 * 2 * solved


def test_equal_seeds_make_equal_forecasts():
    first, second = (simulated(config(), read_rates(), workers=2) for _ in range(2))
    assert (first.seconds, first.usd, first.bytes) == (second.seconds, second.usd, second.bytes)


def test_attempts_stop_as_the_pipeline_stops():
    draw = np.random.default_rng(0)
    adaptive = config(
        verification={"attempts": 10, "policy": "adaptive", "stop_after_passes": 1, "rigour": Rigour.FAST}
    ).verification
    tries = Tries(pass_rates(Outcomes(easy=1, medium=0, hard=0, failed=0), 1000, draw), adaptive, draw)
    asked = list(tries.rounds())
    assert asked[0] == 1000
    assert sum(asked) == tries.made.sum() < 1500
    assert set(tries.passes) <= {0, 1}


@pytest.mark.parametrize(
    ("text", "told"),
    [("", "dictionary"), ("[]", "dictionary"), ("teacher: [", "cannot be read"), ("teacher: {streams: 0}", "teacher.")],
)
def test_rates_that_are_none_are_refused(tmp_path, text, told):
    path = tmp_path / "rates.yaml"
    path.write_text(text)
    with pytest.raises(BadInput, match=told) as raised:
        read_rates(path)
    assert DEFAULT.name in str(raised.value)
