"""Subjects on the same images: the verdict, the figures side by side, and the images that changed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widget import Widget

from engine import api
from tui.poller import attempt
from tui.screens import compare_text as text
from tui.screens.base import WorkbenchScreen
from tui.screens.compare_actions import CompareActions
from tui.screens.compare_open import Asked
from tui.screens.compare_rows import ChangesModel, change_columns
from tui.screens.leaderboard_lines import Note, Pieces
from tui.widgets.lines import Lines
from tui.widgets.table import Table
from tui.widgets.tabstrip import TabStrip

PANES = ("figures", "images", "views", "recipe", "notes")
IMAGES = "images"
WIDE = 150
"""Width from which the images stand beside the other panes."""
COMPARING = "comparing…"
NO_CHANGES = "No image is right for one of them and wrong for the other."


class CompareScreen(CompareActions, WorkbenchScreen):
    """Subjects on the same images and the same question; the first is what the others are held against."""

    TAB = "Leaderboard"
    CSS_PATH = "compare.tcss"
    AUTO_FOCUS = "#figures"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (WIDE, "-wide")]  # noqa: RUF012 - Textual's own class variable
    VERTICAL_BREAKPOINTS = [(0, "-low"), (20, "-high")]  # noqa: RUF012 - as above
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back", id="compare.back", tooltip="Back to where it was opened"),
        Binding(
            "right_square_bracket,tab",
            "pane(1)",
            "Pane",
            id="compare.next_pane",
            tooltip="Next pane: " + ", ".join(PANES),
        ),
        Binding("left_square_bracket,shift+tab", "pane(-1)", "Pane back", show=False, id="compare.last_pane"),
        Binding("s", "pair(1)", "Next subject", id="compare.next_subject", tooltip="Figures and images of the next"),
        Binding("S", "pair(-1)", "Last subject", show=False, id="compare.last_subject"),
        Binding("f", "show_changes", "Fixed/broken", id="compare.changes", tooltip="Fixed and broken, fixed, broken"),
        Binding(
            "enter", "open_image", "Image", show=False, id="compare.open", tooltip="Open the image with all answers"
        ),
    ]

    def __init__(self, asked: Asked) -> None:
        super().__init__()
        self.asked = asked
        self.found: api.Comparison | None = None
        self.error: api.SonotuneError | None = None
        self._looks = ""
        self._pair = 0
        self._pane = PANES[0]
        self.model = ChangesModel(lambda: self.query_one(Table).palette)

    def body(self) -> Iterable[Widget]:
        """What is compared, the verdict, the panes; or why nothing can be compared."""
        yield Pieces(id="head")
        yield Lines(id="verdict")
        yield Lines(id="alarms")
        yield Pieces(id="subjects")
        yield TabStrip(PANES)
        with Horizontal(id="panes"):
            with Vertical(id="left"):
                for pane in PANES:
                    if pane != IMAGES:
                        yield Lines(empty=COMPARING, id=pane)
            yield Table(change_columns(80), self.model, frozen_columns=1, empty=NO_CHANGES, id=IMAGES)
        yield Lines(id="trouble")
        yield Note()

    def on_mount(self) -> None:
        """Compare."""
        for name in ("verdict", "alarms"):
            self.query_one(f"#{name}").can_focus = False
        self._show_pane()
        self.ask(self.asked)

    @property
    def crumb(self) -> str:
        """Where one is."""
        return "compare"

    # ----- data

    def ask(self, asked: Asked) -> None:
        """Compare in a thread; what is shown stays until there is an answer."""
        self.asked = asked
        workspace = self.workbench.workspace
        self.show_facts(COMPARING)

        def work() -> tuple[api.Comparison, str]:
            found = api.compare(
                workspace,
                asked.subjects,
                question=asked.question,
                split=asked.split,
                cases=asked.cases,
                common=asked.common,
            )
            return found, api.looks_note(workspace, found.dataset, found.split)

        def done(answer: tuple[api.Comparison, str] | api.SonotuneError) -> None:
            self._answered(asked, *(answer if isinstance(answer, tuple) else (answer, "")))

        self.workbench.act(lambda: attempt(work), done)

    def _answered(self, asked: Asked, answer: api.Comparison | api.SonotuneError, looks: str) -> None:
        if asked is not self.asked or not self.is_attached:
            return  # late: something else has been asked for
        self._looks = looks
        self.found = answer if isinstance(answer, api.Comparison) else None
        self.error = None if isinstance(answer, api.Comparison) else answer
        self._pair = 0
        self.set_class(self.error is not None, "-refused")
        self.set_class(self.found is not None and len(self.found.pairs) > 1, "-several")
        self.set_class(self.found is not None and bool(self.found.notes), "-alarming")
        if self.error is not None:
            self.show_facts("")
            self.query_one("#trouble", Lines).show_paragraphs(text.trouble(self.error))
            self.query_one("#trouble").focus()
        elif self.focused is None or self.focused.id == "trouble":
            self._show_pane()
        self._show_pair()
        self.refresh_bindings()

    def chosen_pair(self) -> api.ComparedPair | None:
        """The pair whose figures and images are shown."""
        return None if self.found is None else self.found.pairs[self._pair]

    def _show_pair(self) -> None:
        found, pair = self.found, self.chosen_pair()
        self.model.set_pair(pair)
        if found is None or pair is None:
            return
        self.query_one("#head", Pieces).show_groups([text.head(found, self._looks)])
        self.query_one("#verdict", Lines).show_paragraphs(text.verdict(found, pair))
        self.query_one("#alarms", Lines).show_paragraphs(text.alarms(found))
        self.query_one("#subjects", Pieces).show_groups([text.pairs_line(found, self._pair)])
        self._fill()
        self._show_changes()

    def _fill(self) -> None:
        """Write the panes; bars are as long as there is room."""
        found, pair = self.found, self.chosen_pair()
        if found is None or pair is None:
            return
        width = max(40, self.query_one("#left").content_size.width - 2)
        self.query_one("#figures", Lines).show_paragraphs(text.figures(found, pair, width))
        self.query_one("#views", Lines).show_paragraphs(text.views(found, pair, width))
        self.query_one("#recipe", Lines).show_paragraphs(text.recipe(found, pair))
        self.query_one("#notes", Lines).show_paragraphs(text.notes(found))

    def _show_changes(self) -> None:
        pair, table = self.chosen_pair(), self.query_one(Table)
        table.rows_changed()
        if pair is not None:
            counts = f"{len(pair.fixed):,} fixed, {len(pair.broken):,} broken"
            listed = "" if len(self.model.rows) == len(pair.changed) else f" · listed: {self.model.shown}"
            self.show_facts(counts + listed)

    # ----- panes

    @property
    def _is_wide(self) -> bool:
        return self.size.width >= WIDE

    def _show_pane(self) -> None:
        """In a narrow window one pane; in a wide one the images stay beside the others."""
        self.query_one(TabStrip).show_active(self._pane)
        beside = self._pane if self._pane != IMAGES else PANES[0]
        for pane in PANES:
            shown = pane == (beside if self._is_wide else self._pane)
            self.query_one(f"#{pane}").display = (shown or self._is_wide) if pane == IMAGES else shown
        self.query_one("#left").display = self._is_wide or self._pane != IMAGES
        if self.error is None:
            self.query_one(f"#{self._pane}").focus()

    def on_resize(self) -> None:
        """Another width may have room for the images beside the rest, and for longer bars."""
        self._show_pane()
        self.call_after_refresh(self._resized)

    def _resized(self) -> None:
        table = self.query_one(Table)
        table.set_columns(change_columns(table.content_size.width))
        self._fill()

    @on(TabStrip.Clicked)
    def _clicked(self, message: TabStrip.Clicked) -> None:
        self._pane = message.name
        self._show_pane()

    # ----- keys

    def action_pane(self, by: int) -> None:
        """The next or the last pane."""
        self._pane = PANES[(PANES.index(self._pane) + by) % len(PANES)]
        self._show_pane()

    def action_pair(self, by: int) -> None:
        """Figures and images of another subject."""
        if self.found is not None:
            self._pair = (self._pair + by) % len(self.found.pairs)
            self._show_pair()

    def action_show_changes(self) -> None:
        """Fixed and broken images, then one kind alone."""
        if self.found is not None:
            self.model.show(self.model.shown.next())
            self._show_changes()

    @on(Table.Opened)
    def action_open_image(self) -> None:
        """Open the image under the cursor."""
        path = self.query_one(Table).cursor_key()
        if path is not None and self.error is None:
            self.open_image(str(path), [case.path for case in self.model.rows])

    def action_back(self) -> None:
        """Back to where it was opened."""
        self.app.pop_screen()
