"""What a question must be like: pure functions from its text to the reason why it is rejected."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

import py3langid

from tasks.models import RejectReason, Seed
from tasks.settings import QuestionRules
from tasks.sourcing.contract import entry_points
from tasks.syntax import parse

_CODE = re.compile(r"(```|~~~).*?(\1|\Z)|`[^`\n]*`", re.DOTALL)
_FENCED_CODE = re.compile(r"(?:```|~~~)[\w+-]*[ \t]*\n(.*?)(?:```|~~~|\Z)", re.DOTALL)
_REFUSAL = re.compile(
    r"""^\W*(?:
        (?:i(?:['\u2019]m|\ am)\ (?:so\ |very\ |really\ )?(?:sorry|afraid|unable|not\ able))
        | sorry\b
        | (?:unfortunately,?\ )?i\ (?:can(?:['\u2019]t|not)|won['\u2019]t|could\ not|am\ unable\ to)
          \ (?:help|assist|create|write|do|provide|fulfil|generate|comply)
        | i\ (?:do\ not|don['\u2019]t)\ (?:feel\ comfortable|have\ (?:enough|access))
        | as\ an?\ (?:ai|artificial|large\ language|language\ model)
    )""",
    re.IGNORECASE | re.VERBOSE,
)
_MENDS = re.compile(
    r"(?i)\b(fix|bug\w*|debug|correct|broken|wrong|refactor|optimi[sz]e|rewrite|improve|complete|extend|speed up)\b"
)
"""Words of a task that starts from code: what it quotes is not its solution."""
_TOKEN = re.compile(r"\w+|[^\w\s]")
_FEWEST_WORDS = 6
"""Of prose, for its language to be told."""

Objection = tuple[RejectReason, str]


def language(text: str) -> str | None:
    """ISO 639-1 code of the language of a text, code apart; None where there is too little to tell."""
    prose = _CODE.sub(" ", text)
    if len(prose.split()) < _FEWEST_WORDS and prose.isascii():
        return None
    found: str = py3langid.classify(prose)[0]
    return found


def is_refusal(text: str) -> bool:
    """Whether a model says that it will not, in place of a question."""
    return _REFUSAL.match(text) is not None


def tokens(text: str) -> list[str]:
    """Words, numbers and marks of a text, lower case."""
    return _TOKEN.findall(text.lower())


def quoted(text: str, source: str, longest: int) -> str:
    """The first ``longest + 1`` tokens in a row that a text shares with its source; empty where there are fewer."""
    size = longest + 1
    ours, theirs = tokens(text), tokens(source)
    known = {tuple(theirs[start : start + size]) for start in range(len(theirs) - size + 1)}
    for start in range(len(ours) - size + 1):
        if tuple(window := ours[start : start + size]) in known:
            return " ".join(window)
    return ""


def _does_something(node: ast.AST) -> bool:
    """Whether a definition has a body: not only a docstring, ``pass``, ``...`` or ``raise NotImplementedError``."""
    if isinstance(node, ast.ClassDef):
        return any(_does_something(item) for item in node.body if isinstance(item, ast.FunctionDef))
    assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    for statement in node.body:
        if isinstance(statement, ast.Pass) or (
            isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        ):
            continue
        if isinstance(statement, ast.Raise) and "NotImplementedError" in ast.unparse(statement):
            continue
        if isinstance(statement, ast.Return) and (statement.value is None or isinstance(statement.value, ast.Constant)):
            continue
        return True
    return False


def leaked(question: str, stated: Sequence[str]) -> str:
    """The name of an entry point that the question itself implements; empty where it does not, or asks to mend it."""
    if _MENDS.search(_CODE.sub(" ", question)):
        return ""
    names = set(entry_points(list(stated)))
    for block in _FENCED_CODE.findall(question):
        try:
            tree = parse(block)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        for node in tree.body:
            if (
                isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
                and node.name in names
                and _does_something(node)
            ):
                return node.name
    return ""


def objection(
    question: str, stated: Sequence[str], seeds: Sequence[Seed], rules: QuestionRules, longest_quote: int
) -> Objection | None:
    """Why a question is rejected, and one sentence on it; None where nothing is the matter.

    Args:
        stated: its contract, as found in it.
        longest_quote: tokens in a row that it may share with a seed.
    """
    if not question:
        return RejectReason.EMPTY_QUESTION, "the question is empty"
    if is_refusal(question):
        return RejectReason.REFUSAL, "the teacher refuses in place of a question"
    if len(question) < rules.min_characters:
        return RejectReason.TOO_SHORT, f"{len(question)} characters, questions.min_characters is {rules.min_characters}"
    if len(question) > rules.max_characters:
        return RejectReason.TOO_LONG, f"{len(question)} characters, questions.max_characters is {rules.max_characters}"
    if rules.languages and (found := language(question)) not in (None, *rules.languages):
        return RejectReason.WRONG_LANGUAGE, f"the language is {found}, questions.languages is {rules.languages}"
    for seed in seeds:
        if span := quoted(question, seed.text, longest_quote):
            return (
                RejectReason.QUOTES_SEED,
                f"it shares {longest_quote + 1} tokens in a row with {seed.seed_id}: {span}",
            )
    if name := leaked(question, stated):
        return RejectReason.LEAKS_SOLUTION, f"it contains a working {name}"
    return None
