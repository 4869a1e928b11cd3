"""The words around the leaderboard: which group, what is known of a row, what the figures are worth."""

from __future__ import annotations

from typing import Any

from engine import api
from tui.screens.leaderboard_columns import figure_text
from tui.screens.leaderboard_rows import GRAVE, REFERENCE, Row
from tui.text import cut

Piece = tuple[str, str]
"""Text (may be untrusted) and its tone."""

FEW_OF_A_CLASS = 30
FEW_CASES = 200
"""From so many cases on, nothing is said of a figure's interval. At a share of one half, that of 30 cases reaches 17
percentage points to either side, and that of 200 cases 7: about the difference that two fine-tunings make."""

NOTES = (
    "Intervals: 95 %, Wilson for proportions, stratified bootstrap otherwise. Research only, not for clinical use.",
    "95 % intervals: Wilson, else bootstrap. Research only, not for clinical use.",
    "Research only, not for clinical use.",
)
"""The last line, from long to short."""
NOTHING_YET = "Nothing has been measured yet. `E` on a run (key 3) measures it."
NOTHING_FITS = "No run fits the filter; / changes it, and escape there takes it away."
ONLY_REFERENCES = "Only references have been measured in this group so far."
NAME_CELLS = 48
_FINGERPRINT = 8


def group_name(group: api.BoardGroup) -> str:
    """`Q7 on test of phantoms`."""
    return f"{group.question} on {group.split} of {group.dataset}"


def cases_text(group: api.BoardGroup) -> str:
    """`240 cases, 60 abnormal`."""
    cases = "cases" if group.n is None else f"{group.n} cases"
    return cases if group.abnormal is None else f"{cases}, {group.abnormal} abnormal"


def prints_text(group: api.BoardGroup) -> str:
    """`cases 1a2b3c4d protocol 5e6f7a8b`."""
    key = group.key
    return f"cases {key.cases_fingerprint[:_FINGERPRINT]} protocol {key.protocol_fingerprint[:_FINGERPRINT]}"


def head(board: api.Board, looks: str = "") -> list[Piece]:
    """What is ranked; nothing where nothing was measured."""
    group = board.group
    if group is None:
        return []
    number = 1 + [each.key for each in board.groups].index(group.key)
    return [
        (group_name(group), "bold"),
        (cases_text(group), "text"),
        *([(looks, "warn")] if looks else []),
        (prints_text(group), "dim"),
        (f"group {number} of {len(board.groups)}", "text"),
    ]


def facts(board: api.Board, problem: api.FilterError | None) -> str:
    """Rows, order, and what is wrong with the filter."""
    if board.group is None:
        return ""
    rows = f"{len(board.rows)} of {board.total} rows"
    if problem is not None:
        return f"{rows} · {problem.title}"
    parts = [rows, f"by {sort_title(board)} {'▼' if board.descending else '▲'}"]
    return " · ".join([*parts, f"filter: {board.filter}"] if board.filter else parts)


def sort_title(board: api.Board) -> str:
    """What the rows are sorted by."""
    for column in board.available:
        if board.sort in column.fields:
            ends = dict(zip(column.fields, ("", ", low end", ", high end", ", n"), strict=False))
            return column.short + ends[board.sort]
    return board.sort


def sort_fields(board: api.Board) -> list[tuple[str, str, str]]:
    """What the rows can be sorted by: field, title, and words about it."""
    fields = []
    for column in board.columns:
        fields.append((column.name, column.title, column.description))
        if column.unit is api.Unit.SCORE:
            title = f"{column.title}, low end"
            fields.append((column.fields[1], title, "Of the interval: few cases don't come first by luck."))
    return fields


def best_first(board: api.Board, field: str) -> bool:
    """Whether descending order brings the better rows first; words begin with A, everything else with the most."""
    column = next((each for each in board.columns if field in each.fields), None)
    return column is None or not (column.better is api.Better.LOWER or column.unit in (api.Unit.TEXT, api.Unit.TAGS))


def empty(board: api.Board) -> str:
    """What to say where the table has no row."""
    if board.group is None:
        return NOTHING_YET
    return NOTHING_FITS if board.total else ONLY_REFERENCES


def details(board: api.Board, row: Row) -> list[list[Piece]]:
    """Everything about one row: who it is, what it scored, how it was measured; a line or more each."""
    shown = [column for column in board.columns if column.name != "name"]
    scores = [column for column in shown if column.unit is api.Unit.SCORE]
    named = {"run", "model", "backend", "quantization", "n", "marks", "mark_details"}
    rest = [column for column in shown if column.unit is not api.Unit.SCORE and column.name not in named]
    marks = [[(f"! {sentence}", "bad")] for sentence in mark_sentences(board, row)]
    words = [*_measured(board, row), *_rest(board, row, rest)]
    return [_subject(board, row), *marks, _scores(board, row, scores), words]


def mark_sentences(board: api.Board, row: Row) -> list[str]:
    """What the marks of a row say; that there are few cases is said beside its figures."""
    kinds, said = _value(board, row, "marks"), _value(board, row, "mark_details")
    sentences = dict(zip(str(kinds or "").split(", "), str(said or "").split("\n"), strict=False))
    order = [*GRAVE, *sentences]
    said_already = bool(few_cases(board, row))  # beside the figures
    kept = sorted((kind for kind in sentences if kind), key=order.index)
    kept = [kind for kind in kept if kind != api.Mark.FEW_CASES or not said_already]
    return [sentences[kind] for kind in kept]


def few_cases(board: api.Board, row: Row) -> list[str]:
    """Short titles of the scores in sight behind which too few cases stand; see FEW_CASES."""
    few = []
    for column in board.columns:
        if column.unit is api.Unit.SCORE:
            value, _, _, n = _values(board, row, column)
            of_a_class = column.score.endswith(("sensitivity", "specificity"))
            if value is not None and n is not None and n < (FEW_OF_A_CLASS if of_a_class else FEW_CASES):
                few.append(column.short)
    return few


def _values(board: api.Board, row: Row, column: api.BoardColumn) -> tuple[Any, ...]:
    place = board.place(column.name)
    return row[place : place + len(column.fields)]


def _value(board: api.Board, row: Row, name: str) -> Any:
    return row[board.place(name)] if name in board.fields else None


def _subject(board: api.Board, row: Row) -> list[Piece]:
    pieces = [(cut(api.board_row_name(board, row), NAME_CELLS), "bold")]
    if row[2] is None:
        pieces.append((f"run {row[1]}", "accent"))
    else:
        pieces.append((f"{REFERENCE} reference", "accent"))
    for name in ("model", "backend", "quantization"):
        value = _value(board, row, name)
        if value and not (name == "quantization" and value == "none"):
            pieces.append((str(value), "dim"))
    return pieces


def _scores(board: api.Board, row: Row, columns: list[api.BoardColumn]) -> list[Piece]:
    pieces = [
        (f"{column.short} {api.board_cell(board, row, column)}", "text")
        for column in columns
        if _values(board, row, column)[0] is not None
    ]
    few = few_cases(board, row)
    if few:
        which = "" if len(few) == len(pieces) else f" ({', '.join(few)})"
        pieces.append((f"! few cases: wide intervals{which}", "warn"))
    return pieces or [("No score of this row is in sight.", "dim")]


def _measured(board: api.Board, row: Row) -> list[Piece]:
    pieces: list[Piece] = []
    grey = _value(board, row, "grey")
    if grey is not None:
        pieces.append((f"on grey images {api.figure(grey)}", "text"))
    threshold, source = _value(board, row, "threshold"), _value(board, row, "threshold_source")
    if threshold is not None and source:
        pieces.append((f"P(abnormal) ≥ {threshold:.3f}, {source}", "text"))
    elif threshold is not None:
        pieces.append((f"P(abnormal) ≥ {threshold:.3f}", "text"))
    elif source:
        pieces.append((str(source), "text"))
    for name, words in (("errors", "errors"), ("unparseable", "unparseable"), ("cut_off", "cut off")):
        count = _value(board, row, name)
        if count is not None:
            pieces.append((f"{count} {words}", "warn" if count else "text"))
    memory = [
        f"{words} {api.size(value)}"
        for name, words in (("peak_vram", "VRAM"), ("peak_rss", "host"))
        if (value := _value(board, row, name))
    ]
    return [*pieces, (f"peak {', '.join(memory)}", "text")] if memory else pieces


def _rest(board: api.Board, row: Row, columns: list[api.BoardColumn]) -> list[Piece]:
    said = {"threshold", "threshold_source", "errors", "unparseable", "cut_off", "peak_vram", "peak_rss"}
    pieces = []
    for column in columns:
        value = _values(board, row, column)[0]
        if column.name not in said and value is not None and value != "":
            pieces.append((f"{column.short} {figure_text(value, column.unit)}", "dim"))
    return pieces
