"""Who a data set owes what: its sources, their authors and licences, as ATTRIBUTION.md and a folder of licence texts.

Counts are gathered shard by shard; nothing else of the rows is kept.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import cast

import pyarrow as pa
import pyarrow.compute as pc

from tasks.licences.mix import OBLIGATIONS, MixReport, obligations
from tasks.settings.licensing import Licensing

FILE = "ATTRIBUTION.md"
FOLDER = "licences"
_TEXTS = re.compile(r"(licen[cs]e|copying|notice|unlicense)([-._]\w+)*", re.IGNORECASE)
"""Names of files that hold a licence or what it asks to be kept."""
_COPYRIGHT = re.compile(r"^\W*(copyright\s+(\(c\)|©|\d{4}).{3,120})$", re.IGNORECASE | re.MULTILINE)
_MOST_COPYRIGHTS = 5
_SPDX = re.compile(r"(?!(LicenseRef|DocumentRef)-)[\w.+-]+")
_HUB = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
_COMMIT = re.compile(r"[0-9a-f]{40}(-dirty)?")
_HUB_AS_IS = re.compile(
    r"cc0-1\.0|cc-by-(2\.0|2\.5|3\.0|4\.0)|cc-by-sa-[34]\.0|cc-by-nc(-sa)?-[234]\.0|cc-by-nd-4\.0|cc-by-nc-nd-[34]\.0"
    r"|cdla-permissive-[12]\.0|cdla-sharing-1\.0|apache-2\.0|mit|isc|bsd-[23]-clause|bsl-1\.0|mpl-2\.0|epl-[12]\.0"
    r"|eupl-1\.[12]|afl-3\.0|artistic-2\.0|ecl-2\.0|ms-pl|ncsa|osl-3\.0|postgresql|unlicense|wtfpl|zlib"
)
_HUB_RENAMED = re.compile(r"(?P<name>[al]?gpl-[23]\.[01])-(only|or-later)|(?P<data>odbl|odc-by|pddl)-1\.0")
"""SPDX ids that the Hugging Face hub has a name for: as they are, or without what follows (2025)."""


@dataclass(frozen=True, order=True)
class Source:
    """Where seeds came from: a package, a repository or a data set, in one version, under one licence."""

    origin: str
    version: str
    licence: str


@dataclass
class Credits:
    """The sources of the rows that were added, and how many rows of which subset were made from each."""

    rows: dict[Source, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    licences: Counter[str] = field(default_factory=Counter)

    def add(self, table: pa.Table) -> None:
        """Count the rows of a table with the columns ``subset``, ``licence`` and ``lineage`` of released rows.

        A row made from several seeds of one source counts once there, and once at every other source.
        """
        if not table.num_rows:
            return
        self.licences.update(str(licence) for licence in table.column("licence").to_pylist())
        sources = pc.struct_field(table.column("lineage").combine_chunks(), "sources")
        flat, rows = pc.list_flatten(sources), pc.list_parent_indices(sources)
        columns = {name: pc.struct_field(flat, name) for name in ("origin", "version", "licence")}
        subsets = pc.take(table.column("subset").combine_chunks(), rows)
        once = pa.table({"row": rows, "subset": subsets, **columns})
        names = ["origin", "version", "licence", "subset"]
        counted = once.group_by([*names, "row"]).aggregate([]).group_by(names).aggregate([("row", "count")])
        for found in counted.to_pylist():
            source = Source(found["origin"], found["version"], found["licence"])
            self.rows[source][found["subset"]] += found["row_count"]


@dataclass(frozen=True)
class Attribution:
    """``text`` of ATTRIBUTION.md, and the ``files`` to write beside it: paths below the release to their bytes."""

    text: str
    files: Mapping[str, bytes]


@dataclass(frozen=True)
class _Package:
    """What an installed distribution says of itself. ``texts``: names below the licence folder to their bytes."""

    url: str
    authors: str
    copyrights: tuple[str, ...]
    texts: Mapping[str, bytes]


def attribution(credited: Credits, report: MixReport, policy: Licensing, title: str) -> Attribution:
    """Everything a reader needs to meet the licences of the sources.

    Of a source that is an installed package in the version that was read, its address, authors, copyright lines and
    licence files are told; of a data set on the hub, its address. Files and folders of the user's own are told by the
    name of the folder or file only.
    """
    files: dict[str, bytes] = {}
    lines = [f"# Attribution: {_cell(title)}", ""]
    if policy.release:
        lines += [f"The data set is published under **{_cell(policy.release)}**.", ""]
    lines += [
        "Its questions were made by a language model from the sources below, and its solutions and tests for these "
        "questions; no source endorses it. Every row names its own sources in `lineage.sources` and the licences over "
        "them in `licence`.",
        "",
        "## Sources",
        "",
        "| source | version | licence | rows | made into |",
        "|---|---|---|---:|---|",
    ]
    ordered = sorted(credited.rows.items(), key=lambda entry: (-sum(entry[1].values()), entry[0]))
    for source, subsets in ordered:
        made = ", ".join(f"{count} of {subset}" for subset, count in sorted(subsets.items()))
        cells = [source.origin, _shown(source.version), source.licence, str(sum(subsets.values())), made]
        lines.append(f"| {' | '.join(map(_cell, cells))} |")
    for source, _ in ordered:
        lines += _of_source(source, files)
    lines += _owed(report)
    lines += _open(report)
    return Attribution("\n".join(lines).rstrip() + "\n", files)


def _shown(version: str) -> str:
    return version[:12] + "-dirty" * version.endswith("-dirty") if _COMMIT.fullmatch(version) else version or "not told"


def _cell(text: str) -> str:
    """A text that stays text within one line or one cell of a table of Markdown."""
    return re.sub(r"([\\|`*\[\]])", r"\\\1", " ".join(text.split())).replace("<", "&lt;")


def _of_source(source: Source, files: dict[str, bytes]) -> list[str]:
    heading = f"{source.origin} {_shown(source.version)} ({source.licence})"
    lines = ["", f"### {_cell(heading)}", ""]
    names = _names(source.licence)
    asked = ", ".join(obligations(names)) or "nothing"
    known = [f"[{name}](https://spdx.org/licenses/{name}.html)" for name in names if _SPDX.fullmatch(name)]
    lines.append(f"- Licence: {', '.join(known) or 'not known'}; asks for: {asked}")
    package = _package(source)
    if package is None:
        if _HUB.fullmatch(source.origin):
            lines.append(f"- Data set: https://huggingface.co/datasets/{source.origin}")
        if _COMMIT.fullmatch(source.version):
            lines.append(f"- Commit: {source.version}")
        return lines
    if package.url:
        lines.append(f"- Package: {_cell(package.url)}")
    if package.authors:
        lines.append(f"- Authors: {_cell(package.authors)}")
    lines += [f"- {_cell(one)}" for one in package.copyrights]
    files |= {f"{FOLDER}/{name}": text for name, text in package.texts.items()}
    if package.texts:
        lines.append(f"- Licence texts: {', '.join(_cell(f'{FOLDER}/{name}') for name in sorted(package.texts))}")
    return lines


def _names(expression: str) -> list[str]:
    return [name for name in re.split(r"[\s()]+", expression) if name and name not in ("AND", "OR", "WITH")]


def _owed(report: MixReport) -> list[str]:
    if not report.obligations:
        return []
    lines = ["", "## What the licences ask of you who pass the rows on", ""]
    for kind, licences in report.obligations.items():
        lines.append(f"- **{kind}** ({_cell(', '.join(licences))}): {OBLIGATIONS[kind]}")
    for expression, taken in sorted(report.taken.items()):
        lines.append(f"- Of {_cell(expression)}, {_cell(' and '.join(taken))} was taken.")
    return lines


def _open(report: MixReport) -> list[str]:
    """Pairs of licences that nobody vouches for, or that do not go together."""
    doubtful = [*report.incompatible, *report.unknown]
    if not doubtful:
        return []
    lines = ["", "## Licences that are not known to go together", "", "| licence | with | verdict | why |"]
    lines.append("|---|---|---|---|")
    rows = [(pair.left, pair.right, pair.verdict, pair.why) for pair in doubtful]
    lines += [f"| {' | '.join(map(_cell, row))} |" for row in rows]
    return lines


def _package(source: Source) -> _Package | None:
    """The facts of an installed distribution; None where it is none, or another version."""
    try:
        found = metadata.distribution(source.origin)
    except (metadata.PackageNotFoundError, ValueError):
        return None
    if found.version != source.version:
        return None
    fields = cast(Message, found.metadata)
    texts = _texts(found)
    copyrights = [
        " ".join(match[1].split())
        for text in texts.values()
        for match in _COPYRIGHT.finditer(text.decode("utf-8", "replace"))
    ]
    names = [str(fields.get(name) or "") for name in ("Author", "Maintainer", "Author-email", "Maintainer-email")]
    folder = f"{source.origin}-{source.version}"
    return _Package(
        _address(fields) or f"https://pypi.org/project/{source.origin}/",
        next((told for name in names if (told := _without_address(name))), ""),
        tuple(dict.fromkeys(copyrights))[:_MOST_COPYRIGHTS],
        {f"{folder}/{name}": text for name, text in texts.items()},
    )


def _texts(found: metadata.Distribution) -> dict[str, bytes]:
    """The licence files of a distribution, by their place in it; what two bundled parts name alike stays apart."""
    texts: dict[str, bytes] = {}
    named = {str(name) for name in cast(Message, found.metadata).get_all("License-File") or []}
    for file in sorted(found.files or [], key=str):
        path = PurePosixPath(file.as_posix())
        of_metadata = path.parts[0].endswith((".dist-info", ".egg-info"))
        name = str(PurePosixPath(*path.parts[1:])).removeprefix("licenses/") if of_metadata else str(path)
        is_text = _TEXTS.fullmatch(path.name) and path.suffix not in (".py", ".pyc")
        if ".." not in path.parts and (is_text or (of_metadata and name in named)):
            texts[name] = Path(str(file.locate())).read_bytes()
    return texts


def _address(fields: Message) -> str:
    """The address that a package gives for its source, else for itself."""
    told = {}
    for entry in fields.get_all("Project-URL") or []:
        label, _, url = str(entry).partition(",")
        told[re.sub(r"\W", "", label.lower())] = url.strip()
    home = str(fields.get("Home-page") or "")
    wanted = ("source", "sourcecode", "repository", "github", "homepage")
    return next((told[label] for label in wanted if label in told), home if home.startswith("http") else "")


def _without_address(authors: str) -> str:
    """``Jane Doe`` of ``Jane Doe <jane@…>``: credit needs a name; an address is nobody's to spread."""
    named = re.sub(r"<[^>]*>|\S+@\S+", "", authors).replace('"', "")
    return ", ".join(part.strip() for part in named.split(",") if part.strip())


def card_licence(policy: Licensing, licences: Mapping[str, int]) -> dict[str, str]:
    """The licence fields of a card's YAML front matter, as the Hugging Face hub reads them.

    That of the release; else that of all rows where it is one; else ``other`` and the names of all.
    """
    names = [policy.release] if policy.release else sorted(licences)
    if len(names) == 1:
        one = names[0].lower()
        if _HUB_AS_IS.fullmatch(one):
            return {"license": one}
        if found := _HUB_RENAMED.fullmatch(one):
            return {"license": found["name"] or found["data"]}
    return {"license": "other", "license_name": _slug(names), "license_link": FILE}


def licence_links(policy: Licensing, licences: Mapping[str, int]) -> list[str]:
    """Addresses of the licence of the release; else of those of all rows, and of the file that tells of the others."""
    names = [policy.release] if policy.release else sorted({one for told in licences for one in _names(told)})
    known = [f"https://spdx.org/licenses/{name}.html" for name in names if _SPDX.fullmatch(name)]
    return known + [FILE] * (len(known) < len(names) or not names)


def _slug(names: list[str]) -> str:
    """The hub takes a short name; a long list is told in the attribution."""
    joined = "-and-".join(re.sub(r"[^\w.]+", "-", name.lower()).strip("-") for name in names)
    return joined if 0 < len(joined) <= 80 else "mixed"
