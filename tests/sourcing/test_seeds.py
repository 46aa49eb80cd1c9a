"""Seeds from installed packages, folders and files of the user's."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.errors import BadInput
from tasks.models import Subset
from tasks.settings import SeedOptions
from tasks.sourcing.catalogue import CATALOGUE, read_seeds
from tasks.sourcing.groups import seed_groups


def test_catalogue_names_all_twelve_subsets():
    assert set(CATALOGUE) == set(Subset)


def test_algorithms_package_gives_files_with_version_and_licence():
    seeds = read_seeds(Subset.DATA_STRUCTURE, SeedOptions())
    assert len(seeds) > 200
    assert {seed.source.licence for seed in seeds} == {"MIT"}
    assert all(seed.source.version and seed.title.endswith(".py") for seed in seeds)
    assert not any("__init__" in seed.title for seed in seeds)


def test_docstrings_carry_library_and_version():
    seeds = read_seeds(Subset.DOCS, SeedOptions(packages=["pandas"], include=["pandas.core.frame.DataFrame.*"]))
    (melt,) = [seed for seed in seeds if seed.title == "pandas.core.frame.DataFrame.melt"]
    assert "Unpivot" in melt.text
    assert melt.libraries[0].startswith("pandas==")
    assert melt.source.licence == "BSD-3-Clause"


def test_folder_of_code_is_a_snippet_source(tmp_path):
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "a.py").write_text("def f():\n    return 1\n" * 20)
    (tmp_path / "pkg" / "short.py").write_text("x = 1\n")
    (tmp_path / "pkg" / "latin.py").write_bytes(b"# \xe9\n" * 100)
    (seed,) = read_seeds(Subset.ALGORITHM, SeedOptions(path=str(tmp_path), licence="MIT"))
    assert (seed.title, seed.source.licence) == ("pkg/a.py", "MIT")


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_seed_questions_are_read_with_a_column_mapping(tmp_path, suffix):
    rows = [
        {"key": "a", "title": "A", "problem": "Add two."},
        {"key": "b", "title": "B", "problem": "Sub two."},
    ]
    path = tmp_path / f"seeds.{suffix}"
    if suffix == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        pq.write_table(pa.Table.from_pylist(rows), path)
    options = SeedOptions(path=str(path), columns={"id": "key", "question": "problem"})
    seeds = read_seeds(Subset.TACO, options)
    assert [seed.text for seed in seeds] == ["Add two.", "Sub two."]
    assert seeds[0].source.licence == "LicenseRef-unknown"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"id": "a", "title": "A", "question": "Q"}\n{"id": "b", ', r"seeds\.jsonl, line 2: not valid JSON"),
        (
            '{"id": "a", "title": "A", "text": "Q"}\n',
            r"row 1: no column 'question' \(it has id, title, text\)",
        ),
        ('{"id": "a", "title": "A", "question": " "}\n', r"row 1: column 'question' is empty"),
        ('{"id": "a", "title": "A", "question": "Q"}\n' * 2, r"row 2: id 'a' occurs twice"),
        ("[1]\n", r"line 1: must be a JSON object, got list"),
        ("", r"no seeds in .*seeds\.jsonl"),
        ("\xff\xfe", r"line 1: not valid JSON"),
    ],
)
def test_broken_seed_files_are_named_by_row_and_column(tmp_path, content, message):
    path = tmp_path / "seeds.jsonl"
    path.write_text(content, encoding="latin-1")
    with pytest.raises(BadInput, match=message):
        read_seeds(Subset.TACO, SeedOptions(path=str(path)))


def test_parquet_that_is_none_is_named(tmp_path):
    path = tmp_path / "seeds.parquet"
    path.write_text("no")
    with pytest.raises(BadInput, match="is not a Parquet file"):
        read_seeds(Subset.TACO, SeedOptions(path=str(path)))


@pytest.mark.parametrize(
    ("subset", "options", "message"),
    [
        (Subset.TACO, SeedOptions(), r"subset Taco has no seeds .*--set subsets\.Taco\.seeds\.path=FILE"),
        (Subset.TACO, SeedOptions(path="/nowhere.jsonl"), r"'/nowhere\.jsonl' does not exist"),
        (Subset.TACO, SeedOptions(path="/nowhere.csv"), r"ends in '\.csv'"),
        (Subset.ALGORITHM, SeedOptions(path="/nowhere"), r"'/nowhere' is not a folder"),
        (Subset.DOCS, SeedOptions(packages=["no-such-dist"]), r"package 'no-such-dist' is not installed"),
        (Subset.DOCS, SeedOptions(include=["nothing.*"]), r"no seeds in pandas, numpy .*nothing"),
    ],
)
def test_seeds_that_cannot_be_had_say_what_to_do(subset, options, message):
    with pytest.raises(BadInput, match=message):
        read_seeds(subset, options)


def test_groups_cover_the_seeds_evenly_and_depend_on_the_seed_alone():
    seeds = read_seeds(Subset.LEETCODE, SeedOptions(path="embedded:questions"))
    groups = list(seed_groups(Subset.LEETCODE, seeds, len(seeds) + 5, 3, seed=7))
    leaders = [group.seeds[0].seed_id for group in groups]
    assert sorted(leaders[: len(seeds)]) == sorted(seed.seed_id for seed in seeds)
    assert leaders[len(seeds) :] == leaders[:5]
    assert all(len({seed.seed_id for seed in group.seeds}) == 3 for group in groups)
    assert groups == list(seed_groups(Subset.LEETCODE, seeds, len(seeds) + 5, 3, seed=7))
    assert groups != list(seed_groups(Subset.LEETCODE, seeds, len(seeds) + 5, 3, seed=8))
    assert groups[3].question_id == "Leetcode_00000003_I"
