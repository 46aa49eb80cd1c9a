"""Trainers that a release can be exported for."""

from __future__ import annotations

from enum import StrEnum


class ExportFormat(StrEnum):
    TRL_SFT = "trl-sft"
    TRL_DPO = "trl-dpo"
    TRL_GRPO = "trl-grpo"
    VERL = "verl"
    LLAMA_FACTORY = "llama-factory"
    AXOLOTL = "axolotl"
    VERIFIERS = "verifiers"
