"""One figure of a subject image by image and seed by seed, and what it comes to on resampled images."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto

import numpy as np
from numpy.typing import NDArray

from engine.scoring.binary import matthews
from engine.scoring.bootstrap import Strata
from engine.scoring.intervals import Figures
from engine.scoring.resampling import Resampling, class_weights, weighted_areas

EXACT = 12
"""Decimals that figures are rounded to, so that a sum of n times 1 / n is 1."""


class Kind(Enum):
    """How a figure comes from the values of images."""

    MEAN = auto()
    """Mean of the class means; a plain mean where all images are of one class."""
    AUROC = auto()
    """Area under the ROC curve of the values; class 1 is abnormal."""
    MCC = auto()
    """Matthews correlation coefficient; values are 1 where the call is right, class 1 is abnormal."""


@dataclass(frozen=True, slots=True)
class Redrawn:
    """A threshold that was chosen on other images, which are resampled too: it is chosen anew in each resample."""

    p: Figures
    """P(abnormal) of the abnormal images, shape (seeds, images); NaN where there is none, which no threshold finds."""
    thresholds: Figures
    """Shape (seeds, resamples)."""

    def at(self, images: NDArray[np.bool_]) -> Redrawn:
        """The same on these images alone."""
        return Redrawn(self.p[:, images], self.thresholds)


@dataclass(frozen=True, slots=True)
class SeedValues:
    """One figure of one subject, image by image and seed by seed."""

    name: str
    kind: Kind
    values: Figures
    """Shape (seeds, images); NaN where an image says nothing about the figure."""
    classes: Strata
    """Class of each image by its target, shape (images,): the same for every subject."""
    redrawn: Redrawn | None = None
    """Sensitivity at a threshold whose own uncertainty the interval holds; values are those at the threshold itself."""
    one_class_left: bool = False
    """These are some of the images of a mean of class means, and all of one class: there is no such mean."""

    def usable(self) -> NDArray[np.bool_]:
        """Images that have a value in every seed, shape (images,)."""
        return np.asarray(np.isfinite(self.values).all(axis=0))

    def at(self, images: NDArray[np.bool_]) -> SeedValues:
        """The same on these images alone, with classes numbered from 0 where they are strata of a mean."""
        classes = self.classes[images]
        one_left = self.one_class_left
        if self.kind is Kind.MEAN:
            left, numbers = np.unique(classes, return_inverse=True)
            one_left |= len(left) == 1 < len(np.unique(self.classes[self.usable()]))
            classes = np.asarray(numbers, dtype=np.intp)
        redrawn = None if self.redrawn is None else self.redrawn.at(images)
        return replace(self, values=self.values[:, images], classes=classes, redrawn=redrawn, one_class_left=one_left)

    @property
    def defined(self) -> bool:
        """Whether there is a figure at all; AUROC and MCC need images of both classes, class means of several."""
        enough = not self.one_class_left if self.kind is Kind.MEAN else len(np.unique(self.classes)) == 2
        return bool(self.values.size) and enough


def by_seeds(values: SeedValues) -> Figures:
    """The figure of each seed, shape (seeds,), of values that are usable and defined."""
    ones = np.ones((1, values.values.shape[1]))
    return np.round([_figures(values, row, ones)[0] for row in values.values], EXACT)


def drawn(values: SeedValues, resampling: Resampling) -> Figures:
    """The mean over the seeds in every resample of the images, shape (resamples,)."""
    if values.redrawn is not None:
        return np.round(_found_at(values.redrawn, values, resampling), EXACT)
    if values.kind is Kind.MEAN:  # linear, so the mean over the seeds may be taken first
        means = resampling.sums(values.classes, values.values.mean(axis=0) * class_weights(values.classes))
        return np.round(means, EXACT)
    return np.concatenate(
        [
            np.mean([_figures(values, row, counts) for row in values.values], axis=0)
            for counts in resampling.blocks(values.classes)
        ]
    )


def _found_at(redrawn: Redrawn, values: SeedValues, resampling: Resampling) -> Figures:
    """Share of the drawn images at or above the threshold of each resample, the mean over the seeds."""
    shares = []
    start = 0
    for counts in resampling.blocks(values.classes):
        rows = slice(start, start + len(counts))
        found = [
            (counts * (p >= thresholds[rows, None])).sum(axis=1) / len(p)
            for p, thresholds in zip(redrawn.p, redrawn.thresholds, strict=True)
        ]
        shares.append(np.mean(found, axis=0))
        start = rows.stop
    return np.concatenate(shares)


def _figures(values: SeedValues, row: Figures, counts: Figures) -> Figures:
    """The figure of one seed in each row of counts, shape (rows,); counts say how often each image was drawn."""
    if values.kind is Kind.MEAN:
        return np.asarray(counts @ (row * class_weights(values.classes)), dtype=np.float64)
    abnormal = values.classes == 1
    if values.kind is Kind.AUROC:
        return weighted_areas(counts[:, abnormal], counts[:, ~abnormal], row[abnormal], row[~abnormal])
    positives, negatives = int(abnormal.sum()), int((~abnormal).sum())
    hits, rejections = counts[:, abnormal] @ row[abnormal], counts[:, ~abnormal] @ row[~abnormal]
    return matthews(hits, positives, rejections, negatives)
