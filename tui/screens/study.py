"""One study: what it asks and by which rule, its cells, its answers, its tables and charts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widget import Widget

from engine import api
from tui.screens import study_text as text
from tui.screens.base import WorkbenchScreen
from tui.screens.leaderboard_lines import Pieces
from tui.screens.studies_actions import StudyActions
from tui.screens.studies_data import StudyFeed
from tui.screens.studies_model import StudyRow
from tui.screens.studies_parts import WorkLine
from tui.screens.studies_text import RESEARCH
from tui.screens.studies_work import Answering
from tui.screens.study_answers import answers
from tui.screens.study_cells import CellsModel, cell_columns
from tui.screens.study_charts import charts
from tui.screens.study_figures import figures
from tui.screens.study_tables import TablesModel
from tui.widgets.lines import Lines, Paragraph
from tui.widgets.table import Table
from tui.widgets.tabstrip import TabStrip

CELLS, TABLES = "cells", "tables"
PANES = ("answers", CELLS, "figures", TABLES, "charts", "about")
WIDE = 150
"""Width from which the cells stand beside the other panes."""
TIME_SECONDS = 2.0
NO_CELLS = "This study has no arms at this scale."
OUT_OF_DATE = "Out of date: these are the answers of before the last change; they are being worked out anew."
NOTHING_MEASURED = "Nothing is measured yet: L queues what is missing, p shows what that would be."


class StudyScreen(StudyActions, WorkbenchScreen):
    """One study at one scale. Cells are arms at their seeds; enter opens the run of a cell. Answers follow the rules
    that the study file declares; they are worked out anew when something new has been measured."""

    TAB = "Studies"
    CSS_PATH = "study.tcss"
    AUTO_FOCUS = "#answers"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (WIDE, "-wide")]  # noqa: RUF012 - Textual's own class variable
    VERTICAL_BREAKPOINTS = [(0, "-low"), (20, "-high")]  # noqa: RUF012 - as above
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back", id="study.back", tooltip="Back to the board"),
        Binding(
            "right_square_bracket,tab",
            "pane(1)",
            "Pane",
            id="study.next_pane",
            tooltip="Next pane: " + ", ".join(PANES),
        ),
        Binding("left_square_bracket,shift+tab", "pane(-1)", "Pane back", show=False, id="study.last_pane"),
        Binding("enter", "open_run", "Run", id="study.open", tooltip="Curves, log, scores of the run of the cell"),
        Binding("t", "turn(1)", "Table", id="study.next_table", tooltip="The next table of the result"),
        Binding("T", "turn(-1)", "Table before", show=False, id="study.last_table"),
    ]

    def __init__(self, row: StudyRow) -> None:
        super().__init__()
        self.row = row
        self.scale = row.scale
        self.result = row.result
        self._pane = PANES[0]
        self._answering = Answering(self, wait_for_rest=False)
        self.cells = CellsModel(lambda: self.query_one(f"#{CELLS}", Table).palette)
        self.tables = TablesModel(lambda: self.query_one(f"#{CELLS}", Table).palette)

    def body(self) -> Iterable[Widget]:
        """What it asks, what to know first, the panes."""
        yield Pieces(id="head")
        yield Lines(id="question")
        yield Lines(id="alarms")
        yield TabStrip(PANES)
        with Horizontal(id="panes"):
            with Vertical(id="left"):
                for pane in PANES:
                    if pane == TABLES:
                        with Vertical(id=TABLES):
                            yield Lines(id="table-head")
                            yield Table(self.tables.columns(), self.tables, id="table")
                    elif pane != CELLS:
                        yield Lines(empty=NOTHING_MEASURED, id=pane)
            yield Table(cell_columns(80), self.cells, frozen_columns=2, empty=NO_CELLS, id=CELLS)
        yield WorkLine((RESEARCH,))

    def on_mount(self) -> None:
        """Show what the board knew; ask for more."""
        for name in ("question", "alarms", "table-head"):
            self.query_one(f"#{name}").can_focus = False
        self._show_pane()
        self._fill()
        self._ask()

    @property
    def crumb(self) -> str:
        """Where one is; untrusted text."""
        return f"{self.row.title} @{self.scale}"

    # ----- data

    def _ask(self) -> None:
        self.forget_data()
        self.watch_data(StudyFeed(self.workbench.workspace, self.row.name, self.scale), self._show, every=TIME_SECONDS)

    def _show(self, row: StudyRow) -> None:
        other = row.scale != self.row.scale
        self.row = row
        if row.result is not None or other:
            self.result = row.result
        self._fill()
        self.show_place()
        self._answering.work_out([row])

    def _fill(self) -> None:
        """Write everything anew; bars are as long as there is room."""
        row, result = self.row, self.result
        self.query_one("#head", Pieces).show_groups([text.head(row, result)])
        self.query_one("#question", Lines).show_paragraphs(text.question(row))
        alarms = text.alarms(row, result)
        self.query_one("#alarms", Lines).show_paragraphs(alarms)
        self.set_class(bool(alarms), "-alarming")
        self.show_facts(text.facts(row))
        width = max(40, self.query_one("#left").content_size.width - 2)
        for pane, write in (("answers", answers), ("figures", figures), ("charts", charts)):
            lines = [] if result is None else [*self._out_of_date(), *write(result, width)]
            self.query_one(f"#{pane}", Lines).show_paragraphs(lines)
        self.query_one("#about", Lines).show_paragraphs(text.about(row, result, width))
        self.cells.show(row, result)
        self.query_one(f"#{CELLS}", Table).rows_changed()
        self.tables.show(() if result is None else result.tables)
        self._show_table()

    def _out_of_date(self) -> list[Paragraph]:
        """What stands before a result of before a change of rule, marks, looks or measurements."""
        stale = self.result is not None and self.row.state is not None and self.row.result is None
        return [[("! ", "warn"), (OUT_OF_DATE, "warn")]] if stale else []

    def _show_table(self) -> None:
        self.query_one("#table-head", Lines).show_paragraphs([*self._out_of_date(), *self.tables.head()])
        table = self.query_one("#table", Table)
        table.set_columns(self.tables.columns())
        table.rows_changed()

    # ----- what the actions need (see StudyActions)

    def chosen_study(self) -> StudyRow | None:
        """This study."""
        return self.row

    def scales(self) -> tuple[str, ...]:
        """Those of its file."""
        return () if self.row.state is None else self.row.state.scales

    def shown_scale(self) -> str:
        """The scale that is shown."""
        return self.scale

    def take_scale(self, scale: str) -> None:
        """Show the study at another scale."""
        self.scale = scale
        self.show_place()
        self._ask()

    def say(self, words: str) -> None:
        """Show what is going on, or with "" the last line again."""
        self.query_one(WorkLine).show_work(words)

    # ----- panes

    @property
    def _is_wide(self) -> bool:
        return self.size.width >= WIDE

    def _show_pane(self) -> None:
        """In a narrow window one pane; in a wide one the cells stay beside the others."""
        self.query_one(TabStrip).show_active(self._pane)
        beside = self._pane if self._pane != CELLS else PANES[0]
        for pane in PANES:
            shown = pane == (beside if self._is_wide else self._pane)
            self.query_one(f"#{pane}").display = (shown or self._is_wide) if pane == CELLS else shown
        self.query_one("#left").display = self._is_wide or self._pane != CELLS
        self.query_one("#table" if self._pane == TABLES else f"#{self._pane}").focus()
        self.refresh_bindings()

    def on_resize(self) -> None:
        """Another width may have room for the cells beside the rest, and for longer bars."""
        self._show_pane()
        self.call_after_refresh(self._resized)

    def _resized(self) -> None:
        table = self.query_one(f"#{CELLS}", Table)
        table.set_columns(cell_columns(table.content_size.width))
        self._fill()

    @on(TabStrip.Clicked)
    def _clicked(self, message: TabStrip.Clicked) -> None:
        self._pane = message.name
        self._show_pane()

    # ----- keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A cell is opened among the cells, tables are turned where there are some."""
        if action == "open_run":
            return self._pane == CELLS
        if action == "turn":
            return self._pane == TABLES and len(self.tables.tables) > 1
        return super().check_action(action, parameters)

    def action_pane(self, by: int) -> None:
        """The next or the last pane."""
        self._pane = PANES[(PANES.index(self._pane) + by) % len(PANES)]
        self._show_pane()

    def action_turn(self, by: int) -> None:
        """Another table."""
        self.tables.turn(by)
        self._show_table()

    @on(Table.Opened, f"#{CELLS}")
    def action_open_run(self) -> None:
        """Open the run of the cell under the cursor."""
        cell = self.cells.row_at(self.query_one(f"#{CELLS}", Table).cursor)
        if cell is None:
            return
        if cell.run_id is None:
            words = text.no_run(cell)
            self.notify(api.plain(words), severity="warning", markup=False)
            return
        from tui.screens.run import RunScreen

        self.app.push_screen(RunScreen(cell.run_id))

    def action_back(self) -> None:
        """Back to the board."""
        self.app.pop_screen()
