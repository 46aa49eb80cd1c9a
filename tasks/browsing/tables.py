"""The tables that rows are looked up in: what is read of each stage, and how a row's fate follows from all of them.

A stage is read a few shards at a time into small tables; only of verified questions, of retold rows and of questions
that have become neither the texts are kept. ``rows`` is made anew of all of them whenever a shard has changed.
"""

from __future__ import annotations

from dataclasses import dataclass

from tasks.run import StageName

BEGINNING = 600
"""Characters that are kept of a text whose beginning a list shows: more than it shows, as keys are hidden first."""
SETTLING = (
    StageName.SEEDS,
    StageName.PROMPTS,
    StageName.QUESTIONS,
    StageName.TRIPLETS,
    StageName.CURATED,
    StageName.SELECTED,
    StageName.CONVERSIONS,
    StageName.RETOLD,
    StageName.CONVERTED,
)
"""Stages whose reject is the end of a row; those of the others are tries of it, or leave it out of a set."""
UNNAMED = (StageName.SEEDS, StageName.PROMPTS)
"""Stages whose ids are not yet those of rows, and may hold any character."""
SCHEMA = """
CREATE TABLE meta (name VARCHAR, value VARCHAR);
CREATE TABLE receipts (
    stage VARCHAR, shard VARCHAR, content VARCHAR, stamp VARCHAR, rows_in BIGINT, rows_out BIGINT, rejected BIGINT);
CREATE TABLE questions (shard VARCHAR, id VARCHAR, subset VARCHAR);
CREATE TABLE attempts (shard VARCHAR, id VARCHAR);
CREATE TABLE verdicts (shard VARCHAR, id VARCHAR, verdict VARCHAR);
CREATE TABLE verified (
    stage VARCHAR, shard VARCHAR, id VARCHAR, origin VARCHAR, subset VARCHAR, style VARCHAR, difficulty VARCHAR,
    passes INTEGER, tries INTEGER, pass_rate DOUBLE, branch DOUBLE, mutation DOUBLE, tests INTEGER, tier VARCHAR,
    licence VARCHAR, quality VARCHAR);
CREATE TABLE kept (
    stage VARCHAR, shard VARCHAR, id VARCHAR, split VARCHAR, why VARCHAR, topic VARCHAR, duplicates INTEGER);
CREATE TABLE placings (shard VARCHAR, id VARCHAR, split VARCHAR);
CREATE TABLE rejects (
    stage VARCHAR, shard VARCHAR, written DOUBLE, id VARCHAR, owner VARCHAR, subset VARCHAR, reason VARCHAR,
    evidence VARCHAR);
CREATE SEQUENCE numbers;
CREATE TABLE texts (stage VARCHAR, shard VARCHAR, n INTEGER, id VARCHAR, title VARCHAR, body VARCHAR);
CREATE TABLE words (word VARCHAR, h UBIGINT);
CREATE TABLE postings (h UBIGINT, n INTEGER);
"""

_VERIFIED = """
INSERT INTO verified SELECT '{stage}', shard, question_id, coalesce(nullif(lineage.converted_from, ''), question_id),
    subset, style, gpt_difficulty, gpt_pass_trial_num, len(gpt_pass_sequence), gpt_pass_percentage, branch_coverage,
    mutation_score, len(lineage.tests_passed), lineage.integrity_tier, licence,
    CASE WHEN len(list_filter(quality, lambda one: one.outcome IN ('caution', 'rejected'))) > 0 THEN 'in doubt'
         WHEN len(list_filter(quality, lambda one: one.outcome = 'met')) > 0 THEN 'all checks met'
         ELSE 'not measured' END
FROM part
"""
_KEPT = """
INSERT INTO kept SELECT '{stage}', shard, question_id, split, filter_reason, labels.topics[1], len(duplicates) FROM part
"""
_TEXTS = f"""
INSERT INTO fresh
SELECT '{{stage}}', shard, nextval('numbers'), question_id, left(question, {BEGINNING}), lower({{body}}) FROM part
"""
_OF_VERIFIED = [
    *("question_id", "subset", "style", "gpt_difficulty", "gpt_pass_trial_num", "gpt_pass_sequence"),
    *(
        "gpt_pass_percentage",
        "branch_coverage",
        "mutation_score",
        "lineage",
        "licence",
        "quality",
        "question",
        "solution",
        "test",
    ),
]
_OF_KEPT = ["question_id", "split", "filter_reason", "labels", "duplicates"]


@dataclass(frozen=True)
class Reading:
    """What is read of a stage.

    Attributes:
        columns: of its shards.
        statements: over the shards as a view ``part``, whose column ``shard`` names the shard of each row.
        tables: what is filled, to be emptied of a shard before it is read again.
    """

    columns: tuple[str, ...] = ()
    statements: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()


def _made(columns: list[str], *statements: str, tables: tuple[str, ...]) -> Reading:
    return Reading(tuple(columns), statements, tables)


def _verified_texts(stage: StageName) -> str:
    return _TEXTS.format(stage=stage.value, body="question || chr(10) || solution || chr(10) || test")


READINGS: dict[StageName, Reading] = {
    **dict.fromkeys(StageName, Reading()),
    StageName.TRIPLETS: _made(
        _OF_VERIFIED,
        _VERIFIED.format(stage="triplets"),
        _verified_texts(StageName.TRIPLETS),
        tables=("verified", "texts"),
    ),
    StageName.CONVERTED: _made(
        [*_OF_VERIFIED, *_OF_KEPT[1:]],
        _VERIFIED.format(stage="converted"),
        _KEPT.format(stage="converted"),
        _verified_texts(StageName.CONVERTED),
        tables=("verified", "kept", "texts"),
    ),
    StageName.QUESTIONS: _made(
        ["question_id", "subset"],
        "INSERT INTO questions SELECT shard, question_id, subset FROM part",
        tables=("questions", "texts"),
    ),
    StageName.ATTEMPTS: _made(
        ["question_id"],
        "INSERT INTO attempts SELECT shard, question_id FROM part",
        tables=("attempts",),
    ),
    StageName.VERDICTS: _made(
        ["question_id", "pair.verdict"],
        "INSERT INTO verdicts SELECT shard, question_id, verdict FROM part",
        tables=("verdicts",),
    ),
    **{
        stage: _made(_OF_KEPT, _KEPT.format(stage=stage.value), tables=("kept",))
        for stage in (StageName.CURATED, StageName.SELECTED)
    },
    StageName.PLACINGS: _made(
        ["question_id", "split"],
        "INSERT INTO placings SELECT shard, question_id, split FROM part",
        tables=("placings",),
    ),
}
"""By stage; of those that are not named here receipts and rejects alone."""
BY_STAGE = ("verified", "kept", "texts")
"""Tables that hold the shards of several stages."""

LATE_TEXTS = _TEXTS.format(stage="questions", body="question")
"""Of questions that nothing else has the text of."""

REJECTS = """
INSERT INTO rejects
SELECT '{stage}', shard, written, id, {owner}, subset, reason, left(evidence, 2000) FROM part
"""

# A row is what has an id of its own: a question, a question in another style, or what became no question. What is kept
# at the last stage is released; what was rejected at a settling stage is not; anything else is under way. A row in
# another style has the id of what it was made of, but for the letter at its end.
ROWS = r"""
CREATE OR REPLACE TABLE rows AS
WITH
    gone AS (
        SELECT id, min_by(stage, place) AS stage, min_by(reason, place) AS reason, min_by(evidence, place) AS evidence,
            any_value(subset) AS subset
        FROM (SELECT *, list_position($settling, stage) AS place FROM rejects) WHERE place IS NOT NULL GROUP BY id),
    done AS (SELECT * FROM kept WHERE stage IN ($last, 'converted')),
    tried AS (SELECT id, count(*) AS tries FROM attempts GROUP BY id),
    judged AS (
        SELECT id, count(*) AS tries,
            CASE WHEN bool_or(verdict = 'passed') THEN 'passed' ELSE mode(verdict) END AS verdict
        FROM verdicts GROUP BY id),
    named AS (
        SELECT id, any_value(subset) AS subset, any_value(origin) AS origin FROM (
            SELECT id, subset, id AS origin FROM questions
            UNION ALL SELECT id, subset, origin FROM verified WHERE stage = 'converted'
            UNION ALL SELECT id, subset, CASE WHEN stage IN ('conversions', 'retold', 'converted')
                THEN regexp_replace(id, '_[CO]$', '_I') ELSE id END FROM gone) GROUP BY id),
    best AS (SELECT * FROM verified QUALIFY row_number() OVER (PARTITION BY id ORDER BY stage) = 1),
    told AS (
        SELECT id, title FROM texts
        QUALIFY row_number() OVER (PARTITION BY id ORDER BY stage = 'questions', n DESC) = 1),
    parts AS (
        SELECT id, min(shard) AS shard FROM (
            SELECT id, shard FROM questions UNION ALL SELECT id, shard FROM rejects WHERE stage = 'questions')
        GROUP BY id)
SELECT
    row_number() OVER () AS n, named.id AS id, named.subset AS subset,
    coalesce(best.style, CASE WHEN gone.stage IN ('seeds', 'prompts') THEN ''
        WHEN named.id LIKE '%\_C' ESCAPE '\' THEN 'complete'
        WHEN named.id LIKE '%\_O' ESCAPE '\' THEN 'online_judge' ELSE 'instruct' END) AS style,
    CASE WHEN done.id IS NOT NULL AND placings.split = 'evaluation' THEN 'evaluation'
         WHEN done.id IS NOT NULL THEN done.split
         WHEN gone.id IS NOT NULL THEN 'rejected' ELSE 'under way' END AS fate,
    CASE WHEN done.id IS NOT NULL THEN 'released'
         WHEN gone.id IS NOT NULL THEN gone.stage
         WHEN best.id IS NOT NULL THEN 'curated'
         WHEN tried.tries > coalesce(judged.tries, 0) THEN 'verdicts'
         WHEN judged.id IS NOT NULL THEN 'triplets' ELSE 'attempts' END AS stage,
    CASE WHEN done.id IS NULL THEN coalesce(gone.reason, '') ELSE '' END AS reason,
    CASE WHEN best.id IS NOT NULL THEN 'passed' ELSE coalesce(judged.verdict, '') END AS verdict,
    coalesce(best.difficulty, '') AS difficulty, coalesce(best.quality, '') AS quality,
    coalesce(best.passes, 0) AS passes, coalesce(best.tries, 0) AS tries,
    best.pass_rate AS pass_rate, best.branch AS branch, best.mutation AS mutation,
    coalesce(best.tests, 0) AS tests, coalesce(best.tier, '') AS tier, coalesce(best.licence, '') AS licence,
    coalesce(done.topic, '') AS topic, coalesce(done.duplicates, 0) AS duplicates,
    left(CASE WHEN done.id IS NOT NULL THEN done.why ELSE coalesce(gone.evidence, '') END, $beginning) AS why,
    coalesce(told.title, '') AS title, named.origin AS origin, coalesce(parts.shard, '') AS shard
FROM named
LEFT JOIN done ON done.id = named.id
LEFT JOIN gone ON gone.id = named.id
LEFT JOIN best ON best.id = named.id
LEFT JOIN tried ON tried.id = named.id
LEFT JOIN judged ON judged.id = named.id
LEFT JOIN placings ON placings.id = named.origin
LEFT JOIN told ON told.id = named.id
LEFT JOIN parts ON parts.id = named.origin
ORDER BY id
"""
