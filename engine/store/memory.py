"""Reading measured peaks of GPU memory."""

from __future__ import annotations

import json
import logging
from functools import cache
from typing import Any

from engine.preflight.models import Measured
from engine.preflight.rows import measured_row
from engine.store.mapping import columns, select
from engine.store.reader_live import Rows
from engine.text import one_line

PARTS = ("shape", "workload", "layout")
"""Columns that hold the JSON of a value of their own."""
logger = logging.getLogger(__name__)


class MemoryReads:
    """The part of the reader that the preflight uses."""

    def memory_peaks(self: Rows) -> list[Measured]:
        """All measured peaks, oldest first. One that cannot be read is left out with a warning in the log: estimates
        are a little worse without it, and no preflight and no training must stop for it."""
        names = columns(Measured)
        found = []
        for number, *row in self._rows(select("memory_peaks", ("id", *names), "ORDER BY id")):
            try:
                found.append(_measured(dict(zip(names, row, strict=True))))
            except (ValueError, TypeError, KeyError, RecursionError) as error:
                _warn(int(number), one_line(f"{type(error).__name__}: {error}"))
        return found


def _measured(values: dict[str, Any]) -> Measured:
    return measured_row({**values, **{name: json.loads(values[name]) for name in PARTS}})


@cache
def _warn(number: int, reason: str) -> None:
    """Say it once: a form asks with every key."""
    logger.warning(
        "Measured peak %d of GPU memory cannot be read and is left out (table memory_peaks of runs.db: %s).",
        number,
        reason,
    )
