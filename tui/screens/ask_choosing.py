"""What the Ask screen lets one choose: the question, one's own words, the image, the model, the device."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.screen import Screen

from engine import api
from tui.dialogs.choose import Choose, Option
from tui.dialogs.prompt import Prompt
from tui.poller import attempt
from tui.screens.ask_talk import Talk, Whom

if TYPE_CHECKING:
    from tui.app import Workbench

NOT_TRAINED = (api.State.QUEUED, api.State.STARTING, api.State.RUNNING, api.State.CANCELLED)
"""States of runs that have no adapter to ask."""


class AskChoosing(Screen[None]):
    """Mixin of the Ask screen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "u", "choose_question", "Questions", show=False, id="ask.questions", tooltip="Choose among all wordings"
        ),
        Binding("s", "split", "Split", show=False, id="ask.split", tooltip="Images of the next split"),
        Binding(
            "b", "untuned", "Untuned", show=False, id="ask.untuned", tooltip="The run's base model, or the run again"
        ),
    ]

    workbench: Workbench
    _tuned: Whom | None = None

    # ----- what the screen gives

    if TYPE_CHECKING:  # what the screen itself gives

        def talk_of(self) -> Talk:
            """The conversation."""

        def open_talk(self, whom: Whom) -> None:
            """Ask another model."""

        def asked_question(self) -> api.AskQuestion | None:
            """What enter would ask."""

        def set_question(self, question: api.AskQuestion) -> None:
            """What enter shall ask."""

        def show_file(self, image: api.AskImage) -> None:
            """An image that was named."""

    # ----- the question

    def action_wording(self, by: int) -> None:
        """The next wording, of this question or the next one."""
        choices, now = api.question_choices(), self.asked_question()
        place = choices.index(now) if now in choices else (-1 if by > 0 else 0)
        self.set_question(choices[(place + by) % len(choices)])

    def action_choose_question(self) -> None:
        """All wordings."""
        choices, now = api.question_choices(), self.asked_question()
        options = [Option(place, each.title, each.text) for place, each in enumerate(choices)]
        chosen = [choices.index(now)] if now in choices else []

        def answered(keys: list[Hashable] | None) -> None:
            if keys and isinstance(keys[0], int):
                self.set_question(choices[keys[0]])

        self.app.push_screen(Choose("questions", options, chosen=chosen), answered)

    def action_own_words(self) -> None:
        """Type a question."""
        subject, now = self.talk_of().subject, self.asked_question()
        if subject is None:
            self.notify("The model is not known yet.", markup=False)
            return

        def wrong(words: str) -> str:
            found = attempt(lambda: api.ask_question(subject, words))
            return found.title if isinstance(found, api.SonotuneError) else ""

        def answered(words: str | None) -> None:
            if words is not None:
                self.set_question(api.ask_question(subject, words))

        before = now.text if now is not None and now.question is None else ""
        hint = "Or Q1 to Q8, or report. The model was trained on those alone."
        self.app.push_screen(Prompt("a question in your own words", before, hint, wrong), answered)

    # ----- the image

    def action_name_image(self) -> None:
        """Type the name of an image."""
        workspace = self.workbench.workspace

        def answered(words: str | None) -> None:
            if words and words.strip():
                self.workbench.act(lambda: api.ask_image(workspace, words.strip()), self.show_file)

        hint = "A PNG or JPEG file by its path, or DATASET:PATH of an imported dataset."
        self.app.push_screen(Prompt("an image to ask about", "", hint), answered)

    # ----- the model

    def action_choose_model(self) -> None:
        """Another run, or an untuned model."""
        self.workbench.poller.ask(lambda live: live.run_list(), self._choose_among, self.workbench.report)

    def _choose_among(self, rows: tuple[api.RunListRow, ...]) -> None:
        runs = [row for row in rows if row.state not in NOT_TRAINED]
        whom = self.talk_of().whom
        models = dict.fromkeys([row.model for row in rows if row.model] + ([whom.model] if whom.model else []))
        options = [Option(("run", row.id), f"{row.id} {row.name}", f"{row.state}, {row.model}") for row in runs]
        options += [Option(("model", model), f"untuned {model}", "the base model alone") for model in models]
        chosen = ("run", whom.run) if whom.run is not None else ("model", whom.model)

        def answered(keys: list[Hashable] | None) -> None:
            if keys and isinstance(keys[0], tuple):
                kind, name = keys[0]
                self.open_talk(Whom(name) if kind == "run" else Whom(None, name))

        self.app.push_screen(Choose("whom to ask", options, chosen=[chosen]), answered)

    def action_untuned(self) -> None:
        """The base model of the run, and the run again: what has the training changed?"""
        talk = self.talk_of()
        if talk.whom.run is None:
            if self._tuned is not None:
                self.open_talk(self._tuned)
            else:
                self.notify("This is the untuned model; o chooses a run.", markup=False)
        elif talk.subject is not None:
            self._tuned = talk.whom
            self.open_talk(Whom(None, talk.subject.model, talk.whom.device))

    def ask_where(self, error: api.SonotuneError) -> None:
        """Every GPU has a job: ask on the CPU, beside the job, or not at all."""
        whom = self.talk_of().whom
        options = [
            Option("cpu", "on the CPU", "slow for a large model"),
            Option("shared", "on the GPU all the same", "the job may run out of memory"),
        ]

        def answered(keys: list[Hashable] | None) -> None:
            if keys:
                self.open_talk(Whom(whom.run, whom.model, str(keys[0])))

        self.notify(api.plain(error.reason), title=error.title, severity="warning", markup=False)
        self.app.push_screen(Choose(error.title, options), answered)
