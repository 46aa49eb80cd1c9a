"""The rows that a run releases: the curated ones, those told in other styles, and what reasoning models answered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from tasks.arrow import arrow_schema, values
from tasks.artifacts import Receipt
from tasks.models import Grade, Placing, Reference, ReleaseRow, Response, Row, Split
from tasks.run import Run, StageName
from tasks.settings import fingerprint

_ROW = arrow_schema(ReleaseRow)


class Released:
    """Reads the finished stages of a run; no more than the rows of one shard are in memory at a time.

    Raises:
        BadInput: curation or post-training has not finished in this run.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.parts = run.receipts(run.last_stage)
        self._placings = {part.name: part for part in run.receipts(StageName.PLACINGS)}
        self._converted = _by_part(run.receipts(StageName.CONVERTED), self.parts)
        self._responses = _by_part(run.receipts(StageName.RESPONSES), self.parts)

    @property
    def inputs(self) -> list[str]:
        """Hashes of all that a release depends on; of what ran, not how long it took: equal runs have equal ones."""
        stages = (self.run.last_stage, StageName.PLACINGS, StageName.CONVERTED, StageName.RESPONSES)
        hashes = [receipt.content for stage in stages for receipt in self.run.receipts(stage)]
        hashes += self._untimed(StageName.GRADES, Grade, {"tests", "wall_s", "sandbox_s"})
        if self.run.config.post_training.sets.rl.enabled:
            hashes += self._untimed(StageName.REFERENCES, Reference, {"wall_s"})
        return hashes

    def _untimed(self, stage: StageName, model: type[Row], timed: set[str]) -> list[str]:
        columns = [name for name in model.model_fields if name not in timed]
        tables = (self.run.stage(stage).table(receipt, columns) for receipt in self.run.receipts(stage))
        return [fingerprint(table.to_pylist()) for table in tables]

    def shards(self, part: Receipt) -> list[Receipt]:
        """A shard of rows, and those of the same rows told in other styles."""
        return [part, *self._converted[part.name]]

    def sources(self, part: Receipt) -> list[Receipt]:
        """What ``rows`` reads for a shard."""
        return [*self.shards(part), self._placings[part.name]]

    def rows(self, part: Receipt, columns: Sequence[str] | None = None) -> pa.Table:
        """The rows of a shard, then those told in other styles, with the columns of ``ReleaseRow``.

        What is held out has the split ``evaluation``; a row in another style is where the row is that it was made of.

        Args:
            columns: read no others.
        """
        wanted = list(columns) if columns is not None else _ROW.names
        read = list(dict.fromkeys([*wanted, "question_id", "split", "group", "lineage"]))
        if "lineage" not in wanted:
            read[-1] = "lineage.converted_from"
        shards = [(self.run.stage(StageName(one.stage)), one.name) for one in self.shards(part)]
        table = pa.concat_tables([stage.table(name, read) for stage, name in shards])
        if "lineage" in wanted:
            made_of = pc.struct_field(table["lineage"], "converted_from").to_pylist()
        else:
            made_of = values(table, "converted_from")
        placings = self.run.stage(StageName.PLACINGS).rows(self._placings[part.name], Placing)
        placed = {one.question_id: one for one in placings}
        places = [placed[origin or own] for origin, own in zip(made_of, values(table, "question_id"), strict=True)]
        splits = zip(places, values(table, "split"), strict=True)
        found = {
            "split": [place.split if place.split is Split.EVALUATION else own for place, own in splits],
            "group": [place.group for place in places],
        }
        for name, column in found.items():
            table = table.set_column(
                table.schema.get_field_index(name), _ROW.field(name), pa.array(column, pa.string())
            )
        return table.select(wanted).cast(pa.schema([_ROW.field(name) for name in wanted]))

    def tables(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """``rows`` of every shard, in order."""
        return (self.rows(part, columns) for part in self.parts)

    def answers(self, part: Receipt) -> Iterator[tuple[Response, Grade]]:
        """The responses to the rows of a shard with what their tests made of them, a reasoner after the other."""
        for receipt in self._responses[part.name]:
            responses = self.run.stage(StageName.RESPONSES).rows(receipt, Response)
            yield from zip(responses, self.run.stage(StageName.GRADES).rows(receipt.name, Grade), strict=True)


def _by_part(receipts: Sequence[Receipt], parts: Sequence[Receipt]) -> dict[str, list[Receipt]]:
    """Shards that were made of others, which their names begin with."""
    found: dict[str, list[Receipt]] = {part.name: [] for part in parts}
    for receipt in receipts:
        name = receipt.name
        while name and name not in found:
            name = name.rpartition("-")[0]
        if name:
            found[name].append(receipt)
    return found
