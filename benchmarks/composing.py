"""Questions put together from real sentences: what one asks, and how that is told.

A `Task` is what a question asks. `tell` writes it down; told in another style, by other words and in another order, it
is the same task, which is how semantic duplicates are made.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, replace
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import Any

import yaml

from benchmarks.material import Topic

_PHRASES = Path(__file__).parent / "corpora" / "questions" / "phrases.yaml"
_SHORTEST, _MEDIAN, _LONGEST = 20, 90, 300
"""Words of a question, about."""
_GENERIC = re.compile(r"\b(?:element|item|node|sample|object|entry|value|row)(s?)\b(?![^`]*`(?:[^`]*`[^`]*`)*[^`]*$)")
_NUMBER = re.compile(r"(?<![\w.\[-])\d{1,4}(?![\w.\]-])")


@cache
def phrases() -> dict[str, Any]:
    """The words and sentences that questions have in common."""
    found: dict[str, Any] = yaml.safe_load(_PHRASES.read_text(encoding="utf-8"))
    return found


@cache
def _synonyms() -> tuple[re.Pattern[str], dict[str, str]]:
    pairs = phrases()["synonyms"]
    other = {back: word for word, back in reversed(pairs)} | dict(reversed(pairs))
    longest_first = sorted(other, key=lambda word: (-len(word), word))
    return re.compile(rf"\b({'|'.join(map(re.escape, longest_first))})\b", re.IGNORECASE), other


def with_synonyms(text: str, rng: random.Random, share: float) -> str:
    """The text with this share of the words that have a synonym changed for it; what is in backticks stays."""
    pattern, other = _synonyms()

    def change(found: re.Match[str]) -> str:
        word = found[0]
        if rng.random() >= share:
            return word
        new = other[word.lower()]
        return new[0].upper() + new[1:] if word[0].isupper() else new

    parts = text.split("`")
    return "`".join(part if number % 2 else pattern.sub(change, part) for number, part in enumerate(parts))


@dataclass(frozen=True)
class Parameter:
    name: str
    type: str
    told: str


@dataclass(frozen=True)
class Task:
    """What a question asks.

    Attributes:
        entity: singular and plural of what the task is about.
        steps: what is to be done, one after the other.
        rules: sentences in any order.
        example: argument list and result, as code.
        most: how many entities there may be.
    """

    entity: tuple[str, str]
    place: str
    name: str
    parameters: tuple[Parameter, ...]
    returns: str
    steps: tuple[str, ...]
    rules: tuple[str, ...]
    example: tuple[str, str] | None
    most: int


@dataclass(frozen=True)
class Style:
    """How a question is told: places in the lists of phrases, and switches."""

    frame: int
    joint: int
    head: int
    closing: int
    example_head: int
    title: bool
    bullets: bool
    stub: bool
    fenced: bool

    @classmethod
    def draw(cls, rng: random.Random) -> Style:
        """One by chance, each list's phrases alike."""
        lists = ("frames", "and_then", "rules_head", "closings", "example_heads")
        frame, joint, head, closing, example_head = (rng.randrange(len(phrases()[name])) for name in lists)
        title, bullets, stub, fenced = (rng.random() < share for share in (0.3, 0.6, 0.25, 0.7))
        return cls(frame, joint, head, closing, example_head, title, bullets, stub, fenced)


class Composer:
    """Makes tasks of the sentences of topics."""

    def __init__(self, topics: tuple[Topic, ...]) -> None:
        self._topics = topics
        self._weights = list(accumulate(len(topic.rules) ** 0.5 for topic in topics))  # clumps, but none of them all

    def compose(self, rng: random.Random) -> Task:
        """A task by chance: its sentences are mostly of one topic."""
        topic, other = rng.choices(self._topics, cum_weights=self._weights, k=2)
        said = phrases()
        one, many = rng.choice(said["entities"])
        steps = [rng.choice(topic.tasks)]
        words = min(_LONGEST, max(_SHORTEST, int(rng.lognormvariate(0, 0.55) * _MEDIAN)))
        if words > 40:
            steps.append(rng.choice(rng.choice((topic, topic, other)).tasks))
        parameters = _parameters(rng, one, many)
        filled = {"n": 10 ** rng.randint(2, 6), "m": rng.randint(-9, 99), "one": one, "many": many}
        filled["last"] = parameters[-1].name
        rules: list[str] = [rng.choice(said["bounds"]).format(**filled)] if words > 30 else []
        renamed = _Renaming(rng, one, many)
        left = words - 35 - sum(len(step.split()) for step in steps)
        while left > 5:
            rule = rng.choice(said["bounds"]).format(**filled) if rng.random() < 0.2 else renamed(self.rule(topic, rng))
            if rule not in rules:
                rules.append(rule)
                left -= len(rule.split())
        place = rng.choice(said["places"])
        name = f"{rng.choice(said['verbs'])}_{rng.choice(said['qualifiers'])}_{many}"
        returns = rng.choice(said["returns"])
        call = (", ".join(_value(one.type, rng) for one in parameters), _value(returns, rng))
        example = call if rng.random() < 0.6 else None
        told = tuple(renamed(step) for step in steps)
        most = 1000 * rng.randint(1, 100)
        return Task((one, many), place, name, parameters, returns, told, tuple(rules), example, most)

    def rule(self, topic: Topic, rng: random.Random) -> str:
        """A sentence of the topic, one in six times of any."""
        if rng.random() < 1 / 6:
            topic = rng.choices(self._topics, cum_weights=self._weights)[0]
        return rng.choice(topic.rules)

    def any_rule(self, rng: random.Random) -> str:
        """A sentence of any topic."""
        return rng.choice(rng.choices(self._topics, cum_weights=self._weights)[0].rules)


class _Renaming:
    """Another thing for the generic nouns of one question, and other numbers."""

    def __init__(self, rng: random.Random, one: str, many: str) -> None:
        self._rng, self._names = rng, {"": one, "s": many}
        self._kept = rng.random() < 0.4

    def __call__(self, text: str) -> str:
        if not self._kept:
            text = _GENERIC.sub(lambda found: self._names[found[1]], text)
        return _NUMBER.sub(lambda found: str(self._rng.randint(2, 10 ** len(found[0]))), text)


def _parameters(rng: random.Random, one: str, many: str) -> tuple[Parameter, ...]:
    said = phrases()
    kind = rng.choice(said["types"])
    container = kind.partition("[")[0]
    container = {"str": "text", "dict": "dictionary"}.get(container, container)
    first = Parameter(many, kind, f"a {container} of {many} (`{many}`)")
    names = rng.sample(said["parameters"], rng.choice((0, 1, 1, 2)))
    return (first, *(Parameter(name, "int", f"an integer `{name}`") for name in names))


def _value(kind: str, rng: random.Random) -> str:
    match kind:
        case "int":
            return str(rng.randint(-20, 200))
        case "float":
            return f"{rng.uniform(0, 50):.2f}"
        case "bool":
            return rng.choice(("True", "False"))
        case "str":
            return f'"{"".join(rng.choices("abcdefgh", k=rng.randint(2, 8)))}"'
    inner = kind[kind.index("[") + 1 : -1]
    if not kind.startswith("list"):
        inner = inner.partition(",")[0]
    many = [_value(inner, rng) for _ in range(rng.randint(2, 5))]
    if kind.startswith("dict"):
        return "{" + ", ".join(f"{key}: {rng.randint(0, 99)}" for key in many) + "}"
    if kind.startswith("tuple"):
        return f"({many[0]}, {many[1]})"
    return ("{%s}" if kind.startswith("set") else "[%s]") % ", ".join(many)


def tell(task: Task, style: Style) -> str:
    """The question in Markdown."""
    said = phrases()
    arguments = ", ".join(one.name for one in task.parameters)
    typed = ", ".join(f"{one.name}: {one.type}" for one in task.parameters)
    takes = " and ".join(one.told for one in task.parameters)
    signature = f"{task.name}({typed}) -> {task.returns}"
    joint = said["and_then"][style.joint]
    steps = joint.format(a=task.steps[0], b=task.steps[1]) if len(task.steps) > 1 else task.steps[0]
    filled = {"sig": signature, "name": task.name, "args": arguments, "takes": takes, "task": steps}
    filled |= {"place": task.place, "place_capital": task.place[0].upper() + task.place[1:], "many": task.entity[1]}
    parts = [f"## {task.name.replace('_', ' ').title()}"] if style.title else []
    opening = said["frames"][style.frame].format(**filled)
    parts.append(opening[0].upper() + opening[1:])
    if style.stub:
        parts.append(f"```python\ndef {signature}:\n    ...\n```")
    if task.rules and style.bullets:
        parts.append(said["rules_head"][style.head] + "\n" + "\n".join(f"- {rule}" for rule in task.rules))
    elif task.rules:
        heads = said["rules_in_prose"]
        parts.append(f"{heads[style.head % len(heads)]} {' '.join(task.rules)}")
    if task.example:
        call = f"{task.name}({task.example[0]})"
        shown = f">>> {call}\n{task.example[1]}" if style.fenced else f"{call}  # returns {task.example[1]}"
        parts.append(f"{said['example_heads'][style.example_head]}\n\n```python\n{shown}\n```")
    if closing := said["closings"][style.closing]:
        parts.append(closing.format(returns=task.returns, n=task.most, many=task.entity[1]))
    return "\n\n".join(parts)


def retold(task: Task, style: Style, rng: random.Random) -> tuple[Task, Style]:
    """The same task in other words: its names changed, its rules in another order, synonyms, another opening."""
    share = rng.uniform(0, 0.8)
    rules = [with_synonyms(rule, rng, share) for rule in task.rules]
    rng.shuffle(rules)
    steps = tuple(with_synonyms(step, rng, share) for step in task.steps)
    verb, qualifier, many = task.name.split("_", 2)
    name = rng.choice((f"{qualifier}_{many}_{verb}", f"{verb}_{many}", f"get_{qualifier}_{many}", f"solve_{many}"))
    frames = [place for place in range(len(phrases()["frames"])) if place != style.frame]
    other = replace(Style.draw(rng), frame=rng.choice(frames))
    return replace(task, name=name, rules=tuple(rules), steps=steps), other
