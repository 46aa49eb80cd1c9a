"""Personal data in a text: e-mail addresses, phone numbers, and where Presidio is installed bank and card numbers.

Phone numbers are read by Google's libphonenumber (``phonenumbers``), which knows every country's plan.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from phonenumbers import Leniency, PhoneNumberMatcher

from tasks.errors import BadInput
from tasks.scanners import Found, Lines

EMAIL = "email address"
PHONE = "phone number"

_SURE = 0.4
"""Presidio's score from which a match counts."""
_EMAIL = re.compile(
    r"(?<![\w.+-])(?P<name>[A-Za-z0-9][\w.+-]{0,63})@(?P<domain>(?:[A-Za-z0-9-]{1,63}\.)+(?P<end>[a-z]{2,24}))(?![\w.-]*@)\b"
)
_LOGIN = re.compile(r"://\S*$")
"""What stands before an @ that is part of a URL."""
_LONGEST_LOGIN = 100
_NOBODY = re.compile(r"(^|\.)example\.(com|org|net)$|\.(test|invalid|example|local|localhost)$")
"""Domains that are nobody's: RFC 2606, and names that never leave a local network."""
_DIALLED = re.compile(r"(?<![\w)\]])\+\(?\d[\d ().\-/]{5,}\d")
"""What may be a number with its country's code: 7 digits are the fewest."""
_FICTIONAL = re.compile(r"1\d{3}55501\d\d|44(7700900|1632960|2079460|1314960)\d{3}|61491570\d{3}")
"""Numbers kept for films and books: North America's 555-01xx, Ofcom's and ACMA's."""


def find_emails(text: str) -> Iterator[Found]:
    """Addresses that somebody may have; not those of RFC 2606, and not the ones of a repository (``git@…``)."""
    if "@" not in text:
        return
    lines = Lines(text)
    for match in _EMAIL.finditer(text):
        is_login = _LOGIN.search(text[max(0, match.start() - _LONGEST_LOGIN) : match.start()])
        if match["name"] != "git" and not is_login and not _NOBODY.search(match["domain"].lower()):
            yield Found(lines.at(match.start()), EMAIL, match[0])


def find_phones(text: str) -> Iterator[Found]:
    """Numbers with a country's code that are valid by its plan; without the code any long number would be one."""
    if "+" not in text:
        return
    lines = Lines(text)
    for dialled in _DIALLED.finditer(text):
        for match in PhoneNumberMatcher(dialled[0], None, leniency=Leniency.VALID):
            number = match.number
            if not _FICTIONAL.fullmatch(f"{number.country_code}{number.national_number}"):
                yield Found(lines.at(dialled.start()), PHONE, match.raw_string)


def check_presidio() -> None:
    """Raises:
    BadInput: Presidio is not installed.
    """
    if importlib.util.find_spec("presidio_analyzer") is None:
        raise BadInput(
            "seeds of your own are screened for bank and card numbers, and presidio_analyzer is not installed. "
            "Install it: pip install 'kodforge[screening]'"
        )


@cache
def _recognizers() -> tuple[Any, ...]:
    from presidio_analyzer.predefined_recognizers import (  # noqa: PLC0415 - an extra, and slow to import
        CreditCardRecognizer,
        IbanRecognizer,
    )

    return CreditCardRecognizer(), IbanRecognizer()


def find_accounts(text: str) -> Iterator[Found]:
    """Numbers of cards and bank accounts with a right check digit; needs Presidio."""
    lines = Lines(text)
    for recognizer in _recognizers():
        for match in recognizer.analyze(text, recognizer.supported_entities, None) or []:
            is_fraction = match.entity_type == "CREDIT_CARD" and re.search(r"[\d.]$", text[: match.start])
            if match.score >= _SURE and not is_fraction:
                kind = match.entity_type.replace("_", " ").lower()
                yield Found(lines.at(match.start), kind, text[match.start : match.end])
