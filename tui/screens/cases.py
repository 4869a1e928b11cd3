"""Cases: from a cell of the confusion table to its list, and from there to the image."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widget import Widget

from engine import api
from tui.screens import cases_text as text
from tui.screens.base import WorkbenchScreen
from tui.screens.cases_actions import CasesActions
from tui.screens.cases_data import CasesData, CasesQuestion, CasesWanted
from tui.screens.cases_grid import ConfusionGrid
from tui.screens.cases_list import SIGN_WORDS, CasesModel, case_columns
from tui.screens.cases_pane import CasePane
from tui.screens.leaderboard_lines import Pieces
from tui.widgets.filterbar import FilterBar
from tui.widgets.lines import Lines
from tui.widgets.table import Table

EXAMPLE = "thickening  or  p_abnormal > 0.4 and outcome = wrong"
LIST_LINES = 6
"""Of the list, at least: a large table leaves it so many."""
AROUND = 2
"""Neighbours of the case under the cursor that are loaded ahead, on each side."""


class CasesScreen(CasesActions, WorkbenchScreen):
    """What was said where something else was meant. Enter goes from a cell to its list, and from a row to its image."""

    TAB = "Leaderboard"
    CSS_PATH = "cases.tcss"
    AUTO_FOCUS = "ConfusionGrid"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (140, "-wide")]  # noqa: RUF012 - Textual's own class variable
    VERTICAL_BREAKPOINTS = [(0, "-low"), (22, "-high")]  # noqa: RUF012 - as above
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back", id="cases.back", tooltip="From the list to the table, from the table back"),
        Binding("v", "view(1)", "View", id="cases.view", tooltip="The next view; those with NT come first"),
        Binding("V", "view(-1)", "View back", show=False, id="cases.view_back", tooltip="The view before"),
        Binding(
            "t", "decision", "Text/P", id="cases.decision", tooltip="Decide by text, or by threshold on P(abnormal)"
        ),
        Binding(
            "n", "not_right", "Not right", show=False, id="cases.not_right", tooltip="Only those that are not right"
        ),
        Binding("slash", "filter", "Filter", id="cases.filter", tooltip=EXAMPLE),
        Binding("s", "sort", "Sort", show=False, id="cases.sort", tooltip="By view, path, P(abnormal), latency"),
        Binding("S", "reverse", "Reverse", show=False, id="cases.reverse", tooltip="Turn the order round"),
    ]

    def __init__(self, evaluation: int) -> None:
        super().__init__()
        self.model = CasesModel(lambda: self.query_one(Table))
        self.wanted = CasesWanted(evaluation)
        self.data: CasesData | None = None
        self._question = CasesQuestion()
        self._shown_for: tuple[int, ...] = ()

    def body(self) -> Iterable[Widget]:
        """Head, table beside views, what the list has, the list beside the case under the cursor."""
        yield Pieces(id="head")
        with Horizontal(id="top"):
            yield ConfusionGrid(id="grid")
            yield Lines(id="views")
        yield Pieces(id="where")
        with Horizontal(id="rest"):
            with Vertical(id="listing"):
                yield Table((), self.model, empty="reading …", moved=self._row_moved, id="list")
                yield Pieces(id="details")
            yield CasePane(self.workbench.settings.images, id="pane")
        yield FilterBar(api.CASE_FILTER_COLUMNS, EXAMPLE)

    def on_mount(self) -> None:
        """Ask for the table."""
        self.ask(self.wanted)

    @property
    def crumb(self) -> str:
        """Whose cases."""
        return "cases" if self.data is None else f"cases of {self.data.confusion.subject.name}"

    # ----- data

    def ask(self, wanted: CasesWanted) -> None:
        """Ask for other cases."""
        self.wanted = wanted
        self.forget_data()
        self.watch_data(lambda live: self._question.read(live, wanted), partial(self._show, wanted))

    def _show(self, wanted: CasesWanted, data: CasesData) -> None:
        first = self.data is None
        other = first or self.data is None or self.data.found.query != data.found.query
        self.data = data
        if wanted.cell is None:
            self.wanted = replace(self.wanted, cell=data.cell)
        self.query_one(FilterBar).show_problem(data.problem)
        self.query_one("#head", Pieces).show_groups(text.head(data))
        self.query_one("#where", Pieces).show_groups(text.where(data, wanted))
        self.query_one("#views", Lines).show_paragraphs(text.view_paragraphs(data))
        self.query_one(ConfusionGrid).show_table(data.confusion.table, data.cell)
        self.show_facts(text.facts(data, wanted) if data.problem else SIGN_WORDS)
        self._lay_out()
        self._show_list(data, first=other)
        if first:
            self.show_place()

    def _show_list(self, data: CasesData, *, first: bool) -> None:
        self.model.found = data.found
        table, pane = self.query_one(Table), self.query_one(CasePane)
        table.empty = "no case fits the filter" if data.found.query.filter else "no case in this cell"
        table.set_columns(case_columns(data.found))
        evaluations = (data.found.subject.evaluation, *(each.evaluation for each in data.found.others))
        if evaluations != self._shown_for:
            self._shown_for = evaluations
            pane.set_evaluations(evaluations)
        pane.show_decision(self.wanted.decision)
        if first:
            table.action_move_to(0)
        else:
            table.rows_changed()
        self._row_moved()

    def _row_moved(self) -> None:
        """Another case is under the cursor: its words, and where there is room its picture."""
        cursor = self.query_one(Table).cursor
        item = self.model.item(cursor)
        self.query_one("#details", Pieces).show_groups(text.row_pieces(item))
        pane = self.query_one(CasePane)
        if self.data is None or not pane.display:
            return
        order = [cursor + by for step in range(1, AROUND + 1) for by in (step, -step)]
        around = [each.path for each in map(self.model.item, order) if each is not None]
        pane.show_case("" if item is None else item.path, self.data.found.root, around)

    def _lay_out(self) -> None:
        """The table gets the lines that it needs, as far as the list can spare them."""
        grid = self.query_one(ConfusionGrid)
        needed = grid.lines_needed
        if self.data is not None and self.query_one("#views").display:
            needed = max(needed, min(len(self.data.confusion.views) + 1, 12))
        height = max(3, min(needed, self.size.height - 8 - LIST_LINES))
        top = self.query_one("#top")
        if top.styles.height is None or top.styles.height.value != height:
            top.styles.height = height

    def on_resize(self) -> None:
        """Another window has other room for the table, and perhaps a pane."""
        self.call_after_refresh(self._laid_out_anew)

    def _laid_out_anew(self) -> None:
        if self.is_attached:
            self._lay_out()
            self._row_moved()

    def commands(self) -> Iterable[tuple[str, str, Callable[[], Any]]]:
        """Every view can be had from the palette."""
        for views in [] if self.data is None else text.view_choices(self.data.confusion):
            title = f"Cases of {text.views_text(views)}"
            yield title, "show these views alone", partial(self._take_views, views)

    # ----- from cell to list to image

    @on(ConfusionGrid.Moved)
    def _cell_moved(self, message: ConfusionGrid.Moved) -> None:
        self.ask(replace(self.wanted, cell=message.cell))

    @on(ConfusionGrid.Opened)
    def _cell_opened(self) -> None:
        self.query_one(Table).focus()

    @on(Table.Opened)
    def _row_opened(self, message: Table.Opened) -> None:
        self.open_image(str(message.key))

    def action_back(self) -> None:
        """From the list to the table; from the table to where one came from."""
        if self.focused is self.query_one(Table):
            self.query_one(ConfusionGrid).focus()
        else:
            self.app.pop_screen()

    # ----- views, decision, order, filter

    def action_view(self, by: int) -> None:
        """The next or the last view."""
        if self.data is not None:
            choices = text.view_choices(self.data.confusion)
            at = choices.index(self.wanted.views) if self.wanted.views in choices else 0
            self._take_views(choices[(at + by) % len(choices)])

    def _take_views(self, views: tuple[str, ...]) -> None:
        self.ask(replace(self.wanted, views=views))

    def action_decision(self) -> None:
        """By text, or by threshold."""
        if self.data is None:
            return
        if self.data.confusion.subject.question != "Q7":
            self.notify("Only Q7 has a probability of an abnormal answer, and so a threshold.", markup=False)
            return
        by_text = self.wanted.decision is api.Decision.TEXT
        self.ask(replace(self.wanted, decision=api.Decision.THRESHOLD if by_text else api.Decision.TEXT))

    def action_not_right(self) -> None:
        """Only cases that are not right, or all of the cell."""
        self.ask(replace(self.wanted, not_right=not self.wanted.not_right))

    def action_sort(self) -> None:
        """By the next column."""
        at = api.CASE_SORTS.index(self.wanted.sort)
        self.ask(replace(self.wanted, sort=api.CASE_SORTS[(at + 1) % len(api.CASE_SORTS)]))

    def action_reverse(self) -> None:
        """The other way round."""
        self.ask(replace(self.wanted, descending=not self.wanted.descending))

    def action_filter(self) -> None:
        """Type a filter."""
        self.query_one(FilterBar).open()

    @on(FilterBar.Asked)
    def _filtered(self, message: FilterBar.Asked) -> None:
        if message.text != self.wanted.filter:
            self.ask(replace(self.wanted, filter=message.text))

    @on(FilterBar.Left)
    def _typed(self) -> None:
        self.query_one(Table).focus()
