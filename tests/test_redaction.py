"""What is shown of errors holds no key and no password, and is one line."""

from __future__ import annotations

import pytest

from tasks.redaction import LONGEST, cause, one_line, redact, redacted, remember


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("cannot connect to postgresql://prefect:hunter22@db:5432/answers", "hunter22"),
        ("401 for Authorization: Bearer abcdef0123456789", "abcdef0123456789"),
        ("Incorrect API key provided: sk-proj-abcdefghijklmnop1234", "sk-proj-abcdefghijklmnop1234"),
        ("https://host/v1?api_key=abcdef12345&x=1", "abcdef12345"),
        ("the token hf_abcdefghijklmnopqrst is not valid", "hf_abcdefghijklmnopqrst"),
        ("AKIAABCDEFGHIJKLMNOP has no access", "AKIAABCDEFGHIJKLMNOP"),
    ],
)
def test_what_looks_like_a_secret_is_hidden(text, secret):
    assert secret not in redacted(text)
    assert "***" in redacted(text)


def test_keys_of_the_environment_and_of_blocks_are_hidden(monkeypatch):
    monkeypatch.setenv("MY_TEACHER_KEY", "plain-words-as-key")
    remember("of-a-secret-block")
    assert redacted("refused plain-words-as-key and of-a-secret-block") == "refused *** and ***"


def test_ordinary_messages_stay_as_they_are():
    text = "the endpoint http://127.0.0.1:8000/v1 answers 503: 5 of 8 tokens left, see teachers.author.limits"
    assert redacted(text) == text


def test_a_cause_is_one_line_of_bounded_length():
    assert cause(ValueError("first\n   second")) == "ValueError: first second"
    assert cause(KeyboardInterrupt()) == "KeyboardInterrupt"
    assert len(one_line("word " * 10_000)) == LONGEST


def test_an_error_is_redacted_with_those_it_came_from():
    try:
        try:
            raise OSError("s3://key:secret-part@bucket")
        except OSError as inner:
            raise RuntimeError("of Bearer abcdef0123456789") from inner
    except RuntimeError as error:
        redact(error)
        assert str(error) == "of Bearer ***"
        assert "secret-part" not in str(error.__cause__)
