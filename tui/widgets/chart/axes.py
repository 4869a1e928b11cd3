"""Ticks at round numbers, and the text beside them. Plain Python."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

LABEL_CELLS = 7
"""No number on an axis or in the legend is longer."""
_SUFFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_PLAIN_DECIMALS = 4


def nice_step(rough: float) -> float:
    """The least of 1, 2, 5 times a power of ten that is not below `rough`, which is above 0."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * factor for factor in (1, 2, 5, 10, 20) if power * factor >= rough * (1 - 1e-9))


def multiple(count: int, step: float) -> float:
    """`count` steps, without the dust of binary fractions: three steps of 0.1 are 0.3."""
    return round(count * step, max(0, 2 - math.floor(math.log10(step))))


def linear_ticks(low: float, high: float, most: int) -> list[float]:
    """About `most` round numbers within low..high, at least two wherever that can be."""
    if not low < high:
        return [low]
    ticks: list[float] = []
    for count in range(max(most, 1), max(most, 1) + 6):
        step = nice_step((high - low) / count)
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        ticks = [min(max(multiple(index, step), low), high) for index in range(first, last + 1)]
        if len(ticks) > 1:
            break
    return ticks


def log_ticks(low: float, high: float, most: int) -> list[float]:
    """Powers of ten within low..high (above 0), with round numbers between them where there is room; else linear."""
    exponents = range(math.floor(math.log10(low)), math.floor(math.log10(high) + 1e-9) + 1)
    for factors in ((1, 2, 5), (1, 3), (1,)):
        numbers = [10.0**exponent * factor for exponent in exponents for factor in factors]
        ticks = [each for each in numbers if low * (1 - 1e-9) <= each <= high * (1 + 1e-9)]
        if len(ticks) <= max(most, 2):
            break
    if len(ticks) < 3 and high / low < 10:
        return linear_ticks(low, high, most)
    stride = max(1, -(-len(ticks) // max(most, 2)))
    return [min(max(float(f"{tick:.12g}"), low), high) for tick in ticks[::stride]]


def ticks_of(low: float, high: float, most: int, *, log: bool) -> list[float]:
    """About `most` ticks of an axis."""
    return log_ticks(low, high, most) if log else linear_ticks(low, high, most)


def tick_labels(ticks: Sequence[float], *, log: bool = False) -> list[str]:
    """Texts of the ticks of one axis, alike in form and different from each other: 0.05 0.10, 1e-4 2e-4, 12k 14k."""
    gaps = [after - before for before, after in pairwise(ticks) if after > before]
    if log or not gaps:
        return [_short(tick) for tick in ticks]
    largest, least = max(abs(tick) for tick in ticks), min(gaps)
    if largest >= 1e4:
        scales = [(scale, suffix) for scale, suffix in (*_SUFFIXES, (1.0, "")) if largest >= scale]
        choices = sorted((_fixed(ticks, least, scale, suffix) for scale, suffix in scales), key=_longest)
    elif _decimals(least) <= _PLAIN_DECIMALS:
        choices = [_fixed(ticks, least, 1.0, "")]
    else:
        choices = [[_scientific(tick) for tick in ticks]]
    fitting = (labels for labels in choices if _longest(labels) <= LABEL_CELLS and len({*labels}) == len({*ticks}))
    return next(fitting, [_short(tick) for tick in ticks])


def number(value: float, digits: int = 4) -> str:
    """A value in at most 7 characters and about `digits` digits: 0.0464, 1.25e-4, 12.35, 123.5k, NaN."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "inf" if value > 0 else "-inf"
    size = abs(value)
    if size == 0:
        return "0"
    if 1e-3 <= size < 1e4:
        room = LABEL_CELLS - len(f"{value:.0f}.")
        return f"{value:.{max(0, min(digits - 1 - math.floor(math.log10(size)), room))}f}"
    if size < 1e-3:
        plain = f"{value:.4f}"
        return plain if float(plain) == value else _scientific(value)
    for scale, suffix in _SUFFIXES:
        if scale <= size < 1e3 * scale:
            return f"{value / scale:.{digits}g}{suffix}" if size < 999.95 * scale else _scientific(value)
    return _scientific(value)


def _decimals(step: float) -> int:
    """How many decimals show a step of an axis; counts up to 12."""
    return next((count for count in range(12) if abs(step - round(step, count)) < step * 1e-3), 12)


def _fixed(values: Sequence[float], step: float, scale: float, suffix: str) -> list[str]:
    decimals = _decimals(step / scale)
    return [f"{value / scale:.{decimals}f}{suffix}" if value else "0" for value in values]


def _longest(labels: Sequence[str]) -> int:
    return max(len(label) for label in labels)


def _short(value: float) -> str:
    """The shortest text of a round number."""
    return f"{value:g}" if value == 0 or (1e-3 <= abs(value) < 1e4 and len(f"{value:g}") <= 7) else number(value)


def _scientific(value: float) -> str:
    """The most digits, up to three, that leave a scientific notation at 7 characters: 1.25e-4, -1.2e-4, 3e-120."""
    if value == 0:
        return "0"
    for digits in (2, 1, 0):
        mantissa, exponent = f"{value:.{digits}e}".split("e")
        text = f"{mantissa.rstrip('0').rstrip('.') if digits else mantissa}e{int(exponent)}"
        if len(text) <= LABEL_CELLS:
            break
    return text
