"""What the base is taught: to see, to describe, to know every prompt - and nothing about what is normal.

Its answers to Q7 follow the noise and the side of the image, which have nothing to do with the finding: like any
untuned model it has opinions, and they are worth nothing. So a fine-tuning has something to teach, and the wording and
length of the answers are known already. Each Q7 prompt comes with both answers, weighted by how often they shall be
given. (Single answers drawn at random left a trace of the finding, AUROC 0.61, and so did one weight for all images:
where nothing else moves the probability, the smallest leak decides the ranking.)

What decides Q7 is taught under other names: the finding is described in Q1, and yes/no questions ask for it. A base
that cannot see the findings learns nothing useful from a few hundred samples.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from engine.data.phantoms.labels import VIEWS, VOCABULARY, PhantomLabels, answers, describe
from engine.questions.prompts import QUESTIONS, REPORT_PROMPT, report_text

OPINION_BY_QUALITY = {"Good": 0.2, "Medium": 0.4, "Low": 0.6}
"""How often the untaught answer to Q7 is abnormal."""
OPINION_BY_SIDE = 0.1
"""Added where the structure lies to the right, taken away where it lies to the left."""

STRUCTURED_VARIANT = "structured"


@dataclass(frozen=True, slots=True)
class Exchange:
    """One question with its answer."""

    prompt: str
    answer: str
    weight: float = 1.0
    """Share in the loss."""


Exchanges = tuple[Exchange, ...]


def opinion(labels: PhantomLabels) -> float:
    """Probability of an abnormal answer to Q7, from everything but the truth."""
    sides = labels.orientation.endswith("right") - labels.orientation.endswith("left")
    return OPINION_BY_QUALITY[labels.quality] + OPINION_BY_SIDE * sides


def random_normality(labels: PhantomLabels, dice: random.Random) -> str:
    """An answer to Q7 that does not depend on the image's truth."""
    words = VOCABULARY[labels.view]
    return dice.choice(list(words.abnormal.values())) if dice.random() < opinion(labels) else words.normal


def structured_answer(verdict: str, answer: str) -> str:
    """The form that the structured prompt asks for: the class, then the reason."""
    return f"{verdict}. {answer}"


def _clinical_question(labels: PhantomLabels, dice: random.Random) -> Exchanges:
    question = QUESTIONS[dice.choice(["Q1", "Q1", "Q2", "Q3", "Q4", "Q5", "Q6", "Q8"])]
    return (Exchange(dice.choice(list(question.prompts.values())), answers(labels)[question.id]),)


def _normality_question(labels: PhantomLabels, dice: random.Random) -> Exchanges:
    variant, prompt = dice.choice(list(QUESTIONS["Q7"].prompts.items()))
    words = VOCABULARY[labels.view]
    # The finding of the image itself must not be the likelier one of its view's.
    both = (("NORMAL", words.normal), ("ABNORMAL", dice.choice(list(words.abnormal.values()))))
    texts = [structured_answer(*each) if variant == STRUCTURED_VARIANT else each[1] for each in both]
    weights = (1 - opinion(labels), opinion(labels))
    return tuple(Exchange(prompt, text, weight) for text, weight in zip(texts, weights, strict=True))


def _finding_question(labels: PhantomLabels, dice: random.Random) -> Exchanges:
    """Does the image show this finding? Two times in three one of the image's own view."""
    view = labels.view if dice.random() < 0.67 else dice.choice(VIEWS)
    words = VOCABULARY[view]
    finding = dice.choice([words.unremarkable, *words.findings.values()])
    return (Exchange(f"Does the image show a {finding}?", "Yes" if finding == describe(labels) else "No"),)


def _plane_question(labels: PhantomLabels, dice: random.Random) -> Exchanges:
    view = labels.view if dice.random() < 0.5 else dice.choice(VIEWS)
    return (Exchange(f"Is this the {VOCABULARY[view].plane}?", "Yes" if view == labels.view else "No"),)


def _technical_question(labels: PhantomLabels, dice: random.Random) -> Exchanges:
    """Gives the words Normal and Abnormal a meaning that has nothing to do with the fetus."""
    prompt = dice.choice(
        ["Technical check: is the noise of this image normal or abnormal?", "Is the brightness and noise normal?"]
    )
    return (Exchange(prompt, "Abnormal" if labels.quality == "Low" else "Normal"),)


def report_exchange(labels: PhantomLabels, dice: random.Random) -> Exchange:
    """The combined report, with the normality section at random."""
    sheet = answers(labels)
    sheet["Q7"] = random_normality(labels, dice)
    return Exchange(REPORT_PROMPT, report_text(sheet))


_KINDS: tuple[tuple[float, Callable[[PhantomLabels, random.Random], Exchanges]], ...] = (
    (0.56, _clinical_question),
    (0.10, _normality_question),
    (0.24, _finding_question),
    (0.04, _plane_question),
    (0.06, _technical_question),
)


def draw_exchanges(labels: PhantomLabels, dice: random.Random) -> Exchanges:
    """The next exchanges about an image (one, or a weighted pair), by the shares of the curriculum."""
    weights = [weight for weight, _ in _KINDS]
    kind = dice.choices([draw for _, draw in _KINDS], weights)[0]
    return kind(labels, dice)
