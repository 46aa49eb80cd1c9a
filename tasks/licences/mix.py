"""The licences of a data set's rows against the policy for its release: what is refused, and what is owed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from tasks.errors import BadInput
from tasks.licences.compatibility import Verdict, goes_into, together
from tasks.licences.expressions import canonical, required, taken, without_exception
from tasks.licences.families import NO_CONDITIONS, checked_names, families, one_licence
from tasks.settings.licensing import Licensing

_COST = {"not-open": 16, "non-commercial": 8, "unknown": 8, "strong-copyleft": 4, "copyleft": 2, "permissive": 1}
"""What a publisher who may choose would rather not be bound by."""
_FORBIDDEN = 1000
_APART = 0.01
"""Less than any difference of costs: what breaks a tie."""
_EXAMPLES = 3

OBLIGATIONS = {
    "attribution": "Name the authors and the source, link to the licence, and say that the material was changed.",
    "notice": "Keep the copyright notice and the text of the licence with what is passed on.",
    "changes": "State that the material was changed, and keep a NOTICE file where the source has one.",
    "share-alike": "Pass on what is made of it under the same terms.",
    "agreement": "Pass on the text of the licence with the data.",
    "non-commercial": "Do not use it for commercial purposes.",
    "ask": "Nobody knows what this licence asks: settle it with the owner before passing the rows on.",
}
"""What licences ask of those who pass the rows on, in words."""


@dataclass(frozen=True)
class Violation:
    """Rows of one licence expression that the policy does not let out."""

    licence: str
    rows: int
    why: str


@dataclass(frozen=True)
class LicencePair:
    """Two licences of a mix, and whether their rows may be published as one, in words."""

    left: str
    right: str
    verdict: Verdict
    why: str


@dataclass(frozen=True)
class MixReport:
    """What became of the licences of a mix.

    Attributes:
        violations: a row's licence expression each, the commonest first.
        pairs: of the licences that remain, and of those refused for not going with them; for a release under a
            licence, each of them with that one.
        obligations: kind of obligation to the licences that ask for it; of the rows that remain.
        used: the licences under which the rows of an expression are used.
    """

    violations: tuple[Violation, ...] = ()
    pairs: tuple[LicencePair, ...] = ()
    obligations: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    used: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def taken(self) -> dict[str, tuple[str, ...]]:
        """Of ``used`` the expressions that give a choice."""
        return {expression: licences for expression, licences in self.used.items() if " OR " in expression}

    @property
    def refused(self) -> dict[str, str]:
        """Licence expressions of rows that may not be published, and why: the evidence of their reject."""
        return {one.licence: one.why for one in self.violations}

    @property
    def incompatible(self) -> tuple[LicencePair, ...]:
        return tuple(pair for pair in self.pairs if pair.verdict == "incompatible")

    @property
    def unknown(self) -> tuple[LicencePair, ...]:
        return tuple(pair for pair in self.pairs if pair.verdict == "unknown")


@dataclass(frozen=True)
class _Rules:
    release: str
    allow: frozenset[str]
    deny: frozenset[str]
    unknown_is_bad: bool

    def is_bad(self, verdict: Verdict) -> bool:
        return verdict == "incompatible" or (verdict == "unknown" and self.unknown_is_bad)

    def objection(self, licence: str) -> str:
        """Why the rows of a licence may not be published whatever they lie beside; empty where they may."""
        names = {licence, without_exception(licence)} | families(licence)
        if denied := sorted(names & self.deny):
            return f"{licence} is denied: release.licensing.deny has {', '.join(denied)}"
        if self.allow and not names & self.allow:
            return f"{licence} is not allowed: release.licensing.allow has {', '.join(sorted(self.allow))}"
        if self.release:
            answer = goes_into(licence, self.release)
            if self.is_bad(answer.verdict):
                return f"{licence} does not go into {self.release}: {answer.why}"
        return ""

    def cost(self, licence: str) -> int:
        return _FORBIDDEN * bool(self.objection(licence)) + sum(_COST.get(one, 0) for one in families(licence))


def check_licensing(policy: Licensing) -> None:
    """Raises:
    BadInput: a name is neither an SPDX id nor a family, or the release's own licence is not allowed.
    """
    _rules(policy)


def _rules(policy: Licensing) -> _Rules:
    release = one_licence(policy.release) if policy.release else ""
    rules = _Rules(
        release,
        checked_names(policy.allow, "release.licensing.allow"),
        checked_names(policy.deny, "release.licensing.deny"),
        policy.unknown_pair == "violation",
    )
    if release and (why := rules.objection(release)):
        raise BadInput(f"release.licensing.release is {release}, but {why}. Choose another licence, or allow it")
    return rules


def check_mix(counts: Mapping[str, int], policy: Licensing) -> MixReport:
    """Hold the licences of a data set's rows against the policy.

    Of ``A OR B`` the licence that binds least is taken, of those that go with what is kept; of two that bind alike,
    the one that goes with more rows. Where the release has a licence, every
    licence must go into it. Where it has none, the licences must go with one another: the rows of those that do not go
    with commoner ones are the violation, so that what remains can be published as one.

    Args:
        counts: SPDX expression to the number of rows, at least 1 each.

    Raises:
        BadInput: the policy is wrong (see ``check_licensing``), or a licence is no SPDX expression.
    """
    rules = _rules(policy)
    used: dict[str, tuple[str, ...]] = {}
    refused: dict[str, str] = {}
    kept: dict[str, None] = {}
    pairs: dict[tuple[str, str], LicencePair] = {}
    fixed = _fixed(counts, rules)
    for expression in sorted(counts, key=lambda one: (-counts[one], one)):
        licences = used[expression] = _chosen(canonical(expression), rules, kept, fixed)
        objections = [why for licence in licences if (why := rules.objection(licence))]
        if not objections and not rules.release:
            found = [_pair(left, right) for left, right in _met(licences, kept)]
            pairs |= {(pair.left, pair.right): pair for pair in found}
            objections = [f"{p.left} and {p.right}: {p.why}" for p in found if rules.is_bad(p.verdict)]
        if objections:
            refused[expression] = "; ".join(dict.fromkeys(objections))
        else:
            kept |= dict.fromkeys(licences)
    if rules.release:
        pairs = _with_release({licence for licences in used.values() for licence in licences}, rules.release)
    return MixReport(
        tuple(Violation(expression, counts[expression], why) for expression, why in refused.items()),
        tuple(pairs[key] for key in sorted(pairs)),
        obligations(kept),
        used,
    )


def check_each(counts: Mapping[str, int], policy: Licensing) -> MixReport:
    """Hold licences against what the policy says of each by itself, whatever it lies beside; ``violations`` only.

    Args:
        counts: as for ``check_mix``, whose violations hold at least these.

    Raises:
        BadInput: as for ``check_mix``.
    """
    rules = _rules(policy)
    found = {
        expression: [why for one in sorted(taken(canonical(expression), rules.cost)) if (why := rules.objection(one))]
        for expression in sorted(counts, key=lambda one: (-counts[one], one))
    }
    return MixReport(
        tuple(Violation(expression, counts[expression], "; ".join(why)) for expression, why in found.items() if why)
    )


def as_published(decided: MixReport, counts: Mapping[str, int], policy: Licensing) -> MixReport:
    """What a decision means for the rows that are published, those that are put aside among them.

    Args:
        decided: on these rows and others.
        counts: SPDX expression to the number of published rows.
    """
    used = {expression: decided.used[expression] for expression in counts}
    every = sorted({licence for licences in used.values() for licence in licences})
    rules = _rules(policy)
    if rules.release:
        pairs = _with_release(every, rules.release)
    else:
        pairs = {(left, right): _pair(left, right) for left, right in combinations(every, 2)}
    doubted = [one for one in decided.violations if one.licence in used]
    return MixReport(
        tuple(Violation(one.licence, counts[one.licence], one.why) for one in doubted),
        tuple(pairs[key] for key in sorted(pairs)),
        obligations(every),
        used,
    )


def _fixed(counts: Mapping[str, int], rules: _Rules) -> Counter[str]:
    """Rows by licence, of the rows that leave no choice and may be published by themselves."""
    found: Counter[str] = Counter()
    for expression, rows in counts.items():
        if " OR " not in (name := canonical(expression)):
            licences = taken(name, rules.cost)
            if not any(map(rules.objection, licences)):
                found.update(dict.fromkeys(licences, rows))
    return found


def _chosen(expression: str, rules: _Rules, kept: Collection[str], fixed: Mapping[str, int]) -> tuple[str, ...]:
    """The licences under which rows of an expression are used, sorted."""
    if rules.release or " OR " not in expression:
        return tuple(sorted(taken(expression, rules.cost)))
    met = {*kept, *required(expression)}
    rows = sum(fixed.values())

    def cost(licence: str) -> float:
        apart = {one for one in {*met, *fixed} - {licence} if rules.is_bad(_pair(licence, one).verdict)}
        lost = sum(fixed.get(one, 0) for one in apart)
        return rules.cost(licence) + _FORBIDDEN * bool(apart & met) + (_APART * lost / rows if lost else 0)

    return tuple(sorted(taken(expression, cost)))


def _with_release(licences: Collection[str], release: str) -> dict[tuple[str, str], LicencePair]:
    answers = {licence: goes_into(licence, release) for licence in licences}
    return {(one, release): LicencePair(one, release, answer.verdict, answer.why) for one, answer in answers.items()}


def _met(licences: Sequence[str], kept: Mapping[str, None]) -> list[tuple[str, str]]:
    """Pairs of the licences with one another, and with those that are there already."""
    fresh = [licence for licence in licences if licence not in kept]
    return [*combinations(licences, 2), *((one, other) for one in fresh for other in kept if other not in licences)]


def _pair(left: str, right: str) -> LicencePair:
    left, right = sorted((left, right))
    answer = together(left, right)
    return LicencePair(left, right, answer.verdict, answer.why)


def obligations(licences: Mapping[str, object] | Sequence[str]) -> dict[str, tuple[str, ...]]:
    """What these licences ask of those who pass the rows on: keys of ``OBLIGATIONS``, in their order."""
    found: dict[str, set[str]] = {kind: set() for kind in OBLIGATIONS}
    for licence in licences:
        for kind in _asked(licence):
            found[kind].add(licence)
    return {kind: tuple(sorted(names)) for kind, names in found.items() if names}


def _asked(licence: str) -> set[str]:
    kinds = families(licence)
    if licence in NO_CONDITIONS or kinds == {"public-domain"}:
        return set()
    if kinds & {"unknown", "custom"} or not kinds:
        return {"ask"}
    asked = {"share-alike"} if "copyleft" in kinds or "-SA-" in licence else set()
    if "non-commercial" in kinds:
        asked.add("non-commercial")
    if licence.startswith(("CC-BY", "ODC-By", "ODbL")):
        return asked | {"attribution"}
    if licence.startswith("CDLA-"):
        return asked | {"agreement"}
    return asked | {"notice"} | ({"changes"} if licence == "Apache-2.0" or "copyleft" in kinds else set())


def refuse(report: MixReport, examples: Mapping[str, Sequence[str]], unit: str = "rows") -> None:
    """Stop a release that the policy does not let out.

    Args:
        examples: question ids of rows, by licence expression; a few of each are enough.
        unit: what is counted, in the plural.

    Raises:
        BadInput: there are violations; names each licence, its rows, some ids, and what to do.
    """
    if not report.violations:
        return
    total = sum(one.rows for one in report.violations)
    parts = [
        f"{one.licence}, {one.rows} {unit} (such as {', '.join(examples.get(one.licence, ())[:_EXAMPLES]) or 'none'}): "
        f"{one.why}"
        for one in report.violations
    ]
    raise BadInput(
        f"{total} {unit} may not be published by release.licensing. {'. '.join(parts)}. Leave them out (--set "
        f"release.licensing.on_violation=exclude), put them into use_with_caution (=caution), or change what is allowed"
    )
