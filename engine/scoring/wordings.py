"""One subject asked in several wordings: how far its answers depend on the words, and whether it keeps their form.

Agreement says nothing of the truth: a model that says one and the same of every image agrees with itself perfectly.
Read it beside accuracy, and beside kappa, which takes off what the same frequencies would give by chance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from statsmodels.stats.inter_rater import aggregate_raters, fleiss_kappa

from engine.errors import DataError
from engine.questions.answer_forms import in_form
from engine.questions.answers import read_answer
from engine.questions.prompts import AnswerForm, answer_form
from engine.questions.reading import Status
from engine.questions.serving_errors import Compiled, is_serving_error
from engine.scoring.bootstrap import RESAMPLES, chunks
from engine.scoring.cases import AnsweredCase
from engine.scoring.intervals import Counts, Figures, percentile_interval, wilson
from engine.scoring.pairing import UnpairedError, paired
from engine.types import Outcome

CAN_BE_READ = "can be read, whole and without a server's error (the wording asks for no form)"
VERDICT_THEN_REASON = "begins with one of NORMAL, ABNORMAL, UNCLEAR, then gives a reason"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % interval."""

    value: float | None
    """None where it is undefined."""
    low: float | None
    high: float | None
    n: int
    """Images behind it."""


@dataclass(frozen=True, slots=True)
class PairAgreement:
    """Two wordings: the share of images with the same reading, with the Wilson interval."""

    first: str
    second: str
    share: Estimate


@dataclass(frozen=True, slots=True)
class WordingAgreement:
    """How far the answers of one subject to several wordings are the same."""

    wordings: tuple[str, ...]
    pairs: tuple[PairAgreement, ...]
    """Every two wordings, in their order."""
    unanimous: Estimate
    """Share of images with the same reading under all wordings, with the Wilson interval."""
    kappa: Estimate
    """Fleiss' kappa of the readings with the percentile interval of a bootstrap over images. Undefined where every
    reading is the same one: chance alone would agree as well."""


@dataclass(frozen=True, slots=True)
class FormatCompliance:
    """Share of outputs in the form that the wording asks for, with the Wilson interval."""

    value: float | None
    low: float | None
    high: float | None
    n: int
    what: str
    """What was looked for, in words that follow "an output that ..."."""


def agreement(
    cases_by_wording: Mapping[str, Sequence[AnsweredCase]], *, seed: int = 0, resamples: int = RESAMPLES
) -> WordingAgreement:
    """Agreement of one subject with itself under several wordings of one question.

    The wordings are the raters of Fleiss (1971, "Measuring nominal scale agreement among many raters"), the readings
    his categories. What cannot be read, server's errors included, is one category, `unclear` another. Images whose
    target cannot be read count too, since no target is needed.

    Args:
        cases_by_wording: two wordings at least; the same images under each, in any order.
        seed: of the bootstrap.
        resamples: of the bootstrap; those in which every reading is the same one have no kappa and are left out.

    Raises:
        DataError: fewer than two wordings.
        UnpairedError: the wordings were not measured on the same images with the same targets.
    """
    names = tuple(cases_by_wording)
    if len(names) < 2:
        raise DataError(
            "There are no two wordings that could agree", f"Answers to {len(names)} of them.", "Measure one more."
        )
    readings = _readings(cases_by_wording)
    same = readings[:, 1:] == readings[:, :1]
    pairs = (
        PairAgreement(names[one], names[other], _share(readings[:, one] == readings[:, other]))
        for one, other in combinations(range(len(names)), 2)
    )
    kappa = _kappa(readings, seed, resamples)
    return WordingAgreement(names, tuple(pairs), _share(same.all(axis=1)), kappa)


def format_compliance(
    question: str,
    wording: str,
    texts: Sequence[str],
    *,
    cut_off: Sequence[bool] = (),
    errors: Compiled | None = None,
) -> FormatCompliance:
    """Share of outputs in the form that a wording asks for.

    Where it asks for none, an output complies that can be read at all: a reading is found in it, it was not cut off,
    and it is no server's error. An answer that says "unclear" can be read. Of a wording with a form the beginning
    decides (`engine.questions.answer_forms.in_form`), cut off or not.

    Args:
        question: Q1 to Q8 or report.
        wording: name of the wording.
        texts: outputs as they came; untrusted.
        cut_off: for each text whether it reached max_new_tokens; none did where this is empty.
        errors: patterns of serving errors; None for the usual ones.

    Raises:
        ValueError: `cut_off` has another length than `texts`.
    """
    form = answer_form(question, wording)
    kept = []
    for text, cut in zip(texts, cut_off or [False] * len(texts), strict=True):
        if form is AnswerForm.FREE:
            complies = not cut and read_answer(question, text).status is not Status.UNPARSEABLE
        else:
            complies = in_form(form, text)
        kept.append(complies and not is_serving_error(text, errors))
    share = _share(np.array(kept, dtype=bool))
    what = CAN_BE_READ if form is AnswerForm.FREE else VERDICT_THEN_REASON
    return FormatCompliance(share.value, share.low, share.high, share.n, what)


def _readings(cases_by_wording: Mapping[str, Sequence[AnsweredCase]]) -> NDArray[np.intp]:
    """Number of the reading of each image under each wording, shape (images, wordings); images in path order."""
    (first, reference), *others = cases_by_wording.items()
    for name, cases in others:
        try:
            paired(reference, cases)
        except UnpairedError as error:
            raise UnpairedError(error.title, f"Wordings {first} and {name}: {error.reason}", error.next_step) from error
    said = [
        [_category(case) for case in sorted(cases, key=lambda case: case.path)] for cases in cases_by_wording.values()
    ]
    numbers = {reading: number for number, reading in enumerate(sorted({each for column in said for each in column}))}
    return np.array([[numbers[each] for each in column] for column in said], dtype=np.intp).T


def _category(case: AnsweredCase) -> tuple[str, str]:
    """Status and value, so that a text which says "unparseable" is no unparseable text."""
    unread = case.outcome is Outcome.ERROR or case.said.status is Status.UNPARSEABLE
    return (Status.UNPARSEABLE, "") if unread else (case.said.status.value, case.said.value)


def _share(hits: NDArray[np.bool_]) -> Estimate:
    successes, n = int(hits.sum()), len(hits)
    return Estimate(successes / n if n else None, *wilson(successes, n), n)


def _kappa(readings: NDArray[np.intp], seed: int, resamples: int) -> Estimate:
    n = len(readings)
    if not n or (readings == readings[0, 0]).all():
        return Estimate(None, None, None, n)
    table = aggregate_raters(readings)[0]
    drawn = _resampled_kappas(table, resamples, np.random.default_rng(seed))
    defined = drawn[np.isfinite(drawn)]
    low, high = percentile_interval(defined) if len(defined) else (None, None)
    return Estimate(float(fleiss_kappa(table)), low, high, n)


def _resampled_kappas(table: Counts, resamples: int, generator: np.random.Generator) -> Figures:
    """Fleiss' kappa of every resample of images, shape (resamples,); NaN where one reading alone was drawn.

    `statsmodels.stats.inter_rater.fleiss_kappa` on each resample gives the same (tested) in thirty times the time:
    kappa depends on two means over images alone, so a resample is one multinomial draw of the distinct rows.

    Args:
        table: wordings that gave each reading, shape (images, readings).
        resamples: number of resamples.
        generator: source of randomness.
    """
    rows, counts = np.unique(table, axis=0, return_counts=True)  # sorted: the order of images changes nothing
    n, wordings = len(table), table.sum(axis=1)[0]
    alike = (rows * (rows - 1)).sum(axis=1) / (wordings * (wordings - 1))
    kappas = np.empty(resamples)
    for block in chunks(resamples, max(rows.shape)):
        drawn = generator.multinomial(n, counts / n, size=block.stop - block.start).astype(np.float64)
        shares = drawn @ rows / (n * wordings)
        observed, chance = drawn @ alike / n, (shares**2).sum(axis=1)
        several = (shares > 0).sum(axis=1) > 1
        kappas[block] = np.divide(observed - chance, 1 - chance, out=np.full(len(drawn), np.nan), where=several)
    return kappas
