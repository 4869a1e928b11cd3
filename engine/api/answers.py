"""What is answered how often: the distribution of the answers to one question."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from engine.api.browsing import Source, reading, recorded_dataset
from engine.data.manifest import open_dataset
from engine.questions.vocabulary import normalise_answer
from engine.workspace import Workspace


@dataclass(frozen=True, slots=True)
class AnswerCounts:
    """How often each answer to one question occurs; spellings that differ in case, spaces or end marks are one."""

    question: str
    answers: list[tuple[str, int]]
    """The most frequent answers, each in its most frequent spelling, with the number of images. Untrusted text."""
    distinct: int
    """Answers that there are, in the list or not."""
    answered: int
    unanswered: int


def answer_counts(
    source: Source, dataset: str, question: str, view: str | None = None, limit: int = 50
) -> AnswerCounts:
    """How often each answer to `question` occurs among the usable images of a dataset, or of one view of it.

    Raises:
        DataError: there is no such dataset.
        UsageError: there is no such question.
    """
    with reading(source) as reader:
        record = recorded_dataset(reader, dataset)
        raw = reader.image_answers(record.name, question, view)
        if reader.lacks_answers(record.name):
            raw = _case_answers(reader.workspace, dataset, question, view)
    spellings: dict[str, Counter[str]] = {}
    for answer, images in raw:
        if answer is not None:
            spellings.setdefault(normalise_answer(answer), Counter())[answer] += images
    ranked = sorted(spellings.values(), key=lambda each: (-each.total(), min(each)))
    answers = [(min(each, key=lambda text: (-each[text], text)), each.total()) for each in ranked[:limit]]
    answered = sum(each.total() for each in ranked)
    return AnswerCounts(question, answers, len(ranked), answered, sum(images for _, images in raw) - answered)


def _case_answers(workspace: Workspace, dataset: str, question: str, view: str | None) -> list[tuple[str | None, int]]:
    """As `Reader.image_answers`, from the case file."""
    cases = open_dataset(workspace, dataset).cases()
    return list(Counter(case.answers.get(question) for case in cases if view in (None, case.view)).items())
