"""The dataset card: what is in the release, how it was made, and what it must not be taken for."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

import pyarrow as pa
import yaml
from jinja2 import Environment, StrictUndefined

from tasks.curation.report import CurationReport
from tasks.publishing.attribution import FILE as ATTRIBUTION
from tasks.publishing.attribution import card_licence, licence_links
from tasks.publishing.croissant import folder_of, responsible_ai
from tasks.publishing.folder import Manifest
from tasks.publishing.parquet import features
from tasks.publishing.summary import Summary
from tasks.run import config_fingerprint, shareable_config
from tasks.settings import BuildConfig, EndpointKind
from tasks.teachers.usage import RunUsage, dollars

CHANGELOG = "CHANGELOG.md"
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
_SPLITS = {
    "train": "no doubt about tests, content or overlap with the benchmarks checked",
    "use_with_caution": "a doubt about one of these, named in `filter_reason`",
    "evaluation": "held out: no row of another split is about the same task, or one of its near relatives",
}
_CONFIGS = {
    "default": "all rows with all that is known of them",
    "sft": "questions and verified solutions as conversations",
    "sft_reasoning": "questions and what reasoning models answered as conversations, with all their tries",
    "preference": "right and wrong answers to a question, as `prompt`, `chosen` and `rejected`",
    "rl": "prompts with the tests that reward an answer; every reference was run again and passed",
    "curriculum": "the rows of `train`, easiest first, in the splits `easy`, `medium` and `hard`",
    "evaluation": "the held-out rows as `kodforge evaluate` takes them",
}


@dataclass(frozen=True)
class Facts:
    """What a card is made of.

    Attributes:
        manifest: version, date, tables and licences of the release; its checksums may be those of the tables only.
        schemas: columns by configuration.
        sizes: bytes of the Parquet files, by their paths below the release.
        changes: Markdown, what changed since the version before; empty in the first.
    """

    config: BuildConfig
    summary: Summary
    usage: RunUsage
    manifest: Manifest
    schemas: Mapping[str, pa.Schema]
    sizes: Mapping[str, int]
    curation: CurationReport | None
    changes: str

    @property
    def rows(self) -> int:
        return sum(self.summary.splits.values())


@dataclass(frozen=True)
class Cost:
    """What the teachers took for the rows of one subset. ``usd``: None where a price was not known."""

    subset: str
    rows: int
    calls: int
    tokens: int
    usd: float | None


def size_category(rows: int) -> str:
    """The Hugging Face hub's size tag."""
    return next((tag for limit, tag in _SIZES if rows < limit), "1M<n<10M")


def citation(facts: Facts) -> str:
    """The data set as BibTeX."""
    release = facts.config.release
    title, creator = (re.sub(r"[{}\\]", "", one) for one in (release.title, _creator(facts)))
    key = re.sub(r"\W+", "_", f"{release.title}_{facts.manifest.date[:4]}".lower()).strip("_")
    where = f",\n  url = {{{_address(facts)}}}" if _address(facts) else ""
    return (
        f"@misc{{{key},\n  title = {{{title}}},\n  author = {{{creator}}},\n  year = {{{facts.manifest.date[:4]}}},\n"
        f"  note = {{Version {facts.manifest.version}, made with kodforge}}{where}\n}}"
    )


def _creator(facts: Facts) -> str:
    return facts.config.release.creator or f"The authors of {facts.config.release.title}"


def _address(facts: Facts) -> str:
    push = facts.config.release.push
    return f"https://huggingface.co/datasets/{push}" if push else ""


def limitations(config: BuildConfig) -> list[str]:
    """What the data set must not be taken for, a sentence or two each."""
    uncompared = "" if config.verification.effort.cross_checks else ", and attempts were not compared with one another"
    benchmarks = ", ".join(one.name for one in config.curation.decontamination.benchmarks) or "no benchmark"
    return [
        f"Solutions and tests come from the same teacher: a misunderstanding that all attempts share "
        f"passes{uncompared}.",
        "Verdicts have the integrity tier named in `lineage.integrity_tier`; `shared` means that the solution ran in "
        "the process of its tests, so that a hostile solution could have forged them.",
        f"Benchmark overlap was checked against {benchmarks} only. Copies, renamed and partial ones are found; a "
        f"problem retold in wholly other words or another language, without its examples, is not.",
        "Topics come from words of the question: fit for counting, not as the truth about a row.",
    ]


def about(facts: Facts) -> dict[str, object]:
    """The properties of the data set itself in its Croissant metadata."""
    config = facts.config
    url = _address(facts)
    return {
        "name": config.release.title,
        "description": f"{facts.rows} coding questions in Python, each with a solution and tests that it was run "
        f"against in a sandbox, and passed.",
        "license": licence_links(config.release.licensing, facts.summary.licences),
        **({"url": url} if url else {}),
        "creator": {"@type": "sc:Organization", "name": _creator(facts)},
        "keywords": ["code", "python", "synthetic", "unit tests", "verified"],
        "inLanguage": "en",
        "citeAs": citation(facts),
        **responsible_ai(
            limitations(config),
            "The texts of all rows are scanned for secrets and personal data; what was found, and what became of it, "
            "is in the column `content`, masked.",
        ),
    }


def dataset_card(facts: Facts) -> str:
    """The card as Markdown with YAML front matter. Equal runs make equal cards, but for the date."""
    source = (resources.files("tasks.publishing") / "card.md.j2").read_text()
    environment = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)  # noqa: S701 - Markdown
    template = environment.from_string(source)
    config, tables = facts.config, facts.manifest.tables
    return template.render(
        front_matter=yaml.safe_dump(_front_matter(facts), sort_keys=False, allow_unicode=True),
        config=config,
        summary=facts.summary,
        manifest=facts.manifest,
        rows=facts.rows,
        where=config.release.push or "PATH_OF_THIS_FOLDER",
        splits=_SPLITS,
        configs=[(name, _CONFIGS.get(name, ""), _split_rows(facts, name)) for name in facts.schemas],
        first={table.config: table.split for table in reversed(tables)},
        held_out=config.post_training.held_out.share,
        usage=facts.usage,
        costs=_costs(facts),
        each=facts.usage.per(facts.rows),
        dollars=dollars,
        limitations=limitations(config),
        changes=facts.changes,
        changelog=CHANGELOG,
        citation=citation(facts),
        curation=facts.curation.to_markdown() if facts.curation else "",
        is_demo=config.teachers.author.kind is EndpointKind.DEMO,
        fingerprint=config_fingerprint(config),
        config_yaml=yaml.safe_dump(shareable_config(config), sort_keys=False),
    )


def below_folder(card: str, folder: str) -> str:
    """A card as it stands beside the folder that its files are in."""
    front, text = card.removeprefix("---\n").split("\n---\n", 1)
    values = yaml.safe_load(front)
    for config in values["configs"]:
        for entry in config["data_files"]:
            entry["path"] = f"{folder}/{entry['path']}"
    for name in (CHANGELOG, ATTRIBUTION):
        text = text.replace(f"]({name})", f"]({folder}/{name})")
    return f"---\n{yaml.safe_dump(values, sort_keys=False, allow_unicode=True)}---\n{text}"


def _split_rows(facts: Facts, config: str) -> dict[str, int]:
    return {table.split: table.rows for table in facts.manifest.tables if table.config == config}


def _costs(facts: Facts) -> list[Cost]:
    """By subset; what was asked on behalf of none is not in it."""
    subsets = facts.summary.subsets
    sums: dict[str, list[Any]] = {}
    for use in facts.usage.rows:
        sums.setdefault(use.subset, []).append(use)
    costs = []
    for subset, uses in sorted(sums.items()):
        known = [use.usd for use in uses if use.usd is not None]
        usd = sum(known) if len(known) == len(uses) else None
        rows = int(subsets.sum(axis=1).get(subset, 0))
        costs.append(Cost(subset, rows, sum(use.calls for use in uses), sum(use.tokens for use in uses), usd))
    return costs


def _front_matter(facts: Facts) -> dict[str, Any]:
    """As the hub and ``datasets`` read it (huggingface/hub-docs, datasetcard.md)."""
    config = facts.config
    return {
        "pretty_name": config.release.title,
        **card_licence(config.release.licensing, facts.summary.licences),
        "language": ["en"],
        "language_creators": ["machine-generated"],
        "annotations_creators": ["machine-generated"],
        "multilinguality": ["monolingual"],
        "source_datasets": ["original"],
        "task_categories": ["text-generation", "question-answering"],
        "tags": ["code", "python", "synthetic", "verified", "unit-tests", "croissant", "kodforge"],
        "size_categories": [size_category(facts.rows)],
        "configs": [_data_files(facts, name) for name in facts.schemas],
        "dataset_info": [_info(facts, name) for name in facts.schemas],
    }


def _data_files(facts: Facts, config: str) -> dict[str, Any]:
    files = [{"split": split, "path": f"{folder_of(config)}/{split}-*.parquet"} for split in _split_rows(facts, config)]
    return {"config_name": config, **({"default": True} if config == "default" else {}), "data_files": files}


def _info(facts: Facts, config: str) -> dict[str, Any]:
    tables = [table for table in facts.manifest.tables if table.config == config]
    splits: Counter[str] = Counter()
    for table in tables:
        splits[table.split] += table.bytes
    return {
        "config_name": config,
        "features": features(facts.schemas[config]),
        "splits": [{"name": one.split, "num_bytes": one.bytes, "num_examples": one.rows} for one in tables],
        "download_size": sum(facts.sizes[name] for table in tables for name in table.files),
        "dataset_size": sum(splits.values()),
    }
