"""What judges completions, wherever it runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from tasks.rewards.models import Completion, Reward, RewardRow


class Rewards(Protocol):
    """A ``Rewarder`` in this process, or a ``RewardClient`` that asks one elsewhere."""

    def reward(self, completions: Sequence[Completion], rows: Sequence[Mapping[str, Any] | RewardRow]) -> list[Reward]:
        """Rewards in the order of the completions, each judged by the row in its place.

        Raises:
            BadInput: the numbers differ, or a row cannot judge; nothing has run then.
            SandboxUnavailable: the sandbox cannot be had, which says nothing about any completion.
        """

    async def areward(
        self, completions: Sequence[Completion], rows: Sequence[Mapping[str, Any] | RewardRow]
    ) -> list[Reward]:
        """``reward`` for an event loop."""
