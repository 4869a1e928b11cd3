"""The studies: the experiments as a board in the user's order, each with its question, its runs, its answer so far."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, ClassVar

from textual import events, on
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widget import Widget

from engine import api
from tui.screens import studies_text as text
from tui.screens.base import WorkbenchScreen
from tui.screens.studies_actions import StudyActions
from tui.screens.studies_board import Board
from tui.screens.studies_data import BoardData, StudiesFeed
from tui.screens.studies_model import StudyRow
from tui.screens.studies_parts import WorkLine
from tui.screens.studies_work import Answering
from tui.widgets.lines import Lines

TIME_SECONDS = 2.0
"""How often to look again where nothing is written: study files may have been edited, datasets removed."""
READING = "Reading the study files …"


class StudiesScreen(StudyActions, WorkbenchScreen):
    """The experiments in their order of priority. A cell is one arm at one seed; cells are found by what their recipes
    say, so a run that is done already is never trained again. Answers that are not known yet are worked out in the
    background once a study rests."""

    TAB = "Studies"
    CSS_PATH = "studies.tcss"
    AUTO_FOCUS = "Board"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (130, "-wide")]  # noqa: RUF012 - Textual's own class variable
    VERTICAL_BREAKPOINTS = [(0, "-low"), (20, "-high")]  # noqa: RUF012 - as above
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open_study", "Open", id="studies.open", tooltip="Cells, answers, tables, charts of it"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._data = BoardData()
        self._answering = Answering(self)
        self.scale = ""

    def body(self) -> Iterable[Widget]:
        """The board, the chosen study beside it, a line for what is going on."""
        with Horizontal(id="both"):
            yield Board()
            yield Lines(id="about")
        yield WorkLine(text.LEGEND, id="legend")
        yield WorkLine((text.RESEARCH,), id="work")

    def on_mount(self) -> None:
        """Ask for the studies."""
        self.query_one(Board).empty = READING
        self.query_one("#about").can_focus = False
        self._ask()

    def _ask(self) -> None:
        self.forget_data()
        self.watch_data(StudiesFeed(self.workbench.workspace, self.scale), self._show, every=TIME_SECONDS)

    def _show(self, data: BoardData) -> None:
        self._data = data
        board = self.query_one(Board)
        board.empty = text.NOTHING_THERE
        board.show_rows(data.rows)
        self.show_facts(text.facts(data.rows, data.scale))
        self._show_about()
        self.refresh_bindings()
        self._answering.work_out(data.rows)

    @on(Board.Highlighted)
    def _show_about(self) -> None:
        about = self.query_one("#about", Lines)
        about.show_paragraphs(text.about(self.chosen_study(), max(30, about.content_size.width - 1)))

    def on_resize(self, event: events.Resize) -> None:
        """The words beside the board are laid out anew."""
        self.call_after_refresh(self._show_about)

    # ----- what the actions need (see StudyActions)

    def chosen_study(self) -> StudyRow | None:
        """The study under the cursor."""
        return self.query_one(Board).chosen

    def scales(self) -> tuple[str, ...]:
        """All scales that there are."""
        return tuple(dict.fromkeys(scale for row in self._data.rows if row.state for scale in row.state.scales))

    def shown_scale(self) -> str:
        """The scale of the board."""
        return self._data.scale

    def take_scale(self, scale: str) -> None:
        """Show the board at another scale."""
        self.scale = scale
        self._ask()

    def say(self, words: str) -> None:
        """Show what is going on, or with "" nothing."""
        self.query_one("#work", WorkLine).show_work(words)

    # ----- keys

    def commands(self) -> Iterable[tuple[str, str, Callable[[], Any]]]:
        """Every study can be opened from the palette by its title."""
        for row in self._data.rows:
            if row.state is not None:
                yield f"Study {row.title}", api.one_line(row.state.question), partial(self._open, row)

    @on(Board.Opened)
    def action_open_study(self) -> None:
        """Open the study under the cursor."""
        row = self.chosen_study()
        if row is not None and row.state is None:
            words = f"{row.name} cannot be read as a study: {text.first_problem(row)}"
            self.notify(api.plain(words), severity="warning", markup=False)
        elif row is not None:
            self._open(row)

    def _open(self, row: StudyRow) -> None:
        from tui.screens.study import StudyScreen

        self.app.push_screen(StudyScreen(row))
