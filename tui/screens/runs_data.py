"""What the list of runs asks for."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from engine import api
from tui import clock

SPARK_CELLS = 8
NEWEST = 60
"""Runs whose courses are read before anybody scrolls down to them."""


@dataclass(frozen=True, slots=True)
class Course:
    """How the loss of a run went."""

    spark: str = ""
    last: float | None = None
    """Its newest value."""


@dataclass(frozen=True, slots=True)
class RunsData:
    """One answer of the poller."""

    rows: tuple[api.RunListRow, ...] = ()
    running: int = 0
    """How many give signs of life."""
    lost: frozenset[int] = frozenset()
    stalled: dict[int, str] = field(default_factory=dict)
    """For how long runs that live have not got on, such as `12 min`."""
    progress: dict[int, tuple[float | None, float | None]] = field(default_factory=dict)
    """Latest loss and seconds a step, of the active runs."""
    courses: dict[int, Course] = field(default_factory=dict)
    """Of the newest runs, and of others that were on the screen."""
    problem: api.SonotuneError | None = None


NO_COURSE = Course()


class RunsFeed:
    """Asks for everything that the screen shows; belongs to the poller's thread."""

    def __init__(self) -> None:
        self.wanted: frozenset[int] = frozenset()
        """Runs beyond the newest ones whose courses were asked for; replaced whole, so that any thread may look."""
        self._known: dict[int, tuple[object, Course]] = {}
        """Courses, and what they were true for."""

    def read(self, live: api.Live, filter_text: str) -> RunsData:
        """The runs that a filter leaves; a filter that cannot be understood is told in `problem`."""
        try:
            rows = live.run_list(filter_text)
        except api.FilterError as error:
            return RunsData(problem=error)
        states = api.ACTIVE
        active = [run for run in rows if run.state in states]
        now = clock.now()
        shown = {run.id: api.shown_state(run, now) for run in active}
        lost = frozenset(run for run, state in shown.items() if state == api.LOST)
        older = [run for run in rows[NEWEST:] if run.id in self.wanted] if self.wanted else []
        return RunsData(
            rows=rows,
            running=len(active) - len(lost),
            lost=lost,
            stalled={
                run.id: clock.span(now - (run.stalled_at or now)) for run in active if shown[run.id] == api.STALLED
            },
            progress=live.progress([run.id for run in active]),
            courses=self._courses(live, [*rows[:NEWEST], *older]),
        )

    def want(self, live: api.Live, runs: Sequence[api.RunListRow]) -> dict[int, Course]:
        """Courses of some more runs, from now on."""
        self.wanted |= {run.id for run in runs}
        return self._courses(live, runs)

    def _courses(self, live: api.Live, runs: Iterable[api.RunListRow]) -> dict[int, Course]:
        """Those that have changed are read: of runs that have ended, none."""
        from tui.widgets.chart.spark import sparkline  # with the charts: after the first paint, in this thread

        begun = {run.id: (run.state, run.step, run.started_at) for run in runs if run.step}
        stale = [run for run, stamp in begun.items() if self._known.get(run, (None,))[0] != stamp]
        for run, values in live.sparks(stale).items():
            last = values[-1] if values and math.isfinite(values[-1]) else None
            self._known[run] = (begun[run], Course(sparkline(values, SPARK_CELLS), last))
        return {run: self._known[run][1] for run in begun if run in self._known}
