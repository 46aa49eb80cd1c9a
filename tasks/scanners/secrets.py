"""Secrets in a text, by the plugins and filters of detect-secrets (Yelp, Apache-2.0), and what these do not read.

Its plugins read a line in about 50 µs. Only lines that one of them could object to are shown to them; which these are
is told by a pass over the text's tokens and a few anchored patterns.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise
from typing import Any

from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
from detect_secrets.filters import heuristic
from detect_secrets.plugins.base import RegexBasedDetector
from detect_secrets.plugins.keyword import DENYLIST

from tasks.scanners import Found
from tasks.scanners.tokens import Marks, TokenFilter

KEYWORD = "Secret Keyword"
RANDOM = ("Base64 High Entropy String", "Hex High Entropy String")
ADDRESS = "Public IP (ipv4)"
LOGIN = "Basic Auth Credentials"

_KEYS = r"secret|passw(?:or)?d|passphrase|pwd|(?:api|encryption|signing|master|session)[_-]?key"
_GIVEN = re.compile(
    rf"""(?i)(?:(?:{_KEYS}|token|credential)\w*['"]?\s*(?::\s*[\w.\[\] |]{{1,40}}=|[:=,])|(?:{_KEYS})\w*\s*[=!]=)"""
    r"""\s*[bfru]{0,2}(?P<quote>['"])(?P<value>[^'"\s]{8,})(?P=quote)"""
)
"""A literal given to something called a secret, in ways that detect-secrets does not read: bytes, defaults, type hints,
comparisons beside a call."""
_ISSUERS = {
    "Private Key": re.compile(r"BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY"),
    "Anthropic API Key": re.compile(r"sk-ant-[\w-]{20,}"),
    "DigitalOcean Token": re.compile(r"do[opr]_v1_[0-9a-f]{64}"),
    "GitHub Fine-grained Token": re.compile(r"github_pat_\w{40,}"),
    "Google API Key": re.compile(r"AIza[\w-]{33,}"),
    "Hugging Face Token": re.compile(r"\bhf_[A-Za-z0-9]{30,}"),
    "npm Access Token": re.compile(r"\bnpm_[A-Za-z0-9]{36}"),
    "OpenAI Project Key": re.compile(r"sk-(?:proj|svcacct)-[\w-]{20,}"),
    "Shopify Token": re.compile(r"shp(?:at|ca|pa|ss)_[0-9a-f]{32}"),
    "Slack App Token": re.compile(r"xapp-\d-[\w-]{20,}"),
}
"""Tokens of issuers, and kinds of keys, that detect-secrets 1.5 does not know."""
_BEARER = re.compile(r"\bBearer (?P<value>[\w.~+/-]{20,})")
_BEGINS = r"(?:(?<![\w-])|(?<=\\[nr]))"
"""Of a header's name: after an escaped line break too."""
_HEADERS = (
    re.compile(
        rf"""(?i){_BEGINS}(?:proxy-)?authorization['"]?\s{{0,9}}[:=,]\s{{0,9}}[bfru]{{0,2}}['"]?"""
        r"""(?:bearer|token|api-?key)\s{1,9}(?P<value>[\w.~+/=-]{8,})"""
    ),
    re.compile(rf"(?i){_BEGINS}x-(?:api-?key|(?:auth|access)-?token)\s{{0,9}}:\s{{0,9}}(?P<value>[\w.~+/=-]{{8,}})"),
)
"""Headers that are written out with what they authorise by."""
_CURL = re.compile(
    r"""(?<![\w-])curl(?![\w-]).{0,500}?[\s'"](?:(?:-u|-U)[\s,'"\\]{0,9}|--(?:proxy-)?user[\s,='"\\]{1,9})"""
    r"""[\w.@+-]{1,100}:(?P<value>[^\s'"\\]{2,})"""
)
"""The login of a curl command, in one line or as a list of arguments."""
_DIGEST = re.compile(r"(?i)checksum|sha\d|md5|digest|hash")
_LONGEST = 2000
"""Characters of a line that are read at once: patterns with several repetitions take ever longer on more."""
_OVERLAP = 300

_NAMED = re.compile(f"{'|'.join(DENYLIST)}|contrase|{_KEYS}|token|credential", re.IGNORECASE)
_ASSIGNED = re.compile(r"(?i)(?:key|pwd|pw|password|pass|token)$")
"""What a name ends in whose value some plugins look at."""
_ISSUED = re.compile(
    r"AKC|AP[\dABCDEF][A-Za-z0-9]{8}|(?:A3T[A-Z0-9]|ABIA|ACCA|AKIA|ASIA)[0-9A-Z]{16}|AccountKey|gh[pousr]_|gl[a-z]+-"
    r"|GR1348941|eyJ|-us\d|_authToken|T3BlbkFJ|^PRIVATE$|PuTTY|pypi-Ag|SG$|[xX][oO][xX]|^[hH][oO][oO][kK][sS]$|sq0csp-"
    r"|[rs]k_live_|(?:AC|SK)[a-z0-9]{32}|^[bB]earer$|^curl$|(?i:authorization$|x-(?:api-?key|(?:auth|access)-?token)$)"
    rf"|{'|'.join(pattern.pattern for pattern in _ISSUERS.values() if ' ' not in pattern.pattern)}"
)
"""What tokens begin with that detect-secrets knows the issuer of, and what stands before a header's or curl's login."""
_ANCHORED = (
    ("'", re.compile(r"'(?:[0-9a-fA-F]{9,}|[\w+/=-]{23,})'")),
    ('"', re.compile(r'"(?:[0-9a-fA-F]{9,}|[\w+/=-]{23,})"')),
    ("@", re.compile(r"://[^\s/]+:[^\s]+@")),
    (".", re.compile(r"\.\d{1,3}\.\d{1,3}\.\d|\.[\w-]{6}\.[\w-]{27}")),
    (":", re.compile(r":[0-9A-Za-z_-]{35}")),
)
"""What the other plugins need, each behind a character without which it cannot be there.

Quoted runs are as long as a string must be for its Shannon entropy to pass the limit: 9 of 16 characters for 3 bits,
23 of 65 for 4.5.
"""
_LONG = re.compile(r"[\w-]{24}")
_MANY = 500
"""Names that are looked for one by one; with more of them in a text, all of its lines are read."""
_QUOTE = re.compile(r"""['"`]""")


@cache
def _plugins() -> tuple[tuple[Any, bool], ...]:
    """Every plugin of detect-secrets with its usual limits, and whether it knows a format rather than a likeness."""
    kinds: list[Any] = list(get_mapping_from_secret_type_to_class().values())
    made = [kind() for kind in kinds]
    return tuple((plugin, isinstance(plugin, RegexBasedDetector)) for plugin in made)


def marks(token: str) -> Marks:
    """Why a token may be part of a secret, for a ``TokenFilter``: ``issued``, ``named``, ``assigned``."""
    checks = (("issued", _ISSUED), ("named", _NAMED), ("assigned", _ASSIGNED))
    return frozenset(mark for mark, pattern in checks if pattern.search(token))


_tokens = TokenFilter(marks)


def find_secrets(
    text: str, *, as_config: bool = False, tokens: Mapping[str, Marks] | None = None, prefilter: bool = True
) -> list[Found]:
    """What looks like a secret, by line; comments that tell scanners to look away are not heeded.

    Args:
        as_config: take what follows a name for its value without quotes too, as in ``DB_PASSWORD=…``; in code these are
            variables.
        tokens: those of the text that ``marks`` marks, where the caller has them already.
        prefilter: spare lines that no plugin can object to; without it the result is the same.

    Returns:
        Findings in order. The kinds are detect-secrets' own names.
    """
    lines = text.split("\n")
    numbers = _possible(text, lines, as_config, _tokens(text) if tokens is None else tokens) if prefilter else None
    found: set[Found] = set()
    for number in range(len(lines)) if numbers is None else sorted(numbers):
        for piece in _pieces(lines[number].rstrip()):
            found |= {Found(number + 1, kind, value) for kind, value in _of_line(piece, as_config)}
    return sorted(found)


def _possible(text: str, lines: list[str], as_config: bool, tokens: Mapping[str, Marks]) -> set[int]:
    """Numbers of the lines, 0-based, that a plugin may object to."""
    names: dict[str, Marks] = {token: why for token, why in tokens.items() if why & {"issued", "named", "assigned"}}
    if len(names) > _MANY:
        return set(range(len(lines)))
    offsets: list[int] = []
    for sign, pattern in _ANCHORED:
        if sign in text:
            offsets += [match.start() for match in pattern.finditer(text)]
    for token, why in names.items():
        if "issued" in why or as_config:
            offsets += _places(text, token)
    numbers = _lines_at(text, offsets)
    literal = {token for token, why in names.items() if "named" in why}
    assigned = {token for token, why in names.items() if "assigned" in why}
    if literal and _QUOTE.search(text):
        numbers |= {number for number in _with(lines, literal) if _QUOTE.search(lines[number])}
    if assigned and _LONG.search(text):
        numbers |= {number for number in _with(lines, assigned) if _LONG.search(lines[number])}
    return numbers


def _with(lines: list[str], names: set[str]) -> Iterator[int]:
    return (number for number, line in enumerate(lines) if any(name in line for name in names))


def _places(text: str, token: str) -> Iterator[int]:
    place = text.find(token)
    while place >= 0:
        yield place
        place = text.find(token, place + len(token))


def _lines_at(text: str, offsets: list[int]) -> set[int]:
    numbers, line = set(), 0
    for before, place in pairwise([0, *sorted(set(offsets))]):
        line += text.count("\n", before, place)
        numbers.add(line)
    return numbers


def _pieces(line: str) -> Iterator[str]:
    for start in range(0, max(len(line) - _OVERLAP, 1), _LONGEST - _OVERLAP):
        yield line[start : start + _LONGEST]


def _of_line(line: str, as_config: bool) -> Iterator[tuple[str, str]]:
    """(kind, value) of what the plugins find in a line; each reads a kind of file by rules of its own."""
    for plugin, knows_format in _plugins():
        kind = plugin.secret_type
        names = ("row.py", "row.yaml") if as_config and kind == KEYWORD else ("row.py",)
        for name in names:
            for secret in plugin.analyze_line(filename=name, line=line, line_number=1):
                value = secret.secret_value
                if value and not _is_harmless(kind, value, line, None if knows_format else plugin):
                    yield kind, value
    for kind, pattern in _ISSUERS.items():
        for match in pattern.finditer(line):
            yield kind, match[0]
    for pattern in (_GIVEN, _BEARER, *_HEADERS):
        for match in pattern.finditer(line):
            yield KEYWORD, match["value"]
    for match in _CURL.finditer(line):
        value = match["value"]
        if not (heuristic.is_templated_secret(value) or heuristic.is_prefixed_with_dollar_sign(value)):
            yield LOGIN, value


def _is_harmless(kind: str, value: str, line: str, plugin: Any) -> bool:
    """The filters of detect-secrets. Those that judge by the rest of the line are for likenesses only: a token of a
    known format is one wherever it stands."""
    if kind == ADDRESS:
        return not _is_public(value)
    if heuristic.is_sequential_string(value) or heuristic.is_not_alphanumeric_string(value):
        return True
    if plugin is None:
        return False
    return bool(
        heuristic.is_potential_uuid(value)
        or heuristic.is_likely_id_string(value, line, plugin)
        or heuristic.is_templated_secret(value)
        or heuristic.is_prefixed_with_dollar_sign(value)
        or heuristic.is_indirect_reference(line)
        or (kind in RANDOM and _DIGEST.search(line))
    )


def _is_public(address: str) -> bool:
    """Whether somebody may have the address: not one kept for documentation (RFC 5737), tests or private networks."""
    found = ipaddress.ip_address(address.partition(":")[0])
    return found.is_global and not found.is_multicast
