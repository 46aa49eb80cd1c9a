"""The page of a row, decisions by hand, re-runs in a real box, and the run's progress, over real HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from bs4 import BeautifulSoup

from tasks.artifacts import Outcome
from tasks.browsing.live import Live
from tasks.browsing.pages import beside, percent, python
from tasks.errors import AnswersUnavailable, BadInput, StoreUnavailable
from tasks.models import (
    Attempt,
    AttemptVerdict,
    Audit,
    DuplicateDecision,
    Mutant,
    Mutation,
    Question,
    Reject,
    RejectReason,
    Response,
)
from tasks.responses.asking import response_request
from tasks.responses.problems import read_problems
from tasks.reviews import read_reviews
from tasks.run import StageName
from tasks.settings import Backend
from tasks.store import Store
from tasks.teachers.cache import Fault, Use, open_cache
from tests.browsing.serving import Served, hostile_rows, replaced, served
from tests.conftest import sandbox_settings
from tests.kpis.runs import ALL, answered, finished, write
from tests.labeling.rows import attempt, question, verdict
from tests.publishing.rows import release_row
from tests.reporting.runs import HOSTILE

FIRST, SECOND, TWIN, FAILED = ALL
USE = Use("", "attempts", "k", "Docs", "m", 100, 20, 0.5, 1, 0)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("site")
    box = sandbox_settings(Backend.BUBBLEWRAP).model_dump()
    run = finished(folder / "store", answers={FIRST: [True, False]}, sandbox=box)
    mutant = Mutant(line=2, operator="number", before="2 * x", after="3 * x")
    mutation = Mutation(made=9, run=4, killed=2, timed_out=1, survivors=[mutant])
    audit = Audit(attempt_id=f"{FIRST}/1", question_id=FIRST, attempt=1, mutation=mutation, sandbox_s=0)
    write(run, StageName.AUDITS, [audit])
    told = {"subset": "Docs", "representative_subset": "Docs", "similarity": 0.9, "cluster_size": 2, "contaminated": []}
    write(
        run,
        StageName.DUPLICATES,
        [
            DuplicateDecision(question_id=FIRST, representative=FIRST, kind="", duplicates=[TWIN], **told),
            DuplicateDecision(question_id=TWIN, representative=FIRST, kind="near", duplicates=[], **told),
        ],
    )
    with served(run, folder) as made:
        yield made


@pytest.fixture
def client(site: Served) -> Iterator[httpx.Client]:
    with site.client() as made:
        yield made


def test_a_row_has_its_attempts_seeds_checks_mutants_answers_and_duplicates(client):
    page = client.get(f"/row?id={FIRST}").text
    assert "Attempt 1" in page and "because passed" in page
    assert "pandas 3.0" in page and "BSD-3-Clause" in page
    assert "1 survived" in page and "3 * x" in page
    assert "not passed" in page and "test_three failed: assert 3 == 6" in page
    assert f'href="/row?id={TWIN}"' in page and "stands for 1 more" in page
    assert "near duplicate, 0.90 alike" in client.get(f"/row?id={TWIN}").text


def test_programs_are_shown_to_the_letter_but_for_keys_that_are_known(tmp_path, monkeypatch):
    monkeypatch.setenv("SOME_API_KEY", "k3y-of-this-process")
    program = "def f(tokens):\n    token = tokens[0]['password']\n    return token, 'k3y-of-this-process'\n"
    run = finished(tmp_path / "store", rows={FIRST: {"solution": program}})
    with served(run, tmp_path) as site, site.client() as client:
        page = BeautifulSoup(client.get(f"/row?id={FIRST}").text, "html.parser")
        shown = page.select_one(".pair pre")
        assert shown is not None
        assert shown.get_text() == program.replace("k3y-of-this-process", "***")


def test_a_program_of_which_colouring_would_take_minutes_has_no_colours():
    assert "<span" in python("x = 1\n")
    blank = "x = 1\n" + " \n" * 14_000
    assert python(blank) == blank, "and no numbers"
    assert "s-" not in python(blank[:2000])


@pytest.mark.parametrize(
    "program",
    [
        "x = 1\n",
        "x = 1",
        "\n\nx = 1\n\n",
        '"""a\n<b>\n"""\n',
        "",
        "x = '<script>'\n\tif",
        "x = 1\n" + " \n" * 400 + "<i>",
    ],
)
def test_each_line_of_a_program_is_an_element_and_escaped(program):
    shown = BeautifulSoup(f"<pre>\n{python(program)}</pre>", "html.parser")
    lines = shown.select("pre > .line")
    assert [one.get_text() for one in lines] == program.splitlines()
    assert shown.get_text().removeprefix("\n") == program
    assert {one.name for one in shown.find_all()} <= {"pre", "span"}


def test_lines_end_where_a_browser_has_them_end():
    blank = " " * 400
    assert python(f"a{blank}\rb\r\nc").count('class="line"') == 3


@pytest.mark.parametrize(
    ("share", "told"),
    [(None, ""), (0.0, "0%"), (0.5, "50%"), (0.994, "99%"), (0.996, "99%"), (0.99999, "99%"), (1.0, "100%")],
)
def test_only_all_of_it_is_a_hundred_percent(share, told):
    assert percent(share) == told


@pytest.mark.parametrize(
    ("value", "bounds", "told"),
    [
        (None, (0.8, 0.5), ""),
        (0.797, (0.8, 0.5), "0.797"),
        (0.79996, (0.5, 0.8), "0.79996"),
        (0.797, (0.9, 0.5), "0.80"),
        (0.8, (0.8, 0.8), "0.80"),
        (0.804, (0.8, 0.5), "0.80"),
        (0.4999999999, (0.5, 0.4), "0.4999999999"),
        (12.0, (), "12.00"),
    ],
)
def test_a_value_beside_its_bound_is_on_the_side_that_it_is_on(value, bounds, told):
    assert beside(value, *bounds) == told


def test_the_row_says_what_the_outcome_of_a_check_was_made_of(tmp_path):
    measure = (
        release_row("x", 5)
        .quality[0]
        .model_copy(update={"value": 0.797, "reject_below": 0.3, "caution_below": 0.8, "outcome": "caution"})
    )
    run = finished(tmp_path / "store", rows={FIRST: {"quality": [measure]}})
    with served(run, tmp_path) as site, site.client() as client:
        page = BeautifulSoup(client.get(f"/row?id={FIRST}").text, "html.parser")
    cells = page.select("section[aria-labelledby=solution] > .wide td.number")
    assert [one.get_text() for one in cells] == ["0.797", "0.3", "0.8"]


def test_keys_that_are_known_are_hidden_in_every_text(tmp_path, monkeypatch):
    key = "k3y-of-this-process"
    run = finished(tmp_path / "store", rows={FIRST: {"question": f"{'x' * 190} {key} {key}", "filter_reason": key}})
    replaced(run, StageName.ATTEMPTS, Attempt, [attempt(1, f"# {key}").model_copy(update=of(FIRST))])
    found = verdict(1, failed=(key,))
    pair = found.pair.model_copy(update={"reason": key, "output": key})
    replaced(run, StageName.VERDICTS, AttemptVerdict, [found.model_copy(update={**of(FIRST), "pair": pair})])
    mutation = Mutation(made=1, run=1, killed=0, timed_out=0, survivors=[
        Mutant(line=2, operator="number", before=f"'{key}'", after=f"not '{key}'")])  # fmt: skip
    write(run, StageName.AUDITS, [Audit(**of(FIRST), attempt=1, mutation=mutation, sandbox_s=0)])
    seed = Reject(id=f"a/{key}.py", subset="Docs", reason=RejectReason.INVALID_SEED, evidence=f"{'y' * 190} {key}")
    write(run, StageName.SEEDS, [], [seed])
    monkeypatch.setenv("SOME_API_KEY", key)
    with served(run, tmp_path) as site, site.client() as client:
        monkeypatch.setattr(site.desk.rerunner, "run", lambda _: pair)
        told = decide(client, site, FIRST, "reject", f"it has {key}")
        again = client.post("/rerun", json={"id": FIRST}, headers=site.writes).text
        pages = [client.get(path).text for path in ("/", f"/row?id={FIRST}", "/live.json", "/?q=" + key)]
    for page in (told["html"], again, *pages):
        assert key not in page and "***" in page
    beginnings = [page.split("x" * 190)[1][:10] for page in pages[:2]]
    assert all(one.startswith(" ***") for one in beginnings)
    assert "y" * 190 + " ***" in pages[0]


def test_prompts_of_reasoning_answers_are_put_together_as_they_were_sent(tmp_path):
    reasoner = {"kind": "openai", "base_url": "http://127.0.0.1:9/v1", "model": "thinker"}
    run = finished(tmp_path / "store", answers={FIRST: [True, False, False]}, teachers={"reasoners": {"r1": reasoner}})
    curated = run.stage(StageName.CURATED).done("part-00000")
    assert curated is not None
    problem = next(one for one in read_problems(run, [curated]) if one.question_id == FIRST)
    endpoint = run.teachers.reasoners["r1"]
    told = []
    for response, _ in answered({FIRST: [True, False, False]}):
        key = response_request(problem, endpoint, run.config.seed + response.number - 1).key(endpoint)
        call = response.call.model_copy(update={"response_id": key if response.number < 3 else "f" * 64})
        told.append(response.model_copy(update={"call": call}))
    replaced(run, StageName.RESPONSES, Response, told)
    with served(run, tmp_path) as site, site.client() as client:
        page = BeautifulSoup(client.get(f"/row?id={FIRST}").text, "html.parser")
    calls = page.select("section[aria-labelledby=calls] > .call")
    shown = {one.find("summary").contents[0].strip(): one for one in calls}
    for number in (1, 2, 3):
        call = shown[f"answer {number} of r1"]
        assert call.select("pre")[0].get_text().startswith(problem.question)
        assert ("as it would be sent now" in call.get_text()) == (number == 3), "its key is that of another prompt"


def of(row: str) -> dict[str, str]:
    return {"question_id": row, "attempt_id": f"{row}/1"}


def test_a_rejected_row_says_where_and_why(client):
    page = BeautifulSoup(client.get(f"/row?id={FAILED}").text, "html.parser").get_text()
    assert "Rejected at triplets: failed" in page and "return x" in page


def test_the_next_row_is_that_of_the_list_it_came_from(client):
    page = client.get(f"/row?id={FIRST}&subset=Docs&fate=train").text
    assert f"/row?id={SECOND}&amp;fate=train&amp;subset=Docs" in page
    assert 'id="following"' not in client.get(f"/row?id={SECOND}&subset=Docs&fate=train").text


def decide(client: httpx.Client, site: Served, row: str, decision: str, note: str = "") -> dict:
    shown = BeautifulSoup(client.get("/row", params={"id": row}).text, "html.parser").select_one("main")
    assert shown is not None
    wanted = {"id": row, "decision": decision, "note": note, "line": shown["data-line"]}
    answer = client.post("/review", json=wanted, headers=site.writes)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_decisions_are_a_file_that_curation_reads(site, client):
    decide(client, site, FIRST, "reject", " not clear\nenough ")
    decide(client, site, TWIN, "accept")
    decide(client, site, FIRST, "accept", "it is")
    config = site.desk.run.config
    curation = config.curation.model_copy(update={"review": site.desk.reviews.place})
    read = read_reviews(config.model_copy(update={"curation": curation}))
    assert {name: (one.decision.value, one.note, one.reviewer) for name, one in read.items()} == {
        FIRST: ("accept", "it is", "ada"),
        TWIN: ("accept", "", "ada"),
    }
    lines = [json.loads(line) for line in client.get("/review.jsonl").text.splitlines()]
    assert [line["question_id"] for line in lines] == [FIRST, TWIN, FIRST]
    assert all(line["at"] for line in lines)
    assert "accepted by hand" in client.get(f"/row?id={FIRST}").text
    assert decide(client, site, FIRST, "undo")["decision"] == "reject"
    assert decide(client, site, FIRST, "undo")["decision"] == ""
    assert decide(client, site, FIRST, "undo")["decision"] == ""
    assert [json.loads(line)["question_id"] for line in client.get("/review.jsonl").text.splitlines()] == [TWIN]


def test_lines_that_somebody_added_meanwhile_stay(site, client):
    store, name = site.desk.run.store, site.desk.run.config.run
    added = json.dumps({"question_id": SECOND, "decision": "reject", "note": "by another"}) + "\n"
    store.write((store.find(name, "review.jsonl") or b"") + added.encode(), name, "review.jsonl")
    decide(client, site, TWIN, "reject")
    assert "by another" in client.get("/review.jsonl").text


def test_a_file_with_a_wrong_line_is_told_at_the_start(tmp_path):
    run = finished(tmp_path / "store")
    run.store.write(b"{}\n", "r", "review.jsonl")
    with pytest.raises(BadInput, match="line 1"), served(run, tmp_path):
        pass


def test_a_row_and_its_attempts_are_run_again_in_the_sandbox(site, client):
    def run(row: str, attempt: str = "") -> httpx.Response:
        return client.post("/rerun", json={"id": row, "attempt": attempt}, headers=site.writes)

    with ThreadPoolExecutor(2) as threads:
        good, bad = threads.map(lambda one: run(*one), [(FIRST,), (FAILED, f"{FAILED}/1")])
    assert '<strong class="outcome passed">' in good.text and "bubblewrap" in good.text
    assert "test_one" in good.text and "test_three" in good.text
    assert '<strong class="outcome failed">' in bad.text and "assert" in bad.text
    assert run(FAILED).status_code == 404
    assert run(FIRST, f"{FAILED}/1").status_code == 404
    assert run("nowhere").status_code == 404


@pytest.mark.parametrize("reply", ["[" * 100_000, '{"half a character": "\\ud83d"}'])
def test_a_reply_that_is_no_text_when_read_is_shown_as_it_came(tmp_path, reply):
    run = finished(tmp_path / "store")
    write(run, StageName.SEEDS, [], [Reject(id="s", subset="Docs", reason=RejectReason.INVALID_SEED, evidence=reply)])
    with served(run, tmp_path) as site, site.client() as client:
        page = client.get("/row?id=s")
        assert page.status_code == 200
        assert reply in BeautifulSoup(page.text, "html.parser").get_text()


def test_a_row_that_was_made_of_another_question_says_so(tmp_path):
    run = finished(tmp_path / "store")
    with served(run, tmp_path) as site, site.client() as client:
        assert "made anew since" not in client.get(f"/row?id={FIRST}").text
        call = question().call.model_copy(update={"response_id": "f" * 64})
        replaced(run, StageName.QUESTIONS, Question, [
            question().model_copy(update={"question_id": name, "subset": "Docs", "call": call}) for name in ALL
        ])  # fmt: skip
        site.desk.index._again = 0
        client.get("/live.json")
        page = client.get(f"/row?id={FIRST}").text
        assert "made anew since" in page and "(kept)" not in page


def test_a_store_that_is_away_is_an_error_and_no_row_without_parts(tmp_path, monkeypatch):
    run = finished(tmp_path / "store")
    with served(run, tmp_path) as site, site.client() as client:

        def find(*_: object) -> bytes:
            raise StoreUnavailable("the bucket does not answer")

        monkeypatch.setattr(Store, "find", find)
        page = client.get(f"/row?id={FIRST}")
        assert page.status_code == 503 and "the bucket does not answer" in page.text
        monkeypatch.setattr(Store, "find", lambda *_: None)
        assert client.get(f"/row?id={FIRST}").status_code == 200, "replaced since: the next look finds what is there"


def test_hostile_texts_are_text_on_every_page(tmp_path):
    with served(hostile_rows(tmp_path / "store"), tmp_path) as site, site.client() as client:
        pages = [client.get(path, params=params) for path, params in [
            ("/", {}), ("/rows", {"q": HOSTILE}), ("/row", {"id": HOSTILE}), ("/", {"subset": HOSTILE}),
            *(("/row", {"id": name}) for name in ALL),
        ]]  # fmt: skip
        assert [page.status_code for page in pages] == [200] * len(pages)
        for page in pages:
            assert "<script>alert" not in page.text and "<img" not in page.text
            assert page.text.count("<script") == ("</html>" in page.text)
        assert decide(client, site, HOSTILE, "reject", HOSTILE)["html"].count("<") == 2
        assert "&lt;script&gt;alert(1)" in client.get("/row", params={"id": HOSTILE}).text


def test_progress_is_that_of_the_receipts_before_and_after_the_first_shard(tmp_path):
    empty = finished(tmp_path / "store", questions=(), solved=(), released=())
    with served(empty, tmp_path) as site, site.client() as client:
        state = client.get("/live.json").json()
        assert state["rows"] == state["released"] == 0 and state["newest"] == [] and state["answers"] == 0
        late = [Reject(id=f"{FIRST}/1", subset="Docs", reason=RejectReason.TEACHER_FAILED, evidence="HTTP 500")]
        outcome = Outcome(1, [], late)
        from tasks.models import Attempt

        empty.store.remove("r", "attempts", "manifest.json")
        empty.stage(StageName.ATTEMPTS).run_shard("part-00000-try-01", Attempt, ["k"], lambda: outcome)
        site.desk.index._again = 0
        state = client.get("/live.json").json()
        attempts = {one["stage"]: one for one in state["stages"]}["attempts"]
        assert (attempts["done"], attempts["rejected"], attempts["finished"]) == (1, 1, False)
        assert state["errors"] == {"teacher_failed": 1}
        (newest,) = state["newest"]
        assert (newest["id"], newest["owner"], newest["evidence"]) == (f"{FIRST}/1", FIRST, "HTTP 500")


def test_progress_tells_what_teachers_cost_and_how_fast_they_answer(tmp_path):
    run = finished(tmp_path / "store")
    cache = open_cache(run.cache_path)
    now = [0.0]
    live = Live(run, lambda: now[0])
    with served(run, tmp_path) as site, site.desk.index.cursor() as cursor:
        cache.record([], [Use(run.account, *vars_of(USE, key="a"))])
        first = live.look(cursor, 1)
        assert (first.answers, first.tokens, first.usd, first.per_min) == (1, 120, 0.5, None)
        assert first.failed_tries == {}
        faults = [Fault(run.account, stage, "http 503", 2) for stage in ("questions", "attempts")]
        faults += [Fault(run.account, "attempts", "timeout", 9), Fault("another", "attempts", "timeout", 1)]
        cache.record([], [Use(run.account, *vars_of(USE, key=f"b{n}")) for n in range(10)], faults)
        now[0] = 30.0
        second = live.look(cursor, 1)
        assert second.per_min == 20
        assert list(second.failed_tries.items()) == [("timeout", 9), ("http 503", 4)]
        cache.record(
            [],
            [
                Use(run.account, *vars_of(USE, key="c", usd=None, paid=0)),
                Use(run.account, *vars_of(USE, key="d", usd=None)),
            ],
        )
        now[0] = 60.0
        last = live.look(cursor, 1)
        assert (last.answers, last.cached, last.usd) == (12, 1, None)


def test_answers_that_cannot_be_read_for_a_moment_cost_as_much_as_before(tmp_path, monkeypatch):
    run = finished(tmp_path / "store")
    now = [0.0]
    live = Live(run, lambda: now[0])
    with served(run, tmp_path) as site, site.desk.index.cursor() as cursor:
        assert live.look(cursor, 1).usd is None, "nothing is known yet"
        cache = open_cache(run.cache_path)
        cache.record([], [Use(run.account, *vars_of(USE, key="a"))])
        for moment in (10.0, 20.0):
            now[0] = moment
            assert live.look(cursor, 1).usd == 0.5

        def away(_: str) -> None:
            raise AnswersUnavailable("the database is away")

        with monkeypatch.context() as broken:
            broken.setattr("tasks.browsing.live.open_cache", away)
            now[0] = 40.0
            assert (live.look(cursor, 1).usd, live.look(cursor, 1).per_min) == (0.5, 0)
        now[0] = 4000.0
        assert live.look(cursor, 1).per_min is None, "the last minute is not known"


def vars_of(use: Use, **changes: object) -> list[object]:
    from dataclasses import replace

    return list(vars(replace(use, **changes)).values())[1:]
