"""Items asked over HTTP and judged in boxes: what counts, what does not, and what is not asked twice."""

from __future__ import annotations

import json

import pytest
from prefect.logging import disable_run_logger

from tasks.errors import BadInput
from tasks.evaluation.feedback import check_feedback, write_feedback
from tasks.evaluation.items import fed_back_ids, read_items
from tasks.evaluation.result import JudgedShard, result_of
from tasks.evaluation.stage import EvaluationRun, answer_items, judge_answers, write_items
from tasks.execution.pool import SandboxPool
from tasks.models.scores import EvaluationResult
from tasks.settings import Backend, Evaluation, EvaluationConfig, SeedOptions
from tasks.sourcing.feedback import read_seeds
from tests.conftest import sandbox_settings
from tests.evaluation import benchmarks as rows
from tests.evaluation.benchmarks import WHOLE, WRONG, written
from tests.evaluation.model_server import answering


def config(tmp_path, path, model, **changes):
    values = {"benchmark": path, "model": model.sampling, **changes.pop("evaluation", {})}
    sandbox = sandbox_settings(Backend.BUBBLEWRAP)
    return EvaluationConfig(store=str(tmp_path / "store"), evaluation=values, sandbox=sandbox, shard_size=2, **changes)


def evaluated(settings: EvaluationConfig) -> tuple[EvaluationResult, list[JudgedShard]]:
    run = EvaluationRun(config=settings, model=settings.evaluation.model)
    with disable_run_logger():
        shards = write_items.fn(run)
        for shard in shards:
            judge_answers.fn(run, shard, answer_items.fn(run, shard))
    assert run.model
    return result_of(settings, run.model, run.judged(shards), run.left_out(shards)), list(run.judged(shards))


def own(*names: str) -> list[dict]:
    return [rows.OWN | {"id": name, "prompt": f"{name}: {rows.OWN['prompt']}"} for name in names]


def fenced(code: str) -> str:
    return f"```python\n{code}```"


def test_samples_come_to_what_they_come_to(tmp_path):
    said = {
        "right": [fenced(WHOLE)] * 4,
        "half": [fenced(WHOLE), fenced(WRONG), "No idea.", fenced("while True: pass\n")],
    }
    path = written(tmp_path / "items.jsonl", *own("right", "half"), rows.OWN_PROGRAM)

    def answers(prompt: str, seed: int) -> str | int:
        name = next((name for name in said if name in prompt), None)
        return said[name][seed] if name else 400

    with answering(answers) as model:
        found, *_ = evaluated(config(tmp_path, path, model, evaluation={"samples": 4, "k": [1, 2]}))
    by_id = {one.id: one for one in found.items}
    assert by_id["right"].outcomes == {"passed": 4}
    assert by_id["half"].outcomes == {"passed": 1, "failed": 1, "no_code": 1, "timeout": 1}
    # What the endpoint refuses for good is no pass, and does not go away.
    assert by_id["ours-2"].outcomes == {"teacher_refused": 4}
    assert found.complete
    assert [(one.k, one.items) for one in found.scores] == [(1, 3), (2, 3)]
    assert found.score(1).value == pytest.approx((1 + 0.25 + 0) / 3)
    assert found.score(2).value == pytest.approx((1 + 0.5 + 0) / 3)
    assert [(one.by, one.name, one.items) for one in found.groups] == [
        ("difficulty", "easy", 2),
        ("difficulty", "hard", 1),
        ("topic", "roofs", 3),
    ]
    assert (found.spent.prompt_tokens, found.spent.usd) == (80, None)


def test_what_was_never_answered_does_not_count_and_is_asked_again_later(tmp_path):
    path = written(tmp_path / "items.jsonl", *own("one", "two", "three"))
    down = True

    def answers(prompt: str, seed: int) -> str | int:
        return 500 if down and "two" in prompt else fenced(WHOLE)

    with answering(answers) as model:
        settings = config(tmp_path, path, model)
        first, *_ = evaluated(settings)
        assert (first.not_asked, first.complete) == (1, False)
        assert (first.score(1).items, first.score(1).value) == (2, 1.0)
        down = False
        asked = len(model.asked)
        second, *_ = evaluated(settings)
        assert second.complete
        assert second.score(1).items == 3
        assert len(model.asked) == asked + 1
        evaluated(settings)
        assert len(model.asked) == asked + 1


def test_more_samples_ask_only_for_the_new_ones(tmp_path):
    path = written(tmp_path / "items.jsonl", *own("one"))
    hot = {"temperature": 0.7}
    with answering(lambda prompt, seed: fenced(WHOLE)) as model:
        for samples in (2, 5):
            settings = config(tmp_path, path, model, evaluation={"samples": samples})
            endpoint = settings.evaluation.model.model_copy(
                update={"sampling": settings.evaluation.model.sampling.model_copy(update=hot)}
            )
            section = settings.evaluation.model_copy(update={"model": endpoint})
            evaluated(settings.model_copy(update={"evaluation": section}))
        assert sorted(body["seed"] for body in model.asked) == [0, 1, 2, 3, 4]


def test_a_budget_ends_the_asking_and_says_so(tmp_path):
    path = written(tmp_path / "items.jsonl", *own("one", "two", "three"))
    sampling = {"max_tokens": 50}
    with answering(lambda prompt, seed: fenced(WHOLE)) as model:
        endpoint = {**model.sampling, "sampling": sampling}
        found, *_ = evaluated(config(tmp_path, path, model, evaluation={"model": endpoint}, budget={"tokens": 20}))
        assert (found.not_asked, found.scores, model.asked) == (3, [], [])


def test_one_answer_twice_is_run_once(tmp_path, monkeypatch):
    path = written(tmp_path / "items.jsonl", *own("one"))
    ran = []
    run_all = SandboxPool.run_all

    def noted(pool, pairs, *rest):
        ran.extend(pairs)
        return run_all(pool, pairs, *rest)

    monkeypatch.setattr(SandboxPool, "run_all", noted)
    with answering(lambda prompt, seed: fenced(WHOLE)) as model:
        found, *_ = evaluated(config(tmp_path, path, model, evaluation={"samples": 5}))
    assert (len(ran), found.items[0].passed) == (1, 5)


def test_failures_of_our_own_items_are_seeds_of_the_feedback_subset_and_spent_afterwards(tmp_path):
    path = written(tmp_path / "items.jsonl", *own("good", "bad", "silent"))
    said = {"good": fenced(WHOLE), "bad": fenced(WRONG), "silent": "Hm."}
    out = tmp_path / "failures.jsonl"
    with answering(lambda prompt, seed: said[prompt.partition(":")[0]]) as model:
        settings = config(tmp_path, path, model)
        _, shards = evaluated(settings)
        check_feedback(settings.evaluation, [item for shard in shards for item in shard.items])
        write_feedback(out, shards)
        [row] = [json.loads(line) for line in out.read_text().splitlines()]
        assert (row["id"], row["answer"], row["topic"]) == ("bad", WRONG, "roofs")
        assert "1 of 1 tests failed" in row["expected"]
        assert WHOLE in row["expected"]
        [seed] = read_seeds("Feedback", SeedOptions(path=str(out), licence="MIT"))
        assert seed.text.startswith("bad: Write")
        assert WRONG in seed.context

        later = config(tmp_path, path, model, evaluation={"fed_back": [str(out)]})
        again, *_ = evaluated(later)
    assert [one.id for one in again.items] == ["good", "silent"]
    assert again.left_out == {"fed_back": ["bad"]}


def test_items_of_public_benchmarks_are_never_fed_back(tmp_path):
    human_eval = list(read_items(Evaluation(limit=2)))
    with pytest.raises(BadInput, match=r"--feedback is refused: 'humaneval' is, or holds, a public benchmark"):
        check_feedback(Evaluation(), human_eval)
    for row in (rows.MBPP, rows.HUMAN_EVAL, rows.LIVE_STDIN):
        path = written(tmp_path / "items.jsonl", row)
        with pytest.raises(BadInput, match="--feedback is refused"):
            check_feedback(Evaluation(benchmark=path), list(read_items(Evaluation(benchmark=path))))
    disguised = written(
        tmp_path / "own.jsonl", *own("one"), rows.OWN | {"id": "two", "prompt": f"\n{human_eval[1].prompt}\n\n"}
    )
    with pytest.raises(BadInput, match="--feedback is refused"):
        check_feedback(Evaluation(benchmark=disguised), list(read_items(Evaluation(benchmark=disguised))))


def test_a_feedback_file_without_ids_cannot_tell_what_is_spent(tmp_path):
    with pytest.raises(BadInput, match=r"row 1: column 'id' is missing or empty"):
        fed_back_ids([written(tmp_path / "failures.jsonl", {"prompt": "x"})])
