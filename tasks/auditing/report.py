"""The report of an audit, as Markdown."""

from __future__ import annotations

import re
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from heapq import nsmallest
from importlib import resources

import numpy as np
from jinja2 import Environment, StrictUndefined

from tasks.auditing.audit import AuditedRow
from tasks.labeling.quality import REASONS
from tasks.models import Measure
from tasks.settings import Gate, Gates
from tasks.syntax import printable

_EXAMPLES = 5
_LONGEST = 300
_MARKS = re.compile(r"([\\`*_{}\[\]<>#|])")


@dataclass
class _Sums:
    """What a report counts, row by row."""

    total: int = 0
    questions: int = 0
    starred: int = 0
    rigours: set[str] = field(default_factory=set)
    decisions: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    verdicts: Counter[str] = field(default_factory=Counter)
    flaky: Counter[str] = field(default_factory=Counter)
    outcomes: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    values: dict[str, array[float]] = field(default_factory=lambda: defaultdict(lambda: array("d")))
    worst: dict[str, list[tuple[float, str, str]]] = field(default_factory=lambda: defaultdict(list))
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    def add(self, row: AuditedRow) -> None:
        self.total += 1
        self.starred += row.star_import
        self.rigours.add(row.rigour)
        self.decisions[row.decision] += 1
        self.verdicts[row.verdict] += 1
        self.flaky.update(row.flaky_over)
        if row.reason is not None:
            self.reasons[row.reason] += 1
        if row.reason is not None and not row.quality:
            self._see(row.reason.value, 0.0, row, row.why)
        for one in row.quality:
            self._measured(row, one)
        self.seconds["verdicts, re-runs and stubs"] += row.verdict_s
        self.seconds["cross-checks"] += row.crosscheck_s
        self.seconds["mutants"] += row.mutation_s

    def _measured(self, row: AuditedRow, one: Measure) -> None:
        self.outcomes[one.check][one.outcome] += 1
        if one.value is not None:
            self.values[one.check].append(one.value)
        if one.outcome in ("rejected", "caution") and one.value is not None:
            self._see(one.check, one.value, row, one.why)

    def _see(self, title: str, value: float, row: AuditedRow, why: str) -> None:
        self.worst[title] = nsmallest(_EXAMPLES, [*self.worst[title], (value, row.id, why)])


def audit_report(name: str, rows: Iterable[AuditedRow], gates: Gates) -> str:
    """The report on the rows of an audit, holding of them no more than it shows and a number per check.

    Args:
        name: of the file that was audited.
        gates: that the rows were put to.
    """
    sums = _Sums()
    last = None
    for row in rows:
        sums.add(row)
        sums.questions += row.question_id != last
        last = row.question_id
    source = (resources.files("tasks.auditing") / "report.md.j2").read_text(encoding="utf-8")
    environment = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)  # noqa: S701 - Markdown
    accepted = sums.total - sums.decisions["reject"]
    return environment.from_string(source).render(
        name=escape(name),
        rigours=", ".join(sorted(sums.rigours)),
        total=sums.total,
        questions=sums.questions,
        starred=sums.starred,
        decisions=dict(sorted(sums.decisions.items())),
        reasons={str(reason): count for reason, count in sums.reasons.most_common()},
        verdicts={str(verdict): count for verdict, count in sums.verdicts.most_common()},
        flaky=dict(sums.flaky.most_common()),
        checks=[_check(check, sums, getattr(gates, check)) for check in REASONS],
        costs=_costs(sums.seconds, sums.total, accepted),
        examples=[
            {
                "title": title.replace("_", " "),
                "rows": [
                    {"id": escape(row_id), "value": value if title in REASONS else None, "why": escape(why)}
                    for value, row_id, why in found
                ],
            }
            for title, found in sorted(sums.worst.items())
        ],
    )


def _check(check: str, sums: _Sums, gate: Gate) -> dict[str, object]:
    outcomes, values = sums.outcomes[check], sums.values[check]
    low, median = np.percentile(values, [10, 50]) if values else (None, None)
    return {
        "name": check.replace("_", " "),
        "measured": len(values),
        **{name: outcomes[name] for name in ("met", "caution", "rejected")},
        "low": "" if low is None else f"{low:.2f}",
        "median": "" if median is None else f"{median:.2f}",
        "bounds": f"{gate.reject_below:g}, {gate.caution_below:g}",
    }


def _costs(seconds: dict[str, float], total: int, accepted: int) -> list[dict[str, str]]:
    parts = [*seconds.items(), ("together", sum(seconds.values()))]
    return [
        {
            "name": name,
            "total": f"{spent:.1f}",
            "each": f"{spent / total:.3f}" if total else "",
            "accepted": f"{spent / accepted:.3f}" if accepted else "",
        }
        for name, spent in parts
    ]


def escape(text: str) -> str:
    """A text from a row as one line of Markdown in which nothing of it is markup."""
    line = " ".join(printable(text).split())
    return _MARKS.sub(r"\\\1", line[:_LONGEST] + ("…" if len(line) > _LONGEST else ""))
