"""The catalogue: the twelve subsets and two more, from seed options to seeds, and what is said where there are none."""

from __future__ import annotations

import pytest

from tasks.errors import BadInput
from tasks.models import Reject, Seed, Subset
from tasks.settings import Role, SeedOptions
from tasks.sourcing.catalogue import Method, catalogue, entry_of, read_seeds
from tasks.teachers.prompts import template_id


def seeds(subset: str, **options: object) -> list[Seed]:
    found = list(read_seeds(subset, SeedOptions(**options)))
    assert not any(isinstance(one, Reject) for one in found)
    return found


def test_the_twelve_subsets_are_kodcodes_in_method_and_size():
    counts = {name: entry.target for name, entry in catalogue().items()}
    assert set(counts) == set(Subset)
    assert sum(count for name, count in counts.items() if name not in (Subset.OWN_CODE, Subset.FEEDBACK)) == 446_000
    assert {entry.method for entry in catalogue().values()} == set(Method)
    assert entry_of(Subset.LEETCODE).seeds_per_prompt == 3
    assert [name for name, entry in catalogue().items() if entry.role is Role.INSTRUCTOR] == ["Prefill", "Filter"]


@pytest.mark.parametrize("name", Subset)
def test_every_entry_has_its_prompt(name):
    assert template_id(entry_of(name).template)


def test_algorithms_package_gives_files_with_version_and_licence():
    found = seeds(Subset.DATA_STRUCTURE)
    assert len(found) > 300
    assert {seed.source.licence for seed in found} == {"MIT"}
    assert all(seed.source.version and seed.title.endswith(".py") and seed.topic for seed in found)
    assert not any("__init__" in seed.title or seed.title.endswith("_test.py") for seed in found)


def test_prefixes_are_the_seeds_of_prefill_and_filter_has_the_empty_one():
    assert len(seeds(Subset.PREFILL)) == 3
    assert [seed.text for seed in seeds(Subset.PREFILL, prefixes=["Make a class that"])] == ["Make a class that"]
    assert [seed.text for seed in seeds(Subset.FILTER)] == [""]


def test_a_module_with_an_api_is_a_seed_of_package():
    (seed,) = seeds(Subset.PACKAGE, packages=["numpy"], include=["numpy.lib._polynomial_impl"])
    assert "polyfit(x, y, deg, rcond=None, full=False, w=None, cov=False): Least squares polynomial fit." in seed.text
    assert "_raise_power" not in seed.text
    assert seed.libraries[0].startswith("numpy==")


@pytest.mark.parametrize(
    ("subset", "options", "message"),
    [
        ("Nonsense", {}, r"no subset 'Nonsense'.*Prefill, Leetcode"),
        (Subset.LEETCODE, {}, r"subset Leetcode has no seeds .*--set subsets\.Leetcode\.seeds\.path=PATH"),
        (Subset.TACO, {"path": "/nowhere.jsonl"}, r"'/nowhere\.jsonl' does not exist"),
        (Subset.TACO, {"path": __file__}, r"ends in '\.py'. Give one of \.parquet"),
        (Subset.TACO, {"path": "x.jsonl", "packages": ["numpy"]}, r"reads a file of seed questions, not packages"),
        (Subset.TACO, {"path": "embedded:nothing"}, r"no embedded seeds 'nothing'"),
        (Subset.TACO, {"path": "nope://x/y"}, r"'nope://x/y' cannot be opened"),
        (Subset.TACO, {"path": "embedded:taco", "format": "odd"}, r"format 'odd' is not known. Choose one of plain"),
        (Subset.TACO, {"path": "embedded:taco", "columns": {"quest": "q"}}, r"columns maps quest; only id, title"),
        (Subset.TACO, {"path": "embedded:taco", "licence": "Free"}, r"licence 'Free' is no SPDX expression"),
        (Subset.ALGORITHM, {"path": "/nowhere"}, r"'/nowhere' is no folder and no archive"),
        (Subset.DOCS, {"packages": ["no-such-dist"]}, r"package 'no-such-dist' is not installed"),
        (Subset.DOCS, {"packages": ["numpy"], "include": ["nothing.*"]}, r"no seeds in numpy .*nothing"),
        (Subset.PACKAGE, {"packages": ["numpy"], "path": "x.jsonl"}, r"a file of instructions or packages, not both"),
    ],
)
def test_seeds_that_cannot_be_had_say_what_to_do(subset, options, message):
    with pytest.raises(BadInput, match=message):
        list(read_seeds(subset, SeedOptions(**options)))
