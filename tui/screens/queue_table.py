"""The table of the queue screen: three parts under headings of their own, which the cursor passes over."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from itertools import chain

from rich.style import Style

from engine import api
from tui import clock
from tui.screens.queue_data import DeviceRow, EndedRow, Heading, QueueData, Row, WaitingRow
from tui.screens.runs_rows import SIGNS, TONES
from tui.text import bar
from tui.themes import Palette
from tui.widgets.table import Cell, Column, Table

NARROW = (
    Column("place", "", 13),
    Column("job", "job", 9),
    Column("name", "name", 14, flex=2),
    Column("measures", "of", 7),
    Column("note", "", 20, flex=3),
    Column("last", "", 6, align="right"),
)
WIDE = (
    Column("place", "", 14),
    Column("job", "job", 11),
    Column("name", "name", 24, flex=2),
    Column("measures", "measures", 13),
    Column("note", "", 30, flex=3),
    Column("last", "", 12, align="right"),
)
WIDE_FROM = 110
"""Cells from which the wide columns fit."""
MOST_BAR_CELLS = 30


class QueueModel:
    """The rows of the table."""

    def __init__(self, table: Callable[[], Table]) -> None:
        self._table = table
        self.data = QueueData()

    def row_count(self) -> int:
        """Headings and jobs."""
        return len(self.data.rows)

    def row_key(self, row: int) -> Hashable:
        """Identity of the job, of the free device, or of the heading."""
        return self.data.rows[row].key

    def is_heading(self, row: int) -> bool:
        """Whether the cursor passes over this row."""
        return isinstance(self.row_at(row), Heading)

    def row_at(self, row: int) -> Row | None:
        """One row; None where there is none."""
        return self.data.rows[row] if 0 <= row < len(self.data.rows) else None

    def row_cells(self, row: int, columns: Sequence[Column], widths: Sequence[int]) -> list[Cell]:
        """One row."""
        found, palette = self.data.rows[row], self._table().palette
        return [_cell(found, column.key, width, palette) for column, width in zip(columns, widths, strict=True)]


class QueueTable(Table):
    """A table with headings among its rows."""

    HELP_TITLE = "Table"

    def __init__(self, model: QueueModel) -> None:
        super().__init__(NARROW, model, frozen_columns=2)
        self._parts = model

    def fit_columns(self, width: int) -> None:
        """Take the columns that fit into so many cells."""
        columns = WIDE if width >= WIDE_FROM else NARROW
        if columns is not self.columns:
            self.set_columns(columns)

    def _place(self, row: int) -> None:
        super()._place(self._beside_headings(row))
        # The heading above the first job in sight is brought into sight too.
        while self._top and self._parts.is_heading(self._top - 1) and self.cursor - self._top + 1 < self._body_rows():
            self._top -= 1

    def _beside_headings(self, row: int) -> int:
        """The next row that is no heading, in the direction in which the cursor moves; else in the other one."""
        count = self._parts.row_count()
        at = max(0, min(row, count - 1))
        onwards, back = range(at, count), range(at, -1, -1)
        order = chain(onwards, back) if row >= self.cursor else chain(back, onwards)
        return next((each for each in order if not self._parts.is_heading(each)), at)


def _cell(row: Row, key: str, width: int, palette: Palette) -> Cell:
    if isinstance(row, Heading):
        return _heading(row, key), palette.accent + Style(bold=True)
    if key == "place":
        return _place(row, palette)
    if key == "job":
        return (job_title(row.job, short=True), palette.text) if row.job is not None else ("free", palette.good)
    if key == "name":
        return (row.job.name, palette.bold) if row.job is not None else (row.place.name, palette.dim)
    if key == "measures":
        return ("" if row.job is None else measures(row.job, width)), palette.text
    return _note(row, width, palette) if key == "note" else (_last(row, width), palette.text)


def _heading(row: Heading, key: str) -> str:
    return {"place": row.title, "job": row.count, "note": row.note, "last": row.last}.get(key, "")


def _place(row: DeviceRow | WaitingRow | EndedRow, palette: Palette) -> Cell:
    if isinstance(row, DeviceRow):
        return place_name(row), palette.text
    if isinstance(row, WaitingRow):
        return f"{row.job.position:>4}", palette.dim if row.job.blocked else palette.text
    state = str(row.job.state)
    return f"{SIGNS[state]} {state}", palette.named(TONES[state])


def place_name(row: DeviceRow) -> str:
    """A device, with the machine where that is another one; untrusted text."""
    return f"{row.place.device or '?'}{'@' if row.host else ''}{row.host}"


def job_title(job: api.QueueJob, *, short: bool = False) -> str:
    """`run 3`, `evaluation 7`; short: `eval 7`."""
    if job.kind == api.JobKind.TRAINING:
        return f"run {job.id}"
    return f"{'eval' if short else 'evaluation'} {job.id}"


def measures(job: api.QueueJob, width: int) -> str:
    """`Q7 validation`, or `Q7 val` where that is too wide; "" for a run."""
    if job.question is None:
        return ""
    split = "" if job.split is None else str(job.split)
    whole = f"{job.question} {split}"
    return whole if len(whole) <= width or split == api.Split.TEST else f"{job.question} {split[:3]}"


def _note(row: DeviceRow | WaitingRow | EndedRow, width: int, palette: Palette) -> Cell:
    if isinstance(row, DeviceRow):
        return _progress(row, width, palette)
    if isinstance(row, WaitingRow):
        if row.job.blocked:
            return row.job.blocked, palette.warn if row.run_state in api.ENDED else palette.dim
        return row.hold, palette.warn
    if row.job.error_title:
        return row.job.error_title, palette.bad
    return ("" if row.job.state == api.State.SUCCEEDED else row.job.reason), palette.text


def _progress(row: DeviceRow, width: int, palette: Palette) -> Cell:
    job = row.job
    if job is None:
        return "", palette.text
    done = f"{job.step}/{job.planned_steps}" if job.planned_steps else str(job.step)
    if job.shown_state == api.LOST:
        return f"{SIGNS[api.LOST]} lost at {done}", palette.bad
    if row.asked:
        return f"{row.asked} asked for", palette.warn
    if job.shown_state == api.STALLED:
        return f"{SIGNS[api.STALLED]} stalled {row.still} at {done}", palette.warn
    if job.state == api.State.STARTING:
        return f"{SIGNS['starting']} starting", palette.good
    cells = min(MOST_BAR_CELLS, width - len(done) - 1)
    if not job.planned_steps or cells < 3:
        return f"{SIGNS['running']} {done}", palette.good
    filled = bar(job.step / job.planned_steps, cells).rstrip()
    return f"{filled.ljust(cells, '·')} {done}", palette.accent


def _last(row: DeviceRow | WaitingRow | EndedRow, width: int) -> str:
    if isinstance(row, DeviceRow):
        return "" if row.seconds_left is None else api.short_duration(row.seconds_left)
    if isinstance(row, WaitingRow):
        return str(row.job.priority)
    return _when(row.job.ended_at, width)


def _when(when: float | None, width: int) -> str:
    """`24 Nov 13:05`; in a narrow column `13:05` of today, `24 Nov` of any other day."""
    whole = clock.stamp(when)
    if when is None or len(whole) <= width:
        return whole
    short = clock.time_or_day(when)
    return short[:5] if ":" in short[:3] else short[:6]
