"""Sourcing from seeds to questions as a user runs it, with teachers of our own behind real HTTP."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tasks.models import RejectReason
from tasks.teachers.demo import DemoTeacher, running
from tasks.teachers.transcripts import Reply, Transcripts
from tests.processes import ROOT, sets
from tests.sourcing.test_own_code import CODE

QUESTION = (
    "Write `{name}(x: int) -> int` that gives {what} of a whole number, for negative ones as well. `{name}(2)` is {n}."
)


class Recording(Transcripts):
    """Answers as a function of the prompt, and remembers every prompt."""

    def __init__(self, answer: Any) -> None:
        super().__init__([])
        self.prompts: list[str] = []
        self._answer = answer

    def chat(self, prompt: str, seed: int) -> Reply:
        self.prompts.append(prompt)
        return Reply(self._answer(prompt, seed))

    complete = chat


@contextmanager
def teacher(answer: Any) -> Iterator[tuple[str, Recording]]:
    recording = Recording(answer)
    with running(DemoTeacher(recording, faults=False)) as url:
        yield url, recording


def as_question(text: str) -> str:
    return f"<|Question Begin|>\n{text}\n<|Question End|>\n"


def at(url: str, role: str = "author") -> dict[str, object]:
    names = {"kind": "openai", "base_url": url, "model": f"the-{role}"}
    return {f"teachers__{role}__{name}": value for name, value in names.items()}


def source(kodforge: Any, store: Path, subset: str, **options: object) -> tuple[list[dict], list[dict]]:
    """The questions and the rejects of all stages of one subset."""
    out = store.parent / "questions.parquet"
    done = kodforge("source", "--out", str(out), *sets(store=store, only=f"[{subset}]", **options))
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    files = sorted((store / "demo").glob("*/rejects/*.parquet"))
    return pq.read_table(out).to_pylist(), [row for file in files for row in pq.read_table(file).to_pylist()]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    root.mkdir()
    (root / "tax.py").write_text(CODE)
    (root / "keys.py").write_text(CODE.replace("net_amount", "leaky") + '\nKEY = "AKIAIOSFODNN7EXAMPLE"\n')
    (root / "mail.py").write_text(CODE.replace("net_amount", "mailing") + "\n# ask jane.doe@acme-corp.com\n")
    return root


def test_own_code_reaches_the_teacher_without_secrets_and_the_question_without_code(kodforge, tmp_path, repository):
    quoting = as_question(f"Fix the bug in `net_amount(gross)`.\n\n```python\n{CODE}```")
    fresh = as_question(QUESTION.format(name="tax_of", what="the tax", n=1))
    options = {
        "subsets__Own_Code__count": 8,
        "subsets__Own_Code__seeds__path": repository,
        "subsets__Own_Code__seeds__licence": "LicenseRef-Acme",
        "subsets__Own_Code__seeds__granularity": "files",
        "licences__allow": "[LicenseRef-Acme]",
    }
    with teacher(lambda prompt, seed: quoting if seed % 2 else fresh) as (url, recording):
        questions, rejects = source(kodforge, tmp_path / "store", "Own_Code", **at(url), **options)
    assert all(
        "tax.py" in prompt and "type hints" in prompt and "may be recognised" in prompt for prompt in recording.prompts
    )
    assert not any("AKIA" in prompt or "jane.doe" in prompt for prompt in recording.prompts)
    reasons = sorted(row["reason"] for row in rejects)
    assert reasons == sorted(["secret", "personal_data"] + ["quotes_seed"] * 4)
    assert not any("AKIA" in row["evidence"] or "jane.doe" in row["evidence"] for row in rejects)
    assert [row["contract"] for row in questions] == [["tax_of(x: int) -> int"]] * 4
    with teacher(lambda prompt, seed: quoting) as (url, recording):
        shown = {**options, "subsets__Own_Code__seeds__hide_code": "false", "questions__max_quoted_tokens": 1000}
        questions, _ = source(kodforge, tmp_path / "other" / "store", "Own_Code", **at(url), **shown)
    assert len(questions) == 8
    assert all("may quote" in prompt for prompt in recording.prompts)


def test_failures_in_production_become_targeted_questions(kodforge, tmp_path):
    path = tmp_path / "failures.jsonl"
    row = {"prompt": "Sort the words.", "answer": "sorted(words)", "expected": "Upper and lower case are alike."}
    path.write_text(json.dumps(row))
    options = {"subsets__Feedback__count": 1, "subsets__Feedback__seeds__path": path, "licences__unknown": "keep"}
    with teacher(lambda prompt, seed: as_question(QUESTION.format(name="f", what="the root", n=1))) as (url, recording):
        (question,), rejects = source(kodforge, tmp_path / "store", "Feedback", **at(url), **options)
    assert rejects == []
    assert all(text in recording.prompts[0] for text in row.values())
    assert question["seeds"][0]["source"]["licence"] == "LicenseRef-unknown"


def test_a_subset_whose_seeds_may_not_be_used_says_why_before_any_call(kodforge, tmp_path):
    path = tmp_path / "failures.jsonl"
    path.write_text(json.dumps({"prompt": "p", "answer": "a", "expected": "e"}))
    options = {"subsets__Feedback__count": 1, "subsets__Feedback__seeds__path": path, "only": "[Feedback]"}
    with teacher(lambda prompt, seed: "") as (url, recording):
        out = str(tmp_path / "q.parquet")
        done = kodforge("source", "--out", out, *sets(store=tmp_path / "store", **at(url), **options))
    assert done.returncode == 1
    assert "none of its seeds may be used (1 unknown_licence)" in done.stderr
    assert "seeds.licence=SPDX" in done.stderr
    assert recording.prompts == []


def test_roles_ask_their_own_endpoints_and_an_open_question_is_completed_once(kodforge, tmp_path):
    wishes = [
        "Please write me a function that finds the longest word of a sentence, the first one where several are.",
        "Please write me a function that counts the vowels of a text, upper case ones included, and none for no text.",
        "Please write me a function that turns a list of pairs into a dictionary and keeps the last value of each key.",
    ]
    ratings = {wishes[0]: "good", wishes[1]: "poor", wishes[2]: "excellent"}

    def rate(prompt: str, seed: int) -> str:
        grade = next(quality for wish, quality in ratings.items() if wish in prompt)
        return (
            "Sure:\n```json\n"
            + json.dumps({"reason": "-", "quality": grade, "category": "Function Generation"})
            + "\n```"
        )

    def name(prompt: str, seed: int) -> str:
        signature = "def longest_word(text: str) -> str" if wishes[0] in prompt else "no idea"
        return f"<|Signature Begin|>\n{signature}\n<|Signature End|>"

    with (
        teacher(lambda prompt, seed: wishes[seed % 3]) as (instructor, turns),
        teacher(rate) as (rater, rated),
        teacher(name) as (author, named),
    ):
        roles = {**at(instructor, "instructor"), **at(rater, "rater"), **at(author)}
        options = {"subsets__Filter__count": 3, **roles}
        (kept,), rejects = source(kodforge, tmp_path / "store", "Filter", **options)
        assert (len(turns.prompts), len(rated.prompts), len(named.prompts)) == (3, 3, 2)
        again, _ = source(kodforge, tmp_path / "store", "Filter", **options)
        assert again == [kept]
        assert (len(turns.prompts), len(rated.prompts), len(named.prompts)) == (3, 3, 2)
    assert sorted(row["reason"] for row in rejects) == ["low_quality", "no_contract"]
    assert kept["question"].startswith(wishes[0]) and "def longest_word(text: str) -> str:" in kept["question"]
    assert (kept["call"]["model"], kept["rating"]["call"]["model"]) == ("the-instructor", "the-rater")
    assert (kept["contract_call"]["model"], kept["rating"]["quality"]) == ("the-author", "good")


def test_without_repair_an_open_question_is_rejected_unasked(kodforge, tmp_path):
    with teacher(lambda prompt, seed: " finds the longest word of a sentence, the first one of several.") as (
        url,
        made,
    ):
        options = {"subsets__Prefill__count": 3, "questions__repair": "false", **at(url)}
        questions, rejects = source(kodforge, tmp_path / "store", "Prefill", **options)
    assert questions == []
    assert [row["reason"] for row in rejects] == ["no_contract"] * 3
    assert len(made.prompts) == 3


def test_a_subset_that_repeats_itself_asks_no_more_and_every_prompt_is_accounted_for(kodforge, tmp_path):
    text = QUESTION.format(name="f", what="the number of divisors", n=2)
    with teacher(
        lambda prompt, seed: f" {text}" if "user" not in prompt else f" {text} Number {seed % 5} is fine."
    ) as (url, made):
        options = {"subsets__Prefill__count": 200, "shard_size": 30, "diversity__look_every": 2, **at(url)}
        questions, rejects = source(kodforge, tmp_path / "store", "Prefill", **options)
    assert len(made.prompts) == 60
    assert len(questions) == 60
    assert {row["reason"] for row in rejects} == {RejectReason.SATURATED.value}
    assert len(rejects) == 140
    assert "of the latest 60 questions of Prefill repeat earlier ones" in rejects[0]["evidence"]


def block(language: str, page: Path) -> str:
    """The one code block of that language on a page of the docs."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)
    return str(found)


def test_a_package_brings_a_source_of_its_own_as_the_docs_say(kodforge, tmp_path):
    page, site = ROOT / "docs" / "sources.md", tmp_path / "site"
    info = site / "riddles-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: riddles\nVersion: 1.0\n")
    points = tomllib.loads(block("toml", page))["project"]["entry-points"]
    lines = [
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in of.items()) for group, of in points.items()
    ]
    (info / "entry_points.txt").write_text("".join(lines))
    (site / "riddles.py").write_text(block("python", page))
    env = {"PYTHONPATH": os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])}
    assert "Riddles" in kodforge("sources", env=env).stdout
    with teacher(lambda prompt, seed: as_question(QUESTION.format(name="f", what="the root", n=1))) as (url, made):
        values = sets(store=tmp_path / "store", only="[Riddles]", subsets__Riddles="{}", **at(url))
        done = kodforge("source", "--out", str(tmp_path / "q.jsonl"), *values, "--set", "licences.allow=[]", env=env)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in (tmp_path / "q.jsonl").read_text().splitlines()]
    assert [row["question_id"] for row in rows] == ["Riddles_00000000_I", "Riddles_00000001_I"]
    assert all("Riddle" in prompt for prompt in made.prompts)
