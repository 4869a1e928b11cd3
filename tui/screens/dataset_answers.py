"""How often each answer to a question occurs: bars, question by question."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, ClassVar, cast

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from engine import api
from tui.dialogs.base import Dialog
from tui.screens.dataset_text import SHORT_TITLES
from tui.screens.dataset_views import NO_VIEW
from tui.text import bar
from tui.widgets.lines import Lines
from tui.widgets.table import Cell, Column, Table

if TYPE_CHECKING:
    from tui.app import Workbench

MOST_ANSWERS = 1000
QUESTIONS = tuple(SHORT_TITLES)
COLUMNS = (
    Column("answer", "answer", 20, flex=1),
    Column("images", "images", 6, align="right"),
    Column("share", "share", 6, align="right"),
    Column("bar", "", 16),
)


class _Answers:
    """The rows of the table."""

    def __init__(self, dialog: Answers) -> None:
        self._dialog = dialog

    def row_count(self) -> int:
        counts = self._dialog.counts
        return 0 if counts is None else len(counts.answers)

    def row_key(self, row: int) -> Hashable:
        return self._answers()[row][0]

    def row_cells(self, row: int, columns: Sequence[Column], widths: Sequence[int]) -> list[Cell]:
        palette = self._dialog.query_one(Table).palette
        answers, (answer, images) = self._answers(), self._answers()[row]
        width = widths[columns.index(COLUMNS[-1])] if COLUMNS[-1] in columns else 0
        total = max(1, self._dialog.counts.answered if self._dialog.counts is not None else 1)
        cells = {
            "answer": (answer, palette.text),
            "images": (f"{images:,}", palette.text),
            "share": (f"{images / total:.1%}", palette.dim),
            "bar": (bar(images / answers[0][1], width), palette.accent),
        }
        return [cells[column.key] for column in columns]

    def _answers(self) -> list[tuple[str, int]]:
        return [] if self._dialog.counts is None else self._dialog.counts.answers


class Answers(Dialog[str]):
    """Enter answers with the filter that finds the images with the answer under the cursor."""

    DEFAULT_CSS = """
    Answers Vertical { width: 96; height: 80%; }
    Answers Lines { height: 2; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("b,right_square_bracket,tab", "question(1)", "Next question", id="answers.next"),
        Binding("B,left_square_bracket,shift+tab", "question(-1)", "Question before", id="answers.previous"),
    ]
    AUTO_FOCUS = "Table"

    def __init__(self, dataset: str, view: str | None, question: str = "Q7") -> None:
        super().__init__()
        self.counts: api.AnswerCounts | None = None
        self.question = question
        self._dataset, self._view = dataset, view

    def compose(self) -> ComposeResult:
        """Head and table."""
        with Vertical(classes="dialog") as frame:
            frame.border_subtitle = "b next question · enter lists the images · esc closes"
            yield Lines()
            yield Table(COLUMNS, _Answers(self), empty="nothing was answered")

    def on_mount(self) -> None:
        """Ask for the first question."""
        self._ask()

    def action_question(self, by: int) -> None:
        """Go to another question."""
        self.question = QUESTIONS[(QUESTIONS.index(self.question) + by) % len(QUESTIONS)]
        self._ask()

    def _ask(self) -> None:
        app, question = cast("Workbench", self.app), self.question
        self.query_one(Vertical).border_title = f"answers to {question}: {SHORT_TITLES[question]}"
        app.poller.ask(
            lambda live: api.answer_counts(live, self._dataset, question, self._view, MOST_ANSWERS),
            self._show,
            app.report,
        )

    def _show(self, counts: api.AnswerCounts) -> None:
        if not self.is_attached or counts.question != self.question:
            return
        self.counts = counts
        table = self.query_one(Table)
        table.rows_changed()
        table.action_move_to(0)
        where = "all views" if self._view is None else self._view or NO_VIEW
        words = f"{counts.answered:,} answers, {counts.distinct:,} different ones; {counts.unanswered:,} unanswered"
        self.query_one(Lines).show_paragraphs([[(f"{self._dataset} · {where}", "bold")], [(words, "dim")]])

    @on(Table.Opened)
    def _opened(self, message: Table.Opened) -> None:
        answer = str(message.key)
        if not answer.isprintable():
            self.notify("This answer cannot be written as a filter.", severity="warning", markup=False)
            return
        quoted = answer.replace("\\", "\\\\").replace('"', '\\"')
        self.dismiss(f'{self.question} = "{quoted}"')
