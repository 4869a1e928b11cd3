"""Which images the Ask screen steps through: those of one split of a dataset, or a single file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engine import api

SPLITS = ("validation", "test", "train", "all")
"""In the order in which a key goes through them: what the run has not learned from comes first."""


@dataclass(frozen=True, slots=True)
class ImageChoice:
    """One answer of the poller: the images of a split."""

    dataset: str
    split: str
    root: Path
    items: tuple[api.ImageItem, ...]
    """Usable ones, in path order."""


def read_images(live: api.Live, dataset: str, split: str) -> ImageChoice:
    """The usable images of a split; runs in the poller's thread.

    Raises:
        DataError: there is no such dataset.
    """
    found = api.browse(live, api.ImageQuery(dataset, split=None if split == "all" else split))
    return ImageChoice(dataset, split, found.root, tuple(item for item in found.items if item.problem is None))


def place_of(choice: ImageChoice, path: str) -> int:
    """Where an image stands in the list; 0 where it does not."""
    return next((place for place, item in enumerate(choice.items) if item.path == path), 0)


def facts(choice: ImageChoice, at: int) -> str:
    """Which image it is, for the line beside the breadcrumbs; untrusted text."""
    item = choice.items[at]
    name = item.path.rpartition("/")[2]
    split = item.split if choice.split != "all" else f"{item.split}, all"
    return f"{choice.dataset} · {name} · {split} {at + 1}/{len(choice.items)}"


def around(choice: ImageChoice, at: int) -> list[str]:
    """Paths of the neighbours, the next one first."""
    return [choice.items[place].path for place in (at + 1, at - 1) if 0 <= place < len(choice.items)]
