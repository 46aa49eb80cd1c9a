"""One parser for what models really write."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.teachers.replies import Malformed, abstained, clean_question, code, parse_pair, section, split_reasoning

PAIR = (
    "<|Solution Begin|>\n```python\nx = 1\n```\n<|Solution End|>\n<|Test Begin|>\n```python\ny = 2\n```\n<|Test End|>"
)


@pytest.mark.parametrize(
    "text",
    [
        PAIR,
        f"Sure! Here it is.\n{PAIR}\nHope that helps.",
        PAIR.replace("\n", "\r\n"),
        PAIR.replace("```python\n", "").replace("```\n", ""),
        PAIR.replace("```python", "```"),
        PAIR.replace("```python", "~~~py").replace("```", "~~~"),
        PAIR.replace("<|Solution End|>\n", ""),
        PAIR.replace("\n<|Test End|>", ""),
        PAIR.replace("\n```\n<|Test End|>", ""),
        PAIR.replace("<|Solution Begin|>", "<| solution  begin |>"),
        PAIR.replace("```python\nx", "Text before.\n```bash\npip install x\n```\n```python\nx"),
    ],
)
def test_pair_is_found_whatever_is_around_it(text):
    assert parse_pair(text) == ("x = 1\n", "y = 2\n")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no Solution section"),
        ("```python\nx = 1\n```", "no Solution section"),
        (PAIR.replace("Test Begin", "Tests"), "no Test section"),
        (PAIR.replace("y = 2", ""), "the Test section is empty"),
    ],
)
def test_what_is_missing_is_named(text, reason):
    found = parse_pair(text)
    assert isinstance(found, Malformed)
    assert reason in found.reason


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            '```python\ndef f():\n    """As in:\n```\nf()\n```\n    """\n    return 1\n```\nDone.',
            'def f():\n    """As in:\n```\nf()\n```\n    """\n    return 1\n',
            id="fences within a docstring",
        ),
        pytest.param('````python\nx = """\n```\n"""\n````', 'x = """\n```\n"""\n', id="a longer fence"),
        pytest.param(
            "The helper:\n```python\ndef g():\n    return 1\n```\nand then:\n```python\ndef f():\n    return g()\n```",
            "def g():\n    return 1\n\ndef f():\n    return g()\n",
            id="code in two blocks",
        ),
        pytest.param(
            "```python\ndef f():\n    return 1\n```\nOn second thought:\n```python\ndef f():\n    return 2\n```",
            "def f():\n    return 2\n",
            id="written again",
        ),
        pytest.param(
            "```python\ndef f():\n    return 1\n```\nUse it so:\n```python\nprint(f())\n```",
            "def f():\n    return 1\n",
            id="an example of use",
        ),
        pytest.param("```\n>>> f()\n1\n```\n```\ndef f(): ...\n```", "def f(): ...\n", id="fences without language"),
        pytest.param("```python\ndef f(): ...", "def f(): ...\n", id="a fence that is not closed"),
        pytest.param("  ```python\n  def f(): ...\n  ```", "def f(): ...\n", id="an indented fence"),
        pytest.param("Here it is:\n\ndef f(): ...", "def f(): ...\n", id="prose in front"),
        pytest.param("x = 1\n\n\nThis sets x to one.", "x = 1\n", id="prose behind"),
        pytest.param("```python\ndef f(:\n```", "def f(:\n", id="code that does not parse"),
        pytest.param("This is impossible.", "This is impossible.\n", id="no code at all"),
    ],
)
def test_code_is_taken_out_of_what_models_write(text, expected):
    assert code(text) == expected


def test_last_of_several_sections_counts():
    assert (
        section("<|Question Begin|>draft<|Question End|> Better: <|Question Begin|>final<|Question End|>", "Question")
        == "final"
    )


def test_indentation_of_code_stays():
    assert code("```python\n\n    a = 1\n    b = 2\n\n```") == "    a = 1\n    b = 2\n"


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("Question 3:\nAdd two numbers.", "Add two numbers."),
        ("**Question:** Add two numbers.", "Add two numbers."),
        ("### Problem\n\nAdd two numbers.", "Add two numbers."),
        ("## Coding Task 12\nAdd two numbers.", "Add two numbers."),
        ("Question 1: Question 2: Add two numbers.", "Add two numbers."),
        ("Add two numbers. Question 3: why?", "Add two numbers. Question 3: why?"),
        ("Problems with dates are common. Fix one.", "Problems with dates are common. Fix one."),
        ("Task scheduling is hard. Do it.", "Task scheduling is hard. Do it."),
        ("Question:", ""),
        (" \r\n ", ""),
    ],
)
def test_headings_are_stripped_and_sentences_are_not(text, question):
    assert clean_question(text) == question


def test_abstention():
    assert abstained("BAD_DOCUMENT")
    assert abstained("<|Question Begin|>\nBAD_DOCUMENT\n<|Question End|>")
    assert not abstained("<|Question Begin|>Add.<|Question End|> This is no BAD_DOCUMENT.")


def test_reasoning_is_taken_off():
    assert split_reasoning("<think>\nhm\n</think>\n\nAnswer") == ("hm", "Answer")
    assert split_reasoning("Answer <think>x</think>") == ("", "Answer <think>x</think>")


@pytest.mark.parametrize(
    ("text", "reasoning", "answer"),
    [
        ("hm\n</think>\n\nAnswer", "hm", "Answer"),
        ("hm\r\n</think>\r\nAnswer", "hm", "Answer"),
        ("<think>never\n```python\nx = 1\n```", "never\n```python\nx = 1\n```", ""),
        ("hm\n```python\nx = 1\n```\n</think>\nAnswer", "hm\n```python\nx = 1\n```", "Answer"),
        ("<think>a</think>One\n<think>\nb\n</think>\nTwo", "a\n\nb", "One\n\nTwo"),
        ("<think>`</think>` ends it\n</think>Answer", "`</think>` ends it", "Answer"),
        ("[THINK]hm[/THINK]Answer", "hm", "Answer"),
        ("<think></think>\nAnswer", "", "Answer"),
    ],
)
def test_thoughts_are_split_off_however_they_are_marked(text, reasoning, answer):
    assert split_reasoning(text) == (reasoning, answer)


@pytest.mark.parametrize(
    "text",
    [
        "```python\nPROMPT = '''\n<think>\n</think>\n'''\n```",
        "Use `text.split('</think>')` for it.",
        "re.sub('<think>.*</think>', '', text)",
    ],
)
def test_tags_that_an_answer_is_about_are_part_of_it(text):
    assert split_reasoning(text) == ("", text)


CODE = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="`~<|\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"),
    min_size=1,
)


@given(CODE, CODE)
def test_what_is_written_in_fences_is_read_back(solution, test):
    text = (
        f"<|Solution Begin|>\n```python\n{solution}\n```\n<|Solution End|>\n"
        f"<|Test Begin|>\n```python\n{test}\n```\n<|Test End|>"
    )
    if solution.strip() and test.strip():
        assert parse_pair(text) == (f"{solution.strip(chr(10)).rstrip()}\n", f"{test.strip(chr(10)).rstrip()}\n")


@given(
    st.lists(st.sampled_from(["```", "```python", "~~~", "text", "    ```", "x = 1"]), max_size=6), st.integers(0, 9)
)
def test_python_with_fences_in_its_docstring_is_read_back_whole(lines, number):
    docstring = "\n".join(lines)
    source = f'def f():\n    """{docstring}\n    """\n    return {number}\n'
    assert code(f"Here:\n```python\n{source}```\nThat is all.") == source


@given(st.lists(st.sampled_from(["```", "~~~~", "\n", " ", "d", "def f(): pass\n", "<|Test Begin|>", "python", "\r"])))
def test_code_of_any_text_has_one_end(parts):
    found = code("".join(parts))
    assert found == "" or (found.endswith("\n") and not found.endswith("\n\n"))


@given(st.text())
def test_no_text_breaks_the_parser(text):
    parse_pair(text)
    cleaned = clean_question(text)
    assert clean_question(cleaned) == cleaned
    assert "\r" not in cleaned
