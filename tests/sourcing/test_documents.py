"""Documentation as seeds: docstrings and pages of HTML, reStructuredText, Markdown and notebooks."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from tasks.models import Reject, Seed, Subset
from tasks.settings import SeedOptions
from tasks.sourcing.catalogue import read_seeds
from tasks.sourcing.pages import pages

PARAGRAPH = "Streams are read a chunk at a time, so that a file of any size fits into memory. " * 8


def seeds(path: Path, **options: object) -> list[Seed]:
    return list(read_seeds(Subset.DOCS, SeedOptions(path=str(path), licence="MIT", **options)))


def test_docstrings_carry_library_and_version():
    options = SeedOptions(packages=["pandas"], include=["pandas.core.frame.DataFrame.*"])
    (melt,) = [seed for seed in read_seeds(Subset.DOCS, options) if seed.title == "pandas.core.frame.DataFrame.melt"]
    assert "Unpivot" in melt.text
    assert melt.libraries[0].startswith("pandas==")
    assert melt.source.licence == "BSD-3-Clause"


def titles(**options: object) -> set[str]:
    found = read_seeds(Subset.DOCS, SeedOptions(packages=["algorithms"], **options))
    return {seed.title for seed in found if isinstance(seed, Seed)}


@pytest.mark.parametrize(
    "pattern",
    ["algorithms.bit_manipulation.*", "*_view", "algorithms.array.tri*", "algorithms.g?aph.*", "algorithms.[st]*.*"],
)
def test_files_that_hold_nothing_wanted_are_left_out_and_no_others(pattern):
    every = titles()
    expected = {title for title in every if fnmatchcase(title, pattern)}
    assert 0 < len(expected) < len(every)
    assert titles(include=[pattern]) == expected
    assert titles(exclude=[pattern]) == every - expected


def test_files_are_wanted_by_their_path_too():
    expected = {title for title in titles() if title.startswith("algorithms.array.")}
    assert titles(include=["algorithms/array/*.py"]) == expected
    assert expected


DOCUMENTS = {
    "guide.md": f"# Streams\n\n{PARAGRAPH}\n\n```python\n# not a heading\n```\n\n## Chunks\n\n{PARAGRAPH}",
    "guide.rst": f"Streams\n=======\n\n.. module:: s\n\n{PARAGRAPH}\n\nChunks\n------\n\n:func:`read` {PARAGRAPH}\n",
    "guide.html": "<html><head><style>p {}</style></head><body><nav>Menu</nav><main>"
    f"<h1>Streams</h1><p>{PARAGRAPH}</p><h2>Chunks</h2><p>{PARAGRAPH}</p></main><footer>Imprint</footer></body></html>",
    "guide.ipynb": json.dumps(
        {
            "nbformat": 4,
            "nbformat_minor": 4,
            "metadata": {},
            "cells": [
                {"cell_type": "markdown", "metadata": {}, "source": ["# Streams\n", "\n", PARAGRAPH]},
                {
                    "cell_type": "code",
                    "metadata": {},
                    "source": ["read(chunk=5)"],
                    "execution_count": 1,
                    "outputs": [{"output_type": "stream", "name": "stdout", "text": ["secret output"]}],
                },
                {"cell_type": "markdown", "metadata": {}, "source": ["## Chunks\n", "\n", PARAGRAPH]},
            ],
        }
    ),
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_is_cut_at_its_headings(tmp_path, name):
    (tmp_path / name).write_text(DOCUMENTS[name])
    first, second = seeds(tmp_path, libraries=["streams==1.2"])
    assert (first.title, second.title) == (f"{name}#Streams", f"{name}#Chunks")
    assert "at a time" in first.text and "Chunks" not in first.text
    assert first.libraries == ["streams==1.2"]
    assert not any(word in first.text + second.text for word in ("Menu", "Imprint", "secret output"))


def test_pages_are_of_bounded_length_and_nothing_but_short_ends_is_lost():
    text = "# All\n\n" + "\n\n".join(f"{number} {PARAGRAPH}" for number in range(60))
    found = list(pages("a.md", text, longest=5000, shortest=400))
    assert all(400 <= len(page.text) <= 5000 for page in found)
    assert sum(page.text.count("Streams are read") for page in found) == 60 * 8


def test_short_sections_join_the_one_before_them():
    text = "".join(f"# H{number}\n\nA short one.\n\n" for number in range(60))
    found = list(pages("a.md", text, longest=5000, shortest=400))
    assert 1 <= len(found) <= 3
    assert found[0].heading == "H0"


@pytest.mark.parametrize("name", ["a.ipynb", "a.html", "a.rst", "a.md"])
def test_a_broken_document_is_a_reject_and_stops_nothing(tmp_path, name):
    for number, text in enumerate(("", "{", "<html><<<", "\0", "=" * 5000, "`" * 5000, "<div>" * 3000)):
        (tmp_path / f"{number}-{name}").write_text(text)
    found = list(read_seeds(Subset.DOCS, SeedOptions(path=str(tmp_path), licence="MIT")))
    rejects = [one for one in found if isinstance(one, Reject)]
    assert all("cannot be read as" in one.evidence for one in rejects)
    assert len(rejects) >= (6 if name == "a.ipynb" else 0)


def test_restructured_text_reads_no_other_file(tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("the secret " * 100)
    for directive in (
        f".. include:: {secret}",
        f".. raw:: html\n   :file: {secret}",
        f".. csv-table::\n   :file: {secret}",
    ):
        text = f"Title\n=====\n\n{directive}\n\n{PARAGRAPH}\n"
        assert not any("the secret" in page.text for page in pages("a.rst", text))
