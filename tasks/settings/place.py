"""A path or URL in a config. Configs are printed and kept by Prefect, and so hold no password."""

from __future__ import annotations

import re
from functools import partial
from typing import Annotated

from pydantic import AfterValidator

_PASSWORD = re.compile(r"//[^/?#@]*:[^/?#]*@|[?&]password=", re.IGNORECASE)


_OF_A_DATABASE = "it into PGPASSWORD, .pgpass, or a Prefect Secret block that ?password_block=NAME names"
_OF_A_STORE = (
    "the login into a Prefect block that storage.block names, or where the filesystem's own library looks for it"
)


def without_password(place: str, instead: str = _OF_A_DATABASE) -> str:
    """Take a path or URL as it is.

    Args:
        instead: what to put where.

    Raises:
        ValueError: there is one in it.
    """
    if _PASSWORD.search(place):
        raise ValueError(f"the URL holds a password, which would be printed. Leave it out: put {instead}")
    return place


StoreUrl = Annotated[str, AfterValidator(partial(without_password, instead=_OF_A_STORE))]
"""A folder or an fsspec URL without a password."""
Place = Annotated[str, AfterValidator(without_password)]
"""A local path, or a URL without a password."""
