"""What a question must be like: pure functions from its text to the reason why it is rejected."""

from __future__ import annotations

import ast
import builtins
import re
import sys
import textwrap
from collections.abc import Sequence

import py3langid

from tasks.models import RejectReason, Seed
from tasks.settings import QuestionRules
from tasks.sourcing.contract import FENCE, STDIN, entry_points
from tasks.syntax import parsed

_CODE = re.compile(r"(```|~~~).*?(\1|\Z)|`[^`\n]*`", re.DOTALL)
_SORRY = r"""^\W*(?:unfortunately,?\ |(?:my\ apologies|i\ apologi[sz]e)[^.\n]{0,20}[,.]\ (?:but\ )?
    |i(?:['\u2019]|\ a)m\ (?:so\ |very\ |really\ )?sorry,?\ (?:but\ )?|i(?:['\u2019]|\ a)m\ afraid\ (?:that\ )?)?"""
_DOES = r"(?:help|assist|create|write|do|see|make|produce|provide|fulfil|generate|comply|answer)"
_REFUSAL = re.compile(
    rf"""{_SORRY}(?:
        i(?:['\u2019]|\ a)m\ (?:so\ |very\ |really\ )?sorry\b
        | sorry[,.!;]
        | my\ apologies | i\ apologi[sz]e
        | i\ (?:can(?:['\u2019]t|\ ?not)|won['\u2019]t|could\ not)\ {_DOES}
        | i(?:['\u2019]|\ a)m\ (?:unable|not\ able)\ to\ {_DOES}
        | i\ (?:must|have\ to)\ decline
        | i\ (?:do\ not|don['\u2019]t)\ feel\ comfortable
        | there\ is(?:\ not|n['\u2019]t)\ enough\ (?:information|context)
        | as\ an?\ (?:ai|artificial\ intelligence)(?:\ language)?\ (?:assistant|model)\b
        | as\ a\ (?:large\ )?language\ model\b
    )""",
    re.IGNORECASE | re.VERBOSE,
)
_MENDS = re.compile(r"(?i)\b(fix|bugs?|buggy|debug|broken|refactor|rewrite|optimi[sz]e|speed up)\b")
"""Words of a task that starts from code: what it quotes is not its solution."""
_TOKEN = re.compile(r"\w+|[^\w\s]")
_NAME = re.compile(r"\b(?:[a-z0-9]+(?:_[a-z0-9]+)+|[a-z]+(?:[A-Z][a-z0-9]+)+|(?:[A-Z][a-z0-9]+){2,})\b")
_SHORTEST_NAME = 8
_PUBLIC_NAMES = frozenset(dir(builtins)) | sys.stdlib_module_names
_FEWEST_WORDS = 4
"""Of prose, for its language to be told."""
_MARGIN = 25
"""By how much the score of another language must exceed that of one to keep: below it short texts are mistaken."""

Objection = tuple[RejectReason, str]


def foreign(text: str, languages: Sequence[str]) -> str:
    """The ISO 639-1 code of the language of a text, code apart, where it is clearly none of these; else empty."""
    prose = _CODE.sub(" ", text)
    if not languages or (len(prose.split()) < _FEWEST_WORDS and prose.isascii()):
        return ""
    scores: list[tuple[str, float]] = py3langid.rank(prose)
    best, score = scores[0]
    known = max((one for name, one in scores if name in languages), default=float("-inf"))
    return best if best not in languages and score - known > _MARGIN else ""


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


def named(text: str, source: str) -> str:
    """The first name of a source's own, of several words, that a text uses; empty where it uses none."""
    own = {name for name in _NAME.findall(source) if len(name) >= _SHORTEST_NAME and name not in _PUBLIC_NAMES}
    return next((name for name in _NAME.findall(text) if name in own), "")


def _is_nothing(statement: ast.stmt) -> bool:
    """Whether a statement of a body does no work: a docstring, a constant, ``pass``, a result that was only set."""
    if isinstance(statement, ast.Pass) or (
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    ):
        return True
    if isinstance(statement, ast.Raise):
        return "NotImplementedError" in ast.unparse(statement)
    if isinstance(statement, ast.Assign):
        return isinstance(statement.value, ast.Constant | ast.List | ast.Dict)
    return isinstance(statement, ast.Return) and isinstance(statement.value, ast.Constant | ast.Name | None)


def _does_something(node: ast.stmt) -> bool:
    """Whether a definition works: not a stub, and not a class that only keeps what it is given."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    if isinstance(node, ast.ClassDef):
        methods = [item for item in node.body if isinstance(item, functions) and item.name != "__init__"]
        return any(_does_something(item) for item in methods)
    return isinstance(node, functions) and not all(_is_nothing(statement) for statement in node.body)


def _blocks(question: str) -> list[str]:
    """Code in a question: in fences, indented, or as typed into an interpreter, without its prompts."""
    found = list(FENCE.findall(question)) + re.findall(r"(?:^(?: {4}|\t).*\n?|^[ \t]*\n)+", question, re.MULTILINE)
    plain = [textwrap.dedent(block) for block in found]
    typed = re.findall(r"(?:^[ \t]*(?:>>>|\.\.\.) ?.*\n?)+", question, re.MULTILINE)
    return plain + [re.sub(r"(?m)^[ \t]*(?:>>>|\.\.\.) ?", "", block) for block in typed]


def _working(block: str) -> set[str]:
    """Names of the functions and classes that a block of code implements."""
    if (tree := parsed(block)) is None:
        return set()
    names = {getattr(node, "name", "") for node in tree.body if _does_something(node)}
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name in names:
            names |= {getattr(item, "name", "") for item in node.body}
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Lambda):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return names


def leaked(question: str, stated: Sequence[str]) -> str:
    """What of its entry points a question implements itself; empty where it does not, or asks to mend it.

    Where one of several is left to write, the others are given on purpose.
    """
    if _MENDS.search(_CODE.sub(" ", question)):
        return ""
    blocks = _blocks(question)
    if list(stated) == [STDIN]:
        programs = (block for block in blocks if re.search(r"\binput\(|sys\.stdin", block) and "print(" in block)
        return "program" if any(_working(f"def f():\n{textwrap.indent(one, ' ')}") for one in programs) else ""
    names = set(entry_points(list(stated)))
    working = set().union(*map(_working, blocks)) & names
    return ", ".join(sorted(working)) if working and working == names else ""


def objection(
    question: str,
    stated: Sequence[str],
    seeds: Sequence[Seed],
    rules: QuestionRules,
    longest_quote: int,
    hide_names: bool = False,
) -> Objection | None:
    """Why a question is rejected, and one sentence on it; None where nothing is the matter.

    Args:
        stated: its contract, as found in it.
        longest_quote: tokens in a row that it may share with a seed.
        hide_names: it may not use the names of a seed's code either.
    """
    if not question:
        return RejectReason.EMPTY_QUESTION, "the question is empty"
    if not stated and is_refusal(question):
        return RejectReason.REFUSAL, "the teacher refuses in place of a question"
    if len(question) < rules.min_characters:
        return RejectReason.TOO_SHORT, f"{len(question)} characters, questions.min_characters is {rules.min_characters}"
    if len(question) > rules.max_characters:
        return RejectReason.TOO_LONG, f"{len(question)} characters, questions.max_characters is {rules.max_characters}"
    if found := foreign(question, rules.languages):
        return RejectReason.WRONG_LANGUAGE, f"the language is {found}, questions.languages is {rules.languages}"
    for seed in seeds:
        if span := quoted(question, f"{seed.text}\n{seed.context}", longest_quote):
            told = f"it shares {longest_quote + 1} tokens in a row with {seed.seed_id}: {span}"
            return RejectReason.QUOTES_SEED, told
        if hide_names and (name := named(question, seed.text)):
            return RejectReason.QUOTES_SEED, f"it uses {name}, a name of {seed.seed_id}"
    if name := leaked(question, stated):
        return RejectReason.LEAKS_SOLUTION, f"it contains a working {name}"
    return None
