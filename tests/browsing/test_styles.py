"""Rows that were rejected when they were told in another style: what they were made of, and what can be run of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tasks.models import Conversion, Reject, RejectReason, Style
from tasks.run import StageName
from tasks.settings import Backend
from tests.browsing.serving import Served, served
from tests.conftest import sandbox_settings
from tests.kpis.runs import ALL, finished, write
from tests.labeling.rows import CALL, SOLUTION, TEST

UNTOLD, BROKEN, UNSAFE = (f"{name[:-1]}C" for name in ALL[:3])
SHARD = "part-00000-complete"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("site")
    run = finished(folder / "store", sandbox=sandbox_settings(Backend.BUBBLEWRAP).model_dump())

    def rejected(name: str, reason: RejectReason) -> Reject:
        return Reject(id=name, subset="Docs", reason=reason, evidence="why not", response_id="r")

    told = [
        Conversion(
            question_id=name,
            converted_from=f"{name[:-1]}I",
            subset="Docs",
            style=Style.COMPLETE,
            question=f"Complete {name}.",
            solution=SOLUTION,
            test=TEST,
            io=[],
            examples="",
            call=CALL,
        )
        for name in (BROKEN, UNSAFE)
    ]
    write(run, StageName.CONVERSIONS, told, [rejected(UNTOLD, RejectReason.ABSTAINED)], SHARD)
    write(run, StageName.RETOLD, [], [rejected(BROKEN, RejectReason.WRONG_EXAMPLES)], SHARD)
    write(run, StageName.CONVERTED, [], [rejected(UNSAFE, RejectReason.UNSAFE_CONTENT)], SHARD)
    with served(run, folder) as made:
        yield made


@pytest.mark.parametrize("row", [UNTOLD, BROKEN, UNSAFE])
def test_its_page_leads_to_what_it_was_made_of(site, row):
    with site.client() as client:
        page = client.get(f"/row?id={row}").text
    assert "why not" in page and "pandas 3.0" in page
    assert f'href="/row?id={row[:-1]}I"' in page
    assert "in the style complete" in page


@pytest.mark.parametrize("row", [BROKEN, UNSAFE])
def test_what_was_told_is_shown_and_can_be_run(site, row):
    with site.client() as client:
        page = client.get(f"/row?id={row}").text
        assert f"Complete {row}." in page and "Run again in the sandbox" in page
        answer = client.post("/rerun", json={"id": row}, headers=site.writes)
    assert answer.status_code == 200 and '<strong class="outcome passed">' in answer.text


def test_what_was_not_told_shows_its_question_and_cannot_be_run(site):
    with site.client() as client:
        page = client.get(f"/row?id={UNTOLD}").text
        assert "Write `double(x)`." in page and "Run again in the sandbox" not in page
        assert client.post("/rerun", json={"id": UNTOLD}, headers=site.writes).status_code == 404
