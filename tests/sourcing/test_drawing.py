"""Which seeds go into which prompt, and when a subset repeats itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from tasks.models import Provenance, Seed, SeedGroup, Subset
from tasks.sourcing.catalogue import Operator, entry_of
from tasks.sourcing.diversity import Repetition
from tasks.sourcing.groups import seed_groups
from tasks.sourcing.spool import Spool, spooled


def seed(number: int, topic: str = "") -> Seed:
    where = Provenance(origin="o", version="1", path="p", licence="MIT")
    return Seed(
        seed_id=f"s{number}", subset="Taco", text=f"Text {number}.", title=f"T{number}", topic=topic, source=where
    )


@pytest.fixture
def spool() -> Iterator[Spool]:
    with spooled() as found:
        yield found


def draw(spool: Spool, count: int, subset: str = Subset.LEETCODE, share: float = 1.0, run: int = 7) -> list[SeedGroup]:
    return list(seed_groups(subset, entry_of(subset), spool, count, share, run))


def test_groups_cover_the_seeds_evenly_and_depend_on_the_seed_alone(spool):
    for number in range(40):
        spool.add(seed(number))
    groups = draw(spool, 45)
    leaders = [group.seeds[0].seed_id for group in groups]
    assert sorted(leaders[:40]) == sorted(f"s{number}" for number in range(40))
    assert leaders[40:] == leaders[:5]
    assert all(len({one.seed_id for one in group.seeds}) == 3 for group in groups)
    assert groups == draw(spool, 45)
    assert groups != draw(spool, 45, run=8)
    assert groups[3].question_id == "Leetcode_00000003_I"


def test_few_prompts_are_a_sample_of_all_seeds_and_not_the_first(spool):
    for number in range(1000):
        spool.add(seed(number))
    leaders = {int(group.seeds[0].seed_id[1:]) for group in draw(spool, 50)}
    assert len(leaders) == 50
    assert max(leaders) > 800 and min(leaders) < 200


def test_a_topic_leads_no_more_than_its_share_where_others_have_seeds(spool):
    for number in range(900):
        spool.add(seed(number, "strings"))
    for number in range(900, 1000):
        spool.add(seed(number, f"topic {number % 4}"))
    topics = Counter(group.seeds[0].topic for group in draw(spool, 130, share=0.25))
    assert topics["strings"] == 33
    assert sum(topics.values()) == 130
    topics = Counter(group.seeds[0].topic for group in draw(spool, 500, share=0.25))
    assert sum(topics.values()) == 500
    assert topics["strings"] == 400  # the others have a hundred seeds, and none leads twice for the sake of the quota


def test_two_topics_share_evenly_and_one_has_all(spool):
    for number in range(100):
        spool.add(seed(number, "a" if number < 80 else "b"))
    assert Counter(group.seeds[0].topic for group in draw(spool, 20, share=0.1)) == {"a": 10, "b": 10}


def test_operators_of_evol_are_drawn_at_random(spool):
    spool.add(seed(0))
    operators = Counter(group.operator for group in draw(spool, 200, Subset.EVOL))
    assert set(operators) == set(Operator)
    assert {group.operator for group in draw(spool, 5, Subset.TACO)} == {""}


def test_a_spool_knows_ids_and_texts_that_it_was_offered(spool):
    assert not spool.knows("s1")
    assert spool.knows("s1")
    spool.add(seed(1))
    assert spool.twin(seed(1).model_copy(update={"seed_id": "other"})) == "s1"
    assert spool.twin(seed(2)) == ""


def test_repetitions_are_counted_within_a_wave_and_against_all_before():
    words = [f"word{number}" for number in range(400)]
    texts = [" ".join(words[start : start + 30]) for start in range(0, 300, 30)]
    watch = Repetition(0.7)
    assert watch.share(texts) == 0.0
    near = [text.replace("word5 ", "") for text in texts]
    assert watch.share(near) == 1.0
    fresh = "an entirely different text about gardens and their keepers in the north"
    assert watch.share([fresh, fresh]) == 0.5
    assert watch.share([]) == 0.0
