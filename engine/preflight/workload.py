"""How many tokens a run trains on, without tokenizer and without a look at an image.

Image tokens are exact: an import records the size of every image, and `target_size` says how it is scaled. Tokens of
text are counted from characters. The census of a dataset does not depend on the model or the image size, so that a form
in which these are tried needs it once.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.data.images import target_size
from engine.data.labels import target_text
from engine.errors import DataError
from engine.preflight.models import ModelShape, Workload
from engine.questions.prompts import prompt_text

if TYPE_CHECKING:
    from engine.recipe import Recipe
    from engine.training.balance import Sample

CHARACTERS_PER_TOKEN = 4.0
"""English of radiology under Qwen's vocabulary of 152k; the embedded tokenizer, which was made for it, has 5.4. Digits
are tokens of their own under both."""
TURN_TOKENS = 5
"""The chat's marks in front of the image, and the end of the image: what all questions share beside its tokens."""
ASK_TOKENS = 5
"""The chat's marks between a question and its answer."""
END_TOKENS = 1
"""The end of the turn, which is trained like the answer."""


@dataclass(frozen=True, slots=True)
class Census:
    """What a run trains on, counted once: everything that does not depend on the model."""

    sizes: Mapping[tuple[int, int], int]
    """How many training images have a size (width, height) in pixels."""
    prompts: Mapping[int, int]
    """How many samples have a question of so many tokens."""
    answers: Mapping[int, int]
    """How many samples have an answer of so many tokens, its end included."""
    per_image: Mapping[int, int]
    """How many images have so many samples."""

    @property
    def samples(self) -> int:
        """Samples of an epoch."""
        return sum(self.prompts.values())

    @property
    def images(self) -> int:
        """Images of an epoch."""
        return sum(self.sizes.values())


def text_tokens(text: str) -> int:
    """About how many tokens a text has; at least 1."""
    digits = sum(map(str.isdecimal, text))
    return max(1, digits + math.ceil((len(text) - digits) / CHARACTERS_PER_TOKEN))


def wordings(recipe: Recipe) -> tuple[str, ...]:
    """Names of the wordings in which each question is trained."""
    return (recipe.data.prompt, *recipe.data.more_prompts)


def take_census(samples: Sequence[Sample], recipe: Recipe) -> Census:
    """Count what a run trains on.

    Args:
        samples: of the run, as `engine.training.balance.training_samples` gives them.
        recipe: its data section is read.

    Raises:
        DataError: none of the samples answers any of the questions.
    """
    data = recipe.data
    asked = [(question, _question_tokens(recipe, question)) for question in data.questions]
    sizes: Counter[tuple[int, int]] = Counter()
    prompts: Counter[int] = Counter()
    answers: Counter[int] = Counter()
    per_image: Counter[int] = Counter()
    answered: Counter[str] = Counter()
    known: dict[str | None, int] = {None: 0}
    for sample in samples:
        case, count = sample.case, 0
        for question, tokens in asked:
            text = target_text(case.answers, question)
            length = known.get(text)
            if length is None:
                # Thousands of images share a few dozen answers: each text is counted once.
                known[text] = length = _answer_tokens(text or "")
            if length:
                answers[length] += len(tokens)
                answered[question] += 1
                count += len(tokens)
        if count:
            sizes[case.width, case.height] += 1
            per_image[count] += 1
    for question, tokens in asked:
        for each in tokens:
            prompts[each] += answered[question]
    if not sizes:
        raise DataError(
            "There is nothing to train on",
            f"None of {len(samples)} images has an answer to {', '.join(data.questions)}.",
            "Choose other questions under [data], or look at the dataset with `sonotune data show`.",
        )
    return Census(sizes, +prompts, answers, per_image)


def largest_workload(census: Census, shape: ModelShape, image_size: int) -> Workload:
    """The largest image with the longest question and answer: what memory must suffice for."""
    patches = max(_patches(width, height, shape, image_size) for width, height in census.sizes)
    return _workload(census, shape, patches, max(census.prompts), max(census.answers), max(census.per_image))


def typical_workload(census: Census, shape: ModelShape, image_size: int) -> Workload:
    """The mean image with the mean question and answer: what time is spent on."""
    counts = ((_patches(*size, shape, image_size), times) for size, times in census.sizes.items())
    samples = max(1, round(census.samples / census.images))
    return _workload(
        census, shape, round(_mean(counts)), _mean(census.prompts.items()), _mean(census.answers.items()), samples
    )


def _workload(
    census: Census, shape: ModelShape, patches: int, prompt: float, answer: float, per_image: int
) -> Workload:
    image_tokens = patches // shape.merge**2
    return Workload(
        patches=patches,
        image_tokens=image_tokens,
        root_tokens=image_tokens + TURN_TOKENS,
        branch_tokens=round(prompt + ASK_TOKENS + answer),
        answer_tokens=max(1, round(answer)),
        samples_per_image=per_image,
        samples=census.samples,
        images=census.images,
    )


def _answer_tokens(text: str) -> int:
    """Trained tokens of an answer, its end included; 0 for one without words, which is no sample."""
    return text_tokens(text.strip()) + END_TOKENS if text.strip() else 0


def _question_tokens(recipe: Recipe, question: str) -> list[int]:
    """Tokens of each wording of a question."""
    return [text_tokens(prompt_text(question, wording, recipe.data.prompt_text)) for wording in wordings(recipe)]


def _patches(width: int, height: int, shape: ModelShape, image_size: int) -> int:
    scaled_width, scaled_height = target_size(width, height, image_size)
    return (scaled_width // shape.patch) * (scaled_height // shape.patch)


def _mean(counts: Iterable[tuple[int, int]]) -> float:
    total = times = 0
    for value, number in counts:
        total += value * number
        times += number
    return total / times
