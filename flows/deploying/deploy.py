"""All of a deploy: planned as a whole, so that a mistake is told before anything is changed; then done in order."""

from __future__ import annotations

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.settings import PREFECT_API_URL
from rich.console import Console

from flows.deploying.automations import plan_automations
from flows.deploying.blocks import plan_notifications, plan_secrets
from flows.deploying.deployments import found_deployment, plan_deployments, read_deployments
from flows.deploying.kept import with_kept
from flows.deploying.limits import plan_limits
from flows.deploying.options import DeployOptions, PoolType
from flows.deploying.plan import Action, Step, show_plan
from flows.deploying.pools import plan_pool
from flows.deploying.profiles import configs_of, keys_not_passed, wanted_secrets
from tasks.errors import BadInput


def deploy(options: DeployOptions, dry_run: bool, console: Console) -> None:
    """Bring a Prefect server to what the options say, and show what was done.

    Args:
        dry_run: only show what would be done.

    Raises:
        BadInput: there is no server, or something on it is in the way.
    """
    check_server()
    with get_client(sync_client=True) as client:
        steps, hints = plan(client, options)
        if not dry_run:
            for step in steps:
                if step.action is not Action.UNCHANGED:
                    step.apply()
    show_plan(steps, console, dry_run)
    for hint in hints:
        console.print(hint, style="yellow", markup=False, highlight=False, soft_wrap=True)


def plan(client: SyncPrefectClient, options: DeployOptions) -> tuple[list[Step], list[str]]:
    """Every object in the order in which they need each other, and what else there is to do."""
    entries = read_deployments(options.file, options.only)
    found = [found_deployment(client, entry) for entry in entries]
    options = with_kept(client, options, [one for one in found if one])
    configs = configs_of(entries)
    options = options.model_copy(update={"secrets": wanted_secrets(client, configs, options)})
    pool = plan_pool(client, options)
    steps = [
        *plan_secrets(client, options.secrets),
        *plan_notifications(client, options.notify),
        pool.step,
        *plan_limits(client, configs),
        *plan_deployments(client, entries, found, options),
        *plan_automations(client, options),
    ]
    hints = [
        f"{variable} holds a key that a profile names, and jobs of this pool will not have it. Give it to them: "
        f"--secret {variable.lower().replace('_', '-')}={variable}"
        for variable in keys_not_passed(configs, options, pool.template)
    ]
    if not options.notify:
        hints.append("Nobody is notified of trouble. To change that: --notify slack=VARIABLE (or teams, webhook)")
    extra = "" if options.pool_type is PoolType.PROCESS else f" --type {options.pool_type}"
    hints.append(f"Start a worker where there is none: prefect worker start --pool {options.pool}{extra}")
    return steps, hints


def check_server() -> None:
    """Reach the Prefect server that is deployed to.

    Raises:
        BadInput: PREFECT_API_URL names none, or it does not answer.
    """
    url = PREFECT_API_URL.value()
    if not url:
        raise BadInput(
            "PREFECT_API_URL names no Prefect server. Start one (prefect server start) and set it: "
            "export PREFECT_API_URL=http://127.0.0.1:4200/api"
        )
    try:
        httpx.get(f"{url}/health", timeout=10).raise_for_status()
    except httpx.HTTPError as error:
        raise BadInput(
            f"the Prefect server at {url} does not answer ({error}). Start it (prefect server start), or set "
            f"PREFECT_API_URL to another"
        ) from error
