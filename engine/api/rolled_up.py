"""What is said of a run whose old curves were thinned (`sonotune db compact`)."""

from __future__ import annotations

import time

from engine.store.records import RunRow


def rolled_up_words(run: RunRow) -> str:
    """What a reader of its curves must know; "" where all points are there.

    A moving average depends on every point, so the smoothed line of a thinned curve is another one than it was.
    """
    if run.rolled_up_at is None:
        return ""
    day = time.strftime("%d %b %Y", time.localtime(run.rolled_up_at))
    return f"thinned on {day}: the range of each bucket is exact, a smoothed line is not what it was"
