"""Rules of coherence over many images: how often each applied and broke, with examples and intervals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.questions.answers import read_answer
from engine.questions.coherence import RULES, Broken, applied_rules, broken_rules
from engine.questions.reading import Reading
from engine.types import Score

if TYPE_CHECKING:
    from engine.scoring.coherence import ImageRules


@dataclass(frozen=True, slots=True)
class CoherenceExample:
    """One image whose answers break a rule."""

    path: str
    """Untrusted text."""
    view: str
    """Untrusted text."""
    said: tuple[tuple[str, str], ...]
    """Question and canonical answer of each answer involved; untrusted text."""
    raw: tuple[tuple[str, str], ...]
    """The same answers as they were given; untrusted text."""


@dataclass(frozen=True, slots=True)
class CoherenceRule:
    """One rule over all images."""

    rule: str
    sentence: str
    questions: tuple[str, ...]
    """Whose answers it needs."""
    applied: int
    """Images about whose answers it says something; 0 where its questions were not asked."""
    broken: int
    share: Score
    """Broken ones among those, with the 95 % interval (Wilson)."""
    examples: tuple[CoherenceExample, ...]
    """Of broken ones, in path order."""


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers to one image."""

    path: str
    view: str
    texts: Mapping[str, str]
    """Raw, by question; untrusted."""


@dataclass(frozen=True, slots=True)
class Held:
    """The answers to one image, held against each other."""

    answers: Answers
    applied: frozenset[str]
    broken: Sequence[Broken]


def hold(images: Sequence[Answers]) -> list[Held]:
    """What the rules say about each image, in path order.

    Answers are read with every layer of normalisation: rules hold meanings against each other. What is said again is
    read once.
    """
    known: dict[tuple[str, str], Reading] = {}

    def reading(question: str, text: str) -> Reading:
        if (question, text) not in known:
            known[question, text] = read_answer(question, text)
        return known[question, text]

    held = []
    for image in sorted(images, key=lambda image: image.path):
        readings = {question: reading(question, text) for question, text in image.texts.items()}
        applied = frozenset(applied_rules(image.view, readings))
        held.append(Held(image, applied, broken_rules(image.view, readings)))
    return held


def rule_rows(held: Sequence[Held], examples: int) -> tuple[CoherenceRule, ...]:
    """Every rule: the most broken first, those that applied to nothing last."""
    from engine.scoring.coherence import rule_table
    from engine.scoring.rates import proportion

    counts = {count.rule: count for count in rule_table([as_scored(each) for each in held])}
    places = {rule: place for place, rule in enumerate(counts)}
    rows = []
    for rule in sorted(RULES, key=lambda rule: places.get(rule.id, len(RULES))):
        applied, broken = (counts[rule.id].applied, counts[rule.id].broken) if rule.id in counts else (0, 0)
        share = proportion("all", "broken", broken, applied)
        found = _examples(rule.id, held, examples)
        rows.append(CoherenceRule(rule.id, rule.sentence, rule.needs, applied, broken, share, found))
    return tuple(rows)


def as_scored(held: Held) -> ImageRules:
    """One image as the scorer takes it."""
    from engine.scoring.coherence import ImageRules

    broken = frozenset(each.rule for each in held.broken)
    return ImageRules(held.answers.path, held.answers.view, held.applied, broken)


def coherence_figures(held: Sequence[Held], wanted: Callable[[Score], bool] = lambda _score: True) -> tuple[Score, ...]:
    """`coherence` and `coherent_images` with intervals, over all images and for each view."""
    from engine.scoring.coherence import coherence_scores

    return tuple(score for score in coherence_scores([as_scored(each) for each in held]) if wanted(score))


def _examples(rule: str, held: Sequence[Held], most: int) -> tuple[CoherenceExample, ...]:
    found: list[CoherenceExample] = []
    for each in held:
        if len(found) == most:
            break
        said = next((broken.said for broken in each.broken if broken.rule == rule), None)
        if said is not None:
            raw = tuple((question, each.answers.texts[question]) for question, _ in said)
            found.append(CoherenceExample(each.answers.path, each.answers.view, said, raw))
    return tuple(found)
