"""All runs: what runs now, and what ran."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, ClassVar

from textual import events, on
from textual.binding import Binding, BindingType
from textual.widget import Widget

from engine import api
from tui.screens.base import WorkbenchScreen
from tui.screens.run_marks import MOST_MARKED, RunMarks
from tui.screens.runs_data import Course, RunsData, RunsFeed
from tui.screens.runs_rows import RunsModel, columns_for, facts
from tui.widgets.filterbar import FilterBar
from tui.widgets.table import Table

TIME_SECONDS = 2.0
"""How often to look again where nothing is written: a silent run must be seen as lost."""
NOTHING_YET = "No runs yet. 2 opens the launch form; `sonotune demo` shows the whole path in minutes."


class RunsScreen(RunMarks, WorkbenchScreen):
    """All runs, newest first. A run without a sign of life is shown as lost, never as running."""

    TAB = "Runs"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open_run", "Open", id="runs.open", tooltip="Curves, gauges, log, scores of the run"),
        Binding("slash", "filter", "Filter", id="runs.filter", tooltip="state = running and model contains 4B"),
        Binding("space", "mark", "Mark", id="runs.mark", tooltip="Mark up to five runs, to see their curves together"),
        Binding("o", "overlay", "Overlay", id="runs.overlay", tooltip="Curves of the marked runs in one chart"),
        Binding("v", "compare", "Compare", show=False, id="runs.compare", tooltip="The marked runs, image by image"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._model = RunsModel(lambda: self.query_one(Table))
        self._feed = RunsFeed()
        self._filter = ""

    def body(self) -> Iterable[Widget]:
        """The table, and the line of the filter."""
        yield Table(columns_for(self.app.size.width), self._model, frozen_columns=3)
        yield FilterBar(lambda: api.RUN_FILTER_COLUMNS, "state = running and model contains 4B")

    def on_mount(self) -> None:
        """Ask for the runs."""
        self._ask()

    def on_resize(self, event: events.Resize) -> None:
        """A narrow window has less room for names."""
        for table in self.query(Table):
            table.set_columns(columns_for(event.size.width))

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
        self.show_facts(facts(self._model.data, self._filter, len(self.marked)))

    @on(Table.Highlighted)
    def _want_courses(self) -> None:
        """The list may be long: courses are read for what is on the screen."""
        data, feed = self._model.data, self._feed
        seen = (data.rows[row] for row in self.query_one(Table).visible_rows())
        missing = [run for run in seen if run.id not in data.courses and run.id not in feed.wanted]
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
            yield title, f"open ({run.state}) {run.tags}".rstrip(), partial(self.open_runs, [run.id])

    # ----- keys

    @property
    def marked(self) -> list[int]:
        """The marked runs."""
        return self._model.marked

    def marks_changed(self) -> None:
        """The facts say how many are marked."""
        self._show_facts()

    def action_overlay(self) -> None:
        """Open the run under the cursor with the marked ones beside it."""
        run = self.chosen_run()
        if run is not None:
            self.open_runs([run, *(each for each in self.marked if each != run)][:MOST_MARKED])

    def action_compare(self) -> None:
        """Compare the marked runs; where none is marked, the one under the cursor with the pinned run."""
        from tui.screens.compare_open import compare_runs

        runs = list(self.marked) or [run for run in (self.chosen_run(),) if run is not None]
        if runs:
            compare_runs(self.workbench, runs)

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
