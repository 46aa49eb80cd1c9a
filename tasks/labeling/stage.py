"""The shard tasks of labelling: wrong tests are mended once, then attempts and evidence become labelled triplets."""

from __future__ import annotations

from collections import Counter

from tasks.artifacts import Outcome, Receipt
from tasks.consensus import merged
from tasks.labeling.mending import ACCOUNT, Mendable, mendable, read_rewrite, rewrite_request, without_wrong
from tasks.labeling.triplets import Try, collect_tries, label
from tasks.models import Attempt, Question, Triplet
from tasks.rounds import History, Rounds, answered, question_of
from tasks.run import Run, StageName, wire_settings
from tasks.settings import Mending, fingerprint
from tasks.shards import TEACHER, shard_task
from tasks.teachers.clients import shared_client


def _tries(history: History) -> dict[str, list[Try]]:
    return collect_tries(history.attempts, history.verdicts, {one.id: one for one in history.unusable})


@shard_task("mend by {way} {questions.name}", TEACHER)
def mend_attempts(run: Run, questions: Receipt, rounds: Rounds, way: Mending) -> Receipt:
    """Mend the tests of those questions of a shard that no attempt settles although their solutions agree."""
    author = run.teachers.author
    found = _mendable(run, questions, rounds)
    requests = [rewrite_request(one, run.config) for one in found] if way is Mending.REWRITE else []

    def work() -> Outcome:
        if way is Mending.DROP:
            return Outcome.of([without_wrong(one) for one in found])
        answers = shared_client(author, run.cache_path).ask_all(requests, run.purpose(ACCOUNT))
        return Outcome.of([read_rewrite(one, answer, run.config) for one, answer in zip(found, answers, strict=True)])

    asked = fingerprint([request.key(author) for request in requests])
    depends_on = [questions, *rounds.receipts, way, asked, wire_settings(author) if requests else None]
    shard = f"{questions.name}-{way}"
    return run.stage(StageName.ATTEMPTS).run_shard(shard, Attempt, depends_on, work)


def _mendable(run: Run, questions: Receipt, rounds: Rounds) -> list[Mendable]:
    history = rounds.read(run)
    tries, checks = _tries(history), merged(history.crosschecks)
    asked = run.stage(StageName.QUESTIONS).rows(questions, Question)
    found = (mendable(row, tries.get(row.question_id, []), checks.get(row.question_id)) for row in asked)
    return [one for one in found if one]


@shard_task("label {questions.name}")
def label_triplets(run: Run, questions: Receipt, rounds: Rounds) -> Receipt:
    """Label one shard of questions."""
    rules = run.config.verification

    def work() -> Outcome:
        history = rounds.read(run)
        tries, checks = _tries(history), merged(history.crosschecks)
        audits = {one.attempt_id: one for one in history.audits}
        unsolved = Counter(question_of(one.id) for one in answered(history.unsolved))
        return Outcome.of(
            [
                label(
                    row, tries[row.question_id], rules, checks.get(row.question_id), audits, unsolved[row.question_id]
                )
                for row in run.stage(StageName.QUESTIONS).rows(questions, Question)
            ]
        )

    depends_on = [rules.gates, questions, *rounds.receipts]
    return run.stage(StageName.TRIPLETS).run_shard(questions.name, Triplet, depends_on, work)
