"""Each subject held against the baseline: tests, verdicts, the images that changed, view by view."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from engine.comparison.loading import Loaded
from engine.comparison.model import ChangedCase, ComparedAnswer, ComparedPair, ViewChange
from engine.comparison.recipes import recipe_difference
from engine.comparison.testing import Paired, PairTest, standing_of, tests_of_pair
from engine.evaluation.protocol import layers_of
from engine.questions.vocabulary import NORMALITY
from engine.scoring.bootstrap import RESAMPLES
from engine.scoring.comparing import Comparison, decided
from engine.store.outputs import OutputRow
from engine.types import Outcome

TEXT = "text_"
"""Begins the name of a measure of Q7 that takes the verdict of the text, where there are no probabilities."""
BY_TEXT = "the verdict of the generated text agrees with the target"
BY_THRESHOLD = "P(abnormal), each subject at its own threshold, agrees with the target"
Outputs = Mapping[str, OutputRow]
"""What one subject said, by path."""


def compare_pairs(
    question: str, loaded: Sequence[Loaded], *, seed: int = 0, resamples: int = RESAMPLES
) -> list[ComparedPair]:
    """Every other subject against the first; p values are adjusted over all of them."""
    first, *others = [
        Paired.of(each.candidate.title, question, each.row.threshold, each.outputs, layers_of(each.row.protocol))
        for each in loaded
    ]
    tests = [tests_of_pair(first, other, seed=seed, resamples=resamples) for other in others]
    results = decided([test.result for test in tests])
    outputs = [{output.path: output for output in each.outputs} for each in loaded]
    return [
        _pair(place, result, test, (outputs[0], outputs[place]), loaded)
        for place, (result, test) in enumerate(zip(results, tests, strict=True), 1)
    ]


def decision_words(question: str, pairs: Sequence[ComparedPair]) -> str:
    """What makes an answer right, in words."""
    if question != NORMALITY:
        return "the generated text, normalised, agrees with the target"
    by_text = {pair.primary.startswith(TEXT) for pair in pairs if pair.primary}
    if by_text == {True}:
        return BY_TEXT
    return f"{BY_THRESHOLD}; where a subject has no probabilities: {BY_TEXT}" if len(by_text) > 1 else BY_THRESHOLD


def _pair(
    place: int, result: Comparison, test: PairTest, outputs: tuple[Outputs, Outputs], loaded: Sequence[Loaded]
) -> ComparedPair:
    recipe, note = recipe_difference(loaded[0].candidate, loaded[place].candidate)
    changed = [_changed(path, outputs, fixed=True) for path in result.fixed]
    changed += [_changed(path, outputs, fixed=False) for path in result.broken]
    return ComparedPair(
        subject=place,
        standing=standing_of(result),
        verdict=result.sentence,
        n=result.n,
        unscored=result.unscored,
        primary=result.primary,
        differences=result.differences,
        p=result.p,
        p_adjusted=result.p_adjusted,
        mcnemar_p=result.mcnemar_p,
        delong=result.delong,
        changed=tuple(sorted(changed, key=lambda case: (not case.fixed, case.view, case.path))),
        views=_views(test, outputs),
        recipe=recipe,
        recipe_note=note,
    )


def _changed(path: str, outputs: tuple[Outputs, Outputs], *, fixed: bool) -> ChangedCase:
    before, after = (
        ComparedAnswer(each[path].raw_output, each[path].outcome, each[path].p_abnormal) for each in outputs
    )
    row = outputs[0][path]
    return ChangedCase(path, row.view, row.target, fixed, before, after)


def _views(test: PairTest, outputs: tuple[Outputs, Outputs]) -> tuple[ViewChange, ...]:
    """How often each of the two is right, view by view; nothing where the two can't be paired."""
    if test.sides is not None:
        paths, first, second = test.sides.paths, test.sides.right_first, test.sides.right_second
    elif test.result.n:
        scored = (path for path, row in outputs[0].items() if row.outcome is not Outcome.UNSCORED)
        paths = [path for path in scored if outputs[1][path].outcome is not Outcome.UNSCORED]
        first, second = (np.array([side[path].outcome is Outcome.RIGHT for path in paths]) for side in outputs)
    else:
        return ()
    views, place = np.unique(np.array([outputs[0][path].view for path in paths], dtype=object), return_inverse=True)

    def count(which: np.ndarray) -> list[int]:
        counted: list[int] = np.bincount(place[which], minlength=len(views)).tolist()
        return counted

    columns = (count(first | True), count(first), count(second), count(~first & second), count(first & ~second))
    return tuple(ViewChange(str(view), *counts) for view, *counts in zip(views, *columns, strict=True))
