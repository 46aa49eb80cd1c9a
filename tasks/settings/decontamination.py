"""Which benchmarks rows are compared with, by which ways, and what follows."""

from __future__ import annotations

from typing import Any, Self

from pydantic import Field, ValidationInfo, ValidatorFunctionWrapHandler, field_validator, model_validator

from tasks.settings.section import Section


class Bounds(Section):
    """What follows from a similarity of 0 to 1. Where all three are empty the way is not taken."""

    noted_from: float | None = Field(None, ge=0, le=1, description="Named in the row, which stays in `train`.")
    caution_from: float | None = Field(None, ge=0, le=1, description="The row goes to `use_with_caution`.")
    reject_from: float | None = Field(None, ge=0, le=1, description="The row is rejected.")

    @model_validator(mode="after")
    def _ascend(self) -> Self:
        given = [bound for bound in (self.noted_from, self.caution_from, self.reject_from) if bound is not None]
        if given != sorted(given):
            raise ValueError(
                f"bounds must ascend, got noted_from {self.noted_from}, caution_from {self.caution_from}, "
                f"reject_from {self.reject_from}"
            )
        return self

    def beside(self, usual: Bounds) -> Bounds:
        """These bounds, and the usual ones for those that nobody gave.

        A usual bound yields to those given: where it would stand on the wrong side of one it moves there, so that
        ``reject_from: 0.05`` alone lowers the caution to 0.05, and ``caution_from: 0.6`` alone raises the rejection to
        0.6. Who wants no rejection gives ``reject_from: null``.
        """
        names = list(Bounds.model_fields)
        given = self.model_dump(exclude_unset=True)
        filled = dict(given)
        for place, name in enumerate(names):
            bound = getattr(usual, name)
            if name not in given and bound is not None:
                below = [given[other] for other in names[:place] if given.get(other) is not None]
                above = [given[other] for other in names[place + 1 :] if given.get(other) is not None]
                filled[name] = min([max([bound, *below]), *above])
        return Bounds(**filled)

    @property
    def lowest(self) -> float | None:
        """The similarity from which there is a hit; None where the way is not taken."""
        return min(
            (one for one in (self.noted_from, self.caution_from, self.reject_from) if one is not None), default=None
        )


class Columns(Section):
    """Which columns of a benchmark hold what. All columns of a list are read."""

    id: str = Field("", description="Item id. Empty: the number of the row, 1-based.")
    prompt: tuple[str, ...] = Field(
        (), description="What the item asks. The first one stands for the item in the embedding."
    )
    solution: tuple[str, ...] = Field((), description="Reference solutions: text, list of texts, or JSON of one.")
    tests: tuple[str, ...] = Field(
        (),
        description="Tests: code, list of asserts, or inputs and outputs as JSON, as APPS and LiveCodeBench have them.",
    )


class Benchmark(Section):
    """A benchmark to compare with. What is left out comes from the preset of that name, if there is one."""

    name: str = Field(
        min_length=1,
        description="`humaneval`, `humanevalplus`, `mbpp`, `mbppplus`, `bigcodebench`, `livecodebench`, `apps`, or any "
        "other with `path` and `columns`.",
    )
    path: str = Field(
        "",
        description="File or folder of rows; a path, an fsspec URL, or hf://datasets/OWNER/NAME. Empty: the preset's.",
    )
    split: str | None = Field(
        None,
        description="Of a folder only files with this in their names are read. None: the preset's, or all of them.",
    )
    columns: Columns | None = Field(None, description="None: the preset's.")


class Decontamination(Section):
    """Comparison of questions, solutions and tests with benchmarks.

    The defaults of the bounds are those that `python -m benchmarks.contamination` measures. Who gives one bound of a
    way leaves its others as they are, moved only as far as the one given asks.
    """

    benchmarks: tuple[Benchmark, ...] = Field(
        (Benchmark(name="humaneval"),), description="HumanEval comes with kodforge; the others are read where they lie."
    )
    words_10: Bounds = Field(
        Bounds(noted_from=0, caution_from=0.1, reject_from=0.5),
        description="Share of a text's runs of 10 words, prose and code alike; of fewer than 10 runs, of 10.",
    )
    words_13: Bounds = Field(
        Bounds(noted_from=0, caution_from=0.1, reject_from=0.4),
        description="As `words_10`, with 13 words.",
    )
    structure: Bounds = Field(
        Bounds(noted_from=0.15, caution_from=0.25, reject_from=0.6),
        description="Share of a code's runs of 13 tokens, whatever its functions and variables are called; of fewer "
        "than 20 runs, of 20.",
    )
    examples: Bounds = Field(
        Bounds(noted_from=0.1, caution_from=0.2, reject_from=0.5),
        description="Share of an item's examples, inputs and expected value together, whatever the function is called; "
        "of 3 to 10 examples. One alone never counts.",
    )
    embedding: Bounds | None = Field(
        None, description="Cosine of question and prompt. None: what is calibrated for the embedder."
    )
    boilerplate_from: int = Field(
        4, ge=2, description="A run or example that so many items of one benchmark hold is nobody's."
    )

    @field_validator("words_10", "words_13", "structure", "examples", mode="wrap")
    @classmethod
    def _other_bounds_stay(cls, given: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Bounds:
        bounds: Bounds = handler(given)
        assert info.field_name is not None
        return bounds.beside(cls.model_fields[info.field_name].default) if isinstance(given, dict) else bounds

    @model_validator(mode="after")
    def _named_apart(self) -> Self:
        names = [benchmark.name for benchmark in self.benchmarks]
        if doubled := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"benchmark {doubled[0]!r} is given twice. Give each its own name")
        return self
