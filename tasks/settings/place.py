"""A path or URL in a config. Configs are printed and kept by Prefect, and so hold no password."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

_PASSWORD = re.compile(r"//[^/?#@]*:[^/?#]*@|[?&]password=", re.IGNORECASE)


def without_password(place: str) -> str:
    """Raises:
    ValueError: there is one in it.
    """
    if _PASSWORD.search(place):
        raise ValueError(
            "the URL holds a password, which would be printed. Leave it out: put it into PGPASSWORD, .pgpass, or a "
            "Prefect Secret block that ?password_block=NAME names"
        )
    return place


def _no_login(url: str) -> str:
    if _PASSWORD.search(url):
        raise ValueError(
            "the URL holds a password, which would be printed. Leave it out: put the login into a Prefect block that "
            "storage.block names, or where the filesystem's own library looks for it"
        )
    return url


StoreUrl = Annotated[str, AfterValidator(_no_login)]
"""A folder or an fsspec URL without a password."""
Place = Annotated[str, AfterValidator(without_password)]
"""A local path, or a URL without a password."""
