"""Where the keys of a store that is not a local folder come from."""

from __future__ import annotations

from pydantic import Field

from tasks.settings.section import Section


class Storage(Section):
    """How a store that is not a local folder is opened."""

    block: str = Field(
        "",
        description="Prefect Secret block with fsspec's configuration by protocol, as in "
        '`{"s3": {"key": "…", "secret": "…", "endpoint_url": "…"}}`. Empty: the environment has it '
        "(`FSSPEC_S3_…`, `AWS_…`).",
    )
