"""All rules of content over rows: what a reader should know of, and what follows from it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from tasks.curation.content.allowed import is_anybody, is_test_value, offensive_in, offensive_marks
from tasks.curation.content.reach import code_marks, reaches
from tasks.curation.texts import RowTexts
from tasks.digests import digest_of
from tasks.models import ContentFinding, Outcome, Part
from tasks.scanners import Found, Lines, secrets
from tasks.scanners.personal import find_emails, find_phones
from tasks.scanners.telling import may_be_told
from tasks.scanners.tokens import Marks, TokenFilter
from tasks.settings.content import Content, Reaction
from tasks.syntax import MOST_READ

_OUTCOMES: Mapping[Reaction, Outcome] = {"note": "noted", "caution": "caution", "reject": "rejected"}
_ABOUT_NETWORKS = re.compile(
    r"(?i)\b(https?|urls?|web\w*|servers?|sockets?|requests?|download\w*|apis?|network\w*|tcp|udp|smtp|e-?mails?|ftp|"
    r"clients?|fetch\w*|crawl\w*|scrap(e|ing|er)\w*|ping|ports?|hosts?|rest|online)\b"
)
_RANDOM_LETTERS = re.compile(r"(?=.*\d)(?=.*[A-Za-z])[\w+/=.~-]{16,}")
_LIBRARIES = ("bandit", "better-profanity", "detect-secrets", "phonenumbers")
_TOKEN = re.compile(r"[\w-]+")
_MOST = 20
"""Findings of one rule in one part that are told; the rest are like them."""

_Finding = tuple[str, int, str]
"""Rule, line and evidence."""


def content_digest() -> str:
    """A short hash of what decides beside the settings: the rules, the words let pass, and the scanners' versions."""
    rules = digest_of("tasks.curation.content", (".py", ".yaml"), _LIBRARIES)
    return f"{rules}{digest_of('tasks.scanners', ('.py',))}"


def _marks(token: str) -> Marks:
    return secrets.marks(token) | offensive_marks(token) | code_marks(token)


_tokens = TokenFilter(_marks)


def scan(rows: Sequence[RowTexts], settings: Content) -> list[list[ContentFinding]]:
    """What each row's texts hold, by part and line; rules that are to be ignored find nothing.

    Code is looked at in ``solution`` and ``test`` and never executed; the question is read as prose. Of a text the
    first ``MOST_READ`` characters are read. About 2,500 rows a second and core.
    """
    return [list(_of_row(row, settings)) for row in rows]


def _of_row(row: RowTexts, settings: Content) -> Iterator[ContentFinding]:
    parts: tuple[tuple[Part, str], ...] = (("question", row.question), ("solution", row.solution), ("test", row.test))
    for part, text in parts:
        told: dict[str, int] = {}
        for rule, line, evidence in sorted(set(_of_text(text[:MOST_READ], part != "question"))):
            reaction: Reaction = getattr(settings, rule)
            told[rule] = told.get(rule, 0) + 1
            if reaction == "ignore" or told[rule] > _MOST:
                continue
            if rule == "network" and _ABOUT_NETWORKS.search(row.question):
                reaction = "note"
            yield ContentFinding(rule=rule, part=part, line=line, evidence=evidence, outcome=_OUTCOMES[reaction])


def _of_text(text: str, is_code: bool) -> Iterator[_Finding]:
    tokens = _tokens(text)
    yield from _secrets(text, tokens)
    for found in find_emails(text):
        if not is_anybody(found.value):
            yield "email", found.line, found.masked
    for found in find_phones(text):
        yield "phone", found.line, found.masked
    yield from _offensive(text, tokens)
    if is_code and any("code" in why for why in tokens.values()):
        for reach in reaches(text):
            yield reach.rule, reach.line, reach.what


def _secrets(text: str, tokens: Mapping[str, Marks]) -> Iterator[_Finding]:
    """The best rule for each line: a token of a known issuer is random too, and given as a password."""
    order: list[str] = ["secret", "password", "test_secret", "random_string", "ip_address"]
    best: dict[int, tuple[int, str]] = {}
    for found in secrets.find_secrets(text, tokens=tokens):
        if rule := _rule_of(found):
            rank = order.index(rule)
            if found.line not in best or rank < best[found.line][0]:
                best[found.line] = rank, f"{found.kind}: {found.masked}"
    for line, (rank, evidence) in best.items():
        yield order[rank], line, evidence


def _rule_of(found: Found) -> str:
    """The rule that a finding falls under; empty where it is nothing."""
    if found.kind == secrets.ADDRESS:
        return "ip_address"
    if found.kind in secrets.RANDOM:
        return "" if list(found.value) == sorted(found.value) else "random_string"  # an alphabet
    if found.kind == secrets.LOGIN:
        return "test_secret" if is_test_value(found.value) else "password"
    if found.kind != secrets.KEYWORD:
        return "secret"
    if is_test_value(found.value):
        return "test_secret" if len(found.value) > 5 else ""
    return "secret" if _RANDOM_LETTERS.fullmatch(found.value) and _is_random(found.value) else "password"


def _is_random(value: str) -> bool:
    """Whether letters and digits are mixed as no writer mixes them: they change from one to the other often."""
    changes = re.findall(r"(?<=\d)[A-Za-z]|(?<=[A-Za-z])\d|(?<=[a-z])[A-Z]", value)
    return len(changes) > len(value) / 3


def _offensive(text: str, tokens: Mapping[str, Marks]) -> Iterator[_Finding]:
    told = {token: _offence(token) for token, why in tokens.items() if "offensive" in why}
    if not told:
        return
    lines = Lines(text)
    for match in _TOKEN.finditer(text):
        if match[0] in told:
            yield "offensive", lines.at(match.start()), told[match[0]]


def _offence(token: str) -> str:
    words = ", ".join(offensive_in(token))
    return f"{words} in {token!r}" if words != token and may_be_told(token) else words
