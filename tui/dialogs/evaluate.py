"""What shall be measured of a run: questions and splits, with what has been measured of them already."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from engine import api
from tui.dialogs.base import Dialog
from tui.dialogs.test_look import ask_purpose
from tui.poller import attempt
from tui.text import counted, cut
from tui.widgets.lines import Lines, Paragraph
from tui.widgets.table import Cell, Column, Table

if TYPE_CHECKING:
    from tui.app import Workbench

Pick = tuple[str, api.Split]
"""A question on a split."""

NOTHING_LEFT = "All of that is measured, or on its way."
TEST_WORDS = "test: every look spends some of its worth"
MOST_WORDS = 6
"""Lines for the words where there is no list."""
LOW_ROWS = 8
NAME_CELLS = 60
MOST_NAMED = 3
"""Of more measurements only the number is told."""
COLUMNS = (
    Column("mark", "", 1),
    Column("question", "", 3),
    Column("split", "", 10),
    Column("cases", "cases", 7, align="right"),
    Column("words", "", 16, flex=1),
)


def ask_for_evaluation(workbench: Workbench, run: int) -> None:
    """Ask what to measure of a run, and queue it; whatever stands in the way is said in words."""
    workspace = workbench.workspace
    dialog = EvaluateDialog(run)

    def found(answer: api.EvaluationChoices | api.SonotuneError) -> None:
        if isinstance(answer, api.EvaluationChoices):
            dialog.show_choices(answer)
            return
        if dialog.is_current:
            dialog.dismiss(None)
        workbench.report(answer)

    def answered(picks: list[Pick] | None) -> None:
        if picks:
            queue(workbench, run, picks)

    workbench.push_screen(dialog, answered)
    # An error is an answer here: the dialog must not stay open and empty.
    workbench.act(lambda: attempt(lambda: api.evaluation_choices(workspace, run)), found)


def queue(workbench: Workbench, run: int, picks: Sequence[Pick], purpose: str = "") -> None:
    """Queue measurements in a thread; where the test split needs a purpose, ask for it first."""
    workspace = workbench.workspace

    def done(answer: str | api.SonotuneError) -> None:
        if isinstance(answer, api.UnconfirmedTestError):
            ask_purpose(workbench, answer, lambda given: queue(workbench, run, picks, given))
        elif isinstance(answer, api.SonotuneError):
            workbench.report(answer)
        else:
            workbench.notify(api.plain(answer), markup=False)

    workbench.act(lambda: attempt(lambda: queue_evaluations(workspace, run, picks, purpose)), done)


def queue_evaluations(workspace: api.Workspace, run: int, picks: Sequence[Pick], purpose: str = "") -> str:
    """Queue measurements of a run and say how many that were, with those that they bring along.

    Args:
        workspace: where the run is recorded.
        run: its number.
        picks: questions and the splits to measure them on.
        purpose: why the test split is looked at.

    Raises:
        UnconfirmedTestError: the test split would be looked at without a purpose.
        JobError: there is nothing to measure.
    """
    queued = 0
    for question in dict.fromkeys(question for question, _ in picks):
        splits = [split for asked, split in picks if asked == question]
        queued += len(api.evaluate_run(workspace, run, splits, [question], test_purpose=purpose)[1])
    if not queued:
        return NOTHING_LEFT
    said = f"{counted(queued, 'evaluation')} queued for run {run}"
    if queued > len(picks):
        return f"{said}: with reference rows, blank-image controls, and the validation that a threshold comes from."
    return f"{said}."


class _Choices:
    """The rows of the list."""

    def __init__(self, dialog: EvaluateDialog) -> None:
        self._dialog = dialog

    def row_count(self) -> int:
        return len(self._dialog.choices)

    def row_key(self, row: int) -> Hashable:
        return pick_of(self._dialog.choices[row])

    def row_cells(self, row: int, columns: Sequence[Column], _widths: Sequence[int]) -> list[Cell]:
        palette, choice = self._dialog.query_one(Table).palette, self._dialog.choices[row]
        obstacle = unmarkable(choice)
        ink = palette.dim if obstacle else palette.text
        mark = "●" if pick_of(choice) in self._dialog.marked else " " if obstacle else "○"
        words = obstacle or (TEST_WORDS if choice.split == api.Split.TEST else "")
        cells = {
            "mark": (mark, palette.accent),
            "question": (choice.question, ink),
            "split": (str(choice.split), ink),
            "cases": (f"{choice.cases:,}" if choice.cases else "none", ink),
            "words": (f" {words}", palette.dim if obstacle else palette.warn),
        }
        return [cells[column.key] for column in columns]


class EvaluateDialog(Dialog[list[Pick]]):
    """Space marks, enter answers with what is marked, or with the row under the cursor where nothing is."""

    DEFAULT_CSS = """
    EvaluateDialog Vertical { width: 76; height: auto; }
    EvaluateDialog #about, EvaluateDialog #answer { height: 1; }
    EvaluateDialog Table { height: 0; }
    """
    AUTO_FOCUS = "Table"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "mark", "Mark", id="evaluate.mark", tooltip="Mark or unmark this question on this split"),
        Binding("enter", "take", "Queue", id="evaluate.take", tooltip="Queue what is marked"),
    ]

    def __init__(self, run: int) -> None:
        super().__init__()
        self._run = run
        self._ready = False
        self._found: api.EvaluationChoices | None = None
        self.choices: list[api.EvaluationChoice] = []
        self.marked: list[Pick] = []

    def compose(self) -> ComposeResult:
        """The run, the list, what enter would do."""
        with Vertical(classes="dialog") as frame:
            frame.border_title = f"measure run {self._run}"
            frame.border_subtitle = "space marks · enter queues · esc closes"
            yield Lines(id="about")
            yield Table(COLUMNS, _Choices(self), frozen_columns=3)
            yield Lines(id="answer")

    def on_mount(self) -> None:
        """Most often the list comes later."""
        if not self.query(Table):
            return  # closed before it was made
        self._ready = True
        self._say("about", [[("Looking up what can be measured …", "dim")]])
        if self._found is not None:
            self.show_choices(self._found)

    def show_choices(self, found: api.EvaluationChoices) -> None:
        """Show what there is, or what stands in the way; nothing where the dialog was closed meanwhile."""
        self._found = found
        if not self._ready or not self.is_attached:
            return
        self.choices = [] if found.obstacle else found.choices
        table = self.query_one(Table)
        self._fit()
        if not self.choices:
            self.query_one(".dialog").border_subtitle = "esc closes"
        self._say("about", about(found))
        table.rows_changed()
        first = next((choice for choice in self.choices if not unmarkable(choice)), None)
        if first is not None:
            # Once the list has its height: before that, the row would be the only one in sight.
            self.call_after_refresh(lambda: table.move_to_key(pick_of(first)))
        self._show_answer()

    def on_resize(self) -> None:
        """The list leaves room for the words around it."""
        if self._ready:
            self._fit()

    def _fit(self) -> None:
        """Heights of the three parts: the words have two lines each, one in a low window; the list has the rest."""
        room = self.size.height * 9 // 10 - 2
        words = 1 if room < LOW_ROWS else 2
        rows = min(len(self.choices) + 1, max(2, room - 2 * words)) if self.choices else 0
        self.query_one(Table).styles.height = rows
        self.query_one("#about").styles.height = words if self.choices else max(1, min(room, MOST_WORDS))
        self.query_one("#answer").styles.height = words if self.choices else 0

    @on(Table.Highlighted)
    def _show_answer(self) -> None:
        if self.choices:
            self._say("answer", answer(self._picks(), self.choices))
        self.query_one(Table).repaint()

    def _say(self, place: str, paragraphs: Sequence[Paragraph]) -> None:
        self.query_one(f"#{place}", Lines).show_paragraphs(paragraphs)

    def _picks(self) -> list[Pick]:
        """What enter would queue."""
        key = self.query_one(Table).cursor_key()
        here = [pick_of(choice) for choice in self.choices if pick_of(choice) == key and not unmarkable(choice)]
        return list(self.marked) or here

    def action_mark(self) -> None:
        """Mark or unmark the row under the cursor."""
        table = self.query_one(Table)
        choice = next((each for each in self.choices if pick_of(each) == table.cursor_key()), None)
        if choice is None:
            return
        pick = pick_of(choice)
        if pick in self.marked:
            self.marked.remove(pick)
        elif unmarkable(choice):
            self.notify(f"{choice.question} on {choice.split}: {unmarkable(choice)}.", markup=False)
        else:
            self.marked.append(pick)
        table.action_move(1)
        self._show_answer()

    @on(Table.Opened)
    def action_take(self) -> None:
        """Answer."""
        picks = self._picks()
        if picks:
            self.dismiss(picks)
        elif self.choices:
            self.notify(nothing_to_take(self.choices), markup=False)


def pick_of(choice: api.EvaluationChoice) -> Pick:
    """The question and the split of a choice."""
    return choice.question, choice.split


def unmarkable(choice: api.EvaluationChoice) -> str:
    """Why a choice cannot be marked; "" where it can."""
    if choice.state is not None:
        done = "measured" if choice.state == api.State.SUCCEEDED else f"on its way: {choice.state}"
        return f"{done}, evaluation {choice.evaluation_id}"
    return "" if choice.cases else "no image has an answer to measure"


def about(found: api.EvaluationChoices) -> list[Paragraph]:
    """The run, and what stands in the way of measuring it."""
    name: Paragraph = [(cut(found.name, NAME_CELLS), "bold")]
    if found.obstacle:
        return [name, [(found.obstacle, "bad")], *([[(f"→ {found.next_step}", "accent")]] if found.next_step else [])]
    if found.waits:
        return [name, [("It has not ended: what you queue starts when it has succeeded.", "dim")]]
    return [name]


def nothing_to_take(choices: Sequence[api.EvaluationChoice]) -> str:
    """What to say where nothing is marked and the row under the cursor cannot be measured."""
    if any(not unmarkable(choice) for choice in choices):
        return "Go to a row that can be measured, or mark it with space."
    return NOTHING_LEFT if any(choice.state is not None for choice in choices) else "There is nothing to measure."


def answer(picks: Sequence[Pick], choices: Sequence[api.EvaluationChoice]) -> list[Paragraph]:
    """What enter would do now."""
    if not picks:
        return [[(nothing_to_take(choices), "dim")]]
    names = ", ".join(f"{question} on {split}" for question, split in picks)
    if len(picks) > MOST_NAMED:
        names = f"{len(picks)} measurements, {sum(split == api.Split.TEST for _, split in picks)} of them on test"
    paragraphs: list[Paragraph] = [[(f"Enter queues {names}.", "accent")]]
    if any(split == api.Split.TEST for _, split in picks):
        paragraphs.append([("A test brings validation along, for the threshold.", "dim")])
    return paragraphs
