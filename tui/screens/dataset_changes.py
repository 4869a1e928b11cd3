"""What augmentation and degradation make of one image: a look at each of them, beside the original where there is room.

It is a preview: nothing is written. Training draws its own changes, from its seed and the epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widget import Widget

from engine import api
from tui.poller import attempt
from tui.screens.base import WorkbenchScreen
from tui.screens.dataset_check import OneLine
from tui.widgets.image import ImagePreview
from tui.widgets.lines import Lines, Paragraph
from tui.widgets.table import Cell, Column, Table

COLUMNS = (Column("change", "change", 26, flex=1), Column("group", "for", 13))
READING = "reading the image …"


@dataclass(frozen=True, slots=True)
class Look:
    """One picture that is asked for."""

    choice: str
    version: int
    box: tuple[int, int]
    mode: str


class ChoicesModel:
    """One row a change."""

    def __init__(self, table: Callable[[], Table], choices: Sequence[api.ChangeChoice]) -> None:
        self._table, self._choices = table, choices

    def row_count(self) -> int:
        """All of them."""
        return len(self._choices)

    def row_key(self, row: int) -> Hashable:
        """Its id."""
        return self._choices[row].id

    def row_cells(self, row: int, columns: Sequence[Column], widths: Sequence[int]) -> list[Cell]:
        """Name, and what it is for."""
        del columns, widths
        palette, choice = self._table().palette, self._choices[row]
        return [(choice.title, palette.text), (choice.group, palette.dim)]


class ChangesScreen(WorkbenchScreen):
    """Steps through the changes of one image; pictures are made in a thread, one at a time."""

    TAB = "Dataset"
    CSS_PATH = "dataset_changes.tcss"
    AUTO_FOCUS = ""
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-medium"), (140, "-wide")]  # noqa: RUF012 - Textual's own
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,e", "back", "Back", id="changes.back", tooltip="Back to the list of images"),
        Binding("right,down,l,j", "step(1)", "Next", id="changes.next", tooltip="The next change"),
        Binding("left,up,h,k", "step(-1)", "Before", id="changes.before", tooltip="The change before"),
        Binding("n", "draw", "Another", id="changes.draw", tooltip="Draw the next random version of this change"),
        Binding("w", "raw", "Raw", id="changes.raw", tooltip="Grey levels as in the file, or stretched"),
    ]

    def __init__(self, item: api.ImageItem, root: Path, choice: str, moved: Callable[[str], None]) -> None:
        """Make the screen.

        Args:
            item: the image.
            root: where its file lies.
            choice: id of the change to begin with; the first one where there is no such change.
            moved: told the id of another change that is looked at.
        """
        super().__init__()
        self._item, self._root, self._moved = item, root, moved
        self._choices = api.change_choices()
        self._at = next((place for place, each in enumerate(self._choices) if each.id == choice), 0)
        self._version, self._mode = 1, "stretched"
        self._details: api.ImageDetails | None = None
        self._making: Look | None = None
        self.shown: Look | None = None
        """The picture that is to be seen."""

    def body(self) -> Iterable[Widget]:
        """The name, the list and both pictures, what was drawn."""
        images = self.workbench.settings.images
        yield OneLine(id="about")
        with Horizontal(id="both"):
            model = ChoicesModel(lambda: self._table, self._choices)
            yield Table(COLUMNS, model, moved=self._table_moved, id="choices")
            yield ImagePreview(images, id="original")
            yield ImagePreview(images, id="changed")
        yield Lines(id="drawn")

    def on_mount(self) -> None:
        """Show the first one; the keys that step belong to the screen, whatever is in sight."""
        self._table.can_focus = self.query_one(Lines).can_focus = False
        self._table.move_to_key(self.choice.id)
        for side in ("original", "changed"):
            self.query_one(f"#{side}", ImagePreview).show(None, api.one_line(self._item.path), READING)
        self._show_choice()

    @property
    def crumb(self) -> str:
        """Where one is."""
        return "changes"

    @property
    def choice(self) -> api.ChangeChoice:
        """The change that is looked at."""
        return self._choices[self._at]

    @property
    def _table(self) -> Table:
        return self.query_one("#choices", Table)

    # ----- pictures

    def _look(self) -> Look | None:
        box = self.query_one("#changed", ImagePreview).box
        return Look(self.choice.id, self._version, box, self._mode) if all(box) else None

    @on(ImagePreview.BoxChanged)
    def _make(self) -> None:
        """Make the picture that is wanted now; while one is being made, the last one wanted waits."""
        look = self._look()
        if look is None or self._making is not None or look == self.shown:
            return
        self._making = look
        workspace, root, item, details = self.workbench.workspace, self._root, self._item, self._details

        def work() -> tuple[api.ImageDetails, api.ChangedPreview]:
            known = api.image_details(workspace, item.id) if details is None else details
            answers = {each.question: each.answer for each in known.answers if each.answer is not None}
            file, key = api.locate_image(root, item.path), known.sha256 or item.path
            return known, api.changed_preview(
                file, look.choice, look.version, look.box, look.mode, key=key, answers=answers
            )

        self.workbench.act(lambda: attempt(work), lambda answer: self._made(look, answer))

    def _made(self, look: Look, answer: tuple[api.ImageDetails, api.ChangedPreview] | api.SonotuneError) -> None:
        self._making = None
        if not self.is_attached:
            return
        if look == self._look():
            self.shown = look
            if isinstance(answer, api.SonotuneError):
                self._show_trouble(answer)
            else:
                self._details = answer[0]
                self._draw(answer[1])
        self._make()

    def _draw(self, both: api.ChangedPreview) -> None:
        size = f"{both.original.original_width}×{both.original.original_height}"
        self.query_one("#original", ImagePreview).show(both.original, f"original, {size} {self._mode}")
        self.query_one("#changed", ImagePreview).show(both.changed, self.choice.title)
        self.query_one(Lines).show_paragraphs(drawn_paragraphs(self.choice, both, self._version))

    def _show_trouble(self, error: api.SonotuneError) -> None:
        for side in ("original", "changed"):
            self.query_one(f"#{side}", ImagePreview).show(
                None, api.one_line(self._item.path), error.reason or error.title
            )
        self.query_one(Lines).show_paragraphs([[(error.title, "bad")]])

    def _show_choice(self) -> None:
        choice = self.choice
        self.query_one("#about", OneLine).show_pieces([(choice.title, "bold"), (f"for {choice.group}", "dim")])
        self.show_facts(f"{self._item.path} · {self._at + 1} of {len(self._choices)} changes")
        self.refresh_bindings()
        self._make()

    # ----- keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A degradation is always the same for one image: there is no other version of it."""
        return action != "draw" or self.choice.drawn

    def action_step(self, by: int) -> None:
        """The next change, or the one before; round at the ends."""
        self._table.move_to_key(self._choices[(self._at + by) % len(self._choices)].id)

    def _table_moved(self) -> None:
        at = self._table.cursor
        if self.is_mounted and at != self._at and at < len(self._choices):
            self._at = at
            self._moved(self.choice.id)
            self._show_choice()

    def action_draw(self) -> None:
        """The next random version."""
        self._version += 1
        self._make()

    def action_raw(self) -> None:
        """Grey levels as they are in the file, or stretched."""
        self._mode = "stretched" if self._mode == "raw" else "raw"
        self._make()

    def action_back(self) -> None:
        """Back to the list."""
        self.app.pop_screen()


def drawn_paragraphs(choice: api.ChangeChoice, both: api.ChangedPreview, version: int) -> list[Paragraph]:
    """What was drawn, and which answers are no longer what they were."""
    which = f"version {version}" if choice.drawn else "always the same for this image"
    paragraphs: list[Paragraph] = [[(f"{which}: ", "dim"), (both.words, "bold")]]
    for answer in both.answers:
        if answer.fate is api.AnswerFate.REWRITTEN:
            paragraphs.append([(f"{answer.question} becomes: ", "accent"), (answer.after, "text")])
            continue
        verb = "mirrors" if answer.fate is api.AnswerFate.NOT_MIRRORED else "turns"
        paragraphs.append(
            [(f"training never {verb} this image while it asks {answer.question}: ", "warn"), (answer.before, "text")]
        )
    return [*paragraphs, [(choice.about, "dim")]]
