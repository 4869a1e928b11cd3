"""What a dataset is worth: findings, labels by view, duplicates, strange answers, images that cannot be used."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.widget import Widget

from engine import api
from tui.poller import attempt
from tui.screens import quality_text as text
from tui.screens.base import WorkbenchScreen
from tui.screens.dataset_check import CHECK_SECONDS, DatasetCheck, OneLine
from tui.screens.dataset_reading import CheckData, DatasetFeed
from tui.screens.dataset_text import SHORT_TITLES
from tui.screens.quality_actions import QualityActions
from tui.screens.quality_reading import QualityData, Readings, read_quality, read_readings
from tui.screens.quality_rows import (
    FAULT_COLUMNS,
    FINDING_COLUMNS,
    PAIR_COLUMNS,
    READING_COLUMNS,
    UNUSUAL_COLUMNS,
    Row,
    RowsModel,
)
from tui.widgets.lines import Lines
from tui.widgets.table import Table
from tui.widgets.tabstrip import TabStrip

PANES = ("findings", "labels", "pairs", "unusual", "readings", "images")
QUESTIONS = tuple(SHORT_TITLES)
WITH_QUESTION = ("labels", "readings")
COLUMNS = {
    "findings": FINDING_COLUMNS,
    "pairs": PAIR_COLUMNS,
    "unusual": UNUSUAL_COLUMNS,
    "readings": READING_COLUMNS,
    "images": FAULT_COLUMNS,
}
EMPTY = {
    "findings": "nothing found",
    "pairs": "no duplicates found",
    "unusual": "no strange answers",
    "readings": "nobody has answered",
    "images": "no image is unreadable, blank or tiny, as far as they were checked",
}


class QualityScreen(QualityActions, DatasetCheck, WorkbenchScreen):
    """The quality report of one dataset, pane by pane; it is read again when the check of the images has ended."""

    TAB = "Dataset"
    CSS_PATH = "quality.tcss"
    AUTO_FOCUS = "#findings"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (140, "-wide")]  # noqa: RUF012 - Textual's own class variable
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back", id="quality.back", tooltip="Back to the images"),
        Binding(
            "right_square_bracket,tab",
            "pane(1)",
            "Pane",
            id="quality.next_pane",
            tooltip="Next pane: " + ", ".join(PANES),
        ),
        Binding("left_square_bracket,shift+tab", "pane(-1)", "Pane back", show=False, id="quality.last_pane"),
        Binding("b", "question(1)", "Question", id="quality.next_question", tooltip="Labels or readings of the next"),
        Binding("B", "question(-1)", "Question before", show=False, id="quality.last_question"),
    ]

    def __init__(self, dataset: str, list_images: Callable[[str], None]) -> None:
        """Make the screen.

        Args:
            dataset: its name.
            list_images: takes a filter that finds images; the list of images is below this screen.
        """
        super().__init__()
        self._dataset, self._list_images = dataset, list_images
        self.readings: Readings | None = None
        self.error: api.SonotuneError | None = None
        self.question = "Q7"
        self._pane = PANES[0]
        self._read_for: tuple[object, ...] | None = None
        self._models = {pane: RowsModel(lambda pane=pane: self.table(pane)) for pane in COLUMNS}  # type: ignore[misc]

    def body(self) -> Iterable[Widget]:
        """Names of the panes, what the one in sight is about, the panes, and how far the check is."""
        yield TabStrip(PANES)
        yield OneLine(id="about")
        with Container(id="findings-pane"):
            yield Table(FINDING_COLUMNS, self._models["findings"], moved=self._show_finding, id="findings")
            yield Lines(empty=text.WAITING, id="finding")
        yield Lines(empty=text.WAITING, id="labels")
        for pane in PANES[2:]:
            yield Table(COLUMNS[pane], self._models[pane], id=pane)
        yield OneLine(id="check")

    def on_mount(self) -> None:
        """Read the report, and follow the check."""
        feed, name = DatasetFeed(), self._dataset
        self._show_pane()
        self.show_facts(f"{self._dataset} · {text.WAITING}")
        self.watch_data(lambda live: feed.check_of(live, name), self.hear_check, every=CHECK_SECONDS)

    @property
    def crumb(self) -> str:
        """Where one is."""
        return "quality"

    def chosen_dataset(self) -> str:
        """The dataset of the report."""
        return self._dataset

    def list_images(self, condition: str) -> None:
        """Leave for the list of images, with a filter."""
        self.app.pop_screen()
        self._list_images(condition)

    def table(self, pane: str) -> Table:
        """The table of a pane."""
        return self.query_one(f"#{pane}", Table)

    # ----- data

    def hear_check(self, check: CheckData | None) -> None:
        """Follow the check; where there is something new to read, read the report again."""
        super().hear_check(check)
        result = () if check is None else check.result
        if result != self._read_for:
            self._read_for = result
            self._read()

    def read_flags(self, check: CheckData) -> None:
        """They come with the report: the search for near-duplicates must not run twice."""

    def _read(self) -> None:
        workspace, dataset, asked = self.workbench.workspace, self._dataset, self._read_for

        def done(answer: QualityData | api.SonotuneError) -> None:
            if asked == self._read_for and self.is_attached:
                self._show(answer)

        self.workbench.act(lambda: attempt(lambda: read_quality(workspace, dataset)), done)

    def _show(self, answer: QualityData | api.SonotuneError) -> None:
        self.data = None if isinstance(answer, api.SonotuneError) else answer
        self.error = answer if isinstance(answer, api.SonotuneError) else None
        for pane, model in self._models.items():
            if pane != "readings":
                model.rows = () if self.data is None else self.data.rows[pane]
            self.table(pane).empty = self.error.title if self.error is not None else EMPTY[pane]
            self.table(pane).rows_changed()
        self.flags = self.error if self.data is None else self.data.flags
        self.show_check_line()
        images = "" if self.data is None else f" · {self.data.report.images:,} images"
        self.show_facts(f"{self._dataset}{images}")
        self.readings = None
        self._show_finding()
        self._show_labels()
        self._show_about()
        self._ask_readings()

    def _show_finding(self) -> None:
        """The finding under the cursor in full."""
        lines, row = self.query_one("#finding", Lines), self.table("findings").cursor
        if self.error is not None:
            lines.show_paragraphs(text.trouble_paragraphs(self.error))
        elif self.data is not None:
            findings = self.data.report.findings
            lines.show_paragraphs(text.finding_paragraphs(findings[row]) if row < len(findings) else [])

    def _show_labels(self) -> None:
        """Bars as long as there is room."""
        lines = self.query_one("#labels", Lines)
        if self.error is not None:
            lines.show_paragraphs(text.trouble_paragraphs(self.error))
        elif self.data is not None:
            width = max(40, lines.content_size.width - 1)
            lines.show_paragraphs(text.label_paragraphs(self.data.labels[self.question], width))

    def _ask_readings(self) -> None:
        """What became of the answers, once somebody looks at that pane."""
        question, workspace, dataset = self.question, self.workbench.workspace, self._dataset
        if self._pane != "readings" or (self.readings is not None and self.readings.question == question):
            return

        def done(answer: Readings | api.SonotuneError) -> None:
            if isinstance(answer, api.SonotuneError):
                self._show_readings((), answer.title)
            elif self.is_attached and answer.question == self.question:
                self.readings = answer
                self._show_readings(answer.rows, EMPTY["readings"])

        self._show_readings((), text.WAITING)
        self.workbench.act(lambda: attempt(lambda: read_readings(workspace, dataset, question)), done)

    def _show_readings(self, rows: Sequence[Row], empty: str) -> None:
        table = self.table("readings")
        self._models["readings"].rows, table.empty = rows, empty
        table.rows_changed()
        self._show_about()

    def _show_about(self) -> None:
        """What the pane in sight is about."""
        line, data = self.query_one("#about", OneLine), self.data
        if self._pane == "readings":
            line.show_pieces(text.readings_line(self.question, self.readings))
        elif self._pane == "labels":
            line.show_pieces(text.labels_line(self.question))
        elif data is None:
            line.show_pieces([(text.WAITING if self.error is None else self.error.title, "dim")])
        elif self._pane == "images":
            line.show_pieces(text.images_line(data.report, data.rows["images"]))
        else:
            about = {"findings": text.findings_line, "pairs": text.pairs_line, "unusual": text.unusual_line}
            line.show_pieces(about[self._pane](data.report))

    # ----- panes

    def _show_pane(self) -> None:
        self.query_one(TabStrip).show_active(self._pane)
        for pane in PANES:
            self.query_one("#findings-pane" if pane == "findings" else f"#{pane}").display = pane == self._pane
        self.query_one(f"#{self._pane}").focus()
        self.refresh_bindings()
        self._show_about()
        self._ask_readings()

    def on_resize(self) -> None:
        """Longer or shorter bars."""
        self.call_after_refresh(self._show_labels)

    @on(TabStrip.Clicked)
    def _clicked(self, message: TabStrip.Clicked) -> None:
        self.go_to(message.name)

    def go_to(self, pane: str) -> None:
        """Show another pane."""
        self._pane = pane
        self._show_pane()
        self.call_after_refresh(self._show_labels)

    # ----- keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Questions are chosen where the pane is about one."""
        return action != "question" or self._pane in WITH_QUESTION

    def action_pane(self, by: int) -> None:
        """The next or the last pane."""
        self.go_to(PANES[(PANES.index(self._pane) + by) % len(PANES)])

    def action_question(self, by: int) -> None:
        """Labels or readings of another question."""
        self.question = QUESTIONS[(QUESTIONS.index(self.question) + by) % len(QUESTIONS)]
        self._show_labels()
        self._show_about()
        self._ask_readings()

    def action_back(self) -> None:
        """Back to the images."""
        self.app.pop_screen()
