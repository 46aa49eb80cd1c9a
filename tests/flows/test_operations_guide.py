"""The operations guide and the README as a reader follows them: every bash block is run, in order.

The machine is a fresh home with a real Prefect server and a worker; profiles are made small by the environment. A block
under a comment such as ``<!-- needs: docker -->`` is only parsed here, but for those that need PostgreSQL.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import shutil
import sqlite3
import subprocess
import textwrap
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psycopg
import pytest
import yaml

from tests.engines.database import PASSWORD, binaries, running_postgres
from tests.ports import free_port
from tests.processes import LEAST_EFFORT, QUIET, ROOT, running_teacher, stop

GUIDE, README = ROOT / "docs" / "operations.md", ROOT / "README.md"
STAYS = ("prefect server start", "prefect worker start", "kodforge serve-rewards", "kodforge demo-teacher")
"""Commands that do not end by themselves."""
KNOWN = {
    "count": 2,
    "seeds": {"packages": ["algorithms"], "include": ["algorithms/array/garage.py", "algorithms/array/josephus.py"]},
}
"""Seeds that the demo teacher has transcripts for."""
SMALL = {
    "KODFORGE_ONLY": '["Prefill", "Docs"]',
    "KODFORGE_SUBSETS": json.dumps({"Prefill": {"count": 4}, "Docs": {"count": 4}, "Data_Structure": KNOWN}),
    "KODFORGE_SHARD_SIZE": "8",
    "KODFORGE_VERIFICATION": json.dumps({"attempts": 2, "rigour": "fast", "effort": LEAST_EFFORT}),
    "KODFORGE_POST_TRAINING": '{"styles": {"into": []}, "reasoning": {"tries": 1}}',
    "KODFORGE_REPORT": "false",
    "KODFORGE_SANDBOX": '{"backend": "bubblewrap", "slots": 2}',
}
UNREACHABLE = {
    "profile": "demo",
    "run": "unreachable",
    "teachers": {"author": {"kind": "openai", "base_url": "http://127.0.0.1:9/v1"}},
}


@dataclass(frozen=True)
class Block:
    """A bash block of a page, and what it needs beyond a plain machine."""

    page: str
    section: str
    needs: str
    source: str

    def __str__(self) -> str:
        return f"{self.page}: {self.section}: {self.source.splitlines()[0][:60]}"


def blocks(page: Path) -> list[Block]:
    found, section, text = [], "", page.read_text()
    pattern = (
        r"^## (?P<section>.+?)$|(?:^ *<!-- needs: (?P<needs>.+?) -->\n)?"
        r"^(?P<indent> *)```bash\n(?P<source>.*?)^(?P=indent)```"
    )
    for match in re.finditer(pattern, text, re.MULTILINE | re.DOTALL):
        section = match["section"] or section
        if match["source"]:
            found.append(Block(page.name, section, match["needs"] or "", textwrap.dedent(match["source"])))
    return found


BLOCKS = [*blocks(GUIDE), *blocks(README)]


@dataclass
class Machine:
    """A home, and a shell whose variables outlive a block."""

    folder: Path
    env: dict[str, str]
    teacher: str
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)
    release: dict[str, str] = field(default_factory=dict)

    @property
    def api(self) -> str:
        return self.env["PREFECT_API_URL"]

    def fitted(self, source: str) -> str:
        """A block with the addresses of this machine."""
        source = source.replace("http://127.0.0.1:4200/api", self.api).replace("https://host/v1", self.teacher)
        return source.replace("model=NAME", "model=kodforge-demo").replace("--profile pilot", "--profile pilot.yaml")

    def run(self, source: str) -> str:
        """Run a block, with what stays in the background.

        Raises:
            AssertionError: a command failed.
        """
        lines, stays = [], []
        for line in self.fitted(source).splitlines():
            (stays if line.startswith(STAYS) else lines).append(line)
        script = "set -aeuo pipefail\n" + "\n".join(lines) + f"\nenv -0 > {shlex.quote(str(self.folder / 'env'))}\n"
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        assert done.returncode == 0, f"{source}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        after = (self.folder / "env").read_bytes().decode().split("\0")
        self.env = dict(pair.split("=", 1) for pair in after if "=" in pair)
        for line in stays:
            self.start(line.partition("#")[0])
        return done.stdout

    def start(self, command: str) -> None:
        """Start a command that stays, unless it is a server that is up."""
        server = command.startswith("prefect server")
        if server and self.up():
            return
        log = (self.folder / f"{len(self.running)}.log").open("wb")
        self.running.append(
            subprocess.Popen(
                shlex.split(command), cwd=self.folder, env=self.env, stdout=log, stderr=log, start_new_session=True
            )
        )
        deadline = time.monotonic() + 300
        while server and not self.up():
            assert self.running[-1].poll() is None and time.monotonic() < deadline, "the server does not start"
            time.sleep(0.3)

    def up(self) -> bool:
        try:
            return httpx.get(f"{self.api}/health", timeout=2).status_code == 200
        except httpx.TransportError:
            return False

    def released(self) -> dict[str, str]:
        """Hashes of the release's files."""
        release = self.folder / "kodforge-store/demo/release"
        return {
            str(path.relative_to(release)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in release.rglob("*")
            if path.is_file()
        }

    def paid(self) -> int:
        """Answers that were paid for by the run."""
        with sqlite3.connect(self.folder / "kodforge-store/answers.sqlite") as answers:
            return int(answers.execute("select count(*) from answers").fetchone()[0])


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    folder = tmp_path_factory.mktemp("machine")
    for name in ("deployments", ".venv"):
        (folder / name).symlink_to(ROOT / name)
    pilot = yaml.safe_load((ROOT / "deployments/profiles/pilot.yaml").read_text())
    del pilot["kpis"]  # a few rows miss its targets
    (folder / "pilot.yaml").write_text(yaml.safe_dump(pilot))
    port = free_port()
    env = {
        "PATH": f"{ROOT / '.venv/bin'}:{os.environ['PATH']}",
        "HOME": str(folder),
        "XDG_CACHE_HOME": str(Path.home() / ".cache"),  # the sandbox's libraries, which take minutes to install
        "LANG": "C.UTF-8",
        "COLUMNS": "200",
        "PREFECT_SERVER_API_PORT": str(port),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        **QUIET,
        **SMALL,
    }
    with running_teacher(folder) as teacher:
        made = Machine(folder, env, teacher.url)
        try:
            yield made
        finally:
            for process in reversed(made.running):
                stop(process)


@pytest.mark.parametrize("block", [block for block in BLOCKS if not block.needs], ids=str)
def test_block_runs(machine, block):
    if block.section == "When a shard has failed" and "flow-run ls" in block.source:
        config = shlex.quote(f"config={json.dumps(UNREACHABLE)}")
        machine.run(f"prefect deployment run build-dataset/demo --param {config} --watch || true")
    restores = block.section == "Restore" and "kodforge run" in block.source
    before, paid = (machine.released(), machine.paid()) if restores else ({}, 0)
    machine.run(block.source)
    if restores:
        assert before
        assert machine.released() == before
        assert machine.paid() == paid


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.needs], ids=str)
def test_block_that_needs_more_parses(block):
    done = subprocess.run(["bash", "-n"], input=block.source, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_prefect_database_in_postgresql_is_made_backed_up_and_restored(tmp_path):
    made, dumped, restored = [block.source for block in BLOCKS if block.needs == "postgresql"]
    with running_postgres() as database:
        port = free_port()
        env = {
            "PATH": f"{ROOT / '.venv/bin'}:{binaries()}:{os.environ['PATH']}",
            "HOME": str(tmp_path),
            "BACKUP": str(tmp_path),
            "PGHOST": database.host,
            "PGPORT": str(database.port),
            "PGUSER": "kod",
            "PGPASSWORD": PASSWORD,
            "PREFECT_SERVER_API_PORT": str(port),
            "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
            **QUIET,
        }
        machine = Machine(tmp_path, env, "")
        try:
            machine.run(made)
            machine.run("prefect work-pool create kept --type process")
        finally:
            for process in machine.running:
                stop(process)
        machine.run(dumped)
        with psycopg.connect(database.url("prefect"), password=PASSWORD) as connection:
            connection.execute("DELETE FROM work_pool")
        machine.run(restored)
        with psycopg.connect(database.url("prefect"), password=PASSWORD) as connection:
            assert connection.execute("SELECT name FROM work_pool").fetchall() == [("kept",)]


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd")
@pytest.mark.parametrize("unit", sorted((ROOT / "deployments/systemd").glob("*.service")), ids=lambda unit: unit.name)
def test_systemd_unit_is_valid(unit, tmp_path):
    placed = tmp_path / unit.name
    placed.write_text(unit.read_text().replace("/opt/kodforge", str(ROOT)))
    done = subprocess.run(["systemd-analyze", "verify", placed], capture_output=True, text=True, check=False)
    told = [line for line in done.stderr.splitlines() if unit.name in line]
    assert not told, told
