"""The table: its cursor, its columns, its frozen rows, and that it asks only for what is on the screen."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import pytest
from rich.style import Style
from textual import on
from textual.app import App, ComposeResult
from textual.events import MouseScrollDown, MouseScrollUp
from textual.message import Message
from textual.pilot import Pilot
from tui_helpers import HOSTILE, until, widget_text

from engine.text import plain
from tui.themes import themes
from tui.widgets.table import Cell, Column, Freezing, Table

pytestmark = pytest.mark.usefixtures("brisk")

NARROW = (Column("id", "id", 5, align="right"), Column("name", "name", 10, flex=1))
WIDE = (*NARROW, *(Column(f"c{number}", f"col{number}", 8) for number in range(12)))


class Rows:
    """A model that counts what it is asked for."""

    def __init__(self, keys: Sequence[int], frozen: int = 0) -> None:
        self.keys = list(keys)
        self.frozen = frozen
        self.made: list[int] = []
        self.text = "row {}"

    def row_count(self) -> int:
        return len(self.keys)

    def row_key(self, row: int) -> Hashable:
        return self.keys[row]

    def row_cells(self, row: int, columns: Sequence[Column], _widths: Sequence[int]) -> list[Cell]:
        self.made.append(row)
        return self._cells(str(self.keys[row]), self.text.format(self.keys[row]), columns)

    def frozen_count(self) -> int:
        return self.frozen

    def frozen_rows(self, columns: Sequence[Column], _widths: Sequence[int]) -> list[list[Cell]]:
        assert columns, "not asked for rows only to count them"
        return [self._cells("-", f"frozen {number}", columns) for number in range(self.frozen)]

    @staticmethod
    def _cells(first: str, second: str, columns: Sequence[Column]) -> list[Cell]:
        named = {"id": first, "name": second}
        return [(named.get(column.key, f"<{column.key}>"), Style(color="red")) for column in columns]


class TableApp(App[None]):
    def __init__(self, table: Table) -> None:
        super().__init__()
        for theme in themes():
            self.register_theme(theme)
        self.theme = "sonotune-dark"
        self.table = table
        self.heard: list[Message] = []

    def compose(self) -> ComposeResult:
        yield self.table

    def on_mount(self) -> None:
        self.table.focus()

    @on(Table.Opened)
    @on(Table.Highlighted)
    @on(Table.HeadClicked)
    def hear(self, message: Message) -> None:
        self.heard.append(message)

    def opened(self) -> list[Hashable]:
        return [message.key for message in self.heard if isinstance(message, Table.Opened)]


def table_of(keys: Sequence[int] = range(100), columns: Sequence[Column] = NARROW, frozen: int = 0) -> Table:
    return Table(columns, Rows(keys, frozen), empty="nothing here")


def lines_of(table: Table) -> list[str]:
    return widget_text(table).split("\n")


async def ready(pilot: Pilot[Any]) -> Table:
    table = pilot.app.query_one(Table)
    await until(pilot, lambda: table.has_focus and table.content_size.height and lines_of(table)[0].strip(), "drawn")
    return table


# ----- the cursor


@pytest.mark.parametrize(
    ("keys", "row"),
    [
        ((), 0),
        (("down",), 1),
        (("j", "j", "k"), 1),
        (("up",), 0),
        (("end",), 99),
        (("G", "down"), 99),
        (("G", "g"), 0),
        (("end", "home"), 0),
        (("pagedown",), 8),
        (("pagedown", "pagedown", "pageup"), 8),
        (("end", "pageup"), 91),
    ],
)
async def test_keys_move_the_cursor(keys: tuple[str, ...], row: int) -> None:
    async with TableApp(table_of()).run_test(size=(40, 10)) as pilot:
        table = await ready(pilot)
        await pilot.press(*keys)
        assert (table.cursor, table.cursor_key()) == (row, row)
        assert row in table.visible_keys()
        assert f"row {row} " in widget_text(table)


async def test_the_cursor_follows_its_row_when_the_order_changes() -> None:
    async with TableApp(table_of(range(30))).run_test(size=(40, 10)) as pilot:
        table = await ready(pilot)
        model = table.model
        assert isinstance(model, Rows)
        await pilot.press(*["down"] * 5)
        model.keys.insert(0, 1000)
        table.rows_changed()
        assert (table.cursor, table.cursor_key()) == (6, 5)
        model.keys.reverse()
        table.rows_changed()
        assert (table.cursor, table.cursor_key()) == (24, 5)
        assert 5 in table.visible_keys(), "and it stays in sight"


async def test_a_cursor_whose_row_has_gone_stays_at_its_place() -> None:
    async with TableApp(table_of(range(30))).run_test(size=(40, 10)) as pilot:
        table = await ready(pilot)
        model = table.model
        assert isinstance(model, Rows)
        await pilot.press("end")
        for left, row in ((range(25), 24), (range(3), 2), ((), 0), (range(7), 0)):
            model.keys = list(left)
            table.rows_changed()
            assert table.cursor == row
            assert table.cursor_key() == (row if len(left) else None)
        assert len(table.visible_keys()) == 7


async def test_every_move_is_told_once() -> None:
    app = TableApp(table_of(range(3)))
    async with app.run_test(size=(40, 10)) as pilot:
        table = await ready(pilot)
        await pilot.pause()
        app.heard.clear()
        await pilot.press("down", "down", "down", "up")
        await pilot.pause()
        assert [message.key for message in app.heard if isinstance(message, Table.Highlighted)] == [1, 2, 1]
        assert all(message.control is table for message in app.heard if isinstance(message, Table.Highlighted))


async def test_the_cursor_can_be_put_on_a_key() -> None:
    async with TableApp(table_of()).run_test(size=(40, 10)) as pilot:
        table = await ready(pilot)
        assert table.move_to_key(70)
        assert table.cursor == 70 and 70 in table.visible_keys()
        assert not table.move_to_key("absent")
        assert table.cursor == 70


async def test_enter_opens_and_a_screen_with_a_use_for_it_gets_it() -> None:
    app = TableApp(table_of())
    async with app.run_test(size=(40, 10)) as pilot:
        await ready(pilot)
        await pilot.press("down", "enter")
        await pilot.pause()
        assert app.opened() == [1]
        app.screen._bindings.bind("enter", "app.bell", "Mine")
        await pilot.press("enter")
        await pilot.pause()
        assert app.opened() == [1]
        assert app.screen.active_bindings["enter"].binding.description == "Mine"


async def test_nothing_is_opened_where_there_is_no_row() -> None:
    app = TableApp(table_of([]))
    async with app.run_test(size=(40, 10)) as pilot:
        table = await ready(pilot)
        assert "nothing here" in widget_text(table)
        await pilot.press("enter", "down", "up", "pagedown", "end", "home", "right")
        await pilot.click(table, offset=(3, 1), times=2)
        await pilot.pause()
        assert app.opened() == [] and table.cursor == 0 and table.cursor_key() is None


async def test_the_cursor_is_weaker_without_the_focus() -> None:
    async with TableApp(table_of()).run_test(size=(40, 10)) as pilot:
        table = await ready(pilot)
        assert table.render_line(1)._segments[0].style.bgcolor == table.palette.cursor.bgcolor
        app = pilot.app
        app.set_focus(None)
        await pilot.pause()
        assert table.render_line(1)._segments[0].style.bgcolor == table.palette.selected.bgcolor


# ----- columns


async def test_columns_are_scrolled_beside_the_frozen_one() -> None:
    async with TableApp(table_of(columns=WIDE)).run_test(size=(40, 10)) as pilot:
        table = await ready(pilot)
        assert lines_of(table)[0].rstrip().endswith("›")
        await pilot.press("right", "l")
        head = lines_of(table)[0]
        assert head.replace("‹", " ").split()[:2] == ["id", "col1"] and "‹" in head
        await pilot.press("h", "left", "left")
        assert lines_of(table)[0].split()[:2] == ["id", "name"] and "‹" not in lines_of(table)[0]
        await pilot.press(*["right"] * 30)
        head = lines_of(table)[0]
        assert "col11" in head and "›" not in head, "the last column can be reached, and then there is no more"
        assert "<c11>" in lines_of(table)[1] and lines_of(table)[1].split()[0] == "0"


@pytest.mark.parametrize("width", range(30, 120, 17))
async def test_every_column_can_be_reached_in_every_width(width: int) -> None:
    async with TableApp(table_of(columns=WIDE)).run_test(size=(width, 6)) as pilot:
        table = await ready(pilot)
        seen: set[str] = set()
        for _ in range(len(WIDE)):
            seen.update(lines_of(table)[0].split())
            await pilot.press("right")
        assert {column.title for column in WIDE} <= seen


async def test_a_wider_window_takes_columns_back_that_were_scrolled_away() -> None:
    async with TableApp(table_of(columns=WIDE)).run_test(size=(40, 10)) as pilot:
        table = await ready(pilot)
        await pilot.press("right", "right", "right")
        await pilot.resize_terminal(160, 10)
        await until(pilot, lambda: "name" in lines_of(table)[0], "all columns fit")
        assert "‹" not in lines_of(table)[0] and "›" not in lines_of(table)[0]


async def test_what_is_left_over_goes_to_the_flexible_column() -> None:
    async with TableApp(table_of()).run_test(size=(60, 6)) as pilot:
        table = await ready(pilot)
        columns, widths = table._shown(59)
        assert [column.key for column in columns] == ["id", "name"] and sum(widths) + 1 == 59


async def test_the_sorted_column_has_an_arrow() -> None:
    async with TableApp(table_of()).run_test(size=(40, 6)) as pilot:
        table = await ready(pilot)
        for descending, arrow in ((True, "▼"), (False, "▲")):
            table.sort = ("name", descending)
            table.repaint()
            assert f"name{arrow}" in lines_of(table)[0]


async def test_other_columns_can_be_set() -> None:
    async with TableApp(table_of(columns=WIDE)).run_test(size=(40, 6)) as pilot:
        table = await ready(pilot)
        await pilot.press(*["right"] * 10)
        table.set_columns(NARROW)
        assert lines_of(table)[0].split() == ["id", "name"]


# ----- frozen rows


class Plain:
    """A model that freezes nothing, and says nothing of it."""

    def row_count(self) -> int:
        return 50

    def row_key(self, row: int) -> Hashable:
        return row

    def row_cells(self, row: int, columns: Sequence[Column], _widths: Sequence[int]) -> list[Cell]:
        return [(f"row {row}", Style(color="red"))] * len(columns)


async def test_a_model_may_have_no_word_for_frozen_rows() -> None:
    assert not isinstance(Plain(), Freezing)
    async with TableApp(Table(NARROW, Plain())).run_test(size=(40, 10)) as pilot:
        table = await ready(pilot)
        lines = lines_of(table)
        assert "row 0" in lines[1] and "row 8" in lines[9]


async def test_frozen_rows_stay_on_top() -> None:
    model = Rows(range(50), frozen=2)
    assert isinstance(model, Freezing)
    async with TableApp(Table(NARROW, model)).run_test(size=(40, 10)) as pilot:
        table = await ready(pilot)
        await pilot.press("end")
        lines = lines_of(table)
        assert "frozen 0" in lines[1] and "frozen 1" in lines[2] and "row 43" in lines[3] and "row 49" in lines[9]
        await pilot.click(table, offset=(8, 1))
        assert table.cursor == 49, "a frozen row is no row to choose"
        await pilot.click(table, offset=(8, 3))
        assert table.cursor == 43


async def test_a_low_window_keeps_a_row_to_work_on() -> None:
    async with TableApp(table_of(range(50), frozen=9)).run_test(size=(40, 6)) as pilot:
        table = await ready(pilot)
        await pilot.press("end")
        assert "row 49" in widget_text(table)


# ----- the mouse


async def test_a_click_moves_the_cursor_and_the_second_opens() -> None:
    app = TableApp(table_of())
    async with app.run_test(size=(40, 10)) as pilot:
        table = await ready(pilot)
        await pilot.click(table, offset=(8, 4))
        assert table.cursor == 3 and not app.opened()
        await pilot.click(table, offset=(8, 6), times=2)
        await pilot.pause()
        assert table.cursor == 5 and app.opened() == [5]


async def test_a_click_on_a_head_names_its_column() -> None:
    app = TableApp(table_of(columns=WIDE))
    async with app.run_test(size=(60, 10)) as pilot:
        table = await ready(pilot)
        await pilot.click(table, offset=(1, 0))
        await pilot.click(table, offset=(7, 0))
        await pilot.press("right")
        await pilot.click(table, offset=(7, 0))
        await pilot.pause()
        assert [message.column for message in app.heard if isinstance(message, Table.HeadClicked)] == [
            "id",
            "name",
            "c0",
        ]


async def test_a_click_below_the_last_row_does_nothing() -> None:
    app = TableApp(table_of(range(3)))
    async with app.run_test(size=(40, 10)) as pilot:
        table = await ready(pilot)
        await pilot.click(table, offset=(8, 8), times=2)
        await pilot.pause()
        assert table.cursor == 0 and not app.opened()


async def test_the_wheel_moves_the_cursor_by_three() -> None:
    async with TableApp(table_of()).run_test(size=(40, 10)) as pilot:
        table = await ready(pilot)
        await pilot._post_mouse_events([MouseScrollDown], table)
        assert table.cursor == 3
        await pilot._post_mouse_events([MouseScrollUp], table)
        assert table.cursor == 0


# ----- sizes, long lists, hostile text


@pytest.mark.parametrize("size", [(40, 10), (12, 3), (3, 2), (2, 1), (1, 1), (200, 50)])
@pytest.mark.parametrize("rows", [0, 1, 500])
async def test_any_size_is_drawn(size: tuple[int, int], rows: int) -> None:
    async with TableApp(table_of(range(rows), WIDE, frozen=2)).run_test(size=size) as pilot:
        table = pilot.app.query_one(Table)
        await pilot.press("down", "end", "right", "pageup")
        assert all(table.render_line(y).cell_length == size[0] for y in range(size[1]))
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: "name" in widget_text(table) or "col0" in widget_text(table), "drawn in full again")
        assert table.cursor < max(1, rows)


async def test_of_ten_thousand_rows_only_those_in_sight_are_made() -> None:
    model = Rows(range(10_000))
    async with TableApp(Table(NARROW, model)).run_test(size=(80, 24)) as pilot:
        table = await ready(pilot)
        for keys in (("pagedown",), ("end",), ("up",), ("home",)):
            model.made.clear()
            await pilot.press(*keys)
            assert 0 < len(model.made) <= 23, "each row in sight is made once for each key"
            assert set(model.made) == set(table.visible_rows())


async def test_a_scroll_mark_shows_the_place() -> None:
    async with TableApp(table_of()).run_test(size=(40, 10)) as pilot:
        table = await ready(pilot)
        assert lines_of(table)[1].endswith("┃") and not lines_of(table)[9].endswith("┃")
        await pilot.press("end")
        assert lines_of(table)[9].endswith("┃") and not lines_of(table)[1].endswith("┃")
        model = table.model
        assert isinstance(model, Rows)
        model.keys = [1, 2]
        table.rows_changed()
        assert "┃" not in widget_text(table), "not where all rows are in sight"


async def test_hostile_text_stays_in_its_cell() -> None:
    model = Rows(range(3))
    model.text = HOSTILE.replace("{", "").replace("}", "")
    async with TableApp(Table(WIDE, model)).run_test(size=(60, 6)) as pilot:
        table = await ready(pilot)
        for y in range(4):
            line = table.render_line(y)
            assert line.cell_length == 60
            assert plain(line.text) == line.text
        assert lines_of(table)[1].rstrip(" ┃").endswith("<c3>") and "[2J" in lines_of(table)[1]
