"""Teachers in whole runs: a budget, a stop, a key that appears nowhere, limits that workers share, a real model."""

from __future__ import annotations

import json
import re
import signal
import sqlite3
import subprocess
import sys
import time
import zlib
from collections import Counter
from pathlib import Path

import httpx
import pyarrow.parquet as pq
import pytest

from tests.flows.test_resume import QUICK, SMALL, answered
from tests.processes import ROOT, PrefectServer, running_teacher, sets
from tests.publishing.rows import current

PRICES = {"teachers__author__prices__input": 1.0, "teachers__author__prices__output": 10.0}
PRICED = {**QUICK, **PRICES}
KEY = "canary-key-6c1e77"


def spent(store: Path) -> float:
    with sqlite3.connect(store / "answers.sqlite") as answers:
        return float(answers.execute("select sum(usd) from usage where paid").fetchone()[0])


def parquet(store: Path) -> dict[str, bytes]:
    """The rows of the current version of the release."""
    folder = current(store / "small/release")
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.parquet")}


def api(server: PrefectServer, path: str, **body: object) -> list[dict]:
    return httpx.post(f"{server.url}{path}", json=body, timeout=30).raise_for_status().json()


def budget_events(server: PrefectServer, run: str) -> list[tuple[str, str]]:
    """What automations are told of a run's budget, the oldest first."""
    wanted = {"event": {"prefix": ["kodforge.budget"]}, "resource": {"id": [f"kodforge.run.{run}"]}, "order": "ASC"}
    found = httpx.post(f"{server.url}/events/filter", json={"filter": wanted}, timeout=30).raise_for_status().json()
    return [(one["event"], one["payload"]["told"]) for one in found["events"]]


def test_a_run_stops_at_its_budget_releases_what_it_has_and_goes_on_with_more(
    kodforge, prefect_server, teacher, tmp_path
):
    # Answers that are short at the worst, so that the last cents are spent, too.
    short = {"teachers__author__sampling__max_tokens": 400}
    options = sets(**PRICED, **short, teachers__author__base_url=teacher.url, store=tmp_path)
    first = kodforge("run", *options, *sets(budget__usd=0.05))
    assert first.returncode == 0, first.stdout[-2000:] + first.stderr[-2000:]
    assert "budget was reached" in first.stdout
    assert "--set budget.usd=0.1" in first.stdout
    assert 0.01 < spent(tmp_path) <= 0.05
    told = [told for told in budget_events(prefect_server, "small") if "of 0.05 usd" in told[1]]
    assert [event for event, _ in told] == ["kodforge.budget.nearly", "kodforge.budget.reached"]
    assert re.match(r"0\.04.* of 0\.05 usd used", told[0][1]), told
    # The budget went into questions and into the first attempts; what these made is released.
    manifest = json.loads((tmp_path / "small/triplets/manifest.json").read_text())
    assert manifest["rows_out"] > 0
    assert manifest["rows_in"] == manifest["rows_out"] + manifest["rejected"]
    stopped_at = spent(tmp_path)

    again = kodforge("run", *options, *sets(budget__usd=0.05))
    assert again.returncode == 0
    assert spent(tmp_path) - stopped_at < 0.005  # only what is so short that it still fits

    last = kodforge("run", *options, *sets(budget__usd=5))
    assert last.returncode == 0, last.stdout[-2000:] + last.stderr[-2000:]
    assert "budget was reached" not in last.stdout
    asked = Counter(str(request["key"]) for request in teacher.requests() if request["answered"])
    assert max(asked.values()) == 1
    unlimited = tmp_path / "unlimited"
    assert kodforge("run", *options, *sets(store=unlimited)).returncode == 0
    # The versions released before, with fewer rows, are told in the other files.
    assert parquet(tmp_path) == parquet(unlimited)
    usage = kodforge("usage", *options)
    assert f"${spent(tmp_path):.4f}" in usage.stdout
    assert "per accepted row" in usage.stdout


def test_estimate_asks_nobody_and_is_near_what_the_run_costs(kodforge, teacher, tmp_path):
    options = sets(**SMALL, **PRICES, teachers__author__base_url=teacher.url, store=tmp_path)
    before = kodforge("estimate", *options)
    assert before.returncode == 0, before.stderr
    assert "assumed" in before.stdout
    assert not teacher.requests()
    assert kodforge("run", *options).returncode == 0
    after = kodforge("estimate", *options)
    line = next(line for line in after.stdout.splitlines() if line.startswith("expected $"))
    expected, most = (float(amount) for amount in re.findall(r"\$([\d.]+\d)", line))
    assert expected == pytest.approx(spent(tmp_path), rel=0.15)
    assert most > expected


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_stopped_loses_no_answer_and_says_how_to_go_on(kodforge, prefect_server, tmp_path, kind):
    store = tmp_path / "store"
    few = {**QUICK, "subsets__Leetcode__count": 7}  # the eighth is refused, which the teacher counts, too
    with running_teacher(tmp_path, "--latency", "0.3") as teacher:
        options = sets(**few, teachers__author__base_url=teacher.url, store=store)
        with (tmp_path / "out").open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "flows.cli", "run", *options],
                cwd=ROOT,
                env=prefect_server.env,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + 120
        while answered(store) < 8 and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(kind)
        status = process.wait(60)
        printed = (tmp_path / "out").read_text()
        assert status in (130, -signal.SIGTERM, 128 + signal.SIGTERM), printed[-3000:]
        assert "run the same command to go on" in printed
        time.sleep(0.5)
        told = sum(bool(request["answered"]) for request in teacher.requests())
        assert answered(store) == told  # what was in flight was waited for
        assert kodforge("run", *options).returncode == 0
        asked = Counter(str(request["key"]) for request in teacher.requests() if request["answered"])
    assert max(asked.values()) == 1


def test_the_key_appears_in_no_file_log_artifact_or_database(kodforge, prefect_server, tmp_path, monkeypatch):
    """Searched for: all files of the run with what is packed in them, what was printed, all that Prefect keeps."""
    env = {"CANARY": KEY}
    monkeypatch.setenv("CANARY", KEY)
    store = tmp_path / "store"
    with running_teacher(tmp_path, "--key-env", "CANARY") as teacher:
        options = sets(
            **SMALL, teachers__author__base_url=teacher.url, teachers__author__api_key_env="CANARY", store=store
        )
        done = kodforge("run", *options, env=env)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        refused = kodforge("run", *options, *sets(run="other"), env={"CANARY": f"wrong-{KEY}"})
        assert refused.returncode == 1
        assert "refuses the key in 'CANARY'" in refused.stderr
    texts = [done.stdout, done.stderr, refused.stdout, refused.stderr]
    for path in [*store.rglob("*"), *Path(prefect_server.env["PREFECT_HOME"]).rglob("*")]:
        if path.is_file():
            content = path.read_bytes()
            assert KEY.encode() not in content, path
            if path.suffix == ".parquet":
                texts.append(str(pq.read_table(path).to_pylist()))
    with sqlite3.connect(store / "answers.sqlite") as answers:
        texts += [zlib.decompress(body).decode() for (body,) in answers.execute("select body from answers")]
        texts += [str(row) for row in answers.execute("select * from usage")]
    for path in ("/flow_runs/filter", "/task_runs/filter", "/artifacts/filter", "/logs/filter"):
        offset = 0
        while page := api(prefect_server, path, offset=offset, limit=200):
            texts.append(json.dumps(page))
            offset += len(page)
    assert len("".join(texts)) > 100_000
    assert not [text[:200] for text in texts if KEY in text]


def test_progress_cost_and_retries_are_on_the_runs_page(kodforge, prefect_server, teacher, tmp_path):
    options = sets(**PRICED, teachers__author__base_url=teacher.url, store=tmp_path)
    done = kodforge("run", *options)
    assert done.returncode == 0
    (run,) = [
        one for one in api(prefect_server, "/flow_runs/filter", sort="START_TIME_DESC") if one["name"] == "build small"
    ][:1]
    artifacts = {
        one["key"]: one for one in api(prefect_server, "/artifacts/filter", sort="CREATED_DESC", limit=50)[::-1]
    }
    cost = json.loads(artifacts["cost"]["data"])
    assert artifacts["cost"]["flow_run_id"] == run["id"]
    assert cost[-1]["stage"] == "total"
    assert cost[-1]["cost"] == f"${spent(tmp_path):.4f}"
    assert "Per accepted row" in artifacts["cost"]["description"]
    progress = artifacts["questions-progress"]
    assert progress["data"] == 100.0
    for text in ("4 of 4 shards", "answers", "tokens", "$"):
        assert text in progress["description"]
    assert "answers (" in done.stdout + done.stderr


WORKER = """
import sys
from tasks.settings import Endpoint, RateLimits, Sampling
from tasks.teachers.cache import open_cache
from tasks.teachers.client import TeacherClient
from tasks.teachers.requests import ChatRequest
url, path, first, limits = sys.argv[1], sys.argv[2], int(sys.argv[3]), RateLimits.model_validate_json(sys.argv[4])
client = TeacherClient(Endpoint(base_url=url, model="m", max_in_flight=8, limits=limits), open_cache(path))
requests = [ChatRequest(messages=(("user", str(n)),), sampling=Sampling(), seed=0) for n in range(first, first + 15)]
client.ask_all(requests)
client.close()
"""


def run_workers(server: PrefectServer, url: str, folder: Path, limits: dict[str, str]) -> None:
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, url, str(folder / f"{first}.sqlite"), str(first), json.dumps(limits)],
            cwd=ROOT,
            env=server.env,
        )
        for first in (0, 100)
    ]
    assert [worker.wait(120) for worker in workers] == [0, 0]


def test_workers_share_the_requests_in_flight_of_a_prefect_limit(prefect_server, tmp_path):
    from tests.teachers.test_client import Server, good

    api(prefect_server, "/v2/concurrency_limits/", name="three-at-once", limit=3)
    server = Server(lambda prompt, visit: (time.sleep(0.05), good(prompt, visit))[1])
    run_workers(prefect_server, server.url, tmp_path, {"global_in_flight": "three-at-once"})
    server.server.shutdown()
    assert sum(server.visits.values()) == 30
    assert 2 <= server.most <= 3


def test_workers_share_the_rate_of_a_prefect_limit(prefect_server, tmp_path):
    from tests.teachers.test_client import Server, good

    api(prefect_server, "/v2/concurrency_limits/", name="six-per-second", limit=6, slot_decay_per_second=6)
    came: list[float] = []
    server = Server(lambda prompt, visit: (came.append(time.monotonic()), good(prompt, visit))[1])
    run_workers(prefect_server, server.url, tmp_path, {"global_rate": "six-per-second"})
    server.server.shutdown()
    assert len(came) == 30
    # Six at once, then six per second: 24 more take four seconds.
    assert max(came) - min(came) > 3


def test_a_limit_that_does_not_exist_is_named_before_any_work(kodforge, teacher, tmp_path):
    options = sets(**SMALL, teachers__author__base_url=teacher.url, store=tmp_path)
    done = kodforge("run", *options, *sets(teachers__author__limits__global_rate="nowhere"))
    assert done.returncode == 1
    assert "prefect gcl create nowhere --limit 10 --slot-decay-per-second 10" in done.stderr
    assert not teacher.requests()


@pytest.mark.slow
def test_the_whole_dag_on_a_real_model(kodforge, tmp_path):
    """SmolLM2 on this machine's CPU: real passes and real mistakes, and every row accounted for."""
    options = sets(
        store=tmp_path,
        only="[Data_Structure,Prefill]",
        subsets__Prefill__count=6,
        subsets__Data_Structure__count=2,
        verification__attempts=2,
        teachers__author__chat_template="server",
    )
    done = kodforge("run", "--profile", "local", *options)
    # So small a model may well solve none of eight; that is then said, and all stages have run all the same.
    nothing = "has no row to release" in done.stderr
    assert done.returncode == int(nothing), done.stdout[-3000:] + done.stderr[-3000:]
    manifests = {
        stage: json.loads((tmp_path / "local" / stage / "manifest.json").read_text())
        for stage in ("seeds", "prompts", "questions", "attempts", "triplets", "curated")
    }
    assert manifests["prompts"]["rows_out"] == manifests["questions"]["rows_in"] == 8
    for manifest in manifests.values():
        assert manifest["rows_in"] == manifest["rows_out"] + manifest["rejected"]
    assert "SmolLM2" in json.dumps(
        [
            row["call"]
            for path in (tmp_path / "local/questions").glob("*.parquet")
            for row in pq.read_table(path).to_pylist()
        ]
    )
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert "tasks.teachers.local" not in listed


def test_a_budget_that_is_too_small_for_one_row_says_so(kodforge, teacher, tmp_path):
    options = sets(**SMALL, teachers__author__base_url=teacher.url, store=tmp_path)
    done = kodforge("run", *options, *sets(budget__tokens=100))
    assert done.returncode == 1
    assert "budget was reached before the first was done" in done.stderr
    assert not teacher.requests()
