"""Memory on the launch screen: the pane beside the form, the key that takes a proposal, the keys that measure."""

from __future__ import annotations

from typing import Any, ClassVar

from textual.binding import Binding, BindingType

from engine import api
from tui.dialogs.confirm import Confirm
from tui.screens.launch_actions import LaunchActions
from tui.screens.launch_measuring import Measured
from tui.screens.launch_memory import can_take, memory_paragraphs
from tui.widgets.lines import Lines, Paragraph


class LaunchFit(LaunchActions):
    """Mixin of the launch screen; the screen says what would run."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "f",
            "memory",
            "Fit",
            id="launch.memory",
            tooltip="Does it fit: memory and time (tab, then arrows to scroll)",
        ),
        Binding("a", "take", "Adopt", id="launch.take", tooltip="Change the form to what fits the card"),
        Binding(
            "m",
            "measure",
            "Measure",
            show=False,
            id="launch.measure",
            tooltip="Take a few real steps on the largest samples",
        ),
        Binding("escape", "stop_measuring", "Stop measuring", id="launch.stop", tooltip="End the measurement"),
    ]

    plan: api.LaunchPlan | api.SonotuneError | None = None
    """What would run; None while that is being worked out."""
    measured: Measured
    """The measured preflight; made when the screen is."""

    def values_changed(self) -> None:
        """The values are others: everything that depends on them is to be shown anew."""

    def show_values(self) -> None:
        """Show the values and what depends on them."""

    def make_measured(self) -> Measured:
        """Everything that is measured from this screen, with the app that it works in."""
        workbench = self.workbench
        return Measured(workbench.workspace, workbench.act, workbench.from_thread, self.show_values, self.ask_to_share)

    @property
    def preflight(self) -> api.Preflight | None:
        """What the recipe in the form needs; None where that is not known (yet)."""
        if isinstance(self.plan, api.LaunchPlan) and self.plan.preflight is not None:
            return self.measured.preflight_of(self.plan.preflight)
        return None

    def show_memory(self) -> None:
        """Show what is known of memory and time."""
        for pane in self.query("#memory").results(Lines):
            pane.show_paragraphs(self._memory())
        self.refresh_bindings()

    def _memory(self) -> list[Paragraph]:
        found = self.preflight
        if found is not None:
            return memory_paragraphs(found, self.measured)
        if self.form is not None and self.form.check.recipe is None:
            return [[("no estimate: the recipe is not sound", "dim")]]
        if self.plan is None:
            return [[("Estimating memory and time…", "dim")]]
        problem = self.plan.title if isinstance(self.plan, api.SonotuneError) else self.plan.preflight_problem
        return [[("no estimate: ", "dim"), (problem, "text")]]

    # ----- keys

    def action_memory(self) -> None:
        """In a narrow window: memory instead of the help, or the help again."""
        self.remove_class("-plan")
        self.toggle_class("-memory")

    def action_take(self) -> None:
        """Change the form to the nearest recipe that fits."""
        found, form = self.preflight, self.form
        if form is None or found is None or found.proposal is None or not can_take(found):
            return
        for key, value in found.proposal.changes.items():
            form.type(key, api.field_text(value))
        self.values_changed()
        self.notify(api.plain(f"Changed: {api.change_words(found.proposal.changes)}."), markup=False)

    def action_measure(self, forced: bool = False) -> None:
        """Take a few real steps on the largest samples; beside a job on the only GPU after a question."""
        if self.measured.running:
            self.notify("A measurement is going on; esc ends it.", severity="warning", markup=False)
            return
        recipe = self.sound_recipe("measured")
        if recipe is not None:
            self.measured.begin(recipe, forced=forced)

    def ask_to_share(self, error: api.SonotuneError) -> None:
        """A job has the GPU: measure beside it only where the user says so."""

        def answered(yes: bool | None) -> None:
            if yes:
                self.action_measure(True)

        detail = f"{error.reason} The job may end for want of memory."
        self.app.push_screen(
            Confirm(f"{error.title}. Measure all the same?", api.one_line(detail), "measure"), answered
        )

    def action_stop_measuring(self) -> None:
        """End the measurement, and its process."""
        self.measured.stop()
        self.show_values()

    def fit_action(self, action: str) -> bool | None:
        """Whether one of these keys acts now; None where the key is none of these."""
        known: dict[str, Any] = {
            "take": lambda: can_take(self.preflight),
            "stop_measuring": lambda: self.is_mounted and self.measured.running,
        }
        return known[action]() if action in known else None
