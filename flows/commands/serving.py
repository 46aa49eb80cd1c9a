"""What serves until it is stopped: ``kodforge serve-rewards`` and ``kodforge demo-teacher``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from flows.console.options import with_overrides
from tasks.settings import Backend


def serve_rewards(
    host: Annotated[str, typer.Option("--host", help="Other than loopback only with a key.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0: any that is free.")] = 8321,
    backend: Annotated[Backend, typer.Option("--backend")] = Backend.AUTO,
    jobs: Annotated[int | None, typer.Option("--jobs", min=1, help="Boxes at once; default: one per core.")] = None,
    wall_s: Annotated[float, typer.Option("--timeout", help="Seconds per run.")] = 10,
    key_env: Annotated[
        str, typer.Option("--key-env", help="Environment variable with the bearer key to demand, where it is set.")
    ] = "KODFORGE_REWARDS_KEY",
    set_: Annotated[
        list[str],
        typer.Option(
            "--set", metavar="KEY=VALUE", help="As in mode=share, sandbox.memory_mb=512, serving.max_batch=64."
        ),
    ] = [],  # noqa: B006 - typer reads the default, nobody changes it
) -> None:
    """Serve rewards for reinforcement learning: completions judged by tests in the sandbox.

    Example: kodforge serve-rewards --host 127.0.0.1 --port 8321 --jobs 2 --timeout 5
    """
    from flows.console.serve_rewards import serve  # noqa: PLC0415 - only this command needs it

    boxes = {"backend": backend, "wall_s": wall_s} | ({"slots": jobs} if jobs is not None else {})
    serve(with_overrides({"sandbox": boxes, "serving": {"host": host, "port": port}}, set_), key_env, Console())


def demo_teacher(
    port: Annotated[int, typer.Option("--port", min=1, max=65535)] = 8123,
    log: Annotated[Path | None, typer.Option("--log", help="JSONL file that gets a line per request.")] = None,
    latency_s: Annotated[float, typer.Option("--latency", min=0, help="Seconds that an answer takes.")] = 0,
    key_env: Annotated[str, typer.Option("--key-env", help="Environment variable with a key to demand.")] = "",
    host: Annotated[str, typer.Option("--host", help="0.0.0.0: for workers on other hosts.")] = "127.0.0.1",
) -> None:
    """Serve the demo teacher, to be used as an OpenAI-compatible endpoint.

    Example: kodforge demo-teacher --port 8123
    """
    from tasks.teachers.demo import serve  # noqa: PLC0415

    Console().print(f"demo teacher on http://{host}:{port}/v1 (Ctrl-C stops it)")
    serve(port, log, os.environ[key_env] if key_env else None, latency_s, host)
