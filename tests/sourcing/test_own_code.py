"""A repository of one's own: its conventions, and what of it must not reach a teacher."""

from __future__ import annotations

import pytest

from tasks.models import RejectReason, Subset
from tasks.settings import SeedOptions
from tasks.sourcing.catalogue import read_seeds
from tasks.sourcing.screening import objection

CODE = '''from decimal import Decimal


def net_amount(gross: Decimal, *, rate: Decimal) -> Decimal:
    """The amount without its tax.

    Args:
        gross: with tax, more than 0.

    Raises:
        ValueError: gross is negative.
    """
    if gross < 0:
        raise ValueError(f"gross must not be negative, got {gross}")
    divisor = 1 + rate
    exact = gross / divisor
    return exact.quantize(Decimal("0.01"))
'''


def test_functions_and_pages_come_with_the_conventions_of_the_repository(tmp_path):
    (tmp_path / "billing").mkdir()
    (tmp_path / "billing/tax.py").write_text(CODE)
    (tmp_path / "README.md").write_text(
        "# Billing\n\n" + "Amounts are rounded to cents, half up, at the very end only. " * 10
    )
    options = SeedOptions(path=str(tmp_path), licence="LicenseRef-Acme", granularity="functions")
    code, page = read_seeds(Subset.OWN_CODE, options)
    assert (code.title, page.title) == ("billing/tax.py::net_amount", "README.md#Billing")
    for habit in (
        "type hints",
        "Google's sections",
        "keyword-only",
        "errors raised: ValueError",
        "modules used most: decimal",
    ):
        assert habit in code.context
    assert page.context == code.context


@pytest.mark.parametrize(
    "line",
    [
        'KEY = "AKIAIOSFODNN7EXAMPLE"',
        'password = "correct-horse-9battery"',
        'TOKEN = "ghp_1234567890abcdefghijklmnopqrstuvwxyzAB"',
        "-----BEGIN RSA PRIVATE KEY-----",
        'KEY = "AKIAIOSFODNN7EXAMPLE"  # pragma: allowlist secret',
        "export DB_PASSWORD=correct-horse-9battery",
        'password = b"correct-horse-9battery"',
        'key = os.getenv("DB_PASSWORD", "correct-horse-9battery")',
        '{"Authorization": "Bearer ghp_1234567890abcdefghijklmn"}',
    ],
)
def test_secrets_are_found_and_never_told(line):
    reason, why = objection(f"{CODE}\n{line}\n") or (None, "")
    assert reason is RejectReason.SECRET
    assert f"in line {CODE.count(chr(10)) + 2}" in why
    assert "AKIA" not in why and "horse" not in why and "ghp_" not in why


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("# ask jane.doe@acme-corp.com", "email address"),
        ("# call +1 415 555 2671", "phone number"),
        ('CARD = "4111 1111 1111 1111"', "credit card"),
        ('IBAN = "DE89370400440532013000"', "iban code"),
    ],
)
def test_personal_data_is_found_and_never_told(line, kind):
    found = objection(f"{CODE}\n{line}\n")
    assert found == (RejectReason.PERSONAL_DATA, f"{kind} in line {CODE.count(chr(10)) + 2}")


@pytest.mark.parametrize(
    "line",
    [
        "x = 1.1180339887498949",
        "C = A@B.T + x@self.w",
        "git clone git@github.com:owner/repository",
        'mail("somebody@example.com")',
        'checksum = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"',
        "def token(self, value): return self.password",
    ],
)
def test_what_only_looks_like_one_is_left(line):
    assert objection(f"{CODE}\n{line}\n") is None


def test_ordinary_code_is_clean():
    assert objection(CODE) is None
    dirty = [
        seed.title
        for seed in read_seeds(Subset.DATA_STRUCTURE, SeedOptions(packages=["algorithms"]))
        if objection(seed.text)
    ]
    assert len(dirty) <= 3, dirty
