"""The demo as a user runs it: seeds to a released dataset, every reject explained, every row traceable."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tasks.models import NOT_ASKED, RejectReason, Subset
from tests.chromium import Opened, running_chromium
from tests.processes import Kodforge, sets
from tests.publishing.rows import current
from tests.reporting.drawn import marks_of, show

TRIPLETS = ("seeds", "prompts", "questions", "attempts", "verdicts", "triplets", "curated")
STAGES = (*TRIPLETS, "conversions", "retold", "converted", "responses", "grades", "candidates", "references")


@pytest.fixture(scope="session")
def demo(kodforge: Kodforge, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The store of a finished demo run, and what the command printed."""
    store = tmp_path_factory.mktemp("store")
    done = kodforge("run", "--profile", "demo", *sets(store=store))
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return store, done.stdout


@pytest.fixture(scope="session")
def rows(demo: tuple[Path, str]) -> list[dict]:
    files = sorted((current(demo[0] / "demo/release") / "data").glob("*.parquet"))
    return [{**row, "split": path.name.partition("-")[0]} for path in files for row in pq.read_table(path).to_pylist()]


def rejects(store: Path, stage: str) -> list[dict]:
    return [
        row
        for path in sorted((store / "demo" / stage / "rejects").glob("*.parquet"))
        for row in pq.read_table(path).to_pylist()
    ]


def test_at_least_100_verified_triplets_over_all_twelve_subsets(rows):
    assert len(rows) >= 100
    assert {row["subset"] for row in rows} == set(Subset) - {Subset.OWN_CODE, Subset.FEEDBACK}


def test_rows_in_are_rows_out_and_rejects_at_every_stage(demo):
    before = None
    for stage in STAGES:
        manifest = json.loads((demo[0] / "demo" / stage / "manifest.json").read_text())
        assert manifest["rows_in"] == manifest["rows_out"] + manifest["rejected"]
        assert manifest["rejected"] == len(rejects(demo[0], stage)) == sum(manifest["reasons"].values())
        if stage in ("questions", "verdicts"):
            assert manifest["rows_in"] == before
        before = manifest["rows_out"]


def test_every_reject_reason_occurs_with_evidence(demo):
    found = [row for stage in STAGES for row in rejects(demo[0], stage)]
    elsewhere = {RejectReason.SATURATED, RejectReason.SECRET, RejectReason.PERSONAL_DATA}  # see test_sourcing.py
    elsewhere |= {  # of gates that reject nothing unless they are told to
        RejectReason.FEW_ASSERTS,
        RejectReason.COPIED_SOLUTION,
        RejectReason.COLLUSION,
        RejectReason.CONTRADICTS_REFERENCE,
    }
    elsewhere |= {RejectReason.LICENCE_REFUSED, RejectReason.OVER_TARGET}  # see below
    elsewhere |= {RejectReason.SEMANTIC_DUPLICATE, RejectReason.UNSAFE_CONTENT}  # see test_curate.py
    elsewhere |= {RejectReason.REVIEWED}  # see test_reviews.py
    elsewhere |= {RejectReason.MISSING_LIBRARY, RejectReason.FED_BACK}  # of evaluations
    assert {row["reason"] for row in found} == {reason.value for reason in set(RejectReason) - NOT_ASKED - elsewhere}
    silent = {row["reason"] for row in found if not row["evidence"].strip()}
    assert silent <= {"empty_question"}


def test_datasets_opens_the_release_with_its_splits(demo, rows, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    from datasets import load_dataset

    loaded = load_dataset(str(demo[0] / "demo/release"))
    assert set(loaded) == {"train", "use_with_caution", "evaluation"}
    assert sum(len(split) for split in loaded.values()) == len(rows)
    assert loaded["train"][0]["test_info"][0]["function_name"]


def test_what_is_stored_names_its_entry_points_and_imports_them(rows):
    for row in rows:
        assert bool(row["io"]) == (row["style"] == "online_judge") != bool(row["test"])
        if row["io"]:
            continue
        assert "solution" in row["test"]
        for info in row["test_info"]:
            assert info["function_name"] in row["question"]
            assert info["function_name"] in row["test"]


def test_rows_are_told_in_other_styles_too(rows):
    by_id = {row["question_id"]: row for row in rows}
    retold = [row for row in rows if row["lineage"]["converted_from"]]
    assert {row["style"] for row in retold} == {"complete", "online_judge"}
    for row in retold:
        origin = by_id[row["lineage"]["converted_from"]]
        assert (origin["style"], origin["group"], origin["subset"]) == ("instruct", row["group"], row["subset"])
        assert (origin["split"] == "evaluation") == (row["split"] == "evaluation")


def test_no_set_to_train_with_has_a_row_related_to_one_that_is_held_out(demo, rows):
    held_out = {row["group"] for row in rows if row["split"] == "evaluation"}
    assert held_out
    groups = {row["question_id"]: row["group"] for row in rows}
    assert {row["group"] for row in rows if row["split"] != "evaluation"}.isdisjoint(held_out)
    for name in ("sft", "sft_reasoning", "preference", "rl", "curriculum"):
        for path in (current(demo[0] / "demo/release") / name).glob("*.parquet"):
            names = pq.read_table(path, columns=["question_id"])["question_id"].to_pylist()
            assert names
            assert held_out.isdisjoint(groups[one] for one in names)


def test_lineage_leads_back_to_seed_prompt_answer_and_verdict(demo, rows):
    answers = sqlite3.connect(demo[0] / "answers.sqlite")
    keys = {str(key) for (key,) in answers.execute("select key from answers")}
    for row in rows:
        lineage = row["lineage"]
        assert {lineage["question_call"]["response_id"], lineage["solution_call"]["response_id"]} <= keys
        assert all(trial["response_id"] in keys for trial in row["trials"])
        assert lineage["sources"][0]["licence"]
        assert lineage["tests_passed"]
        assert lineage["sandbox_image"]
        assert {one["check"]: one["value"] for one in row["quality"]}["stubs_caught"] == 1.0


def test_difficulties_differ_and_agree_with_the_passes(rows):
    assert {row["gpt_difficulty"] for row in rows} == {"easy", "medium", "hard"}
    for row in rows:
        if row["style"] != "instruct":
            continue
        made = [trial for trial in row["trials"] if not trial["mends"]]
        assert row["gpt_pass_percentage"] == sum(row["gpt_pass_sequence"]) / len(made)


def test_duplicates_are_named_by_the_row_that_stays(demo, rows):
    gone = {row["id"]: row for row in rejects(demo[0], "curated") if row["reason"].endswith("duplicate")}
    named = {name for row in rows for name in row["duplicates"]}
    assert set(gone) == named


def test_contaminated_rows_are_out_and_small_overlaps_are_told(demo, rows):
    (out,) = [row for row in rejects(demo[0], "curated") if row["reason"] == "contaminated"]
    assert "HumanEval/0" in out["evidence"]
    hits = [(row, hit) for row in rows for hit in row["benchmark_hits"]]
    assert hits
    for row, hit in hits:
        assert hit["outcome"] == "noted" or row["split"] == "use_with_caution"
        assert hit["span"] in row[hit["part"]]


def test_every_row_put_aside_says_what_is_in_doubt(demo):
    caution = pq.read_table(next((current(demo[0] / "demo/release") / "data").glob("use_with_caution-*"))).to_pylist()
    for row in (row for row in caution if row["style"] == "instruct"):
        assert any(one["outcome"] == "caution" and one["why"] in row["filter_reason"] for one in row["quality"])


def test_the_report_draws_the_duplicates_and_overlaps_of_the_files(demo):
    gone = Counter(row["reason"] for row in rejects(demo[0], "curated"))
    hits: Counter[tuple[str, str]] = Counter()
    for path in (demo[0] / "demo/examinations").glob("part-*.parquet"):
        for row in pq.read_table(path, columns=["hits"]).to_pylist():
            hits.update({(f"{hit['benchmark']} by {hit['way']}", hit["outcome"]) for hit in row["hits"]})
    with running_chromium() as chromium:
        shown = Opened(chromium.new_page())
        show(shown.page, demo[0] / "demo/report.html")
        duplicates = {mark["kind"]: int(mark["rows"]) for mark in marks_of(shown.page, "duplicates")}
        overlaps = {mark["overlap"]: int(mark["rows"]) for mark in marks_of(shown.page, "overlaps")}
        assert shown.said == []
    assert duplicates == {kind: gone[f"{kind}_duplicate"] for kind in ("exact", "near", "semantic")}
    assert overlaps == {f"{what} ({outcome})": rows for (what, outcome), rows in hits.items()}
    assert sum(duplicates.values()) and overlaps


def test_overlaps_are_set_apart_where_the_bounds_say_so(demo, curated_anew):
    told = {
        row["question_id"]: row["benchmark_item"]
        for path in (current(demo[0] / "demo/release") / "data").glob("*.parquet")
        for row in pq.read_table(path).to_pylist()
        if any(hit["way"] == "words_10" for hit in row["benchmark_hits"])
    }
    caution = pq.read_table(
        next((current(curated_anew[0] / "demo/release") / "data").glob("use_with_caution-*"))
    ).to_pylist()
    apart = {row["question_id"] for row in caution if "benchmark overlap" in row["filter_reason"]}
    assert apart
    assert apart <= set(told)


def test_wrong_tests_are_left_out_or_written_anew(rows):
    mended = [row for row in rows if row["trials"][row["chosen_trial"] - 1]["mends"]]
    told = {row["trials"][row["chosen_trial"] - 1]["completion_tokens"] > 0 for row in mended}
    assert told == {True, False}, "one whose tests were dropped, one whose tests were rewritten"


def test_the_solver_and_the_author_do_not_always_agree(rows):
    assert all(row["solver"]["low"] <= row["solver"]["rate"] <= row["solver"]["high"] for row in rows if row["solver"])
    labels = {(row["gpt_difficulty"], row["solver"]["difficulty"]) for row in rows if row["solver"]}
    assert ("easy", "easy") in labels and len(labels) > 3


def test_the_curriculum_holds_the_train_rows_easiest_first(demo, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    from datasets import load_dataset

    loaded = load_dataset(str(demo[0] / "demo/release"), "curriculum")
    assert list(loaded) == ["easy", "medium", "hard"]
    names = [name for split in loaded.values() for name in split["question_id"]]
    assert len(names) == len(set(names)) == len(load_dataset(str(demo[0] / "demo/release"))["train"])
    rates = [row["solver"]["rate"] for row in loaded["easy"] if row["solver"]]
    assert rates == sorted(rates, reverse=True)


def test_card_says_what_it_is(demo):
    card = (current(demo[0] / "demo/release") / "README.md").read_text()
    assert "transcripts" in card
    assert str(demo[0]) not in card
    for text in ("| questions | question |", "| BSD-3-Clause", "attempts: 4", "use_with_caution"):
        assert text in card


def test_terminal_shows_funnel_and_next_steps(demo):
    for text in (
        "vacuous_tests",
        "Difficulty by subset",
        "kodforge inspect",
        "release",
        "demo teacher's transcripts",
    ):
        assert text in demo[1]


@pytest.mark.parametrize("subset", [Subset.PREFILL, Subset.DOCS])
def test_inspect_shows_a_row_with_all_attempts(kodforge, demo, rows, subset):
    row = next(row for row in rows if (row["subset"], row["style"]) == (subset, "instruct"))
    done = kodforge("inspect", row["question_id"], *sets(store=demo[0]))
    assert done.returncode == 0, done.stderr
    words = ("Accepted into split", "attempt 4", "(kept)", "seed ", "stubs caught", "mutants of the solution")
    for text in (*words, row["test_info"][0]["function_name"]):
        assert text in done.stdout


def test_inspect_says_why_a_row_was_rejected(kodforge, demo):
    reject = next(row for row in rejects(demo[0], "triplets") if row["reason"] == "timeout")
    done = kodforge("inspect", reject["id"], *sets(store=demo[0]))
    assert "Rejected at triplets: timeout" in done.stdout
    assert "attempt 1: timeout: still running" in done.stdout


def test_inspect_of_an_unknown_row_says_what_ids_look_like(kodforge, demo):
    done = kodforge("inspect", "Nope", *sets(store=demo[0]))
    assert done.returncode == 1
    assert "has no row 'Nope'" in done.stderr


def test_second_run_asks_nothing_and_changes_nothing(kodforge, demo):
    release = demo[0] / "demo/release"
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in release.rglob("*") if path.is_file()}
    done = kodforge("run", *sets(store=demo[0]))
    assert done.returncode == 0
    assert before == {
        path: (path.read_bytes(), path.stat().st_mtime_ns) for path in release.rglob("*") if path.is_file()
    }


@pytest.fixture(scope="module")
def curated_anew(kodforge, demo, tmp_path_factory):
    """The demo's rows under another mix and policy of licences, compared with the demo, and what was printed."""
    store = tmp_path_factory.mktemp("anew") / "store"
    shutil.copytree(demo[0], store)
    done = kodforge(
        "run",
        *sets(store=store),
        *("--set", "curation.mix={size: 60, targets: {difficulty: {hard: 0.2}}}"),
        *("--set", "release.licensing={deny: [MIT], on_violation: exclude}"),
        *("--set", "curation.decontamination.words_10.caution_from=0"),
        *("--set", f"curation.drift.against={demo[0] / 'demo/curation.json'}"),
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return store, done.stdout


def test_changed_curation_asks_and_runs_nothing_before_it_again(demo, curated_anew):
    for stage in ("questions", "attempts", "verdicts", "triplets"):
        before, after = (
            {path.name: path.read_bytes() for path in (store / "demo" / stage).glob("*.parquet")}
            for store in (demo[0], curated_anew[0])
        )
        assert before == after
    usage = sqlite3.connect(curated_anew[0] / "answers.sqlite")
    paid = usage.execute("select stage from usage where paid = 1 and run = ?", (f"{curated_anew[0]}/demo",))
    assert {stage for (stage,) in paid} <= {"responses"}, "other rows are held out, and those that were are answered"


def test_refused_licences_are_left_out_and_not_credited(demo, curated_anew):
    gone = [row for row in rejects(curated_anew[0], "curated") if row["reason"] == "licence_refused"]
    assert gone
    assert all("MIT is denied" in row["evidence"] for row in gone)
    owed = [(current(store / "demo/release") / "ATTRIBUTION.md").read_text() for store in (demo[0], curated_anew[0])]
    assert ["algorithms" in text for text in owed] == [True, False]
    assert (current(demo[0] / "demo/release") / "licences/algorithms-1.0.1/LICENSE").is_file()
    assert not (current(curated_anew[0] / "demo/release") / "licences/algorithms-1.0.1").exists()


def test_mix_is_met_and_what_is_left_out_has_a_reason(curated_anew):
    store = curated_anew[0]
    tables = [
        pq.read_table(path, columns=["style", "gpt_difficulty"])
        for name in ("train", "evaluation")
        for path in (current(store / "demo/release") / "data").glob(f"{name}-*.parquet")
    ]
    rows = [row for table in tables for row in table.to_pylist()]
    levels = [row["gpt_difficulty"] for row in rows if row["style"] == "instruct"]
    assert len(levels) == 60
    assert 0.18 <= levels.count("hard") / 60 <= 0.22
    gone = rejects(store, "selected")
    assert {row["reason"] for row in gone} == {"over_target"}
    assert all(row["evidence"] for row in gone)
    manifest = json.loads((store / "demo/selected/manifest.json").read_text())
    assert manifest["rows_in"] == manifest["rows_out"] + len(gone)


def test_drift_from_the_run_before_is_told(curated_anew):
    card = (current(curated_anew[0] / "demo/release") / "README.md").read_text()
    assert "### Target mix" in card
    assert "### Drift" in card


def test_release_of_refused_licences_is_stopped_with_what_to_do(kodforge, demo, tmp_path):
    store = tmp_path / "store"
    shutil.copytree(demo[0], store)
    done = kodforge("run", *sets(store=store), "--set", "release.licensing.deny=[MIT]")
    assert done.returncode == 1
    assert "MIT is denied" in done.stderr
    assert "on_violation=exclude" in done.stderr
