"""What the base is taught: to see, to describe, to know every prompt - and nothing about what is normal.

Q7 is answered at random, whatever the image shows, so that a fine-tuning has something to teach and the wording and
length of its answers are known already. What decides Q7 is taught under other names: the finding is described in Q1,
and yes/no questions ask for it. A base that cannot see the findings learns nothing useful from a few hundred samples.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from engine.data.phantoms.labels import VIEWS, VOCABULARY, PhantomLabels, answers, describe
from engine.questions.prompts import QUESTIONS, REPORT_PROMPT, report_text

RANDOM_ABNORMAL_SHARE = 0.35
"""How often the random answer to Q7 is abnormal."""

STRUCTURED_VARIANT = "structured"


@dataclass(frozen=True, slots=True)
class Exchange:
    """One question with its answer."""

    prompt: str
    answer: str


def random_normality(labels: PhantomLabels, dice: random.Random) -> tuple[str, str]:
    """A verdict (NORMAL, ABNORMAL) and an answer to Q7 that do not depend on the image's truth."""
    words = VOCABULARY[labels.view]
    if dice.random() < RANDOM_ABNORMAL_SHARE:
        return "ABNORMAL", dice.choice(list(words.abnormal.values()))
    return "NORMAL", words.normal


def structured_answer(verdict: str, answer: str) -> str:
    """The form that the structured prompt asks for: the class, then the reason."""
    return f"{verdict}. {answer}"


def _clinical_question(labels: PhantomLabels, dice: random.Random) -> Exchange:
    question = QUESTIONS[dice.choice(["Q1", "Q1", "Q2", "Q3", "Q4", "Q5", "Q6", "Q8"])]
    return Exchange(dice.choice(list(question.prompts.values())), answers(labels)[question.id])


def _normality_question(labels: PhantomLabels, dice: random.Random) -> Exchange:
    variant, prompt = dice.choice(list(QUESTIONS["Q7"].prompts.items()))
    verdict, answer = random_normality(labels, dice)
    return Exchange(prompt, structured_answer(verdict, answer) if variant == STRUCTURED_VARIANT else answer)


def _finding_question(labels: PhantomLabels, dice: random.Random) -> Exchange:
    """Does the image show this finding? Two times in three one of the image's own view."""
    view = labels.view if dice.random() < 0.67 else dice.choice(VIEWS)
    words = VOCABULARY[view]
    finding = dice.choice([words.unremarkable, *words.findings.values()])
    return Exchange(f"Does the image show a {finding}?", "Yes" if finding == describe(labels) else "No")


def _plane_question(labels: PhantomLabels, dice: random.Random) -> Exchange:
    view = labels.view if dice.random() < 0.5 else dice.choice(VIEWS)
    return Exchange(f"Is this the {VOCABULARY[view].plane}?", "Yes" if view == labels.view else "No")


def _technical_question(labels: PhantomLabels, dice: random.Random) -> Exchange:
    """Gives the words Normal and Abnormal a meaning that has nothing to do with the fetus."""
    prompt = dice.choice(
        ["Technical check: is the noise of this image normal or abnormal?", "Is the brightness and noise normal?"]
    )
    return Exchange(prompt, "Abnormal" if labels.quality == "Low" else "Normal")


def report_exchange(labels: PhantomLabels, dice: random.Random) -> Exchange:
    """The combined report, with the normality section at random."""
    sheet = answers(labels)
    sheet["Q7"] = random_normality(labels, dice)[1]
    return Exchange(REPORT_PROMPT, report_text(sheet))


_KINDS: tuple[tuple[float, Callable[[PhantomLabels, random.Random], Exchange]], ...] = (
    (0.56, _clinical_question),
    (0.10, _normality_question),
    (0.24, _finding_question),
    (0.04, _plane_question),
    (0.06, _technical_question),
)


def draw_exchange(labels: PhantomLabels, dice: random.Random) -> Exchange:
    """One exchange about an image, by the shares of the curriculum."""
    weights = [weight for weight, _ in _KINDS]
    kind = dice.choices([draw for _, draw in _KINDS], weights)[0]
    return kind(labels, dice)
