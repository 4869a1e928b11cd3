"""Amounts of memory as options take them: one meaning on all of the command line."""

from __future__ import annotations

import re

from engine.errors import UsageError

UNITS = {"GB": 10**9, "GIB": 2**30, "MB": 10**6, "MIB": 2**20}
"""A card sold with 24 GB has nearly 24 GiB, so `24GB` asks about a little less than it has: what fits that, fits it."""
SIZE_WORDS = "24GB (10^9 bytes each) or 24GiB (2^30)"
"""How an amount is written, for help and errors."""
MOST_BYTES = 2**50
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([GM]I?B)", re.IGNORECASE)


def memory_bytes(text: str) -> int | None:
    """Bytes of `24GB`, `24 GiB` or `24576MiB`; None for no words at all.

    Raises:
        UsageError: it is no amount of memory, or has no unit.
    """
    if not text.strip():
        return None
    found = _SIZE.fullmatch(text.strip())
    value = 0.0 if found is None else float(found[1]) * UNITS[found[2].upper()]
    if not 1 <= value <= MOST_BYTES:
        raise UsageError(f"{text[:40]!r} is no amount of memory", next_step=f"Write it as {SIZE_WORDS}.")
    return int(value)
