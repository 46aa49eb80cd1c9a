"""The licences of a run's rows against its policy: of the prompts before anything is paid for, then of the triplets."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

import pyarrow.compute as pc

from tasks.arrow import values
from tasks.artifacts import Receipt
from tasks.licences.mix import MixReport, check_each, check_mix, refuse
from tasks.run import Run, StageName

EXAMPLES = 3


def decide(run: Run, triplets: Sequence[Receipt]) -> MixReport:
    """What becomes of each licence of a run's triplets. Made before curation, and what publishing goes by."""
    counts: Counter[str] = Counter()
    for part in triplets:
        counts.update(values(run.stage(StageName.TRIPLETS).table(part, ["licence"]), "licence"))
    return check_mix(counts, run.config.release.licensing)


def check_prompts(run: Run, prompts: Sequence[Receipt]) -> None:
    """Look at the seeds of the prompts where the policy is to refuse.

    Which licences do not go with one another is left to the rows that come of them.

    Raises:
        BadInput: a licence among them may not be published by itself.
    """
    policy = run.config.release.licensing
    if policy.on_violation != "refuse":
        return
    counts: Counter[str] = Counter()
    examples: dict[str, list[str]] = defaultdict(list)
    for part in prompts:
        table = run.stage(StageName.PROMPTS).table(part, ["question_id", "seeds"])
        sources = pc.struct_field(pc.list_flatten(table["seeds"]), ["source", "licence"])
        rows = pc.take(table["question_id"], pc.list_parent_indices(table["seeds"].combine_chunks()))
        once = dict.fromkeys(zip(map(str, sources.to_pylist()), map(str, rows.to_pylist()), strict=True))
        for licence, row in once:
            counts[licence] += 1
            if len(examples[licence]) < EXAMPLES:
                examples[licence].append(row)
    refuse(check_each(counts, policy), examples, "rows to be made")
