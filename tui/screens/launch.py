"""A recipe in a form: choose it, change it, see what would run, save it, queue it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widget import Widget

from engine import api
from tui.dialogs.choose import Choose, Option
from tui.dialogs.confirm import Confirm
from tui.screens import launch_text
from tui.screens.base import WorkbenchScreen
from tui.screens.launch_editing import LaunchEditing
from tui.screens.launch_fit import LaunchFit
from tui.screens.launch_model import RecipeForm, Source
from tui.screens.launch_presets import COLUMNS, PresetsModel, PresetTable, first_preset, preset_options
from tui.screens.launch_work import Planner
from tui.widgets.fieldinput import FormPane
from tui.widgets.form import Form
from tui.widgets.lines import Lines, Paragraph
from tui.widgets.table import Table

MEDIUM, WIDE = 110, 160
"""Columns from which the plan stands beside the form, and from which the presets do too."""


class LaunchScreen(LaunchEditing, LaunchFit, WorkbenchScreen):
    """What the form holds is checked with every key that changes it; what is not sound cannot be launched."""

    TAB = "Launch"
    CSS_PATH = "launch.tcss"
    AUTO_FOCUS = "Form"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (MEDIUM, "-medium"), (WIDE, "-wide")]  # noqa: RUF012 - Textual's own
    VERTICAL_BREAKPOINTS = [(0, "-low"), (16, "-high")]  # noqa: RUF012 - as above
    NOT_TYPING: ClassVar[frozenset[str]] = frozenset(
        {
            "launch",
            "open_run",
            "presets",
            "plan",
            "next_problem",
            "find",
            "reset_all",
            "memory",
            "take",
            "measure",
            "stop_measuring",
        }
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("p", "presets", "Presets", id="launch.presets", tooltip="Choose a preset to begin with"),
        Binding("v", "plan", "Plan", id="launch.plan", tooltip="What would run, and what differs"),
        Binding("n", "next_problem", "Next problem", show=False, id="launch.problem", tooltip="To the next problem"),
        Binding("slash", "find", "Field", show=False, id="launch.find", tooltip="Find a field by its name"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._presets = PresetsModel(lambda: self.query_one(PresetTable))
        self._clone: tuple[api.Recipe, int | None] | None = None
        """A recipe that has come before the form could take it."""
        self._asked = False
        """What there is to choose from has been asked for, and is not here yet."""
        self._outdated = False
        """The answer on its way may be of before the last change."""
        self._planner = Planner(
            lambda work, done: self.workbench.act(work, done),  # noqa: PLW0108 - the app is not known yet
            lambda recipe: api.plan_launch(self.workbench.workspace, recipe),
            self._planned,
        )

    def body(self) -> Iterable[Widget]:
        """Presets, form, plan, memory and help."""
        self.measured = self.make_measured()
        with Horizontal(id="launch"):
            with Vertical(id="presets"):
                yield PresetTable(COLUMNS, self._presets, frozen_columns=2, empty="No presets.")
                yield Lines(id="about")
            with Vertical(id="fields"):
                yield FormPane(Form(empty="Reading the recipes…"), self.typed, self.typing_ended)
                yield Lines(id="below")
            with Vertical(id="side"):
                yield Lines(id="plan")
                yield Lines(id="memory")
                yield Lines(id="help")

    # ----- what there is to choose from

    def on_screen_resume(self) -> None:
        """Files and datasets may be others than before; the answer also brings pydantic, loaded in a thread."""
        self._ask_offers()

    def _ask_offers(self, *, anew: bool = False) -> None:
        """`anew`: something has changed, and an answer that is on its way already will not do."""
        if self._asked:  # Textual says twice that a screen of a new mode is on top
            self._outdated = self._outdated or anew
        else:
            self._asked = True
            poller = self.workbench.poller
            poller.ask(lambda live: api.recipe_offers(live.workspace), self._show_offers, self._offers_failed)

    def _answered(self) -> None:
        again, self._asked, self._outdated = self._outdated, False, False
        if again:
            self._ask_offers()

    def _offers_failed(self, error: api.SonotuneError) -> None:
        self._answered()
        self.workbench.report(error)

    def _show_offers(self, offers: api.RecipeOffers) -> None:
        self._answered()
        if self.form is None:
            self.form = RecipeForm(offers)
            self._begin(first_preset(offers.presets))
        self.form.offers = offers
        self._presets.presets = offers.presets
        if self._clone is not None:
            recipe, parent = self._clone
            self._clone = None
            self.load_recipe(recipe, parent)
        self.show_values()
        self._ask_plan()

    def load_recipe(self, recipe: api.Recipe, parent_run_id: int | None) -> None:
        """Put a recipe into the form, as a clone of a run; asks first where changes would be lost.

        May come before the screen is mounted: then it is what the form begins with.
        """
        if self.form is None:
            self._clone = (recipe, parent_run_id)
            return
        title = "a recipe" if parent_run_id is None else f"clone of run {parent_run_id}"
        self._load(recipe, Source(title, parent_run_id=parent_run_id))

    def _begin(self, preset: api.Preset | None) -> None:
        if self.form is not None and preset is not None and preset.recipe is not None:
            self.form.load(api.recipe_values(preset.recipe), Source(f"preset {preset.name}", preset.name))

    def _load(self, recipe: api.Recipe, source: Source) -> None:
        form = self.form
        if form is None:
            return
        self.end_typing()

        def load(yes: bool | None = True) -> None:
            if yes:
                form.load(api.recipe_values(recipe), source)
                self.values_changed()
            self.query_one(Form).focus()

        if form.unsaved:
            count = len(form.changed_keys())
            question = f"Drop the changes to {form.source.short}, to load {source.preset or source.title}?"
            detail = (
                f"{count} field{'s' if count != 1 else ''} differ{'s' if count == 1 else ''}, and nothing is saved."
            )
            self.app.push_screen(Confirm(api.one_line(question), detail, "drop them"), load)
        else:
            load()

    # ----- showing

    def values_changed(self) -> None:
        """Show the values, and ask what would run."""
        self.plan = None
        self.measured.now_holds(self.form.check.recipe if self.form is not None else None)
        self._ask_plan()
        self.show_values()

    def _ask_plan(self) -> None:
        if self.form is not None:
            self._planner.ask(self.form.check.recipe)

    def _planned(self, plan: api.LaunchPlan | api.SonotuneError) -> None:
        self.plan = plan
        self._show_plan()

    def show_values(self) -> None:
        """Show the values and what depends on them."""
        if self.form is None or not self.query(Form):  # an answer may come when the app is being left
            return
        self.query_one(Form).show_rows(self.form.rows())
        table, current = self.query_one(PresetTable), self.form.source.preset
        if self._presets.current != current:
            self._presets.current = current
            table.move_to_key(current)
        table.rows_changed()
        self._show_preset()
        self._show_help()
        self._show_plan()

    def _show_plan(self) -> None:
        if self.form is not None:
            self.show_facts(launch_text.facts(self.form, self.preflight))
            self._say("#plan", launch_text.plan_paragraphs(self.form, self.plan, asked=self._planner.waiting))
            self.show_memory()

    @on(Form.Moved)
    def _show_help(self) -> None:
        key = self.query_one(Form).key
        if self.form is not None and key:
            self._say("#help, #below", launch_text.help_paragraphs(self.form, key))

    @on(Table.Highlighted)
    def _show_preset(self) -> None:
        preset = self._preset(self.query_one(PresetTable).cursor_key())
        self._say("#about", [] if preset is None else launch_text.preset_paragraphs(preset))

    def _say(self, panes: str, paragraphs: Sequence[Paragraph]) -> None:
        for pane in self.query(panes).results(Lines):
            pane.show_paragraphs(paragraphs)

    # ----- presets

    def _preset(self, name: Hashable) -> api.Preset | None:
        return next((preset for preset in self._presets.presets if preset.name == name), None)

    def action_presets(self) -> None:
        """To the list of presets; where it has no room, to a dialog."""
        self.end_typing()
        table = self.query_one(PresetTable)
        if self.query_one("#presets").display:
            table.focus()
            return

        def answered(chosen: list[Hashable] | None) -> None:
            if chosen:
                self.load_preset(chosen[0])

        chosen = [self._presets.current] if self._presets.current else []
        self.app.push_screen(Choose("presets", preset_options(self._presets.presets), chosen=chosen), answered)

    @on(Table.Opened)
    def _preset_opened(self, message: Table.Opened) -> None:
        self.load_preset(message.key)

    def load_preset(self, name: Hashable) -> None:
        """Put a preset into the form; asks first where changes would be lost."""
        preset = self._preset(name)
        if preset is None:
            return
        if preset.recipe is None:
            self.notify(api.plain(f"{preset.name} {preset.words}"), severity="error", markup=False)
        else:
            self._load(preset.recipe, Source(f"preset {preset.name}", preset.name))

    def saved(self, file: Path) -> None:
        """The recipe has a file: that is what the form begins with now."""
        form = self.form
        if form is not None and form.check.recipe is not None:
            values = api.recipe_values(form.check.recipe)
            form.load(values, Source(f"recipe {file.stem}", file.stem, form.source.parent_run_id))
            self.show_values()
            self._ask_offers(anew=True)

    def commands(self) -> Iterable[tuple[str, str, Callable[[], Any]]]:
        """Every preset, by its name."""
        for preset in self._presets.presets:
            yield (
                f"Preset {api.one_line(preset.name)}",
                f"load: {api.one_line(preset.words)[:100]}",
                partial(self.load_preset, preset.name),
            )

    # ----- going about

    def action_next_problem(self) -> None:
        """To the next field that is not as it must be, round and round."""
        self.go_to_problem()

    def go_to_problem(self) -> None:
        """Put the cursor on the next field with a problem."""
        if self.form is None or not self.form.check.problems:
            self.notify("No problems.", markup=False)
            return
        table = self.query_one(Form)
        order = list(self.form.fields)
        now = order.index(table.key)
        later = [*order[now + 1 :], *order[: now + 1]]
        table.focus()
        table.move_to_key(next((key for key in later if key in self.form.check.problems), table.key))

    def action_find(self) -> None:
        """Choose a field by its name."""
        if self.form is None:
            return

        def answered(chosen: list[Hashable] | None) -> None:
            if chosen:
                self.query_one(Form).move_to_key(str(chosen[0]))

        options = [Option(key, key, field.description) for key, field in self.form.fields.items()]
        self.app.push_screen(Choose("fields", options, chosen=[self.query_one(Form).key]), answered)

    def action_plan(self) -> None:
        """In a narrow window: the plan instead of the help, or the help again."""
        self.remove_class("-memory")
        self.toggle_class("-plan")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys of the form act on the form alone; while one types, a letter that came too fast must launch nothing."""
        if action in self.FORM_ACTIONS:
            return isinstance(self.focused, Form)
        if action in self.NOT_TYPING and any(pane.editing for pane in self.query(FormPane)):
            return False
        acts = self.fit_action(action)
        # Where plan and memory are always in sight there is no key for them.
        return (action not in ("plan", "memory") or self.size.width < MEDIUM) if acts is None else acts

    def on_unmount(self) -> None:
        """A measurement is no job: it ends with who asked for it."""
        self.measured.stop()

    def on_screen_suspend(self) -> None:
        """What is typed counts when something else comes on top."""
        self.end_typing()

    def on_resize(self) -> None:
        """Other keys act in another width."""
        self.refresh_bindings()
