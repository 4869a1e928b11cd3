"""Two subjects on the same images: case for case, or not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from engine.errors import DataError
from engine.types import Outcome


class Pairable(Protocol):
    """What is known of one image on either side."""

    @property
    def path(self) -> str:
        """Identity of the image."""

    @property
    def target_text(self) -> str:
        """The annotation, which both sides must have been held against."""

    @property
    def outcome(self) -> Outcome:
        """What became of the output."""


P = TypeVar("P", bound=Pairable)


class UnpairedError(DataError, ValueError):
    """Two subjects that were not measured on the same images with the same targets."""


@dataclass(frozen=True, slots=True)
class Pairs(Generic[P]):
    """Both sides in path order; `first[i]` and `second[i]` are of one image, whose target can be read."""

    first: list[P]
    second: list[P]
    unscored: int
    """Images left out because their target cannot be read."""

    def __len__(self) -> int:
        return len(self.first)


def paired(first: Sequence[P], second: Sequence[P]) -> Pairs[P]:
    """Bring two subjects' cases together by path.

    Raises:
        UnpairedError: an image stands on one side alone, stands twice on a side, or has another target on each.
    """
    left, right = _by_path(first), _by_path(second)
    alone = len(left.keys() - right.keys()), len(right.keys() - left.keys())
    if any(alone):
        raise UnpairedError(
            "The two were measured on different images",
            f"{alone[0]:,} images have an answer of the first alone and {alone[1]:,} of the second alone; "
            f"{len(left.keys() & right.keys()):,} are shared.",
            "Evaluate both on the same split of the same dataset.",
        )
    unlike = sum(case.target_text != right[path].target_text for path, case in left.items())
    if unlike:
        raise UnpairedError(
            "The two were held against different annotations",
            f"{unlike:,} of {len(left):,} images have another target on each side.",
            "Evaluate both again on the same version of the dataset.",
        )
    measured = [path for path in sorted(left) if Outcome.UNSCORED not in (left[path].outcome, right[path].outcome)]
    return Pairs(
        [left[path] for path in measured], [right[path] for path in measured], unscored=len(left) - len(measured)
    )


def _by_path(cases: Sequence[P]) -> Mapping[str, P]:
    known = {case.path: case for case in cases}
    if len(known) != len(cases):
        raise UnpairedError(
            "An image has more than one answer",
            f"{len(cases) - len(known):,} of {len(cases):,} answers are of an image that has one already.",
            "Compare evaluations of one question, or imported files with one line an image.",
        )
    return known
