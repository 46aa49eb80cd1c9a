"""Decontamination measured: HumanEval planted in rows by many ways of leaking, and rows that are clean.

    python -m benchmarks.contamination [--half even|odd] [--minilm] [--positives] [--speed]

Bounds are set by looking at the even items and rows; what is reported are the odd ones. `--positives` prints the clean
rows that are found, to be judged by hand; `--speed` measures 50,000 rows instead.
"""

from __future__ import annotations

import argparse
import ast
import random
import re
import resource
import textwrap
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from tempfile import gettempdir

import yaml

from benchmarks.rewriting import without_docstrings
from tasks.curation.contamination import BenchmarkIndex, BenchmarkItem, read_benchmarks
from tasks.curation.texts import RowTexts
from tasks.embedding.embedder import TextEmbedder
from tasks.embedding.minilm import MiniLMEmbedder
from tasks.embedding.static import WordLlamaEmbedder
from tasks.files import read_rows
from tasks.models.curation import BenchmarkHit
from tasks.settings.decontamination import Decontamination
from tasks.syntax import parsed

CORPUS = Path(__file__).parent / "corpora" / "contamination"
TRANSCRIPTS = Path(__file__).parents[1] / "tasks" / "teachers" / "transcripts"
PACKAGES = ("algorithms", "pygorithm", "pandas", "networkx", "more-itertools", "toolz", "boltons", "scipy", "numpy")
MOST_OF_A_PACKAGE = 1500
WAYS = ("words_10", "words_13", "structure_13", "examples", "embedding")
_NAMES = ("amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heron", "inlet", "junco", "knoll", "larch")
_HOST = '''
def settle(ledger, today):
    """Bring the books up to date."""
    overdue = {{}}
    for entry in ledger.entries:
        if entry.due < today and not entry.paid:
            overdue.setdefault(entry.customer, []).append(entry)
{half}
    for customer, entries in overdue.items():
        total = sum(entry.amount for entry in entries)
        ledger.notify(customer, f"You owe {{total:.2f}} for {{len(entries)}} deliveries")
    return overdue
'''
_TESTS = """
from solution import settle, {name}


def test_nothing_is_overdue():
    assert settle(Ledger([]), date(2024, 5, 17)) == {{}}


def test_{name}():
{asserts}
"""


def renamed(source: str) -> dict[str, str]:
    """Other names for all that a source defines, assigns and takes."""
    names: dict[str, str] = {}
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.FunctionDef(name=name) | ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()):
                number = len(names)
                names.setdefault(name, _NAMES[number % len(_NAMES)] + "_" * (number // len(_NAMES)))
    return names


def with_names(text: str, names: dict[str, str]) -> str:
    """The text with these names put in place of others."""
    return re.sub(r"(?<![.\w'\"])[A-Za-z_]\w*", lambda match: names.get(match[0], match[0]), text)


def _code(item: BenchmarkItem) -> str:
    return item.prompts[0] + item.solutions[0]


def _bare(source: str) -> str:
    return ast.unparse(without_docstrings(ast.parse(source)))


def _renamed_code(item: BenchmarkItem) -> str:
    bare = _bare(_code(item))
    names = renamed(bare)

    class Renamer(ast.NodeTransformer):
        def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
            node.name = names.get(node.name, node.name)
            self.generic_visit(node)
            return node

        def visit_arg(self, node: ast.arg) -> ast.arg:
            node.arg = names.get(node.arg, node.arg)
            self.generic_visit(node)
            return node

        def visit_Name(self, node: ast.Name) -> ast.Name:
            node.id = names.get(node.id, node.id)
            return node

    return ast.unparse(Renamer().visit(ast.parse(bare)))


def _asserts(item: BenchmarkItem, name: str) -> list[str]:
    tree = parsed(textwrap.dedent(item.tests[0]))
    found = [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Assert)] if tree else []
    return [re.sub(r"\bcandidate\b", name, line) for line in found if "candidate(" in line]


def _doctests(item: BenchmarkItem) -> str:
    """The example lines of a prompt, its function under another name."""
    lines = item.prompts[0].splitlines()
    kept = [
        line.strip()
        for place, line in enumerate(lines)
        if re.search(r">>>|\w\(.*\)\s*(==|=|[-=]*>|\u279e)", line) or (place and ">>>" in lines[place - 1])
    ]
    entry = re.findall(r"^def (\w+)", item.prompts[0], re.MULTILINE)[-1]
    return re.sub(rf"\b{entry}\b", "amber", "\n".join(kept))


def planted(items: Sequence[BenchmarkItem], hosts: Sequence[RowTexts]) -> Iterator[tuple[str, str, RowTexts]]:
    """Kind, item and row of every leak; what of a row does not leak is a clean one's."""
    by_id = {item.item_id: item for item in items}
    for number, item in enumerate(items):
        host = hosts[number % len(hosts)]
        names = renamed(_code(item))
        yield "verbatim", item.item_id, RowTexts("", item.prompts[0], _code(item), item.tests[0])
        yield "verbatim, question alone", item.item_id, RowTexts("", item.prompts[0], host.solution, host.test)
        # Documentation keeps its words: only the names within it change.
        prompt = with_names(item.prompts[0], {old: new for old, new in names.items() if len(old) > 3})
        yield "renamed", item.item_id, RowTexts("", prompt, _renamed_code(item), host.test)
        yield "renamed, code alone", item.item_id, RowTexts("", host.question, _renamed_code(item), host.test)
        lines = item.solutions[0].rstrip().splitlines()
        half = _HOST.format(half="\n".join(lines[: (len(lines) + 1) // 2]))
        yield "half of the solution", item.item_id, RowTexts("", host.question, half, host.test)
        if asserts := _asserts(item, "amber"):
            body = textwrap.indent("\n".join(asserts[: max(2, (len(asserts) + 1) // 2)]), "    ")
            yield (
                "half of the tests",
                item.item_id,
                RowTexts("", host.question, host.solution, _TESTS.format(name="amber", asserts=body)),
            )
    for row in read_rows(CORPUS / "retold.jsonl"):
        item, text = by_id[row["item"]], row["text"]
        yield row["kind"], item.item_id, RowTexts("", text)
        if shown := _doctests(item):
            yield f"{row['kind']}, examples kept", item.item_id, RowTexts("", f"{text}\n\n```python\n{shown}\n```")


def transcripts() -> Iterator[RowTexts]:
    """The demo's questions with their first answers."""
    for path in sorted(TRANSCRIPTS.glob("*.yaml")):
        for row in yaml.safe_load(path.read_text(encoding="utf-8")):
            if "question" in row:
                answer = row["attempts"][0]
                yield RowTexts(
                    f"{path.stem}/{row['id']}", row["question"], answer.get("solution", ""), answer.get("test", "")
                )


def functions(package: str) -> list[RowTexts]:
    """Functions of an installed package with the first paragraphs of what they say about themselves."""
    try:
        files = distribution(package).files or []
    except PackageNotFoundError:
        return []
    found = []
    for file in files:
        if file.suffix == ".py" and "test" not in str(file):
            source = Path(str(file.locate())).read_text(encoding="utf-8", errors="replace")
            tree = parsed(source)
            for node in ast.walk(tree) if tree else ():
                if isinstance(node, ast.FunctionDef) and len((said := ast.get_docstring(node) or "").split()) >= 6:
                    code = ast.unparse(without_docstrings(ast.Module([node], [])))
                    found.append(RowTexts(f"{package}/{file.stem}.{node.name}", said, code))
    return random.Random(0).sample(found, min(MOST_OF_A_PACKAGE, len(found)))


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for row in rows:
        print(f"| {' | '.join(str(cell) for cell in row)} |")
    print()


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f}" if whole else "-"


def _odd(item_id: str) -> bool:
    return int(item_id.rpartition("/")[2]) % 2 == 1


def recall(index: BenchmarkIndex, embedder: TextEmbedder, rows: Sequence[tuple[str, str, RowTexts]]) -> None:
    """Print the share of leaks that are found as what they are, by kind and way."""
    hits = index.hits([row for _, _, row in rows], embedder.embed([row.question for _, _, row in rows]))
    outcomes: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for (kind, item, _), found in zip(rows, hits, strict=True):
        mine = [hit for hit in found if hit.item_id == item]
        count = outcomes[kind]
        count["rows"] += 1
        count["noted"] += bool(mine)
        count["caution"] += any(hit.outcome != "noted" for hit in mine)
        count["rejected"] += any(hit.outcome == "rejected" for hit in mine)
        for way in WAYS:
            count[way] += any(hit.way == way and hit.outcome != "noted" for hit in mine)
    columns = ("noted", "caution", "rejected", *WAYS)
    head = ("leak", "rows", "noted %", "caution or worse %", "rejected %", *WAYS)
    _table(
        head,
        (
            (kind, count["rows"], *(_percent(count[one], count["rows"]) for one in columns))
            for kind, count in outcomes.items()
        ),
    )


def false_positives(index: BenchmarkIndex, embedder: TextEmbedder, sources: dict[str, list[RowTexts]]) -> None:
    """Print the share of clean rows that are found."""
    columns = ("noted", "caution", "rejected")
    lines: list[Sequence[object]] = []
    for name, rows in sources.items():
        count: Counter[str] = Counter()
        for found in _hits(index, embedder, rows):
            count.update({hit.outcome for hit in found[:1]})
            count.update({hit.way for hit in found if hit.outcome != "noted"})
        shown = (f"{count[one]} ({_percent(count[one], len(rows))})" for one in columns)
        lines.append((name, len(rows), *shown, *(count[way] for way in WAYS)))
    _table(("clean rows of", "rows", "noted (%)", "caution (%)", "rejected (%)", *WAYS), lines)


def _hits(index: BenchmarkIndex, embedder: TextEmbedder, rows: Sequence[RowTexts]) -> list[list[BenchmarkHit]]:
    return index.hits(rows, embedder.embed([row.question for row in rows])) if rows else []


def _print_positives(index: BenchmarkIndex, embedder: TextEmbedder, rows: Sequence[RowTexts]) -> None:
    for row, found in zip(rows, _hits(index, embedder, rows), strict=True):
        for hit in found[:2]:
            print(f"{hit.outcome} {row.id}: {hit.item_id} {hit.way} {hit.part} {hit.similarity:.2f} {hit.span!r:.200}")


def speed(items: Sequence[BenchmarkItem], count: int = 50_000) -> None:
    """Print rows per second and memory over synthetic questions of about 100 words, some with code in a fence."""
    rng = random.Random(0)
    pool = sorted({word for path in TRANSCRIPTS.glob("*.yaml") for word in path.read_text(encoding="utf-8").split()})
    snippets = [row.solution for row in transcripts()]
    rows = []
    for number in range(count):
        text = " ".join(rng.choices(pool, k=100))
        rows.append(
            RowTexts(str(number), f"{text}\n```python\n{rng.choice(snippets)}```" if rng.random() < 0.2 else text)
        )
    lines: list[Sequence[object]] = []
    off = {"noted_from": None, "caution_from": None, "reject_from": None}
    for chosen in (("words_10", "words_13"), ("structure",), ("examples",), ("embedding",), ("all",)):
        ways = ("words_10", "words_13", "structure", "examples")
        closed = {} if chosen == ("all",) else {way: off for way in ways if way not in chosen}
        embedder = WordLlamaEmbedder(None) if chosen[0] in ("embedding", "all") else None
        started = time.process_time()
        index = BenchmarkIndex(items, Decontamination(**closed), embedder)
        built = time.process_time()
        vectors = embedder.embed([row.question for row in rows]) if embedder else None
        embedded = time.process_time()
        index.hits(rows, vectors)
        took = time.process_time() - embedded
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        lines.append(
            (
                " and ".join(chosen),
                f"{built - started:.1f}",
                f"{count / took:,.0f}",
                f"{447_000 / count * took:.0f}",
                f"{memory:,.0f}",
            )
        )
    _table(("ways", "index built in s", "rows/s", "s for 447,000", "peak memory MB so far"), lines)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--half", choices=("even", "odd"), default="odd")
    parser.add_argument("--positives", action="store_true")
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("--minilm", action="store_true")
    asked = parser.parse_args()
    settings = Decontamination()
    items = read_benchmarks(settings.benchmarks)
    if asked.speed:
        speed(items)
        return
    embedder = MiniLMEmbedder(str(Path(gettempdir()) / "minilm.sqlite")) if asked.minilm else WordLlamaEmbedder(None)
    index = BenchmarkIndex(items, settings, embedder)
    reach = BenchmarkIndex(items, settings).unreachable
    print(f"{len(reach)} of {len(items)} items have nothing by which n-grams or examples could find them.\n")
    odd = asked.half == "odd"
    hosts = list(transcripts())
    rows = [one for one in planted(items, hosts) if _odd(one[1]) == odd]
    print(f"Leaks of the {asked.half} items; the bounds were set with the even ones.\n")
    recall(index, embedder, rows)
    sources = {"transcripts": hosts[odd::2]}
    sources |= {package: found[odd::2] for package in PACKAGES if (found := functions(package))}
    if asked.positives:
        for clean in sources.values():
            _print_positives(index, embedder, clean)
        return
    print(f"Clean rows, every other one ({asked.half}).\n")
    false_positives(index, embedder, sources)


if __name__ == "__main__":
    main()
