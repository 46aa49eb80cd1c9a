"""Secret blocks for keys, and the blocks that notifications go to."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from prefect.blocks.core import Block
from prefect.blocks.notifications import CustomWebhookNotificationBlock, MicrosoftTeamsWebhook, SlackWebhook
from prefect.blocks.system import Secret
from prefect.client.orchestration import SyncPrefectClient
from prefect.exceptions import ObjectNotFound
from pydantic import SecretStr

from flows.deploying.plan import Step, step_of
from tasks.errors import BadInput


def _webhook(url: SecretStr) -> Block:
    """A webhook that is sent a JSON object of subject and body. Its URL, which may hold a token, is a secret."""
    return CustomWebhookNotificationBlock.model_validate(
        {
            "name": "kodforge",
            "url": "{{ address }}",
            "json_data": {"subject": "{{ subject }}", "body": "{{ body }}"},
            "secrets": {"address": url.get_secret_value()},
        }
    )


NOTIFICATIONS: Mapping[str, Callable[[SecretStr], Block]] = {
    "slack": lambda url: SlackWebhook(url=url),
    "teams": lambda url: MicrosoftTeamsWebhook(url=url),
    "webhook": _webhook,
}


def notification_block(kind: str) -> str:
    """The name of the block that notifications of a kind go to."""
    return f"kodforge-{kind}"


def value_of(name: str, variable: str) -> SecretStr:
    """The value of an environment variable.

    Raises:
        BadInput: it is not set.
    """
    value = os.environ.get(variable, "").strip()
    if not value:
        raise BadInput(
            f"the environment variable {variable!r}, whose value the block {name!r} is to hold, is not set. Set it "
            f"(export {variable}=…) and run the same command again"
        )
    return SecretStr(value)


def plan_secrets(client: SyncPrefectClient, secrets: Mapping[str, str]) -> list[Step]:
    """A Secret block for each name, with the value of its variable.

    Raises:
        BadInput: a variable is not set.
    """
    steps = []
    for name, variable in secrets.items():
        secret: Secret[str] = Secret(value=value_of(name, variable))
        steps.append(_step(client, "secret block", name, secret, f"from {variable}"))
    return steps


def plan_notifications(client: SyncPrefectClient, notify: Mapping[str, str]) -> list[Step]:
    """A block for each kind of notification; none for a block of one's own, which must be there.

    Raises:
        BadInput: there is no such kind or block, or a variable is not set.
    """
    steps = []
    for kind, variable in notify.items():
        if "/" in kind:
            notification_id(client, kind)
            continue
        if kind not in NOTIFICATIONS:
            raise BadInput(
                f"--notify knows {', '.join(NOTIFICATIONS)}, got {kind!r}. For any other, make its block in the UI and "
                f"give --notify TYPE/NAME, as in --notify pager-duty-webhook/ops"
            )
        name = notification_block(kind)
        steps.append(_step(client, "notification block", name, NOTIFICATIONS[kind](value_of(name, variable)), variable))
    return steps


def notification_id(client: SyncPrefectClient, kind: str) -> str | None:
    """The id of the block that notifications of a kind go to; None where a deploy has yet to make it.

    Raises:
        BadInput: there is no such block of one's own.
    """
    if "/" in kind:
        slug, name = kind.split("/", 1)
        try:
            return str(client.read_block_document_by_name(name, slug, include_secrets=False).id)
        except ObjectNotFound as error:
            raise BadInput(f"there is no block {name!r} of type {slug!r}. Make it in the UI under Blocks") from error
    slug = NOTIFICATIONS[kind](SecretStr("https://host")).get_block_type_slug()
    try:
        return str(client.read_block_document_by_name(notification_block(kind), slug, include_secrets=False).id)
    except ObjectNotFound:
        return None


def _step(client: SyncPrefectClient, kind: str, name: str, block: Block, told: str) -> Step:
    own = type(block).model_fields
    plain = block.model_dump(mode="json", context={"include_secrets": True})
    wanted = {field: value for field, value in plain.items() if field in own}
    try:
        document = client.read_block_document_by_name(name, block.get_block_type_slug(), include_secrets=True)
    except ObjectNotFound:
        document = None
    found = document.data if document else None
    return step_of(kind, name, wanted, found, lambda: block.save(name, overwrite=True), told)
