"""What can be done with a study, on the board and on its own screen: plan, launch, arms, scale, report."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.screen import Screen

from engine import api
from tui.dialogs.choose import Choose, Option
from tui.poller import attempt
from tui.screens.studies_launching import launch_words, report_words
from tui.screens.studies_model import StudyRow

if TYPE_CHECKING:
    from tui.app import Workbench

NOT_READABLE = "This file cannot be read as a study: mend the file first."
NOTHING_MEASURED = "nothing is measured yet, so there is nothing to report. L queues what is missing."


class StudyActions(Screen[None]):
    """Mixin of the two screens of studies; they say which study is chosen and at which scale."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("L", "launch_study", "Launch", id="study.launch", tooltip="Queue all that is missing of the study"),
        Binding("p", "plan_study", "Plan", id="study.plan", tooltip="What a launch would run; queues nothing"),
        Binding("a", "choose_arms", "Arms", id="study.arms", tooltip="Launch chosen arms alone, optional ones too"),
        Binding("s", "next_scale", "Scale", id="study.scale", tooltip="The study for another kind of machine"),
        Binding("x", "report", "Report", id="study.report", tooltip="Write Markdown, HTML and plots; says where"),
    ]

    workbench: Workbench

    if TYPE_CHECKING:  # what the screens themselves give

        def chosen_study(self) -> StudyRow | None:
            """The study that the next key acts on."""

        def scales(self) -> tuple[str, ...]:
            """All scales that can be shown."""

        def shown_scale(self) -> str:
            """The one that is shown."""

        def take_scale(self, scale: str) -> None:
            """Show another one."""

        def say(self, words: str) -> None:
            """Show what is going on; "" ends it."""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A key for the scale is there only where there is a choice."""
        if action == "next_scale":
            return len(self.scales()) > 1
        return super().check_action(action, parameters)

    def _readable(self) -> StudyRow | None:
        """The chosen study; where its file cannot be read, the user is told so."""
        row = self.chosen_study()
        if row is not None and row.state is None:
            self.notify(NOT_READABLE, severity="warning", markup=False)
            return None
        return row

    # ----- scale

    def action_next_scale(self) -> None:
        """The next scale."""
        known = self.scales()
        shown = self.shown_scale()
        self.take_scale(known[(known.index(shown) + 1) % len(known)] if shown in known else known[0])

    # ----- planning and launching

    def action_plan_study(self) -> None:
        """Show what a launch would run."""
        self._plan(launch=False)

    def action_launch_study(self) -> None:
        """Show what a launch would run, and queue it after a yes."""
        self._plan(launch=True)

    def action_choose_arms(self) -> None:
        """Choose arms, then see the plan of launching those."""
        row = self._readable()
        if row is None or row.state is None:
            return
        known = dict.fromkeys([*(cell.arm for cell in row.cells), *row.state.left_out])
        notes = {cell.arm: cell.note for cell in row.cells}
        options = [Option(arm, arm, notes.get(arm, "optional, left out so far")) for arm in known]

        def answered(keys: list[Hashable] | None) -> None:
            if keys:
                self._plan(launch=True, arms=[str(key) for key in keys])

        title = f"arms of {row.name} to launch"
        self.app.push_screen(Choose(title, options, several=True), answered)

    def _plan(self, *, launch: bool, arms: Sequence[str] = ()) -> None:
        row = self._readable()
        if row is None:
            return
        from tui.screens.study_plan import PlanDialog

        workbench = self.workbench
        dialog = PlanDialog(row, launch=launch)

        def found(answer: api.StudyPlan | api.SonotuneError) -> None:
            if isinstance(answer, api.SonotuneError):
                if dialog.is_current:
                    dialog.dismiss(None)
                workbench.report(answer)
            else:
                dialog.show_plan(answer)

        def answered(yes: bool | None) -> None:
            if yes:
                self._launch(row, arms)

        workbench.push_screen(dialog, answered)
        workspace = workbench.workspace
        workbench.act(lambda: attempt(lambda: api.plan_study(workspace, row.name, scale=row.scale, arms=arms)), found)

    def _launch(self, row: StudyRow, arms: Sequence[str]) -> None:
        workbench, workspace = self.workbench, self.workbench.workspace
        self.say(f"Launching {row.title} …")

        def tell(words: str) -> None:
            if not workbench.is_running:  # left meanwhile: the shell must not wait for the last phantom
                raise api.SonotuneError(f"{row.title} was not launched", "The workbench was left before.")
            workbench.from_thread(lambda: self.say(words) if self.is_attached else None)

        def done(answer: str | api.SonotuneError) -> None:
            if self.is_attached:
                self.say("")
            if isinstance(answer, api.SonotuneError):
                workbench.report(answer)
            else:
                workbench.notify(api.plain(answer), markup=False)

        workbench.act(lambda: attempt(lambda: launch_words(workspace, row, arms, tell)), done)

    # ----- report

    def action_report(self) -> None:
        """Write the report of what is measured, and say where it is."""
        row = self._readable()
        if row is None:
            return
        if not any(cell.targets_done for cell in row.cells):
            self.notify(api.plain(f"{row.title}: {NOTHING_MEASURED}"), severity="warning", markup=False)
            return
        workbench, workspace = self.workbench, self.workbench.workspace
        self.say(f"Writing the report of {row.title} …")

        def done(answer: str | api.SonotuneError) -> None:
            if self.is_attached:
                self.say("")
            if isinstance(answer, api.SonotuneError):
                workbench.report(answer)
            else:
                workbench.notify(api.plain(answer), title=f"Report of {row.name}", timeout=15, markup=False)

        workbench.act(lambda: attempt(lambda: report_words(workspace, row)), done)
