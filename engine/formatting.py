"""Figures, durations and sizes as people read them; the same on the command line, on the screens and in exports."""

from __future__ import annotations

import math

UNKNOWN = "–"


def figure(value: float) -> str:
    """Two decimals; more where rounding would promise a perfection that is not there (0.996 is not 1.00)."""
    short = f"{value:.2f}"
    if short in ("1.00", "-1.00") and abs(value) < 1 - 1e-9:
        return f"{int(value * 1000) / 1000:.3f}"
    return short


def duration(seconds: float | None) -> str:
    """`1 h 05 min`, `3 min 20 s`, `12 s`; a dash where unknown."""
    if seconds is None or not math.isfinite(seconds):
        return UNKNOWN
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def short_duration(seconds: float | None) -> str:
    """`120d`, `2d04h`, `1h05m`, `3m20s`, `12s`: at most six characters, for a column; a dash where unknown."""
    if seconds is None or not math.isfinite(seconds):
        return UNKNOWN
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days >= 100:
        return f"{days}d" if days < 100_000 else UNKNOWN
    if days:
        return f"{days}d{hours:02d}h"
    if hours:
        return f"{hours}h{minutes:02d}m"
    return f"{minutes}m{rest:02d}s" if minutes else f"{rest}s"


def size(value: float | None) -> str:
    """Bytes as GiB or MiB; a dash where unknown."""
    if not value:
        return UNKNOWN
    return f"{value / 2**30:.1f} GiB" if value >= 1023.5 * 2**20 else f"{value / 2**20:.0f} MiB"


def number(value: float | None) -> str:
    """A loss, a learning rate, a norm: four significant digits, in at most nine characters; a dash where unknown."""
    if value is None or math.isnan(value):
        return UNKNOWN
    if 9999.5 <= abs(value) < 99999.5:
        return f"{value:.0f}"
    if value == 0 or 1e-3 <= abs(value) < 9999.5:
        return f"{value:.4g}"
    mantissa, _, exponent = f"{value:.2e}".partition("e")
    return f"{mantissa}e{int(exponent)}" if exponent else mantissa  # inf has none


def finite(value: object) -> object:
    """`value` without infinities and NaN, which JSON does not know: an interval that is open at an end has none."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(each) for each in value]
    return value
