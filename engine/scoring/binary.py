"""Figures of two classes from counts; every function takes one resample or many at once.

The last axis of `positives` and `negatives` runs over the distinct scores in ascending order.
"""

from __future__ import annotations

import numpy as np

from engine.scoring.intervals import Counts, Figures


def auroc(positives: Counts, negatives: Counts) -> Figures:
    """Area under the ROC curve: P(a positive case scores above a negative one), ties counting half.

    The Mann-Whitney statistic (Hanley and McNeil 1982), equal to `sklearn.metrics.roc_auc_score`.

    Args:
        positives: positive cases by distinct score, shape (..., scores), none without cases.
        negatives: negative cases by the same scores.
    """
    below = np.cumsum(negatives, axis=-1) - negatives
    wins = (positives * (below + negatives / 2)).sum(axis=-1)
    return np.asarray(wins / (positives.sum(axis=-1) * negatives.sum(axis=-1)), dtype=np.float64)


def balanced_accuracy(hits: Counts, positives: int, rejections: Counts, negatives: int) -> Figures:
    """Mean of sensitivity and specificity.

    Args:
        hits: positive cases called positive, any shape.
        positives: all positive cases, at least one.
        rejections: negative cases called negative, same shape as `hits`.
        negatives: all negative cases, at least one.
    """
    return np.asarray((hits / positives + rejections / negatives) / 2, dtype=np.float64)


def matthews(hits: Counts, positives: int, rejections: Counts, negatives: int) -> Figures:
    """Matthews correlation coefficient (Matthews 1975); 0 where all cases are called the same, as in scikit-learn.

    Arguments as for `balanced_accuracy`.
    """
    tp, tn = hits.astype(np.float64), rejections.astype(np.float64)
    fn, fp = positives - tp, negatives - tn
    scale = np.sqrt((tp + fp) * (tn + fn)) * np.sqrt(float(positives) * float(negatives))
    figures: Figures = np.divide(tp * tn - fp * fn, scale, out=np.zeros_like(scale), where=scale > 0)
    return figures
