"""From a verdict to a number."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import Field, model_validator

from tasks.models import PairVerdict, TestOutcome, Tier, Verdict
from tasks.rewards.models import Reward
from tasks.settings import Sandbox, Section, TierChoice
from tasks.settings.section import with_usual

_MOST_TOLD = 300
_CAME_TO_ITS_END = frozenset({Verdict.PASSED, Verdict.FAILED, Verdict.SKIPPED})


class Mode(StrEnum):
    """`all`: 1 where every test passed, else 0. `share`: the share of the tests that passed."""

    ALL = "all"
    SHARE = "share"


class RewardSettings(Section):
    """What a completion is worth, and the box it is judged in."""

    mode: Mode = Field(Mode.ALL, description="Whether part of the tests is worth anything.")
    no_code: float = Field(0.0, ge=-1, le=0, description="What a completion without code is worth.")
    timeout: float = Field(0.0, ge=-1, le=0, description="Added to what a completion is worth that runs out of time.")
    every_test: bool = Field(
        False, description="`all`: go on after a test has failed, for the detail. `share` always does."
    )
    reruns: int = Field(0, ge=0, le=20, description="More runs of each pass, to find flaky ones, which are worth 0.")
    cached: int = Field(
        0, ge=0, description="So many rewards are kept, for code and tests that come again. 0: none but of one batch."
    )
    sandbox: Sandbox = Field(
        Sandbox(tier=TierChoice.ISOLATED, wall_s=10, coverage=False),
        description="The box. In the isolated tier a completion can reach nothing that judges it.",
    )

    @model_validator(mode="before")
    @classmethod
    def _rest_of_the_sandbox(cls, values: Any) -> Any:
        """Who gives one value of the sandbox leaves the others as they are."""
        return with_usual(cls, values)

    @property
    def worst(self) -> float:
        """What tampering is worth: no more than the least that anything else is, so that it never pays."""
        return min(0.0, self.no_code, self.timeout)


def reward_of(found: PairVerdict, inputs: int, settings: RewardSettings) -> Reward:
    """What a judged completion is worth.

    Args:
        inputs: those that a program is judged by; of one that hangs at an input no further ones are run. 0: it was
            judged by tests.
    """
    verdict, reason = found.verdict, found.reason
    if settings.sandbox.tier is TierChoice.ISOLATED and found.integrity_tier is Tier.SHARED:
        # Nothing static shows this, so it is not the row's fault alone: the completion returned what compares itself.
        verdict, reason = Verdict.ERROR, f"cannot be judged from outside: {found.tier_reason}"
    return Reward(
        value=_value(verdict, found.tests, inputs, settings),
        verdict=verdict,
        reason=reason,
        passed=verdict is Verdict.PASSED,
        tests=[test.model_copy(update={"message": test.message[:_MOST_TOLD]}) for test in found.tests],
        wall_s=found.wall_s,
        cached=False,
    )


def reward_without_code(reason: str, settings: RewardSettings) -> Reward:
    """What a completion is worth that there is nothing of to be run."""
    return Reward(value=settings.no_code, verdict=None, reason=reason, passed=False, tests=[], wall_s=0.0, cached=False)


def _value(verdict: Verdict, tests: list[TestOutcome], inputs: int, settings: RewardSettings) -> float:
    if verdict is Verdict.TAMPERED:
        return settings.worst
    value = float(verdict is Verdict.PASSED)
    # Each input is a run of its own; of tests some may not have begun where they did not come to their end.
    told = verdict is not Verdict.FLAKY if inputs else verdict in _CAME_TO_ITS_END
    if settings.mode is Mode.SHARE and told and tests:
        value = sum(test.outcome == "passed" for test in tests) / (inputs or len(tests))
    return value + (settings.timeout if verdict is Verdict.TIMEOUT else 0.0)
