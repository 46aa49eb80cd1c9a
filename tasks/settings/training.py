"""How a model is fine-tuned, and on which rows of a release."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tasks.models.vocabulary import Difficulty, Style
from tasks.settings.section import Section


class Method(StrEnum):
    """`lora`: a small adapter beside frozen weights. `full`: every weight."""

    LORA = "lora"
    FULL = "full"


class Precision(StrEnum):
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


class Lora(Section):
    """The adapter. Source: Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models", arXiv 2106.09685."""

    rank: int = Field(16, ge=1, le=1024, description="Of the adapter's matrices.")
    alpha: int = Field(32, ge=1, le=4096, description="The adapter's output is scaled by alpha / rank.")
    dropout: float = Field(0.05, ge=0, lt=1, description="Share of the adapter's inputs that a step leaves out.")
    targets: tuple[str, ...] = Field(("all-linear",), min_length=1, description="Names of the layers that get one.")


class Training(Section):
    """Supervised fine-tuning by TRL. The defaults are KodCode's (arXiv 2503.02951), but for the adapter."""

    python: str = Field(
        "",
        description="Interpreter that has trl, peft, transformers, datasets and torch. Empty: the one that kodforge "
        "runs in, which has them with `pip install 'kodforge[train]'`.",
    )
    launcher: tuple[str, ...] = Field(
        (),
        description="What starts the training on several devices, as in [accelerate, launch, --num_processes, '8']; "
        "`{python}` stands for the interpreter. Empty: the interpreter itself.",
    )
    method: Method = Method.LORA
    lora: Lora = Lora()
    learning_rate: float = Field(1e-5, gt=0, le=1, description="Its highest value, after the warm-up.")
    schedule: Literal["cosine", "linear", "constant"] = Field(
        "cosine", description="How the learning rate falls after the warm-up; `constant`: not at all."
    )
    warmup: float = Field(0.1, ge=0, lt=1, description="Share of the steps in which the learning rate rises.")
    weight_decay: float = Field(0.0, ge=0, le=1, description="Of the optimiser, AdamW.")
    epochs: float = Field(3, gt=0, le=100, description="Passes over the rows; may be a part of one.")
    steps: int | None = Field(None, ge=1, description="End after so many optimiser steps. Empty: after the epochs.")
    batch: int = Field(128, ge=1, le=65_536, description="Rows per optimiser step, over all devices.")
    device_batch: int = Field(1, ge=1, le=4096, description="Of them at once on one device; gradients are summed up.")
    tokens: int = Field(16_384, ge=16, le=1_048_576, description="Per row; a longer one is left out, and counted.")
    packing: bool = Field(
        False,
        description="Rows share sequences of `tokens`, and `batch` counts these. Needs an `attention` that keeps them "
        "apart, as flash_attention_2.",
    )
    precision: Precision = Field(
        Precision.BFLOAT16, description="Of the arithmetic, and of the weights that are frozen or written."
    )
    gradient_checkpointing: bool = Field(True, description="Less memory, a third more time.")
    attention: Literal["", "eager", "sdpa", "flash_attention_2", "flash_attention_3"] = Field(
        "", description="Empty: what transformers takes by itself."
    )
    threads: int | None = Field(None, ge=1, le=1024, description="On the CPU. Empty: as torch decides.")
    save_every: int = Field(200, ge=1, description="Steps between two states to go on from after a crash.")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.batch % self.device_batch:
            raise ValueError(
                f"batch is {self.batch}, which device_batch, {self.device_batch}, does not divide. Set them so that it "
                f"does"
            )
        if self.packing and not self.attention.startswith("flash"):
            raise ValueError(
                f"packing is on and attention is {self.attention or 'left to transformers'!r}, by which rows of one "
                f"sequence would see each other. Set attention to flash_attention_2, or packing to false"
            )
        return self


Share = Annotated[float, Field(gt=0, le=1)]


class Recipe(Section):
    """Which rows of a release a model is trained on. The rows of a smaller recipe are among those of a larger one."""

    set: Literal["sft", "sft_reasoning"] = Field(
        "sft", description="`sft`: verified solutions. `sft_reasoning`: answers of reasoning models that passed."
    )
    rows: int | None = Field(None, ge=1, description="So many, drawn at random. Empty: all that fit.")
    subsets: tuple[str, ...] = Field((), description="Only of these. Empty: of all.")
    styles: tuple[Style, ...] = Field((), description="Only of these; `[instruct]` leaves the converted rows out.")
    difficulties: tuple[Difficulty, ...] = Field((), description="Only of these. Empty: of all.")
    reasoners: tuple[str, ...] = Field((), description="Of `sft_reasoning`: only answers of these. Empty: of all.")
    mix: dict[Difficulty, Share] = Field(
        {}, description="Share of each difficulty, as in {hard: 0.7, medium: 0.3}. Empty: as they come."
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.mix and abs(sum(self.mix.values()) - 1) > 1e-6:
            raise ValueError(f"the shares of mix must add up to 1, got {sum(self.mix.values()):g}")
        if self.mix and self.difficulties:
            raise ValueError("mix and difficulties are both given. Keep one: a mix names the difficulties it takes")
        if self.reasoners and self.set != "sft_reasoning":
            raise ValueError(f"reasoners are given and set is {self.set!r}, which has none. Set it to sft_reasoning")
        return self
