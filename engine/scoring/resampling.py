"""Resampled images as counts, shared by every subject that is looked at on them: one draw for a whole study."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from engine.scoring.bootstrap import RESAMPLES, Strata, chunks
from engine.scoring.intervals import Figures

KEPT = 12
"""Draws that are remembered; one takes 2 bytes an image and resample."""

APART = 1_000_003
"""Added to the seed where other images are drawn beside the first ones."""

Counts16 = NDArray[np.uint16]


class Resampling:
    """How often each image is drawn in each resample; images of each class are drawn apart, in their own number.

    What is drawn depends on the classes and the seed alone: never on the subjects, nor on the order in which they come.
    """

    def __init__(self, seed: int = 0, resamples: int = RESAMPLES) -> None:
        self.resamples = resamples
        self._seed = seed
        self._known: dict[bytes, Counts16] = {}

    def apart(self) -> Resampling:
        """Draws of other images, independent of these: the same numbers would tie images by their place."""
        return Resampling(self._seed + APART, self.resamples)

    def counts(self, classes: Strata) -> Counts16:
        """Shape (resamples, images).

        Args:
            classes: class of each image, shape (images,), at least one image.
        """
        key = np.asarray(classes, dtype=np.intp).tobytes()
        if key not in self._known:
            if len(self._known) >= KEPT:
                self._known.pop(next(iter(self._known)))
            self._known[key] = self._drawn(classes)
        return self._known[key]

    def blocks(self, classes: Strata) -> Iterator[Figures]:
        """The counts as floats, a block of resamples at a time, in bounded memory."""
        counts = self.counts(classes)
        for rows in chunks(self.resamples, len(classes)):
            yield counts[rows].astype(np.float64)

    def sums(self, classes: Strata, values: Figures) -> Figures:
        """Sum over the drawn images of `values`, shape (images,), in every resample, shape (resamples,)."""
        return np.concatenate([block @ values for block in self.blocks(classes)])

    def _drawn(self, classes: Strata) -> Counts16:
        generator = np.random.default_rng(self._seed)
        counts = np.zeros((self.resamples, len(classes)), dtype=np.uint16)
        for each in np.unique(classes):
            members = np.flatnonzero(classes == each)
            for rows in chunks(self.resamples, len(members)):
                size = rows.stop - rows.start
                chosen = generator.integers(0, len(members), size=(size, len(members)))
                chosen += np.arange(size)[:, None] * len(members)
                drawn = np.bincount(chosen.ravel(), minlength=size * len(members))
                counts[rows, members] = drawn.reshape(size, len(members))
        return counts


def class_weights(classes: Strata) -> Figures:
    """What each image adds to a mean of class means, shape (images,); 1 / images where there is one class.

    Args:
        classes: numbered from 0, every number up to the highest has an image.
    """
    sizes = np.bincount(classes)
    return np.asarray(1.0 / (len(sizes) * sizes[classes]), dtype=np.float64)


def weighted_areas(positives: Figures, negatives: Figures, above: Figures, below: Figures) -> Figures:
    """Area under the ROC curve in each row of counts, ties counting half; equal to scikit-learn's with sample weights.

    Args:
        positives: how often each abnormal image was drawn, shape (rows, abnormal images).
        negatives: how often each normal image was drawn, shape (rows, normal images).
        above: score of each abnormal image, shape (abnormal images,).
        below: score of each normal image, shape (normal images,).

    Returns:
        Shape (rows,).
    """
    order = np.argsort(below, kind="stable")
    running = np.zeros((len(negatives), len(order) + 1))
    np.cumsum(negatives[:, order], axis=1, out=running[:, 1:])
    start = np.searchsorted(below[order], above, side="left")
    end = np.searchsorted(below[order], above, side="right")
    wins = (positives * (running[:, start] + running[:, end])).sum(axis=1)
    return np.asarray(wins / (2.0 * positives.sum(axis=1) * negatives.sum(axis=1)), dtype=np.float64)
