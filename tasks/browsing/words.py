"""Finding rows by their text: an index of words, so that a term is looked up and not searched for in all texts.

A term is found wherever it stands in a question, a solution or tests, in upper or lower case, within words too. What of
it consists of letters, digits and underscores lies within words of the text; so the words that fit are found first,
of some hundred thousand, and by them the rows. Only where a term has other characters besides are the texts of those
rows compared with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tasks.browsing.database import transaction
from tasks.browsing.queries import Cursor, one

WORD = r"[\pL\pN\pM_]+"
"""As RE2, DuckDB's regular expressions, writes it."""
_TERM = re.compile(r'-?"([^"]*)"?|(\S+)')
_DIGIT = re.compile("[0-9]")
MOST_TERMS, LONGEST_TERM = 12, 200
"""More are left out of a search, and longer ones are cut; ``left_out`` says so."""
_RESORT = 0.25
"""When so many of the entries have come since the last time, the index is put in order again."""
_IN_ORDER = "in order"
"""In ``meta``: how many entries there were when the index was last put in order."""
_BARRIER = 1 << 62
"""A limit that limits nothing: DuckDB does not move a condition past one."""

ADD = f"""
CREATE OR REPLACE TEMP TABLE found AS
    SELECT n, unnest(list_distinct(regexp_extract_all(body, '{WORD}'))) AS word FROM fresh;
INSERT INTO words SELECT word, hash(word) FROM (SELECT DISTINCT word FROM found);
INSERT INTO postings SELECT hash(word), n FROM found ORDER BY 1, 2;
DROP TABLE found;
"""


@dataclass(frozen=True)
class Term:
    """One thing to look for. ``wanted`` is false for rows that must not have it."""

    text: str
    wanted: bool = True


def terms_of(query: str) -> list[Term]:
    """What a search field says: words, ``"words in quotes"``, ``-words`` that must not be there."""
    found = [Term(one.text[:LONGEST_TERM], one.wanted) for one in _written(query)]
    return found[:MOST_TERMS]


def id_of(terms: Sequence[Term]) -> str:
    """What looks like the id of a row, of one of its tries, or the beginning of one; empty where more is asked for."""
    if len(terms) != 1 or not terms[0].wanted:
        return ""
    text = terms[0].text
    return text if "_" in text and _DIGIT.search(text) else ""


def left_out(query: str) -> str:
    """What of a search field is not looked for, in words; empty where all of it is."""
    written = _written(query)
    told = []
    if len(written) > MOST_TERMS:
        told.append(f"Only the first {MOST_TERMS} of {len(written)} terms are looked for.")
    if any(len(one.text) > LONGEST_TERM for one in written[:MOST_TERMS]):
        told.append(f"Of a term no more than its first {LONGEST_TERM} characters are looked for.")
    return " ".join(told)


def _written(query: str) -> list[Term]:
    found = []
    for match in _TERM.finditer(query):
        quoted, plain = match.groups()
        wanted = not match.group().startswith("-") or match.group() == "-"
        text = quoted if plain is None else plain if wanted else plain[1:]
        if text.strip():
            found.append(Term(text, wanted))
    return found


def unsettle(connection: Cursor) -> None:
    """Have ``settle`` leave out entries of texts that were removed."""
    connection.execute("DELETE FROM meta WHERE name = ?", [_IN_ORDER])


def settle(connection: Cursor) -> None:
    """Put the index in order where much has come or texts were removed: what belongs together then lies together."""
    (total,) = one(connection, "SELECT count(*) FROM postings")
    (before,) = one(connection, "SELECT coalesce(max(value::BIGINT), 0) FROM meta WHERE name = ?", [_IN_ORDER])
    if total <= before * (1 + _RESORT):
        return
    with transaction(connection):
        unsettle(connection)
        connection.execute(
            f"""
            CREATE TABLE ordered AS SELECT * FROM postings SEMI JOIN texts USING (n) ORDER BY h, n;
            DROP TABLE postings;
            ALTER TABLE ordered RENAME TO postings;
            CREATE TABLE distinct_words AS SELECT DISTINCT word, h FROM words ORDER BY word;
            DROP TABLE words;
            ALTER TABLE distinct_words RENAME TO words;
            INSERT INTO meta SELECT '{_IN_ORDER}', count(*)::VARCHAR FROM postings;
            """
        )


def find(cursor: Cursor, terms: Iterable[Term]) -> bool:
    """Put the numbers of the texts that have all terms into a temporary table ``hits``.

    Returns:
        Whether there is anything to look for; if not, there is no table.
    """
    terms = list(terms)
    if not terms:
        return False
    cursor.execute("CREATE OR REPLACE TEMP TABLE hits AS SELECT n FROM texts WHERE false")
    for place, term in enumerate(sorted(terms, key=lambda one: (not one.wanted, -len(one.text)))):
        _find_one(cursor, term.text)
        if not place and term.wanted:
            cursor.execute("CREATE OR REPLACE TEMP TABLE hits AS SELECT n FROM matched")
        elif not place:
            cursor.execute("CREATE OR REPLACE TEMP TABLE hits AS SELECT n FROM texts ANTI JOIN matched USING (n)")
        else:
            kind = "SEMI" if term.wanted else "ANTI"
            cursor.execute(f"CREATE OR REPLACE TEMP TABLE hits AS SELECT n FROM hits {kind} JOIN matched USING (n)")
    return True


def _find_one(cursor: Cursor, text: str) -> None:
    """Put the numbers of the texts that have a term into a temporary table ``matched``."""
    lowered, tokens = one(cursor, f"SELECT lower($1), regexp_extract_all(lower($1), '{WORD}')", [text])
    fits = list(_fits(cursor, lowered, tokens))
    if not fits:
        cursor.execute(
            "CREATE OR REPLACE TEMP TABLE matched AS SELECT n FROM texts WHERE contains(body, $1)", [lowered]
        )
        return
    for place, (condition, token) in enumerate(fits):
        among = "SEMI JOIN matched USING (n)" if place else ""
        cursor.execute(
            f"CREATE OR REPLACE TEMP TABLE matched AS SELECT DISTINCT n FROM postings {among} "
            f"WHERE h IN (SELECT h FROM words WHERE {condition})",
            [token],
        )
    if tokens != [lowered]:
        cursor.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE matched AS SELECT n FROM (
                SELECT n, body FROM texts SEMI JOIN matched USING (n) LIMIT {_BARRIER}
            ) WHERE contains(body, $1)
            """,
            [lowered],
        )


def _fits(cursor: Cursor, lowered: str, tokens: list[str]) -> Iterator[tuple[str, str]]:
    """Conditions on the words of a text that has a term, the strictest ones first."""
    last = len(tokens) - 1
    conditions = []
    for place, token in enumerate(tokens):
        opens, closes = place == 0 and lowered.startswith(token), place == last and lowered.endswith(token)
        fit = {
            (True, True): "contains(word, $1)",
            (True, False): "ends_with(word, $1)",
            (False, True): "starts_with(word, $1)",
            (False, False): "word = $1",
        }[opens, closes]
        conditions.append((fit, token))
    yield from sorted(set(conditions), key=lambda one: (one[0] != "word = $1", -len(one[1])))
