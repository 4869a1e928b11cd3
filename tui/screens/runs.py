"""All runs: what runs now, and what ran."""

from __future__ import annotations

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
    Column("state", "state", 11),
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


@dataclass(frozen=True, slots=True)
class RunsData:
    """One answer of the poller."""

    rows: tuple[api.RunListRow, ...] = ()
    lost: frozenset[int] = frozenset()
    progress: dict[int, tuple[float | None, float | None]] = field(default_factory=dict)
    """Latest loss and seconds a step, of the active runs."""
    sparks: dict[int, str] = field(default_factory=dict)
    problem: api.SonotuneError | None = None


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
            return self.data.sparks.get(run.id, ""), palette.accent
        if key == "name":
            return run.name, palette.bold
        return self._figure(run, key, width), palette.text

    def _figure(self, run: api.RunListRow, key: str, width: int) -> str:
        loss, step_seconds = self.data.progress.get(run.id, (run.final_loss, None))
        if key == "progress":
            return _progress(run, width)
        if key == "eta":
            left = api.eta_seconds(run.state, run.step, run.planned_steps, step_seconds)
            return "" if left is None else api.short_duration(left)
        if key == "loss":
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
        self._filter = ""

    def body(self) -> Iterable[Widget]:
        """The table, and the line of the filter."""
        empty = "No runs yet. 2 opens the launch form; `sonotune demo` shows the whole path in minutes."
        yield Table(COLUMNS, self._model, frozen_columns=3, empty=empty)
        yield FilterBar(lambda: api.RUN_FILTER_COLUMNS, "state = running and model contains 4B")

    def on_mount(self) -> None:
        """Ask for the runs."""
        self._ask()

    def _ask(self) -> None:
        text = self._filter
        self.forget_data()
        self.watch_data(lambda live: read_runs(live, text), self._show, every=TIME_SECONDS)

    def _show(self, data: RunsData) -> None:
        self.query_one(FilterBar).show_problem(data.problem)
        if data.problem is not None:
            self.show_facts(data.problem.title)
            return
        self._model.data = data
        self.show_facts(_facts(data, self._filter))
        self.query_one(Table).rows_changed()

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
        self.query_one(Table).action_move(1)
        self.query_one(Table).repaint()

    def action_overlay(self) -> None:
        """Open the marked runs together, the one under the cursor among them."""
        run = self.chosen_run()
        runs = [*([] if run is None or run in self._model.marked else [run]), *self._model.marked]
        if runs:
            self.open_runs(runs[:MOST_MARKED])

    def open_runs(self, runs: Sequence[int]) -> None:
        """Open the run screen for one run, with the curves of others beside its own."""
        from tui.screens.run import RunScreen

        self.app.push_screen(RunScreen(runs[0], tuple(runs[1:])))

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


def read_runs(live: api.Live, filter_text: str) -> RunsData:
    """Ask for everything that the screen shows; runs in the poller's thread."""
    from tui.widgets.chart.spark import sparkline  # the package of the charts: after the first paint, in that thread

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
        sparks={run: sparkline(values, SPARK_CELLS) for run, values in live.sparks(_worth_a_spark(rows)).items()},
    )


def _worth_a_spark(rows: Sequence[api.RunListRow], most: int = 60) -> list[int]:
    """Runs whose course is drawn: the newest that have begun, which are those on the first screens of the list."""
    return [run.id for run in rows[: 4 * most] if run.step > 0][:most]


def _facts(data: RunsData, filter_text: str) -> str:
    active = sum(run.state in api.ACTIVE for run in data.rows) - len(data.lost)
    parts = [f"{len(data.rows)} runs", f"{active} running"]
    if data.lost:
        parts.append(f"{len(data.lost)} lost")
    if filter_text:
        parts.append(f"filter: {filter_text}")
    return " · ".join(parts)
