"""Licences of seeds: what a package, a folder or a file says of itself, as SPDX expressions, and which may be used.

Nothing is guessed: what does not name its licence, or quote the text of one, is ``LicenseRef-unknown``.
"""

from __future__ import annotations

import re
import tomllib
from email.message import Message
from importlib import metadata
from typing import Any, cast

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

from tasks.licences.expressions import UNKNOWN_LICENCE, is_allowed
from tasks.models import RejectReason
from tasks.settings import Licences

_CLASSIFIERS = {
    "License :: OSI Approved :: MIT License": "MIT",
    "License :: OSI Approved :: MIT No Attribution License (MIT-0)": "MIT-0",
    "License :: OSI Approved :: Apache Software License": "Apache-2.0",
    "License :: OSI Approved :: ISC License (ISCL)": "ISC",
    "License :: OSI Approved :: Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "License :: OSI Approved :: The Unlicense (Unlicense)": "Unlicense",
    "License :: OSI Approved :: GNU General Public License v3 (GPLv3)": "GPL-3.0-only",
    "License :: OSI Approved :: GNU General Public License v3 or later (GPLv3+)": "GPL-3.0-or-later",
    "License :: OSI Approved :: GNU General Public License v2 (GPLv2)": "GPL-2.0-only",
    "License :: CC0 1.0 Universal (CC0 1.0) Public Domain Dedication": "CC0-1.0",
}
_TEXTS = (
    ("AGPL-3.0-or-later", r"gnu affero general public license.{0,80}published by.{0,80}either version 3"),
    ("LGPL-3.0-or-later", r"gnu lesser general public license.{0,80}published by.{0,80}either version 3"),
    ("LGPL-2.1-or-later", r"gnu lesser general public license.{0,80}published by.{0,80}either version 2"),
    ("GPL-3.0-or-later", r"gnu general public license.{0,80}published by.{0,80}either version 3"),
    ("GPL-2.0-or-later", r"gnu general public license.{0,80}published by.{0,80}either version 2"),
    ("Apache-2.0", r"apache license,? version 2\.0"),
    ("MPL-2.0", r"mozilla public license,? version 2\.0"),
    ("AGPL-3.0-only", r"gnu affero general public license version 3"),
    ("LGPL-3.0-only", r"gnu lesser general public license version 3"),
    ("LGPL-2.1-only", r"gnu lesser general public license version 2\.1"),
    ("GPL-3.0-only", r"gnu general public license version 3"),
    ("GPL-2.0-only", r"gnu general public license version 2"),
    ("CC0-1.0", r"cc0 1\.0 universal"),
    ("CC-BY-4.0", r"creative commons attribution 4\.0 international"),
    ("Unlicense", r"this is free and unencumbered software released into the public domain"),
    ("BSD-3-Clause", r"redistribution and use in source and binary forms.*neither the name"),
    ("BSD-2-Clause", r"redistribution and use in source and binary forms"),
    ("ISC", r"permission to use, copy, modify, and(/or)? distribute this software for any purpose"),
    ("MIT", r"permission is hereby granted, free of charge, to any person obtaining a copy"),
)
"""Sentences that only the text of that licence has, the more special ones first."""
_HEAD = 3000
"""Characters of a licence file that are looked at; what follows may name other licences for bundled parts."""
_NOT_OPEN = re.compile(r"(?i)\b(proprietary|confidential|commons clause)\b")
"""Words of a licence that is none of those below, whatever else it quotes."""
_TAG = re.compile(r"SPDX-License-Identifier:\s*([^\n*#]+)")
FILES = re.compile(r"(licen[cs]e|copying|unlicense)(\.(txt|md|rst))?", re.IGNORECASE)
"""Names of files that hold the licence of what is beside them."""


def _if_valid(expression: str) -> str:
    try:
        return str(canonicalize_license_expression(expression.strip()))
    except InvalidLicenseExpression:
        return UNKNOWN_LICENCE


def licence_of(distribution: metadata.Distribution) -> str:
    """SPDX expression of an installed distribution, ``LicenseRef-unknown`` where its metadata does not settle it."""
    fields = cast(Message, distribution.metadata)
    for name in ("License-Expression", "License"):
        if (value := str(fields.get(name) or "")) and (found := _if_valid(value)) != UNKNOWN_LICENCE:
            return found
    known = {_CLASSIFIERS[entry] for entry in fields.get_all("Classifier") or [] if entry in _CLASSIFIERS}
    return known.pop() if len(known) == 1 else UNKNOWN_LICENCE


def licence_of_text(text: str) -> str:
    """Which licence a text is: that of a LICENSE file, or of a comment at the head of a file."""
    if tag := _TAG.search(text[:_HEAD]):
        return _if_valid(tag.group(1))
    if _NOT_OPEN.search(text[:_HEAD]):
        return UNKNOWN_LICENCE
    plain = " ".join(re.sub(r"[^\w.,:()/-]+", " ", text[:_HEAD]).lower().split())
    return next((name for name, pattern in _TEXTS if re.search(pattern, plain)), UNKNOWN_LICENCE)


def licence_of_project(pyproject: str) -> str:
    """The licence that a pyproject.toml names."""
    try:
        project: dict[str, Any] = tomllib.loads(pyproject).get("project", {})
    except tomllib.TOMLDecodeError:
        return UNKNOWN_LICENCE
    named = project.get("license")
    text = named.get("text", "") if isinstance(named, dict) else named
    return _if_valid(text) if isinstance(text, str) and text else UNKNOWN_LICENCE


def objection(licence: str, rules: Licences) -> tuple[RejectReason, str] | None:
    """Why a seed of that licence may not be used, and one sentence on it; None where it may."""
    if licence == UNKNOWN_LICENCE:
        if rules.unknown == "keep":
            return None
        return RejectReason.UNKNOWN_LICENCE, "its licence is not known, and licences.unknown is `reject`"
    if rules.allow and not is_allowed(licence, tuple(rules.allow)):
        return RejectReason.LICENCE_NOT_ALLOWED, f"{licence} is not on licences.allow ({', '.join(rules.allow)})"
    return None
