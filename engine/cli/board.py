"""One group of the leaderboard on the command line: sorted, filtered, with chosen columns, or as CSV and Markdown."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rich.text import Text

from engine import api
from engine.cli.console import RESEARCH_NOTE, new_table, output, print_json, say, shown
from engine.errors import UsageError

NAME_LENGTH = 60
NOT_YET = "Nothing has been evaluated yet. `sonotune evaluate RUN` measures a run."


@dataclass(frozen=True, slots=True)
class BoardOptions:
    """The options of `sonotune leaderboard` that ask for one group."""

    filter: str
    sort: str | None
    ascending: bool
    columns: str
    group: int | None
    csv: bool
    markdown: bool

    @property
    def given(self) -> bool:
        """Whether any of them was used."""
        return self != BoardOptions("", None, False, "", None, False, False)


def show_board(
    workspace: api.Workspace,
    options: BoardOptions,
    where: tuple[str | None, api.Split | None, str | None],
    as_json: bool,
) -> None:
    """Print one group; `where` narrows the groups by question, split and dataset, of which `options.group` counts."""
    if sum((options.csv, options.markdown, as_json)) > 1:
        raise UsageError("--csv, --markdown and --json exclude each other", next_step="Choose one of them.")
    groups = [group for group in api.board_groups(workspace) if _fits(group, where)]
    columns = _columns(options.columns)
    query = api.BoardQuery(
        _chosen(groups, options.group), options.filter, options.sort, not options.ascending, columns
    )  # fmt: skip
    board = api.board(workspace, query) if groups else api.empty_board(query)
    if as_json:
        print_json(_as_json(board))
    elif options.csv or options.markdown:
        form: Literal["csv", "markdown"] = "csv" if options.csv else "markdown"
        sys.stdout.write(api.export_board(board, form))
    elif board.group is None:
        say(NOT_YET)
    else:
        _print(board, groups)


def _columns(text: str) -> tuple[str, ...]:
    """Names separated by commas, the name of the run always among them; nothing for the usual columns."""
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    return names if not names or "name" in map(str.lower, names) else ("name", *names)


def _fits(group: api.BoardGroup, where: tuple[str | None, api.Split | None, str | None]) -> bool:
    found = (group.question, group.split, group.dataset)
    return all(wanted is None or wanted == value for wanted, value in zip(where, found, strict=True))


def _chosen(groups: Sequence[api.BoardGroup], number: int | None) -> api.GroupKey | None:
    """The group of that number, from 1; the first one where none is given; None where nothing was measured at all."""
    if number is None and not groups:
        return None
    if not 1 <= (number or 1) <= len(groups):
        raise UsageError(
            f"There is no group {number}",
            f"{len(groups)} group{'s were' if len(groups) != 1 else ' was'} measured.",
            "`sonotune leaderboard --columns name` lists them.",
        )
    return groups[(number or 1) - 1].key


def _as_json(board: api.Board) -> dict[str, object]:
    def named(rows: list[tuple[object, ...]]) -> list[dict[str, object]]:
        return [dict(zip(board.fields, row, strict=True)) for row in rows]

    group = board.group
    return {
        "group": None if group is None else {**group.key._asdict(), "n": group.n, "abnormal": group.abnormal},
        "filter": board.filter,
        "sort": board.sort,
        "descending": board.descending,
        "total": board.total,
        "best": board.best,
        "references": named(board.references),
        "rows": named(board.rows),
    }


def _print(board: api.Board, groups: Sequence[api.BoardGroup]) -> None:
    assert board.group is not None  # noqa: S101 - the caller has looked
    columns = [column for column in board.columns if column.name != "name"]
    table = new_table(title=_title(board.group))
    table.add_column("run", overflow="fold")
    for column in columns:
        right = column.unit not in (api.Unit.TEXT, api.Unit.TAGS)
        table.add_column(shown(api.one_line(column.title)), justify="right" if right else "left", overflow="fold")
    for row in [*board.references, *board.rows]:
        table.add_row(_name(board, row), *(_cell(board, row, column) for column in columns))
    output.print(table)
    output.print(shown(api.board_count(board), "dim"))
    if board.best:
        output.print(shown(f"* best of the {board.total} runs of this group.", "dim"))
    _print_other_groups(board.group, groups)
    output.print(
        shown(f"Intervals: 95 %, Wilson for proportions, stratified bootstrap otherwise. {RESEARCH_NOTE}", "dim")
    )


def _title(group: api.BoardGroup) -> Text:
    title = shown(f"{_where(group)}: {group.n} cases", "bold")
    if group.abnormal is not None:
        title.append(f", {group.abnormal} abnormal")
    prints = f"  cases {group.key.cases_fingerprint[:8]} protocol {group.key.protocol_fingerprint[:8]}"
    return title.append_text(shown(prints, "dim"))


def _where(group: api.BoardGroup) -> str:
    return api.one_line(f"{group.question} on {group.split} of {group.dataset}")


def _print_other_groups(own: api.BoardGroup, groups: Sequence[api.BoardGroup]) -> None:
    for number, group in enumerate(groups, 1):
        if group.key != own.key:
            prints = f"cases {group.key.cases_fingerprint[:8]} protocol {group.key.protocol_fingerprint[:8]}"
            output.print(shown(f"--group {number}: {_where(group)}, {group.runs} runs, {prints}", "dim"))


def _name(board: api.Board, row: tuple[object, ...]) -> Text:
    name = api.board_row_name(board, row)[:NAME_LENGTH]
    if row[2] is not None:
        return shown(name, "italic")
    return shown(name, "bold").append(f"\nrun {row[1]}", style="dim")


def _cell(board: api.Board, row: tuple[object, ...], column: api.BoardColumn) -> Text:
    """A value; the interval and the n of a score stand below it, and `*` behind the best of the group's runs."""
    text = api.board_cell(board, row, column)
    value, _, rest = text.partition(" (") if column.unit is api.Unit.SCORE else (text, "", "")
    best = row[2] is None and column.name in board.best and row[board.place(column.name)] == board.best[column.name]
    cell = shown(f"{value}*", "bold") if best else shown(value)
    return cell.append_text(shown(f"\n{rest.replace(')', '')}", "dim")) if rest else cell
