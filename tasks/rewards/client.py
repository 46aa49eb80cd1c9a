"""The client of ``kodforge serve-rewards``. Needs httpx and pydantic, and nothing else of kodforge's dependencies."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any

import httpx
from pydantic import ValidationError

from tasks.errors import BadInput, SandboxUnavailable
from tasks.rewards.models import Completion, Reward, RewardRow, RewardsReply, read_rows, text_of

URL_VARIABLE, KEY_VARIABLE = "KODFORGE_REWARDS_URL", "KODFORGE_REWARDS_KEY"
_log = logging.getLogger("kodforge.rewards")
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.5, 30.0
_TOO_LARGE, _TOO_MANY = 413, 429


class RewardClient:
    """Judges batches of completions by servers elsewhere. Thread-safe.

    A batch is sent in parts of ``batch`` completions, ``connections`` of them at once, in turn to each server. What a
    server refuses because it is busy, and what fails on the way, is sent again, to the next server if there are
    several: a reward depends on nothing but the completion and its row.

    Args:
        urls: of one server or several, as in ``http://10.0.0.5:8321``.
        key: the bearer key that the servers demand.
        patience_s: how long a part is sent again before it is given up, in seconds.
        timeout_s: how long a server may take to answer a part, in seconds.

    Raises:
        BadInput: a URL is none.
    """

    def __init__(
        self,
        urls: str | Sequence[str],
        key: str | None = None,
        batch: int = 64,
        connections: int = 64,
        patience_s: float = 600,
        timeout_s: float = 600,
    ) -> None:
        self._urls = [url.rstrip("/") for url in ([urls] if isinstance(urls, str) else urls)]
        if not self._urls:
            raise BadInput("no URL of a rewards server is given, as in http://10.0.0.5:8321")
        for url in self._urls:
            if not url.startswith(("http://", "https://")):
                raise BadInput(f"{url!r} is no URL of a rewards server, as in http://10.0.0.5:8321")
        if batch < 1 or connections < 1:
            raise BadInput(f"batch and connections must be at least 1, got {batch} and {connections}")
        self._batch, self._patience_s = batch, patience_s
        self._http = httpx.Client(
            headers={"Authorization": f"Bearer {key}"} if key else None,
            timeout=httpx.Timeout(timeout_s, connect=10),
            limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
        )
        self._threads = ThreadPoolExecutor(connections, thread_name_prefix="rewards-client")

    def __enter__(self) -> RewardClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections, after the requests under way."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        self._http.close()

    def reward(self, completions: Sequence[Completion], rows: Sequence[Mapping[str, Any] | RewardRow]) -> list[Reward]:
        """Rewards in the order of the completions, each judged by the row in its place.

        Raises:
            BadInput: the numbers differ, a row cannot judge, or the server refuses the key.
            SandboxUnavailable: no server has answered for ``patience_s``.
        """
        parts = self._parts(completions, rows)
        ask_each = map if len(parts) == 1 else self._threads.map
        return [reward for answer in ask_each(self._ask, range(len(parts)), parts) for reward in answer]

    async def areward(
        self, completions: Sequence[Completion], rows: Sequence[Mapping[str, Any] | RewardRow]
    ) -> list[Reward]:
        """``reward`` for an event loop."""
        loop = asyncio.get_running_loop()
        parts = self._parts(completions, rows)
        waiting = [loop.run_in_executor(self._threads, self._ask, number, part) for number, part in enumerate(parts)]
        return [reward for answer in await asyncio.gather(*waiting) for reward in answer]

    def _parts(
        self, completions: Sequence[Completion], rows: Sequence[Mapping[str, Any] | RewardRow]
    ) -> list[list[tuple[str, RewardRow]]]:
        if len(completions) != len(rows):
            raise BadInput(f"{len(completions)} completions and {len(rows)} rows: give one row for each completion")
        pairs = list(zip(map(text_of, completions), read_rows(rows), strict=True))
        return [pairs[start : start + self._batch] for start in range(0, len(pairs), self._batch)]

    def _ask(self, number: int, part: Sequence[tuple[str, RewardRow]]) -> list[Reward]:
        """The rewards of a part, from the server whose turn it is by its number."""
        body, deadline = _body(part), time.monotonic() + self._patience_s
        for turn, usual_s in enumerate(_waits(), number):
            url = self._urls[turn % len(self._urls)]
            try:
                answer = self._http.post(f"{url}/v1/rewards", json=body)
            except httpx.TransportError as error:
                trouble, wait_s = f"{type(error).__name__}: {error}", usual_s
            else:
                if answer.status_code == _TOO_LARGE and len(part) > 1:
                    half = len(part) // 2
                    return self._ask(turn, part[:half]) + self._ask(turn, part[half:])
                if answer.status_code != _TOO_MANY and answer.status_code < 500:
                    return _rewards(url, answer, len(part))
                trouble = f"{answer.status_code} {_detail(answer)}"
                wait_s = max(usual_s, _seconds(answer) if len(self._urls) == 1 else 0.0)
            if time.monotonic() + wait_s > deadline:
                raise SandboxUnavailable(
                    f"no rewards from {url} for {self._patience_s:g} s, at last: {trouble}. Does `kodforge "
                    f"serve-rewards` run there, and can it be reached?"
                )
            _log.warning("rewards server %s: %s; again in %.1f s", url, trouble, wait_s)
            time.sleep(wait_s)
        raise AssertionError("waits have no end")


def _waits() -> Iterator[float]:
    """How long to wait before each try but the first, in seconds; not the same for all that were refused at once."""
    wait_s = _FIRST_WAIT_S
    while True:
        yield wait_s * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
        wait_s = min(2 * wait_s, _LONGEST_WAIT_S)


def _seconds(answer: httpx.Response) -> float:
    """How long a server asks to wait; it may also name a date, which ours never does."""
    asked = answer.headers.get("retry-after", "")
    return min(float(asked), _LONGEST_WAIT_S) if asked.isdecimal() else 0.0


def _body(part: Sequence[tuple[str, RewardRow]]) -> dict[str, Any]:
    """A request's body, in which each row stands once."""
    places: dict[str, int] = {}
    rows: list[dict[str, Any]] = []
    row_of: list[int] = []
    for _, row in part:
        if row.digest not in places:
            places[row.digest] = len(rows)
            rows.append(row.model_dump(mode="json", exclude_defaults=True))
        row_of.append(places[row.digest])
    return {"completions": [text for text, _ in part], "rows": rows, "row_of": row_of}


def _rewards(url: str, answer: httpx.Response, count: int) -> list[Reward]:
    if answer.status_code == httpx.codes.OK:
        try:
            rewards = RewardsReply.model_validate_json(answer.content).rewards
        except ValidationError as error:
            raise BadInput(f"{url} does not answer as a rewards server of this version does: {error}") from error
        if len(rewards) != count:
            raise BadInput(f"{url} sent {len(rewards)} rewards for {count} completions: it is no rewards server")
        return rewards
    if answer.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        raise BadInput(f"{url} refuses the key: {_detail(answer)}. Set {KEY_VARIABLE}, or give key=")
    raise BadInput(f"{url} refuses the request: {answer.status_code} {_detail(answer)}")


def _detail(answer: httpx.Response) -> str:
    """What a server says of an error."""
    try:
        found = answer.json()["detail"]
    except (ValueError, KeyError, TypeError):
        return answer.text[:200]
    return str(found)
