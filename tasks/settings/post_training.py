"""What is made of the curated rows: other styles, responses of reasoning models, sets to train and to evaluate with."""

from __future__ import annotations

from pydantic import Field

from tasks.settings.reasoning import Reasoning
from tasks.settings.section import Section
from tasks.settings.sets import HeldOut, Sets
from tasks.settings.styles import Styles


class PostTraining(Section):
    """What is made of the curated rows."""

    styles: Styles = Styles()
    reasoning: Reasoning = Reasoning()
    held_out: HeldOut = Field(HeldOut(), description="Rows kept apart to evaluate with.")
    sets: Sets = Sets()
