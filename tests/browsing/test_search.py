"""Rows are found by what was found out about them, and by their texts."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.artifacts import Outcome
from tasks.browsing.index import Index
from tasks.browsing.search import PAGE, Around, Filters, Found, around, search
from tasks.errors import BadInput
from tasks.models import Placing, Reject, RejectReason, Split, Style, Verdict
from tasks.reviews import Review
from tasks.run import Run, StageName
from tests.browsing.serving import served
from tests.kpis.runs import ALL, finished, write
from tests.publishing.rows import told_as

FIRST, SECOND, TWIN, FAILED = ALL
TEXTS = {
    FIRST: {
        "question": "Sort a list of Größen, the longest first.",
        "solution": "def order(items):\n    return items[::-1]\n",
    },
    SECOND: {"question": "Merge two sorted lists.", "mutation_score": 0.2, "gpt_pass_percentage": 0.1},
    TWIN: {"question": "Merge 2 sorted lists, please.", "test": "assert merge([1], [2]) == [1, 2]  # 100%_of\n"},
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    rows = {name: dict(values) for name, values in TEXTS.items()}
    rows[SECOND] |= {"split": Split.USE_WITH_CAUTION, "filter_reason": "mutation_score 0.20"}
    made = finished(tmp_path_factory.mktemp("store"), rows=rows, verdicts={FAILED: Verdict.TIMEOUT})
    seeds = [Reject(id="a/b.py::f", subset="Own_Code", reason=RejectReason.SECRET, evidence="k…")]
    write(made, StageName.SEEDS, [], seeds)
    return made


@pytest.fixture(scope="module")
def index(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    made = Index(run, tmp_path_factory.mktemp("index"))
    assert made.refresh()
    yield made
    made.close()


def asked(index: Index, reviews: dict[str, Review] | None = None, **filters: object) -> Found:
    pairs = [
        (name, str(one)) for name, value in filters.items() for one in (value if isinstance(value, list) else [value])
    ]
    with index.cursor() as cursor:
        return search(cursor, Filters.of(pairs), reviews or {})


def ids(found: Found) -> set[str]:
    return {row["id"] for row in found.rows}


def test_every_row_has_the_fate_that_it_had(index):
    rows = {row["id"]: row for row in asked(index).rows}
    told = {name: (row["fate"], row["stage"], row["reason"]) for name, row in rows.items()}
    assert told == {
        FIRST: ("train", "released", ""),
        SECOND: ("use_with_caution", "released", ""),
        TWIN: ("rejected", "curated", "near_duplicate"),
        FAILED: ("rejected", "triplets", "failed"),
        "a/b.py::f": ("rejected", "seeds", "secret"),
    }
    assert rows[FAILED]["verdict"] == "timeout"
    assert rows[SECOND]["why"] == "mutation_score 0.20"


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        ({"fate": "rejected"}, {TWIN, FAILED, "a/b.py::f"}),
        ({"fate": ["train", "use_with_caution"]}, {FIRST, SECOND}),
        ({"subset": "Docs", "fate": "rejected"}, {TWIN}),
        ({"reason": "near_duplicate"}, {TWIN}),
        ({"verdict": "timeout"}, {FAILED}),
        ({"mutation_below": 0.5}, {SECOND}),
        ({"style": "complete"}, set()),
        ({"subset": "x' OR true --"}, set()),
    ],
)
def test_filters(index, filters, wanted):
    found = asked(index, **filters)
    assert ids(found) == wanted and found.total == len(wanted)


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("merge", {SECOND, TWIN}),
        ("MERGE", {SECOND, TWIN}),
        ("erg", {SECOND, TWIN}),
        ("größen", {FIRST}),
        ("merge please", {TWIN}),
        ("merge -please", {SECOND}),
        ('"sorted lists"', {SECOND, TWIN}),
        ('"two sorted"', {SECOND}),
        ('"orted list"', {SECOND, TWIN}),
        ("[::-1]", {FIRST}),
        ('"::"', {FIRST}),
        ("items[", {FIRST}),
        ("100%_of", {TWIN}),
        ("100%of", set()),
        ("%", {TWIN}),
        ("_", {TWIN, SECOND, FIRST}),
        ("'", set()),
        ("nowhere", set()),
        ("-nowhere merge", {SECOND, TWIN}),
        ('"', {FIRST, SECOND, TWIN, FAILED, "a/b.py::f"}),
        ("   ", {FIRST, SECOND, TWIN, FAILED, "a/b.py::f"}),
    ],
)
def test_words_are_found_wherever_they_stand(index, query, wanted):
    assert ids(asked(index, q=query)) == wanted


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        (FIRST, {FIRST}),
        (f'"{FIRST}"', {FIRST}),
        (f" {FIRST.lower()} ", {FIRST}),
        (f"{FIRST}/2", {FIRST}),
        (f"{FIRST}/r1/2", {FIRST}),
        ("Docs_0000", {FIRST, SECOND, TWIN}),
        ("docs_0", {FIRST, SECOND, TWIN}),
        ("Data_Structure_00000000", {FAILED}),
        ("_00000000_", set()),
        ("Docs_%", set()),
        (f"-{FIRST}", set(ALL)),
        (f"{FIRST} merge", set()),
    ],
)
def test_a_row_is_found_by_its_id(index, query, wanted):
    found = asked(index, q=query)
    assert ids(found) == wanted and found.total == len(wanted)


def test_terms_that_are_not_looked_for_are_told(tmp_path):
    with served(finished(tmp_path / "store"), tmp_path) as site, site.client() as client:
        many = client.get("/rows", params={"q": " ".join(f"a{number}" for number in range(14))}).text
        assert "Only the first 12 of 14 terms are looked for." in many
        assert "first 200 characters" in client.get("/rows", params={"q": "b" * 201}).text
        assert "looked for" not in client.get("/rows", params={"q": "one two -three"}).text


def test_facets_count_what_ticking_them_would_give(index):
    found = asked(index, subset="Docs", q="merge")
    assert dict(found.facets["fate"]) == {"use_with_caution": 1, "rejected": 1}
    assert dict(found.facets["subset"]) == {"Docs": 2}
    for name, counts in asked(index).facets.items():
        for value, count in counts:
            assert asked(index, **{name: value}).total == count, (name, value)


def test_a_ticked_value_that_no_row_has_can_be_unticked(index):
    assert ("hard", 0) in asked(index, difficulty="hard", q="nowhere").facets["difficulty"]


def test_rows_decided_by_hand_are_a_facet(index):
    reviews = {FIRST: Review(question_id=FIRST, decision="accept"), TWIN: Review(question_id=TWIN, decision="reject")}
    assert ids(asked(index, reviews, review="accept")) == {FIRST}
    assert ids(asked(index, reviews, review=["reject", "accept"])) == {FIRST, TWIN}
    assert dict(asked(index, reviews).facets["review"]) == {"none": 3, "accept": 1, "reject": 1}


def test_the_weakest_come_first(index):
    found = asked(index, sort="weakest")
    assert found.rows[0]["id"] == SECOND
    assert asked(index, sort="hardest").rows[0]["id"] == SECOND


def test_the_hardest_say_how_many_attempts_passed(tmp_path):
    counts = {"gpt_pass_trial_num": 2, "gpt_pass_sequence": [1, 0, 0, 1, 0], "gpt_pass_percentage": 0.4}
    with served(finished(tmp_path / "store", rows={FIRST: counts}), tmp_path) as site, site.client() as client:
        page = client.get("/rows?sort=hardest").text
        assert page.count("2 of 5 attempts pass<") == 1 and "1 of 1 attempt passes<" in page
        assert "attempts pass" not in client.get("/rows").text


@pytest.mark.parametrize(
    ("pairs", "why"),
    [
        ([("sort", "best")], "'sort'"),
        ([("mutation_below", "many")], "'mutation_below'.*'many'"),
        ([("mutation_below", "2")], "less than or equal to 1"),
        ([("colour", "red")], "'colour'"),
        ([("sort", "hardest"), ("after", "x|y")], "no place in the list"),
    ],
)
def test_a_wrong_filter_is_named_with_its_value(index, pairs, why):
    with index.cursor() as cursor, pytest.raises(BadInput, match=why):
        search(cursor, Filters.of(pairs), {})


def many(store: Path, rows: int) -> Run:
    names = [f"Docs_{number:08d}_I" for number in range(rows)]
    return finished(store, questions=names, solved=names, released=names)


@pytest.mark.parametrize("sort", ["id", "weakest", "hardest", "duplicates"])
def test_pages_have_every_row_once(tmp_path, sort):
    index = Index(many(tmp_path / "store", 2 * PAGE + 7), tmp_path / "index")
    index.refresh()
    seen, after = [], ""
    while True:
        found = asked(index, sort=sort, after=after)
        seen += [row["id"] for row in found.rows]
        if not found.after:
            break
        after = found.after
    assert len(seen) == len(set(seen)) == found.total == 2 * PAGE + 7
    index.close()


@pytest.mark.parametrize("sort", ["id", "weakest", "hardest", "duplicates"])
def test_a_row_knows_its_neighbours_and_its_page(tmp_path, sort):
    index = Index(many(tmp_path / "store", 2 * PAGE + 7), tmp_path / "index")
    index.refresh()
    pages, keys, after = [], [""], ""
    while after or not pages:
        found = asked(index, sort=sort, after=after)
        assert found.before == (None if not pages else keys[-2])
        pages.append([row["id"] for row in found.rows])
        after = found.after
        keys.append(after)
    seen = [None, *(name for page in pages for name in page), None]
    with index.cursor() as cursor:
        for place in (1, 2, PAGE, PAGE + 1, 2 * PAGE, 2 * PAGE + 1, 2 * PAGE + 7):
            name = str(seen[place])
            known = Around(seen[place - 1] or "", seen[place + 1] or "", keys[(place - 1) // PAGE])
            assert around(cursor, Filters(sort=sort), {}, {"id": name}) == known
        assert around(cursor, Filters(q="nowhere"), {}, {"id": str(seen[1])}) == Around()
        assert around(cursor, Filters(), {}, {"id": "nowhere"}) == Around()
    index.close()


def test_an_index_is_kept_and_reads_only_what_has_changed(tmp_path):
    run = finished(tmp_path / "store", released=ALL[:1])
    read: list[str] = []
    index = Index(run, tmp_path / "index", read.append)
    assert index.refresh() and not index.refresh()
    index.close()
    read.clear()
    again = Index(run, tmp_path / "index", read.append)
    assert not again.refresh()
    assert read == [] and asked(again).total == 4
    write_again(run, StageName.CURATED, [row for row in rows_of(run) if row.question_id == ALL[0]])
    assert again.refresh()
    assert {line.split(":")[0] for line in read} == {"reading curated"}
    again.close()


SECOND_SERVER = """
import sys
from pathlib import Path
from tasks.browsing.index import Index
from tasks.run import Run
from tasks.settings import BuildConfig
config = BuildConfig(store=sys.argv[1], run="r")
index = Index(Run(config=config, teachers=config.teachers), Path(sys.argv[2]))
print(index.refresh())
index.close()
"""


def test_two_servers_of_a_run_have_an_index_each(tmp_path):
    first = Index(finished(tmp_path / "store"), tmp_path / "index")
    first.refresh()
    command = [sys.executable, "-c", SECOND_SERVER, str(tmp_path / "store"), str(tmp_path / "index")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "True", done.stderr
    assert [file.name for file in (tmp_path / "index").glob("*.duckdb")] == [first.path.name]
    first.close()


def test_a_broken_index_is_made_anew(tmp_path):
    run = finished(tmp_path / "store")
    first = Index(run, tmp_path / "index")
    first.refresh()
    first.close()
    first.path.write_bytes(b"no database" * 1000)
    again = Index(run, tmp_path / "index")
    assert again.refresh() and asked(again).total == 4
    again.close()


def rows_of(run: Run) -> list:
    from tasks.models import ReleaseRow

    return run.stage(StageName.CURATED).rows("part-00000", ReleaseRow)


def write_again(run: Run, stage: StageName, rows: list) -> None:
    changed = [row.model_copy(update={"filter_reason": "another"}) for row in rows]
    receipt = run.stage(stage).run_shard("part-00000", type(rows[0]), ["anew"], lambda: Outcome.of(changed))
    run.finish(stage, [receipt])


def test_held_out_rows_and_other_styles_are_rows_of_their_own(tmp_path):
    run = finished(tmp_path / "store", released=ALL[:2])
    first, second = rows_of(run)
    placings = [Placing(question_id=first.question_id, group="g", split=Split.EVALUATION)]
    write_stage(
        run, StageName.PLACINGS, [*placings, Placing(question_id=second.question_id, group="h", split=Split.TRAIN)]
    )
    write_stage(run, StageName.CONVERTED, [told_as(Style.COMPLETE, first)], "part-00000-complete")
    index = Index(run, tmp_path / "index")
    index.refresh()
    rows = {row["id"]: row for row in asked(index).rows}
    assert rows[first.question_id]["fate"] == rows[f"{first.question_id}_C"]["fate"] == "evaluation"
    assert rows[second.question_id]["fate"] == "train"
    assert ids(asked(index, style="complete")) == {f"{first.question_id}_C"}
    index.close()


def write_stage(run: Run, stage: StageName, rows: list, shard: str = "part-00000") -> None:
    receipt = run.stage(stage).run_shard(shard, type(rows[0]), ["other"], lambda: Outcome.of(rows))
    run.finish(stage, [receipt])
