"""The reward function in the form that each trainer calls it.

Completions are judged by the server that ``KODFORGE_REWARDS_URL`` names (several: comma-separated), with the key in
``KODFORGE_REWARDS_KEY`` where it demands one; without it by a sandbox of this process with the usual
``RewardSettings``. For others call ``use`` before training.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from tasks.errors import BadInput, SandboxUnavailable
from tasks.rewards.client import KEY_VARIABLE, URL_VARIABLE, RewardClient
from tasks.rewards.models import Completion, Reward, RewardRow
from tasks.rewards.rewards import Rewards

_log = logging.getLogger("kodforge.rewards")
_lock = threading.Lock()
_chosen: Rewards | None = None


def use(rewards: Rewards | None) -> None:
    """Let the functions of this module judge by a ``Rewarder`` or ``RewardClient`` of the caller's; None: as usual."""
    global _chosen  # noqa: PLW0603 - a trainer calls functions, so what they judge by belongs to the process
    with _lock:
        _chosen = rewards


def _rewards() -> Rewards:
    global _chosen  # noqa: PLW0603
    with _lock:
        if _chosen is None:
            urls = [url.strip() for url in os.environ.get(URL_VARIABLE, "").split(",") if url.strip()]
            if urls:
                _chosen = RewardClient(urls, key=os.environ.get(KEY_VARIABLE))
            else:
                from tasks.rewards.rewarder import Rewarder  # noqa: PLC0415 - a trainer beside a server needs no sandbox

                _chosen = Rewarder()
        return _chosen


def _forget() -> None:
    """A forked process has neither the threads nor the boxes of its parent, and a lock that nobody may release."""
    global _chosen, _lock
    _chosen, _lock = None, threading.Lock()


os.register_at_fork(after_in_child=_forget)


def kodforge_reward(
    prompts: Sequence[Completion], completions: Sequence[Completion], **columns: Any
) -> list[float | None]:
    """A reward function for TRL's ``GRPOTrainer`` and ``RLOOTrainer``.

    Args:
        prompts: texts or conversations; of ``complete`` rows the stub is read from them.
        completions: texts or conversations.
        columns: the other columns of the data set, each a list with a value per completion; of them those that
            ``RewardRow`` has are used, ``test`` or ``io`` at least.

    Returns:
        A number per completion. None, which TRL leaves out of its averages, for all of them where the sandbox cannot be
        had: that says nothing about a completion, and is logged.

    Raises:
        BadInput: a row cannot judge completions.
    """
    columns = {"question": [_question(prompt) for prompt in prompts], **columns}
    known = {name: column for name in RewardRow.model_fields if (column := columns.get(name)) is not None}
    if "test" not in known and "io" not in known:
        raise BadInput(f"the data set has no column test or io to judge by; it has {', '.join(sorted(columns))}")
    rows = [dict(zip(known, row, strict=True)) for row in zip(*known.values(), strict=True)]
    try:
        return [reward.value for reward in _rewards().reward(completions, rows)]
    except SandboxUnavailable as error:
        _log.warning("no rewards for %d completions: %s", len(completions), error)
        return [None] * len(completions)


def _question(prompt: Completion) -> str:
    """What a prompt asks: its text, or that of the user's last message."""
    if isinstance(prompt, str):
        return prompt
    asked = [message.get("content") for message in prompt if message.get("role") == "user"]
    return asked[-1] if asked and isinstance(asked[-1], str) else ""


def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: str | Mapping[str, Any],
    extra_info: Mapping[str, Any] | None = None,
    **_: Any,
) -> dict[str, float | str]:
    """verl's ``custom_reward_function``, called for one completion at a time.

    Args:
        ground_truth: a row with the fields of ``RewardRow``, as JSON or as a mapping.

    Returns:
        ``score``, ``acc`` (1 where all tests passed) and ``verdict``.

    Raises:
        BadInput: the row cannot judge completions.
        SandboxUnavailable: the sandbox cannot be had; verl knows no completion without a score.
    """
    return _score(_rewards().reward([solution_str], [_row(ground_truth)])[0])


def compute_scores(
    data_sources: Sequence[str],
    solution_strs: Sequence[str],
    ground_truths: Sequence[str | Mapping[str, Any]],
    extra_infos: Sequence[Mapping[str, Any]] | None = None,
    **_: Any,
) -> list[dict[str, float | str]]:
    """``compute_score`` for verl's reward manager ``batch``, which hands over all completions of a step at once."""
    return [_score(reward) for reward in _rewards().reward(solution_strs, [_row(one) for one in ground_truths])]


def _score(reward: Reward) -> dict[str, float | str]:
    return {"score": reward.value, "acc": float(reward.passed), "verdict": str(reward.verdict or "no_code")}


async def rubric_reward(completion: Completion, info: str | Mapping[str, Any], **_: Any) -> float:
    """A reward function for a ``Rubric`` of verifiers, or for the ``@reward`` method of its tasks to call.

    Args:
        info: a row with the fields of ``RewardRow``, as JSON or as a mapping.

    Raises:
        BadInput: the row cannot judge completions.
        SandboxUnavailable: the sandbox cannot be had; verifiers records it as the rollout's error.
    """
    return (await _rewards().areward([completion], [_row(info)]))[0].value


def _row(given: str | Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        row = json.loads(given) if isinstance(given, str) else given
    except ValueError as error:
        raise BadInput(f"the row that should judge a completion is no JSON ({error}): {given!r:.100}") from error
    if not isinstance(row, Mapping):
        raise BadInput(f"the row that should judge a completion is no mapping but {type(row).__name__}")
    return row
