"""All runs: what runs now, and what ran."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widget import Widget

from engine import api
from tui import clock
from tui.screens.base import WorkbenchScreen
from tui.screens.run_actions import RunActions
from tui.text import bar
from tui.widgets.filterbar import FilterBar
from tui.widgets.table import Cell, Column, Table

COLUMNS = (
    Column("mark", "", 1),
    Column("id", "run", 5, align="right"),
    Column("name", "name", 16, flex=3),
    Column("state", "state", 13),
    Column("progress", "progress", 13),
    Column("eta", "left", 6, align="right"),
    Column("loss", "loss", 8, align="right"),
    Column("spark", "course", 10),
    Column("trained", "trained", 7, align="right"),
    Column("when", "queued", 12),
    Column("tags", "tags", 8, flex=1),
    Column("dataset", "dataset", 10, flex=1),
    Column("model", "model", 16, flex=2),
    Column("backend", "backend", 12),
    Column("memory", "memory", 9, align="right"),
)
TONES = {
    "running": "good",
    "starting": "good",
    "succeeded": "text",
    "failed": "bad",
    "lost": "bad",
    "interrupted": "warn",
    "cancelled": "dim",
    "queued": "accent",
}
"""Tone of each state; the word says the same."""
SIGNS = {
    "running": "▶",
    "starting": "▷",
    "succeeded": "✓",
    "failed": "✗",
    "lost": "?",
    "interrupted": "‖",
    "cancelled": "-",
    "queued": "…",
}
SPARK_CELLS = 10
TIME_SECONDS = 2.0
"""How often to look again where nothing is written: a silent run must be seen as lost."""
MOST_MARKED = 5
NEWEST = 60
"""Runs whose courses are read before anybody scrolls down to them."""
NOTHING_YET = "No runs yet. 2 opens the launch form; `sonotune demo` shows the whole path in minutes."


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
    lost: frozenset[int] = frozenset()
    progress: dict[int, tuple[float | None, float | None]] = field(default_factory=dict)
    """Latest loss and seconds a step, of the active runs."""
    courses: dict[int, Course] = field(default_factory=dict)
    """Of the newest runs, and of others that were on the screen."""
    problem: api.SonotuneError | None = None


NO_COURSE = Course()


class RunsModel:
    """The rows of the table."""

    def __init__(self, table: Callable[[], Table]) -> None:
        self._table = table
        self.data = RunsData()
        self.marked: list[int] = []

    def row_count(self) -> int:
        """Runs that the filter leaves."""
        return len(self.data.rows)

    def row_key(self, row: int) -> Hashable:
        """Id of a run."""
        return self.data.rows[row].id

    def frozen_rows(self, _columns: Sequence[Column], _widths: Sequence[int]) -> list[list[Cell]]:
        """None: the newest runs are on top anyway."""
        return []

    def row_cells(self, row: int, columns: Sequence[Column], widths: Sequence[int]) -> list[Cell]:
        """One run."""
        run = self.data.rows[row]
        return [self._cell(run, column.key, width) for column, width in zip(columns, widths, strict=True)]

    def _cell(self, run: api.RunListRow, key: str, width: int) -> Cell:
        palette = self._table().palette
        if key == "state":
            state = "lost" if run.id in self.data.lost else str(run.state)
            return f"{SIGNS[state]} {state}", getattr(palette, TONES[state])
        if key == "mark":
            return ("●" if run.id in self.marked else " "), palette.accent
        if key == "spark":
            return self._course(run).spark, palette.accent
        if key == "name":
            return run.name, palette.bold
        if key == "progress":
            return _progress(run, width), palette.accent if run.state in api.ACTIVE else palette.text
        return self._figure(run, key), palette.text

    def _course(self, run: api.RunListRow) -> Course:
        return self.data.courses.get(run.id, NO_COURSE)

    def _figure(self, run: api.RunListRow, key: str) -> str:
        loss, step_seconds = self.data.progress.get(run.id, (run.final_loss, None))
        if key == "eta":
            # How long a silent run will take, nobody knows.
            lost = run.id in self.data.lost
            left = None if lost else api.eta_seconds(run.state, run.step, run.planned_steps, step_seconds)
            return "" if left is None else api.short_duration(left)
        if key == "loss":
            loss = self._course(run).last if loss is None else loss
            return "" if loss is None else api.number(loss)
        if key == "trained":
            return "" if run.train_seconds is None else api.short_duration(run.train_seconds)
        if key == "when":
            return clock.stamp(run.queued_at)
        if key == "memory":
            return api.size(run.peak_vram_reserved_bytes or run.peak_rss_bytes)
        return str(getattr(run, key) or "")


def _progress(run: api.RunListRow, width: int) -> str:
    if not run.planned_steps:
        return str(run.step or "")
    share = run.step / run.planned_steps
    if run.state not in api.ACTIVE:
        return f"{run.step}/{run.planned_steps}"
    figure = f"{share:4.0%}"
    return bar(share, max(3, width - len(figure) - 1)) + " " + figure


class RunsScreen(RunActions, WorkbenchScreen):
    """All runs, newest first. A run without a sign of life is shown as lost, never as running."""

    TAB = "Runs"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open_run", "Open", id="runs.open", tooltip="Curves, gauges, log, scores of the run"),
        Binding("slash", "filter", "Filter", id="runs.filter", tooltip="state = running and model contains 4B"),
        Binding("space", "mark", "Mark", id="runs.mark", tooltip="Mark up to five runs, to see their curves together"),
        Binding("o", "overlay", "Overlay", id="runs.overlay", tooltip="Curves of the marked runs in one chart"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._model = RunsModel(lambda: self.query_one(Table))
        self._feed = RunsFeed()
        self._filter = ""

    def body(self) -> Iterable[Widget]:
        """The table, and the line of the filter."""
        yield Table(COLUMNS, self._model, frozen_columns=3)
        yield FilterBar(lambda: api.RUN_FILTER_COLUMNS, "state = running and model contains 4B")

    def on_mount(self) -> None:
        """Ask for the runs."""
        self._ask()

    def _ask(self) -> None:
        text, feed = self._filter, self._feed
        self.forget_data()
        self.watch_data(lambda live: feed.read(live, text), self._show, every=TIME_SECONDS)

    def _show(self, data: RunsData) -> None:
        self.query_one(FilterBar).show_problem(data.problem)
        if data.problem is not None:  # the rows stay while somebody is still typing
            self.show_facts(data.problem.title)
            return
        self._model.data = data
        self._show_facts()
        table = self.query_one(Table)
        table.empty = "No run fits the filter; esc in it takes it away." if self._filter else NOTHING_YET
        table.rows_changed()
        self._want_courses()

    def _show_facts(self) -> None:
        self.show_facts(_facts(self._model.data, self._filter, len(self._model.marked)))

    @on(Table.Highlighted)
    def _want_courses(self) -> None:
        """The list may be long: courses are read for what is on the screen."""
        seen, data, feed = self.query_one(Table).visible_keys(), self._model.data, self._feed
        missing = [key for key in seen if isinstance(key, int) and key not in data.courses and key not in feed.wanted]
        if missing:
            self.workbench.poller.ask(lambda live: feed.want(live, missing), self._add_courses, self.workbench.report)

    def _add_courses(self, courses: dict[int, Course]) -> None:
        self._model.data.courses.update(courses)
        self.query_one(Table).repaint()

    # ----- what the actions of a run need (see RunActions)

    def chosen_run(self) -> int | None:
        """The run under the cursor."""
        key = self.query_one(Table).cursor_key()
        return key if isinstance(key, int) else None

    def commands(self) -> Iterable[tuple[str, str, Callable[[], Any]]]:
        """Every recent run can be opened from the palette by its name."""
        for run in self._model.data.rows[:200]:
            title = f"Run {run.id}: {api.one_line(run.name)}"
            yield title, f"open ({run.state})", partial(self.open_runs, [run.id])

    # ----- keys

    @on(Table.Opened)
    def action_open_run(self) -> None:
        """Open the run under the cursor."""
        run = self.chosen_run()
        if run is not None:
            self.open_runs([run])

    def action_mark(self) -> None:
        """Mark or unmark the run under the cursor."""
        run, marked = self.chosen_run(), self._model.marked
        if run in marked:
            marked.remove(run)
        elif run is not None and len(marked) < MOST_MARKED:
            marked.append(run)
        elif run is not None:
            self.notify(f"At most {MOST_MARKED} runs fit into one chart.", severity="warning", markup=False)
        self._show_facts()
        self.query_one(Table).action_move(1)

    def action_overlay(self) -> None:
        """Open the run under the cursor with the marked ones beside it."""
        run = self.chosen_run()
        if run is not None:
            self.open_runs([run, *(each for each in self._model.marked if each != run)][:MOST_MARKED])

    def open_runs(self, runs: Sequence[int]) -> None:
        """Open the run screen for one run, with the curves of others beside its own."""
        from tui.screens.run import RunScreen

        names = {run.id: run.name for run in self._model.data.rows if run.id in runs}
        self.app.push_screen(RunScreen(runs[0], tuple(runs[1:]), names))

    def action_filter(self) -> None:
        """Type a filter."""
        self.query_one(FilterBar).open()

    @on(FilterBar.Asked)
    def _filtered(self, message: FilterBar.Asked) -> None:
        self._filter = message.text
        self._ask()

    @on(FilterBar.Left)
    def _typed(self) -> None:
        self.query_one(Table).focus()


class RunsFeed:
    """Asks for everything that the screen shows; belongs to the poller's thread."""

    def __init__(self) -> None:
        self.wanted: frozenset[int] = frozenset()
        """Runs beyond the newest ones whose courses were asked for; replaced as a whole, so that any thread may look."""
        self._known: dict[int, tuple[object, Course]] = {}
        """Courses, and what they were true for."""

    def read(self, live: api.Live, filter_text: str) -> RunsData:
        """The runs that a filter leaves; a filter that cannot be understood is told in `problem`."""
        try:
            rows = live.run_list(filter_text)
        except api.FilterError as error:
            return RunsData(problem=error)
        active = [run.id for run in rows if run.state in api.ACTIVE]
        now = clock.now()
        return RunsData(
            rows=rows,
            lost=frozenset(run.id for run in rows if run.state in api.ACTIVE and api.shown_state(run, now) == "lost"),
            progress=live.progress(active),
            courses=self._courses(
                live, [run for place, run in enumerate(rows) if place < NEWEST or run.id in self.wanted]
            ),
        )

    def want(self, live: api.Live, runs: Iterable[int]) -> dict[int, Course]:
        """Courses of some more runs, from now on."""
        wanted = frozenset(runs)
        self.wanted |= wanted
        return self._courses(live, [run for run in live.run_list() if run.id in wanted])

    def _courses(self, live: api.Live, runs: Iterable[api.RunListRow]) -> dict[int, Course]:
        """Those that have changed are read: of runs that have ended, none."""
        from tui.widgets.chart.spark import sparkline  # with the charts: after the first paint, in this thread

        begun = {run.id: (run.state, run.step, run.started_at) for run in runs if run.step}
        stale = [run for run, stamp in begun.items() if self._known.get(run, (None,))[0] != stamp]
        for run, values in live.sparks(stale).items():
            last = values[-1] if values and math.isfinite(values[-1]) else None
            self._known[run] = (begun[run], Course(sparkline(values, SPARK_CELLS), last))
        return {run: self._known[run][1] for run in begun if run in self._known}


def _facts(data: RunsData, filter_text: str, marked: int) -> str:
    active = sum(run.state in api.ACTIVE for run in data.rows) - len(data.lost)
    parts = [f"{len(data.rows)} run{'' if len(data.rows) == 1 else 's'}", f"{active} running"]
    if data.lost:
        parts.append(f"{len(data.lost)} lost")
    if marked:
        parts.append(f"{marked} marked")
    if filter_text:
        parts.append(f"filter: {filter_text}")
    return " · ".join(parts)
