"""Ask a model about one image: the answer as it comes, beside what the annotation says."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widget import Widget

from engine import api
from tui.poller import attempt
from tui.screens import ask_text as text
from tui.screens.ask_choosing import AskChoosing
from tui.screens.ask_history import COLUMNS, WIDE_COLUMNS, History, HistoryTable
from tui.screens.ask_images import SPLITS
from tui.screens.ask_looking import AskLooking
from tui.screens.ask_picture import AskPicture
from tui.screens.ask_talk import Exchange, MakeSession, Talk, Whom, make_session
from tui.screens.base import WorkbenchScreen
from tui.widgets.lines import Lines
from tui.widgets.table import Table

TICK_SECONDS = 1.0
WIDE_CELLS = 110
"""Width from which the list of questions has all its columns."""


class AskScreen(AskLooking, AskChoosing, WorkbenchScreen):
    """One image, one question, one model. An answer is a look and no measurement: the leaderboard has the figures.

    The model runs in a process of its own, which ends when this screen is left.
    """

    TAB = "Runs"
    CSS_PATH = "ask.tcss"
    AUTO_FOCUS = "#history"
    HORIZONTAL_BREAKPOINTS = [(0, "-tiny"), (64, "-narrow"), (110, "-wide")]  # noqa: RUF012 - Textual's own variable
    VERTICAL_BREAKPOINTS = [(0, "-low"), (18, "-high")]  # noqa: RUF012 - as above
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "ask", "Ask", id="ask.ask", tooltip="Ask the question about the image"),
        Binding("escape", "back", "Back", id="ask.back", tooltip="Stop the answer; then back to where you came from"),
        Binding("right,l", "image(1)", "Image", id="ask.next_image", tooltip="The next image"),
        Binding("left,h", "image(-1)", "Image before", show=False, id="ask.last_image", tooltip="The image before"),
        Binding("right_square_bracket", "wording(1)", "Question", id="ask.next_question", tooltip="The next wording"),
        Binding("left_square_bracket", "wording(-1)", "Question before", show=False, id="ask.last_question"),
        Binding("t", "own_words", "Own words", id="ask.own_words", tooltip="Type a question of your own"),
        Binding("o", "choose_model", "Model", id="ask.model", tooltip="Ask another run, or an untuned model"),
        Binding("i", "name_image", "File", id="ask.image", tooltip="Name an image: FILE, or DATASET:PATH"),
        Binding(
            "shift+down,J", "scroll_answer(1)", "Answer down", show=False, id="ask.down", tooltip="Scroll the answer"
        ),
        Binding("shift+up,K", "scroll_answer(-1)", "Answer up", show=False, id="ask.up", tooltip="Scroll it back"),
    ]

    def __init__(
        self,
        run: int | None = None,
        model: str | None = None,
        image: tuple[str, str] | None = None,
        make: MakeSession = make_session,
    ) -> None:
        """Make the screen.

        Args:
            run: whom to ask.
            model: the untuned model instead.
            image: dataset and path to begin with; None: the first validation image of the run's dataset.
            make: makes the session (tests make other ones).
        """
        super().__init__()
        self._whom, self._first = Whom(run, model), image
        self._make = make
        self._talk: Talk
        self._question: api.AskQuestion | None = None
        self._picked: int | None = None
        """Number of the question whose answer is shown; None: what enter would ask."""
        self._count = 0
        """Questions that the list has shown."""
        self._followed: tuple[int | None, bool] = (None, False)
        """The answer looked at, and whether it was still coming."""
        self._busy_told = False

    # ----- the frame

    def body(self) -> Iterable[Widget]:
        """Picture, talk, questions so far."""
        workbench = self.workbench
        self._talk = Talk(workbench.workspace, workbench.act, workbench.from_thread, self._show, self._make)
        with Horizontal(id="talk"):
            yield AskPicture(self.workbench.settings.images, id="picture")
            with Vertical(id="words"):
                yield Lines(id="whom")
                yield Lines(id="question")
                yield Lines(id="answer")
        rows = History(lambda: self.query_one(HistoryTable), lambda: self._talk.exchanges)
        yield HistoryTable(COLUMNS, rows, empty="nothing asked yet", id="history")

    def on_mount(self) -> None:
        """Begin to load the model."""
        self.set_interval(TICK_SECONDS, self._ticked)
        self.call_after_refresh(self._begin)  # the widgets inside the panes are mounted after the screen

    def _begin(self) -> None:
        if not self.is_attached:
            return  # left already
        if self._first is not None:
            self._read_images(self._first[0], "all")
        self.open_talk(self._whom)

    def on_unmount(self) -> None:
        """The process ends with the screen."""
        self._talk.close()

    @property
    def crumb(self) -> str:
        """Where one is."""
        return "ask"

    def on_resize(self) -> None:
        """Room for more columns, or for fewer."""
        self.query_one(HistoryTable).set_columns(WIDE_COLUMNS if self.size.width >= WIDE_CELLS else COLUMNS)

    # ----- showing

    def _show(self) -> None:
        """Everything that the talk has changed."""
        if not self.is_attached:
            return
        talk, history = self._talk, self.query_one(HistoryTable)
        self._settle_subject()
        self.query_one("#whom", Lines).show_paragraphs(text.whom(talk))
        self.query_one("#question", Lines).show_paragraphs(text.question(self._question))
        history.rows_changed()
        if len(talk.exchanges) > self._count:  # a new one is shown; who looks back at an old one later is let alone
            self._count = self._picked = len(talk.exchanges)
            history.move_to_key(self._picked)
        self._show_answer()
        self.refresh_bindings()

    def image_changed(self) -> None:
        """Another picture is on the screen."""
        self._show_answer()

    def _show_answer(self) -> None:
        """The answer that is looked at: its end while it comes, its beginning once it is whole."""
        lines, shown = self.query_one("#answer", Lines), self._shown()
        here = shown is None or (self.is_here(shown.image) and shown.question == self._question)
        lines.show_paragraphs(text.answer(shown, self._talk, here))
        state = (self._picked, shown is not None and shown.open)
        if state != self._followed:
            self._followed = state
            lines.follow = state[1]
            lines.action_jump(-1 if lines.follow else 0)

    def _shown(self) -> Exchange | None:
        return next((each for each in self._talk.exchanges if each.number == self._picked), None)

    def _ticked(self) -> None:
        if self._talk.loading_seconds is not None:
            self.query_one("#whom", Lines).show_paragraphs(text.whom(self._talk))

    def _settle_subject(self) -> None:
        """What follows once it is known who is asked: the question, the images; or that every GPU is taken."""
        subject = self._talk.subject
        if isinstance(self._talk.error, api.BusyDeviceError) and not self._busy_told:
            self._busy_told = True
            self.ask_where(self._talk.error)
        if subject is None:
            return
        if self._question is None:
            self._question = api.ask_question(subject, subject.questions[0] if subject.questions else "Q7")
        if self._choice is None and self._first is None and self._file is None:
            self._first = (subject.dataset, "")
            self._read_images(subject.dataset, SPLITS[0])

    @on(Table.Highlighted, "#history")
    def _look_back(self, message: Table.Highlighted) -> None:
        if isinstance(message.key, int) and message.key != self._picked:
            self._picked = message.key
            shown = self._shown()
            if shown is not None:
                self.show_again(shown.image)
            self._show()

    # ----- whom

    def talk_of(self) -> Talk:
        """The conversation."""
        return self._talk

    def open_talk(self, whom: Whom) -> None:
        """Ask another model from now on."""
        self._busy_told = False
        self._talk.open(whom)

    # ----- asking

    def set_question(self, question: api.AskQuestion) -> None:
        """What enter asks."""
        self._question = question
        self._show()

    def asked_question(self) -> api.AskQuestion | None:
        """What enter would ask."""
        return self._question

    def action_ask(self) -> None:
        """Ask."""
        talk, question = self._talk, self._question
        if talk.subject is None or question is None or talk.error is not None:
            self.notify(talk.error.title if talk.error else "The model is not known yet.", markup=False)
        elif talk.current is not None:
            self.notify("One question at a time: esc stops this one.", markup=False)
        elif self._file is not None:
            talk.ask(self._file, question)
        elif (choice := self._choice) is not None and choice.items:
            workspace, item = self.workbench.workspace, choice.items[self._at]
            self.workbench.act(
                lambda: attempt(lambda: api.listed_image(workspace, item.id)),
                lambda found: self._ask_about(found, question),
            )
        else:
            self.notify("There is no image to ask about: i names one.", markup=False)

    def _ask_about(self, found: api.AskImage | api.SonotuneError, question: api.AskQuestion) -> None:
        if isinstance(found, api.SonotuneError):
            self.workbench.report(found)
        else:
            self._talk.ask(found, question)

    def action_scroll_answer(self, by: int) -> None:
        """Scroll the answer, wherever the focus is."""
        self.query_one("#answer", Lines).action_scroll(by)

    def action_back(self) -> None:
        """Stop the answer, or go back."""
        if self._talk.current is not None:
            self._talk.stop()
        else:
            self.app.pop_screen()
