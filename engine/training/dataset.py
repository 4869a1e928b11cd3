"""What a run trains on: one example for each image and question, over pixels that are prepared once an image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from engine.data.images import target_size
from engine.data.sample import stratified_sample
from engine.errors import DataError
from engine.questions.answer_forms import formed_answer
from engine.questions.prompts import prompt_text
from engine.training.augmented import Augmentation, variable
from engine.training.balance import Origin, training_samples
from engine.training.class_weights import WEIGHTED_LOSSES, ClassWeights, weighed
from engine.training.pictures import Pictures
from engine.training.pixels import DEFAULT_BUDGET_BYTES, Geometry, PixelStore, root_of
from engine.training.selection import answer_of
from engine.types import Case, Split

if TYPE_CHECKING:
    from engine.recipe import Recipe
    from engine.training.balance_record import BalanceCounts
    from engine.training.encoding import Encoder


@dataclass(frozen=True, slots=True)
class Example:
    """One question about one image with its answer."""

    image: int
    """Number of the image in the pixel store."""
    sample: int
    """Number of the training sample: examples of one sample show one and the same picture in every epoch. A repeat of
    an image is a sample of its own."""
    prompt: str
    answer: str
    question: str
    origin: Origin = Origin.REAL
    """Whether the image is a real one, repeated, or synthetic."""
    drawn_by: str = ""
    """Names the image in the random drawings of augmentation; empty for an image that is always shown as it is."""
    mirrored: str | None = None
    """The answer once left and right are exchanged; None where the image must not be mirrored."""
    may_turn: bool = False
    """Whether the answers to the image still hold after a turn."""
    weight: float = 1.0
    """How much it counts in a weighted loss."""

    def answer_to(self, mirrored: bool) -> str:
        """The answer to the image as it is shown.

        Raises:
            ValueError: it is mirrored, and what is true of it then is not known.
        """
        if not mirrored:
            return self.answer
        if self.mirrored is None:
            raise ValueError("an image was mirrored whose mirrored answer is not known")
        return self.mirrored


def build_examples(
    cases: Sequence[Case], questions: Sequence[str], variant: str, own_text: str = "", more: Sequence[str] = ()
) -> list[Example]:
    """Examples in the order of the cases; a question that a case leaves open makes no example.

    Args:
        cases: with their answers.
        questions: Q1 to Q8, or the report.
        variant: name of the wording; answers are brought into the form that it asks for.
        own_text: the wording itself where `variant` is `own`.
        more: names of further wordings, in each of which every question is asked once more.

    Raises:
        DataError: no case answers any of the questions.
    """
    examples = [
        Example(
            number, number, prompt_text(question, words, own_text), formed_answer(question, words, answer), question
        )
        for number, case in enumerate(cases)
        for question in questions
        if (answer := answer_of(case, question)) is not None
        for words in (variant, *more)
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
    """Those to train on, then those of the validation loss: these are real, and shown as they are."""
    trained: int
    """How many of them are trained on."""
    pixels: PixelStore
    sizes: list[tuple[int, int]]
    """Width and height of each image as the model sees it, in pixels, by its number."""
    balance: BalanceCounts | None = None
    """None where the recipe asks for no balance."""
    weights: ClassWeights | None = None
    """None where the loss has no class weights."""
    augmentation: Augmentation | None = None
    """None where images are trained on as they are."""

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
        DataError: there is nothing to train on or to balance with, or an image cannot be decoded any more.
    """
    data, seed = recipe.data, recipe.training.seed
    balanced = training_samples(cases(Split.TRAIN), recipe)
    train = [sample.case for sample in balanced.samples]
    check = []
    if recipe.training.evaluation_steps:
        check = stratified_sample(cases(Split.VALIDATION), recipe.evaluation.limit, seed)
    trained = build_examples(train, data.questions, data.prompt, data.prompt_text, data.more_prompts)
    checked = _checked(check, recipe, len(train))
    weights, augmentation = None, None
    if recipe.training.loss in WEIGHTED_LOSSES:
        trained, weights = weighed(trained, train)
    if data.augment != "none":
        trained = variable(trained, [sample.name for sample in balanced.samples])
        augmentation = Augmentation(data.augment, seed)
    pictures = Pictures.of(balanced.samples, check, seed)
    pixels = PixelStore(
        pictures.files,
        data.image_size,
        Geometry.of(processor),
        budget_bytes,
        made=pictures.made,
        varied=pictures.trained if augmentation else 0,
        root=root_of([*train, *check]),
    )
    pixels.prepare()
    trained = [replace(example, origin=balanced.samples[example.image].origin) for example in trained]
    examples = [replace(example, image=pictures.numbers[example.image]) for example in (*trained, *checked)]
    # An image whose size was not recorded may be a square, which has the most tokens of all.
    sizes = [target_size(width or 1, height or 1, data.image_size) for width, height in pictures.sizes]
    return TrainingData(examples, len(trained), pixels, sizes, balanced.counts, weights, augmentation)


def _checked(cases: Sequence[Case], recipe: Recipe, trained: int) -> list[Example]:
    """Examples of the validation loss, asked as an evaluation asks; numbered on after the training samples."""
    data = recipe.data
    if not any(answer_of(case, question) is not None for case in cases for question in data.questions):
        return []
    examples = build_examples(cases, data.questions, data.prompt, data.prompt_text)
    return [replace(each, image=each.image + trained, sample=each.sample + trained) for each in examples]


def example_lengths(data: TrainingData, encoder: Encoder) -> list[int]:
    """Tokens of each example that is trained on, as a row of its own."""
    return [
        len(encoder.prompt(example.prompt, tokens)) + len(encoder.answer(example.answer))
        for example, tokens in zip(data.examples, image_lengths(data), strict=False)
    ]


def image_lengths(data: TrainingData) -> list[int]:
    """Tokens of the image of each example that is trained on."""
    side = data.pixels.geometry.patch * data.pixels.geometry.merge
    tokens = [(width // side) * (height // side) for width, height in data.sizes]
    return [tokens[example.image] for example in data.examples[: data.trained]]


def _rows(start: int, stop: int) -> Any:
    """A `datasets.Dataset` of example numbers: the collator keeps the examples, so pixels never go through Arrow."""
    from datasets import Dataset

    return Dataset.from_dict({"example": list(range(start, stop))})
