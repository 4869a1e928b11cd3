"""One run, live: curves, gauges, log, events, recipe, scores, facts."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Any, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Grid, Horizontal, Vertical
from textual.widget import Widget

from engine import api
from tui.dialogs.choose import Choose, Option
from tui.poller import Watch
from tui.screens import run_text
from tui.screens.base import WorkbenchScreen
from tui.screens.run_actions import RunActions
from tui.screens.run_curves import CHARTS, LOSS, CurveFeed, Grown, RunCurves
from tui.screens.run_head import RunHead, silence, stillness
from tui.screens.run_log import LogFeed, LogPiece, paragraph_of, paragraphs_of
from tui.screens.run_marks import MOST_MARKED
from tui.widgets.chart import Chart
from tui.widgets.gauge import Gauges
from tui.widgets.lines import Lines
from tui.widgets.tabstrip import TabStrip

PANES = ("curves", "log", "events", "recipe", "scores", "facts")
TIME_SECONDS = 2.0
LOG_SECONDS = 0.5
MOST_OTHERS = MOST_MARKED - 1


class RunScreen(RunActions, WorkbenchScreen):
    """Everything about one run; up to four others may lie beside it in the charts."""

    TAB = "Runs"
    CSS_PATH = "run.tcss"
    AUTO_FOCUS = "#loss"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (120, "-wide")]  # noqa: RUF012 - Textual's own class variable
    VERTICAL_BREAKPOINTS = [(0, "-low"), (18, "-high")]  # noqa: RUF012 - as above
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back", id="run.back", tooltip="Back to the list"),
        Binding(
            "right_square_bracket,tab", "pane(1)", "Pane", id="run.next_pane", tooltip="Next pane: " + ", ".join(PANES)
        ),
        Binding("left_square_bracket,shift+tab", "pane(-1)", "Pane back", show=False, id="run.last_pane"),
        Binding("i", "cases", "Cases", id="run.cases", tooltip="The images behind its figures"),
        Binding("m", "charts", "Charts", id="run.charts", tooltip="All four charts, or one of them after the other"),
        Binding("o", "others", "Overlay", id="run.others", tooltip="Choose up to four runs to lay beside this one"),
        Binding("v", "compare", "Compare", show=False, id="run.compare", tooltip="With the runs beside it"),
    ]

    def __init__(self, run: int, others: tuple[int, ...] = ()) -> None:
        super().__init__()
        self.run_id = run
        self._view: api.RunView | None = None
        self._curves = RunCurves(run, others)
        self._pane = PANES[0]
        self._chart = 0
        self._log: LogFeed | None = None
        self._log_watch: Watch | None = None
        self._curve_watch: Watch | None = None

    def body(self) -> Iterable[Widget]:
        """Head, gauges, the strip of panes, the panes."""
        glyphs = self.workbench.settings.glyphs
        yield RunHead()
        yield Gauges()
        yield TabStrip(PANES)
        with Horizontal(id="panes"):
            with Vertical(id="left"):
                with Grid(id="curves", classes="all"):
                    for kind in CHARTS:
                        yield Chart(kind.title, unit=kind.unit, glyphs=glyphs, id=kind.id)  # type: ignore[arg-type]
                yield Lines(follow=True, empty="The process has not written anything yet.", id="log")
                for pane in PANES[2:]:
                    yield Lines(id=pane)
            with Vertical(id="side"):
                yield Lines(id="side-facts")
                yield Lines(id="side-events")

    def on_mount(self) -> None:
        """Ask for the run."""
        self._set_series()
        self._show_pane()
        run = self.run_id
        self.watch_data(lambda live: seen(live, run), self._show, every=TIME_SECONDS)
        if self._curves.others:
            self.workbench.poller.ask(lambda live: live.run_list(), self._name_others, self.workbench.report)

    def _name_others(self, rows: tuple[api.RunListRow, ...]) -> None:
        self._curves.labels.update({row.id: row.name for row in rows if row.id in self._curves.others})
        self._set_series()

    def on_screen_resume(self) -> None:
        """Curves are read anew: what came while another screen was on top was not delivered."""
        self._watch_curves()
        self._watch_log()

    def on_screen_suspend(self) -> None:
        """Neither curves nor log are read while nobody sees them."""
        self._stop_curves()
        self._watch_log(on_top=False)

    @property
    def crumb(self) -> str:
        """Number and name."""
        name = "" if self._view is None else f": {self._view.run.name}"
        return f"run {self.run_id}{name}"

    def chosen_run(self) -> int:
        """The run of this screen."""
        return self.run_id

    # ----- data

    def _watch_curves(self) -> None:
        self._stop_curves()
        feed = CurveFeed((self.run_id, *self._curves.others))
        self._curve_watch = self.workbench.poller.watch(feed.read, self._grow)

    def _stop_curves(self) -> None:
        if self._curve_watch is not None:
            self._curve_watch.cancel()
            self._curve_watch = None

    def _show(self, answer: tuple[api.RunView, str]) -> None:
        view, _ = answer
        renamed = self._view is None or self._view.run.name != view.run.name
        self._view = view
        self._curves.labels[self.run_id] = view.run.name
        if renamed:
            self.show_place()
            self._set_series()
        self.query_one(RunHead).show_view(view, self._curves.last(LOSS))
        self.query_one(Gauges).show_readings(run_text.readings(view))
        for chart in self.query(Chart):
            chart.planned = view.run.planned_steps
            chart.empty_text = (
                "waiting for the first step" if view.run.state in api.ACTIVE else "no points were recorded"
            )
        self.query_one("#side-facts", Lines).show_paragraphs(run_text.facts(view))
        self.query_one("#side-events", Lines).show_paragraphs(run_text.events(view))
        self._fill_pane()
        self._watch_log()

    def _grow(self, grown: Grown) -> None:
        if self._curves.grow(grown):
            self._set_series()
        for chart in self.query(Chart):
            chart.update()
        if self._view is not None:
            self.query_one(RunHead).show_view(self._view, self._curves.last(LOSS))

    def _set_series(self) -> None:
        for kind in CHARTS:
            chart = self.query_one(f"#{kind.id}", Chart)
            chart.title = self._curves.title(kind)
            chart.set_series(self._curves.series(kind))

    def _fill_pane(self) -> None:
        """Write the pane in sight; the hidden ones are written when they come up."""
        if self._view is None:
            return
        texts: dict[str, Callable[[api.RunView], list[Any]]] = {
            "events": run_text.events,
            "recipe": lambda view: run_text.recipe(view.run.recipe),
            "scores": run_text.scores,
            "facts": run_text.facts,
        }
        if self._pane in texts:
            self.query_one(f"#{self._pane}", Lines).show_paragraphs(texts[self._pane](self._view))

    # ----- the log

    def _watch_log(self, *, on_top: bool = True) -> None:
        """Follow the log while it is in sight."""
        in_sight = on_top and self._pane == "log" and self._view is not None
        if self._log is None and in_sight and self._view is not None:
            self._log = LogFeed(self.workbench.workspace, self._view.run.directory)
            self._log_watch = self.workbench.poller.watch(self._log.read, self._add_log, every=LOG_SECONDS)
        if self._log is not None:
            self._log.paused = not in_sight

    def on_unmount(self) -> None:
        """The screen is left for good."""
        if self._log_watch is not None:
            self._log_watch.cancel()

    def _add_log(self, added: LogPiece) -> None:
        tail = paragraph_of(added.tail) if added.tail else ()
        self.query_one("#log", Lines).add_paragraphs(paragraphs_of(added.text), tail)

    # ----- panes and charts

    def _show_pane(self) -> None:
        self.query_one(TabStrip).show_active(self._pane)
        for pane in PANES:
            self.query_one(f"#{pane}").display = pane == self._pane
        self._fill_pane()
        self._watch_log()
        target = f"#{CHARTS[max(0, self._chart - 1)].id}" if self._pane == "curves" else f"#{self._pane}"
        self.query_one(target).focus()

    def action_pane(self, by: int) -> None:
        """The next or the last pane."""
        self._pane = PANES[(PANES.index(self._pane) + by) % len(PANES)]
        self._show_pane()

    @on(TabStrip.Clicked)
    def _clicked(self, message: TabStrip.Clicked) -> None:
        self._pane = message.name
        self._show_pane()

    def action_charts(self) -> None:
        """All charts, then each alone."""
        self._chart = (self._chart + 1) % (len(CHARTS) + 1)
        self.query_one("#curves").set_class(self._chart == 0, "all")
        for place, kind in enumerate(CHARTS, start=1):
            self.query_one(f"#{kind.id}").set_class(self._chart == place, "alone")
        self._pane = "curves"
        self._show_pane()

    @on(Chart.RangeChanged)
    def _range(self, message: Chart.RangeChanged) -> None:
        for chart in self.query(Chart):
            chart.set_range(message.first, message.last, origin=message.chart)

    @on(Chart.CursorMoved)
    def _cursor(self, message: Chart.CursorMoved) -> None:
        for chart in self.query(Chart):
            chart.set_cursor(message.step, origin=message.chart)

    def action_cases(self) -> None:
        """The images behind the figures of one of its evaluations."""
        from tui.screens.cases_open import open_run_cases

        open_run_cases(self.workbench, self.run_id)

    # ----- other runs

    def action_compare(self) -> None:
        """Compare it with the runs that lie beside it; where none does, with the pinned run."""
        from tui.screens.compare_open import compare_runs

        compare_runs(self.workbench, (self.run_id, *self._curves.others))

    def action_others(self) -> None:
        """Choose runs to lay beside this one."""
        self.workbench.poller.ask(lambda live: live.run_list(), self._ask_others, self.workbench.report)

    def _ask_others(self, rows: tuple[api.RunListRow, ...]) -> None:
        options = [
            Option(row.id, f"{row.id} {row.name}", f"{row.state}, loss {api.number(row.final_loss)}")
            for row in rows
            if row.id != self.run_id and row.step
        ]

        def answered(chosen: list[Hashable] | None) -> None:
            if chosen is not None:
                self._overlay([key for key in chosen if isinstance(key, int)], rows)

        dialog = Choose("runs beside this one", options, chosen=self._curves.others, several=True, most=MOST_OTHERS)
        self.app.push_screen(dialog, answered)

    def _overlay(self, others: list[int], rows: tuple[api.RunListRow, ...]) -> None:
        labels = self._curves.labels
        self._curves = RunCurves(self.run_id, others)
        self._curves.labels.update(labels)
        self._name_others(rows)
        self._watch_curves()

    def action_back(self) -> None:
        """Back to the list."""
        self.app.pop_screen()


def seen(live: api.Live, run: int) -> tuple[api.RunView, str]:
    """A run, and for how long it has been silent: that changes without a write, and must be told all the same."""
    view = live.run_view(run)
    return view, silence(view.run) or stillness(view.run)
