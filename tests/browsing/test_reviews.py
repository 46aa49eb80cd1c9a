"""Decisions by hand where several servers look at one run, and decisions that change nothing."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tasks.browsing.reviews import ReviewFile
from tasks.models import Reject, RejectReason
from tasks.reviews import Decision, parse_reviews
from tasks.run import Run, StageName
from tests.browsing.serving import Served, served
from tests.kpis.runs import ALL, finished, made_row, write

FIRST, SECOND, TWIN, FAILED = ALL


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return finished(tmp_path / "store")


@pytest.fixture
def ada(run, tmp_path) -> Iterator[Served]:
    with served(run, tmp_path / "ada", "ada") as made:
        yield made


@pytest.fixture
def bob(run, tmp_path) -> Iterator[Served]:
    with served(run, tmp_path / "bob", "bob") as made:
        yield made


def decide(site: Served, row: str, decision: str, **more: str) -> httpx.Response:
    with site.client() as client:
        return client.post("/review", json={"id": row, "decision": decision, **more}, headers=site.writes)


def page(site: Served, path: str) -> str:
    with site.client() as client:
        return client.get(path).text


def test_what_another_server_decides_is_shown(ada, bob):
    decide(ada, FIRST, "reject", note="asks for two things")
    assert "rejected by hand by ada" in " ".join(page(bob, f"/row?id={FIRST}").split()).replace("</strong>", "")
    assert 'data-total="1"' in page(bob, "/rows?review=reject")
    assert '<span id="decided">1</span>' in page(bob, "/")


def test_undo_takes_back_no_other_decision_than_the_page_showed(ada, bob):
    shown = decide(bob, FIRST, "accept").json()["line"]
    assert f'data-line="{shown}"' in page(ada, f"/row?id={FIRST}") and f'data-line="{shown}"' in page(ada, "/")
    newer = decide(ada, FIRST, "reject", note="asks for two things").json()["line"]
    refused = decide(bob, FIRST, "undo", line=shown)
    assert refused.status_code == 409
    assert "since this page was loaded" in refused.text and "asks for two things" in refused.text
    assert decide(bob, FIRST, "undo").status_code == 409
    assert decide(bob, FIRST, "undo", line=newer).json()["line"] == shown
    assert decide(ada, FIRST, "undo", line=newer).status_code == 409
    assert decide(ada, FIRST, "undo", line=shown).json()["line"] == ""
    gone = decide(bob, FIRST, "undo", line=shown)
    assert gone.status_code == 409 and "nothing is decided" in gone.text


def test_servers_that_decide_at_the_same_moment_lose_no_line(run):
    files = [ReviewFile(run, name) for name in ("ada", "bob", "eve")]

    def work(file: ReviewFile) -> None:
        for row in ALL * 5:
            file.decide(row, Decision.ACCEPT, "")

    with ThreadPoolExecutor(len(files)) as threads:
        list(threads.map(work, files))
    lines = parse_reviews(run.store.read("r", "review.jsonl"), "it")
    assert len(lines) == 3 * 5 * len(ALL)


@pytest.mark.parametrize(
    ("reason", "is_lost"),
    [(RejectReason.NEAR_DUPLICATE, False), (RejectReason.UNSAFE_CONTENT, False), (RejectReason.CONTAMINATED, True),
     (RejectReason.LICENCE_REFUSED, True)],
)  # fmt: skip
def test_an_accepted_row_that_stays_rejected_says_so(run, tmp_path, reason, is_lost):
    twin = Reject(id=TWIN, subset="Docs", reason=reason, evidence="e")
    write(run, StageName.CURATED, [made_row(name, {}) for name in ALL[:2]], [twin], shard="part-00001")
    with served(run, tmp_path) as site:
        told = decide(site, TWIN, "accept").json()
        assert ("This has no effect" in told["without_effect"]) == is_lost
        assert ("This has no effect" in told["html"]) == is_lost
        assert ("This has no effect" in page(site, f"/row?id={TWIN}")) == is_lost
        assert ("accepted by hand, without effect" in page(site, "/")) == is_lost


def test_a_row_that_failed_verification_cannot_be_accepted_and_says_so(ada):
    told = decide(ada, FAILED, "accept").json()
    assert "rejected at triplets (failed), and nobody can bring it back" in told["without_effect"]
    assert told["without_effect"] in page(ada, f"/row?id={FAILED}")
    assert decide(ada, FAILED, "reject").json()["without_effect"] == ""
    assert decide(ada, FIRST, "accept").json()["without_effect"] == ""
