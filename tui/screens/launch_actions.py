"""What can be done with a recipe in the launch form: save it, queue it, open the run that came of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.screen import Screen

from engine import api
from tui.dialogs.confirm import Confirm
from tui.dialogs.prompt import Prompt
from tui.dialogs.test_look import ask_purpose
from tui.poller import attempt
from tui.screens.launch_model import RecipeForm
from tui.screens.launch_text import fields_at_fault, launched_words

if TYPE_CHECKING:
    from tui.app import Workbench


class LaunchActions(Screen[None]):
    """Mixin of the launch screen; the screen says what the form holds."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("l", "launch", "Launch", id="launch.launch", tooltip="Queue this run behind those that wait"),
        Binding(
            "L",
            "launch(True)",
            "Launch first",
            show=False,
            id="launch.first",
            tooltip="Queue this run before all others",
        ),
        Binding("w,ctrl+s", "save", "Save", id="launch.save", tooltip="Save it as a recipe file"),
        Binding("o", "open_run", "Open run", show=False, id="launch.open", tooltip="Open the run that was queued last"),
    ]

    workbench: Workbench
    form: RecipeForm | None = None
    """What the form holds; None until the engine has been loaded."""
    _launching = False
    _launched: tuple[api.Recipe, int] | None = None
    """The recipe that was queued last, and its run."""

    def end_typing(self) -> None:
        """Take what is being typed into the form."""

    def go_to_problem(self) -> None:
        """Put the cursor on the first field with a problem."""

    def saved(self, file: Path) -> None:
        """The recipe in the form lies in a file of its own now."""

    def sound_recipe(self, doing: str) -> api.Recipe | None:
        """The recipe in the form; None, with words and the cursor on the first fault, where it is not sound."""
        self.end_typing()
        if self.form is None:
            return None
        recipe = self.form.check.recipe
        if recipe is None:
            self.notify(
                api.plain(f"Mend first: {fields_at_fault(self.form)}."),
                title=f"This recipe cannot be {doing}",
                severity="error",
                markup=False,
            )
            self.go_to_problem()
        return recipe

    # ----- launching

    def action_launch(self, first: bool = False) -> None:
        """Queue the run; before all that wait if `first`."""
        if self._launching:
            self.notify("This run is being queued already.", severity="warning", markup=False)
            return
        recipe = self.sound_recipe("launched")
        if recipe is None:
            return
        if self._launched is None or self._launched[0] != recipe:
            self._launch(recipe, first)
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self._launch(recipe, first)

        question = f"Queue the same recipe once more? It was queued as run {self._launched[1]} already."
        detail = "A second run of the same recipe, with the same seed, tells next to nothing new."
        self.app.push_screen(Confirm(question, detail, "queue it again"), answered)

    def _launch(self, recipe: api.Recipe, first: bool, purpose: str = "") -> None:
        if self.form is None or self._launching:
            return
        self._launching = True
        workspace, parent = self.workbench.workspace, self.form.source.parent_run_id

        def work() -> tuple[api.Launched, str, str]:
            priority = api.first_priority(workspace) if first else 0
            launched = api.launch(workspace, recipe, priority=priority, parent_run_id=parent, test_purpose=purpose)
            name = api.run_details(workspace, launched.run_id).run.name  # a number was added where it was taken
            return launched, name, api.pause_notice(workspace)

        self.workbench.act(lambda: attempt(work), lambda answer: self._queued(recipe, first, answer))

    def _queued(
        self, recipe: api.Recipe, first: bool, answer: tuple[api.Launched, str, str] | api.SonotuneError
    ) -> None:
        self._launching = False
        if isinstance(answer, api.UnconfirmedTestError):
            ask_purpose(self.workbench, answer, lambda purpose: self._launch(recipe, first, purpose))
            return
        if isinstance(answer, api.SonotuneError):
            self.workbench.report(answer)
            return
        launched, name, notice = answer
        self._launched = (recipe, launched.run_id)
        if self.form is not None and self.form.check.recipe == recipe:
            self.form.keep()
        self.notify(api.plain(launched_words(name, launched, notice)), title="Queued", timeout=10, markup=False)

    def action_open_run(self) -> None:
        """Open the run that was queued last, on the screen of all runs."""
        if self._launched is None:
            self.notify("Nothing has been launched from here yet.", severity="warning", markup=False)
            return
        from tui.screens.run import RunScreen

        self.app.switch_mode("runs")
        self.app.push_screen(RunScreen(self._launched[1]))

    # ----- saving

    def action_save(self) -> None:
        """Ask for a name, then write the recipe file."""
        recipe = self.sound_recipe("saved")
        if recipe is None:
            return
        workspace = self.workbench.workspace

        def problem(text: str) -> str:
            wrong = attempt(lambda: api.recipe_file(workspace, text))
            return wrong.title if isinstance(wrong, api.SonotuneError) else ""

        def answered(text: str | None) -> None:
            if text:
                self._save(recipe, text, overwrite=False)

        hint = "A name becomes a preset of this workspace; a path such as mine/a.toml is a file."
        self.app.push_screen(Prompt("save the recipe as", recipe.name, hint, problem), answered)

    def _save(self, recipe: api.Recipe, path: str, overwrite: bool) -> None:
        workspace = self.workbench.workspace
        self.workbench.act(
            lambda: attempt(lambda: api.save_recipe(workspace, recipe, path, overwrite)),
            lambda answer: self._written(recipe, path, answer),
        )

    def _written(self, recipe: api.Recipe, path: str, answer: Path | api.SonotuneError) -> None:
        if isinstance(answer, api.RecipeFileTakenError):

            def answered(yes: bool | None) -> None:
                if yes:
                    self._save(recipe, path, overwrite=True)

            self.app.push_screen(Confirm(answer.title, answer.reason, "write it all the same"), answered)
        elif isinstance(answer, api.SonotuneError):
            self.workbench.report(answer)
        else:
            self.notify(api.plain(f"Saved as {answer}."), markup=False)
            if self.form is not None and self.form.check.recipe == recipe:
                self.saved(answer)
