"""The whole DAG on several hosts: the same release byte for byte, though a host is lost on the way."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator

import pytest

from tasks.teachers.cache import open_cache
from tests.engines.clusters import BLOCK, BUCKET, ENGINES, Site, site
from tests.flows.test_resume import IN_FLIGHT, QUICK, release_files
from tests.processes import Teacher, running_teacher, sets

ALIKE = {
    **QUICK,
    "sandbox__backend": "bubblewrap",
    "teachers__reasoners__demo__kind": "openai",
}


def at(teacher: Teacher) -> dict[str, str]:
    """All roles at one teacher."""
    return {"teachers__author__base_url": teacher.url, "teachers__reasoners__demo__base_url": teacher.url}


@pytest.fixture(scope="module")
def alone(kodforge, tmp_path_factory) -> tuple[dict[str, bytes], int]:
    """The release of a run on one machine, and how many requests it made."""
    folder = tmp_path_factory.mktemp("alone")
    with running_teacher(folder) as teacher:
        options = sets(**ALIKE, **at(teacher), store=folder / "store")
        done = kodforge("run", *options)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        return release_files(folder / "store"), len(teacher.requests())


@pytest.fixture(scope="module")
def here(tmp_path_factory) -> Iterator[Site]:
    """Hosts for services and for the flow, and two for workers. Ray's sockets are in the folder: its path is short."""
    with site(tmp_path_factory.mktemp("s"), "one", "two", latency_s=0.2) as made:
        yield made


def options_of(here: Site, kind: str, address: str, answers: str) -> list[str]:
    return sets(
        **ALIKE,
        **at(here.teacher),
        store=f"s3://{BUCKET}/{kind}",
        storage__block=BLOCK,
        cache=answers,
        engine__kind=kind,
        engine__address=address,
    )


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["dask", "ray"])
def test_a_run_over_hosts_that_loses_one_makes_the_same_release(kind, alone, here, password):
    release, undisturbed = alone
    here.teacher.log.unlink(missing_ok=True)
    place = here.postgres.create(kind)
    address = ENGINES[kind](here, "one", "two")
    try:
        run = here.kodforge("run", *options_of(here, kind, address, place))
        deadline, answers = time.monotonic() + 400, open_cache(place)
        while len(answers) < 12:
            assert run.poll() is None, here.log("flow")[-4000:]
            assert time.monotonic() < deadline, here.log("flow")[-4000:]
            time.sleep(0.05)
        here.hosts["two"].unplug()
        assert run.wait(400) == 0, here.log("flow")[-6000:]
        assert here.release(f"{kind}/small") == release
    finally:
        here.clear("flow", "one", "two")
    asked = Counter(str(request["key"]) for request in here.teacher.requests() if request["answered"])
    # Twice only what was under way on the host that was lost: answered, and not yet on disk.
    assert sum(count - 1 for count in asked.values()) <= IN_FLIGHT
    assert max(asked.values()) <= 2
    assert len(asked) <= undisturbed
