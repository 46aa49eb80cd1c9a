"""The result of an evaluation: per item, per group and in all, with its uncertainty."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from tasks.errors import BadInput
from tasks.evaluation.estimator import estimate
from tasks.models import EvalAnswer, EvalItem, EvalVerdict, Reject, RejectReason, Tier
from tasks.models.scores import Asked, Estimate, EvaluationResult, Group, ItemResult, Spent
from tasks.models.vocabulary import NOT_ASKED, Asking
from tasks.settings import Endpoint, EvaluationConfig

CUT_OFF = "length"
NO_CODE = "no_code"


@dataclass(frozen=True)
class JudgedShard:
    """The items of a shard with what came of them; ``unanswered`` has the ids of answers."""

    items: Sequence[EvalItem]
    answers: Sequence[EvalAnswer]
    verdicts: Sequence[EvalVerdict]
    unanswered: Sequence[Reject]


def result_of(
    config: EvaluationConfig, endpoint: Endpoint, shards: Iterable[JudgedShard], left_out: Sequence[Reject]
) -> EvaluationResult:
    """The result of judged answers, read a shard at a time.

    A request that the endpoint refused for good counts as a sample that did not pass. One that it never answered, for
    want of budget or because it failed, does not count; an item with fewer samples than k has no say in pass@k.

    Args:
        endpoint: the model, with the name that it was asked by.
    """
    found: list[ItemResult] = []
    outcomes: Counter[str] = Counter()
    tally: Counter[str] = Counter()
    templates: set[str] = set()
    box = ("", "")
    for shard in shards:
        results = item_results(shard)
        found += results
        for one in results:
            outcomes.update(one.outcomes)
        tally["prompt_tokens"] += sum(answer.call.prompt_tokens for answer in shard.answers)
        tally["completion_tokens"] += sum(answer.call.completion_tokens for answer in shard.answers)
        tally["cut_off"] += sum(answer.finish_reason == CUT_OFF for answer in shard.answers)
        tally["shared"] += sum(one.passed and one.integrity_tier is Tier.SHARED for one in shard.verdicts)
        tally["not_asked"] += sum(one.reason in NOT_ASKED for one in shard.unanswered)
        templates |= {answer.call.template for answer in shard.answers}
        box = next(((one.backend, one.image) for one in shard.verdicts), box)
    evaluation = config.evaluation
    return EvaluationResult(
        benchmark=evaluation.benchmark,
        asked=Asked(
            model=endpoint.model,
            asking=evaluation.asking,
            system=evaluation.system,
            templates=sorted(templates) if evaluation.asking is Asking.CHAT else [],
            sampling=endpoint.sampling.model_dump(mode="json"),
            samples=evaluation.samples,
            seed=config.seed,
            backend=box[0],
            image=box[1],
        ),
        scores=_scores(found, evaluation.ks, config.seed),
        groups=_groups(found, evaluation.ks, config.seed),
        outcomes=dict(outcomes.most_common()),
        cut_off=tally["cut_off"],
        shared=tally["shared"],
        not_asked=tally["not_asked"],
        left_out=by_reason(left_out),
        spent=Spent(
            prompt_tokens=tally["prompt_tokens"],
            completion_tokens=tally["completion_tokens"],
            usd=endpoint.prices.usd(tally["prompt_tokens"], tally["completion_tokens"]),
        ),
        items=found,
    )


def item_results(shard: JudgedShard) -> list[ItemResult]:
    """What became of the items of a shard, in their order."""
    verdicts: dict[str, list[EvalVerdict]] = {item.id: [] for item in shard.items}
    for verdict in shard.verdicts:
        verdicts[verdict.item_id].append(verdict)
    refused: dict[str, list[RejectReason]] = {item.id: [] for item in shard.items}
    for one in shard.unanswered:
        if one.reason not in NOT_ASKED:
            refused[one.id.rpartition("/")[0]].append(one.reason)
    return [_item_result(item, verdicts[item.id], refused[item.id]) for item in shard.items]


def _item_result(item: EvalItem, verdicts: Sequence[EvalVerdict], refused: Sequence[RejectReason]) -> ItemResult:
    outcomes = Counter(one.verdict.value if one.verdict else NO_CODE for one in verdicts)
    outcomes.update(reason.value for reason in refused)
    return ItemResult(
        id=item.id,
        digest=digest_of(item),
        samples=len(verdicts) + len(refused),
        passed=sum(one.passed for one in verdicts),
        outcomes=dict(sorted(outcomes.items())),
        difficulty=item.difficulty,
        date=item.date,
        topic=item.topic,
    )


def digest_of(item: EvalItem) -> str:
    """Hash of what an item asks and is judged by."""
    asked = [item.prompt, item.stub, item.entry_point, item.test, [run.model_dump() for run in item.io]]
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _scores(items: Sequence[ItemResult], ks: Sequence[int], seed: int) -> list[Estimate]:
    found = (estimate([(one.samples, one.passed) for one in items], k, seed) for k in ks)
    return [one for one in found if one is not None]


def _groups(items: Sequence[ItemResult], ks: Sequence[int], seed: int) -> list[Group]:
    keys: Mapping[Literal["difficulty", "month", "topic"], Callable[[ItemResult], str]] = {
        "difficulty": lambda one: one.difficulty,
        "month": lambda one: one.date[:7],
        "topic": lambda one: one.topic,
    }
    groups = []
    for by, key in keys.items():
        names = sorted({key(one) for one in items})
        if names in ([""], []):
            continue
        for name in names:
            members = [one for one in items if key(one) == name]
            scores = _scores(members, ks, seed)
            groups.append(Group(by=by, name=name, items=len(members), scores=scores))
    return groups


def by_reason(rejects: Iterable[Reject]) -> dict[str, list[str]]:
    """Ids of rejects by their reason."""
    found: dict[str, list[str]] = {}
    for one in rejects:
        found.setdefault(one.reason.value, []).append(one.id)
    return found


def read_result(path: Path) -> EvaluationResult:
    """A result that was written with ``--out``.

    Raises:
        BadInput: there is none, or it is of another kind.
    """
    try:
        return EvaluationResult.model_validate_json(path.read_bytes())
    except OSError as error:
        raise BadInput(f"result {str(path)!r} cannot be read: {error}. Give a file that --out has written") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise BadInput(
            f"{str(path)!r} is no result of kodforge evaluate: {where}: {first['msg']}. Give a file that --out has "
            f"written"
        ) from error
