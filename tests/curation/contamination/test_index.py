"""Rows against HumanEval: what leaks is found with item, way and span, and what does not leak is left alone."""

from __future__ import annotations

import textwrap
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tasks.curation.contamination import BenchmarkIndex, BenchmarkItem, fingerprint_of, read_benchmarks
from tasks.curation.contamination.embedding import CALIBRATED
from tasks.curation.texts import RowTexts
from tasks.embedding.static import WordLlamaEmbedder
from tasks.settings.decontamination import Bounds, Decontamination

ITEMS = read_benchmarks(Decontamination().benchmarks)
INDEX = BenchmarkIndex(ITEMS, Decontamination())
BY_ID = {item.item_id: item for item in ITEMS}
OFF = Bounds()
RENAMED = """
def clusters(line):
    out = []
    piece = []
    level = 0

    for mark in line:
        if mark == "(":
            level += 1
            piece.append(mark)
        elif mark == ")":
            level -= 1
            piece.append(mark)

            if level == 0:
                out.append("".join(piece))
                piece.clear()

    return out
"""
"""The solution of HumanEval/1, all of its names replaced."""
LEAKED_TEST = """
from solution import nearest


def test_nearest():
    assert nearest([1.0, 2.0, 3.9, 4.0, 5.0, 2.2]) == (3.9, 4.0)
    assert nearest([1.0, 2.0, 5.9, 4.0, 5.0]) == (5.0, 5.9)
    assert nearest([1.1, 2.2, 3.1, 4.1, 5.1]) == (2.2, 3.1)
"""
"""Asserts of HumanEval/20, for a function of another name."""


def found(row: RowTexts, index: BenchmarkIndex = INDEX) -> dict[tuple[str, str], tuple[str, str]]:
    """Item and way to part and outcome."""
    return {(hit.item_id, hit.way): (hit.part, hit.outcome) for hit in index.hits([row])[0]}


def only(**ways: Bounds) -> Decontamination:
    """Settings with these ways alone."""
    return Decontamination(**{"words_10": OFF, "words_13": OFF, "structure": OFF, "examples": OFF, **ways})


def test_human_eval_has_its_164_items_and_each_can_be_found():
    assert len(ITEMS) == 164
    assert INDEX.unreachable == ()


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: item.item_id)
def test_verbatim_prompt_is_rejected_with_a_span_that_stands_in_the_row(item):
    question = f"Here is a task of ours.\n\n{item.prompts[0]}"
    mine = [hit for hit in INDEX.hits([RowTexts("row", question)])[0] if hit.item_id == item.item_id]
    assert mine[0].outcome == "rejected"
    assert mine[0].benchmark == "humaneval"
    assert all(hit.span and hit.span in question and len(hit.span) <= 300 for hit in mine)


def test_other_names_do_not_hide_a_solution():
    assert found(RowTexts("row", "", RENAMED))["HumanEval/1", "structure_13"] == ("solution", "rejected")


def test_another_algorithm_with_the_same_keywords_is_no_copy():
    other = RENAMED.replace("level -= 1", "level *= 3").replace('mark == ")"', "mark in seen").replace("clear", "sort")
    assert found(RowTexts("row", "", other)).get(("HumanEval/1", "structure_13"), ("", ""))[1] != "rejected"


def test_a_name_used_for_two_things_is_not_a_renaming():
    mixed = RENAMED.replace("piece", "out").replace("level", "out").replace("mark", "out")
    assert ("HumanEval/1", "structure_13") not in found(RowTexts("row", "", mixed))


@pytest.mark.parametrize("fence", ["```python\n{}```", "~~~\n{}~~~", "{}"], ids=["backticks", "tildes", "bare"])
def test_code_in_a_question_is_read_as_code(fence):
    question = "Explain what this does.\n\n" + fence.format(RENAMED.lstrip())
    assert found(RowTexts("row", question))["HumanEval/1", "structure_13"] == ("question", "rejected")


def test_code_that_does_not_parse_is_read_all_the_same():
    broken = RENAMED.replace("def clusters(line):", "def clusters(line:") + "\n  'unfinished"
    assert found(RowTexts("row", "", broken))["HumanEval/1", "structure_13"][1] == "rejected"


def test_asserts_of_a_benchmark_are_found_under_another_function_name():
    hits = INDEX.hits([RowTexts("row", "", "", LEAKED_TEST)])[0]
    [hit] = [hit for hit in hits if (hit.item_id, hit.way) == ("HumanEval/20", "examples")]
    assert hit.part == "test"
    assert hit.outcome != "noted"
    assert hit.span in LEAKED_TEST


@pytest.mark.parametrize(
    "test",
    [
        "def test_it():\n    assert f([]) == []\n    assert f([1]) == [1]\n    assert f([1, 2, 3]) == 3\n",
        "def test_it():\n    assert f(6) is False\n    assert f(11) is True\n    assert f(1) is False\n",
        "def test_it():\n    assert nearest([1.0, 2.0, 3.9, 4.0, 5.0, 2.2]) == (3.9, 4.0)\n",
    ],
    ids=["trivial", "of a predicate", "one alone"],
)
def test_examples_that_any_task_may_have_are_no_evidence(test):
    assert found(RowTexts("row", "", "", test)) == {}


@pytest.mark.parametrize(
    "question",
    [
        "Write a function that takes a list of integers as input and returns the result as a list. Example:",
        "You are given a list of integers. Your task is to write a function which returns True if it is sorted, "
        "and False otherwise. Return None if the list is empty.",
        "Simulate a lift that serves requests in the order of floors.",
        "from typing import List\n\n\ndef drain(levels: List[int]) -> List[int]:\n",
        "",
    ],
)
def test_phrases_that_many_tasks_share_are_no_hit(question):
    assert found(RowTexts("row", question)) == {}


def test_every_row_of_many_gets_what_it_would_get_alone():
    leak = RowTexts("leak", ITEMS[30].prompts[0], RENAMED, LEAKED_TEST)
    clean = RowTexts("clean", "Simulate a lift that serves requests in the order of floors.")
    together = INDEX.hits([clean] * 2500 + [leak] + [clean] * 10)
    assert together[2500] == INDEX.hits([leak])[0]
    assert [number for number, hits in enumerate(together) if hits] == [2500]


def test_no_rows_are_no_hits():
    assert INDEX.hits([]) == []


@pytest.mark.parametrize(
    ("bounds", "outcome"),
    [
        (Bounds(noted_from=0), "noted"),
        (Bounds(caution_from=0.2), "caution"),
        (Bounds(caution_from=0.2, reject_from=0.9), "rejected"),
        (Bounds(), None),
    ],
)
def test_what_follows_is_a_matter_of_the_config(bounds, outcome):
    index = BenchmarkIndex(ITEMS, only(words_10=bounds))
    hits = found(RowTexts("row", ITEMS[0].prompts[0]), index)
    assert hits.get(("HumanEval/0", "words_10"), ("", None))[1] == outcome


def test_a_share_below_all_bounds_is_no_hit():
    quoted = " ".join(BY_ID["HumanEval/1"].prompts[0].split()[10:22])
    row = RowTexts("row", f"Something of our own. {quoted} And more.")
    assert found(row, BenchmarkIndex(ITEMS, only(words_10=Bounds(noted_from=0))))
    assert not found(row, BenchmarkIndex(ITEMS, only(words_10=Bounds(caution_from=0.5))))


def test_what_many_items_of_one_benchmark_hold_is_nobodys():
    phrase = "Read the numbers from standard input and print the answer modulo one billion and seven."
    items = [
        BenchmarkItem("ours", str(n), (f"{phrase} {tail}",))
        for n, tail in enumerate(["Sum them.", "Sort them.", "Count them.", "Reverse them."])
    ]
    row = RowTexts("row", phrase)
    assert found(row, BenchmarkIndex(items[:3], Decontamination()))
    assert not found(row, BenchmarkIndex(items, Decontamination()))
    assert BenchmarkIndex(items, Decontamination(boilerplate_from=5)).hits([row])[0]


def test_the_same_problem_in_two_benchmarks_is_found_in_both():
    both = [ITEMS[0], BenchmarkItem("humanevalplus", ITEMS[0].item_id, ITEMS[0].prompts)]
    hits = BenchmarkIndex(both, Decontamination()).hits([RowTexts("row", ITEMS[0].prompts[0])])[0]
    assert {hit.benchmark for hit in hits} == {"humaneval", "humanevalplus"}


def test_items_that_no_way_can_find_are_named():
    short = BenchmarkItem("ours", "tiny", ("Add two numbers.",), ("return a + b",), ("assert add(1, 2) == 3",))
    assert BenchmarkIndex([*ITEMS, short], Decontamination()).unreachable == (short,)
    assert BenchmarkIndex([short], Decontamination(), WordLlamaEmbedder(None)).unreachable == ()


def test_question_that_says_the_same_in_nearly_the_same_words_is_found_by_its_vector():
    question = "Given a string, test whether it is a palindrome."
    embedder = WordLlamaEmbedder(None)
    index = BenchmarkIndex(ITEMS, only(), embedder)
    [near, far] = index.hits(
        [RowTexts("near", question), RowTexts("far", "Simulate a lift.")],
        embedder.embed([question, "Simulate a lift."]),
    )
    assert ("HumanEval/48", "embedding", "question", question) in [
        (hit.item_id, hit.way, hit.part, hit.span) for hit in near
    ]
    assert far == []


def test_an_embedder_without_calibration_is_judged_by_kodcodes_rule():
    prompt = "Checks if given string is a palindrome"
    question = "Checks if a given string is a palindrome or not, ignoring case"
    embedder = WordLlamaEmbedder(None)
    embedder.name = "another-256"
    index = BenchmarkIndex(ITEMS, only(), embedder)
    same, near = index.hits([RowTexts("same", prompt), RowTexts("near", question)], embedder.embed([prompt, question]))
    assert {(hit.item_id, hit.outcome) for hit in same} == {("HumanEval/48", "caution")}
    assert near == []


def test_vectors_must_be_one_per_row():
    with pytest.raises(ValueError, match="there are 2 vectors for 1 rows"):
        INDEX.hits([RowTexts("row", "x")], WordLlamaEmbedder(None).embed(["a", "b"]))


def test_bounds_that_descend_are_refused():
    with pytest.raises(ValueError, match=r"bounds must ascend, got .*caution_from 0\.5, reject_from 0\.2"):
        Bounds(caution_from=0.5, reject_from=0.2)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["question", "solution", "test"]),
            st.text(max_size=80),
            st.sampled_from([item.prompts[0] + item.solutions[0] for item in ITEMS[:20]]),
            st.text(alphabet="\"'`\\\n#([{İß ", max_size=20),
        ),
        max_size=4,
    )
)
def test_any_text_is_read_and_quoted_as_it_stands(texts):
    rows = [RowTexts("row", **({"question": ""} | {part: a + leak + b})) for part, a, leak, b in texts]
    for row, hits in zip(rows, INDEX.hits(rows), strict=True):
        assert all(hit.span in getattr(row, hit.part) for hit in hits)
        assert all(0 < hit.similarity <= 1 for hit in hits)


def test_indented_solution_and_whole_function_are_the_same():
    whole = f"def f(paren_string):\n{BY_ID['HumanEval/1'].solutions[0]}"
    assert found(RowTexts("row", "", textwrap.indent(whole, "        ")))["HumanEval/1", "words_10"][1] == "rejected"


@pytest.mark.parametrize("embedder", [None, WordLlamaEmbedder(None)], ids=["without", "with vectors"])
@pytest.mark.parametrize("items", [[], [BenchmarkItem("ours", "1", ("Sort.",))]], ids=["no items", "a short one"])
def test_index_of_little_or_nothing_hits_nothing(items, embedder):
    index = BenchmarkIndex(items, Decontamination(benchmarks=()), embedder)
    rows = [RowTexts("a", ITEMS[0].prompts[0], RENAMED, LEAKED_TEST), RowTexts("b", "")]
    vectors = embedder.embed([row.question for row in rows]) if embedder else None
    assert index.hits(rows, vectors) == [[], []]


@pytest.mark.parametrize(
    ("given", "bounds"),
    [
        ({"reject_from": 0.05}, (0, 0.05, 0.05)),
        ({"caution_from": 0.6}, (0, 0.6, 0.6)),
        ({"reject_from": 0.7}, (0, 0.1, 0.7)),
        ({"caution_from": 0.6, "reject_from": None}, (0, 0.6, None)),
        ({"noted_from": 0.2, "reject_from": 0.3}, (0.2, 0.2, 0.3)),
        ({}, (0, 0.1, 0.5)),
    ],
)
def test_bounds_that_nobody_gave_yield_to_those_given(given, bounds):
    rules = Decontamination.model_validate({"words_10": given})
    assert (rules.words_10.noted_from, rules.words_10.caution_from, rules.words_10.reject_from) == bounds
    assert Decontamination.model_validate_json(rules.model_dump_json()) == rules


def test_bounds_given_against_each_other_are_refused():
    with pytest.raises(ValidationError, match="bounds must ascend"):
        Decontamination.model_validate({"words_10": {"caution_from": 0.6, "reject_from": 0.5}})


def test_the_fingerprint_is_that_of_what_is_compared_not_of_where_it_lies():
    rules, name = Decontamination(), "wordllama-256"
    same = fingerprint_of(ITEMS, rules, name)
    elsewhere = Decontamination.model_validate({"benchmarks": [{"name": "humaneval", "path": "/data/copy.jsonl"}]})
    assert fingerprint_of(list(ITEMS), elsewhere, name) == same
    assert fingerprint_of(ITEMS, Decontamination(embedding=CALIBRATED[name]), name) == same
    other_text = [replace(ITEMS[0], tests=("assert True",)), *ITEMS[1:]]
    others = [
        fingerprint_of(other_text, rules, name),
        fingerprint_of(ITEMS[1:], rules, name),
        fingerprint_of([], rules, name),
        fingerprint_of(ITEMS, rules, "minilm-384"),
        fingerprint_of(ITEMS, rules, ""),
        fingerprint_of(ITEMS, Decontamination(boilerplate_from=5), name),
        fingerprint_of(ITEMS, Decontamination(embedding=Bounds(caution_from=0.9)), name),
    ]
    assert len({same, *others}) == 1 + len(others)


def test_calibrated_bounds_are_part_of_the_fingerprint(monkeypatch):
    before = fingerprint_of(ITEMS, Decontamination(), "wordllama-256")
    monkeypatch.setitem(CALIBRATED, "wordllama-256", Bounds(caution_from=0.7))
    assert fingerprint_of(ITEMS, Decontamination(), "wordllama-256") != before
