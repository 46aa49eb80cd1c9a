"""The open user turn of a model's own chat template."""

from __future__ import annotations

import json

import pytest

from tasks.errors import BadInput, TeacherUnavailable
from tasks.settings import Endpoint, Sampling
from tasks.teachers import local
from tasks.teachers.cache import open_cache
from tasks.teachers.chat_templates import user_turn, with_user_turn
from tasks.teachers.client import TeacherClient
from tasks.teachers.requests import CompletionRequest

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
LLAMA = (
    "{{ bos_token }}{% for message in messages %}{{ '<|start_header_id|>' + message.role + '<|end_header_id|>\\n\\n' + "
    "message.content | trim + '<|eot_id|>' }}{% endfor %}"
)
NO_SYSTEM = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    "{% for message in messages %}{{ '<start_of_turn>' + message.role + '\\n' + message.content + '<end_of_turn>\\n' }}"
    "{% endfor %}"
)
BRACES = "{% for message in messages %}{{ '{' + message.role + '}: ' + message.content + '\\n' }}{% endfor %}"


@pytest.mark.parametrize(
    ("template", "turn"),
    [
        (CHATML, "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nP"),
        (
            LLAMA,
            "<s><|start_header_id|>system<|end_header_id|>\n\nS<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nP",
        ),
        (NO_SYSTEM, "<s><start_of_turn>user\nS\n\nP"),
        (BRACES, "{system}: S\n{user}: P"),
    ],
    ids=["chatml", "llama", "no system message", "braces"],
)
def test_turn_is_open_and_has_the_system_text(template, turn):
    assert user_turn(template, {"bos_token": "<s>"}).format(system="S", prefix="P") == turn


@pytest.mark.parametrize("template", ["{% for %}", "constant", "{{ raise_exception('no') }}"])
def test_template_that_opens_no_turn_is_refused(template):
    with pytest.raises(BadInput, match="user_turn"):
        user_turn(template, {})


def test_template_is_read_from_the_tokenizers_config(tmp_path):
    path = tmp_path / "tokenizer_config.json"
    path.write_text(json.dumps({"chat_template": LLAMA, "bos_token": {"content": "<s>"}}))
    endpoint = Endpoint(base_url="http://x/v1", model="m", chat_template=str(path))
    assert with_user_turn(endpoint).user_turn.startswith("<s><|start_header_id|>system")
    path.write_text("{}")
    with pytest.raises(BadInput, match="gives no template"):
        with_user_turn(endpoint)
    with pytest.raises(BadInput, match=r"missing\.jinja"):
        with_user_turn(endpoint.model_copy(update={"chat_template": str(tmp_path / "missing.jinja")}))


def test_server_that_tells_none_is_named():
    with pytest.raises(TeacherUnavailable, match="tokenizer_config"):
        with_user_turn(Endpoint(base_url="http://127.0.0.1:9/v1", model="m", chat_template="server"))


def test_a_real_model_goes_on_with_the_users_turn(tmp_path):
    with local.running() as url:
        endpoint = with_user_turn(Endpoint(base_url=url, model=local.MODEL, chat_template="server"))
        turn = endpoint.user_turn.format(system="You help programmers.", prefix="Write a function to")
        assert turn == "<|im_start|>system\nYou help programmers.<|im_end|>\n<|im_start|>user\nWrite a function to"
        client = TeacherClient(endpoint, open_cache(str(tmp_path / "a.sqlite")))
        request = CompletionRequest(prompt=turn, stop=("\n",), sampling=Sampling(max_tokens=30), seed=1)
        (answer,) = client.ask_all([request])
        client.close()
    assert answer.text.strip()
    assert "\n" not in answer.text
