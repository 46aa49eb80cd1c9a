"""Licences of seeds: read off what is there, and the policy over them."""

from __future__ import annotations

import pytest

from tasks.errors import BadInput
from tasks.licences.expressions import canonical, is_allowed
from tasks.models import RejectReason
from tasks.settings import Licences
from tasks.sourcing.licences import licence_of_text, objection


@pytest.mark.parametrize(
    ("text", "licence"),
    [
        ("# SPDX-License-Identifier: apache-2.0\n", "Apache-2.0"),
        (
            "                                 Apache License\n                           Version 2.0, January 2004",
            "Apache-2.0",
        ),
        (
            "Redistribution and use in source and binary forms, with or without ... Neither the name of X",
            "BSD-3-Clause",
        ),
        ("Redistribution and use in source and binary forms, with or without modification", "BSD-2-Clause"),
        ("GNU GENERAL PUBLIC LICENSE\n   Version 3, 29 June 2007", "GPL-3.0-only"),
        ("All rights reserved. Ask before you copy.", "LicenseRef-unknown"),
        ("# SPDX-License-Identifier: Nonsense\n", "LicenseRef-unknown"),
    ],
)
def test_a_text_tells_its_licence_or_none(text, licence):
    assert licence_of_text(text) == licence


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("GPL-3.0-only", False),
        ("MIT OR GPL-3.0-only", True),
        ("MIT AND GPL-3.0-only", False),
        ("(GPL-3.0-only OR Apache-2.0) AND MIT", True),
        ("Apache-2.0 WITH LLVM-exception", True),
        ("LicenseRef-Acme", False),
    ],
)
def test_an_expression_needs_one_of_or_and_all_of_and(expression, allowed):
    assert is_allowed(canonical(expression), ("mit", "Apache-2.0")) is allowed


def test_an_unknown_licence_is_a_matter_of_policy():
    reason, why = objection("LicenseRef-unknown", Licences()) or (None, "")
    assert reason is RejectReason.UNKNOWN_LICENCE
    assert "licences.unknown" in why
    assert objection("LicenseRef-unknown", Licences(unknown="keep", allow=["MIT"])) is None
    assert objection("GPL-3.0-only", Licences()) is None
    reason, why = objection("GPL-3.0-only", Licences(allow=["MIT"])) or (None, "")
    assert reason is RejectReason.LICENCE_NOT_ALLOWED
    assert "GPL-3.0-only is not on licences.allow (MIT)" in why


def test_what_is_no_expression_is_an_error():
    with pytest.raises(BadInput, match=r"'BSD' is no SPDX expression.*LicenseRef-MyCompany"):
        canonical("BSD")
