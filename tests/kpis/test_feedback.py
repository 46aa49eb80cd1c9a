"""What a run's models got wrong becomes seeds of the next run."""

from __future__ import annotations

import pytest

from tasks.errors import BadInput
from tasks.kpis.feedback import failures, write_failures
from tasks.models import BenchmarkHit
from tasks.run import StageName
from tasks.settings import SeedOptions
from tasks.sourcing.feedback import read_seeds
from tests.kpis.runs import ALL, HELD_OUT, SHARD, WRONG, finished

HIT = BenchmarkHit(
    benchmark="HumanEval", item_id="1", way="words_13", part="question", similarity=0.9, span="s", outcome="noted"
)


def test_rows_that_most_tries_fail_are_written_with_the_wrong_answer_and_why(tmp_path):
    run = finished(tmp_path, answers={ALL[0]: (True, False, False), ALL[1]: (True, True, False)})
    (found,) = failures(run)
    assert found.id == f"{ALL[0]}/r1"
    assert found.answer == WRONG
    assert "assert 3 == 6" in found.expected
    assert "return 2 * x" in found.expected


def test_what_is_held_out_or_overlaps_with_a_benchmark_is_never_fed_back(tmp_path):
    rows = {ALL[0]: HELD_OUT, ALL[1]: {"benchmark_hits": [HIT]}}
    assert list(failures(finished(tmp_path, answers=dict.fromkeys(ALL[:2], (False,)), rows=rows))) == []


def test_questions_that_the_author_did_not_solve_are_written_on_demand(tmp_path):
    (found,) = failures(finished(tmp_path), unsolved=True)
    assert (found.id, found.answer, found.topic) == (ALL[3], WRONG, "Data_Structure")
    assert list(failures(finished(tmp_path))) == []


@pytest.mark.parametrize("name", ["failures.jsonl", "failures.parquet"])
def test_the_file_is_what_the_subset_feedback_reads(tmp_path, name):
    run = finished(tmp_path, answers={ALL[0]: (False, False)})
    assert write_failures(run, tmp_path / name, unsolved=True) == 2
    seeds = list(read_seeds("Feedback", SeedOptions(path=str(tmp_path / name), licence="MIT")))
    assert [seed.title for seed in seeds] == [f"{ALL[0]}/r1", ALL[3]]
    assert seeds[0].text == "Write `double(x)`."
    assert "The answer, which is wrong:\ndef double(x):" in seeds[0].context


def test_a_run_that_has_not_finished_says_so_and_leaves_no_file(tmp_path):
    run = finished(tmp_path)
    run.store.remove(run.config.run, StageName.PLACINGS, "manifest.json")
    with pytest.raises(BadInput, match="no finished stage 'placings'"):
        write_failures(run, tmp_path / "failures.jsonl")
    assert not (tmp_path / "failures.jsonl").exists()
    assert SHARD in run.stage(StageName.PLACINGS).shards()
