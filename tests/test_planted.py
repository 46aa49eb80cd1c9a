"""The planted corpus: its shape, and that what it says of its own tests is so."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from datetime import date
from itertools import groupby
from pathlib import Path

import pytest

from benchmarks.planted import RATES, Planted, planted
from tasks.execution.expected import entry_points, expected_tests
from tasks.execution.pool import SandboxPool
from tasks.files import read_rows, row_writer
from tasks.models import Pair, Verdict
from tasks.settings import Backend
from tests.conftest import sandbox_settings

QUESTIONS, ATTEMPTS = 8, 6
TODAY = date.today()


@pytest.fixture(scope="module")
def rows() -> list[Planted]:
    return planted(count=QUESTIONS, today=TODAY)


@pytest.fixture(scope="module")
def box() -> Iterator[SandboxPool]:
    with SandboxPool(sandbox_settings(Backend.BUBBLEWRAP)) as made:
        yield made


def failed(box: SandboxPool, solution: str, test: str) -> list[str]:
    found = box.run(Pair(id="pair", solution=solution, test=test))
    assert found.verdict in (Verdict.PASSED, Verdict.FAILED)
    return [test.test_id for test in found.tests if test.outcome == "failed"]


def test_a_row_is_an_attempt_with_tests_that_use_its_entry_point(rows):
    for row in rows:
        (name,) = row.entry_points
        assert row.id.rpartition("/")[0] == row.question_id
        assert row.test.startswith(f"from solution import {name}\n")
        assert entry_points(row.test) == [name]
        assert f"def {name}(" in row.solution and f"def {name}(" in row.question
        assert set(row.wrong_tests) <= set(expected_tests(row.test))


def test_attempts_at_a_question_are_together_and_no_two_have_the_same_code(rows):
    questions = [list(some) for _, some in groupby(rows, key=lambda row: row.question_id)]
    assert len(questions) == QUESTIONS
    for some in questions:
        assert len({ast.dump(ast.parse(row.solution)) for row in some}) == len(some)
        assert sum(row.kind == "colluding" for row in some) <= (ATTEMPTS - 1) // 2


def test_every_kind_is_there_at_its_rate(rows):
    kinds = Counter(row.kind for row in rows)
    assert set(kinds) == set(RATES)
    assert kinds["clean"] > len(rows) / 2
    for kind in set(RATES) - {"clean"}:
        assert kinds[kind] == round(RATES[kind] * QUESTIONS * ATTEMPTS), kind


def test_other_rates_are_followed():
    rows = planted(count=2, attempts=4, rates={"wrong": 0.5, "copied": 0.25}, today=TODAY)
    assert Counter(row.kind for row in rows) == {"wrong": 4, "copied": 2, "clean": 2}


@pytest.mark.parametrize(("rates", "why"), [({"odd": 0.1}, "'odd'"), ({"wrong": 0.6, "weak": 0.6}, "1.2")])
def test_impossible_rates_are_refused(rates, why):
    with pytest.raises(ValueError, match=why):
        planted(count=1, rates=rates)


def test_a_seed_gives_the_same_corpus_again():
    first, again, other = (planted(seed, attempts=4, count=1, today=TODAY) for seed in (0, 0, 1))
    assert first == again
    assert [row.test for row in first] != [row.test for row in other]


def test_wrong_tests_are_those_that_the_reference_fails(rows, box):
    for row in rows:
        if row.kind in ("wrong", "colluding", "clean"):
            assert failed(box, row.reference, row.test) == row.wrong_tests
            assert bool(row.wrong_tests) == (row.kind != "clean")


def test_colluding_tests_pass_their_own_solution(rows, box):
    for row in rows:
        if row.kind == "colluding":
            assert not failed(box, row.solution, row.test)


def test_vacuous_tests_pass_a_solution_that_does_nothing(rows, box):
    for row in rows:
        if row.kind == "vacuous":
            assert not failed(box, f"def {row.entry_points[0]}(*given):\n    pass\n", row.test)


def test_what_the_tests_leave_out_is_counted(rows):
    for row in rows:
        assert row.killed is not None
        assert row.kind != "weak" or row.killed <= 0.5
        assert row.kind != "clean" or row.killed >= 0.9
        assert row.kind != "uncovered" or row.branches_missed > 0


def test_rows_are_written_with_their_truth(rows, tmp_path: Path):
    with row_writer(tmp_path / "planted.parquet", Planted) as write:
        write(list(rows))
    assert [Planted.model_validate(row) for row in read_rows(tmp_path / "planted.parquet")] == rows
