"""The one config tree: YAML profile < environment (``KODFORGE_…``) < flow parameter or ``--set``.

A ``BuildConfig`` is the parameter of the ``build_dataset`` flow, so Prefect draws its form from the titles,
descriptions and bounds of its sections. Keys are never part of it: an endpoint names the environment variable or the
Prefect Secret block that holds its key.
"""

from tasks.settings.build import PROFILES, BuildConfig, read_profile
from tasks.settings.content import Content
from tasks.settings.curation import Curation, Dedup
from tasks.settings.decontamination import Benchmark, Bounds, Decontamination
from tasks.settings.embedding import Embedder, EmbedderKind
from tasks.settings.engine import Engine, EngineKind
from tasks.settings.evaluation import BenchmarkFormat, Evaluation, EvaluationConfig
from tasks.settings.experiment import ExperimentConfig, Serving
from tasks.settings.kpis import KpiName, Kpis, Target
from tasks.settings.licensing import Licensing
from tasks.settings.mix import Axis, Drift, Mix
from tasks.settings.post_training import PostTraining
from tasks.settings.reasoning import AnswerChoice, Preferences, Reasoning
from tasks.settings.section import Section, fingerprint
from tasks.settings.sets import HeldOut, RlOptions, SetOptions, Sets, SolverRates
from tasks.settings.sources import (
    Category,
    Diversity,
    Granularity,
    Licences,
    Quality,
    QuestionRules,
    SeedOptions,
    SubsetOptions,
)
from tasks.settings.stages import (
    Backend,
    Layer,
    Release,
    Sandbox,
    TierChoice,
)
from tasks.settings.storage import Storage
from tasks.settings.styles import Styles, TargetStyle
from tasks.settings.teachers import (
    Batching,
    Budget,
    Endpoint,
    EndpointKind,
    Prices,
    RateLimits,
    Reasoner,
    Role,
    Route,
    Sampling,
    Server,
    Structured,
    Teachers,
    Transport,
)
from tasks.settings.training import Lora, Method, Precision, Recipe, Training
from tasks.settings.verification import (
    EFFORTS,
    Effort,
    Gate,
    Gates,
    Mending,
    Policy,
    Rigour,
    Verification,
)

__all__ = [
    "EFFORTS",
    "PROFILES",
    "AnswerChoice",
    "Axis",
    "Backend",
    "Batching",
    "Benchmark",
    "BenchmarkFormat",
    "Bounds",
    "Budget",
    "BuildConfig",
    "Category",
    "Content",
    "Curation",
    "Decontamination",
    "Dedup",
    "Diversity",
    "Drift",
    "Effort",
    "Embedder",
    "EmbedderKind",
    "Endpoint",
    "EndpointKind",
    "Engine",
    "EngineKind",
    "Evaluation",
    "EvaluationConfig",
    "ExperimentConfig",
    "Gate",
    "Gates",
    "Granularity",
    "HeldOut",
    "KpiName",
    "Kpis",
    "Layer",
    "Licences",
    "Licensing",
    "Lora",
    "Mending",
    "Method",
    "Mix",
    "Policy",
    "PostTraining",
    "Precision",
    "Preferences",
    "Prices",
    "Quality",
    "QuestionRules",
    "RateLimits",
    "Reasoner",
    "Reasoning",
    "Recipe",
    "Release",
    "Rigour",
    "RlOptions",
    "Role",
    "Route",
    "Sampling",
    "Sandbox",
    "Section",
    "SeedOptions",
    "Server",
    "Serving",
    "SetOptions",
    "Sets",
    "SolverRates",
    "Storage",
    "Structured",
    "Styles",
    "SubsetOptions",
    "Target",
    "TargetStyle",
    "Teachers",
    "TierChoice",
    "Training",
    "Transport",
    "Verification",
    "fingerprint",
    "read_profile",
]
