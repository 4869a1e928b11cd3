"""The lines of a job's journal: what they say, as values and as JSON."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.jobs.process import process_start, same_start
from engine.store.mapping import columns, from_row, to_row
from engine.store.recorded import Answered, Columns, Entry, Happened, Measured, Owner
from engine.types import ENDED, Prediction, State

FORMAT = 1
"""Of the lines; those of a later format are left to the version that wrote them."""
END_COLUMNS = frozenset({"error_title", "error_detail", "error_next_step", "peak_rss_bytes", "peak_vram_device_bytes"})
"""Columns that a job writes into its row at its end; others are not for its last word to say."""
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Attempt:
    """The process that carries out a job now, or did."""

    pid: int
    process_start: float | None
    boot: str
    """Id of the boot that `process_start` counts from; "" where the system has none."""

    @classmethod
    def of_this_process(cls) -> Attempt:
        """Of the process that asks."""
        pid = os.getpid()
        return cls(pid, process_start(pid), boot_id())

    @property
    def owner(self) -> Owner:
        """As the store knows it."""
        return Owner(self.pid, self.process_start)

    def is_of(self, pid: int | None, start: float | None) -> bool:
        """Whether a row with these values is that of this attempt."""
        if self.pid != pid or start is None or self.process_start is None:
            return False
        return same_start(self.process_start, start)


@dataclass(frozen=True, slots=True)
class Ending:
    """How an attempt ended, in its own words."""

    state: State
    reason: str
    columns: Mapping[str, Any]
    """Further columns of its row: error_title, peaks ..."""

    @property
    def of_row(self) -> dict[str, Any]:
        """Those that a job's last word may set."""
        return {name: value for name, value in self.columns.items() if name in END_COLUMNS}


Line = Attempt | Ending | Entry


def boot_id() -> str:
    """Id that the kernel has given to this boot; "" where it gives none."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def encoded(line: Line) -> dict[str, Any]:
    """The values of a line; short keys, because there is one a step."""
    if isinstance(line, Measured):
        return {"m": line.values, "s": line.step, "t": line.time}
    if isinstance(line, Columns):
        return {"c": line.values}
    if isinstance(line, Happened):
        return {"e": line.kind, "d": line.detail, "t": line.time}
    if isinstance(line, Answered):
        return {"p": [to_row(each) for each in line.predictions]}
    if isinstance(line, Ending):
        return {"end": line.state.value, "reason": line.reason, "c": line.columns}
    return {"attempt": line.pid, "start": line.process_start, "boot": line.boot, "format": FORMAT, "time": time.time()}


def decoded(values: dict[str, Any]) -> Line:
    """The line that these values stand for; a ValueError, KeyError or TypeError where it is none."""
    if "m" in values:
        figures = {str(key): _number(value) for key, value in values["m"].items()}
        return Measured(int(values["s"]), figures, _number(values["t"]))
    if "e" in values:
        return Happened(str(values["e"]), str(values["d"]), _number(values["t"]))
    if "p" in values:
        names = columns(Prediction)
        return Answered([from_row(Prediction, [row[name] for name in names]) for row in values["p"]])
    if "end" in values:
        state = State(values["end"])
        if state not in ENDED:
            raise ValueError(f"{state} is no end")
        return Ending(state, str(values["reason"]), dict(values["c"]))
    if "c" in values:
        return Columns(dict(values["c"]))
    if values["format"] > FORMAT:
        raise ValueError("of a later version")
    start = values["start"]
    return Attempt(int(values["attempt"]), None if start is None else _number(start), str(values["boot"]))


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} is no number")
    return float(value)
