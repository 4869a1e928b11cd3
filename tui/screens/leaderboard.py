"""What results are worth: one group at a time, sorted, filtered, beside its reference rows."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widget import Widget

from engine import api
from tui.screens import leaderboard_text as text
from tui.screens.base import WorkbenchScreen
from tui.screens.leaderboard_actions import BoardActions
from tui.screens.leaderboard_data import MOST_COLUMNS, BoardData, BoardQuestion, Wanted
from tui.screens.leaderboard_lines import Note, Pieces
from tui.screens.leaderboard_rows import BoardModel
from tui.screens.leaderboard_standings import PinnedStandings, standing_pieces
from tui.screens.leaderboard_table import BoardTable
from tui.widgets.filterbar import FilterBar
from tui.widgets.table import Table

EXAMPLE = "balanced_accuracy > 0.8 and model contains 4B"


class LeaderboardScreen(BoardActions, WorkbenchScreen):
    """The leaderboard. Rows of different groups are never ranked together: no view shows two groups."""

    TAB = "Leaderboard"
    CSS_PATH = "leaderboard.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (112, "-wide")]  # noqa: RUF012 - Textual's own class variable
    VERTICAL_BREAKPOINTS = [(0, "-low"), (18, "-high")]  # noqa: RUF012 - as above
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter", id="leaderboard.filter", tooltip=EXAMPLE),
        Binding("s", "choose_sort", "Sort", id="leaderboard.sort", tooltip="Choose what the rows are sorted by"),
        Binding("S", "reverse", "Reverse", show=False, id="leaderboard.reverse", tooltip="The other way round"),
        Binding("less_than_sign", "move_sort(-1)", "Sort left", show=False, id="leaderboard.sort_left"),
        Binding("greater_than_sign", "move_sort(1)", "Sort right", show=False, id="leaderboard.sort_right"),
        Binding("C", "choose_columns", "Columns", show=False, id="leaderboard.columns", tooltip="Choose the columns"),
        Binding("G", "choose_group", "Group", id="leaderboard.groups", tooltip="Choose what is ranked"),
        Binding("left_square_bracket", "group(-1)", "Last group", show=False, id="leaderboard.last_group"),
        Binding("right_square_bracket", "group(1)", "Next group", show=False, id="leaderboard.next_group"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.model = BoardModel(lambda: self.query_one(BoardTable).palette)
        self._question = BoardQuestion()
        self._asked_for = Wanted()
        self._data = BoardData()
        self._sort: tuple[str, bool] | None = None
        """Field and whether descending; None: as the board comes."""
        self._standings = PinnedStandings(
            self.workbench, self.model, lambda: self.query_one(BoardTable).rows_in_sight()
        )
        # Before there is a style sheet or a widget: ten thousand rows are read while the first frame is made.
        self.workbench.poller.ask(partial(self._question.read, wanted=self._asked_for), _ready, _ready)

    def body(self) -> Iterable[Widget]:
        """What is ranked, the table, the row under the cursor, what the figures are worth, the line of the filter."""
        yield Pieces(id="head")
        yield BoardTable(self.model, self._show_details)
        yield Pieces(id="details")
        yield Note()
        yield FilterBar(lambda: api.board_filter_columns(self.model.board), EXAMPLE)

    def on_mount(self) -> None:
        """Ask for the board."""
        self._ask(self._asked_for)

    # ----- data

    def _ask(self, wanted: Wanted) -> None:
        self._asked_for = wanted
        self.forget_data()
        self.watch_data(lambda live: self._question.read(live, wanted), self._show)

    def _show(self, data: BoardData) -> None:
        before, self._data = self.model.board, data
        self.query_one(FilterBar).show_problem(data.problem)
        board = data.board
        if board is None:
            self.query_one(BoardTable).empty = text.NOTHING_YET
            self.query_one(BoardTable).repaint()
            return
        if self._sort is not None and self._sort[0] in board.fields:
            board = api.sort_board(board, *self._sort)
        other = before is None or before.group is None or board.group is None or before.group.key != board.group.key
        self._show_board(board, first=other)
        if data.limited:
            self._ask(replace(self._asked_for, whole=True))

    def _show_board(self, board: api.Board, *, first: bool) -> None:
        self.model.set_board(board, self._data.pins)
        table = self.query_one(BoardTable)
        table.empty = text.empty(board)
        table.show_board((board.sort, board.descending), first=first)
        self.query_one("#head", Pieces).show_groups([text.head(board, self._data.looks)])
        self.show_facts(text.facts(board, self._data.problem))
        self._show_details()
        self.call_after_refresh(self._want_standings)

    @on(Table.Highlighted)
    def _want_standings(self) -> None:
        """The rows in sight are held against the pinned one once they have been painted."""
        if self.is_current:
            self._standings.want(self._show_standings)

    def _show_standings(self) -> None:
        self.query_one(BoardTable).repaint()
        self._show_details()

    def _show_details(self) -> None:
        board, row = self.model.board, self.current_row()
        groups = [] if board is None or row is None else text.details(board, row)
        versus = [] if row is None else standing_pieces(self.model, row)
        if versus:
            groups.insert(1, versus)
        self.query_one("#details", Pieces).show_groups(groups)

    def commands(self) -> Iterable[tuple[str, str, Callable[[], Any]]]:
        """Every group can be had from the palette."""
        board = self.model.board
        for group in [] if board is None else board.groups:
            words = f"{text.cases_text(group)}, {text.prints_text(group)}"
            yield f"Rank {api.one_line(text.group_name(group))}", words, partial(self._take_group, group.key)

    # ----- groups

    def action_group(self, by: int) -> None:
        """The next or the last group."""
        board = self.model.board
        if board is None or board.group is None:
            return
        keys = [group.key for group in board.groups]
        if len(keys) == 1:
            self.notify("There is only this group.", markup=False)
            return
        self._take_group(keys[(keys.index(board.group.key) + by) % len(keys)])

    def action_choose_group(self) -> None:
        """Choose a group."""
        from tui.dialogs.choose import Choose, Option

        board = self.model.board
        if board is None or board.group is None:
            return
        options = [
            Option(
                group.key,
                text.group_name(group),
                f"{text.cases_text(group)}; {group.runs} runs; {text.prints_text(group)}",
            )
            for group in board.groups
        ]

        def answered(chosen: list[Hashable] | None) -> None:
            for key in chosen or ():
                if isinstance(key, api.GroupKey):
                    self._take_group(key)

        self.app.push_screen(Choose("what is ranked", options, chosen=[board.group.key]), answered)

    def _take_group(self, key: api.GroupKey) -> None:
        self._ask(replace(self._asked_for, group=key, whole=self._sort is not None))

    # ----- order

    def action_choose_sort(self) -> None:
        """Choose the field to sort by."""
        from tui.dialogs.choose import Choose, Option

        board = self.model.board
        if board is None:
            return

        def answered(chosen: list[Hashable] | None) -> None:
            for field in chosen or ():
                self._sort_by(str(field), None)

        options = [Option(field, title, words) for field, title, words in text.sort_fields(board)]
        self.app.push_screen(Choose("sort by", options, chosen=[board.sort]), answered)

    def action_reverse(self) -> None:
        """The other way round."""
        board = self.model.board
        if board is not None and board.sort in board.fields:
            self._sort_by(board.sort, not board.descending)

    def action_move_sort(self, by: int) -> None:
        """Sort by the column beside the one that the rows are sorted by."""
        board = self.model.board
        if board is None:
            return
        places = [place for place, column in enumerate(board.columns) if board.sort in column.fields]
        column = board.columns[((places[0] if places else 0) + by) % len(board.columns)]
        self._sort_by(column.name, None)

    @on(Table.HeadClicked)
    def _head_clicked(self, message: Table.HeadClicked) -> None:
        board = self.model.board
        if board is not None and message.column in board.fields:
            again = message.column == board.sort
            self._sort_by(message.column, not board.descending if again else None)

    def _sort_by(self, field: str, descending: bool | None) -> None:
        """Sort what is shown; None: the direction in which the better rows come first."""
        board = self.model.board
        if board is None or field not in board.fields:
            return
        self._sort = (field, text.best_first(board, field) if descending is None else descending)
        self._show_board(api.sort_board(board, *self._sort), first=True)
        self.query_one(BoardTable).bring_into_sight(field)

    # ----- columns and filter

    def action_choose_columns(self) -> None:
        """Choose the columns."""
        from tui.dialogs.choose import Choose, Option

        board = self.model.board
        if board is None:
            return
        options = [
            Option(column.name, column.title, column.description) for column in board.available if column.name != "name"
        ]
        shown = [column.name for column in board.columns if column.name != "name"]

        def answered(chosen: list[Hashable] | None) -> None:
            if chosen is not None and chosen != shown:
                self._take_columns(tuple(str(name) for name in chosen))

        title = "columns, in the order of marking; none: the usual ones"
        self.app.push_screen(Choose(title, options, chosen=shown, several=True, most=MOST_COLUMNS - 1), answered)

    def _take_columns(self, names: tuple[str, ...]) -> None:
        workspace = self.workbench.workspace
        self._ask(replace(self._asked_for, columns=names))
        self.workbench.act(lambda: api.choose_board_columns(workspace, names))

    def action_filter(self) -> None:
        """Type a filter."""
        self.query_one(FilterBar).open()

    @on(FilterBar.Asked)
    def _filtered(self, message: FilterBar.Asked) -> None:
        self._ask(replace(self._asked_for, filter=message.text))

    @on(FilterBar.Left)
    def _typed(self) -> None:
        self.query_one(BoardTable).focus()


def _ready(_: object) -> None:
    """The answer is kept by the question, and its error comes again when the screen itself asks."""
