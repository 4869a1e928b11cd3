"""What augmentation and degradation make of one image, to look at: nothing is written, and nothing is measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from engine.data.augmentation.degrading import (
    DEGRADATIONS,
    SEVERITIES,
    degradation_change,
    degradation_id,
    parse_degradation,
)
from engine.data.augmentation.names import ABOUT_LEVELS, ABOUT_SYNTHETIC, LEVELS, OPERATIONS, SYNTHETIC
from engine.data.preview import Preview, PreviewMode, fitted, load_preview, stretch_table
from engine.errors import UsageError
from engine.questions.mirroring import depends_on_tilt, mirrored_answer
from engine.text import one_line

if TYPE_CHECKING:
    from PIL.Image import Image

    from engine.data.augmentation.change import Change

WORKED_SIDE = 512
"""Pixels along the longer side at which an image is changed, as in training by default; it is shrunk afterwards."""

LEVEL, ALONE, DEGRADATION = "level", "alone", "degradation"


@dataclass(frozen=True, slots=True)
class ChangeChoice:
    """One kind of change that a preview can show."""

    id: str
    title: str
    """In a few words, such as `speckle, severity 2`."""
    group: str
    """What it belongs to: training levels, single operations, class balance, robustness."""
    about: str
    """One sentence."""
    drawn: bool
    """Whether there is another random version of it; a degradation is always the same for one image."""


class AnswerFate(StrEnum):
    """What a change does to a true answer."""

    REWRITTEN = "rewritten"
    """Its sides are exchanged."""
    NOT_MIRRORED = "not mirrored"
    """It has no known mirror image: training never mirrors the image while it asks this."""
    NOT_TURNED = "not turned"
    """It tells the tilt: training never turns the image while it asks this."""


@dataclass(frozen=True, slots=True)
class AnswerChange:
    """What a change does to one answer of the image."""

    question: str
    fate: AnswerFate
    before: str
    """As annotated; untrusted text."""
    after: str
    """The rewritten answer; "" where there is none."""


@dataclass(frozen=True, slots=True)
class ChangedPreview:
    """An image and what a change makes of it, in the same size and with the same stretch of grey levels."""

    original: Preview
    changed: Preview
    words: str
    """What was drawn: `turned 4.2°, mirrored, brightness x1.10`."""
    answers: tuple[AnswerChange, ...]
    """Answers that are no longer what they were."""


def change_choices() -> tuple[ChangeChoice, ...]:
    """Everything that a preview can show: levels, single operations, the synthetic copy, degradations."""
    return tuple(_choices())


def _choices() -> Iterator[ChangeChoice]:
    for level in LEVELS[1:]:
        yield ChangeChoice(f"{LEVEL}:{level}", level, "training", ABOUT_LEVELS[level], True)
    for operation in OPERATIONS:
        yield ChangeChoice(f"{ALONE}:{operation.name}", f"{operation.name} alone", "training", operation.about, True)
    yield ChangeChoice(SYNTHETIC, "synthetic abnormal case", "class balance", ABOUT_SYNTHETIC, True)
    for kind, about in DEGRADATIONS.items():
        for severity in SEVERITIES:
            title = f"{kind.replace('_', ' ')}, severity {severity}"
            yield ChangeChoice(f"{DEGRADATION}:{degradation_id(kind, severity)}", title, "robustness", about, False)


def changed_preview(
    file: Path,
    choice: str,
    version: int,
    box: tuple[int, int],
    mode: PreviewMode | str = PreviewMode.STRETCHED,
    *,
    key: str = "",
    answers: Mapping[str, str] | None = None,
) -> ChangedPreview:
    """An image beside what a change makes of it.

    Args:
        file: the image; see `locate_image`.
        choice: id of one of `change_choices`.
        version: number of the random version; the same number gives the same picture.
        box: width and height in pixels that each preview has to fit.
        mode: see `PreviewMode`. The stretch is worked out on the original, else it would undo a change of brightness.
        key: of the image, its hash as a rule, so that degradations are those of an evaluation.
        answers: annotated answers by question.

    Raises:
        DataError: the image cannot be shown.
        UsageError: there is no such choice.
    """
    from PIL import Image

    loaded = load_preview(file, WORKED_SIDE, WORKED_SIDE, PreviewMode.RAW)
    image = Image.frombytes("RGB" if loaded.colour else "L", (loaded.width, loaded.height), loaded.pixels)
    change = _change(choice, version, key or file.name)
    changed = change.apply(image.convert("RGB"))
    stretched = PreviewMode(mode) is PreviewMode.STRETCHED
    table = stretch_table(image.convert("L").histogram()) if stretched else list(range(256))
    return ChangedPreview(
        _preview(image, loaded, box, table, PreviewMode(mode)),
        _preview(changed if loaded.colour else changed.convert("L"), loaded, box, table, PreviewMode(mode)),
        change.words,
        tuple(_answer_changes(change, answers or {})),
    )


def _change(choice: str, version: int, key: str) -> Change:
    # numpy and scipy load with the first preview, not with the screens.
    from engine.data.augmentation.drawing import draw_change, single_change, synthetic_change

    drawn = f"preview/{key}/{version}"
    kind, _, name = choice.partition(":")
    if kind == LEVEL and name in LEVELS:
        return draw_change(name, drawn, may_mirror=True)
    if kind == ALONE and name in {operation.name for operation in OPERATIONS}:
        return single_change(name, drawn)
    if choice == SYNTHETIC:
        return synthetic_change(drawn)
    if kind == DEGRADATION and name:
        return degradation_change(*parse_degradation(name), key)
    raise UsageError(
        f"There is no change {one_line(choice)[:60]}", f"There are: {', '.join(each.id for each in _choices())}."
    )


def _preview(image: Image, loaded: Preview, box: tuple[int, int], table: list[int], mode: PreviewMode) -> Preview:
    from PIL.Image import Resampling

    size = fitted(image.width, image.height, *box)
    shrinks = size[0] < image.width
    small = image.resize(size, Resampling.BOX if shrinks else Resampling.BILINEAR)
    small = small.point(table * len(small.getbands()))
    original = loaded.original_width, loaded.original_height
    return Preview(small.width, small.height, small.tobytes(), loaded.colour, *original, mode)


def _answer_changes(change: Change, answers: Mapping[str, str]) -> Iterator[AnswerChange]:
    for question, text in answers.items():
        mirrored = mirrored_answer(question, text) if change.mirrored else text
        if mirrored is None:
            yield AnswerChange(question, AnswerFate.NOT_MIRRORED, text, "")
        elif mirrored != text:
            yield AnswerChange(question, AnswerFate.REWRITTEN, text, mirrored)
        if change.turned and depends_on_tilt(question, text):
            yield AnswerChange(question, AnswerFate.NOT_TURNED, text, "")
