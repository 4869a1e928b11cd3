"""The one clock of the screens, so that tests and pictures can stop it."""

from __future__ import annotations

import time


def now() -> float:
    """Unix time in seconds."""
    return time.time()


def ago(seconds: float) -> str:
    """`now`, `12 s ago`, `3 min ago`, `5 h ago`, `2 d ago`."""
    return "now" if seconds < 2 else f"{span(seconds)} ago"


def span(seconds: float) -> str:
    """`12 s`, `3 min`, `5 h`, `2 d`."""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{int(seconds // length)} {unit}"
    return f"{max(0, int(seconds))} s"


def stamp(when: float | None) -> str:
    """`24 Nov 13:05`, in local time; "" for None."""
    return "" if when is None else time.strftime("%d %b %H:%M", time.localtime(when))


def time_or_day(when: float) -> str:
    """`13:05:59` of today, `24 Nov 13:05` of any other day; in local time."""
    if time.localtime(when)[:3] == time.localtime(now())[:3]:
        return time.strftime("%H:%M:%S", time.localtime(when))
    return stamp(when)
