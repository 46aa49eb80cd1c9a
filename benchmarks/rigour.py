"""What each rigour catches of what is planted in HumanEval, and what it costs: the tables of docs/verification.md.

python -m benchmarks.rigour            # prints them
python -m benchmarks.rigour --write    # and puts them into docs/verification.md
"""

from __future__ import annotations

import argparse
import logging
import os
import re
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.planted import Planted, planted
from tasks.auditing.audit import AuditedRow, Auditing, audit_file
from tasks.files import row_writer
from tasks.models import Verdict
from tasks.settings import Backend, Rigour, Sandbox, Verification

PAGE = Path(__file__).resolve().parents[1] / "docs" / "verification.md"


def _doubts(*checks: str) -> Callable[[AuditedRow], bool]:
    """Whether one of these checks rejects a row or gives a caution."""
    return lambda row: any(one.check in checks and one.outcome in ("rejected", "caution") for one in row.quality)


ALARMS: dict[str, tuple[str, Callable[[AuditedRow], bool]]] = {
    "wrong": ("wrong tests named", lambda row: bool(row.wrong_tests)),
    "colluding": ("agreement, support", _doubts("agreement", "support")),
    "vacuous": ("stubs caught", _doubts("stubs_caught")),
    "weak": ("mutation score", _doubts("mutation_score")),
    "uncovered": ("branch and statement coverage", _doubts("branch_coverage", "statement_coverage")),
    "flaky": ("verdict", lambda row: row.verdict is Verdict.FLAKY),
    "duplicated": ("tests, distinct tests", _doubts("tests", "distinct_tests")),
    "trivial": ("telling asserts", _doubts("telling_asserts", "asserts_per_test")),
    "copied": ("own oracle", _doubts("own_oracle")),
}
"""Of each kind that is planted the checks that are there for it, and whether they raise an alarm over a row."""


@dataclass(frozen=True)
class Caught:
    """Of one kind: how many there are, how many its own checks find, and how many clean rows these suspect.

    Attributes:
        any_check: found by whatever check, a failed verdict included.
    """

    kind: str
    checks: str
    planted: int
    found: int
    any_check: int
    false_alarms: int

    @property
    def precision(self) -> float | None:
        """Of the alarms over rows of this kind and clean ones those over this kind."""
        alarms = self.found + self.false_alarms
        return self.found / alarms if alarms else None


def caught(truth: Sequence[Planted], rows: Sequence[AuditedRow]) -> list[Caught]:
    """What was found of each kind."""
    result = []
    for kind, (checks, alarm) in ALARMS.items():
        pairs = list(zip(truth, rows, strict=True))
        ours = [row for one, row in pairs if one.kind == kind]
        result.append(
            Caught(
                kind,
                checks,
                len(ours),
                sum(map(alarm, ours)),
                sum(row.decision != "accept" for row in ours),
                sum(alarm(row) for one, row in pairs if one.kind == "clean"),
            )
        )
    return result


def named(truth: Sequence[Planted], rows: Sequence[AuditedRow]) -> tuple[int, int, int]:
    """Test functions called wrong that are, those called wrong that are not, and wrong ones that were not found."""
    right = false = missed = 0
    for one, row in zip(truth, rows, strict=True):
        told, wrong = set(row.wrong_tests), set(one.wrong_tests)
        right, false, missed = right + len(told & wrong), false + len(told - wrong), missed + len(wrong - told)
    return right, false, missed


def audited(truth: Sequence[Planted], rigour: Rigour) -> tuple[list[AuditedRow], float]:
    """The rows of an audit of that rigour, and the wall time in seconds."""
    settings = Auditing(
        verification=Verification(rigour=rigour), sandbox=Sandbox(backend=Backend.BUBBLEWRAP, wall_s=10)
    )
    with tempfile.TemporaryDirectory() as folder:
        pairs = Path(folder) / "planted.parquet"
        with row_writer(pairs, Planted) as write:
            write(list(truth))
        started = time.perf_counter()
        rows = list(audit_file(pairs, Path(folder) / "audit.parquet", settings))
        return rows, time.perf_counter() - started


def _share(part: int | float, whole: int | float) -> str:
    return f"{part / whole:.2f}" if whole else ""


def report(truth: Sequence[Planted], found: dict[Rigour, tuple[list[AuditedRow], float]]) -> str:
    """The tables as Markdown."""
    lines = [f"{len(truth)} attempts at {len({one.question_id for one in truth})} problems.", ""]
    tables = {rigour: caught(truth, rows) for rigour, (rows, _) in found.items()}
    lines += [
        "| planted | attempts | checks | "
        + " | ".join(f"{rigour}: recall | precision | by any check" for rigour in found)
        + " |",
        "|---|---:|---|" + "---:|---:|---:|" * len(found),
    ]
    for number, kind in enumerate(ALARMS):
        first = next(iter(tables.values()))[number]
        cells = [
            f"{_share(one.found, one.planted)} | {'' if one.precision is None else f'{one.precision:.2f}'} | "
            f"{_share(one.any_check, one.planted)}"
            for one in (table[number] for table in tables.values())
        ]
        lines.append(f"| {kind} | {first.planted} | {first.checks} | " + " | ".join(cells) + " |")
    lines += ["", "| | " + " | ".join(found) + " |", "|---|" + "---:|" * len(found)]
    clean = [number for number, one in enumerate(truth) if one.kind == "clean"]
    bad = [number for number, one in enumerate(truth) if one.kind != "clean"]

    def row(name: str, value: Callable[[list[AuditedRow], float], str]) -> None:
        lines.append(f"| {name} | " + " | ".join(value(rows, wall) for rows, wall in found.values()) + " |")

    row(
        "planted attempts accepted into `train`",
        lambda rows, _: f"{sum(rows[n].decision == 'accept' for n in bad)} of {len(bad)}",
    )
    row(
        "clean attempts rejected", lambda rows, _: f"{sum(rows[n].decision == 'reject' for n in clean)} of {len(clean)}"
    )
    row(
        "clean attempts in `use_with_caution`",
        lambda rows, _: f"{sum(rows[n].decision == 'use_with_caution' for n in clean)}",
    )
    row("wrong tests by name: precision", lambda rows, _: _share((n := named(truth, rows))[0], n[0] + n[1]))
    row("wrong tests by name: recall", lambda rows, _: _share((n := named(truth, rows))[0], n[0] + n[2]))
    for name, column in (
        ("verdicts, re-runs, stubs", "verdict_s"),
        ("cross-checks", "crosscheck_s"),
        ("mutants", "mutation_s"),
    ):
        row(f"sandbox seconds per accepted attempt: {name}", lambda rows, _, column=column: _per_accepted(rows, column))
    row(f"wall seconds per attempt, {os.cpu_count()} cores", lambda rows, wall: f"{wall / len(rows):.2f}")
    return "\n".join(lines) + "\n"


def _per_accepted(rows: Sequence[AuditedRow], column: str) -> str:
    accepted = sum(row.decision != "reject" for row in rows)
    return _share(sum(getattr(row, column) for row in rows), accepted)


def main() -> None:
    """Run all of it; half an hour."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="put the tables into docs/verification.md")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--problems", type=int, help="so many instead of all 164")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    truth = sorted(planted(options.seed, count=options.problems), key=lambda one: one.question_id)
    told = report(truth, {rigour: audited(truth, rigour) for rigour in Rigour})
    print(told)
    if options.write:
        page = PAGE.read_text(encoding="utf-8")
        begin, end = "<!-- benchmarks.rigour -->\n", "<!-- end -->\n"
        body = re.sub(rf"{begin}.*?{end}", lambda _: f"{begin}\n{told}\n{end}", page, flags=re.DOTALL)
        PAGE.write_text(body, encoding="utf-8")


if __name__ == "__main__":
    main()
