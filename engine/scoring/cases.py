"""One answer held against its target, as every score of every question sees it."""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Protocol, TypeVar

from engine.questions.reading import Reading
from engine.types import Outcome, Score

ALL = "all"
"""Scope over every case; the others are `view:NAME`."""


class Viewed(Protocol):
    """Whatever was measured on one image."""

    @property
    def path(self) -> str:
        """Identity of the image."""

    @property
    def view(self) -> str:
        """Folder of the image."""


class Judged(Protocol):
    """Whatever was judged as a whole."""

    @property
    def outcome(self) -> Outcome:
        """What became of the output."""


V = TypeVar("V", bound=Viewed)


@dataclass(frozen=True, slots=True)
class AnsweredCase:
    """What was said of one image, and what should have been said."""

    path: str
    view: str
    said: Reading
    target: Reading
    said_text: str
    """The output as it came; untrusted."""
    target_text: str
    """The annotation as it was written; untrusted."""
    outcome: Outcome
    p_abnormal: float | None = None
    """Q7 alone: probability of an abnormal answer, in 0..1; None where no candidates were scored."""


def probability_of(case: AnsweredCase) -> float | None:
    """P(abnormal) of a case; None where there is none.

    A server's error has none, whatever number comes along with it; a model that overflowed says NaN, which is none.
    """
    p = case.p_abnormal
    return p if p is not None and isfinite(p) and case.outcome is not Outcome.ERROR else None


def scored(cases: Sequence[AnsweredCase]) -> list[AnsweredCase]:
    """The cases whose target can be read; the others say nothing about a model and belong to `unscored_rate` alone."""
    return [case for case in cases if case.outcome is not Outcome.UNSCORED]


def positions_by_scope(cases: Sequence[Viewed]) -> dict[str, list[int]]:
    """Positions of the cases of each scope: `all` first, then `view:NAME` in alphabetical order; {} without cases."""
    views: dict[str, list[int]] = defaultdict(list)
    for position, case in enumerate(cases):
        views[case.view].append(position)
    scopes = {ALL: list(range(len(cases)))} if cases else {}
    return scopes | {f"view:{view}": views[view] for view in sorted(views)}


def in_path_order(cases: Sequence[V]) -> list[V]:
    """The cases sorted by path, so that no figure depends on the order in which they came."""
    return sorted(cases, key=lambda case: case.path)


def stream(seed: int, scope: str) -> tuple[int, int]:
    """Seed of the random numbers of one scope: the figures of a view never depend on the other views."""
    return seed, zlib.crc32(scope.encode())


def names_of(scores: Sequence[Score], scope: str = ALL) -> dict[str, Score]:
    """The scores of one scope by name."""
    return {score.name: score for score in scores if score.scope == scope}
