"""Two ways to the same answers: all questions of an image in one pass, or question by question.

The second one is for models for which the first would be wrong; it computes vision and prompt anew for each question.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Protocol

import torch

from engine.evaluation.generate import generate_answers, question_batch
from engine.evaluation.label_scoring import candidate_log_likelihoods
from engine.evaluation.subject import Subject
from engine.evaluation.tree.answering import Answered, answer_images
from engine.evaluation.tree.eligibility import tree_refusal
from engine.evaluation.tree.pictures import Pictures
from engine.evaluation.tree.rows import Ask, RowBuilder

MOST_PLACES = 2**16
"""Tokens, pads among them, of one pass: at 8B their activations take about 5 GB. Larger batches are cut."""


class Answerer(Protocol):
    """Puts questions to images."""

    refusal: str | None
    """Why it does not answer all questions from one pass; None where it does."""

    def answer(
        self, pictures: Pictures, asked: Sequence[tuple[int, ...]], between: Callable[[], None]
    ) -> list[list[Answered]]:
        """For each image, one answer for each of the asks whose numbers are given, in their order.

        Args:
            pictures: the images.
            asked: for each image, at least one number of an ask.
            between: called now and then; may raise to give up.
        """
        ...


def answerer_for(subject: Subject, asks: Sequence[Ask], note: Callable[[str, str], None]) -> Answerer:
    """The fastest way that gives the answers of asking one by one.

    Args:
        subject: the loaded model.
        asks: all questions.
        note: takes what a reader of the history should know: kind and detail.
    """
    refusal = tree_refusal(subject.model)
    return Together(subject, asks, note) if refusal is None else OneByOne(subject, asks, refusal)


class Together:
    """One pass over vision and root for all questions of an image."""

    refusal: str | None = None

    def __init__(self, subject: Subject, asks: Sequence[Ask], note: Callable[[str, str], None]) -> None:
        self._model, self._note = subject.model, note
        self._builder = RowBuilder(subject.encoder, asks, subject.geometry.merge)
        self._most = sys.maxsize

    def answer(
        self, pictures: Pictures, asked: Sequence[tuple[int, ...]], between: Callable[[], None]
    ) -> list[list[Answered]]:
        """See `Answerer`; where the GPU's memory does not suffice, with fewer images a pass from there on."""
        longest = max(
            len(self._builder.layout(*size, each).row.ids) for size, each in zip(pictures.sizes, asked, strict=True)
        )
        found: list[list[Answered]] = []
        while (start := len(found)) < len(asked):
            count = max(1, min(self._most, MOST_PLACES // longest, len(asked) - start))
            places = range(start, start + count)
            try:
                found += answer_images(
                    self._model, self._builder, pictures.chosen(places), asked[start : start + count], between=between
                )
                continue
            except torch.OutOfMemoryError:
                if count == 1:
                    raise
            # Outside the handler: the error's traceback holds on to the tensors of the failed pass.
            torch.cuda.empty_cache()
            self._most = count // 2
            self._note("memory", f"no room for {count} images in one pass: at most {self._most} from here on")
        return found


class OneByOne:
    """Every question in passes of its own, with the library's own `generate`."""

    def __init__(self, subject: Subject, asks: Sequence[Ask], refusal: str) -> None:
        self.refusal: str | None = refusal
        self._subject, self._asks = subject, tuple(asks)

    def answer(
        self, pictures: Pictures, asked: Sequence[tuple[int, ...]], between: Callable[[], None]
    ) -> list[list[Answered]]:
        """See `Answerer`."""
        found: dict[tuple[int, int], Answered] = {}
        for number, ask in enumerate(self._asks):
            images = [image for image, numbers in enumerate(asked) if number in numbers]
            if images:
                between()
                answers = self._ask(number, ask, pictures.chosen(images), between)
                found |= zip(((image, number) for image in images), answers, strict=True)
        return [[found[image, number] for number in numbers] for image, numbers in enumerate(asked)]

    def _ask(self, number: int, ask: Ask, pictures: Pictures, between: Callable[[], None]) -> list[Answered]:
        model, encoder, device = self._subject.model, self._subject.encoder, self._subject.device
        tokens = [rows * columns // pictures.geometry.merge**2 for rows, columns in pictures.sizes]
        batch = question_batch(encoder, ask.prompt, pictures.pixel_values(device), pictures.grid(device), tokens)
        answers = generate_answers(model, encoder, batch, ask.max_new_tokens, between=between)
        if not ask.candidates:
            return [Answered(number, answer, None) for answer in answers]
        scores = candidate_log_likelihoods(model, encoder, batch, ask.candidates, between=between)
        return [Answered(number, answer, score) for answer, score in zip(answers, scores, strict=True)]
