"""Browsing a dataset: which images there are, view by view, and what was left out.

Every function takes a workspace, or what a screen that asks often keeps open: a reader, or a `Live` around one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.api.live import Live
from engine.api.reading import open_reader
from engine.data.manifest import image_root, open_dataset
from engine.data.paths import storable
from engine.errors import DataError
from engine.store.images import UNANSWERED, ImageItem, ViewRow, image_condition, sort_items
from engine.store.reader import Reader
from engine.types import DatasetRecord, Problem, Split, Verdict
from engine.workspace import Workspace

Source = Live | Reader | Workspace


@dataclass(frozen=True, slots=True)
class ImageQuery:
    """Which images of a dataset to list, and in which order."""

    dataset: str
    view: str | None = None
    split: Split | str | None = None
    verdict: Verdict | str | None = None
    """A verdict on Q7, or `unanswered`."""
    problems_only: bool = False
    filter: str = ""
    """In the filter language, over `IMAGE_FILTER_COLUMNS`; words alone are looked for in the path."""
    sort: str = "path"
    descending: bool = False


@dataclass(frozen=True, slots=True)
class ImageList:
    """The images that a query finds."""

    query: ImageQuery
    items: list[ImageItem]
    total: int
    """Images of the dataset, problems included, whether they are in the list or not."""
    root: Path
    """Image root: `locate_image` finds the file of an item under it."""
    lacks_answers: bool
    """An older version imported the dataset: a filter on answers finds nothing until it is imported again."""


@dataclass(frozen=True, slots=True)
class ViewSummary:
    """One view: its usable images by split and by verdict on Q7, and how many were left out."""

    view: str
    train: int
    validation: int
    test: int
    normal: int
    abnormal: int
    unclear: int
    unparseable: int
    unanswered: int
    problems: int

    @property
    def images(self) -> int:
        """Usable images."""
        return self.train + self.validation + self.test


@contextmanager
def reading(source: Source) -> Iterator[Reader]:
    """A reader: one that is open stays open, and one for a workspace is closed afterwards.

    Raises:
        StoreError: nothing has been recorded yet.
    """
    kept = source.reader() if isinstance(source, Live) else source if isinstance(source, Reader) else None
    if kept is not None:
        yield kept
    else:
        with open_reader(source if isinstance(source, Workspace) else source.workspace) as reader:
            yield reader


def recorded_dataset(reader: Reader, name: str) -> DatasetRecord:
    """The record of a dataset; DataError where runs.db has none of that name."""
    record = reader.dataset(name)
    if record is None:
        known = ", ".join(each.name for each in reader.datasets())
        raise DataError(
            f"There is no dataset named {storable(name, 80)} in {reader.workspace.root}.",
            f"Datasets here: {known}." if known else "No dataset has been imported yet.",
            "Import it with `sonotune data import`; `sonotune data import phantoms` needs no files.",
        )
    return record


def browse(source: Source, query: ImageQuery) -> ImageList:
    """All images that match, sorted; paths with numbers in natural order (`Abdomen_2` before `Abdomen_10`).

    Raises:
        DataError: there is no such dataset.
        UsageError: the filter or the order cannot be understood, and where in it.
    """
    with reading(source) as reader:
        record = recorded_dataset(reader, query.dataset)
        items = reader.image_items(record.name, _conditions(query))
        return ImageList(
            query,
            sort_items(items, query.sort, query.descending),
            reader.image_count(record.name),
            image_root(reader.workspace, record),
            reader.lacks_answers(record.name),
        )


def _conditions(query: ImageQuery) -> list[tuple[str, Sequence[Any]]]:
    wanted = {"view": query.view, "split": query.split, "verdict": query.verdict}
    conditions: list[tuple[str, Sequence[Any]]] = [
        image_condition(column, str(value)) for column, value in wanted.items() if value is not None
    ]
    if query.problems_only:
        conditions.append(("problem IS NOT NULL", ()))
    if query.filter.strip():
        from engine.store.image_filter import image_filter  # only here: most lists have no filter

        conditions.append(image_filter(query.filter))
    return conditions


def view_summary(source: Source, dataset: str) -> list[ViewSummary]:
    """One row a view, in alphabetical order; counted from the rows that `browse` lists, so that the two agree."""
    with reading(source) as reader:
        rows = reader.image_views(recorded_dataset(reader, dataset).name)
    views: dict[str, Counter[str]] = {}
    for row in rows:
        views.setdefault(row.view, Counter()).update(dict.fromkeys(_counted_as(row), row.images))
    names = [*Split, *Verdict, UNANSWERED, "problems"]
    return [ViewSummary(view, **{str(name): counts[name] for name in names}) for view, counts in views.items()]


def _counted_as(row: ViewRow) -> tuple[str, ...]:
    return ("problems",) if row.left_out else (row.split or "", row.verdict or UNANSWERED)


def dataset_problems(source: Source, dataset: str) -> list[Problem]:
    """Everything that an import left out, images and lines, with the reason and the source.

    A damaged list is a problem itself; what runs.db knows about images is then shown without its source.
    """
    with reading(source) as reader:
        record = recorded_dataset(reader, dataset)
        images = [Problem("", path, reason) for path, reason in reader.image_problems(record.name)]
        workspace = reader.workspace
    try:
        listed = open_dataset(workspace, dataset).problems
    except DataError as error:
        listed = [Problem(f"datasets/{dataset}", dataset, f"{error.title} {error.reason}")]
    known = {(problem.item, problem.reason) for problem in listed}
    return listed + [image for image in images if (storable(image.item), image.reason) not in known]
