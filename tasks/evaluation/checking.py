"""A benchmark checked without any model: its own solutions must pass its tests, and stubs of them must not."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from pydantic import BaseModel, ConfigDict, Field

from tasks.evaluation.asking import answered, continued
from tasks.evaluation.judging import pair
from tasks.evaluation.result import by_reason
from tasks.evaluation.sources import defined
from tasks.execution.pool import Look, SandboxPool
from tasks.execution.stubs import stubs
from tasks.models import Asking, EvalItem, Reject, Row, Style, Verdict
from tasks.syntax import UNREADABLE

_NOTHING = {"prints nothing": "pass\n"}
_LOOK = Look(first_failure=True)


class CheckedItem(Row):
    """What an item's own tests make of its own solution, and of solutions that do next to nothing."""

    id: str
    verdict: Verdict | None = Field(description="On the canonical solution; None where the item has none.")
    reason: str
    passing_stubs: list[str] = Field(description="What stubs do that pass as well: they show what the tests miss.")


class BenchmarkCheck(BaseModel):
    """The check of a benchmark."""

    model_config = ConfigDict(extra="forbid")

    benchmark: str
    items: int
    passed: int = Field(description="Items whose canonical solution passes.")
    broken: dict[str, str] = Field(description="Items whose canonical solution does not, and why.")
    vacuous: dict[str, list[str]] = Field(description="Items whose tests pass stubs too, and which.")
    without_solution: list[str]
    left_out: dict[str, list[str]] = Field(description="Items that cannot be judged here, by reason.")

    @property
    def sound(self) -> bool:
        """Whether no canonical solution fails, and some pass."""
        return bool(self.passed) and not self.broken


def canonical_answer(item: EvalItem, asking: Asking) -> str:
    """The code that is run where a model answers with the canonical solution."""
    if asking is Asking.COMPLETION:
        whole = item.style is not Style.COMPLETE or item.entry_point in defined(item.canonical_solution)
        return item.canonical_solution if whole else continued(item, item.canonical_solution)
    return answered(item, f"```python\n{item.canonical_solution.rstrip()}\n```\n")


def check(items: Sequence[EvalItem], asking: Asking, pool: SandboxPool) -> list[CheckedItem]:
    """What becomes of canonical solutions and stubs, in the order of the items.

    Raises:
        SandboxUnavailable: the sandbox failed.
    """
    codes = {item.id: canonical_answer(item, asking) for item in items if item.canonical_solution.strip()}
    solved = [item for item in items if item.id in codes]
    verdicts = pool.run_all([pair(item, item.id, codes[item.id]) for item in solved], _LOOK)
    by_id = {verdict.id: verdict for verdict in verdicts}
    tried = [
        (item, name, code)
        for item in solved
        if by_id[item.id].verdict is Verdict.PASSED
        for name, code in _stubs(item, codes[item.id]).items()
    ]
    controls = pool.run_all([pair(item, f"{item.id}/{name}", code) for item, name, code in tried], _LOOK)
    passing: dict[str, list[str]] = {}
    for (item, name, _), control in zip(tried, controls, strict=True):
        if control.verdict is Verdict.PASSED:
            passing.setdefault(item.id, []).append(name)
    return [
        CheckedItem(
            id=item.id,
            verdict=by_id[item.id].verdict if item.id in by_id else None,
            reason=by_id[item.id].reason if item.id in by_id else "it has no canonical solution",
            passing_stubs=passing.get(item.id, []),
        )
        for item in items
    ]


def _stubs(item: EvalItem, code: str) -> dict[str, str]:
    if item.style is Style.ONLINE_JUDGE:
        return _NOTHING
    with suppress(*UNREADABLE):
        return stubs(code, item.test)
    return {}


def check_of(benchmark: str, checked: Sequence[CheckedItem], left_out: Sequence[Reject]) -> BenchmarkCheck:
    """All items together."""
    return BenchmarkCheck(
        benchmark=benchmark,
        items=len(checked),
        passed=sum(one.verdict is Verdict.PASSED for one in checked),
        broken={one.id: one.reason for one in checked if one.verdict not in (None, Verdict.PASSED)},
        vacuous={one.id: one.passing_stubs for one in checked if one.passing_stubs},
        without_solution=[one.id for one in checked if one.verdict is None],
        left_out=by_reason(left_out),
    )
