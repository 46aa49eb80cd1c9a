"""The tasks of execution: attempts are judged, solutions and tests compared with one another, tests put to mutants."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress

from tasks import metrics
from tasks.arrow import values
from tasks.artifacts import Outcome, Receipt
from tasks.consensus import consensus_of, merged
from tasks.errors import SandboxUnavailable
from tasks.execution.crosscheck import Entry, entrants_of, matrices
from tasks.execution.expected import entry_points
from tasks.execution.mutation.run import audit_tests, candidates
from tasks.execution.pool import Look, SandboxPool, shared_pool
from tasks.execution.slots import resolve_backend
from tasks.execution.stubs import stubs
from tasks.execution.verify import shareable_sandbox
from tasks.models import Attempt, AttemptVerdict, Audit, Control, CrossCheck, Pair, Question, Verdict
from tasks.rounds import Rounds, by_question
from tasks.run import Run, StageName
from tasks.settings import Backend, Effort
from tasks.shards import SANDBOX, shard_task
from tasks.syntax import MOST_READ, UNREADABLE


@shard_task("execute {attempts.name}", SANDBOX)
def execute_attempts(run: Run, attempts: Receipt) -> Receipt:
    """Judge one shard of attempts. Every attempt gets a verdict; none is rejected here."""
    sandbox, effort = run.config.sandbox, run.config.verification.effort

    def work() -> Outcome:
        rows = run.stage(StageName.ATTEMPTS).rows(attempts, Attempt)
        verdicts = judge_attempts(rows, shared_pool(sandbox), sandbox.coverage, effort)
        for verdict, number in Counter(one.pair.verdict.value for one in verdicts).items():
            metrics.VERDICTS.add(number, {"verdict": verdict})
        return Outcome.of(verdicts)

    depends_on = [attempts, *_box(run), effort.reruns, effort.stubs]
    return run.stage(StageName.VERDICTS).run_shard(attempts.name, AttemptVerdict, depends_on, work)


@shard_task("cross-check {tests[0].name}", SANDBOX)
def cross_check(run: Run, questions: Receipt, rounds: Rounds, tests: Sequence[Receipt]) -> Receipt:
    """Run every solution of a shard's questions under tests of its attempts.

    Args:
        rounds: where the solutions come from.
        tests: receipts of the attempts whose tests are run.
    """

    def work() -> Outcome:
        history = rounds.read(run)
        written = by_question(one for one in history.attempts if not one.mends)
        solved = by_question(history.solutions)
        judged = {one.attempt_id: one for one in history.verdicts}
        given = by_question(row for part in tests for row in run.stage(StageName.ATTEMPTS).rows(part, Attempt))
        entries = [
            Entry(
                question_id=row.question_id,
                entrants=entrants_of(row, written[row.question_id], solved[row.question_id]),
                tests=given[row.question_id],
                verdicts=judged,
            )
            for row in run.stage(StageName.QUESTIONS).rows(questions, Question)
            if given[row.question_id]
        ]
        return Outcome.of(matrices(entries, shared_pool(run.config.sandbox)))

    depends_on = [questions, *rounds.receipts, *tests, *_box(run)]
    return run.stage(StageName.CROSSCHECKS).run_shard(tests[0].name, CrossCheck, depends_on, work)


@shard_task("audit {questions.name}", SANDBOX)
def audit_attempts(run: Run, questions: Receipt, rounds: Rounds) -> Receipt:
    """Put the tests of a shard's passed attempts to mutants of their solutions."""
    effort = run.config.verification.effort

    def work() -> Outcome:
        history = rounds.read(run)
        attempts, checks = by_question(history.attempts), merged(history.crosschecks)
        by_id = {one.attempt_id: one for one in history.attempts}
        chosen = [
            (by_id[verdict.attempt_id], verdict)
            for question_id, judged in by_question(history.verdicts).items()
            for verdict in candidates(
                judged, effort.candidates, consensus_of(attempts[question_id], checks.get(question_id)).disputed
            )
        ]
        return Outcome.of(audit_tests(chosen, shared_pool(run.config.sandbox), effort, run.config.seed))

    bounds = [effort.mutants, effort.mutation_s, effort.candidates, run.config.seed]
    depends_on = [*rounds.attempts, *rounds.mended, *rounds.verdicts, *rounds.crosschecks, *bounds, *_box(run)]
    return run.stage(StageName.AUDITS).run_shard(questions.name, Audit, depends_on, work)


def _box(run: Run) -> list[object]:
    """What of the sandbox its findings depend on."""
    return [shareable_sandbox(run.config.sandbox), resolve_backend(run.config.sandbox).value]


def check_backend(run: Run) -> None:
    """See that a run that began in Docker's boxes does not go on in bubblewrap's, just as the daemon is away.

    Raises:
        SandboxUnavailable: it would.
    """
    sandbox, verdicts = run.config.sandbox, run.stage(StageName.VERDICTS)
    if sandbox.backend is not Backend.AUTO or resolve_backend(sandbox) is Backend.DOCKER:
        return
    for shard in verdicts.shards()[:1]:
        if Backend.DOCKER in values(verdicts.table(shard, ["pair.backend"]), "backend"):
            raise SandboxUnavailable(
                f"run {run.config.run!r} was begun with Docker's sandbox, and now no daemon answers that has the image "
                f"{sandbox.image!r}. Start the daemon and run the same command again, or judge all attempts anew "
                f"without it: --set sandbox.backend=bubblewrap"
            )


def _stubs(pair: Pair) -> dict[str, str]:
    """The stubs of a solution; none where it is too long, or nested too deeply, to be rewritten."""
    if max(len(pair.solution), len(pair.test)) > MOST_READ:
        return {}
    with suppress(*UNREADABLE):
        return stubs(pair.solution, pair.test)
    return {}


def judge_attempts(attempts: list[Attempt], pool: SandboxPool, coverage: bool, effort: Effort) -> list[AttemptVerdict]:
    """Verdicts in the order of the attempts.

    The negative controls run the tests of every pass against stubs of its solution: where they pass again, they are
    vacuous or the pass was forged.
    """
    pairs = [Pair(id=row.attempt_id, solution=row.solution, test=row.test) for row in attempts]
    verdicts = pool.run_all(pairs, Look(coverage=coverage, reruns=effort.reruns))
    controls = [
        (number, name, pair.model_copy(update={"solution": source}))
        for number, (pair, verdict) in enumerate(zip(pairs, verdicts, strict=True))
        if verdict.verdict is Verdict.PASSED and effort.stubs
        for name, source in list(_stubs(pair).items())[: effort.stubs]
        if source.strip() != pair.solution.strip()  # a program without functions is its own stub
    ]
    judged = [
        AttemptVerdict(
            attempt_id=row.attempt_id,
            question_id=row.question_id,
            attempt=row.attempt,
            pair=verdict,
            entry_points=entry_points(row.test),
            controls=[],
            sandbox_s=verdict.sandbox_s,
        )
        for row, verdict in zip(attempts, verdicts, strict=True)
    ]
    found = pool.run_all([pair for _, _, pair in controls], Look(first_failure=True))
    for (number, name, _), control in zip(controls, found, strict=True):
        judged[number].controls.append(Control(stub=name, verdict=control.verdict))
        judged[number].sandbox_s += control.sandbox_s
    return judged
