"""What can be done with a run, the same wherever one is shown: stop, cancel, resume, clone, ask, tag, note, rename."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.screen import Screen

from engine import api
from tui.dialogs.confirm import Confirm
from tui.dialogs.prompt import Prompt
from tui.text import cut

NAME_CELLS = 60
"""Of a name in a question."""

if TYPE_CHECKING:
    from tui.app import Workbench


class RunActions(Screen[None]):
    """Mixin of a screen; it says which run is meant (`chosen_run`)."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "s",
            "stop_run",
            "Stop",
            show=False,
            id="run.stop",
            tooltip="Save adapter and checkpoint, then end; resumable",
        ),
        Binding("X,x", "cancel_run", "Cancel", show=False, id="run.cancel", tooltip="End for good, without saving"),
        Binding("r", "resume_run", "Resume", show=False, id="run.resume", tooltip="Go on from the last checkpoint"),
        Binding("c", "clone_run", "Clone", show=False, id="run.clone", tooltip="Open its recipe in the launch form"),
        Binding("E,e", "evaluate_run", "Evaluate", show=False, id="run.evaluate", tooltip="Measure it on a split"),
        Binding("a", "ask_run", "Ask", show=False, id="run.ask", tooltip="Ask it about an image"),
        Binding("t", "tag_run", "Tags", show=False, id="run.tag", tooltip="Set its tags, separated by commas"),
        Binding("n", "note_run", "Note", show=False, id="run.note", tooltip="Write a note about it"),
        Binding("R", "rename_run", "Rename", show=False, id="run.rename", tooltip="Give it another name"),
    ]

    workbench: Workbench

    def chosen_run(self) -> int | None:
        """The run that the keys mean; None where there is none."""
        return None

    def action_stop_run(self) -> None:
        """Save and end."""
        run, workspace = self.chosen_run(), self.workbench.workspace
        if run is not None:
            self.workbench.act(lambda: api.stop(workspace, run))

    def action_cancel_run(self) -> None:
        """End for good, after a question."""
        run = self.chosen_run()
        if run is not None:
            self.workbench.poller.ask(lambda live: live.run_view(run).run, self._ask_to_cancel, self.workbench.report)

    def _ask_to_cancel(self, run: api.RunRow) -> None:
        workspace = self.workbench.workspace

        def answered(yes: bool | None) -> None:
            if yes:
                self.workbench.act(lambda: api.cancel(workspace, run.id))

        if run.state in api.ENDED:
            self.notify(f"Run {run.id} has ended already ({run.state}).", severity="warning", markup=False)
            return
        detail = "It ends without saving, and cannot be resumed. `s` saves first and can be resumed."
        if run.state == api.State.QUEUED:
            detail = "It leaves the queue before it has begun; evaluations that wait for it leave with it."
        question = f"Cancel run {run.id}, {cut(run.name, NAME_CELLS)}, for good?"
        self.app.push_screen(Confirm(question, detail, "cancel it"), answered)

    def action_resume_run(self) -> None:
        """Queue it again."""
        run, workspace = self.chosen_run(), self.workbench.workspace
        if run is not None:
            self.workbench.act(lambda: api.resume(workspace, run))

    def action_clone_run(self) -> None:
        """Its recipe in the launch form."""
        run, workspace = self.chosen_run(), self.workbench.workspace
        if run is not None:
            self.workbench.act(lambda: api.clone_recipe(workspace, run), lambda recipe: self._cloned(run, recipe))

    def _cloned(self, run: int, recipe: api.Recipe) -> None:
        from tui.screens.launch import LaunchScreen

        self.app.switch_mode("launch")

        def load() -> None:
            if isinstance(self.app.screen, LaunchScreen):
                self.app.screen.load_recipe(recipe, parent_run_id=run)

        self.app.call_after_refresh(load)

    def action_evaluate_run(self) -> None:
        """Choose what to measure."""
        run = self.chosen_run()
        if run is not None:
            from tui.dialogs.evaluate import ask_for_evaluation

            ask_for_evaluation(self.workbench, run)

    def action_ask_run(self) -> None:
        """Ask its model about an image."""
        run = self.chosen_run()
        if run is not None:
            from tui.screens.ask import AskScreen

            self.app.push_screen(AskScreen(run))

    def action_tag_run(self) -> None:
        """Edit the tags in one line."""
        run = self.chosen_run()
        if run is not None:
            self.workbench.poller.ask(
                lambda live: live.run_view(run).tags, lambda tags: self._ask_tags(run, tags), self.workbench.report
            )

    def _ask_tags(self, run: int, tags: tuple[str, ...]) -> None:
        workspace = self.workbench.workspace

        def answered(text: str | None) -> None:
            if text is None:
                return
            wanted = [tag.strip() for tag in text.split(",") if tag.strip()]
            gone = [tag for tag in tags if tag not in wanted]
            self.workbench.act(lambda: _sentence(api.tag_run(workspace, run, add=wanted, remove=gone)))

        self.app.push_screen(Prompt(f"tags of run {run}", ", ".join(tags), "Separate them by commas."), answered)

    def action_note_run(self) -> None:
        """Write a note."""
        run, workspace = self.chosen_run(), self.workbench.workspace
        if run is None:
            return

        def answered(text: str | None) -> None:
            if text and text.strip():
                self.workbench.act(lambda: api.add_note(workspace, run, text) and "Noted.")

        self.app.push_screen(
            Prompt(f"a note on run {run}", hint="Enter keeps it; notes stand beside the events."), answered
        )

    def action_rename_run(self) -> None:
        """Give it another name."""
        run = self.chosen_run()
        if run is not None:
            self.workbench.poller.ask(
                lambda live: live.run_view(run).run.name, lambda name: self._ask_name(run, name), self.workbench.report
            )

    def _ask_name(self, run: int, name: str) -> None:
        workspace = self.workbench.workspace

        def answered(text: str | None) -> None:
            if text and text != name:
                self.workbench.act(lambda: api.rename_run(workspace, run, text))

        self.app.push_screen(Prompt(f"a new name for run {run}", name, "Its folder keeps the old one."), answered)


def _sentence(tags: list[str]) -> str:
    return f"Tags: {', '.join(tags)}." if tags else "No tags any more."
