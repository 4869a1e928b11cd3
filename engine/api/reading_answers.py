"""What the annotators' answers are read as: the canonical form beside the raw one, and a table of what became what."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from engine.api.browsing import Source, reading, recorded_dataset
from engine.api.one_image import ImageDetails
from engine.data.manifest import open_dataset
from engine.questions.tracing import Change, trace


@dataclass(frozen=True, slots=True)
class AnswerReading:
    """One distinct answer to one question, and what it is read as."""

    question: str
    raw: str
    """Untrusted text."""
    images: int
    """That have it."""
    canonical: str
    """As scores compare it; untrusted text where it was left alone."""
    layers: tuple[str, ...]
    """Layers of normalisation that changed something, in order: text, spelling, meaning."""
    left_alone: bool
    """No meaning was found in it: a person should look."""
    reason: str
    """Why it was left alone, or which part of it is unknown; empty where everything was understood."""


def answer_readings(source: Source, dataset: str, question: str) -> list[AnswerReading]:
    """What became of every distinct answer to `question` among the usable images of a dataset.

    Those that were left alone come first, then the most frequent ones. A large dataset with thousands of spellings
    takes a second or two.

    Raises:
        DataError: there is no such dataset.
        UsageError: there is no such question.
    """
    with reading(source) as reader:
        record = recorded_dataset(reader, dataset)
        counted = reader.image_answers(record.name, question, None)
        older = reader.lacks_answers(record.name)
        workspace = reader.workspace
    if older:
        answers = [case.answers.get(question) for case in open_dataset(workspace, dataset).cases()]
        texts = [each for each in answers if each is not None]
    else:
        texts = [raw for raw, images in counted if raw is not None for _ in range(images)]
    return [_reading(question, change) for change in trace(question, texts)]


def image_readings(details: ImageDetails) -> dict[str, AnswerReading]:
    """What the answers of one image are read as, by question; unanswered questions are left out."""
    return {each.question: read_one(each.question, each.answer) for each in details.answers if each.answer is not None}


@lru_cache(4096)
def read_one(question: str, raw: str) -> AnswerReading:
    """What one answer is read as.

    Raises:
        KeyError: there is no such question.
    """
    (change,) = trace(question, [raw])
    return _reading(question, change)


def _reading(question: str, change: Change) -> AnswerReading:
    return AnswerReading(
        question,
        change.raw,
        change.count,
        change.canonical,
        tuple(layer.value for layer in change.layers),
        change.left_alone,
        change.reason,
    )
