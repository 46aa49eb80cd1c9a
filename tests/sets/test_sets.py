"""The sets of a release: what is in them, and what must not be."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pyarrow as pa
import pytest

from tasks.arrow import values
from tasks.errors import BadInput
from tasks.models import RejectReason, ReleaseRow, Split, Style, Tier
from tasks.released import Released
from tasks.run import Run, StageName
from tasks.sets.catalogue import sets_of
from tasks.sets.conversations import fenced, thought
from tasks.sets.evaluation import evaluation_rows
from tasks.sets.rl import REPORT, check_rl
from tasks.sets.tables import at_most
from tasks.settings import BuildConfig
from tasks.teachers.replies import code, split_reasoning
from tests.sets.runs import answer, answered, commit, curated, placed, referenced, retold, solved, triplet

BOX = {"backend": "bubblewrap", "slots": 2, "wall_s": 3, "memory_mb": 256}
WORDS = ["anagram", "ledger", "matrix", "queue", "cipher", "calendar", "polygon", "token"]
WRONG = "def double(x):\n    return 3 * x\n"


def question(number, **columns):
    words = [WORDS[number * step % 8] for step in (1, 3, 5)]
    text = f"{words[0]} number {number}: " + f"{words[1]} {number} of {words[2]} " * 5
    return triplet(f"q{number:02}", text, **columns)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Forty questions in two styles, half of them held out; a reasoning model answered the first shard."""
    rows = [question(number) for number in range(40)]
    rows[10], rows[30] = question(10, seeds=["shared.py"]), question(30, seeds=["shared.py"])
    doubtful = rows[2].quality[0].model_copy(update={"outcome": "caution", "value": 0.1})
    rows[2] = rows[2].model_copy(update={"quality": [doubtful]})
    rows[3] = rows[3].model_copy(update={"solution": WRONG})
    post = {"held_out": {"share": 0.5, "largest": 1}}
    made = retold(
        placed(curated(tmp_path_factory.mktemp("run"), [rows[:20], rows[20:]], post_training=post, sandbox=BOX))
    )
    tries = [
        answer(f"{row.question_id}{style}", number, passed=number > 1 and place % 3 > 0)
        for place, row in enumerate(rows[:20])
        for style in ("", "_C")
        for number in (1, 2, 3)
    ]
    return referenced(answered(made, tries))


def with_sets(run, **changes):
    """The run with other settings of its sets."""
    post = run.config.post_training.model_dump()
    for name, change in changes.items():
        post["sets"][name] = change if isinstance(change, bool) else {**post["sets"][name], **change}
    config = run.config.model_copy(update={"post_training": type(run.config.post_training)(**post)})
    return Run(config=config, teachers=config.teachers)


def tables(run):
    found = defaultdict(list)
    for one in sets_of(Released(run)):
        found[one.config, one.split].append(one.table)
    return {key: pa.concat_tables(those) for key, those in found.items()}


@pytest.fixture(scope="module")
def sets(run):
    return tables(run)


def released_rows(run):
    return [row for table in Released(run).tables() for row in table.to_pylist()]


def ids(table):
    return values(table, "id" if "id" in table.column_names else "question_id")


def test_nothing_of_an_evaluation_group_is_in_any_other_set(run, sets):
    assert sets.keys() == {
        ("sft", "train"),
        ("sft", "use_with_caution"),
        ("sft_reasoning", "train"),
        ("sft_reasoning", "incorrect"),
        ("sft_reasoning", "use_with_caution"),
        ("preference", "train"),
        ("rl", "train"),
        ("curriculum", "medium"),
        ("evaluation", "test"),
    }
    groups = set(values(sets["evaluation", "test"], "group"))
    held_out = [row["question_id"] for row in released_rows(run) if row["split"] == Split.EVALUATION]
    assert ids(sets["evaluation", "test"]) == held_out
    assert {f"{one}_C" for one in held_out if "_" not in one} <= set(held_out)
    assert len(held_out) in range(36, 41)
    for (config, _), table in sets.items():
        assert config == "evaluation" or not groups & set(values(table, "group"))


def test_a_held_out_row_is_no_item_to_evaluate_with_in_a_style_that_is_in_doubt(tmp_path):
    run = retold(placed(curated(tmp_path, [[question(1)]], post_training={"held_out": {"share": 0.99, "largest": 1}})))
    (part,) = run.receipts(StageName.CONVERTED)
    (told,) = run.stage(StageName.CONVERTED).rows(part.name, ReleaseRow)
    doubtful = told.model_copy(update={"split": Split.USE_WITH_CAUTION, "filter_reason": "benchmark overlap"})
    commit(run, StageName.CONVERTED, {part.name: [doubtful]})
    commit(run, StageName.RESPONSES, {})
    released = Released(run)
    assert {row["split"] for table in released.tables() for row in table.to_pylist()} == {Split.EVALUATION}
    assert [one for _, table in evaluation_rows(released) for one in values(table, "id")] == ["q01"]


def test_every_row_of_a_set_is_a_row_of_the_run(run, sets):
    known = {row["question_id"]: row for row in released_rows(run)}
    for (config, split), table in sets.items():
        assert set(ids(table)) <= known.keys()
        expected = {"use_with_caution": Split.USE_WITH_CAUTION, "test": Split.EVALUATION}.get(split, Split.TRAIN)
        assert {known[one]["split"] for one in ids(table)} == {expected}, config
        assert {known[one]["group"] for one in ids(table)} == set(values(table, "group"))


def test_conversations_give_back_question_and_solution(run, sets):
    known = {row["question_id"]: row for row in released_rows(run)}
    for row in sets["sft", "train"].to_pylist():
        asked, told = row["messages"]
        assert (asked["role"], told["role"]) == ("user", "assistant")
        assert asked["content"] == row["question"] == known[row["question_id"]]["question"]
        assert code(told["content"]) == row["solution"] == known[row["question_id"]]["solution"]
        assert row["conversations"] == [
            {"from": "human", "value": asked["content"]},
            {"from": "gpt", "value": told["content"]},
        ]


@pytest.mark.parametrize(
    "source",
    [
        "print(1)\n",
        'def f():\n    """\n    ```\n    f()\n    ```\n    """\n    return 1\n',
        "x = '''\n````python\ny\n````\n'''\n",
        "def naïve():\n    return '\N{SNOWMAN}\\x00'\n",
        "def broken(:\n```\n",
    ],
)
def test_any_code_survives_its_fence(source):
    assert code(fenced(source)) == source


@pytest.mark.parametrize("reasoning", ["One step.", "a\n\nb", "It says <think>, then </think> and goes on.", "", "  "])
def test_reasoning_and_answer_are_told_apart_again(reasoning):
    told = thought(reasoning, "Done </think> here.")
    plain = reasoning.replace("<think>", "").replace("</think>", "").strip()
    assert split_reasoning(told) == (plain, "Done </think> here.")


def test_responses_are_all_kept_and_sorted_by_whether_one_passed(sets):
    train, incorrect = (sets["sft_reasoning", split].to_pylist() for split in ("train", "incorrect"))
    assert {row["r1_correctness"] for row in train} == {"True"}
    assert {row["r1_correctness"] for row in incorrect} == {"False"}
    for row in train:
        assert (row["r1_pass_sequence"], row["r1_pass_trial_num"], row["reasoner"]) == ([0, 1, 1], 2, "r1")
        assert row["r1_solution"] == row["responses"][1]["code"]
        assert row["conversations"][1]["value"].startswith("<think>\nTwice, try 2.\n</think>\n\nHere it is.")
    for row in [*train, *incorrect]:
        assert [one["number"] for one in row["responses"]] == [1, 2, 3]
        assert [one["passed"] for one in row["responses"]] == [bool(one) for one in row["r1_pass_sequence"]]
        assert row["gpt_pass_sequence"] and row["test"]
    assert all(row["r1_solution"] == row["responses"][0]["code"] for row in incorrect)


def test_preference_pairs_tell_a_right_answer_from_a_wrong_one(sets):
    pairs = sets["preference", "train"].to_pylist()
    assert len(pairs) == sets["sft_reasoning", "train"].num_rows
    for row in pairs:
        assert row["chosen_id"] == f"{row['question_id']}/r1/2"
        assert (row["rejected_id"], row["rejected_verdict"]) == (f"{row['question_id']}/r1/1", "failed")
        assert [one["role"] for name in ("prompt", "chosen", "rejected") for one in row[name]] == [
            "user",
            "assistant",
            "assistant",
        ]
        assert "return 2 * x" in row["chosen"][0]["content"] and "return 3 * x" in row["rejected"][0]["content"]


def test_a_reference_that_fails_now_is_in_no_reward(run, sets):
    stage = run.stage(StageName.REFERENCES)
    rejects = [one for part in run.receipts(StageName.REFERENCES) for one in stage.rejects(part.name)]
    train = {row["question_id"] for row in released_rows(run) if row["split"] == Split.TRAIN}
    assert {one.id for one in rejects} == {"q03", "q03_C"} & train != set()
    assert {one.reason for one in rejects} == {RejectReason.FAILED}
    assert set(ids(sets["rl", "train"])) == train - {"q03", "q03_C"}
    row = sets["rl", "train"].to_pylist()[0]
    assert row["prompt"] == [{"role": "user", "content": question(int(row["question_id"][1:3])).question}]
    assert row["entry_points"] == ["double"] and "test_one" in row["test"]
    assert row["reward"] == {"kind": "unit_tests", "wall_s": 3, "memory_mb": 256, "integrity_tier": "isolated"}


def test_rl_takes_the_wanted_mix_and_says_what_is_missing(run):
    mix = {"size": 6, "targets": {"style": {"complete": 0.5}, "difficulty": {"hard": 0.5}}, "tolerance": 0}
    asked = with_sets(run, rl=mix)
    table = tables(asked)["rl", "train"]
    assert values(table, "style").count("complete") == table.num_rows / 2
    report = run.store.read("r", REPORT).decode()
    assert "No choice of rows meets the mix" in report and "difficulty hard: 0.5 wanted" in report
    with pytest.raises(BadInput, match="on_infeasible"):
        tables(with_sets(run, rl={**mix, "on_infeasible": "stop"}))


@pytest.mark.parametrize(
    ("targets", "told"),
    [
        ({"difficulty": {"esay": 0.5}}, "post_training.sets.rl: targets.difficulty names 'esay'"),
        ({"subset": {"Tako": 0.5}}, "post_training.sets.rl: targets.subset names 'Tako'.*Prefill, Leetcode"),
        ({"style": {"complete": 0.5}}, "targets.style names 'complete'.*Add it to post_training.styles.into"),
    ],
)
def test_a_mix_that_no_row_can_meet_is_found_before_any_work(targets, told):
    config = BuildConfig(post_training={"styles": {"into": []}, "sets": {"rl": {"targets": targets}}})
    with pytest.raises(BadInput, match=told):
        check_rl(config)


def test_rl_prefers_rows_that_a_solver_solves_sometimes(tmp_path):
    rates = [None, 0, 1, 2, 3, 4]
    rows = [question(n, solver=None if rate is None else solved(rate)) for n, rate in enumerate(rates)]
    made = curated(tmp_path, [rows], sandbox=BOX, post_training={"sets": {"rl": {"size": 3, "spare": 0}}})
    made = referenced(answered(retold(placed(made)), []))
    assert set(ids(tables(made)["rl", "train"])) <= {f"q{n:02}{style}" for n in (2, 3) for style in ("", "_C")}
    level = referenced(with_sets(made, rl={"solver_rates": "ignore", "size": 8}))
    assert {one[:3] for one in ids(tables(level)["rl", "train"])} == {"q00", "q01", "q02", "q03"}
    strict = referenced(with_sets(made, rl={"size": None, "solver_rates": "require_between"}))
    assert {one[:3] for one in ids(tables(strict)["rl", "train"])} == {"q02", "q03", "q04"}


def test_rl_leaves_out_rows_whose_tests_an_answer_could_forge(tmp_path):
    rows = [question(0), question(1, tier=Tier.SHARED)]
    made = referenced(answered(retold(placed(curated(tmp_path, [rows], sandbox=BOX))), []))
    assert {one[:3] for one in ids(tables(made)["rl", "train"])} == {"q00"}
    trusting = referenced(with_sets(made, rl={"any_tier": True}))
    assert {one[:3] for one in ids(tables(trusting)["rl", "train"])} == {"q00", "q01"}


def test_equal_runs_make_equal_sets_and_tables_have_a_bound(run, sets):
    again = tables(run)
    assert all(again[key].equals(table) for key, table in sets.items())
    config = run.config.model_copy(update={"release": run.config.release.model_copy(update={"rows_per_group": 4})})
    small = list(sets_of(Released(Run(config=config, teachers=config.teachers))))
    assert max(one.table.num_rows for one in small) == 4
    for (name, split), table in sets.items():
        parts = [one.table for one in small if (one.config, one.split) == (name, split)]
        assert {part.num_rows for part in parts[:-1]} <= {4}
        assert pa.concat_tables(parts).equals(table)


def test_a_smaller_set_is_part_of_a_larger_one(run, sets):
    every = ids(sets["sft", "train"])
    found = [ids(tables(with_sets(run, sft={"rows": rows}))["sft", "train"]) for rows in (3, 7, 1000)]
    assert [len(one) for one in found] == [3, 7, len(every)]
    assert set(found[0]) < set(found[1]) < set(every)
    other = pa.table({"question_id": every})
    assert next(at_most(lambda: iter([("train", other)]), 3, 1, ["question_id"]))[1] != found[0]
    kept = tables(with_sets(run, sft={"rows": 1}))
    assert kept["sft", "use_with_caution"].equals(sets["sft", "use_with_caution"])


def test_sets_that_are_off_are_not_there(run):
    off = {"enabled": False}
    none = with_sets(run, sft=off, sft_reasoning=off, preference=off, rl=off, curriculum=False, evaluation=False)
    assert tables(none) == {}


def test_rewards_need_references_that_were_run(tmp_path):
    made = answered(retold(placed(curated(tmp_path, [[question(1)]]))), [])
    with pytest.raises(BadInput, match="no finished stage 'references'"):
        tables(made)


def test_a_run_without_rows_has_no_sets(tmp_path):
    made = answered(retold(placed(curated(tmp_path, [[]]))), [])
    assert tables(referenced(made)) == {}


def test_every_column_of_a_set_is_documented(sets):
    told = (Path(__file__).parents[2] / "docs/post-training.md").read_text()
    for (config, _), table in sets.items():
        missing = [name for name in table.column_names if config != "curriculum" and f"`{name}`" not in told]
        assert not missing, config
    tries = sets["sft_reasoning", "train"].schema.field("responses").type.value_type
    assert not [field.name for field in tries if f"`{field.name}`" not in told]


def test_a_program_has_no_entry_point(tmp_path):
    program = question(1, test="", io=[{"stdin": "2\n", "stdout": "4\n"}], solution="print(2 * int(input()))\n")
    run = curated(tmp_path, [[program]], sandbox=BOX)
    made = tables(referenced(answered(retold(placed(run), Style.ONLINE_JUDGE), [])))
    for row in made["rl", "train"].to_pylist():
        assert (row["entry_points"], row["test"]) == ([], "")
        assert (row["reward"]["kind"], row["io"]) == ("stdin_stdout", [{"stdin": "2\n", "stdout": "4\n"}])
    assert made["rl", "train"].num_rows == 2
