"""Which seeds go into which prompt: the part of sourcing that draws at random."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import cycle, islice

from tasks.models import Seed, SeedGroup, Subset


def seed_groups(subset: Subset, seeds: Sequence[Seed], count: int, per_prompt: int, seed: int) -> Iterator[SeedGroup]:
    """``count`` groups of up to ``per_prompt`` different seeds each.

    Every seed leads a group once before any leads a second time, so that a run covers its seeds evenly. Equal
    arguments give equal groups.
    """
    rng = random.Random(f"{seed}:{subset}")  # noqa: S311 - no secret
    order = rng.sample(seeds, len(seeds))
    for number, first in enumerate(islice(cycle(order), count)):
        others = [other for other in rng.sample(seeds, min(per_prompt, len(seeds))) if other is not first]
        yield SeedGroup(
            question_id=f"{subset}_{number:08d}_I",
            subset=subset,
            number=number,
            seeds=[first, *others[: per_prompt - 1]],
        )
