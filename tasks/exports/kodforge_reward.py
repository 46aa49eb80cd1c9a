"""Rewards of kodforge: an answer is worth what the tests of its row make of it, in a sandbox.

Where KODFORGE_REWARDS_URL is set, the sandbox is that of `kodforge serve-rewards` at this address (or at several, with
commas between), and KODFORGE_REWARDS_KEY its key; this file then needs nothing but Python. Without it kodforge has to
be installed, and judges on this machine. Give trainers with many reward workers the address: each would have a sandbox.

An answer is a text, or messages of which the assistant's last one counts.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any

URL = "KODFORGE_REWARDS_URL"
KEY = "KODFORGE_REWARDS_KEY"
COLUMNS = ("style", "question", "test", "io", "entry_points")
BATCH = 64
TRIES = 8
MOST_WAIT_S = 30
TIMEOUT_S = 900
_log = logging.getLogger("kodforge.rewards")


class RewardUnavailable(Exception):
    """The sandbox cannot be had; this says nothing about the answers."""


class RewardRefused(Exception):
    """The server takes no such request: the key or the rows are wrong. Another try cannot help."""


def kodforge_reward(prompts: Sequence[Any], completions: Sequence[Any], **columns: Sequence[Any]) -> list[float | None]:
    """For TRL: `GRPOTrainer(reward_funcs=kodforge_reward)`.

    Returns:
        A reward per completion; None, which TRL leaves out, for all of them where the sandbox cannot be had.
    """
    if not os.environ.get(URL):
        from tasks import rewards  # noqa: PLC0415 - where it is installed

        return rewards.kodforge_reward(prompts, completions, **columns)
    rows = [{name: columns[name][at] for name in COLUMNS if name in columns} for at in range(len(completions))]
    try:
        return [float(reward["value"]) for reward in ask(completions, rows)]
    except RewardUnavailable as error:
        _log.warning("no rewards for %d completions: %s", len(completions), error)
        return [None] * len(completions)


def compute_score(
    data_source: str, solution_str: str, ground_truth: str, extra_info: Mapping[str, Any] | None = None, **_: Any
) -> dict[str, Any]:
    """For verl: `reward.custom_reward_function.path` is this file.

    Raises:
        RewardUnavailable: the sandbox cannot be had; verl knows no answer without a score.
    """
    if not os.environ.get(URL):
        from tasks import rewards  # noqa: PLC0415

        return dict(rewards.compute_score(data_source, solution_str, ground_truth))
    reward = ask([solution_str], [json.loads(ground_truth)])[0]
    return {"score": reward["value"], "acc": float(reward["passed"]), "verdict": reward["verdict"] or "no_code"}


async def rubric_reward(completion: Any, info: Mapping[str, Any]) -> float:
    """For verifiers, in a rubric or a method with `@reward`.

    Raises:
        RewardUnavailable: the sandbox cannot be had; verifiers records it as the rollout's error.
    """
    if not os.environ.get(URL):
        from tasks import rewards  # noqa: PLC0415

        return await rewards.rubric_reward(completion, info)
    return float((await asyncio.to_thread(ask, [completion], [info]))[0]["value"])


def ask(completions: Sequence[Any], rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Ask the server; each reward with `value`, `passed`, `verdict`, `reason` and how every test went.

    Raises:
        RewardUnavailable: it does not answer.
        RewardRefused: it takes no such request.
    """
    found: list[dict[str, Any]] = []
    for at in range(0, len(completions), BATCH):
        texts = [json.dumps({name: row.get(name) for name in COLUMNS}) for row in rows[at : at + BATCH]]
        sent = list(dict.fromkeys(texts))  # a row travels once for all its completions
        places = [sent.index(text) for text in texts]
        answers = list(completions[at : at + BATCH])
        body = {"completions": answers, "rows": [json.loads(text) for text in sent], "row_of": places}
        found += _post(json.dumps(body).encode())["rewards"]
    return found


def _post(body: bytes) -> dict[str, Any]:
    urls = [url.strip().rstrip("/") for url in os.environ[URL].split(",") if url.strip()]
    headers = {"Content-Type": "application/json"}
    if key := os.environ.get(KEY):
        headers["Authorization"] = f"Bearer {key}"
    first, said = random.randrange(len(urls)), ""  # noqa: S311 - spreads the load
    for tried in range(TRIES):
        url = f"{urls[(first + tried) % len(urls)]}/v1/rewards"
        wait = min(2.0**tried / 4, MOST_WAIT_S)
        try:
            request = urllib.request.Request(url, body, headers)  # noqa: S310 - the user's own address
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:  # noqa: S310
                answer: dict[str, Any] = json.load(response)
                return answer
        except urllib.error.HTTPError as error:
            said = f"{url} says {error.code}: {error.read(500).decode(errors='replace')}"
            if error.code != 429 and error.code < 500:
                raise RewardRefused(f"{said}. Check {KEY} and the rows") from error
            told = error.headers.get("Retry-After") or ""
            wait = min(float(told), MOST_WAIT_S) if told.isdecimal() else wait
        except (OSError, ValueError) as error:
            said = f"{url}: {error}"
        time.sleep(wait * random.uniform(0.8, 1.2))  # noqa: S311
    raise RewardUnavailable(f"{said}. Check {URL}, and that `kodforge serve-rewards` runs")
