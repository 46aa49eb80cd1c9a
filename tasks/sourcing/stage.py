"""The tasks of sourcing: seeds, screened; prompts, drawn from them; questions, asked for and checked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count

from pydantic import BaseModel

from tasks.artifacts import Outcome, Receipt, batches
from tasks.errors import BadInput
from tasks.models import Question, Reject, RejectReason, Seed, SeedGroup
from tasks.run import Run, StageName, wire_settings
from tasks.settings import Role, fingerprint
from tasks.shards import TEACHER, shard_task
from tasks.sourcing import licences, questions, screening
from tasks.sourcing.catalogue import Entry, Method, entry_of, read_seeds
from tasks.sourcing.groups import seed_groups
from tasks.sourcing.spool import Spool, spooled
from tasks.teachers.clients import shared_client
from tasks.teachers.prompts import fitting, template_id
from tasks.teachers.requests import Answer, Refused, TeacherRequest

SEEDS_PER_SHARD = 1000


@dataclass(frozen=True)
class Collected:
    """Receipts of a subset's seeds, and of the prompts that were drawn from them."""

    seeds: list[Receipt]
    prompts: list[Receipt]


def screened(run: Run, subset: str, spool: Spool) -> Iterator[Seed | Reject]:
    """The seeds of a subset, and a reject for each that may not be used; those that may go into the spool.

    Raises:
        BadInput: the seeds cannot be read, or two have one id.
    """
    entry, options = entry_of(subset), run.config.subsets[subset].seeds
    for seed in read_seeds(subset, options):
        found = seed if isinstance(seed, Reject) else _screen(seed, entry, run, spool)
        if isinstance(found, Seed):
            spool.add(found)
        yield found


def _screen(seed: Seed, entry: Entry, run: Run, spool: Spool) -> Seed | Reject:
    def refuse(reason: RejectReason, why: str) -> Reject:
        return Reject(id=seed.seed_id, subset=seed.subset, reason=reason, evidence=why)

    if spool.knows(seed.seed_id):
        why = f"seed {seed.seed_id!r} of subset {seed.subset} occurs twice. Ids must be unique"
        if entry.method is Method.SEED_QUESTIONS and run.config.subsets[seed.subset].seeds.on_bad_row == "stop":
            raise BadInput(f"{why}; or set seeds.on_bad_row=skip")
        return refuse(RejectReason.INVALID_SEED, why)
    if twin := spool.twin(seed):
        return refuse(RejectReason.EXACT_DUPLICATE, f"the same text as {twin}")
    if found := licences.objection(seed.source.licence, run.config.licences):
        return refuse(*found)
    if entry.filters.screened and (found := _objection(seed)):
        return refuse(*found)
    return seed


def _objection(seed: Seed) -> tuple[RejectReason, str] | None:
    """Why a seed goes for what is in its text, or in its reference, which is stored beside it."""
    if found := screening.objection(f"{seed.text}\n{seed.context}"):
        return found
    if seed.reference not in seed.text and (found := screening.objection(seed.reference)):
        return found[0], f"in its reference: {found[1]}"
    return None


@shard_task("seeds of {subset}")
def collect_seeds(run: Run, subset: str, first_seeds: int, first_prompts: int) -> Collected:
    """Read and screen the seeds of a subset and draw its prompts, both as shards, numbered from the given numbers."""
    entry, options = entry_of(subset), run.config.subsets[subset]
    with spooled() as spool:
        seeds = _write(run, StageName.SEEDS, first_seeds, SEEDS_PER_SHARD, Seed, screened(run, subset, spool))
        if not len(spool):
            raise BadInput(_none_left(subset, seeds))
        wanted = options.count or entry.target
        groups = seed_groups(subset, entry, spool, wanted, run.config.diversity.max_topic_share, run.config.seed)
        prompts = _write(run, StageName.PROMPTS, first_prompts, run.config.shard_size, SeedGroup, groups)
    return Collected(seeds, prompts)


def _write(
    run: Run, stage: StageName, first: int, size: int, model: type[BaseModel], rows: Iterator[BaseModel]
) -> list[Receipt]:
    """Write a stream as shards, a shard in memory at a time; those that are there already stay as they are."""
    receipts = []
    for number, batch in zip(count(first), batches(rows, size), strict=False):
        outcome = Outcome.of(batch)
        key = fingerprint([row.model_dump(mode="json") for row in batch])
        receipts.append(run.stage(stage).run_shard(f"part-{number:05d}", model, [key], partial(_same, outcome)))
    return receipts


def _same(outcome: Outcome) -> Outcome:
    return outcome


def _none_left(subset: str, seeds: Sequence[Receipt]) -> str:
    reasons: Counter[str] = Counter()
    for receipt in seeds:
        reasons.update(receipt.reasons)
    told = ", ".join(f"{number} {reason}" for reason, number in reasons.items())
    hints = {
        RejectReason.UNKNOWN_LICENCE: f"name it (--set subsets.{subset}.seeds.licence=SPDX) or accept it "
        f"(--set licences.unknown=keep)",
        RejectReason.LICENCE_NOT_ALLOWED: "widen licences.allow",
    }
    ways = [hint for reason, hint in hints.items() if reason.value in reasons] or ["give other seeds"]
    return f"subset {subset}: none of its seeds may be used ({told}). To go on, {'; '.join(ways)}"


def collect_all_seeds(run: Run) -> dict[str, list[Receipt]]:
    """Seeds and prompts of all selected subsets; a shard holds one subset.

    Returns:
        The receipts of the prompts, by subset.
    """
    seeds: list[Receipt] = []
    prompts: dict[str, list[Receipt]] = {}
    for subset in run.config.selected:
        found = collect_seeds(run, subset, len(seeds), sum(map(len, prompts.values())))
        seeds += found.seeds
        prompts[subset] = found.prompts
    run.finish(StageName.SEEDS, seeds)
    run.finish(StageName.PROMPTS, [receipt for group in prompts.values() for receipt in group])
    return prompts


@shard_task("questions {prompts.name}", TEACHER)
def write_questions(run: Run, prompts: Receipt, saturated: str = "") -> Receipt:
    """Ask for one question per group of a shard, and check what comes.

    Args:
        saturated: why the subset asks no more; empty where it does.
    """
    groups = run.stage(StageName.PROMPTS).rows(prompts, SeedGroup)
    entry = entry_of(groups[0].subset)
    endpoint = run.teachers.of(entry.role)
    further = [call for call, on in ((RATING, entry.filters.rated), (CONTRACT, run.config.questions.repair)) if on]
    requests = [questions.question_request(group, run) for group in groups]

    def work() -> Outcome:
        if saturated:
            return Outcome.of([_not_asked(group, saturated) for group in groups])
        answers = shared_client(endpoint, run.cache_path).ask_all(requests, run.purpose(StageName.QUESTIONS))
        rows = [questions.read_question(*pair, run) for pair in zip(groups, answers, strict=True)]
        for call in further:
            rows = _further(run, call, rows)
        return Outcome.of([_or_reject(row) for row in rows])

    # The requests themselves decide: a changed prompt or parameter asks anew, an unchanged one does not.
    sizes = run.config.teachers.prompts
    depends_on = [
        prompts,
        fingerprint([request.key(endpoint) for request in requests]),
        *(wire_settings(run.teachers.of(one)) for one in (entry.role, *(call.role for call in further))),
        [template_id(fitting(call.template, sizes)) for call in further],
        run.config.questions,
        saturated,
    ]
    return run.stage(StageName.QUESTIONS).run_shard(prompts.name, Question, depends_on, work)


def _or_reject(row: Question | Reject) -> Question | Reject:
    return questions.without_contract(row) if isinstance(row, Question) and not row.contract else row


def _not_asked(group: SeedGroup, why: str) -> Reject:
    return Reject(id=group.question_id, subset=group.subset, reason=RejectReason.SATURATED, evidence=why)


@dataclass(frozen=True)
class Further:
    """A further call for some of the questions: who is asked, for which, how, and what becomes of the answer."""

    role: Role
    account: str
    template: str
    wants: Callable[[Question, Run], bool]
    request: Callable[[Question, Run], TeacherRequest]
    read: Callable[[Question, Answer | Refused, Run], Question | Reject]


RATING = Further(
    Role.RATER,
    questions.RATINGS,
    questions.RATE,
    questions.wants_rating,
    questions.rating_request,
    questions.read_rating,
)
CONTRACT = Further(
    Role.AUTHOR,
    questions.CONTRACTS,
    questions.CONTRACT,
    questions.wants_contract,
    questions.contract_request,
    questions.read_contract,
)


def _further(run: Run, call: Further, rows: Sequence[Question | Reject]) -> list[Question | Reject]:
    """The rows, each in its place, those that want the call as it left them."""
    asked = {number: row for number, row in enumerate(rows) if isinstance(row, Question) and call.wants(row, run)}
    answers = shared_client(run.teachers.of(call.role), run.cache_path).ask_all(
        [call.request(row, run) for row in asked.values()], run.purpose(call.account)
    )
    done = {number: call.read(row, answer, run) for (number, row), answer in zip(asked.items(), answers, strict=True)}
    return [done.get(number, row) for number, row in enumerate(rows)]
