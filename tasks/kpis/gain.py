"""What training on a run's release gained, from the results of an experiment."""

from __future__ import annotations

import json
from statistics import NormalDist

from pydantic import ValidationError

from tasks.errors import BadInput
from tasks.kpis.figures import Figure, Kpi
from tasks.models.training import GroupComparison
from tasks.settings.kpis import KpiName, Kpis
from tasks.store import Store

_Z = NormalDist().inv_cdf(0.975)
_AVERAGE, _BASE = "average", "base"


def gain_of(settings: Kpis) -> Kpi:
    """pass@k of a recipe above that of its base model, averaged over evaluations; without a value where no experiment
    is named. Of several base models the first one counts.

    Raises:
        BadInput: the experiment or the recipe is not there.
    """
    if not settings.experiment:
        return Kpi(name=KpiName.GAIN, figure=Figure())
    folder, _, name = settings.experiment.rpartition("/")
    try:
        told = json.loads(Store(folder or ".").read(name))["comparisons"]
        found = [GroupComparison.model_validate(one) for one in told]
    except (OSError, ValueError, KeyError, TypeError, ValidationError) as error:
        raise BadInput(
            f"kpis.experiment {settings.experiment!r} cannot be read as the results.json of an experiment: {error}. "
            f"Give the one that `kodforge experiment` has written"
        ) from error
    to_base = [one for one in found if one.against == _BASE]
    chosen = [one for one in to_base if not settings.recipe or one.recipe == settings.recipe]
    if not chosen:
        raise BadInput(
            f"kpis.recipe is {settings.recipe!r}, and {settings.experiment!r} compares "
            f"{', '.join(sorted({one.recipe for one in to_base})) or 'none'} with the base model. Name one of these"
        )
    first = [one for one in chosen if (one.model, one.recipe) == (chosen[0].model, chosen[0].recipe)]
    one = next((one for one in first if one.evaluation == _AVERAGE), first[0])
    error_of = (one.high - one.low) / (2 * _Z)
    figure = Figure(value=one.difference, low=one.low, high=one.high, count=one.items, error=error_of)
    return Kpi(name=KpiName.GAIN, figure=figure)
