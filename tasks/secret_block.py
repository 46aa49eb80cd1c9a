"""Prefect Secret blocks: where a key or password can be kept that no config may hold."""

from __future__ import annotations

from typing import Any, cast

from tasks.errors import BadInput
from tasks.redaction import remember


def secret(block: str, what_for: str) -> Any:
    """What a block holds.

    Args:
        what_for: the setting that names the block, for messages.

    Raises:
        BadInput: there is no such block.
    """
    from prefect.blocks.system import Secret  # noqa: PLC0415 - only here is Prefect needed

    try:
        held = cast("Secret[Any]", Secret.load(block, _sync=True)).get()  # type: ignore[call-arg]
    except ValueError as error:
        raise BadInput(
            f"there is no Prefect Secret block {block!r}, which {what_for} names. Make it in the UI under Blocks, or "
            f"with `kodforge blocks`"
        ) from error
    held = held.strip() if isinstance(held, str) else held  # of a block made in the UI, as one pastes it
    remember(held)
    return held
