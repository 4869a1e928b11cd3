"""What can be done with a comparison: other subjects, another baseline, another question, the image, the curves."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.screen import Screen

from engine import api
from tui.dialogs.choose import Choose, Option
from tui.poller import attempt
from tui.screens.compare_open import MOST_SUBJECTS, Asked

if TYPE_CHECKING:
    from tui.app import Workbench

REFERENCES = ("majority", "majority_by_view", "shuffled", "base")


class CompareActions(Screen[None]):
    """Mixin of the Compare screen; it says what was asked, what was found and which pair is chosen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "choose_subjects", "Subjects", id="compare.subjects", tooltip="Choose who is compared"),
        Binding("b", "take_as_baseline", "Baseline", id="compare.baseline", tooltip="Hold the others against this one"),
        Binding("Q", "choose_question", "Question", show=False, id="compare.question", tooltip="Question and split"),
        Binding("o", "overlay", "Curves", show=False, id="compare.curves", tooltip="Loss curves of the runs together"),
        Binding("m", "measure", "Measure alike", id="compare.measure", tooltip="Measure all on the same images"),
        Binding("c", "common", "Common images", id="compare.common", tooltip="Compare the images that all have"),
    ]

    workbench: Workbench
    asked: Asked
    found: api.Comparison | None
    error: api.SonotuneError | None

    if TYPE_CHECKING:  # what the screen itself gives

        def ask(self, asked: Asked) -> None:
            """Compare something else."""

        def chosen_pair(self) -> api.ComparedPair | None:
            """The pair whose figures and images are shown."""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The ways out of different images are there only where they lead somewhere."""
        refused = self.error if isinstance(self.error, api.OtherImagesError) else None
        if action == "measure":
            return refused is not None and refused.measurable
        if action == "common":
            return refused is not None and refused.shared > 0
        if action in ("take_as_baseline", "choose_question", "overlay", "show_changes"):
            return self.found is not None
        if action == "pane":
            return self.error is None
        if action == "pair":
            return self.found is not None and len(self.found.pairs) > 1
        return super().check_action(action, parameters)

    # ----- who and what

    def action_choose_subjects(self) -> None:
        """Choose runs and references; the first that is marked is the baseline."""
        self.workbench.poller.ask(lambda live: live.run_list(), self._ask_subjects, self.workbench.report)

    def _ask_subjects(self, rows: tuple[api.RunListRow, ...]) -> None:
        options = [Option(str(row.id), f"{row.id} {row.name}", f"{row.state}, {row.model}") for row in rows]
        options[:0] = [Option(each, each.replace("_", " "), "reference") for each in REFERENCES]
        chosen = list(self._current_words())
        known = {option.key for option in options}
        options[:0] = [Option(word, word, "chosen before") for word in chosen if word not in known]

        def answered(keys: list[Hashable] | None) -> None:
            if keys is not None and keys != chosen:
                self.ask(replace(self.asked, subjects=tuple(str(key) for key in keys), cases=None, common=False))

        title = "compare: the first marked is the baseline"
        self.app.push_screen(Choose(title, options, chosen=chosen, several=True, most=MOST_SUBJECTS), answered)

    def _current_words(self) -> tuple[str, ...]:
        """The subjects as words of the list; a run that was asked for by an evaluation is in it by its number."""
        if self.found is None:
            return self.asked.subjects
        subjects = zip(self.found.subjects, self.asked.subjects, strict=True)
        return tuple(word if subject.run is None else str(subject.run) for subject, word in subjects)

    def action_take_as_baseline(self) -> None:
        """Hold all others against the chosen subject."""
        pair = self.chosen_pair()
        if pair is not None:
            words = list(self.asked.subjects)
            words.insert(0, words.pop(pair.subject))
            self.ask(replace(self.asked, subjects=tuple(words)))

    def action_choose_question(self) -> None:
        """Another question or split that all were measured on."""
        if self.found is None:
            return
        if not self.found.others:
            self.notify("They have no other question and split in common.", markup=False)
            return
        current = (self.found.question, str(self.found.split))
        options = [Option(each, " on ".join(each)) for each in (current, *self.found.others)]

        def answered(keys: list[Hashable] | None) -> None:
            for key in keys or ():
                if isinstance(key, tuple):
                    question, split = key
                    self.ask(replace(self.asked, question=question, split=api.Split(split), cases=None))

        self.app.push_screen(Choose("compare on", options, chosen=[current]), answered)

    # ----- other places

    def open_image(self, path: str, paths: Sequence[str]) -> None:
        """The image with what both said of it; `paths` is the list that it stands in."""
        pair = self.chosen_pair()
        if self.found is None or pair is None:
            return
        from tui.screens.cases_open import open_case

        evaluations = [self.found.subjects[place].evaluation for place in (0, pair.subject)]
        open_case(self.workbench, evaluations, path, paths)

    def action_overlay(self) -> None:
        """The curves of all runs that are compared, in one chart."""
        from tui.screens.run import RunScreen
        from tui.screens.run_marks import MOST_MARKED

        runs = [each.run for each in self.found.subjects if each.run is not None] if self.found is not None else []
        if runs:
            self.app.push_screen(RunScreen(runs[0], tuple(runs[1:MOST_MARKED])))
        else:
            self.notify("None of them is a run: references have no curves.", markup=False)

    # ----- where the images differ

    def action_common(self) -> None:
        """Compare the images that all share; a note says so."""
        self.ask(replace(self.asked, common=True, cases=None))

    def action_measure(self) -> None:
        """Queue what is missing to have the same images."""
        self._measure("")

    def _measure(self, purpose: str) -> None:
        error, workspace, subjects = self.error, self.workbench.workspace, self.asked.subjects
        if not isinstance(error, api.OtherImagesError):
            return
        question, split = error.question, error.split

        def done(answer: list[int] | api.SonotuneError) -> None:
            if isinstance(answer, api.UnconfirmedTestError):
                from tui.dialogs.test_look import ask_purpose

                ask_purpose(self.workbench, answer, self._measure)
            elif isinstance(answer, api.SonotuneError):
                self.workbench.report(answer)
            else:
                self.notify(_queued(len(answer)), markup=False)

        self.workbench.act(
            lambda: attempt(lambda: api.measure_alike(workspace, subjects, question, split, test_purpose=purpose)), done
        )


def _queued(count: int) -> str:
    if not count:
        return "All of that is measured, or on its way."
    return f"Evaluations queued: {count}. Compare again once they have ended (key 4 shows the queue)."
