"""Factors of the estimate from measured peaks: non-negative least squares with a pull to the defaults.

The pull is a ridge: a factor is believed to lie within about a third of its default, a measurement within 3 % of the
truth. So one or two cells already help with what they show, and leave alone what they say nothing about.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from engine.preflight.cards import REFERENCE, speed_of
from engine.preflight.coefficients import DEFAULTS, Coefficients
from engine.preflight.memory import HELD, MemoryTerms, memory_terms
from engine.preflight.models import Measured
from engine.preflight.timing import TimeTerms, time_terms

if TYPE_CHECKING:
    import numpy as np

MEASUREMENT_SHARE = 0.03
"""How far a measured peak may lie from any formula, as a share of it."""
FACTOR_SHARE = 0.35
"""How far a factor may lie from its default, as a share of it."""
FACTOR_LEAST = 0.1
"""The same at least, for factors whose default is near 0."""
TIME_SHARE = 0.10
"""How far a measured step may lie from any formula."""
TIME_FACTOR_SHARE = 0.5
"""How far a factor on time may lie from 1 on a card whose speed is known."""
UNKNOWN_SPEED_SHARE = 4.0
"""The same on a card of unknown speed, where the start is a guess from the steps themselves."""
_WORKING = "working"
_ROUNDS = 4
"""Logits or a layer at work, whichever is larger, make the peak; which one depends on the factor that is sought."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Factors, and what they stand on."""

    factors: Coefficients
    words: str


def calibrate(
    measured: Sequence[Measured], card: str, backend: str, *, shipped: Sequence[Measured] = ()
) -> Calibration:
    """Factors for a card and a backend.

    Memory is fitted to everything that was measured with the backend, on whatever card, because the same libraries keep
    the same tensors wherever they run. Measurements of this card then pull that fit towards themselves: a single one
    of a small run changes little of what all the others say of large ones. Time is fitted to steps of this card alone.

    Args:
        measured: what was measured in this workspace, on whatever card.
        card: its name.
        backend: `unsloth` or `transformers`.
        shipped: measurements that come with sonotune.
    """
    ours = [row for row in measured if row.layout.backend == backend]
    theirs = [row for row in shipped if row.layout.backend == backend]
    rows = latest([*theirs, *ours])
    own = [row for row in rows if is_of(row, card)]
    factors = fit(rows, DEFAULTS[backend]) if rows else DEFAULTS[backend]
    factors = fit(own, factors) if own else factors
    factors = replace(factors, peaks=tuple(row.reserved_peak for row in own))
    timed = latest([row for row in (*theirs, *ours) if row.step_seconds and is_of(row, card)])
    if timed:
        factors = fit_time(timed, factors)
    return Calibration(factors, calibration_words(latest(theirs), latest(ours), card))


def latest(rows: Sequence[Measured]) -> list[Measured]:
    """Of measurements of one thing the last: ten runs of a recipe tell no more than one, so they count no more."""
    kept: dict[tuple[object, ...], Measured] = {}
    for row in rows:
        key = (card_key(row.card), row.shape, row.workload, row.layout, row.lora_parameters, row.vision_adapted)
        if key not in kept or row.time >= kept[key].time:
            kept[key] = row
    return list(kept.values())


def is_of(row: Measured, card: str) -> bool:
    """Whether it was measured on this card."""
    return card_key(row.card) == card_key(card)


def calibration_words(shipped: Sequence[Measured], measured: Sequence[Measured], card: str) -> str:
    """What factors stand on, such as `fitted to 39 measurements that come with sonotune and 3 of this card`."""
    ours = sum(is_of(row, card) for row in measured)
    known = sum(is_of(row, card) for row in shipped)
    others = len(measured) - ours
    sources = [
        f"{_measurements(len(shipped))} that come with sonotune"
        + (f" ({'all' if known == len(shipped) else known} of this card)" if known else "")
        if shipped
        else "",
        f"{others if shipped else _measurements(others)} of other cards" if others else "",
        f"{ours if shipped or others else _measurements(ours)} of this card" if ours else "",
    ]
    if not (shipped or measured):
        return "not calibrated for this card: may be off by 20 %"
    doubt = "" if ours or known else "; none of this card: may be off by 15 %"
    return f"fitted to {_listed([each for each in sources if each])}{doubt}"


def _measurements(count: int) -> str:
    return f"{count} measurement{'s' * (count != 1)}"


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def card_key(name: str) -> str:
    """The name of a card by which measurements are brought together."""
    return " ".join(name.lower().split())


def terms_of(row: Measured) -> MemoryTerms:
    """The terms of what was measured."""
    return memory_terms(row.shape, row.workload, row.layout, row.lora_parameters, vision_adapted=row.vision_adapted)


def fit(rows: Sequence[Measured], defaults: Coefficients) -> Coefficients:
    """Memory factors by which the estimates of `rows` come nearest to their reserved peaks, in relative terms.

    Args:
        rows: what was measured with one backend.
        defaults: where the factors are pulled to.
    """
    terms = [terms_of(row) for row in rows]
    factors = defaults
    for _ in range(_ROUNDS):
        found = _solve(terms, [row.reserved_peak for row in rows], factors, defaults)
        if found == factors:
            break
        factors = found
    return factors


def fit_time(rows: Sequence[Measured], factors: Coefficients) -> Coefficients:
    """The factors with those of time fitted to measured steps."""
    import numpy as np

    terms = [_time_of(row) for row in rows]
    seconds = [row.step_seconds or 0.0 for row in rows]
    known = speed_of(rows[0].card) is not None
    # A card of unknown speed is compared with a reference: how much slower it is on the whole, its steps tell.
    start = (
        1.0 if known else float(np.median([s / (t.compute + t.dispatch) for s, t in zip(seconds, terms, strict=True)]))
    )
    design = [[t.compute / s, t.dispatch / s] for s, t in zip(seconds, terms, strict=True)]
    target = [1.0] * len(rows)
    compute, dispatch = _nearest(
        np.array(design) / TIME_SHARE,
        np.array(target) / TIME_SHARE,
        np.array([start, start]),
        [(TIME_FACTOR_SHARE if known else UNKNOWN_SPEED_SHARE) * start] * 2,
    )
    return replace(factors, compute=compute, dispatch=dispatch, timed=len(rows))


def design_row(terms: MemoryTerms, factors: Coefficients) -> tuple[list[float], float]:
    """Bytes that each factor multiplies (those of `HELD`, then `working`), and the bytes that none does.

    Linear in the factors once it is known whether logits or a working layer make the peak; `factors` decide that.
    """
    works = terms.working * factors.working >= terms.logits
    held = [float(getattr(terms, name)) for name in HELD]
    return [*held, terms.working if works else 0.0], terms.base + (0.0 if works else terms.logits)


def pull_of(defaults: Coefficients) -> list[float]:
    """How far each factor may lie from its default, in the order of `design_row`."""
    return [max(FACTOR_LEAST, FACTOR_SHARE * float(getattr(defaults, name))) for name in (*HELD, _WORKING)]


def _solve(
    terms: Sequence[MemoryTerms], peaks: Sequence[int], factors: Coefficients, defaults: Coefficients
) -> Coefficients:
    import numpy as np

    design, target = [], []
    for each, peak in zip(terms, peaks, strict=True):
        row, known = design_row(each, factors)
        design.append([value / peak for value in row])
        target.append((peak - known) / peak)
    names = [*HELD, _WORKING]
    start = np.array([getattr(defaults, name) for name in names])
    found = _nearest(
        np.array(design) / MEASUREMENT_SHARE, np.array(target) / MEASUREMENT_SHARE, start, pull_of(defaults)
    )
    changes: dict[str, Any] = dict(zip(names, found, strict=True))
    return replace(factors, **changes)


def _nearest(design: np.ndarray, target: np.ndarray, start: np.ndarray, spread: Sequence[float]) -> list[float]:
    """Non-negative x that minimises |design x - target|^2 + |(x - start) / spread|^2."""
    import numpy as np
    from scipy.optimize import nnls

    pull = np.diag(1 / np.asarray(spread))
    found, _ = nnls(np.vstack([design, pull]), np.concatenate([target, pull @ start]))
    return [float(value) for value in found]


def _time_of(row: Measured) -> TimeTerms:
    speed = speed_of(row.card) or REFERENCE
    return time_terms(row.shape, row.workload, row.layout, speed, vision_adapted=row.vision_adapted)


def relative_error(estimated: float, measured: float) -> float:
    """(estimated - measured) / measured."""
    return (estimated - measured) / measured if measured else math.nan
