"""The model's own chat template, up to an open user turn: what the prefill method has the model go on with.

Magpie (Xu et al., 2024) had the template of each model written out by hand. Here it is taken from where the model's
makers published it, as Hugging Face tokenizers keep it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NoReturn

import httpx
from jinja2 import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from tasks.errors import BadInput, TeacherUnavailable
from tasks.settings import Endpoint

_SYSTEM, _PREFIX = "kodforge-system-text", "kodforge-prefix-text"
_FROM_SERVER = "server"


def with_user_turn(endpoint: Endpoint) -> Endpoint:
    """The endpoint with ``user_turn`` made from its ``chat_template``, where it names one.

    Raises:
        BadInput: the file is missing or holds no template, or the template opens no user turn.
        TeacherUnavailable: the server does not tell its template.
    """
    if not endpoint.chat_template:
        return endpoint
    template, tokens = _from_server(endpoint) if endpoint.chat_template == _FROM_SERVER else _from_file(endpoint)
    return endpoint.model_copy(update={"user_turn": user_turn(template, tokens)})


def user_turn(template: str, tokens: dict[str, str]) -> str:
    """A format string with ``{system}`` and ``{prefix}`` from a chat template in Jinja.

    A template that knows no system message gets the text in front of the user's.

    Args:
        tokens: special tokens that the template may name, such as ``bos_token``.

    Raises:
        BadInput: the template cannot be rendered, or does not repeat what the user says.
    """
    system = {"role": "system", "content": _SYSTEM}
    try:
        try:
            text = _render(template, [system, {"role": "user", "content": _PREFIX}], tokens)
        except TemplateError:
            text = ""
        if _SYSTEM not in text:
            text = _render(template, [{"role": "user", "content": f"{_SYSTEM}\n\n{_PREFIX}"}], tokens)
    except TemplateError as error:
        raise BadInput(
            f"the chat template cannot be rendered: {error}. Give the open turn itself: user_turn"
        ) from error
    head, found, _ = text.partition(_PREFIX)
    if not found or _SYSTEM not in head:
        raise BadInput("the chat template does not repeat what the user says. Give the open turn itself: user_turn")
    escaped = head.replace("{", "{{").replace("}", "}}")
    return escaped.replace(_SYSTEM, "{system}") + "{prefix}"


def _render(template: str, messages: list[dict[str, str]], tokens: dict[str, str]) -> str:
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)

    def refuse(message: str) -> NoReturn:
        raise TemplateError(message)

    environment.globals["raise_exception"] = refuse
    environment.globals["strftime_now"] = lambda _: "2026-01-01"  # a date would make each day's prompts other ones
    return environment.from_string(template).render(messages=messages, add_generation_prompt=False, **tokens)


def _from_file(endpoint: Endpoint) -> tuple[str, dict[str, str]]:
    path = Path(endpoint.chat_template)
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix != ".json":
            return text, {}
        config = json.loads(text)
        template = config["chat_template"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(
            f"chat_template {endpoint.chat_template!r} gives no template ({error!r}). Name a tokenizer_config.json or "
            f"a .jinja file, or `server`"
        ) from error
    if isinstance(template, list):  # several by name
        template = next((one["template"] for one in template if one.get("name") == "default"), "")
    return str(template), _tokens(config)


def _tokens(config: dict[str, Any]) -> dict[str, str]:
    found = {name: config.get(name) for name in ("bos_token", "eos_token", "pad_token", "unk_token")}
    return {name: str(one["content"] if isinstance(one, dict) else one) for name, one in found.items() if one}


def _from_server(endpoint: Endpoint) -> tuple[str, dict[str, str]]:
    """From llama.cpp's ``/props``."""
    url = endpoint.base_url.rstrip("/").removesuffix("/v1") + "/props"
    try:
        found = httpx.get(url, timeout=30).raise_for_status().json()
        template = found["chat_template"]
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        raise TeacherUnavailable(
            f"{url} does not tell the chat template ({type(error).__name__}); llama.cpp's server does. For others name "
            f"the model's tokenizer_config.json in chat_template"
        ) from error
    # The server puts the token of the beginning in front by itself.
    return str(template), {"bos_token": "", "eos_token": str(found.get("eos_token") or "")}
