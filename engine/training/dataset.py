"""What a run trains on: one example for each image and question, over pixels that are prepared once an image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.data.sample import stratified_sample
from engine.errors import DataError
from engine.questions.prompts import prompt_text
from engine.training.pixels import DEFAULT_BUDGET_BYTES, Geometry, PixelStore
from engine.training.selection import answer_of, training_cases
from engine.types import Case, Split

if TYPE_CHECKING:
    from engine.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Example:
    """One question about one image with its answer."""

    image: int
    """Number of the image in the pixel store."""
    prompt: str
    answer: str


def build_examples(cases: Sequence[Case], questions: Sequence[str], variant: str) -> list[Example]:
    """Examples in the order of the cases; a question that a case leaves open makes no example.

    Raises:
        DataError: no case answers any of the questions.
    """
    examples = [
        Example(number, prompt_text(question, variant), answer)
        for number, case in enumerate(cases)
        for question in questions
        if (answer := answer_of(case, question)) is not None
    ]
    if not examples:
        raise DataError(
            "There is nothing to train on",
            f"None of {len(cases)} images has an answer to {', '.join(questions)}.",
            "Choose other questions under [data], or look at the dataset with `sonotune data show`.",
        )
    return examples


@dataclass(frozen=True, slots=True)
class TrainingData:
    """Examples of a run with their pixels."""

    examples: list[Example]
    """Those to train on, then those of the validation loss."""
    trained: int
    """How many of them are trained on."""
    pixels: PixelStore

    @property
    def train_rows(self) -> Any:
        """Rows to train on, in the form that TRL's trainer takes."""
        return _rows(0, self.trained)

    @property
    def validation_rows(self) -> Any | None:
        """Rows of the validation loss; None where it was not asked for."""
        return _rows(self.trained, len(self.examples)) if self.trained < len(self.examples) else None


def prepare_data(
    recipe: Recipe, processor: Any, cases: Callable[[Split], Sequence[Case]], budget_bytes: int = DEFAULT_BUDGET_BYTES
) -> TrainingData:
    """Draw the sample of the training split and decode its images, with those of the validation loss if asked for.

    Raises:
        DataError: there is nothing to train on, or an image cannot be decoded any more.
    """
    data = recipe.data
    train = training_cases(cases(Split.TRAIN), recipe)
    check = []
    if recipe.training.evaluation_steps:
        check = stratified_sample(cases(Split.VALIDATION), recipe.evaluation.limit, recipe.training.seed)
    trained = len(build_examples(train, data.questions, data.prompt))
    examples = build_examples([*train, *check], data.questions, data.prompt)
    files = [case.file for case in (*train, *check)]
    pixels = PixelStore(files, data.image_size, Geometry.of(processor), budget_bytes)
    pixels.prepare()
    return TrainingData(examples, trained, pixels)


def _rows(start: int, stop: int) -> Any:
    """A `datasets.Dataset` of example numbers: the collator keeps the examples, so pixels never go through Arrow."""
    from datasets import Dataset

    return Dataset.from_dict({"example": list(range(start, stop))})
