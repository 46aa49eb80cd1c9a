"""verifiers: an environment package, a taskset whose tasks are judged by their tests.

After ``vf-init``'s scaffold and ``verifiers.v1`` (verifiers 0.4.0): a package that exports one ``Taskset``.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from tasks.exports.examples import Kind, Problem
from tasks.exports.format import JUDGED_BY, MESSAGES, REWARD_FILE, Columns, Format, Part, Place, render, reward_file
from tasks.settings.exports import ExportFormat


def _row(row: Problem, place: Place) -> dict[str, object]:
    return {"subset": row.subset, "prompt": row.prompt, **row.judged_by}


def _files(parts: Sequence[Part], package: str) -> dict[str, str]:
    values = {"package": package, "environment": package.replace("_", "-"), "parts": parts}
    return {
        "pyproject.toml": render("verifiers-pyproject.toml.j2", **values),
        "eval.toml": render("verifiers-eval.toml.j2", **values),
        f"{package}/__init__.py": render("verifiers-init.py.j2", **values),
        f"{package}/taskset.py": render("verifiers-taskset.py.j2", **values),
        f"{package}/{REWARD_FILE}": reward_file(),
    }


FORMAT = Format(
    name=ExportFormat.VERIFIERS,
    trainer="verifiers",
    columns={
        Kind.RL: Columns(pa.schema([pa.field("subset", pa.string()), pa.field("prompt", MESSAGES), *JUDGED_BY]), _row),
    },
    files=_files,
    start="verifiers.md.j2",
    path="{package}/rows/{config}/{split}/{name}.jsonl",
)
