"""Conversions put to the sandbox: examples and samples have to be true, the program has to pass, its stubs to fail."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from tasks.acceptance import explanation, rejection
from tasks.execution.pool import Look, SandboxPool
from tasks.execution.stage import judge_attempts
from tasks.execution.stubs import stubs
from tasks.models import (
    Attempt,
    AttemptVerdict,
    Control,
    Conversion,
    Pair,
    PairVerdict,
    ProgramRun,
    Reject,
    RejectReason,
    ReleaseRow,
    Style,
    Verdict,
)
from tasks.settings import BuildConfig
from tasks.styles.asking import names_used
from tasks.styles.complete import as_question, completed, removable, stub_of
from tasks.styles.declarations import Refusal
from tasks.styles.examples import examples_of, without
from tasks.styles.online_judge import program_of, samples_in, without_samples
from tasks.styles.released import released_row
from tasks.syntax import UNREADABLE

_FEWEST_OUTPUTS = 2


@dataclass
class _Case:
    """A conversion on its way: what it is by now, what was mended, why it is refused, what the sandbox said."""

    row: ReleaseRow
    conversion: Conversion
    mends: list[str] = field(default_factory=list)
    refusal: Refusal | None = None
    verdict: AttemptVerdict | None = None

    def becomes(self, mends: Sequence[str] = (), **values: object) -> None:
        self.conversion = self.conversion.model_copy(update=values)
        self.mends += mends

    def refuse(self, reason: RejectReason, why: str) -> None:
        self.refusal = Refusal(reason, why)


def verify(
    rows: Mapping[str, ReleaseRow], conversions: Sequence[Conversion], pool: SandboxPool, config: BuildConfig
) -> list[ReleaseRow | Reject]:
    """A released row or a reject of each conversion, in order.

    Args:
        rows: what they were made of, by id.
    """
    cases = [_Case(rows[one.converted_from], one) for one in conversions]
    stubs_ = [case for case in cases if case.conversion.style is Style.COMPLETE]
    problems = [case for case in cases if case.conversion.style is Style.ONLINE_JUDGE]
    _check_examples(stubs_, pool)
    _judge_stubs(_left(stubs_), pool, config)
    _find_outputs(problems, pool, config)
    _judge_problems(_left(problems), pool, config)
    return [_outcome(case, config) for case in cases]


def _left(cases: Sequence[_Case]) -> list[_Case]:
    return [case for case in cases if case.refusal is None]


def _outcome(case: _Case, config: BuildConfig) -> ReleaseRow | Reject:
    if case.refusal is None:
        assert case.verdict is not None
        reason = rejection(case.verdict, config.verification)
        if reason is None:
            return released_row(case.row, case.conversion, case.verdict, case.mends, config.verification.gates)
        case.refuse(reason, explanation(case.verdict, config.verification))
    assert case.refusal is not None
    told = {"why": case.refusal.why, "question": case.conversion.question, "solution": case.conversion.solution}
    return Reject(
        id=case.conversion.question_id,
        subset=case.conversion.subset,
        reason=case.refusal.reason,
        evidence=json.dumps(told, ensure_ascii=False),
        response_id=case.conversion.call.response_id,
    )


def _check_examples(cases: Sequence[_Case], pool: SandboxPool) -> None:
    """Leave out examples that are not true of the completed program; refuse where none would remain."""
    asked = [case for case in cases if case.conversion.examples]
    pairs = [
        Pair(id=one.question_id, solution=one.solution, test=one.examples)
        for one in (case.conversion for case in asked)
    ]
    for case, found in zip(asked, pool.run_all(pairs), strict=True):
        if found.verdict is not Verdict.PASSED:
            _without_wrong_examples(case, found)


def _without_wrong_examples(case: _Case, found: PairVerdict) -> None:
    names, stub = names_used(case.row), stub_of(case.conversion.question)
    true = {test.test_id for test in found.tests if test.outcome == "passed"}
    examples = examples_of(stub, names)
    wrong = [one for number, one in enumerate(examples, 1) if f"test_example_{number}" not in true]
    if not removable(wrong, examples):
        case.refuse(RejectReason.WRONG_EXAMPLES, found.reason)
        return
    try:
        made = completed(without(stub, wrong), case.row.solution, names, [])
    except UNREADABLE as error:
        case.refuse(RejectReason.WRONG_EXAMPLES, f"{found.reason}; it cannot be left out: {type(error).__name__}")
        return
    case.becomes(
        [f"left out {len(wrong)} of {len(examples)} examples: {found.reason}"],
        question=as_question(made.stub),
        solution=made.program,
        examples=made.examples,
    )


def _judge_stubs(cases: Sequence[_Case], pool: SandboxPool, config: BuildConfig) -> None:
    attempts = [
        Attempt(
            attempt_id=one.question_id,
            question_id=one.question_id,
            attempt=1,
            solution=one.solution,
            test=one.test,
            call=one.call,
        )
        for one in (case.conversion for case in cases)
    ]
    verdicts = judge_attempts(attempts, pool, config.sandbox.coverage, config.verification.effort)
    for case, verdict in zip(cases, verdicts, strict=True):
        case.verdict = verdict


def _find_outputs(cases: Sequence[_Case], pool: SandboxPool, config: BuildConfig) -> None:
    """Put what the program prints in the place of what the converter claims, and leave out inputs that it fails on."""
    asked = [(case, run) for case in cases for run in case.conversion.io]
    found = _run_each(asked, pool)
    # What ends well, with another output than was claimed, is told from what does not by a second run.
    unlike = [number for number, one in enumerate(found) if one.verdict is Verdict.FAILED]
    printed = [(asked[at][0], ProgramRun(stdin=asked[at][1].stdin, stdout=found[at].output)) for at in unlike]
    again = dict(zip(unlike, _run_each(printed, pool), strict=True))
    runs: dict[int, list[_Run]] = defaultdict(list)
    for number, ((case, claimed), one) in enumerate(zip(asked, found, strict=True)):
        runs[id(case)].append(_Run(claimed, one, again.get(number, one).verdict is Verdict.PASSED))
    for case in cases:
        _take_outputs(case, runs[id(case)], config.post_training.styles.least_inputs)


@dataclass(frozen=True)
class _Run:
    """An input with the output that is claimed, what came of it, and whether the program ends well on it."""

    claimed: ProgramRun
    found: PairVerdict
    ended: bool

    @property
    def true(self) -> bool:
        return self.found.verdict is Verdict.PASSED


def _run_each(runs: Sequence[tuple[_Case, ProgramRun]], pool: SandboxPool) -> list[PairVerdict]:
    return pool.run_all(
        [
            Pair(id=f"{case.conversion.question_id}/{number}", solution=case.conversion.solution, io=[run])
            for number, (case, run) in enumerate(runs)
        ]
    )


def _take_outputs(case: _Case, runs: Sequence[_Run], least: int) -> None:
    shown = {sample.run.stdin.rstrip() for sample in samples_in(case.conversion.question)}
    ended = [one for one in runs if one.ended]
    if not ended:
        first = runs[0].found
        case.refuse(RejectReason(first.verdict.value), f"the program ends well on no input: {first.reason}")
        return
    _check_samples(case, {one.claimed.stdin.rstrip(): one for one in runs})
    if case.refusal:
        return
    io = [ProgramRun(stdin=one.claimed.stdin, stdout=one.found.output) for one in ended]
    hidden = sum(one.stdin.rstrip() not in shown for one in io)
    if hidden < least:
        why = f"{hidden} different inputs beside the samples are left of {len(runs)}, {least} are needed"
        case.refuse(RejectReason.FEW_TESTS, why)
    elif len({one.stdout.rstrip() for one in io}) < _FEWEST_OUTPUTS:
        case.refuse(RejectReason.WEAK_TESTS, f"the program prints the same for all {len(io)} inputs")
    mends = []
    if failed := [one for one in runs if not one.ended]:
        why = failed[0].found.reason
        mends.append(f"left out {len(failed)} of {len(runs)} inputs, on which the program fails: {why}")
    wrong = [one for one in ended if not one.true and one.claimed.stdout]
    if wrong:
        mends.append(f"corrected {len(wrong)} of {len(runs)} outputs, first that of {wrong[0].claimed.stdin[:100]!r}")
    case.becomes(mends, io=io)


def _check_samples(case: _Case, runs: Mapping[str, _Run]) -> None:
    """Leave out samples that are not true; refuse where none would remain."""
    samples = samples_in(case.conversion.question)
    wrong = [sample for sample in samples if not runs[sample.run.stdin.rstrip()].true]
    if not wrong:
        return
    why = runs[wrong[0].run.stdin.rstrip()].found.reason
    if len(wrong) == len(samples):
        case.refuse(RejectReason.WRONG_EXAMPLES, f"no sample of the statement is true: {why}")
        return
    told = f"left out {len(wrong)} of {len(samples)} samples: {why}"
    case.becomes([told], question=without_samples(case.conversion.question, wrong))


def _judge_problems(cases: Sequence[_Case], pool: SandboxPool, config: BuildConfig) -> None:
    """Run each program on all its inputs once more, again as often as attempts are, and its stubs."""
    effort = config.verification.effort
    look = Look(coverage=config.sandbox.coverage, reruns=effort.reruns)
    pairs = [Pair(id=one.question_id, solution=one.solution, io=one.io) for one in (case.conversion for case in cases)]
    for case, found in zip(cases, pool.run_all(pairs, look), strict=True):
        if found.verdict is Verdict.FAILED:  # it had passed with these very outputs
            case.refuse(RejectReason.FLAKY, f"the program does not print the same again: {found.reason}")
        case.verdict = AttemptVerdict(
            attempt_id=found.id,
            question_id=found.id,
            attempt=1,
            pair=found,
            entry_points=names_used(case.row),
            controls=[],
            sandbox_s=found.sandbox_s,
        )
    controls = [
        (case.verdict, name, Pair(id=case.conversion.question_id, solution=program, io=case.conversion.io))
        for case in cases
        if case.verdict and case.verdict.pair.verdict is Verdict.PASSED
        for name, program in _stubbed(case, effort.stubs)
    ]
    found_controls = pool.run_all([pair for _, _, pair in controls], Look(first_failure=True))
    for (verdict, name, _), control in zip(controls, found_controls, strict=True):
        verdict.controls.append(Control(stub=name, verdict=control.verdict))
        verdict.sandbox_s += control.sandbox_s


def _stubbed(case: _Case, most: int) -> list[tuple[str, str]]:
    """Programs whose functions do next to nothing, and whose driver is what it is."""
    solution = case.row.solution
    with suppress(*UNREADABLE):
        made = list(stubs(solution, case.row.test).items())[:most]
        return [
            (name, program_of(stub, case.conversion.driver)) for name, stub in made if stub.strip() != solution.strip()
        ]
    return []
