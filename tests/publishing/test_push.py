"""Pushing a release to the hub: a stand-in on loopback, asked by the hub's own client."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys

import huggingface_hub
import pytest
from prefect.logging import disable_run_logger

from tasks.errors import BadInput
from tasks.publishing import push as pushing
from tasks.publishing.folder import opened
from tasks.publishing.push import HubUnavailable, check_hub, push, token_of
from tasks.publishing.stage import push_release
from tasks.run import Run
from tasks.settings.stages import Hub
from tests.publishing.hub import TOKEN, Repository, WritableHub
from tests.publishing.rows import current, only_rows, row
from tests.sourcing.hub import serving

ROWS = [row(f"q{number}") for number in range(4)]
NAME = "lab/verified"


@pytest.fixture
def hub(monkeypatch, tmp_path):
    made = WritableHub()
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
    monkeypatch.setattr(pushing, "_DELAY_S", 0.01)
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with serving(made) as address:
        monkeypatch.setenv("HF_ENDPOINT", address)
        yield made


@pytest.fixture
def release(publishing, tmp_path):
    publishing(ROWS, sets=["sft"])
    return tmp_path / "release"


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_is_released_is_on_the_hub_under_its_version(hub, release):
    (current(release) / "notes.txt").write_text("mine")
    done = push(str(release), NAME, TOKEN)
    assert done.is_new and done.message.endswith(f"datasets/{NAME}")
    repository = hub.repositories[NAME]
    assert not repository.private
    oid, there = repository.at("v1.0.0")
    assert oid == repository.commits[-1][0]
    released = files(current(release))
    del released["notes.txt"]
    assert {name: data for name, data in there.items() if name != ".gitattributes"} == released


def test_datasets_reads_what_was_pushed(hub, release, tmp_path):
    push(str(release), NAME, TOKEN)
    code = (
        "import sys, datasets\n"
        "for config in ('default', 'sft'):\n"
        "    rows = datasets.load_dataset(sys.argv[1], config, split='train', revision='v1.0.0')\n"
        "    print(len(rows), rows[0]['question_id'])\n"
    )
    environment = {**os.environ, "HF_HOME": str(tmp_path / "home"), "HF_TOKEN": TOKEN, "HF_HUB_DISABLE_XET": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code, NAME], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout.splitlines() == ["4 q0", "4 q0"], done.stderr[-2000:]


def test_the_commands_push_and_compare_with_what_is_on_the_hub(hub, publishing, release, tmp_path):
    environment = {**os.environ, "HF_HOME": str(tmp_path / "home"), "HF_TOKEN": TOKEN, "HF_HUB_DISABLE_XET": "1"}

    def kodforge(*arguments):
        command = [sys.executable, "-m", "flows.cli", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)

    pushed = kodforge("push", str(release), "--to", NAME, "--private")
    assert pushed.returncode == 0 and "pushed version 1.0.0" in pushed.stdout, pushed.stderr
    assert TOKEN not in pushed.stdout + pushed.stderr
    publishing([*ROWS, row("q9")], sets=["sft"])
    done = kodforge("diff", f"hf://datasets/{NAME}@v1.0.0", str(release), "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["change"], found["rows"]["added"]) == ("minor", 1)
    nothing = kodforge("diff", f"hf://datasets/{NAME}@v9.9.9", str(release))
    assert nothing.returncode == 1 and nothing.stderr.startswith("error: ")


def test_the_same_version_is_pushed_once(hub, release):
    push(str(release), NAME, TOKEN)
    asked = hub.asked["commit"], hub.asked["upload"]
    again = push(str(release), NAME, TOKEN)
    assert not again.is_new and "already has version 1.0.0" in again.message
    assert (hub.asked["commit"], hub.asked["upload"]) == asked


def test_the_next_version_replaces_the_files_and_keeps_the_tag(hub, publishing, release, tmp_path):
    push(str(release), NAME, TOKEN)
    publishing([*ROWS, row("q9")])
    push(str(release), NAME, TOKEN)
    repository = hub.repositories[NAME]
    assert set(repository.tags) == {"v1.0.0", "v2.0.0"}
    assert set(repository.at("v2.0.0")[1]) - {".gitattributes"} == set(files(current(release)))
    assert "sft/train-00000-of-00001.parquet" in repository.at("v1.0.0")[1]
    old = str(release / "1.0.0")
    assert not push(old, NAME, TOKEN).is_new


def test_other_content_under_a_version_that_is_taken_is_refused(hub, publishing, release, tmp_path):
    push(str(release), NAME, TOKEN)
    publishing(ROWS[:2], folder=tmp_path / "other")
    with pytest.raises(BadInput, match=r"lab/verified has a tag v1.0.0 with other content.*--set release.version"):
        push(str(tmp_path / "other"), NAME, TOKEN)
    assert len(hub.repositories[NAME].commits) == 2


def test_a_repository_of_something_else_is_left_as_it_is(hub, release):
    mine = {"README.md": b"# Mine", ".gitattributes": b"", "weights.bin": b"1"}
    hub.repositories[NAME] = Repository(False, [("1" * 40, mine)])
    with pytest.raises(BadInput, match=r"lab/verified holds files that are no release of kodforge \(weights.bin"):
        push(str(release), NAME, TOKEN)
    assert hub.repositories[NAME].at("main")[1] == mine


def test_a_repository_that_was_made_by_hand_is_taken(hub, release):
    hub.repositories[NAME] = Repository(False, [("1" * 40, {"README.md": b"# Soon", ".gitattributes": b""})])
    assert push(str(release), NAME, TOKEN).is_new


def test_a_repository_that_is_made_may_be_private(hub, release):
    push(str(release), NAME, TOKEN, private=True)
    assert hub.repositories[NAME].private


@pytest.mark.parametrize("kind", ["create", "refs", "preupload", "batch", "upload", "verify", "commit", "tag", "tree"])
def test_a_failure_that_passes_is_tried_again(hub, release, kind):
    hub.fails[kind] = 1
    push(str(release), NAME, TOKEN)
    assert hub.asked[kind] > 1
    assert set(hub.repositories[NAME].tags) == {"v1.0.0"}


def test_a_tag_that_was_made_though_the_answer_was_lost_counts(hub, release):
    hub.loses["tag"] = 1
    assert push(str(release), NAME, TOKEN).is_new
    repository = hub.repositories[NAME]
    assert repository.tags == {"v1.0.0": repository.commits[-1][0]}


def test_a_tag_that_another_push_took_meanwhile_is_told(release, hub, monkeypatch):
    class Rival(WritableHub):
        async def _tag(self, request):
            self._repository(request).tags["v1.0.0"] = "0" * 40
            return await super()._tag(request)

    with serving(Rival()) as address:
        monkeypatch.setenv("HF_ENDPOINT", address)
        with pytest.raises(BadInput, match=r"lab/verified has a tag v1.0.0 with other content"):
            push(str(release), NAME, TOKEN)


def test_a_push_that_was_interrupted_sends_nothing_twice(hub, release, monkeypatch):
    monkeypatch.setattr(pushing, "_TRIES", 1)
    hub.fails["tag"] = 1
    with pytest.raises(HubUnavailable, match=r"failed to tag the version, 1 times \(HTTP 503: overloaded\)"):
        push(str(release), NAME, TOKEN)
    uploads = hub.asked["upload"]
    assert push(str(release), NAME, TOKEN).is_new
    assert hub.asked["upload"] == uploads
    assert len(hub.repositories[NAME].commits) == 2


def test_a_hub_that_keeps_failing_or_is_not_there_is_told(hub, release, monkeypatch):
    hub.fails["create"] = 99
    with pytest.raises(HubUnavailable, match="failed to create the repository, 4 times"):
        push(str(release), NAME, TOKEN)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(HubUnavailable, match="create the repository"):
        push(str(release), NAME, TOKEN)


def test_a_token_that_is_refused_is_told_and_not_shown(hub, release, caplog):
    with caplog.at_level(logging.DEBUG), pytest.raises(BadInput, match=r"refuses to .* with this token") as caught:
        push(str(release), NAME, "hf_wrong-token")
    assert "hf_wrong-token" not in str(caught.value) + caplog.text + repr(caught.value.__cause__)
    assert hub.asked["create"] == 1
    with pytest.raises(BadInput, match=r"HTTP 403.*rights to create.*may write to the repository"):
        push(str(release), "others/set", TOKEN)


def test_without_a_token_nothing_is_asked(hub, release):
    with pytest.raises(BadInput, match=r"no token for the Hugging Face hub. Set HF_TOKEN"):
        push(str(release), NAME, None)
    assert not hub.asked


@pytest.mark.parametrize("name", ["verified", "a/b/c", "", "lab/ver ified", "../x/y"])
def test_a_name_that_is_no_repository_is_refused(hub, release, name):
    with pytest.raises(BadInput, match="is no repository of the hub"):
        push(str(release), name, TOKEN)
    assert not hub.asked


@pytest.mark.parametrize("change", ["changed", "missing"])
def test_a_release_whose_checksums_do_not_hold_is_refused(hub, release, change):
    path = current(release) / "README.md"
    path.unlink() if change == "missing" else path.write_text("other")
    with pytest.raises(BadInput, match=r"lacks 'README.md'|README.md was changed after it was released"):
        push(str(release), NAME, TOKEN)
    assert not hub.asked


def test_a_release_that_its_policy_refuses_is_not_pushed(hub, release):
    told = json.loads((release / "release.json").read_text())
    told["licensing"]["deny"] = ["permissive"]
    (release / "release.json").write_text(json.dumps(told))
    with pytest.raises(BadInput, match="may not be published"):
        push(str(release), NAME, TOKEN)
    assert not hub.asked


def test_a_release_on_an_object_store_is_pushed(hub, publishing):
    publishing(ROWS, folder="memory://bucket/pushed")
    push("memory://bucket/pushed", NAME, TOKEN)
    store, manifest = opened("memory://bucket/pushed")
    there = hub.repositories[NAME].at("v1.0.0")[1]
    assert {name: store.read(*name.split("/")) for name in manifest.files} == {
        name: there[name] for name in manifest.files
    }


def test_a_run_pushes_where_its_config_says(hub, publishing, monkeypatch, tmp_path):
    monkeypatch.setenv("LAB_TOKEN", TOKEN)
    settings = {"push": NAME, "hub": {"private": True, "token_env": "LAB_TOKEN"}}
    publishing(ROWS, **settings)
    release = {"path": str(tmp_path / "release"), "title": "Small", **settings}
    config = only_rows(tmp_path, "r", release)
    with disable_run_logger():
        told = push_release.fn(Run(config=config, teachers=config.teachers))
    assert told.startswith("pushed version 1.0.0 to http://127.0.0.1")
    assert hub.repositories[NAME].private
    files_there = hub.repositories[NAME].at("v1.0.0")[1]
    assert not [name for name, data in files_there.items() if b"LAB_TOKEN" in data]


def test_the_token_is_that_of_the_variable_that_the_config_names(hub, monkeypatch, tmp_path):
    monkeypatch.setenv("LAB_TOKEN", TOKEN)
    assert token_of(Hub(token_env="LAB_TOKEN")) == TOKEN
    assert token_of(Hub()) is None
    config = only_rows(tmp_path, "r", {"push": NAME, "hub": {"token_env": "LAB_TOKEN"}})
    assert check_hub(config) == f"{NAME}, as writer"
    assert TOKEN in hub.tokens
    with pytest.raises(BadInput, match="no token"):
        check_hub(only_rows(tmp_path, "r", {"push": NAME}))
    assert check_hub(only_rows(tmp_path, "r", {})) == "nothing is pushed"
