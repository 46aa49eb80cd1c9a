"""Replies of a known form: asked for by schema, mended where that is safe, validated always."""

from __future__ import annotations

import json
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from tasks.settings import Endpoint, Sampling
from tasks.teachers import local
from tasks.teachers.cache import open_cache
from tasks.teachers.client import TeacherClient
from tasks.teachers.replies import Malformed
from tasks.teachers.requests import ChatRequest
from tasks.teachers.structured import parse_structured, schema_of
from tasks.teachers.wire import body


class Rating(BaseModel):
    quality: Literal["poor", "fair", "good"]
    score: int = Field(ge=0, le=10)
    why: str = ""


GOOD = Rating(quality="good", score=7)


@pytest.mark.parametrize(
    "text",
    [
        '{"quality": "good", "score": 7}',
        'Sure!\n```json\n{"quality": "good", "score": 7}\n```\nDone.',
        'My rating: {"quality": "good", "score": 7} I hope this helps.',
        '{"quality": "good", "score": 7,}',
        "{'quality': 'good', 'score': 7}",
        '{"quality": "good", "score": 7',
        '{"quality": "good", // my view\n "score": 7}',
    ],
)
def test_the_object_is_found_and_mended(text):
    assert parse_structured(text, Rating) == GOOD


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no JSON object"),
        ("I cannot rate this.", "no JSON object"),
        ("[1, 2]", "no JSON object"),
        ('{"quality": "superb", "score": 7}', "quality"),
        ('{"quality": "good"}', "score"),
        ('{"quality": "good", "score": 70}', "score"),
    ],
)
def test_what_does_not_fit_is_never_made_to_fit(text, why):
    found = parse_structured(text, Rating)
    assert isinstance(found, Malformed)
    assert why in found.reason


@given(st.text() | st.text(alphabet='{}[]",:0123456789 abc\\'))
def test_no_text_breaks_it(text):
    assert isinstance(parse_structured(text, Rating), Rating | Malformed)


@pytest.mark.parametrize(
    ("how", "sent"),
    [
        ("json_schema", {"type": "json_schema"}),
        ("json_object", {"type": "json_object"}),
        ("none", None),
    ],
)
def test_a_schema_is_sent_in_the_form_that_the_server_understands(how, sent):
    endpoint = Endpoint(base_url="http://x/v1", model="m", structured=how)
    request = ChatRequest(messages=(("user", "rate"),), sampling=Sampling(), seed=0, json_schema=schema_of(Rating))
    found = body(request, endpoint, "m").get("response_format")
    assert (found or {}).get("type") == (sent or {}).get("type")
    if how == "json_schema":
        assert found["json_schema"]["schema"] == Rating.model_json_schema()


def test_a_real_model_is_held_to_the_schema(tmp_path):
    with local.running() as url:
        client = TeacherClient(Endpoint(base_url=url, model=local.MODEL), open_cache(str(tmp_path / "a.sqlite")))
        requests = [
            ChatRequest(
                messages=(("user", f"Rate this task for programmers: add {n} and 2."),),
                sampling=Sampling(max_tokens=100),
                seed=n,
                json_schema=schema_of(Rating),
            )
            for n in range(3)
        ]
        answers = client.ask_all(requests)
        client.close()
    for answer in answers:
        assert set(json.loads(answer.text)) >= {"quality", "score"}
        assert answer.prompt_tokens > 10
        assert not answer.estimated
