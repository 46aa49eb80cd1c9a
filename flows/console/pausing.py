"""Flow runs paused and resumed from a terminal, as the buttons of the UI do it but without their time limit."""

from __future__ import annotations

from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    FlowRunFilterName,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.flow_runs import resume_flow_run, suspend_flow_run

from flows.orchestration.preflight import check_prefect
from tasks.errors import BadInput


def pause(name: str) -> str:
    """Have a running flow run of a deployment finish what is under way, and end until it is resumed; its name.

    Raises:
        BadInput: there is none of that name or id, or it cannot be paused.
    """
    run = _find(name, StateType.RUNNING)
    if run.deployment_id is None:
        raise BadInput(
            f"flow run {run.name!r} is of no deployment, so that no worker could go on with it. Stop its command with "
            f"Ctrl-C, and give it again to go on"
        )
    try:
        suspend_flow_run(flow_run_id=run.id)
    except RuntimeError as error:
        raise BadInput(f"flow run {run.name!r} cannot be paused: {error}") from error
    return run.name


def resume(name: str) -> str:
    """Let a worker go on with a paused flow run; its name.

    Raises:
        BadInput: there is none of that name or id.
    """
    run = _find(name, StateType.PAUSED)
    resume_flow_run(run.id)
    return run.name


def _find(name: str, state: StateType) -> FlowRun:
    check_prefect()
    with get_client(sync_client=True) as client:
        found = _runs(client, name, state)
    what = f"{state.value.lower()} flow run of that name or id"
    if not found:
        raise BadInput(f"{name!r}: there is no {what} on the Prefect server. `prefect flow-run ls` lists them")
    if len(found) > 1:
        ids = ", ".join(str(run.id) for run in found)
        raise BadInput(f"{name!r}: there is more than one {what}. Give the id, one of {ids}")
    return found[0]


def _runs(client: SyncPrefectClient, name: str, state: StateType) -> list[FlowRun]:
    """Flow runs in a state, by id or name, without the subflows of others."""
    in_state = FlowRunFilterState(type=FlowRunFilterStateType(any_=[state]))
    try:
        wanted = FlowRunFilter(id=FlowRunFilterId(any_=[UUID(name)]), state=in_state)
    except ValueError:
        wanted = FlowRunFilter(name=FlowRunFilterName(any_=[name]), state=in_state)
    return [run for run in client.read_flow_runs(flow_run_filter=wanted) if run.parent_task_run_id is None]
