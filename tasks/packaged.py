"""Data that comes with kodforge."""

from __future__ import annotations

from importlib import resources
from typing import Any

import yaml

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""That of libyaml takes a tenth of the time, and is not in every build of PyYAML."""


def packaged_yaml(package: str, *place: str) -> list[Any]:
    """What the YAML files at a place in a package hold: one file, or those of a folder in the order of their names."""
    found = resources.files(package).joinpath(*place)
    files = [found] if found.is_file() else sorted(found.iterdir(), key=lambda file: file.name)
    return [
        yaml.load(file.read_text(encoding="utf-8"), Loader=_LOADER)  # noqa: S506 - a safe loader
        for file in files
        if file.name.endswith(".yaml")
    ]
