"""The automations that watch over runs: what Prefect's server does by itself where one goes wrong."""

from __future__ import annotations

import importlib
import pkgutil
from datetime import timedelta
from types import ModuleType
from typing import Any
from uuid import UUID

from prefect import Flow
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ActionTypes, ChangeFlowRunState, DoNothing, SendNotification
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture

import flows
from flows.deploying.blocks import notification_id
from flows.deploying.options import DeployOptions
from flows.deploying.plan import Step, step_of
from tasks.announcements import BUDGET_NEARLY, BUDGET_REACHED
from tasks.shards import SANDBOX, TEACHER, names_of

_KODFORGE = {"prefect.resource.role": "tag", "prefect.resource.id": "prefect.tag.kodforge"}
_DEPLOYED = {"prefect.resource.role": "deployment", "prefect.resource.id": "prefect.deployment.*"}
"""Runs of a deployment, and not the flows that these call: their failure is part of the whole run's."""
_ENDED = {f"prefect.flow-run.{state}" for state in ("Completed", "Failed", "Crashed", "Cancelled", "TimedOut")}
_WAITING = {f"prefect.flow-run.{state}" for state in ("Paused", "Suspended", "AwaitingRetry", "Cancelling")}
_CRASHED = "prefect.flow-run.Crashed"
_GOES_ON = {
    f"prefect.flow-run.{state}" for state in ("Scheduled", "Late", "Pending", "Running", "Retrying", "Resuming")
}
_TASK_ENDED = {
    f"prefect.task-run.{state}"
    for state in ("Completed", "Cached", "Failed", "Crashed", "Cancelled", "AwaitingRetry", "Retrying", "TimedOut")
}
ZOMBIES, RESTARTS, FAILURES = "kodforge: zombie runs", "kodforge: crashed runs go on", "kodforge: failed runs"
LATE, BUDGET, STUCK = "kodforge: late runs", "kodforge: budget", "kodforge: stuck shards"
WATCHES = (ZOMBIES, RESTARTS, FAILURES, LATE, BUDGET, STUCK)
RESTART_AFTER_S = 45
"""From a crash until the run is started again."""
_RUN = "{{ flow_run.name }} of {{ deployment.name }}"
_PLACE = "flow run {{ flow_run.id }} {{ flow_run|ui_url or '' }}"
_STATE = "{{ flow_run.state.message }}\n\n" + _PLACE


class Watch(AutomationCore):
    """An automation, with the notification that it sends where somebody is to be notified."""

    subject: str = ""
    body: str = ""


def watches(options: DeployOptions) -> list[Watch]:
    """The automations, before it is known whom they notify."""
    return [_zombies(options), *_restarts(options), _failures(), _late(), _budget(), _stuck(options)]


def plan_automations(client: SyncPrefectClient, options: DeployOptions) -> list[Step]:
    """An automation for each kind of trouble. One that somebody switched off stays so."""
    return [_step(client, watch, options) for watch in watches(options)]


def _step(client: SyncPrefectClient, watch: Watch, options: DeployOptions) -> Step:
    found = next((one for one in client.read_automations_by_name(watch.name)), None)
    wanted = _automation(client, watch, options, found.enabled if found else True)
    values = _comparable(wanted)

    def apply() -> None:
        now = _automation(client, watch, options, found.enabled if found else True)  # its block is there by now
        if found is None:
            client.create_automation(now)
        else:
            client.update_automation(found.id, now)

    told = watch.description
    return step_of("automation", watch.name, values, _comparable(found) if found else None, apply, told)


def _automation(client: SyncPrefectClient, watch: Watch, options: DeployOptions, enabled: bool) -> AutomationCore:
    blocks = [notification_id(client, kind) for kind in options.notify] if watch.subject else []
    notifications = [
        SendNotification(block_document_id=UUID(block), subject=f"kodforge: {watch.subject}", body=watch.body)
        for block in blocks
        if block
    ]
    actions: list[ActionTypes] = [*watch.actions, *notifications]
    return AutomationCore(
        name=watch.name,
        description=watch.description,
        enabled=enabled,
        tags=["kodforge"],
        trigger=watch.trigger,
        actions=actions or [DoNothing()],
    )


def _comparable(automation: AutomationCore) -> dict[str, Any]:
    values = automation.model_dump(mode="json", include={"description", "trigger", "actions", "tags"})
    trigger = automation.trigger
    assert isinstance(trigger, EventTrigger)
    for name in ("expect", "after", "for_each"):
        values["trigger"][name] = sorted(getattr(trigger, name))
    values["trigger"].pop("id", None)
    return values


def _zombies(options: DeployOptions) -> Watch:
    return Watch(
        name=ZOMBIES,
        description=f"A run of which nothing is heard for {options.zombie_after_s} s is marked as crashed",
        trigger=EventTrigger(
            posture=Posture.Proactive,
            after={"prefect.flow-run.heartbeat"},
            expect={"prefect.flow-run.heartbeat", *_ENDED, *_WAITING},
            match={"prefect.resource.id": "prefect.flow-run.*"},
            # By the flow: flows of others are heard of less often, and a run is tagged once its heart beats.
            match_related={"prefect.resource.role": "flow", "prefect.resource.name": _flow_names()},
            for_each={"prefect.resource.id"},
            within=timedelta(seconds=options.zombie_after_s),
        ),
        actions=[
            ChangeFlowRunState(
                state=StateType.CRASHED,
                message=f"Nothing was heard of the run for {options.zombie_after_s} s: its process, or its host, is "
                f"gone. What was finished is kept",
            )
        ],
    )


def _restarts(options: DeployOptions) -> list[Watch]:
    if not options.restarts:
        return []
    return [
        Watch(
            name=RESTARTS,
            description=f"A run of a deployment that crashed is started again after {RESTART_AFTER_S} s, "
            f"{options.restarts} times at most",
            # Not at once: a worker reports a process that was killed twice, the second time once the hooks have run,
            # and a run that was started again in between would be marked as crashed by that.
            trigger=EventTrigger(
                posture=Posture.Proactive,
                after={_CRASHED},
                expect=(_ENDED - {_CRASHED}) | _WAITING | _GOES_ON,
                for_each={"prefect.resource.id"},
                within=timedelta(seconds=RESTART_AFTER_S),
                match={
                    "prefect.resource.id": "prefect.flow-run.*",
                    # How often it has been running so far. A run that never came to it has no worker or no image.
                    "prefect.run-count": [str(count + 1) for count in range(options.restarts)],
                },
                match_related=[_KODFORGE, _DEPLOYED],
            ),
            actions=[
                ChangeFlowRunState(
                    state=StateType.SCHEDULED,
                    name="AwaitingRetry",
                    message="Crashed, and started again by an automation. What was finished is kept",
                )
            ],
        )
    ]


def _failures() -> Watch:
    return Watch(
        name=FAILURES,
        description="Somebody is told of a run of a deployment that failed or crashed",
        trigger=EventTrigger(
            posture=Posture.Reactive,
            expect={"prefect.flow-run.Failed", "prefect.flow-run.Crashed", "prefect.flow-run.TimedOut"},
            match={"prefect.resource.id": "prefect.flow-run.*"},
            match_related=[_KODFORGE, _DEPLOYED],
        ),
        actions=[],
        subject=f"{_RUN} {{{{ flow_run.state.name|lower }}}}",
        body=_STATE,
    )


def _late() -> Watch:
    return Watch(
        name=LATE,
        description="Somebody is told of a run that no worker takes",
        trigger=EventTrigger(
            posture=Posture.Reactive,
            expect={"prefect.flow-run.Late"},
            match={"prefect.resource.id": "prefect.flow-run.*"},
            match_related=[_KODFORGE, _DEPLOYED],
        ),
        actions=[],
        subject=f"{_RUN} is late",
        body="No worker takes it. Is one running (prefect worker start --pool …), and has it room?\n\n" + _PLACE,
    )


def _budget() -> Watch:
    return Watch(
        name=BUDGET,
        description="Somebody is told of a run that has used most of its budget, or all of it",
        trigger=EventTrigger(
            posture=Posture.Reactive,
            expect={BUDGET_NEARLY, BUDGET_REACHED},
            match={"prefect.resource.id": "kodforge.run.*"},
            for_each={"prefect.resource.id", "kodforge.budget"},
            within=timedelta(minutes=10),  # every process of a run announces it
        ),
        actions=[],
        subject="the budget of {{ event.resource.name }} is {{ event.resource['kodforge.budget'] }}",
        body="{{ event.payload.told }}",
    )


def _modules() -> list[ModuleType]:
    return [importlib.import_module(module.name) for module in pkgutil.iter_modules(flows.__path__, "flows.")]


def _flow_names() -> list[str]:
    """Names of all of kodforge's flows."""
    return sorted({one.name for module in _modules() for one in vars(module).values() if isinstance(one, Flow)})


def _shards() -> list[str]:
    """Patterns of the names of task runs that ask a teacher or run code, in whichever flow."""
    _modules()
    return names_of(TEACHER, SANDBOX)


def _stuck(options: DeployOptions) -> Watch:
    minutes = f"{options.stuck_after_min:g} min"
    return Watch(
        name=STUCK,
        description=f"Somebody is told of a shard that one attempt takes more than {minutes} for",
        trigger=EventTrigger(
            posture=Posture.Proactive,
            after={"prefect.task-run.Running"},
            expect=_TASK_ENDED,
            # By name: a task run has a tag only where that is limited.
            match={"prefect.resource.id": "prefect.task-run.*", "prefect.resource.name": _shards()},
            match_related=_KODFORGE,
            # By what they are, not by ids: a run that was killed and started again finishes the same shards.
            for_each={"prefect.resource.name", "related:flow-run:prefect.resource.name"},
            within=timedelta(minutes=options.stuck_after_min),
        ),
        actions=[],
        subject="{{ labels['prefect.resource.name'] }} is stuck",
        body=f"{{{{ labels['prefect.resource.name'] }}}} of "
        f"{{{{ labels['related:flow-run:prefect.resource.name'] }}}} has been at it for more than {minutes}. Its task "
        f"run's log tells what it waits for; a run that is cancelled and started again goes on where it was",
    )
