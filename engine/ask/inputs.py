"""What is asked: an image, and a question in words. Light; `engine.api.ask_images` finds the image."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from engine.ask.subject import AskSubject
from engine.data.labels import target_text
from engine.data.manifest import dataset_names, open_dataset
from engine.errors import UsageError
from engine.evaluation.protocol import build_protocol
from engine.questions.own_wording import special_token
from engine.questions.prompts import OWN, QUESTIONS, REPORT_ID, has_wording, prompt_text, prompt_variants
from engine.questions.vocabulary import NORMALITY
from engine.types import Split
from engine.workspace import Workspace

LONGEST_QUESTION = 4_000
"""Characters of a question in one's own words."""
_QUESTION_ID = re.compile(r"q\d{1,3}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class AskImage:
    """The image that is asked about."""

    file: Path
    """Absolute, links followed."""
    dataset: str | None = None
    """None for a file that was named by its path."""
    path: str = ""
    """Within the dataset, else the file's name; untrusted text."""
    view: str = ""
    split: Split | None = None
    split_fingerprint: str = ""
    """Of the dataset's split, to know whether a run was trained on this image."""
    answers: Mapping[str, str] = field(default_factory=dict)
    """As annotated, by question id; untrusted text."""

    def target(self, question: str | None) -> str | None:
        """The annotated answer to a question; None where there is none, or the question is in one's own words."""
        return None if question is None else target_text(self.answers, question)


@dataclass(frozen=True, slots=True)
class AskQuestion:
    """The question that is asked."""

    text: str
    """As the model reads it."""
    question: str | None = None
    """Q1 to Q8 or report; None for one's own words."""
    variant: str = ""
    """Name of the wording."""

    @property
    def title(self) -> str:
        """Such as `Q7 detailed` or `report`, or the words themselves."""
        if self.question is None:
            return self.text
        return self.question if self.variant == self.question else f"{self.question} {self.variant}"


def ask_question(subject: AskSubject, text: str, variant: str | None = None) -> AskQuestion:
    """The question that a text names: an id such as `Q7` or `report`, else the text itself.

    Args:
        subject: gives the wording where none is named: the one that it was trained with, if the question has it.
        text: id or words.
        variant: name of a wording.

    Raises:
        UsageError: no such question or wording, no words at all, too many, or words that spell a special token.
    """
    name = text.strip()
    known = {each.casefold(): each for each in (*QUESTIONS, REPORT_ID)}
    question = known.get(name.casefold())
    if question is None:
        return _own_words(name, variant)
    variants = prompt_variants(question)
    if subject.prompt == OWN and has_wording(question, OWN, subject.questions):
        variants = (*variants, OWN)
    usual = REPORT_ID if question == REPORT_ID else "detailed"
    chosen = variant or (subject.prompt if subject.prompt in variants else usual)
    if chosen not in variants:
        raise UsageError(f"{question} has no wording named {chosen}", next_step=f"Choose: {', '.join(variants)}.")
    return AskQuestion(prompt_text(question, chosen, subject.prompt_text), question, chosen)


def _own_words(text: str, variant: str | None) -> AskQuestion:
    if _QUESTION_ID.fullmatch(text):
        raise UsageError(f"There is no question {text}", next_step=f"Choose: {', '.join((*QUESTIONS, REPORT_ID))}.")
    if not text:
        raise UsageError("There is no question", "It has no words.", "Write one, or name Q1 to Q8.")
    if len(text) > LONGEST_QUESTION:
        raise UsageError(
            "The question is too long", f"It has {len(text):,} characters; the limit is {LONGEST_QUESTION:,}."
        )
    special = special_token(text)
    if special is not None:
        raise UsageError(
            "The question spells a token of the chat template", f"{special} means something else to the model."
        )
    if variant is not None:
        raise UsageError("A question in your own words has no other wording", next_step="Leave --prompt out.")
    return AskQuestion(text)


def question_choices() -> list[AskQuestion]:
    """Every wording of every question, in order; the report last."""
    return [
        AskQuestion(prompt_text(question, variant), question, variant)
        for question in (*QUESTIONS, REPORT_ID)
        for variant in prompt_variants(question)
    ]


def candidates(workspace: Workspace, subject: AskSubject, question: AskQuestion) -> tuple[str, ...]:
    """The answers among which label scoring chooses, as in the subject's evaluations; empty where nothing is scored.

    Those of the training split of its dataset; where that is gone, canonical answers.
    """
    if question.question != NORMALITY:
        return ()
    answers: Sequence[str] = ()
    if subject.dataset in dataset_names(workspace):
        record = open_dataset(workspace, subject.dataset).record
        answers = _training_answers(workspace, subject.dataset, record.fingerprint + record.split_fingerprint)
    protocol = build_protocol(NORMALITY, question.variant, subject.image_size, subject.max_new_tokens, answers)
    return protocol.candidates


@lru_cache(maxsize=4)
def _training_answers(workspace: Workspace, dataset: str, _prints: str) -> tuple[str, ...]:
    """Answers of the training split to Q7; the fingerprints are there so that a new import is read anew."""
    cases = open_dataset(workspace, dataset).cases(Split.TRAIN, NORMALITY)
    return tuple(case.answers[NORMALITY] for case in cases)
