"""Which seeds go into which prompt: the part of sourcing that draws at random."""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd

from tasks.models import SeedGroup
from tasks.sourcing.catalogue import Entry
from tasks.sourcing.spool import Spool


def leaders(
    topics: npt.NDArray[np.int32], count: int, max_topic_share: float, rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Numbers of the seeds that lead ``count`` prompts, one each.

    Every seed leads once before any leads a second time, in the same random order. A topic leads at most
    ``max_topic_share`` of the prompts, or an even share where there are too few topics for that; beyond it, it leads
    only what the seeds of the others do not fill without being used more often than without this rule.

    Args:
        topics: of each seed, by number.
    """
    rounds = -(-count // len(topics))
    order = np.tile(rng.permutation(len(topics)), rounds)
    most = int(np.ceil(max(max_topic_share * count, count / len(np.unique(topics)))))
    within = pd.Series(topics[order]).groupby(topics[order]).cumcount().to_numpy() < most
    return np.concatenate([order[within], order[~within]])[:count]


def seed_groups(
    subset: str, entry: Entry, seeds: Spool, count: int, max_topic_share: float, seed: int
) -> Iterator[SeedGroup]:
    """``count`` groups of up to ``entry.seeds_per_prompt`` different seeds each. Equal arguments give equal groups.

    Args:
        seeds: at least one.
        seed: of the run; each subset draws from a stream of its own.
    """
    order = leaders(seeds.topics(), count, max_topic_share, np.random.default_rng([seed, zlib.crc32(subset.encode())]))
    rng = random.Random(f"{seed}:{subset}")  # noqa: S311 - no secret
    for number, first in enumerate(order.tolist()):
        others = [
            other for other in rng.sample(range(len(seeds)), min(entry.seeds_per_prompt, len(seeds))) if other != first
        ]
        yield SeedGroup(
            question_id=f"{subset}_{number:08d}_I",
            subset=subset,
            number=number,
            operator=rng.choice(entry.operators) if entry.operators else "",
            seeds=[seeds[one] for one in [first, *others[: entry.seeds_per_prompt - 1]]],
        )
