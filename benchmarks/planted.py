"""An audit benchmark: HumanEval as if a teacher had answered each problem several times, with bad tests of known kinds
planted among the good ones, so that an auditor's precision and recall can be measured for each kind.

    python -m benchmarks.planted --out planted.parquet
"""

from __future__ import annotations

import argparse
import logging
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import NamedTuple

from pydantic import Field

from benchmarks.kinds import KINDS, Case, Draft, good_set, right_tests
from benchmarks.planting import Problem, problems
from benchmarks.rewriting import variants
from tasks.execution.pool import Look, SandboxPool
from tasks.files import row_writer
from tasks.models import Pair, PairVerdict, Row, Verdict
from tasks.settings import Backend, Sandbox

_BAD = ("wrong", "weak", "vacuous", "flaky", "colluding", "duplicated", "trivial", "copied", "uncovered")
RATES: Mapping[str, float] = {"clean": 0.595, **dict.fromkeys(_BAD, 0.045)}
"""Share of all attempts that are of each kind; what no other kind takes is clean."""
_RERUNS = 40
"""At most so often tests that depend on chance are run again, until they do as they should."""
_log = logging.getLogger(__name__)


class Planted(Row):
    """An attempt, and the truth about its tests. The columns up to ``entry_points`` are what an auditor reads."""

    id: str = Field(description="`<question_id>/<attempt>`, 1-based.")
    question_id: str
    question: str
    solution: str
    test: str
    reference: str = Field(description="The canonical solution.")
    entry_points: list[str]
    kind: str = Field(description="A key of `RATES`.")
    detail: str = Field(description="Which variety of the kind; of a flaky one what its outcome depends on.")
    wrong_tests: list[str] = Field(description="Test functions that the canonical solution fails.")
    killed: float | None = Field(
        description="Share of the problem's mutants that the right asserts catch; None where it has none."
    )
    branches_missed: int | None = Field(description="Branches of the solution that its tests do not take.")


def _cases(found: Sequence[Problem], seed: int, attempts: int, today: date) -> Iterator[Case]:
    for problem in found:
        rng, before = random.Random(f"{seed}/{problem.id}"), set[frozenset[int]]()
        colluders = problem.colluders(rng)[: (attempts - 1) // 2]
        for number, solution in enumerate(variants(problem.reference, problem.entry_point, rng, attempts), 1):
            id_ = f"{problem.id}/{number}"
            chosen = good_set(problem, rng, before)
            yield Case(problem, id_, solution, chosen, colluders, random.Random(f"{seed}/{id_}"), today)


def _check(rates: Mapping[str, float]) -> None:
    if unknown := set(rates) - set(KINDS):
        raise ValueError(f"rates has {min(unknown)!r}. The kinds are {', '.join(KINDS)}")
    if (total := sum(rate for kind, rate in rates.items() if kind != "clean")) > 1:
        raise ValueError(f"the rates of all kinds but clean add up to {total:g}. They must not exceed 1")


def _drafts(cases: Sequence[Case], rates: Mapping[str, float], seed: int) -> dict[str, tuple[str, Draft]]:
    """What becomes of each case: its kind, and what that makes of it."""
    found: dict[str, tuple[str, Draft]] = {}
    order = random.Random(seed).sample(cases, len(cases))
    for kind, make in KINDS.items():
        wanted = len(cases) if kind == "clean" else round(rates.get(kind, 0) * len(cases))
        for case in order:
            if wanted and case.id not in found and (draft := make(case)):
                found[case.id] = kind, draft
                wanted -= 1
    return found


def _row(case: Case, kind: str, draft: Draft) -> Planted:
    problem = case.problem
    return Planted(
        id=case.id,
        question_id=problem.id,
        question=problem.question,
        solution=draft.solution or case.solution,
        test=draft.text(problem.entry_point),
        reference=problem.reference,
        entry_points=[problem.entry_point],
        kind=kind,
        detail=draft.detail,
        wrong_tests=[f"test_{number + 1}" for number in draft.wrong],
        killed=problem.killed(draft.asserted) if problem.mutants else None,
        branches_missed=None,
    )


class _Claim(NamedTuple):
    """What tests must make of a pair: those named fail, and no others. None: some do."""

    pair: Pair
    failing: list[str] | None
    look: Look = Look()

    def holds(self, found: PairVerdict) -> bool:
        failing = [test.test_id for test in found.tests if test.outcome != "passed"]
        right = failing == self.failing if self.failing is not None else bool(failing)
        return right and found.verdict is (Verdict.FAILED if failing else Verdict.PASSED)


def _claims(case: Case, row: Planted) -> Iterator[_Claim]:
    """What must come out in the sandbox if a row is true. Its own tests come first."""
    name, colluding = case.problem.entry_point, row.kind == "colluding"
    own = Pair(id=row.id, solution=row.solution, test=row.test)
    look = Look(coverage=True, reruns=0 if row.kind == "flaky" else 1)
    yield _Claim(own, [] if colluding else row.wrong_tests, look)
    everything = Draft(right_tests(case, range(len(case.problem.examples)))).text(name)
    yield _Claim(own.model_copy(update={"test": everything}), None if colluding else [])
    if colluding:
        yield _Claim(own.model_copy(update={"solution": row.reference}), row.wrong_tests)
    if row.kind == "vacuous":
        yield _Claim(own.model_copy(update={"solution": f"def {name}(*given):\n    return None\n"}), [])


def _verified(pool: SandboxPool, cases: Sequence[Case], rows: Sequence[Planted]) -> Iterator[Planted]:
    """The rows that are true; of the others it is logged what is not."""
    claims = [list(_claims(case, row)) for case, row in zip(cases, rows, strict=True)]
    verdicts = pool.run_each((claim.pair, claim.look) for some in claims for claim in some)
    for row, some in zip(rows, claims, strict=True):
        found = [next(verdicts) for _ in some]
        for _ in range(_RERUNS if row.detail == "repetition" else 0):  # chance must not decide which rows there are
            if not some[0].holds(found[0]):
                found[0] = pool.run(some[0].pair, some[0].look)
        broken = [verdict.reason for claim, verdict in zip(some, found, strict=True) if not claim.holds(verdict)]
        covered = found[0].coverage
        missed = covered.branches - covered.branches_hit if covered else None
        if row.kind == "uncovered" and not missed:
            broken.append("all branches are taken")
        if broken:
            _log.warning("%s, %s (%s), is dropped: %s", row.id, row.kind, row.detail, broken[0])
        else:
            yield row.model_copy(update={"branches_missed": missed})


def planted(
    seed: int = 0,
    attempts: int = 6,
    rates: Mapping[str, float] = RATES,
    count: int | None = None,
    today: date | None = None,
) -> list[Planted]:
    """The corpus, the attempts at a question one after another; the same for the same arguments and day.

    Args:
        attempts: at each question; fewer than half of them have a wrong solution.
        rates: share of all attempts that are of each kind, as far as there are problems made for it.
        count: of questions, from the first on; None takes all.
        today: a day in UTC. Conditions on the clock hold until the next one ends. None is the day it is.

    Raises:
        SandboxUnavailable: the sandbox fails.
        ValueError: a rate is of no kind, or they add up to more than 1.
    """
    _check(rates)
    with SandboxPool(Sandbox(backend=Backend.BUBBLEWRAP, wall_s=20, memory_mb=512, output_kb=1024)) as pool:
        found = problems(pool, seed, count)
        cases = list(_cases(found, seed, attempts, today or datetime.now(UTC).date()))
        drafts = _drafts(cases, rates, seed)
        return list(_verified(pool, cases, [_row(case, *drafts[case.id]) for case in cases]))


def main() -> None:
    """Write the corpus, and print how much there is of each kind."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="a .parquet or .jsonl file")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--attempts", type=int, default=6)
    given = parser.parse_args()
    rows = planted(given.seed, given.attempts)
    with row_writer(given.out, Planted) as write:
        write(list(rows))
    print("| kind | attempts | commonest varieties |\n|---|---|---|")
    for kind in RATES:
        details = Counter(row.detail for row in rows if row.kind == kind)
        common = ", ".join(f"{number} {detail}" for detail, number in details.most_common(5) if detail)
        print(f"| {kind} | {details.total()} | {common} |")


if __name__ == "__main__":
    main()
