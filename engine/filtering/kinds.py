"""What a column holds, and how a value for it is written: units, shares, dates."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum


class Kind(StrEnum):
    """What a column holds; it decides which operators and which values a filter may use."""

    TEXT = "text"
    TAGS = "tags"
    """Words, joined by `, ` in the column."""
    NUMBER = "number"
    SHARE = "share"
    """A figure between -1 and 1."""
    BYTES = "bytes"
    DURATION = "duration"
    """Seconds."""
    TIME = "time"
    """Unix seconds."""

    @property
    def is_text(self) -> bool:
        """Whether its values are text."""
        return self in (Kind.TEXT, Kind.TAGS)


EXAMPLES: Mapping[Kind, str] = {
    Kind.TEXT: '`baseline`, or "run 4" in quotes',
    Kind.TAGS: '`keep`, or "ablation A" in quotes',
    Kind.NUMBER: "0.5, 2e-4, 3k or 40M",
    Kind.SHARE: "0.9 or 90%",
    Kind.BYTES: "10GB or 512MiB; a plain number would not say which",
    Kind.DURATION: "90, 90s, 5min or 2h",
    Kind.TIME: '2026-01-31 or "2026-01-31 14:30", in local time',
}
"""What a value of each kind may look like."""

_NUMBER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)\s*([a-z%]*)", re.ASCII | re.IGNORECASE)
_BYTES = {"b": 1, "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12, "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}
_UNITS: Mapping[Kind, Mapping[str, float]] = {
    Kind.NUMBER: {"": 1, "%": 1, "k": 1e3, "m": 1e6, "b": 1e9},
    Kind.SHARE: {"": 1, "%": 1},
    Kind.BYTES: _BYTES,
    Kind.DURATION: {"": 1, "ms": 1e-3, "s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86400},
}


def is_unit(text: str, kind: Kind) -> bool:
    """Whether `text` alone is a unit that may stand behind a number, as in `10 GB`."""
    return bool(text) and text.lower() in _UNITS.get(kind, {})


def read_number(text: str, kind: Kind) -> float | None:
    """The value of a number column that `text` writes, in the column's unit; None where it writes none."""
    if kind is Kind.TIME:
        return _moment(text)
    found = _NUMBER.fullmatch(text.strip())
    factor = _UNITS[kind].get(found[2].lower()) if found else None
    if found is None or factor is None:
        return None
    value = float(found[1])
    value = value / 100 if found[2] == "%" else value * factor  # 70 times 0.01 is not 0.7
    if not math.isfinite(value) or (kind is Kind.SHARE and abs(value) > 1):
        return None
    return value


def write_number(value: float, kind: Kind) -> str:
    """Text from which `read_number` reads the same value."""
    if kind is Kind.TIME:
        return f"@{value!r}"
    return f"{value!r}B" if kind is Kind.BYTES else repr(value)


def _moment(text: str) -> float | None:
    """Unix seconds of an ISO date or time, local where no zone is given, or of `@SECONDS`."""
    try:
        value = float(text[1:]) if text.startswith("@") else datetime.fromisoformat(text.strip()).timestamp()
    except (ValueError, OverflowError, OSError):  # no date, or one beyond what the machine's clock knows
        return None
    return value if math.isfinite(value) else None
