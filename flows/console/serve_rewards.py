"""``kodforge serve-rewards``: the sandbox as a reward function for trainers on other machines."""

from __future__ import annotations

import os
from typing import Any

from pydantic import ValidationError
from rich.console import Console

from flows.console.options import describe
from tasks import serving
from tasks.errors import BadInput
from tasks.rewards.rewarder import Rewarder
from tasks.rewards.server import RewardService, reward_socket, rewards_app


def serve(values: dict[str, Any], key_env: str, console: Console) -> None:
    """Serve in the foreground until SIGINT or SIGTERM, then finish what runs.

    Args:
        values: of a ``RewardService``.
        key_env: environment variable with the bearer key to demand; where it is not set, none is demanded.

    Raises:
        BadInput: a value is out of bounds, the address cannot be had, or others could reach it and there is no key.
        SandboxUnavailable: the sandbox does not work.
    """
    try:
        settings = RewardService.model_validate(values)
    except ValidationError as error:
        raise BadInput(describe(error)) from error
    key = os.environ.get(key_env)
    if key is not None and not (key.isascii() and key.isprintable() and key.strip()):
        raise BadInput(f"the key in {key_env} is empty, or has characters that no HTTP header can have")
    with reward_socket(settings.serving, key) as listener, Rewarder(settings) as rewarder:
        rewarder.check_sandbox()
        host, port = listener.getsockname()[:2]
        console.print(
            f"rewards on http://{f'[{host}]' if ':' in host else host}:{port}/v1/rewards "
            f"({'with' if key else 'without'} a key): {rewarder.sandbox}. Ctrl-C stops it",
            highlight=False,
            soft_wrap=True,
        )
        serving.serve(rewards_app(rewarder, settings.serving, key), listener, settings.serving.grace_s)
    console.print("stopped")
