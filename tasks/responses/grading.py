"""Responses to grades: each is judged as written, and beside it under the name that the tests use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tasks.answers import CUT_OFF
from tasks.execution.aliases import fit, under
from tasks.execution.pool import Look, SandboxPool
from tasks.models import Grade, Pair, PairVerdict, Response, Verdict
from tasks.responses.problems import Problem

_Job = tuple[str, str]
"""Code, and what judges it."""


def grade(
    responses: Sequence[Response], problems: Mapping[str, Problem], pool: SandboxPool, look: Look, accept_alias: bool
) -> list[Grade]:
    """Grades in the order of the responses. The same code is run once for the same tests: a row that tells another one
    as a stub has its tests.

    Args:
        problems: rows by their ids.
        accept_alias: whether to pass what passes under an alias only.

    Raises:
        SandboxUnavailable: the sandbox failed.
    """
    asked: list[tuple[Response, str, list[_Job]]] = []
    jobs: dict[_Job, Pair] = {}
    for one in responses:
        problem = problems[one.question_id]
        alias = _alias(one, problem)
        places = [(code, problem.judge) for code in _codes(one, alias)]
        asked.append((one, alias, places))
        jobs.update({place: problem.pair(one.response_id, place[0]) for place in places if place not in jobs})
    verdicts = dict(zip(jobs, pool.run_all(list(jobs.values()), look), strict=True))
    spent = {place: found.sandbox_s for place, found in verdicts.items()}
    return [
        _grade(
            response=one,
            alias=alias,
            verdicts=[verdicts[place] for place in places],
            accept_alias=accept_alias,
            sandbox_s=sum(spent.pop(place, 0.0) for place in places),
        )
        for one, alias, places in asked
    ]


def _alias(response: Response, problem: Problem) -> str:
    return fit(response.code, problem.test).alias if problem.test and _can_pass(response) else ""


def _can_pass(response: Response) -> bool:
    """A reply that was cut off is no answer, even where it got as far as its code."""
    return bool(response.code) and response.finish_reason != CUT_OFF


def _codes(response: Response, alias: str) -> list[str]:
    """What is run of a response: as written, then under its alias."""
    if not _can_pass(response):
        return []
    return [response.code, under(response.code, alias)] if alias else [response.code]


def _grade(
    response: Response, alias: str, verdicts: Sequence[PairVerdict], accept_alias: bool, sandbox_s: float
) -> Grade:
    written = verdicts[0] if verdicts else None
    renamed = verdicts[1] if alias else None
    by_alias = accept_alias and renamed is not None and renamed.verdict is Verdict.PASSED
    judging = renamed if by_alias else written
    if written is None:
        reason = "the reply was cut off" if response.finish_reason == CUT_OFF else "the reply holds no code"
    else:
        reason = written.reason + (f"; under {alias}: {renamed.reason}" if renamed else "")
    return Grade(
        response_id=response.response_id,
        question_id=response.question_id,
        passed=judging is not None and judging.verdict is Verdict.PASSED,
        verdict=written.verdict if written else None,
        reason=reason,
        integrity_tier=judging.integrity_tier if judging else None,
        alias=alias,
        alias_verdict=renamed.verdict if renamed else None,
        tests=judging.tests if judging else [],
        wall_s=judging.wall_s if judging else 0.0,
        sandbox_s=sandbox_s,
    )
