"""Bad input: a clear error before any teacher call, and nothing overwritten."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator

import pytest

from tests.commands import refusal
from tests.ports import free_port
from tests.processes import Teacher, running_teacher, sets

OPENAI = {"teachers__author__kind": "openai"}


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Teacher]:
    """One for all tests here: no run gets as far as to ask it."""
    with running_teacher(tmp_path_factory.mktemp("teacher")) as made:
        yield made


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"subsets__Nope__count": 1}, "there is no subset 'Nope'. Known are Prefill, Leetcode"),
        ({"licences__allow": "[Free]"}, "licence 'Free' is no SPDX expression"),
        ({"verification__attempts": 0}, "greater than or equal to 1, got 0"),
        ({"only": "[Feedback]", "subsets__Feedback__count": 1}, "subset Feedback has no seeds"),
        (
            {"only": "[Taco]", "subsets__Taco__seeds__path": "/nowhere.jsonl"},
            "'/nowhere.jsonl' does not exist",
        ),
        ({"only": "[Docs]", "subsets__Docs__seeds__include": "[nothing]"}, "no seeds in"),
        (
            {"sandbox__backend": "docker", "sandbox__image": "no-such-image"},
            "kodforge sandbox build|set sandbox.backend to bubblewrap",  # with a daemon, and without one
        ),
    ],
)
def test_wrong_config_is_refused_before_any_teacher_call(prefect_server, teacher, tmp_path, options, message):
    given = sets(**OPENAI, teachers__author__base_url=teacher.url, store=tmp_path / "store", **options)
    assert re.search(message, refusal(prefect_server, "run", *given))
    assert [request for request in teacher.requests() if "completions" in str(request["path"])] == []


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"id": "a", "title": "A"}], "row 1: column 'question' is missing"),
        (None, "line 1: not valid JSON"),
    ],
)
def test_broken_seed_file_is_named_by_row(prefect_server, teacher, tmp_path, rows, message):
    path = tmp_path / "seeds.jsonl"
    path.write_text('{"id": ' if rows is None else "".join(json.dumps(row) + "\n" for row in rows))
    options = sets(
        **OPENAI,
        teachers__author__base_url=teacher.url,
        store=tmp_path / "store",
        only="[Taco]",
        subsets__Taco__seeds__path=path,
    )
    assert message in refusal(prefect_server, "run", *options)
    assert teacher.requests() == []


def test_unreachable_endpoint_is_named(prefect_server, tmp_path):
    url = f"http://127.0.0.1:{free_port()}/v1"
    told = refusal(prefect_server, "run", *sets(**OPENAI, teachers__author__base_url=url, store=tmp_path))
    assert url in told
    assert "cannot be reached" in told


def test_unset_key_variable_is_named(prefect_server, teacher, tmp_path):
    options = sets(
        **OPENAI,
        teachers__author__base_url=teacher.url,
        teachers__author__api_key_env="NO_SUCH_KEY",
        store=tmp_path,
    )
    assert "NO_SUCH_KEY" in refusal(prefect_server, "run", *options)


def test_unwritable_store_is_named(prefect_server, tmp_path):
    (tmp_path / "file").write_text("")
    assert "is not writable" in refusal(prefect_server, "run", *sets(store=tmp_path / "file" / "store"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_read_only_store_is_named(prefect_server, tmp_path):
    tmp_path.chmod(0o500)
    assert "is not writable" in refusal(prefect_server, "run", *sets(store=tmp_path / "store"))


def test_release_folder_of_another_run_is_left_alone(kodforge, teacher, tmp_path):
    release = tmp_path / "release"
    release.mkdir()
    manifest = json.dumps({"run": "theirs", "rows": {"train": 1}})
    (release / "release.json").write_text(manifest)
    options = sets(**OPENAI, teachers__author__base_url=teacher.url, store=tmp_path / "store", release__path=release)
    done = kodforge("run", *options)
    assert done.returncode == 1
    assert "already holds the release of run 'theirs'" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert teacher.requests() == []
    assert (release / "release.json").read_text() == manifest
    assert sorted(path.name for path in release.iterdir()) == ["release.json"]


def test_release_folder_with_other_files_is_left_alone(prefect_server, tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    told = refusal(prefect_server, "run", *sets(store=tmp_path / "store", release__path=tmp_path))
    assert "no release of kodforge" in told
