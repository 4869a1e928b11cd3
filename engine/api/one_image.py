"""One image of a dataset in full: its file, its eight answers, what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from engine.api.browsing import Source, reading, recorded_dataset
from engine.data.manifest import image_root, open_dataset
from engine.data.paths import RejectedError, locate, storable
from engine.errors import DataError
from engine.questions.prompts import QUESTIONS
from engine.store.records import ImageRow
from engine.types import DatasetRecord, Split, Verdict
from engine.workspace import Workspace


@dataclass(frozen=True, slots=True)
class QuestionAnswer:
    """One question about an image."""

    question: str
    """Q1 to Q8."""
    title: str
    """Such as `Anatomical Structures`."""
    answer: str | None
    """As annotated, unaltered; untrusted text. None where there is none."""


@dataclass(frozen=True, slots=True)
class ImageDetails:
    """Everything known about one image."""

    id: int
    dataset: str
    path: str
    """Relative to the image root; untrusted text."""
    file: Path | None
    """Where it lies now, proved to be a regular file under the image root; None where that fails."""
    file_problem: str | None
    """Why there is no file now."""
    view: str
    split: Split | None
    width: int | None
    height: int | None
    sha256: str | None
    verdict: Verdict | None
    """What the annotated answer to Q7 says."""
    problem: str | None
    """Why the import left it out; None for a usable image."""
    answers: tuple[QuestionAnswer, ...]
    """All eight, in order."""
    answers_problem: str | None
    """Why the answers could not be read; None where they could."""


def image_details(source: Source, image_id: int) -> ImageDetails:
    """One image by the id of its line in a list.

    Raises:
        DataError: there is no image of that id; the ids of a dataset change when it is imported again.
    """
    with reading(source) as reader:
        found = reader.image(image_id)
        if found is None:
            raise DataError(
                f"There is no image with the number {image_id}.",
                "The dataset has been imported again since the list was read.",
                "Read the list again.",
            )
        record = recorded_dataset(reader, found[0])
        return _details(reader.workspace, record, image_id, found[1])


def locate_image(root: Path, path: str) -> Path:
    """The file of an image under its image root, links followed.

    Raises:
        DataError: it is missing, no regular file, or a link leads out of the image root.
    """
    try:
        return locate(root, path)
    except RejectedError as rejected:
        raise DataError(
            f"The image {storable(path)} cannot be shown.",
            rejected.reason,
            "Run `sonotune data check` to find every such image, then import the dataset again.",
        ) from None


def _details(workspace: Workspace, record: DatasetRecord, image_id: int, row: ImageRow) -> ImageDetails:
    file, file_problem = None, None
    try:
        file = locate_image(image_root(workspace, record), row.path)
    except DataError as error:
        file_problem = error.reason
    answers, answers_problem = _answers(workspace, record, row)
    return ImageDetails(
        id=image_id,
        dataset=record.name,
        path=row.path,
        file=file,
        file_problem=file_problem,
        view=row.view,
        split=row.split,
        width=row.width,
        height=row.height,
        sha256=row.sha256,
        verdict=row.q7_verdict,
        problem=row.problem,
        answers=tuple(QuestionAnswer(each.id, each.title, answers.get(each.id)) for each in QUESTIONS.values()),
        answers_problem=answers_problem,
    )


def _answers(workspace: Workspace, record: DatasetRecord, row: ImageRow) -> tuple[Mapping[str, str], str | None]:
    """The answers of an image, from the case file where an older version imported the dataset."""
    if row.answers is not None or row.problem is not None:
        return row.answers or {}, None
    try:
        return _case_answers(workspace, record.name, record.fingerprint).get(row.path, {}), None
    except DataError as error:
        return {}, f"{error.title} {error.reason}"


@lru_cache(maxsize=1)
def _case_answers(workspace: Workspace, name: str, _fingerprint: str) -> dict[str, Mapping[str, str]]:
    """Answers by path; the fingerprint is there so that a new import is read anew."""
    return {case.path: case.answers for case in open_dataset(workspace, name).cases()}
