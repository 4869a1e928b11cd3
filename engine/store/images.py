"""Reads of the images table, for a person who browses a dataset: lists, counts, single images."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import repeat
from operator import itemgetter
from typing import Any, NamedTuple

from engine.errors import UsageError
from engine.store.mapping import columns, from_row, select
from engine.store.reader_live import Rows
from engine.store.records import ImageRow
from engine.types import QUESTION_IDS, Split

UNANSWERED = "unanswered"
"""Stands beside the verdicts: a usable image without an answer to Q7."""

EXPRESSIONS = {
    "path": "path",
    "view": "view",
    "split": "split",
    "verdict": f"CASE WHEN problem IS NULL THEN COALESCE(q7_verdict, '{UNANSWERED}') END",
    "width": "width",
    "height": "height",
    "problem": "problem",
    **{question: f"json_extract(answers, '$.{question}')" for question in QUESTION_IDS},
}
"""What conditions and filters may name, and the SQL behind it."""


class ImageItem(NamedTuple):
    """One line of a list of images: a tuple, because there may be tens of thousands."""

    id: int
    path: str
    """Untrusted text."""
    view: str
    split: str | None
    """None for a problem."""
    verdict: str | None
    """What the annotated answer to Q7 says; None where there is none."""
    width: int | None
    height: int | None
    problem: str | None
    """Why it was left out; None for a usable image."""


class ViewRow(NamedTuple):
    """How many images share view, split, verdict and whether they were left out."""

    view: str
    split: str | None
    verdict: str | None
    left_out: bool
    images: int


SORTS = ("path", "view", "split", "verdict", "width", "height", "problem")
"""Columns of `ImageItem` by which a list can be sorted."""

_ITEM = "SELECT id, path, view, split, q7_verdict, width, height, problem FROM images WHERE "
_SPLIT_ORDER = {split.value: place for place, split in enumerate(Split)}
_NUMBER = re.compile(r"[0-9]+")


class ImageReads:
    """The part of the reader that browses datasets."""

    def image_items(self: Rows, dataset: str, conditions: Sequence[tuple[str, Sequence[Any]]] = ()) -> list[ImageItem]:
        """Images of a dataset that meet all conditions, in no certain order; problems included.

        Args:
            conditions: SQL over the columns of `images`, each with its parameters; see `image_condition`.
        """
        where = " AND ".join(["dataset = ?", *(f"({condition})" for condition, _ in conditions)])
        parameters = [dataset, *(value for _, values in conditions for value in values)]
        # ImageItem._make would cost as much as the query itself.
        return list(map(tuple.__new__, repeat(ImageItem), self._rows(_ITEM + where, parameters)))

    def image_views(self: Rows, dataset: str) -> list[ViewRow]:
        """Counts of a dataset's images, one row a combination that occurs, by view."""
        statement = (
            "SELECT view, split, q7_verdict, problem IS NOT NULL, COUNT(*) FROM images WHERE dataset = ? "
            "GROUP BY 1, 2, 3, 4 ORDER BY 1"
        )
        return [
            ViewRow(view, split, verdict, bool(left_out), images)
            for view, split, verdict, left_out, images in self._rows(statement, (dataset,))
        ]

    def image(self: Rows, image_id: int) -> tuple[str, ImageRow] | None:
        """The dataset of an image, and its row; None where there is no such image (any more)."""
        rows = self._rows(select("images", ("dataset", *columns(ImageRow)), "WHERE id = ?"), (image_id,))
        return (rows[0][0], from_row(ImageRow, rows[0][1:])) if rows else None

    def image_answers(self: Rows, dataset: str, question: str, view: str | None = None) -> list[tuple[str | None, int]]:
        """Raw answers to one question with the number of usable images that have them; None: those without one.

        Raises:
            UsageError: there is no such question.
        """
        if question not in QUESTION_IDS:
            raise UsageError(f"There is no question {question!r}", f"The questions are {', '.join(QUESTION_IDS)}.")
        within, parameters = ("", ()) if view is None else (" AND view = ?", (view,))
        statement = (
            f"SELECT {EXPRESSIONS[question]}, COUNT(*) FROM images WHERE dataset = ? AND problem IS NULL{within} "  # noqa: S608
            "GROUP BY 1"
        )
        return [(row[0], row[1]) for row in self._rows(statement, (dataset, *parameters))]

    def image_count(self: Rows, dataset: str) -> int:
        """Number of a dataset's images, problems included."""
        return int(self._rows("SELECT COUNT(*) FROM images WHERE dataset = ?", (dataset,))[0][0])

    def lacks_answers(self: Rows, dataset: str) -> bool:
        """Whether the usable images of a dataset have no answers here, because an older version imported it."""
        # One image tells for all: they are recorded in one transaction.
        statement = "SELECT answers IS NULL FROM images WHERE dataset = ? AND problem IS NULL LIMIT 1"
        rows = self._rows(statement, (dataset,))
        return bool(rows and rows[0][0])

    def image_problems(self: Rows, dataset: str) -> list[tuple[str, str]]:
        """Path and reason of every image that was left out."""
        statement = "SELECT path, problem FROM images WHERE dataset = ? AND problem IS NOT NULL ORDER BY path, id"
        return [(row[0], row[1]) for row in self._rows(statement, (dataset,))]


def image_condition(column: str, value: str) -> tuple[str, Sequence[Any]]:
    """The condition that a column of `EXPRESSIONS` has exactly this value."""
    return f"{EXPRESSIONS[column]} = ?", (value,)


def sort_items(items: list[ImageItem], column: str, descending: bool = False) -> list[ImageItem]:
    """Sorted by a column of `SORTS`, then by path in natural order; items without a value come last, either way.

    Not in SQL: a path with numbers in it (`Abdomen_2` before `Abdomen_10`) has no order that SQLite knows.

    Raises:
        UsageError: the column cannot be sorted by.
    """
    if column not in SORTS:
        raise UsageError(f"Images cannot be sorted by {column!r}", f"Sort by one of: {', '.join(SORTS)}.")
    if column == "path":
        return sorted(items, key=_by_path, reverse=descending)
    by_path = sorted(items, key=_by_path)
    place = ImageItem._fields.index(column)
    with_value = [item for item in by_path if item[place] is not None]
    if column == "split":
        with_value.sort(key=lambda item: _SPLIT_ORDER.get(item.split or "", len(_SPLIT_ORDER)), reverse=descending)
    else:
        with_value.sort(key=itemgetter(place), reverse=descending)
    return with_value + [item for item in by_path if item[place] is None]


def natural_key(path: str) -> str:
    """Sorts numbers by their value: each is filled up with zeros to twenty digits."""
    return _NUMBER.sub(lambda number: number[0].zfill(20), path)


def _by_path(item: ImageItem) -> str:
    return natural_key(item.path)
