"""A run, its failures, and the questions that the next run makes of them."""

from __future__ import annotations

from tests.flows.test_sourcing import QUESTION, as_question, at, source, teacher
from tests.kpis.runs import ALL, finished
from tests.processes import sets


def test_what_a_run_got_wrong_leads_the_questions_of_the_next(kodforge, tmp_path):
    finished(tmp_path / "first", answers={ALL[0]: (False, False), ALL[1]: (True, True)})
    out = tmp_path / "failures.jsonl"
    done = kodforge("feedback", "--out", str(out), *sets(store=tmp_path / "first", run="r"))
    assert done.returncode == 0, done.stderr
    assert "1 failures in" in done.stdout
    options = {
        "subsets__Feedback__count": 2,
        "subsets__Feedback__seeds__path": out,
        "subsets__Feedback__seeds__licence": "MIT",
    }
    with teacher(lambda prompt, seed: as_question(QUESTION.format(name=f"f{seed}", what="the root", n=seed))) as (
        url,
        recording,
    ):
        questions, rejects = source(kodforge, tmp_path / "second" / "store", "Feedback", **at(url), **options)
    assert rejects == []
    assert all("Write `double(x)`." in prompt and "assert 3 == 6" in prompt for prompt in recording.prompts)
    assert [row["seeds"][0]["title"] for row in questions] == [f"{ALL[0]}/r1"] * 2
