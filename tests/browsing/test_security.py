"""Who is let in, and what may change something: over real HTTP, as another page or a stranger would ask."""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tasks.browsing.gate import POLICY, Tokens
from tasks.browsing.server import browser_socket
from tasks.errors import BadInput
from tests.browsing.serving import Served, served
from tests.kpis.runs import ALL, finished

PATHS = ("/", "/rows", f"/row?id={ALL[0]}", "/live.json", "/review.jsonl", "/static/browse.js", "/nowhere")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("site")
    with served(finished(folder / "store"), folder) as made:
        yield made


@pytest.fixture
def client(site: Served) -> Iterator[httpx.Client]:
    with site.client() as made:
        yield made


@pytest.mark.parametrize("path", PATHS)
def test_without_the_token_nothing_is_told(site, path):
    answer = httpx.get(f"{site.url}{path}")
    assert answer.status_code == 401 and "kodforge browse" in answer.text and ALL[0] not in answer.text
    separator = "&" if "?" in path else "?"
    assert httpx.get(f"{site.url}{path}{separator}token=wrong").status_code == 401


def test_the_token_buys_a_cookie_that_scripts_cannot_read_and_leaves_the_address(site):
    answer = httpx.get(site.opening)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=strict" in cookie
    assert site.desk.tokens.opening.lower() not in cookie


def test_a_link_on_another_page_opens_it_too(site):
    answer = httpx.get(site.opening, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 200 and 'content="0; url=/"' in answer.text and "set-cookie" in answer.headers


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_says_what_the_page_may_do(client, path):
    answer = client.get(path)
    assert answer.headers["content-security-policy"] == POLICY
    assert "'unsafe" not in POLICY and "http" not in POLICY
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    assert "server" not in answer.headers


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "evil.example:80", "0.0.0.0", "192.168.0.1", "", "a@127.0.0.1", "["],
)
def test_a_name_that_is_not_of_this_machine_is_refused(site, host):
    connection = http.client.HTTPConnection(site.url.removeprefix("http://"))
    connection.putrequest("GET", f"/?token={site.desk.tokens.opening}", skip_host=True)
    connection.putheader("Host", host)
    connection.endheaders()
    answer = connection.getresponse()
    assert answer.status in (400, 421)
    assert answer.getheader("set-cookie") is None
    connection.close()


@pytest.mark.parametrize("foreign", ['theme={"a":1}', "a b=c", "=", "[x]=1", "k=é", '"', "kodforge-1=wrong"])
def test_cookies_of_other_servers_on_this_machine_lock_nobody_out(site, foreign):
    name = f"kodforge-{site.url.rpartition(':')[2]}"
    for cookies in (f"{foreign}; {name}={site.desk.tokens.cookie}", f"{name}={site.desk.tokens.cookie}; {foreign}"):
        assert httpx.get(site.url, headers={"Cookie": cookies.encode()}).status_code == 200
    assert httpx.get(site.url, headers={"Cookie": foreign.encode()}).status_code == 401


def test_a_page_that_fails_is_told_as_text(site, client, monkeypatch):
    def fail(*_: object) -> None:
        raise RuntimeError("<img src=x onerror=alert(1)>")

    monkeypatch.setattr(site.desk, "listed", fail)
    answer = client.get("/rows")
    assert answer.status_code == 500 and answer.headers["content-security-policy"] == POLICY
    assert "<img" not in answer.text and "&lt;img src=x" in answer.text and "problem" in answer.text


@pytest.mark.parametrize("place", ["cross-site", "same-site"])
def test_another_page_reads_nothing(client, place):
    assert client.get("/", headers={"Sec-Fetch-Site": place}).status_code == 403


def decide(client: httpx.Client, headers: dict[str, str], **values: object) -> httpx.Response:
    return client.post("/review", json={"id": ALL[0], "decision": "accept", **values}, headers=headers)


def test_a_change_needs_its_own_token_and_this_page(site, client):
    writes = site.writes
    for wrong in (
        {},
        {"Origin": site.url},
        {"X-Kodforge-Token": writes["X-Kodforge-Token"]},
        {**writes, "Origin": "http://evil.example"},
        {**writes, "Origin": "http://127.0.0.1:1"},
        {**writes, "Origin": "null"},
        {**writes, "X-Kodforge-Token": site.desk.tokens.opening},
        {**writes, "X-Kodforge-Token": site.desk.tokens.cookie},
        {**writes, "Sec-Fetch-Site": "same-site"},
    ):
        assert decide(client, wrong).status_code == 403, wrong
    assert httpx.post(f"{site.url}/review", json={}, headers=writes).status_code == 401
    assert client.get("/review.jsonl").text == ""
    assert decide(client, writes).status_code == 200


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"id": "nowhere", "decision": "accept"}, 400),
        ({"id": ALL[0], "decision": "maybe"}, 422),
        ({"id": ALL[0], "decision": "accept", "note": "x" * 5000}, 422),
        ({"id": ALL[0], "decision": "accept", "more": 1}, 422),
        ({"decision": "accept"}, 422),
        ([], 422),
    ],
)
def test_a_wrong_change_is_refused_and_nothing_is_written(site, client, body, status):
    before = client.get("/review.jsonl").text
    answer = client.post("/review", json=body, headers=site.writes)
    assert answer.status_code == status and "problem" in answer.text
    assert client.get("/review.jsonl").text == before


def test_a_form_of_another_page_is_no_change(site, client):
    answer = client.post("/review", data={"id": ALL[0], "decision": "accept"}, headers=site.writes)
    assert answer.status_code == 422
    large = json.dumps({"id": ALL[0], "decision": "accept", "note": "x" * 70_000})
    assert client.post("/review", content=large, headers=site.writes).status_code == 413
    assert client.post("/review", content=iter([b"{}"]), headers=site.writes).status_code == 411


@pytest.mark.parametrize(
    "path", ["/static/../server.py", "/static/%2e%2e/server.py", "/static/..%2fserver.py", "/static/x.css"]
)
def test_no_other_file_is_served(client, path):
    assert client.get(path).status_code == 404


@pytest.mark.parametrize("path", ["/docs", "/openapi.json", "/redoc"])
def test_there_is_no_page_about_the_server(client, path):
    assert client.get(path).status_code == 404


def test_a_filter_that_there_is_not_is_told_with_its_value(client):
    answer = client.get("/?colour=<script>")
    assert answer.status_code == 400
    assert "&lt;script&gt;" in answer.text and "<script>" not in answer.text


def test_a_row_that_there_is_not_is_told(client):
    answer = client.get("/row?id=<b>")
    assert answer.status_code == 404 and "has no row" in answer.text and "&lt;b&gt;" in answer.text


def test_a_token_is_made_anew_at_each_start():
    tokens = {Tokens().opening for _ in range(50)}
    assert len(tokens) == 50 and min(map(len, tokens)) >= 40
    assert len({Tokens("a").cookie, Tokens("a").write, Tokens("b").cookie}) == 3


def test_it_listens_on_loopback_alone_and_says_where_a_port_is_taken():
    with browser_socket(0) as first:
        host, port = first.getsockname()
        assert host == "127.0.0.1"
        with pytest.raises(BadInput, match="Choose another"), browser_socket(port):
            pass


def test_looking_writes_nothing_into_the_store(tmp_path):
    run = finished(tmp_path / "store")
    before = files(tmp_path / "store")
    with served(run, tmp_path) as site, site.client() as client:
        for path in PATHS:
            client.get(path)
        client.get(f"/row?id={ALL[3]}")
        assert files(tmp_path / "store") == before
        decide(client, site.writes)
    new = files(tmp_path / "store").items() - before.items()
    assert {Path(name).name for name, _ in new} == {"review.jsonl", "review.lock"}
    assert (tmp_path / "index").stat().st_mode & 0o077 == 0


def files(folder: Path) -> dict[str, int]:
    found = [Path(place) / name for place, _, names in os.walk(folder) for name in names]
    return {str(file): file.stat().st_mtime_ns for file in found}
