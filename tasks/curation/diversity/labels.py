"""Topics, skills, language, length and structure of a row."""

from __future__ import annotations

import re

from tasks.curation.diversity.lexicon import lexicon
from tasks.curation.diversity.programs import read_program
from tasks.digests import digest_of
from tasks.models import Labels

UNKNOWN = ""
"""The language of a question with too little prose to tell."""
_CODE = re.compile(r"(```|~~~).*?(\1|\Z)|`[^`\n]*`", re.DOTALL)
_WORD = re.compile(r"[^\W\d_]+")
_FEWEST_WORDS = 4
_ENGLISH = frozenset({"the", "and", "that", "which", "with", "are", "from"})
_PLAINLY = 0.06
"""Share of these words that no other language has: the model, slower than all the rest, need not be asked."""
_MARGIN = 25
"""By how much the score of another language must exceed that of English: below it, short technical texts are
mistaken."""


def label_digest() -> str:
    """A short hash of what decides: the lexicon, the code that reads rows, and the model of languages."""
    return digest_of(
        "tasks.curation.diversity", ("labels.py", "lexicon.py", "lexicon.yaml", "programs.py"), ("py3langid",)
    )


def language(question: str) -> str:
    """ISO 639-1 code of the language of a question's prose, code apart; empty for fewer than four words.

    English unless another language is clearly more likely (py3langid, after Lui & Baldwin 2012).
    """
    prose = _CODE.sub(" ", question)
    words = _WORD.findall(prose.lower())
    if len(words) < _FEWEST_WORDS and prose.isascii():
        return UNKNOWN
    if not words:
        return UNKNOWN
    if sum(word in _ENGLISH for word in words) >= _PLAINLY * len(words) and prose.isascii():
        return "en"
    import py3langid  # noqa: PLC0415 - reads its model, which most questions need not wait for

    scores: list[tuple[str, float]] = py3langid.rank(prose)
    best, score = scores[0]
    return str(best) if score - dict(scores)["en"] > _MARGIN else "en"


def label(question: str, solution: str) -> Labels:
    """What a row is about. A solution that does not parse has no skills, no libraries and an empty structure."""
    program = read_program(solution)
    return Labels(
        topics=lexicon().label(question, program.names.union(program.skills)),
        skills=program.skills,
        libraries=program.libraries,
        language=language(question),
        words=len(question.split()),
        structure=program.structure,
    )
