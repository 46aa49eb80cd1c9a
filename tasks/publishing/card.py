"""The dataset card: what is in the release, how it was made, and what it must not be taken for."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from typing import Any

import yaml
from jinja2 import Environment, StrictUndefined

from tasks.curation.report import CurationReport
from tasks.models import Difficulty
from tasks.publishing.attribution import card_licence
from tasks.publishing.summary import Summary
from tasks.run import config_fingerprint, shareable_config
from tasks.settings import BuildConfig, EndpointKind

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def size_category(rows: int) -> str:
    """The Hugging Face hub's size tag."""
    return next((tag for limit, tag in _SIZES if rows < limit), "1M<n<10M")


def _front_matter(config: BuildConfig, summary: Summary, files: Sequence[str]) -> str:
    splits = [split for split, count in summary.splits.items() if count]
    values: dict[str, Any] = {
        "pretty_name": config.release.title,
        **card_licence(config.release.licensing, summary.licences),
        "language": ["en"],
        "task_categories": ["text-generation"],
        "tags": ["code", "synthetic", "verified", "unit-tests", "kodforge"],
        "size_categories": [size_category(sum(summary.splits.values()))],
        "configs": [
            {
                "config_name": "default",
                "data_files": [{"split": split, "path": f"data/{split}-*.parquet"} for split in splits],
            }
        ],
    }
    levels = [level.value for level in Difficulty if any(name.startswith(f"curriculum/{level}-") for name in files)]
    if levels:
        paths = [{"split": level, "path": f"curriculum/{level}-*.parquet"} for level in levels]
        values["configs"].append({"config_name": "curriculum", "data_files": paths})
    return yaml.safe_dump(values, sort_keys=False)


def dataset_card(config: BuildConfig, summary: Summary, files: Sequence[str], curation: CurationReport | None) -> str:
    """The card as Markdown with YAML front matter. Equal runs make equal cards.

    Args:
        files: the release's Parquet files.
    """
    source = (resources.files("tasks.publishing") / "card.md.j2").read_text()
    environment = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)  # noqa: S701 - Markdown
    template = environment.from_string(source)
    return template.render(
        front_matter=_front_matter(config, summary, files),
        config=config,
        summary=summary,
        curation=curation.to_markdown() if curation else "",
        is_demo=config.teachers.author.kind is EndpointKind.DEMO,
        fingerprint=config_fingerprint(config),
        config_yaml=yaml.safe_dump(shareable_config(config), sort_keys=False),
    )
