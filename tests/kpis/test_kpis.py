"""The numbers of a run, what moved between runs, and targets."""

from __future__ import annotations

import json

import pytest
from rich.console import Console

from flows.kpis import TargetsMissed, earlier_kpis, show_kpis
from tasks.errors import BadInput
from tasks.kpis.comparing import moves, targets
from tasks.kpis.figures import Figure, Kpi, RunKpis, agreement
from tasks.kpis.reading import kpis_of
from tasks.kpis.report import MEANINGS, kpi_report
from tasks.models import BenchmarkHit, Verdict
from tasks.settings import KpiName, Target
from tasks.teachers.cache import Use, open_cache
from tests.kpis.runs import ALL, finished

HIT = BenchmarkHit(
    benchmark="HumanEval", item_id="1", way="words_13", part="question", similarity=0.9, span="s", outcome="caution"
)


def test_numbers_are_those_of_the_artifacts_in_all_and_by_subset(tmp_path):
    rows = {ALL[0]: {"benchmark_hits": [HIT], "branch_coverage": 0.5}}
    run = finished(tmp_path, answers={ALL[0]: (True, False), ALL[1]: (False, False)}, rows=rows)
    found = kpis_of(run)
    released = found.of(KpiName.YIELD)
    assert (released.figure.passes, released.figure.count) == (2, 4)
    assert {subset: figure.passes for subset, figure in released.subsets.items()} == {"Docs": 2, "Data_Structure": 0}
    assert released.figure.low < 0.5 < released.figure.high
    shares = {name: found.of(name).figure.value for name in KpiName}
    assert shares[KpiName.VERIFIED] == 0.75
    assert shares[KpiName.DUPLICATES] == shares[KpiName.CONTAMINATED] == pytest.approx(1 / 3)
    assert shares[KpiName.UNSAFE] == shares[KpiName.FLAKY] == 0
    assert shares[KpiName.ATTEMPTS_PASSED] == 0.75
    assert shares[KpiName.MEDIUM] == 1
    assert shares[KpiName.MUTATION_SCORE] == pytest.approx(0.8)
    assert shares[KpiName.BRANCH_COVERAGE] == pytest.approx((0.5 + 1 + 1) / 3)
    assert shares[KpiName.RESPONSES_PASSED] == 0.25
    assert shares[KpiName.ROWS_ANSWERED] == 0.5
    assert shares[KpiName.SANDBOX_S_PER_ROW] == pytest.approx((4 * 0.5 + 4 * 0.25) / 2)
    assert shares[KpiName.HOURS] < 1


def test_what_was_not_part_of_a_run_is_not_measured_rather_than_zero(tmp_path):
    found = kpis_of(finished(tmp_path))
    unmeasured = (KpiName.CONVERTED, KpiName.RESPONSES_PASSED, KpiName.SOLVER_PASSED, KpiName.GAIN)
    for name in (*unmeasured, KpiName.TOKENS_PER_ROW, KpiName.USD_PER_ROW):
        assert found.of(name).figure.value is None
    assert "not measured" in kpi_report([found], {})


def test_flaky_passes_are_told_of_those_that_pass(tmp_path):
    found = kpis_of(finished(tmp_path, verdicts={ALL[3]: Verdict.FLAKY})).of(KpiName.FLAKY).figure
    assert (found.passes, found.count) == (1, 4)


def test_costs_are_unknown_rather_than_guessed_where_a_price_is(tmp_path):
    run = finished(tmp_path)
    use = {"run": run.account, "stage": "attempts", "label": "Docs", "model": "m", "paid": 1, "estimated": 0}
    uses = [
        Use(**use, key="1", prompt_tokens=10, completion_tokens=30, usd=0.5),
        Use(**{**use, "label": "Data_Structure"}, key="2", prompt_tokens=5, completion_tokens=5, usd=None),
    ]
    open_cache(run.cache_path).record([], uses)
    found = kpis_of(run)
    assert found.of(KpiName.TOKENS_PER_ROW).figure.value == 25
    assert found.of(KpiName.USD_PER_ROW).figure.value is None
    assert found.of(KpiName.USD_PER_ROW).subsets["Docs"].value == 0.25


def test_every_number_has_a_meaning_and_is_in_every_run(tmp_path):
    assert set(MEANINGS) == set(KpiName)
    assert [one.name for one in kpis_of(finished(tmp_path)).kpis] == list(KpiName)


def run_of(name: str, **figures: Figure) -> RunKpis:
    return RunKpis(
        run=name, config="c", kpis=[Kpi(name=KpiName(one), figure=figure) for one, figure in figures.items()]
    )


def test_a_large_change_moved_a_small_one_is_chance_and_one_of_many_is_perhaps():
    before = {"yield": Figure.share(300, 1000), "hard": Figure.share(200, 1000), "easy": Figure.share(400, 1000)}
    after = {"yield": Figure.share(400, 1000), "hard": Figure.share(205, 1000), "easy": Figure.share(446, 1000)}
    found = {one.name: one for one in moves(run_of("b", **after), run_of("a", **before))}
    assert {name: one.told for name, one in found.items()} == {"yield": "moved", "hard": "chance", "easy": "perhaps"}
    assert found["yield"].difference.low < 0.1 < found["yield"].difference.high


def test_counted_numbers_are_compared_without_a_claim_about_chance():
    (found,) = moves(run_of("b", hours=Figure.amount(3.0)), run_of("a", hours=Figure.amount(2.0)))
    assert (found.told, found.difference) == ("counted", None)


def test_equal_runs_have_not_moved(tmp_path):
    one, two = (kpis_of(finished(tmp_path, name)) for name in ("a", "b"))
    assert {move.told for move in moves(two, one)} <= {"chance", "counted"}


def test_targets_tell_whether_the_interval_is_on_the_same_side():
    run = run_of("r", hard=Figure.share(30, 100), flaky=Figure.share(0, 1000))
    wanted = {
        KpiName.HARD: Target(at_least=0.25),
        KpiName.FLAKY: Target(at_most=0.05),
        KpiName.YIELD: Target(at_least=0),
    }
    found = {one.name: (one.outcome, one.sure) for one in targets(run, wanted)}
    assert found == {"hard": ("met", False), "flaky": ("met", True), "yield": ("not measured", False)}
    assert "met, within chance" in kpi_report([run], wanted)


def test_the_command_compares_runs_writes_its_files_and_fails_on_a_missed_target(tmp_path):
    finished(tmp_path, "a")
    finished(tmp_path, "b", released=ALL[:3])
    config = finished(tmp_path, "c", kpis={"targets": {"yield": {"at_least": 0.9}}}).config
    console = Console(file=(tmp_path / "shown").open("w"), width=200)
    with pytest.raises(TargetsMissed, match=r"1 of 1 targets are missed: yield is 75\.0%, to be at least 90\.0%"):
        show_kpis(config, ["a", "b"], tmp_path / "b.json", tmp_path / "b.md", console)
    report = (tmp_path / "b.md").read_text()
    assert "# Run b" in report
    assert "Against run a" in report
    assert "| yield | 50.0% | 75.0% | +25.0 pp |" in report
    assert earlier_kpis(config, str(tmp_path / "b.json")) == kpis_of(finished(tmp_path, "b"))


@pytest.mark.parametrize("name", ["nowhere", "nowhere.json", "shown.json"])
def test_an_earlier_run_that_is_none_is_named(tmp_path, name, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shown.json").write_text("{}")
    config = finished(tmp_path).config
    with pytest.raises(BadInput, match=name):
        earlier_kpis(config, name)


def comparison(**values: object) -> dict[str, object]:
    usual = {
        "model": "m",
        "evaluation": "average",
        "k": 1,
        "recipe": "all",
        "against": "base",
        "seeds": (1, 1),
        "items": 164,
        "difference": 0.02,
        "low": 0.01,
        "high": 0.03,
        "p": 0.01,
        "adjusted_p": 0.01,
        "beyond_chance": True,
    }
    return {**usual, **values}


def test_gain_is_that_of_the_average_over_evaluations_against_the_base(tmp_path):
    told = [comparison(against="other", difference=1.0), comparison(evaluation="humaneval"), comparison(difference=0.5)]
    path = tmp_path / "results.json"
    path.write_text(json.dumps({"comparisons": told}))
    run = finished(tmp_path, kpis={"experiment": str(path)})
    figure = kpis_of(run).of(KpiName.GAIN).figure
    assert (figure.value, figure.low, figure.high) == (0.5, 0.01, 0.03)
    with pytest.raises(BadInput, match=r"kpis\.recipe is 'hard'.*compares all with"):
        kpis_of(finished(tmp_path, "s", kpis={"experiment": str(path), "recipe": "hard"}))
    path.write_text("[]")
    with pytest.raises(BadInput, match=r"cannot be read as the results\.json"):
        kpis_of(run)


def test_agreement_is_cohens_kappa_with_its_error():
    counts = {("easy", "easy"): 20, ("easy", "hard"): 5, ("hard", "easy"): 10, ("hard", "hard"): 15}
    figure = agreement(counts)
    assert figure.value == pytest.approx(0.4)
    assert figure.low < 0.4 < figure.high
    assert agreement({("easy", "easy"): 3}).value is None


def test_a_config_with_an_empty_or_impossible_target_is_refused():
    for wrong in ({}, {"at_least": 2, "at_most": 1}):
        with pytest.raises(ValueError, match="at_least"):
            Target(**wrong)
