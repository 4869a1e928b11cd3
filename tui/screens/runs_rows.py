"""The rows of the list of runs."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace

from engine import api
from tui import clock
from tui.screens.runs_data import NO_COURSE, SPARK_CELLS, Course, RunsData
from tui.text import bar, counted
from tui.themes import Palette
from tui.widgets.table import Cell, Column, Table

COLUMNS = (
    Column("mark", "", 1),
    Column("id", "run", 5, align="right"),
    Column("name", "name", 20, flex=3),
    Column("state", "state", 13),
    Column("progress", "progress", 11),
    Column("eta", "left", 6, align="right"),
    Column("loss", "loss", 8, align="right"),
    Column("spark", "course", SPARK_CELLS),
    Column("trained", "trained", 7, align="right"),
    Column("when", "queued", 12),
    Column("tags", "tags", 8, flex=1),
    Column("dataset", "dataset", 10, flex=1),
    Column("model", "model", 16, flex=2),
    Column("backend", "backend", 12),
    Column("memory", "memory", 9, align="right"),
)
NARROW, NAME_CELLS = 60, 12
"""Windows with fewer cells get a shorter name, so that the state is in sight."""


def columns_for(width: int) -> tuple[Column, ...]:
    """The columns for a window of so many cells."""
    return tuple(replace(each, width=NAME_CELLS) if each.key == "name" and width < NARROW else each for each in COLUMNS)


TONES = {
    "running": "good",
    "starting": "good",
    "succeeded": "text",
    "failed": "bad",
    "lost": "bad",
    "stalled": "warn",
    "interrupted": "warn",
    "cancelled": "dim",
    "queued": "accent",
}
"""Tone of each state; the word says the same."""
SIGNS = {
    "running": "▶",
    "starting": "▷",
    "succeeded": "✓",
    "failed": "✗",
    "lost": "?",
    "stalled": "!",
    "interrupted": "‖",
    "cancelled": "-",
    "queued": "…",
}


class RunsModel:
    """The rows of the table."""

    def __init__(self, table: Callable[[], Table]) -> None:
        self._table = table
        self.data = RunsData()
        self.marked: list[int] = []

    def row_count(self) -> int:
        """Runs that the filter leaves."""
        return len(self.data.rows)

    def row_key(self, row: int) -> Hashable:
        """Id of a run."""
        return self.data.rows[row].id

    def row_cells(self, row: int, columns: Sequence[Column], widths: Sequence[int]) -> list[Cell]:
        """One run."""
        run = self.data.rows[row]
        return [self._cell(run, column.key, width) for column, width in zip(columns, widths, strict=True)]

    def _cell(self, run: api.RunListRow, key: str, width: int) -> Cell:
        palette = self._table().palette
        if key == "state":
            return self._state(run, palette)
        if key == "mark":
            return ("●" if run.id in self.marked else " "), palette.accent
        if key == "spark":
            return self._course(run).spark, palette.accent
        if key == "name":
            return run.name, palette.bold
        if key == "progress":
            return _progress(run, width), palette.accent if run.state in api.ACTIVE else palette.text
        return self._figure(run, key), palette.text

    def _state(self, run: api.RunListRow, palette: Palette) -> Cell:
        if run.id in self.data.stalled:
            # As short as `12m`, for the column.
            still = self.data.stalled[run.id].replace(" ", "").replace("min", "m")
            return f"{SIGNS[api.STALLED]} {api.STALLED} {still}", palette.named(TONES[api.STALLED])
        state = "lost" if run.id in self.data.lost else str(run.state)
        return f"{SIGNS[state]} {state}", palette.named(TONES[state])

    def _course(self, run: api.RunListRow) -> Course:
        return self.data.courses.get(run.id, NO_COURSE)

    def _figure(self, run: api.RunListRow, key: str) -> str:
        loss, step_seconds = self.data.progress.get(run.id, (run.final_loss, None))
        if key == "eta":
            # How long a silent or a stalled run will take, nobody knows.
            stuck = run.id in self.data.lost or run.id in self.data.stalled
            left = None if stuck else api.eta_seconds(run.state, run.step, run.planned_steps, step_seconds)
            return "" if left is None else api.short_duration(left)
        if key == "loss":
            loss = self._course(run).last if loss is None else loss
            return "" if loss is None else api.number(loss)
        if key == "trained":
            return "" if run.train_seconds is None else api.short_duration(run.train_seconds)
        if key == "when":
            return clock.stamp(run.queued_at)
        if key == "memory":
            return api.size(run.peak_vram_reserved_bytes or run.peak_rss_bytes)
        return str(getattr(run, key) or "")


def _progress(run: api.RunListRow, width: int) -> str:
    if not run.planned_steps:
        return str(run.step or "")
    share = run.step / run.planned_steps
    if run.state not in api.ACTIVE:
        return f"{run.step}/{run.planned_steps}"
    figure = f"{share:4.0%}"
    return bar(share, max(3, width - len(figure) - 1)) + " " + figure


def facts(data: RunsData, filter_text: str, marked: int) -> str:
    """What the screen says of itself in a line."""
    parts = [counted(len(data.rows), "run"), f"{data.running} running"]
    if data.lost:
        parts.append(f"{len(data.lost)} lost")
    if data.stalled:
        parts.append(f"{len(data.stalled)} stalled")
    if marked:
        parts.append(f"{marked} marked")
    if filter_text:
        parts.append(f"filter: {filter_text}")
    return " · ".join(parts)
