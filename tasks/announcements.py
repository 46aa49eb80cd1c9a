"""Events for the automations of a Prefect server: what a run wants its operators to know while it goes on."""

from __future__ import annotations

BUDGET_NEARLY, BUDGET_REACHED = "kodforge.budget.nearly", "kodforge.budget.reached"


def announce_budget(run: str, event: str, told: str) -> None:
    """Tell that a run has used most of its budget, or all of it. Returns at once, and never raises.

    Args:
        run: as ``Run.account`` has it.
        told: a sentence for people.
    """
    from prefect.events import emit_event  # noqa: PLC0415 - a teacher is asked without Prefect, too
    from prefect.settings import get_current_settings  # noqa: PLC0415

    if get_current_settings().api.url is None:
        return  # Prefect would start a server for it, of which nobody is told anything
    name = run.rpartition("/")[2] or "run"
    resource = {
        "prefect.resource.id": f"kodforge.run.{name}",
        "prefect.resource.name": name,
        "kodforge.budget": event.rpartition(".")[2],
    }
    emit_event(event, resource, payload={"told": told})
