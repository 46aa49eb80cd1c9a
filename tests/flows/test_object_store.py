"""A whole run on S3, killed and gone on with: the release of a run on a local folder, byte for byte."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid

import pytest

from tasks.publishing.folder import opened
from tests.flows.test_resume import QUICK, answered, release_files
from tests.processes import ROOT, running_teacher, sets
from tests.stores.s3 import SECRET, client, environment, s3_server

BUCKET = f"kodforge-{uuid.uuid4().hex[:12]}"
"""Of its own for each run of the tests: `datasets` keeps what it read of a URL."""
PREFIX = "runs/small/release/"
PATIENT = {"sandbox__wall_s": 30}
"""Or a busy machine makes time-outs of its own, and another release."""


@pytest.fixture(scope="module")
def s3():
    with s3_server() as address:
        client(address).create_bucket(Bucket=BUCKET)
        yield address


@pytest.fixture(scope="module")
def far(kodforge, prefect_server, s3, tmp_path_factory):
    """The options of a run on S3 that was killed and gone on with, its release, and that of a local run."""
    folder = tmp_path_factory.mktemp("far")
    env = {**prefect_server.env, **environment(s3)}
    with running_teacher(folder) as teacher:
        common = {**QUICK, **PATIENT, "teachers__author__base_url": teacher.url}
        done = kodforge("run", *sets(**common, store=folder / "near"))
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        options = sets(**common, store=f"s3://{BUCKET}/runs", cache=folder / "far/answers.sqlite")
        process = subprocess.Popen(
            [sys.executable, "-m", "flows.cli", "run", *options],
            cwd=ROOT,
            env=env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        deadline = time.monotonic() + 300
        while answered(folder / "far") < 15 and time.monotonic() < deadline:
            assert process.poll() is None, "the run ended before it could be killed"
            time.sleep(0.005)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        done = kodforge("run", *options, env=environment(s3))
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        yield options, _objects(s3), release_files(folder / "near")


def _objects(s3):
    bucket, found = client(s3), {}
    for page in bucket.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=PREFIX):
        for one in page["Contents"]:
            found[one["Key"].removeprefix(PREFIX)] = bucket.get_object(Bucket=BUCKET, Key=one["Key"])["Body"].read()
    return found


@pytest.fixture
def reach(s3, monkeypatch):
    for name, value in environment(s3).items():
        monkeypatch.setenv(name, value)


def test_the_release_is_that_of_a_run_on_a_local_folder(far):
    _, found, near = far
    assert found.keys() == near.keys()
    assert {name for name in near if found[name] != near[name]} == set()
    assert not any(SECRET.encode() in data for data in found.values())


def test_datasets_reads_it_where_it_lies(far, reach, tmp_path, monkeypatch):
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    release = f"s3://{BUCKET}/runs/small/release"
    store, manifest = opened(release)
    rows = datasets.load_dataset("parquet", data_files={"train": f"{store.url}/data/train-*.parquet"}, split="train")
    assert len(rows) == manifest.rows["train"]


def test_commands_take_it(kodforge, far, s3, tmp_path):
    options, _, _ = far
    release = f"s3://{BUCKET}/runs/small/release"
    for arguments in (
        ("diff", f"{release}/1.0.0", release, "--json"),
        ("export", release, "--to", "trl-sft", "--out", str(tmp_path / "out")),
        ("kpis", *options),
        ("usage", *options),
        ("run", *options),
    ):
        done = kodforge(*arguments, env=environment(s3))
        assert done.returncode == 0, (arguments, done.stdout[-1500:] + done.stderr[-1500:])
        assert SECRET not in done.stdout + done.stderr
    wrong = kodforge("run", *options, *sets(store="s3://no-such-bucket/p"), env=environment(s3))
    assert wrong.returncode == 1 and "there is no such bucket" in wrong.stderr, wrong.stdout[-1500:]
