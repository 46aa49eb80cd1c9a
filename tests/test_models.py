"""Rows survive the way through Parquet unchanged."""

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.arrow import arrow_schema
from tasks.artifacts import parquet_bytes, to_table
from tasks.models import (
    AttemptVerdict,
    Control,
    Coverage,
    Pair,
    PairVerdict,
    Question,
    Reject,
    ReleaseRow,
    Seed,
    SeedGroup,
    Tier,
    Triplet,
    Verdict,
)
from tasks.models import TestOutcome as Outcome


def verdict_row(coverage: Coverage | None) -> AttemptVerdict:
    pair = PairVerdict(
        id="x",
        verdict=Verdict.PASSED,
        reason="all passed",
        integrity_tier=Tier.SHARED,
        tier_reason="",
        imported=[],
        tests=[Outcome(test_id="test_a", outcome="passed", duration_s=0.1, message="")],
        coverage=coverage,
        flaky_over=[],
        wall_s=0.5,
        sandbox_s=0.9,
        cpu_s=0.4,
        peak_mb=30.0,
        output="ü\n",
        backend="bubblewrap",
        image="sha256:0",
    )
    return AttemptVerdict(
        attempt_id="q/1",
        question_id="q",
        attempt=1,
        pair=pair,
        entry_points=["a"],
        controls=[Control(stub="raises", verdict=Verdict.ERROR)],
        sandbox_s=1.5,
    )


@pytest.mark.parametrize("coverage", [None, Coverage(statements=3, statements_hit=2, branches=0, branches_hit=0)])
def test_nested_row_round_trips_through_parquet(coverage):
    row = verdict_row(coverage)
    table = pq.read_table(io.BytesIO(parquet_bytes(to_table([row, row], AttemptVerdict))))
    assert [AttemptVerdict.model_validate(found) for found in table.to_pylist()] == [row, row]


@pytest.mark.parametrize("model", [Seed, SeedGroup, Question, AttemptVerdict, Triplet, ReleaseRow, Reject, Pair])
def test_every_row_has_an_arrow_schema_even_when_a_shard_is_empty(model):
    table = to_table([], model)
    assert table.schema == arrow_schema(model)
    assert table.num_rows == 0


def test_only_optional_fields_may_be_null():
    schema = arrow_schema(AttemptVerdict)
    assert schema.field("pair").type.field("coverage").nullable
    assert not schema.field("attempt").nullable
    assert isinstance(schema.field("pair").type, pa.StructType)


def test_nothing_to_cover_counts_as_covered():
    assert Coverage(statements=0, statements_hit=0, branches=0, branches_hit=0).branch_share == 1.0
