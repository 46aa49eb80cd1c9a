"""Failures as seeds of the subset Feedback: what a model got wrong is asked about more, without training on the test.

What is written here is meant to be trained on. So items of public benchmarks are never written: a score on them would
mean nothing afterwards. Of one's own items those that were written are spent, and ``evaluation.fed_back`` leaves them
out of later evaluations.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tasks.errors import BadInput
from tasks.evaluation.checking import canonical_answer
from tasks.evaluation.items import is_published
from tasks.evaluation.result import JudgedShard, item_results
from tasks.files import row_writer
from tasks.models import Asking, EvalItem, EvalVerdict, Failure
from tasks.settings import Evaluation


def check_feedback(evaluation: Evaluation, items: Sequence[EvalItem]) -> None:
    """See that the items of an evaluation may be trained on.

    Raises:
        BadInput: some are those of a public benchmark.
    """
    if is_published(evaluation, items):
        raise BadInput(
            f"--feedback is refused: {evaluation.benchmark!r} is, or holds, a public benchmark, and its items must not "
            f"be trained on. See by difficulty and topic in the report what to make more of, or evaluate items of your "
            f"own"
        )


def failures(shard: JudgedShard) -> Iterator[Failure]:
    """One row for each item that most samples failed, with the first wrong answer that holds code."""
    text = {one.answer_id: one for one in shard.answers}
    wrong: dict[str, EvalVerdict] = {}
    for verdict in shard.verdicts:
        if not verdict.passed and verdict.verdict is not None:
            wrong.setdefault(verdict.item_id, verdict)
    for item, result in zip(shard.items, item_results(shard), strict=True):
        first = wrong.get(item.id)
        if first is None or 2 * result.passed >= result.samples:
            continue
        right = canonical_answer(item, Asking.CHAT) if item.canonical_solution else ""
        solution = f"\n\nA solution that passes:\n{right}" if right else ""
        yield Failure(
            id=item.id,
            prompt=item.prompt,
            answer=text[first.answer_id].code,
            expected=f"Code that passes the tests. With this one: {first.reason}{solution}",
            topic=item.topic,
        )


def write_feedback(path: Path, shards: Iterable[JudgedShard]) -> None:
    """Write failures for ``subsets.Feedback.seeds.path``.

    Raises:
        BadInput: the file cannot be written.
    """
    with row_writer(path, Failure) as write:
        for shard in shards:
            write(list(failures(shard)))
