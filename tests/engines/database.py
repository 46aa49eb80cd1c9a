"""A real PostgreSQL server on a port of its own; it refuses to run as root, and so runs as the user `postgres`."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest

from tests.ports import free_port

PASSWORD = "canary-password-81f3"


def binaries() -> Path:
    """Where PostgreSQL's programs are.

    Skips the test where there are none; in CI, which sets KODFORGE_REQUIRE_POSTGRES, that is a failure.
    """
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not found:
        if os.environ.get("KODFORGE_REQUIRE_POSTGRES"):
            raise FileNotFoundError("/usr/lib/postgresql")
        pytest.skip("PostgreSQL is not installed")
    return found[-1]


@dataclass
class Postgres:
    """A server; `url` names a database without a password, which is in PASSWORD."""

    folder: Path
    port: int
    host: str = "127.0.0.1"
    namespace: tuple[str, ...] = ()
    settings: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    def url(self, database: str) -> str:
        return f"postgresql://kod@{self.host}:{self.port}/{database}"

    def create(self, database: str) -> str:
        """Make a database; its URL."""
        with psycopg.connect(self.url("postgres"), password=PASSWORD, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{database}"')  # type: ignore[arg-type]
        return self.url(database)

    def start(self) -> None:
        options = {"listen_addresses": "*", "unix_socket_directories": str(self.folder), **self.settings}
        command = [str(binaries() / "postgres"), "-D", str(self.folder / "data"), "-p", str(self.port)]
        command += [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*self.namespace, *_as_postgres(command)], stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + 60
        while True:
            try:
                psycopg.connect(self.url("postgres"), password=PASSWORD, connect_timeout=2).close()
                return
            except psycopg.OperationalError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it: SIGINT at once and in order, SIGQUIT as in a crash."""
        if self.process and self.process.poll() is None:
            pid = int((self.folder / "data/postmaster.pid").read_text().splitlines()[0])
            os.kill(pid, how)
            self.process.wait(30)


def _as_postgres(command: list[str]) -> list[str]:
    return ["runuser", "-u", "postgres", "--", *command] if os.geteuid() == 0 else command


@contextmanager
def running_postgres(**options: object) -> Iterator[Postgres]:
    """A fresh server for as long as the block lasts."""
    folder = Path(tempfile.mkdtemp(prefix="kodforge-postgres-"))
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres", "postgres")
        password = folder / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        make = [str(binaries() / "initdb"), "-D", str(folder / "data"), "-U", "kod", "-A", "scram-sha-256"]
        make += ["--pwfile", str(password), "--no-instructions"]
        subprocess.run(_as_postgres(make), check=True, stdout=subprocess.DEVNULL, cwd=folder)
        with (folder / "data/pg_hba.conf").open("a") as rules:
            rules.write("host all all 0.0.0.0/0 scram-sha-256\n")
        server = Postgres(folder, free_port(), **options)  # type: ignore[arg-type]
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
