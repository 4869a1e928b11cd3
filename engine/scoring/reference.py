"""The reference that needs no model: the majority class of the training split, as cases to be scored."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from engine.scoring.normality import ScoredCase
from engine.types import Verdict


def majority_rows(train_targets: Sequence[Verdict], cases: Iterable[tuple[str, Verdict]]) -> list[ScoredCase]:
    """Every case called what most of the training split is, with one and the same P(abnormal).

    Whatever the threshold, balanced accuracy is 0.5, AUROC 0.5 and MCC 0: what a tuned model has to beat.

    Args:
        train_targets: verdicts of the training split; those that are neither normal nor abnormal are left out.
        cases: (view, target) of each case.

    Raises:
        ValueError: no training target is normal or abnormal.
    """
    abnormal = sum(target is Verdict.ABNORMAL for target in train_targets)
    normal = sum(target is Verdict.NORMAL for target in train_targets)
    if not abnormal + normal:
        raise ValueError("no training target is normal or abnormal")
    share = abnormal / (abnormal + normal)
    verdict = Verdict.ABNORMAL if share >= 0.5 else Verdict.NORMAL  # as the probability is decided at 0.5
    return [ScoredCase(view, target, verdict, share) for view, target in cases]
