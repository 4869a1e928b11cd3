"""Scores of Q7, over all cases and for each view, every one with n and a 95 % interval.

Two decisions are scored. The plain names decide by P(abnormal) >= threshold, which every case with a probability has;
a server's error has none, and counts as called the wrong class. AUROC and calibration are those of the probabilities.
The names with `text_` take the verdict of the generated text, where an unclear or unparseable answer is never right:
it counts against accuracy and against the sensitivity or specificity of its class. `unclear_rate` tells how many said
that it cannot be told (an answer, if neither normal nor abnormal), `unparseable_rate` how many said nothing readable.
Cases whose own target is neither normal nor abnormal belong to these two rates alone.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import isfinite

import numpy as np

from engine.scoring.binary import auroc, balanced_accuracy, matthews
from engine.scoring.calibration import brier, calibration_error, width_bins
from engine.scoring.intervals import Counts, Figures, percentile_interval, resampled_counts
from engine.scoring.rates import proportion
from engine.types import Score, Verdict

NO_THRESHOLD = 0.5
"""Threshold where none can be chosen."""

BOOTSTRAPPED = ("balanced_accuracy", "mcc", "auroc", "brier", "ece")
"""Names of the figures whose intervals come from the bootstrap."""


@dataclass(frozen=True, slots=True)
class ScoredCase:
    """One case as the scores see it."""

    view: str
    target: Verdict
    verdict: Verdict
    """What the generated text says."""
    p_abnormal: float | None
    """Probability of an abnormal answer, in 0..1; None where no candidates were scored."""
    failed: bool = False
    """A server's error in place of an answer; it has no probability."""


@dataclass(frozen=True, slots=True)
class _Tally:
    """How many cases of each class were called right."""

    hits: int
    positives: int
    rejections: int
    negatives: int


def score_normality(
    rows: Sequence[ScoredCase], threshold: float, *, seed: int = 0, resamples: int = 2000
) -> list[Score]:
    """Every score of Q7, in scope `all` and in `view:NAME` for each view in alphabetical order.

    Proportions have Wilson intervals; balanced accuracy, MCC, AUROC, Brier score and expected calibration error the
    percentile interval of a bootstrap stratified by class. Where a class has no case, the figures that need it are
    None; n says how many cases there were. Calibration is that of the given share of abnormal cases.

    Args:
        rows: the cases; an empty list gives no score.
        threshold: P(abnormal) from which a case is called abnormal.
        seed: of the bootstrap; each scope has its own stream, so one view never depends on the others.
        resamples: of the bootstrap.
    """
    if not _decided(rows):  # the text decides alone
        rows = [replace(row, failed=False) for row in rows]
    scopes: dict[str, list[ScoredCase]] = {"all": list(rows)} if rows else {}
    views: dict[str, list[ScoredCase]] = defaultdict(list)
    for row in rows:
        views[row.view].append(row)
    scopes |= {f"view:{view}": views[view] for view in sorted(views)}
    return [
        score
        for scope, members in scopes.items()
        for score in _scope_scores(scope, members, threshold, (seed, zlib.crc32(scope.encode())), resamples)
    ]


def choose_threshold(rows: Sequence[ScoredCase]) -> float:
    """The threshold on P(abnormal) with the highest balanced accuracy; among equals the one closest to 0.5.

    Candidates are the midpoints between neighbouring distinct scores, one below all of them and one above. Meant for
    the validation split: chosen on the cases that it then judges, it flatters.

    Returns:
        A threshold in 0..1; 0.5 where the rows lack one of the classes.
    """
    scores, positives, negatives = _by_score(_decided(rows))
    if not positives.sum() or not negatives.sum():
        return NO_THRESHOLD
    edges = np.concatenate([[0.0], scores, [1.0]])
    middles = (edges[:-1] + edges[1:]) / 2
    middles = np.where(middles > edges[:-1], middles, edges[1:])  # neighbours without a float between them
    if scores[-1] >= 1.0:
        middles = middles[:-1]  # nothing lies above all scores
    called = len(middles)
    hits = positives.sum() - np.concatenate([[0], np.cumsum(positives)])[:called]
    rejections = np.concatenate([[0], np.cumsum(negatives)])[:called]
    # whole numbers: equal balanced accuracies compare as equal
    gain = hits * negatives.sum() + rejections * positives.sum()
    best = middles[gain == gain.max()]
    return float(best[np.argmin(np.abs(best - 0.5))])


def _decided(rows: Sequence[ScoredCase]) -> list[ScoredCase]:
    """Cases of either class with a probability; a model that overflowed says NaN, which is none."""
    return [row for row in _binary(rows) if row.p_abnormal is not None and isfinite(row.p_abnormal)]


def _binary(rows: Sequence[ScoredCase]) -> list[ScoredCase]:
    return [row for row in rows if row.target in {Verdict.NORMAL, Verdict.ABNORMAL}]


def _by_score(rows: Sequence[ScoredCase]) -> tuple[Figures, Counts, Counts]:
    """Distinct scores ascending, and how many abnormal and normal cases have each; all of shape (scores,)."""
    scores, position = np.unique(np.array([row.p_abnormal for row in rows], dtype=np.float64), return_inverse=True)
    abnormal = np.array([row.target is Verdict.ABNORMAL for row in rows], dtype=bool)
    positives = np.bincount(position[abnormal], minlength=len(scores))
    negatives = np.bincount(position[~abnormal], minlength=len(scores))
    return scores, positives, negatives


def _scope_scores(
    scope: str, rows: Sequence[ScoredCase], threshold: float, seed: tuple[int, int], resamples: int
) -> Iterator[Score]:
    decided, spoken = _decided(rows), _binary(rows)
    failed = [row.target for row in spoken if row.failed]
    scores, positives, negatives = _by_score(decided)
    called = scores >= threshold
    tally = _Tally(
        int(positives[called].sum()),
        int(positives.sum()) + failed.count(Verdict.ABNORMAL),
        int(negatives[~called].sum()),
        int(negatives.sum()) + failed.count(Verdict.NORMAL),
    )
    yield from _proportions(scope, "", tally)
    of_errors = {each.name: each for each in _of_both(scope, tally, (*seed, 2), resamples)} if failed else {}
    for score in _bootstrapped(scope, (scores, positives, negatives), called, seed, resamples):
        yield of_errors.get(score.name, score)
    text = _tally_of_text(spoken)
    yield from _proportions(scope, "text_", text)
    yield _balanced_text(scope, text, seed, resamples)
    yield proportion(scope, "unclear_rate", sum(row.verdict is Verdict.UNCLEAR for row in rows), len(rows))
    yield proportion(scope, "unparseable_rate", sum(row.verdict is Verdict.UNPARSEABLE for row in rows), len(rows))


def _tally_of_text(rows: Sequence[ScoredCase]) -> _Tally:
    abnormal = [row.verdict for row in rows if row.target is Verdict.ABNORMAL]
    normal = [row.verdict for row in rows if row.target is Verdict.NORMAL]
    return _Tally(abnormal.count(Verdict.ABNORMAL), len(abnormal), normal.count(Verdict.NORMAL), len(normal))


def _proportions(scope: str, prefix: str, tally: _Tally) -> Iterator[Score]:
    right, n = tally.hits + tally.rejections, tally.positives + tally.negatives
    yield proportion(scope, f"{prefix}accuracy", right, n)
    yield proportion(scope, f"{prefix}sensitivity", tally.hits, tally.positives)
    yield proportion(scope, f"{prefix}specificity", tally.rejections, tally.negatives)


def _bootstrapped(
    scope: str, by_score: tuple[Figures, Counts, Counts], called: np.ndarray, seed: tuple[int, int], resamples: int
) -> Iterator[Score]:
    """Figures of both classes and figures of calibration; all from the same resamples."""
    scores, positives, negatives = by_score
    pos, neg = int(positives.sum()), int(negatives.sum())
    of_both = ("balanced_accuracy", "mcc", "auroc") if pos and neg else ()
    names = of_both + (("brier", "ece") if len(scores) else ())
    yield from (Score(scope, name, None, None, None, pos + neg) for name in BOOTSTRAPPED if name not in names)
    if not names:
        return
    bins = width_bins(scores)

    def figures(drawn_pos: Counts, drawn_neg: Counts) -> Figures:
        floats = drawn_pos.astype(np.float64), drawn_neg.astype(np.float64)  # multiplied by the fast library
        rows = []
        if of_both:
            hits = np.asarray(floats[0] @ called, dtype=np.int64)
            rejections = np.asarray(floats[1] @ ~called, dtype=np.int64)
            rows += [
                balanced_accuracy(hits, pos, rejections, neg),
                matthews(hits, pos, rejections, neg),
                auroc(drawn_pos, drawn_neg),
            ]
        rows += [brier(scores, *floats), calibration_error(scores, *floats, bins)]
        return np.stack(rows)

    values = figures(positives[None], negatives[None])[:, 0]
    generator = np.random.default_rng(seed)
    draws = [figures(*drawn) for drawn in resampled_counts(positives, negatives, resamples, generator)]
    for name, value, resampled in zip(names, values, np.concatenate(draws, axis=1), strict=True):
        yield Score(scope, name, float(value), *percentile_interval(resampled), pos + neg)


def _balanced_text(scope: str, tally: _Tally, seed: tuple[int, int], resamples: int) -> Score:
    """Balanced accuracy of the generated text."""
    balanced, _ = _of_both(scope, tally, (*seed, 1), resamples)
    return replace(balanced, name="text_balanced_accuracy")


def _of_both(scope: str, tally: _Tally, seed: tuple[int, ...], resamples: int) -> tuple[Score, Score]:
    """Balanced accuracy and MCC from counts; hits and rejections of a stratified resample are binomial."""
    pos, neg = tally.positives, tally.negatives
    if not pos or not neg:
        none = Score(scope, "balanced_accuracy", None, None, None, pos + neg)
        return none, replace(none, name="mcc")
    generator = np.random.default_rng(seed)
    hits = generator.binomial(pos, tally.hits / pos, size=resamples)
    rejections = generator.binomial(neg, tally.rejections / neg, size=resamples)
    value = (tally.hits / pos + tally.rejections / neg) / 2
    drawn = balanced_accuracy(hits, pos, rejections, neg)
    mcc = float(matthews(np.array(tally.hits), pos, np.array(tally.rejections), neg))
    return (
        Score(scope, "balanced_accuracy", value, *percentile_interval(drawn), pos + neg),
        Score(scope, "mcc", mcc, *percentile_interval(matthews(hits, pos, rejections, neg)), pos + neg),
    )
