"""`kodforge doctor`: each part by name, what is wrong with it, and what to do."""

from __future__ import annotations

from tests.ports import free_port
from tests.processes import sets


def test_everything_all_right(kodforge, tmp_path):
    done = kodforge("doctor", *sets(store=tmp_path / "store"))
    assert done.returncode == 0, done.stdout
    for part in ("python", "prefect", "store", "answers", "seeds", "endpoint", "bubblewrap"):
        assert f"ok    {part}:" in done.stdout
    assert "demo teacher, started with the run" in done.stdout


def test_what_is_wrong_is_named_with_what_to_do(kodforge, tmp_path):
    dead = f"http://127.0.0.1:{free_port()}"
    (tmp_path / "file").write_text("")
    options = sets(
        store=tmp_path / "file" / "store", teachers__author__base_url=f"{dead}/v1", teachers__author__api_key_env=""
    )
    done = kodforge("doctor", "--profile", "pilot", *options, env={"PREFECT_API_URL": f"{dead}/api"})
    assert done.returncode == 1
    for text in (
        "wrong prefect:",
        "prefect server start",
        "wrong store:",
        "wrong endpoint:",
        "cannot be reached",
        "ok    seeds",
    ):
        assert text in done.stdout


def test_wanted_docker_image_that_is_missing_is_wrong(kodforge, tmp_path):
    options = sets(store=tmp_path, sandbox__backend="docker", sandbox__image="kodforge-no-such-image")
    done = kodforge("doctor", *options)
    assert done.returncode == 1
    assert "wrong docker:" in done.stdout


def test_leases_that_a_restart_of_the_server_loses_are_named(kodforge, tmp_path):
    done = kodforge("doctor", *sets(store=tmp_path))
    assert "none  leases: the Prefect server keeps the leases of concurrency limits in memory" in done.stdout
    assert "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE=" in done.stdout
    assert "ok    task runs: in groups of 100" in done.stdout
