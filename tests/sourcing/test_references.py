"""References of snippets: code that runs on its own, what may be told of it, and where it must not show."""

from __future__ import annotations

import pytest

from flows.console.options import load_config
from tasks.execution.environment import REQUIREMENTS
from tasks.models import Pair, Provenance, Reject, RejectReason, Seed, SeedGroup, Subset, Verdict
from tasks.run import Run
from tasks.settings import SeedOptions
from tasks.sourcing.catalogue import catalogue, read_seeds
from tasks.sourcing.questions import question_request
from tasks.sourcing.references import MAX_CHARACTERS, cut
from tasks.sourcing.spool import spooled
from tasks.sourcing.stage import screened
from tests.sourcing.test_own_code import CODE

FILE = '''"""Scores."""

from __future__ import annotations

import math
import os, re

LIMIT = 10
UNUSED = os.sep
TABLE = {}
TABLE["a"] = 1
for letter in "bcd":
    TABLE[letter] = len(TABLE) * 2
FIRST = 1; SECOND = FIRST + 1


def _log(value):
    return math.log(value)


class Scale:
    factor = LIMIT

    def apply(self, value):
        return _log(value) * self.factor


def hidden(value, LIMIT):
    UNUSED = value
    return UNUSED + LIMIT


@staticmethod
def score(value, scale=Scale()):
    # A comment stays.
    return scale.apply(value)


def looked_up(letter):
    return TABLE[letter]


def second():
    return SECOND


def even(n):
    return n == 0 or odd(n - 1)


def odd(n):
    return n != 0 and even(n - 1)


def broken():
    return nowhere


if __name__ == "__main__":
    LIMIT = int(input())
'''
USES = "from solution import {name}\n\n\ndef test_it():\n    assert callable({name})\n"
FUTURE = "from __future__ import annotations\n"


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("hidden", "def hidden(value, LIMIT):\n    UNUSED = value\n    return UNUSED + LIMIT\n"),
        ("second", "FIRST = 1; SECOND = FIRST + 1\n\n\ndef second():\n    return SECOND\n"),
        (
            "looked_up",
            'TABLE = {}\nTABLE["a"] = 1\nfor letter in "bcd":\n    TABLE[letter] = len(TABLE) * 2\n\n\n'
            "def looked_up(letter):\n    return TABLE[letter]\n",
        ),
        (
            "odd",
            "def even(n):\n    return n == 0 or odd(n - 1)\n\n\ndef odd(n):\n    return n != 0 and even(n - 1)\n",
        ),
        (
            "score",
            "import math\nLIMIT = 10\n\n\ndef _log(value):\n    return math.log(value)\n\n\nclass Scale:\n"
            "    factor = LIMIT\n\n    def apply(self, value):\n        return _log(value) * self.factor\n\n\n"
            "@staticmethod\ndef score(value, scale=Scale()):\n    # A comment stays.\n    return scale.apply(value)\n",
        ),
    ],
)
def test_a_function_comes_with_all_that_it_needs_of_its_file_and_no_more(name, lines):
    code = cut(FILE, name, "src/scores.py")
    assert code.removeprefix(FUTURE).lstrip("\n") == lines
    assert code.startswith(FUTURE)


def test_a_file_is_its_own_reference():
    assert cut(FILE, "", "src/scores.py") == FILE


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ("from math import sqrt as f", True),
        ("import numpy.linalg as f", True),
        ("from sklearn import f", True),
        ("from bs4 import f", True),
        ("from yaml import f", True),
        ("from dateutil import f", True),
        ("from math import *", True),
        ("try:\n    from math import f\nexcept ImportError:\n    f = None", True),
        ("from torch import f", False),
        ("from .other import f", False),
        ("from . import *", False),
        ("from project.other import f", False),
        ("from other import f", False),
        ("from numpy import *\nfrom .other import *", False),
        ("", False),
        ("if __name__ == '__main__':\n    f = 1", False),
        ("def g():\n    from .other import f", False),
    ],
)
def test_a_function_that_needs_what_the_box_has_not_has_no_reference(head, expected):
    file = f"{head}\n\n\ndef asked(x):\n    return f(x)\n"
    assert bool(cut(file, "asked", "project/file.py")) is expected
    # What others of the file need does not matter; what all of the file imports does.
    assert cut(f"from .other import g\n{file}", "", "project/file.py") == ""
    assert bool(cut(f"from .other import g\n{file}", "asked", "project/file.py")) is expected


def test_the_package_of_a_file_is_not_in_the_box_and_libraries_that_are_named_are():
    file = "import numpy\nimport torch\n\n\ndef f(x):\n    return numpy.add(x, torch.one)\n"
    assert cut(file, "f", "src/f.py", ["torch==2.3"])
    assert not cut(file, "f", "src/f.py")
    assert not cut(file, "f", "numpy/f.py", ["torch==2.3"])


def test_every_library_of_the_box_may_be_imported():
    renamed = {"beautifulsoup4": "bs4", "pyyaml": "yaml", "scikit-learn": "sklearn"}
    wanted = REQUIREMENTS.with_suffix(".in").read_text().splitlines()
    for name in (line.partition("=")[0] for line in wanted if line and not line.startswith("#")):
        module = renamed.get(name, name.replace("-", "_"))
        assert cut(f"import {module} as m\n\n\ndef f():\n    return m\n", "f", "src/f.py"), name


@pytest.mark.parametrize(
    "file",
    [
        "def f(:",
        "def f(x):\n    return '\0'\n",
        "def f(x):\n    global x\n    return x\n",
        "def f(x):\n    return " + "(" * 5000 + ")" * 5000,
        "def f(x):\n    return 1\n" + "#" * MAX_CHARACTERS,
        "def g(x):\n    return 1\n",
    ],
)
def test_what_cannot_be_cut_has_no_reference_and_is_no_error(file):
    assert cut(file, "f", "src/f.py") == ""


@pytest.mark.parametrize("ends", ["\r\n", "\r"])
def test_line_ends_of_other_systems_are_cut_at(ends):
    file = ends.join(["LIMIT = 1", "", "def f(x):", "    return x + LIMIT", ""])
    assert cut(file, "f", "src/f.py") == "LIMIT = 1\n\n\ndef f(x):\n    return x + LIMIT\n"


@pytest.mark.parametrize(
    ("subset", "options", "share"),
    [
        (Subset.DATA_STRUCTURE, {"packages": ["algorithms"], "granularity": "files"}, 0.9),
        (Subset.DATA_STRUCTURE, {"packages": ["algorithms"], "granularity": "functions"}, 0.9),
        (Subset.ALGORITHM, {"packages": ["pygorithm"]}, 0.85),
        (Subset.DOCS, {"packages": ["pygorithm"]}, 0.0),
        (Subset.PACKAGE, {"packages": ["pygorithm"]}, 0.0),
    ],
)
def test_most_code_has_a_reference_and_what_is_no_code_has_none(subset, options, share):
    found = [seed for seed in read_seeds(subset, SeedOptions(**options)) if isinstance(seed, Seed)]
    with_one = [seed for seed in found if seed.reference]
    assert with_one if share else not with_one
    assert len(with_one) >= share * len(found)


def test_references_of_functions_run_in_the_box(pool):
    found = read_seeds(Subset.DATA_STRUCTURE, SeedOptions(packages=["algorithms"], granularity="functions"))
    pairs = [
        Pair(id=seed.seed_id, solution=seed.reference, test=USES.format(name=name))
        for seed in found
        if isinstance(seed, Seed) and seed.reference
        for name in [seed.title.partition("::")[2]]
    ][::20]
    assert len(pairs) > 15
    assert {verdict.verdict for verdict in pool.run_all(pairs)} == {Verdict.PASSED}


def test_a_secret_that_only_the_reference_holds_is_found_and_never_told(tmp_path):
    root = tmp_path / "repository"
    root.mkdir()
    leaky = CODE.replace("net_amount", "leaky").replace("divisor = 1 + rate", "divisor = 1 + rate + _offset(KEY)")
    (root / "keys.py").write_text(
        f'{leaky}\n\ndef _offset(key):\n    return len(key)\n\n\nKEY = "AKIAIOSFODNN7EXAMPLE"\n'
    )
    (root / "tax.py").write_text(f'{CODE}\n\nKEY = "AKIAIOSFODNN7EXAMPLE"\n')
    seeds = f"subsets.Own_Code.seeds.path={root}", "subsets.Own_Code.seeds.granularity=functions"
    config = load_config("demo", ["only=[Own_Code]", "licences.unknown=keep", *seeds])
    with spooled() as spool:
        reject, kept = screened(Run(config=config, teachers=config.teachers), Subset.OWN_CODE, spool)
    assert isinstance(reject, Reject)
    assert (reject.id, reject.reason) == ("repository:keys.py::leaky", RejectReason.SECRET)
    assert reject.evidence.startswith("in its reference: ") and "AKIA" not in reject.evidence
    assert isinstance(kept, Seed)
    assert kept.title == "tax.py::net_amount"
    assert kept.reference and "AKIA" not in kept.reference


def seed(text: str, reference: str) -> Seed:
    where = Provenance(origin="o", version="1", path="p", licence="MIT")
    return Seed(seed_id="s1", subset="Taco", text=text, title="T", context="C", reference=reference, source=where)


def test_seeds_of_one_text_are_twins_whatever_their_references():
    with spooled() as spool:
        spool.add(seed("Add.", "a = 1\n"))
        assert spool.twin(seed("Add.", "a = 2\n")) == "s1"
        assert spool.twin(seed("Subtract.", "a = 1\n")) == ""
        assert spool[0].reference == "a = 1\n"


@pytest.mark.parametrize("subset", sorted(catalogue()))
def test_no_prompt_shows_a_reference(subset):
    config = load_config("demo", [f"subsets.{subset}.count=1"])
    group = SeedGroup(
        question_id="q", subset=subset, number=0, operator="deepen", seeds=[seed("Add.", "SENTINEL = 1\n")] * 3
    )
    request = question_request(group, Run(config=config, teachers=config.teachers))
    assert "SENTINEL" not in repr(request)
    assert "Add." in repr(request)
