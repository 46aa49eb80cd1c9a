"""The browser's server over real HTTP on loopback, and runs to look at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tasks.browsing.index import Index
from tasks.browsing.reviews import ReviewFile
from tasks.browsing.server import GRACE_S, Desk, browser_app, browser_socket
from tasks.models import Attempt, AttemptVerdict, Reject, RejectReason
from tasks.run import Run, StageName
from tasks.serving import uvicorn_server
from tests.kpis.runs import ALL, finished, write
from tests.labeling.rows import attempt, verdict
from tests.loopback import serving
from tests.reporting.runs import HOSTILE


@dataclass
class Served:
    """A server, its address with the token, and what a page of it needs to change something."""

    url: str
    desk: Desk

    @property
    def opening(self) -> str:
        return f"{self.url}/?token={self.desk.tokens.opening}"

    @property
    def writes(self) -> dict[str, str]:
        return {"Origin": self.url, "X-Kodforge-Token": self.desk.tokens.write}

    @contextmanager
    def client(self) -> Iterator[httpx.Client]:
        """One that has opened the address."""
        with httpx.Client(base_url=self.url, timeout=60) as made:
            assert made.get(self.opening, follow_redirects=True).status_code == 200
            yield made


@contextmanager
def served(run: Run, folder: Path, reviewer: str = "ada") -> Iterator[Served]:
    """A live server over a run."""
    index = Index(run, folder / "index")
    index.refresh()
    desk = Desk(run, index, ReviewFile(run, reviewer))
    with browser_socket(0) as listener:
        port = listener.getsockname()[1]
        try:
            with serving(uvicorn_server(browser_app(desk, port), GRACE_S), listener) as url:
                yield Served(url, desk)
        finally:
            desk.close()


def hostile_rows(store: Path) -> Run:
    """A run whose every text wants to be markup, ids of rejected seeds too."""
    rows = {name: {"question": HOSTILE, "solution": HOSTILE, "test": HOSTILE, "licence": HOSTILE} for name in ALL}
    rows = {name: {**values, "filter_reason": HOSTILE} for name, values in rows.items()}
    run = finished(store, rows=rows)
    given, judged = [], []
    for name in ALL:
        of = {"question_id": name, "attempt_id": f"{name}/1"}
        given.append(attempt(1, HOSTILE, HOSTILE).model_copy(update=of))
        found = verdict(1, failed=(HOSTILE,))
        pair = found.pair.model_copy(update={"reason": HOSTILE, "output": HOSTILE})
        judged.append(found.model_copy(update={**of, "pair": pair}))
    replaced(run, StageName.ATTEMPTS, Attempt, given)
    replaced(run, StageName.VERDICTS, AttemptVerdict, judged)
    seeds = [Reject(id=HOSTILE, subset=HOSTILE, reason=RejectReason.INVALID_SEED, evidence=HOSTILE)]
    write(run, StageName.SEEDS, [], seeds)
    return run


def replaced(run: Run, stage: StageName, model: type, rows: list) -> None:
    """Put other rows in the place of a stage's."""
    from tasks.artifacts import Outcome

    receipt = run.stage(stage).run_shard("part-00000", model, ["other"], lambda: Outcome.of(rows))
    run.finish(stage, [receipt])
