"""All that a run on several hosts needs, each on a host of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import fsspec

from tests.engines.database import PASSWORD, Postgres, running_postgres
from tests.engines.hosts import Host, hosts
from tests.processes import QUIET, Teacher, wait_for

BUCKET, BLOCK = "kodforge-test", "store-keys"
KEYS = {"key": "test", "secret": "test"}
"""Of the object store; the hosts have them from a block of Prefect's, and nowhere else."""
SAVE = """
import json, sys
from prefect.blocks.system import Secret
Secret(value=json.loads(sys.argv[2])).save(sys.argv[1])
"""
MOST_STARTS = 8
# A lost host is missed soon, a busy one is not taken for lost: the first task has a process import all of kodforge.
PATIENCE = {
    "DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "60s",
    "RAY_AUTH_MODE": "disabled",
    "RAY_health_check_period_ms": "2000",
}


@dataclass
class Site:
    """Hosts `services` (Prefect, PostgreSQL, S3, a teacher), `flow`, and those of the workers.

    Attributes:
        env: of every process of a run.
        store: address of the object store.
    """

    folder: Path
    hosts: dict[str, Host]
    env: dict[str, str]
    store: str
    postgres: Postgres
    teacher: Teacher

    @property
    def s3(self) -> fsspec.AbstractFileSystem:
        return fsspec.filesystem("s3", endpoint_url=self.store, skip_instance_cache=True, **KEYS)

    def start(self, host: str, *command: str, **env: str) -> subprocess.Popen[bytes]:
        """Start a Python program on a host, with a Prefect home of the host's own."""
        home = self.folder / host
        home.mkdir(exist_ok=True)
        own = {"PREFECT_HOME": str(home), "PREFECT_PROFILES_PATH": str(home / "profiles.toml")}
        return self.hosts[host].start(*command, env={**self.env, **own, **env}, log=self.folder / f"{host}.log")

    def log(self, host: str) -> str:
        return (self.folder / f"{host}.log").read_text(errors="replace")

    def wait_until(self, host: str, text: str) -> None:
        """Wait for a text in the output of a host."""
        deadline = time.monotonic() + 240
        while text not in self.log(host):
            assert time.monotonic() < deadline, self.log(host)[-4000:]
            time.sleep(0.1)

    def clear(self, *names: str) -> None:
        """End all that runs on these hosts, and forget what it said."""
        for name in names:
            self.hosts[name].clear()
            (self.folder / f"{name}.log").unlink(missing_ok=True)

    def kodforge(self, *arguments: str) -> subprocess.Popen[bytes]:
        """The console command on the host `flow`."""
        return self.start("flow", "-m", "flows.cli", *arguments, COLUMNS="200")

    def release(self, place: str) -> dict[str, bytes]:
        """The files of a release in the object store."""
        root = f"{BUCKET}/{place}/release"
        fs = self.s3
        return {path.removeprefix(f"{root}/"): fs.cat_file(path) for path in fs.find(root)}


@contextmanager
def site(folder: Path, *workers: str, latency_s: float = 0.0) -> Iterator[Site]:
    """All services, running; the cluster is for the test to start."""
    with hosts("services", "flow", *workers) as made:
        services = made["services"]
        at = services.address
        env = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "AWS_"))},
            **QUIET,
            **PATIENCE,
            "PREFECT_API_URL": f"http://{at}:4200/api",
            "PGPASSWORD": PASSWORD,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        with running_postgres(host=at, namespace=services.enter) as postgres:
            log = folder / "requests.jsonl"
            here = Site(folder, made, env, f"http://{at}:5000", postgres, Teacher(f"http://{at}:8123/v1", log))
            started: dict[str, subprocess.Popen[bytes]] = {}
            prefect = ["-m", "prefect", "server", "start", "--host", "0.0.0.0", "--port", "4200"]
            started[f"{env['PREFECT_API_URL']}/health"] = here.start("services", *prefect)
            moto = "import sys; from moto.server import main; main(sys.argv[1:])"
            started[here.store] = here.start("services", "-c", moto, "-H", "0.0.0.0", "-p", "5000")
            teacher = ["demo-teacher", "--host", "0.0.0.0", "--log", str(log), "--latency", str(latency_s)]
            started[f"{here.teacher.url}/models"] = here.start("services", "-m", "flows.cli", *teacher)
            for url, process in started.items():
                wait_for(url, process, 300)
            log.unlink(missing_ok=True)
            here.s3.mkdir(BUCKET)
            options = {"s3": {**KEYS, "endpoint_url": here.store, "client_kwargs": {"region_name": "us-east-1"}}}
            assert here.start("flow", "-c", SAVE, BLOCK, json.dumps(options)).wait(300) == 0, here.log("flow")
            yield here


def dask(here: Site, *workers: str, threads: int = 2) -> str:
    """Start a scheduler on the host `flow`, and a worker process on each of the others; the scheduler's address."""
    at = here.hosts["flow"].address
    quiet = ["--no-dashboard"]
    here.start("flow", "-m", "distributed.cli.dask_scheduler", "--host", at, "--port", "8786", *quiet)
    here.wait_until("flow", "Scheduler at:")
    for name in workers:
        place = ["--host", here.hosts[name].address, "--local-directory", str(here.folder / name)]
        count = ["--nworkers", "1", "--nthreads", str(threads)]
        here.start(name, "-m", "distributed.cli.dask_worker", f"tcp://{at}:8786", *place, *count, *quiet)
    for name in workers:
        here.wait_until(name, "Registered to:")
    return f"tcp://{at}:8786"


def ray(here: Site, *workers: str) -> str:
    """Start a head on the host `flow`, without cores for tasks, and a node on each of the others; its address."""
    at = here.hosts["flow"].address
    start = [str(Path(sys.executable).parent / "ray"), "start", "--block", "--disable-usage-stats"]
    head = ["--head", f"--node-ip-address={at}", "--port=6379", "--num-cpus=0", "--include-dashboard=false"]
    here.start("flow", *start, *head, f"--temp-dir={here.folder}/ray")
    here.wait_until("flow", "Ray runtime started")
    for name in workers:
        own = f"--node-ip-address={here.hosts[name].address}"
        node = here.start(name, *start, f"--address={at}:6379", own, "--num-cpus=2")
        while "Ray runtime started" not in here.log(name):  # a node gives up after 30 s, which a busy machine takes
            assert here.log(name).count("timed out during startup") < MOST_STARTS, here.log(name)[-4000:]
            if node.poll() is not None:
                node = here.start(name, *start, f"--address={at}:6379", own, "--num-cpus=2")
            time.sleep(0.5)
    return f"{at}:6379"


Engine = Callable[..., str]
ENGINES: dict[str, Engine] = {"dask": dask, "ray": ray}
