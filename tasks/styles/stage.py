"""The shard tasks of styles: rows are told in another one, then verified anew."""

from __future__ import annotations

from tasks.artifacts import Outcome, Receipt
from tasks.execution.pool import shared_pool
from tasks.execution.slots import resolve_backend
from tasks.execution.verify import shareable_sandbox
from tasks.models import Conversion, ReleaseRow, Style
from tasks.run import Run, StageName, wire_settings
from tasks.settings import Role, fingerprint
from tasks.shards import SANDBOX, TEACHER, shard_task
from tasks.styles.asking import conversion_request, read_conversion, unasked, why_not_asked
from tasks.styles.verifying import verify
from tasks.teachers.clients import shared_client


@shard_task("convert {part.name} into {style}", TEACHER)
def convert_rows(run: Run, part: Receipt, style: Style) -> Receipt:
    """Ask the converter to tell each row of a shard in another style."""
    converter = run.teachers.of(Role.CONVERTER)
    rows = _rows(run, part)
    unfit = {row.question_id: why for row in rows if (why := why_not_asked(row, style))}
    asked = [row for row in rows if row.question_id not in unfit]
    requests = [conversion_request(row, run, style) for row in asked]

    def work() -> Outcome:
        answers = shared_client(converter, run.cache_path).ask_all(requests, run.purpose(StageName.CONVERSIONS))
        told = {
            row.question_id: read_conversion(row, answer, run, style)
            for row, answer in zip(asked, answers, strict=True)
        }
        return Outcome.of([told.get(row.question_id) or unasked(row, style, unfit[row.question_id]) for row in rows])

    depends_on = [part, fingerprint([request.key(converter) for request in requests]), wire_settings(converter), style]
    return run.stage(StageName.CONVERSIONS).run_shard(f"{part.name}-{style}", Conversion, depends_on, work)


@shard_task("verify {conversions.name}", SANDBOX)
def verify_conversions(run: Run, part: Receipt, conversions: Receipt) -> Receipt:
    """Run the conversions of a shard: those that hold are rows like those that they were made of, yet to be curated."""
    config = run.config
    rules, effort = config.verification, config.verification.effort

    def work() -> Outcome:
        rows = {row.question_id: row for row in _rows(run, part)}
        told = run.stage(StageName.CONVERSIONS).rows(conversions, Conversion)
        return Outcome.of(verify(rows, told, shared_pool(config.sandbox), config))

    box = [shareable_sandbox(config.sandbox), resolve_backend(config.sandbox).value]
    bounds = [effort.reruns, effort.stubs, rules.gates, config.post_training.styles.least_inputs]
    depends_on = [part, conversions, *box, *bounds]
    return run.stage(StageName.RETOLD).run_shard(conversions.name, ReleaseRow, depends_on, work)


def _rows(run: Run, part: Receipt) -> list[ReleaseRow]:
    return run.stage(StageName(part.stage)).rows(part, ReleaseRow)
