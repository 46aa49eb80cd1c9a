"""``kodforge deploy`` against a real server: what it makes, that it changes nothing twice, and what is in its way."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
import yaml
from click.testing import Result

from tests.commands import invoked
from tests.processes import ROOT, PrefectServer, console, running_server

Deploy = Callable[..., Result]

KEY = "sk-of-nobody-4711"
HOOK = "https://hooks.nowhere.invalid/services/T0/B0/token-of-nobody"
ENV = {"KODFORGE_TEST_KEY": KEY, "KODFORGE_TEST_HOOK": HOOK}
PROFILE = {
    "run": "mine",
    "subsets": {"Prefill": {"count": 3}},
    "teachers": {
        "author": {
            "base_url": "https://host.invalid/v1",
            "model": "m",
            "api_key_block": "author-key",
            "limits": {"requests_per_minute": 300, "global_rate": "author-rate", "global_in_flight": "author-slots"},
        }
    },
    "release": {"hub": {"token_block": "hub-token", "token_env": "KODFORGE_TEST_TOKEN"}},
}


@pytest.fixture(scope="module")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    """One that has nothing yet, and whose automations watch over no other test's runs."""
    with running_server(tmp_path_factory.mktemp("prefect")) as server:
        yield server


@pytest.fixture(scope="module")
def api(prefect_server: PrefectServer) -> Iterator[httpx.Client]:
    with prefect_server.api() as client:
        yield client


@pytest.fixture(scope="module")
def deploy(prefect_server: PrefectServer) -> Deploy:
    def call(*given: str, env: dict[str, str] | None = None, url: str = prefect_server.url) -> Result:
        return invoked(url, "deploy", *given, env=env)

    return call


def counts(done: Result) -> str:
    assert done.exit_code == 0, done.output + repr(done.exception)
    return next(line for line in done.output.splitlines() if line.endswith(" unchanged"))


def prefect_file(folder: Path, **changed: object) -> Path:
    """A prefect.yaml with one deployment, whose profile names blocks and limits."""
    profile = folder / "profile.yaml"
    profile.write_text(yaml.safe_dump(PROFILE))
    entry = {
        "name": "mine",
        "entrypoint": "flows.build_dataset.build_dataset",
        "parameters": {"config": {"profile": str(profile)}},
        "tags": ["kodforge"],
        "schedules": [{"cron": "0 3 * * *"}],
        "concurrency_limit": {"limit": 1, "collision_strategy": "CANCEL_NEW"},
        **changed,
    }
    file = folder / "prefect.yaml"
    file.write_text(yaml.safe_dump({"deployments": [entry]}))
    return file


def test_all_of_it_and_then_nothing(deploy, api):
    given = ("--pool", "all", "--secret", "one-key=KODFORGE_TEST_KEY", "--notify", "slack=KODFORGE_TEST_HOOK")
    planned = deploy(*given, "--dry-run", env=ENV)
    assert counts(planned) == "27 to create, 0 to update, 0 unchanged"
    assert not [row for row in api.post("/work_pools/filter", json={}).json() if row["name"] == "all"]

    made = deploy(*given, env=ENV)
    assert counts(made) == "27 created, 0 updated, 0 unchanged"
    again = deploy(*given, env=ENV)
    assert counts(again) == "0 created, 0 updated, 27 unchanged"
    assert KEY not in planned.output + made.output + again.output
    assert "token-of-nobody" not in planned.output + made.output + again.output

    template = api.get("/work_pools/all").json()["base_job_template"]
    env = template["variables"]["properties"]["env"]["default"]
    assert env["KODFORGE_TEST_KEY"] == "{{ prefect.blocks.secret.one-key }}"
    assert env["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"] == "30"
    shown = api.get("/block_types/slug/slack-webhook/block_documents/name/kodforge-slack").json()
    assert "token-of-nobody" not in json.dumps(shown)


def test_what_was_switched_off_stays_off(deploy, api):
    """A paused automation, a schedule that is off, and a limit that somebody set; what else differs is put right."""
    deploy("--pool", "kept", "--only", "pilot-nightly")
    found = api.get("/deployments/name/build-dataset/pilot-nightly").json()
    schedule = found["schedules"][0]
    api.patch(f"/deployments/{found['id']}/schedules/{schedule['id']}", json={"active": False}).raise_for_status()
    api.patch(f"/deployments/{found['id']}", json={"tags": ["other"]}).raise_for_status()
    automations = {row["name"]: row for row in api.post("/automations/filter", json={}).json()}
    late = automations["kodforge: late runs"]
    api.patch(f"/automations/{late['id']}", json={"enabled": False}).raise_for_status()

    done = deploy("--pool", "kept", "--only", "pilot-nightly", "--restarts", "5")
    assert counts(done) == "0 created, 2 updated, 6 unchanged"
    found = api.get("/deployments/name/build-dataset/pilot-nightly").json()
    assert found["tags"] == ["kodforge", "pilot"]
    assert found["schedules"][0]["active"] is False
    automations = {row["name"]: row for row in api.post("/automations/filter", json={}).json()}
    assert automations["kodforge: late runs"]["enabled"] is False
    assert len(automations["kodforge: crashed runs go on"]["trigger"]["match"]["prefect.run-count"]) == 5


def test_what_is_left_out_stays_as_an_earlier_deploy_had_it(deploy, api, tmp_path):
    one = ("--only", "verify")
    bounds = ("--zombie-after", "100", "--restarts", "1", "--stuck-after", "7")
    first = deploy(
        *one,
        *bounds,
        *("--pool", "left", "--directory", str(tmp_path), "--env", "SOME=1", "--notify", "slack=KODFORGE_TEST_HOOK"),
        env=ENV,
    )
    assert first.exit_code == 0, first.output
    assert counts(deploy(*one)).startswith("0 created, 0 updated")
    found = api.get("/deployments/name/verify-triplets/verify").json()
    assert found["work_pool_name"] == "left"
    assert found["pull_steps"][0]["prefect.deployments.steps.set_working_directory"]["directory"] == str(tmp_path)

    def told() -> dict[str, list[str]]:
        automations = api.post("/automations/filter", json={}).json()
        return {one["name"]: [action["type"] for action in one["actions"]] for one in automations}

    assert told()["kodforge: failed runs"] == ["send-notification"]
    more = deploy(*one, "--restarts", "2")
    assert counts(more).startswith("0 created, 1 updated")
    assert told()["kodforge: failed runs"] == ["send-notification"]
    assert deploy(*one, "--notify", "none").exit_code == 0
    assert told()["kodforge: failed runs"] == ["do-nothing"]

    deploy("--only", "curate", "--pool", "another")
    both = deploy("--only", "curate", *one)
    assert both.exit_code == 1
    assert "several values of --pool: another, left. Say which with --pool" in str(both.exception)


def test_blocks_and_limits_that_a_profile_names(deploy, api, tmp_path):
    file = prefect_file(tmp_path)
    given = ("--pool", "named", "--file", str(file))
    missing = deploy(*given)
    assert missing.exit_code == 1
    assert "Secret block 'author-key', which is not there" in str(missing.exception)
    assert "--secret author-key=VARIABLE" in str(missing.exception)

    env = {**ENV, "KODFORGE_TEST_TOKEN": "hf-of-nobody"}
    done = deploy(*given, "--secret", "author-key=KODFORGE_TEST_KEY", env=env)
    assert done.exit_code == 0, done.output
    limits = {row["name"]: row for row in api.post("/v2/concurrency_limits/filter", json={}).json()}
    assert limits["author-rate"]["slot_decay_per_second"] == 5
    assert (limits["author-slots"]["limit"], limits["author-slots"]["slot_decay_per_second"]) == (32, 0)
    for block, value in (("author-key", KEY), ("hub-token", "hf-of-nobody")):
        query = {"include_secrets": "true"}
        document = api.get(f"/block_types/slug/secret/block_documents/name/{block}", params=query).json()
        assert document["data"]["value"] == value
    deployment = api.get("/deployments/name/build-dataset/mine").json()
    assert deployment["concurrency_options"]["collision_strategy"] == "CANCEL_NEW"

    api.patch("/v2/concurrency_limits/author-slots", json={"limit": 7}).raise_for_status()
    assert counts(deploy(*given)).startswith("0 created, 0 updated")  # the blocks are there, and named by the profile


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("--secret", "a-key=NOT_SET_ANYWHERE"), "variable 'NOT_SET_ANYWHERE', whose value the block 'a-key'"),
        (("--secret", "a-key=sk-1234"), "must name an environment variable"),
        (("--secret", "a-key"), "is not NAME=VALUE"),
        (("--notify", "pigeon=HOME"), "--notify knows slack, teams, webhook, got 'pigeon'"),
        (("--notify", "slack-webhook/nowhere"), "no block 'nowhere' of type 'slack-webhook'"),
        (("--notify", "none", "--notify", "slack=HOME"), "--notify none does not go with slack=HOME"),
        (("--only", "nothing"), "no deployment 'nothing'. It has demo"),
        (("--pool", "default-agent-pool-of-another-type", "--pool-type", "docker"), "has type 'process', not 'docker'"),
        (("--pool-type", "kubernetes", "--sandbox", "docker"), "a pod has no Docker daemon"),
        (("--zombie-after", "5"), "greater than or equal to 40"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_made(deploy, api, given, told):
    name = "default-agent-pool-of-another-type"
    if name in given:
        api.post("/work_pools/", json={"name": name, "type": "process"}).raise_for_status()
    before = [row["name"] for row in api.post("/work_pools/filter", json={}).json()]
    done = deploy(*(() if "--pool" in given else ("--pool", "wrong")), "--directory", str(ROOT), *given)
    assert done.exit_code == 1
    assert told in " ".join(str(done.exception).split())
    assert [row["name"] for row in api.post("/work_pools/filter", json={}).json()] == before


def test_a_profile_that_is_not_there_is_told(deploy, tmp_path):
    done = deploy("--file", str(prefect_file(tmp_path, parameters={"config": {"profile": "nowhere.yaml"}})))
    assert done.exit_code == 1
    assert "the parameters of the deployment 'mine' are wrong" in str(done.exception)
    assert "nowhere.yaml" in str(done.exception)


@pytest.mark.parametrize(
    ("url", "told"), [("", "PREFECT_API_URL names no Prefect server"), ("http://127.0.0.1:9/api", "does not answer")]
)
def test_no_server(deploy, url, told):
    done = deploy(url=url)
    assert done.exit_code == 1
    assert told in str(done.exception)


def test_from_another_folder(prefect_server, api, tmp_path):
    """The command itself: flows are found by module, and runs start in the folder that was given."""
    kodforge = console(prefect_server)
    done = kodforge("deploy", "--pool", "elsewhere", "--only", "source", "--directory", str(tmp_path))
    assert done.returncode == 0, done.stderr
    found = api.get("/deployments/name/source-questions/source").json()
    place = {"prefect.deployments.steps.set_working_directory": {"directory": str(tmp_path)}}
    assert found["pull_steps"] == [place]
    assert not (ROOT / found["entrypoint"]).exists()
    wrong = kodforge("deploy", "--secret", "a-key=sk-1234")
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert "sk-1234" not in wrong.stderr
