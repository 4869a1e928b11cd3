"""What a launch of a study would do, cell by cell; with `launch` it asks whether to do it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from engine import api
from tui.dialogs.base import Dialog, plain_title
from tui.screens.studies_model import StudyRow
from tui.screens.study_plan_text import nothing_to_do, summary, what_is_measured
from tui.widgets.lines import Lines, Paragraph
from tui.widgets.table import Cell, Column, Table

WAITING = "Working out what is missing, and where it would run …"
COLUMNS = (
    Column("arm", "arm", 14, flex=1),
    Column("seed", "seed", 5, align="right"),
    Column("action", "what", 14, flex=1),
    Column("measure", "then measures", 20, flex=1),
    Column("steps", "steps", 6, align="right"),
    Column("samples", "samples", 8, align="right"),
    Column("backend", "backend", 18),
    Column("where", "on", 7),
    Column("model", "base model", 26, flex=1),
)


class _Cells:
    """The rows of the table."""

    def __init__(self, dialog: PlanDialog) -> None:
        self._dialog = dialog

    def row_count(self) -> int:
        return len(self._dialog.cells)

    def row_key(self, row: int) -> Hashable:
        return row

    def row_cells(self, row: int, columns: Sequence[Column], _widths: Sequence[int]) -> list[Cell]:
        palette, cell = self._dialog.query_one(Table).palette, self._dialog.cells[row]
        ink = palette.bad if cell.needs else palette.dim if nothing_to_do(cell) else palette.text
        texts = {
            "arm": cell.arm,
            "seed": "–" if cell.action == "untuned" else str(cell.seed),
            "action": cell.action,
            "steps": "" if cell.steps is None else f"{cell.steps:,}",
            "samples": "" if cell.samples is None else f"{cell.samples:,}",
            "measure": what_is_measured(cell),
            "model": cell.model + ("" if cell.model_here else " (not here)"),
            "where": cell.device.partition(" (")[0],
            "backend": " ".join(part for part in (cell.backend, cell.quantization) if part),
        }
        return [(texts[column.key], ink) for column in columns]


class PlanDialog(Dialog[bool]):
    """The plan: how much is trained, reused and measured, and every cell on a line. y launches, where that is asked
    and nothing stands in the way; enter is never a yes."""

    DEFAULT_CSS = """
    PlanDialog Vertical { width: 130; max-width: 96%; height: auto; max-height: 92%; }
    PlanDialog #summary { height: auto; max-height: 12; }
    PlanDialog Table { height: 1; }
    PlanDialog #keys { dock: bottom; height: 1; }
    """
    AUTO_FOCUS = "Table"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "yes", "Launch", id="plan.launch", tooltip="Queue what is missing"),
        Binding("n", "give_up", "No", id="plan.no", tooltip="Queue nothing"),
    ]

    def __init__(self, row: StudyRow, *, launch: bool) -> None:
        super().__init__()
        self._row, self._launch = row, launch
        self._plan: api.StudyPlan | None = None
        self._ready = False

    @property
    def cells(self) -> tuple[api.PlannedCell, ...]:
        """The cells of the plan; none before there is one."""
        return () if self._plan is None else self._plan.cells

    @property
    def launchable(self) -> bool:
        """Whether a yes would queue something."""
        plan = self._plan
        return self._launch and plan is not None and not plan.needs and not all(map(nothing_to_do, plan.cells))

    def compose(self) -> ComposeResult:
        """What it comes to, every cell, the keys."""
        with Vertical(classes="dialog") as frame:
            frame.border_title = plain_title(f"{'launch' if self._launch else 'plan of'} {self._row.title}")
            yield Lines(id="summary")
            yield Table(COLUMNS, _Cells(self), frozen_columns=1)
            yield Lines(id="keys")

    def on_mount(self) -> None:
        """Most often the plan comes later."""
        self._ready = True
        self.query_one("#summary").can_focus = self.query_one("#keys").can_focus = False
        self._say("summary", [[(WAITING, "dim")]])
        if self._plan is not None:
            self.show_plan(self._plan)

    def show_plan(self, plan: api.StudyPlan) -> None:
        """Show the plan; nothing where the dialog was closed meanwhile."""
        self._plan = plan
        if not self._ready or not self.is_attached:
            return
        self._say("summary", summary(plan))
        self.query_one(Table).styles.height = min(len(plan.cells) + 1, max(4, self.size.height // 2))
        self.query_one(Table).rows_changed()
        keys: Paragraph = [(" esc ", "bar_key"), (" closes", "text")]
        if self.launchable:
            keys = [(" y ", "bar_active"), (" launch it    ", "text"), (" n ", "bar_key"), (" no", "text")]
        self._say("keys", [keys])
        self.refresh_bindings()

    def _say(self, place: str, paragraphs: Sequence[Paragraph]) -> None:
        self.query_one(f"#{place}", Lines).show_paragraphs(paragraphs)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A yes is there only where it would do something."""
        return self.launchable if action == "yes" else super().check_action(action, parameters)

    def action_yes(self) -> None:
        """Do it."""
        self.dismiss(True)
