"""Rewards for reinforcement learning: completions judged by the tests of their rows, in kodforge's sandbox.

``Rewarder`` judges in this process, ``RewardClient`` asks a server that ``kodforge serve-rewards`` started; both have
``reward(completions, rows)`` and ``areward``. ``kodforge_reward`` is for TRL, ``compute_score`` and ``compute_scores``
for verl, ``rubric_reward`` for verifiers.

All but ``Rewarder``, ``RewardSettings`` and ``Mode`` needs no more than httpx and pydantic, for a trainer whose
environment has no room for the rest: ``pip install --no-deps kodforge``.
"""

from typing import TYPE_CHECKING, Any

from tasks.errors import BadInput, SandboxUnavailable
from tasks.rewards.adapters import compute_score, compute_scores, kodforge_reward, rubric_reward, use
from tasks.rewards.client import RewardClient
from tasks.rewards.models import Completion, Reward, RewardRow

if TYPE_CHECKING:
    from tasks.rewards.rewarder import Rewarder
    from tasks.rewards.scoring import Mode, RewardSettings

__all__ = [
    "BadInput",
    "Completion",
    "Mode",
    "Reward",
    "RewardClient",
    "RewardRow",
    "RewardSettings",
    "Rewarder",
    "SandboxUnavailable",
    "compute_score",
    "compute_scores",
    "kodforge_reward",
    "rubric_reward",
    "use",
]


def __getattr__(name: str) -> Any:
    if name == "Rewarder":
        from tasks.rewards.rewarder import Rewarder  # noqa: PLC0415

        return Rewarder
    if name in ("Mode", "RewardSettings"):
        from tasks.rewards import scoring  # noqa: PLC0415

        return getattr(scoring, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
