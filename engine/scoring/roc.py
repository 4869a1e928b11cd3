"""Points of the ROC curve, for plots; the area under it is `binary.auroc`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import roc_curve


@dataclass(frozen=True, slots=True)
class RocPoint:
    """What calling every case at or above `threshold` abnormal gives."""

    false_positive_rate: float
    sensitivity: float
    threshold: float
    """Infinite at the first point, where nothing is called abnormal."""


def roc_points(p_abnormal: Sequence[float], abnormal: Sequence[bool]) -> list[RocPoint]:
    """Corners of the ROC curve from (0, 0) to (1, 1), by scikit-learn; empty where a class has no case.

    Args:
        p_abnormal: P(abnormal) of each case; finite.
        abnormal: whether each is abnormal.
    """
    truth = np.asarray(abnormal, dtype=bool)
    if not truth.any() or truth.all():
        return []
    false_positives, hits, thresholds = roc_curve(truth, np.asarray(p_abnormal, dtype=np.float64))
    return [RocPoint(*map(float, point)) for point in zip(false_positives, hits, thresholds, strict=True)]
