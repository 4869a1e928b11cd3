"""How long the samples are, in tokens of the model's own tokenizer, and what work they make. Heavy: it loads a
processor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine.bench.flops import Work, packed_work, separate_work
from engine.data.images import target_size
from engine.questions.prompts import prompt_text
from engine.training.encoding import Encoder
from engine.training.packing.tree import common_root
from engine.training.pixels import Geometry
from engine.training.selection import answer_of
from engine.types import Case


@dataclass(frozen=True, slots=True)
class Lengths:
    """Means of a sample."""

    patches: float
    image_tokens: float
    root: float
    """First tokens that all prompts to an image share, those of the image among them."""
    question: float
    """Tokens from there to where the answer begins."""
    text: float
    """Tokens of the prompt that are none of the image."""
    answer: float
    """Tokens of the answer with its end token."""
    samples_per_image: float

    def work(self, packed: bool, head: float) -> Work:
        """Work of one sample.

        Args:
            packed: whether the samples of an image share its row.
            head: places whose logits are needed.
        """
        branch = self.question + self.answer
        if packed:
            return packed_work(self.patches, self.root, branch, head, self.samples_per_image)
        return separate_work(self.patches, self.root, branch, head)

    def figures(self, positions: float) -> dict[str, float]:
        """For the result: tokens of image, prompt text and answer, and positions of the language model."""
        return {
            "image": self.image_tokens,
            "text": self.text,
            "answer": self.answer,
            "positions": positions,
        }


def lengths(cases: Sequence[Case], questions: Sequence[str], image_size: int, processor: Any) -> Lengths:
    """Mean lengths over all questions of all cases.

    Raises:
        ValueError: no case answers any of the questions.
    """
    encoder, geometry = Encoder(processor), Geometry.of(processor)
    rows: list[tuple[int, int, int, int, int]] = []
    for case in cases:
        width, height = target_size(case.width, case.height, image_size)
        patches = (width // geometry.patch) * (height // geometry.patch)
        tokens = patches // geometry.merge**2
        asked = [question for question in questions if answer_of(case, question) is not None]
        prompts = [encoder.prompt(prompt_text(question), tokens) for question in asked]
        root = common_root(prompts) if prompts else 0
        for question, prompt in zip(asked, prompts, strict=True):
            answer = encoder.answer(answer_of(case, question) or "")
            rows.append((patches, tokens, root, len(prompt) - root, len(answer)))
    if not rows:
        raise ValueError("no image answers any of the questions")
    patch_mean, token_mean, root_mean, question_mean, answer_mean = (
        sum(column) / len(rows) for column in zip(*rows, strict=True)
    )
    return Lengths(
        patches=patch_mean,
        image_tokens=token_mean,
        root=root_mean,
        question=question_mean,
        text=root_mean + question_mean - token_mean,
        answer=answer_mean,
        samples_per_image=len(rows) / len(cases),
    )
