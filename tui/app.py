"""The workbench: its screens, its keys, its theme. It asks the engine nothing itself: that is the poller's work."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen

from engine.api import SonotuneError, StoreError, Workspace, plain
from tui import clock
from tui.leaving import farewell, what_goes_on
from tui.messages import Call
from tui.poller import Poller, as_told
from tui.screens.base import WorkbenchScreen
from tui.screens.registry import MODES, TABS
from tui.settings import Settings, read_settings, remember_theme
from tui.themes import themes
from tui.widgets.banner import Banner
from tui.widgets.header import Header

if TYPE_CHECKING:
    from rich.console import RenderableType
    from textual.driver import Driver

    from engine.api import Overview  # its module brings SQLite and the store in: not before the first paint

STATUS_SECONDS = 2.0
START_AT_LATEST = 1.0
"""Seconds after which reading begins, whether or not the first screen has said that it was painted."""
COLLECT_AT = (5_000, 50, 50)
"""Objects more, and collections, until Python looks for garbage among young, middle-aged and all objects. With its own
thresholds, three looks at everything stop the screens for 20 to 40 ms each when ten thousand rows are read; with these,
none takes longer than 5 ms."""
"""How often the state of the worker is looked at when nothing is written."""


class Workbench(App[None]):
    """One workspace on a terminal."""

    TITLE = "sonotune"
    CSS_PATH = "app.tcss"
    MODES = MODES
    DEFAULT_MODE = "runs"
    COMMAND_PALETTE_BINDING = "ctrl+p"
    ENABLE_COMMAND_PALETTE = True
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(
                tab.key, f"switch_mode('{tab.mode}')", tab.title, show=False, id=f"app.{tab.mode}", tooltip=tab.tooltip
            )
            for tab in TABS
        ),
        Binding("question_mark,f1", "help", "Help", show=False, id="app.help", tooltip="Every key that acts here"),
        Binding("ctrl+t", "next_theme", "Theme", show=False, id="app.theme", tooltip="Dark, light, high contrast"),
        Binding(
            "ctrl+z", "suspend_process", "Suspend", show=False, id="app.suspend", tooltip="To the shell; `fg` returns"
        ),
        Binding("q", "leave", "Quit", id="app.quit", tooltip="Leave the workbench; runs keep going"),
    ]

    def __init__(self, workspace: Workspace, settings: Settings | None = None) -> None:
        super().__init__()
        self.workspace = workspace
        self.settings = read_settings() if settings is None else settings
        self.poller = Poller(workspace, self.from_thread, self._on_trouble, self._on_notice)
        self.overview: Overview | None = None
        self.leaving = 0
        """Number of the signal that ends us; see tui.guard."""
        self.trouble: SonotuneError | None = None
        """Why the records cannot be read at present."""
        self._started = False
        for theme in themes():
            self.register_theme(theme)
        self.theme = self.settings.theme
        self.set_keymap(dict(self.settings.keys))

    def on_mount(self) -> None:
        """Paint first; read afterwards."""
        self.poller.watch(lambda live: live.overview(clock.now()), self._show_overview, every=STATUS_SECONDS)
        self.call_after_refresh(self._start)
        # Textual forgets what waits for the refresh of a screen that another one covers before it was refreshed.
        self.set_timer(START_AT_LATEST, self._start)

    def _start(self) -> None:
        if self._started:
            return
        self._started = True
        if not gc.isenabled():  # see engine.cli.entry
            gc.freeze()  # and what is here now stays: no later collection has to look at it
            gc.set_threshold(*COLLECT_AT)
            gc.enable()
        self.poller.start()
        self._show_problems(self.settings.problems)
        if self.settings.keys:
            from tui.keys import key_problems

            self.act(lambda: key_problems(self.settings.keys), self._show_problems)

    def _show_problems(self, problems: Iterable[str]) -> None:
        for problem in problems:
            self.notify(plain(problem), title="Settings", severity="warning", timeout=12, markup=False)

    async def on_unmount(self) -> None:
        """The reading thread ends with the screens."""
        self.poller.stop()

    def get_driver_class(self) -> type[Driver]:
        """Our own driver, which gives the terminal back whatever happens."""
        from tui.driver import TerminalDriver

        return TerminalDriver

    def panic(self, *_renderables: RenderableType) -> None:
        """End because of an error; `run` says which, once the terminal is the shell's again."""
        self._close_messages_no_wait()

    def _fatal_error(self) -> None:
        self._close_messages_no_wait()

    # ----- threads

    def from_thread(self, callback: Callable[[], None]) -> None:
        """Run a callback on the thread of the screens; callable from any thread, and it waits for nothing."""
        self.post_message(Call(callback))

    def on_call(self, message: Call) -> None:
        """A callback has come from another thread; while the screens are taken down, it is too late for it."""
        if self.is_running:
            message.callback()

    def act(self, work: Callable[[], Any], done: Callable[[Any], None] | None = None) -> None:
        """Do something that may wait for a file, in a thread.

        Its answer goes to `done`; without one, a sentence is shown as it is. An error is shown whole.
        """

        def job() -> None:
            try:
                answer = work()
            except Exception as error:  # noqa: BLE001 - a fault in a thread must be told, and end nothing
                told = as_told(error)
                self.from_thread(lambda: self.report(told))
            else:
                self.from_thread(lambda: self._acted(answer, done))

        self.run_worker(job, thread=True, group="act")

    def _acted(self, answer: Any, done: Callable[[Any], None] | None) -> None:
        self.poller.nudge()
        if done is not None:
            done(answer)
        elif isinstance(answer, str) and answer:
            self.notify(plain(answer), markup=False)

    # ----- telling

    def report(self, error: SonotuneError) -> None:
        """A toast with what happened, why, and what to do next."""
        words = "\n".join(part for part in (error.reason, f"→ {error.next_step}" if error.next_step else "") if part)
        self.notify(plain(words) or " ", title=plain(error.title), severity="error", timeout=12, markup=False)

    def _on_trouble(self, error: SonotuneError | None) -> None:
        self.trouble = error
        if isinstance(self.screen, WorkbenchScreen):
            self.show_status(self.screen)

    def _on_notice(self, text: str) -> None:
        self.notify(plain(text), markup=False)

    def _show_overview(self, overview: Overview) -> None:
        self.overview = overview
        if isinstance(self.screen, WorkbenchScreen):
            self.show_status(self.screen)

    def show_status(self, screen: Screen[Any]) -> None:
        """Write the state of the workspace into a screen's frame."""
        screen.query_one(Banner).show_error(self.trouble)
        screen.query_one(Header).show_status(*status_of(self.overview, self.trouble))

    # ----- keys

    def tabs(self) -> tuple[tuple[str, str, str], ...]:
        """Key, title and short title of every screen that can be switched to."""
        return tuple((tab.key, tab.title, tab.short) for tab in TABS)

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """None of Textual's: the palette has what acts on the screen, and this app's keys are among that."""
        return ()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The palette belongs to screens: a dialog has all it can do in sight."""
        return action != "command_palette" or isinstance(self.screen, WorkbenchScreen)

    def action_help(self) -> None:
        """Show every key that acts here."""
        from tui.screens.help import HelpScreen

        if not isinstance(self.screen, HelpScreen):
            self.push_screen(HelpScreen(self.screen))

    def action_next_theme(self) -> None:
        """Take the next of our themes, and remember it."""
        names = [theme.name for theme in themes()]
        self.theme = names[(names.index(self.theme) + 1) % len(names)] if self.theme in names else names[0]
        self.act(lambda: remember_theme(self.theme))

    def action_leave(self) -> None:
        """Leave; runs and the worker live in sessions of their own."""
        self.exit()

    def last_words(self) -> str:
        """What stands on the shell's screen afterwards."""
        return what_goes_on(self.overview)


def status_of(overview: Overview | None, trouble: SonotuneError | None) -> tuple[str, str]:
    """The state of the workspace in a few words, and their tone."""
    if isinstance(trouble, StoreError):
        return "records unreadable", "bad"
    if overview is None:
        return "", "dim"
    parts = [f"{overview.running} running"] if overview.running else []
    parts += [f"{overview.lost} lost"] if overview.lost else []
    parts += [f"{overview.queued} queued"] if overview.queued else []
    if overview.paused:
        return " · ".join([*parts, "queue paused"]), "warn"
    if overview.queued and not overview.worker.running:
        return " · ".join([*parts, "no worker"]), "warn"
    if overview.lost:
        return " · ".join(parts), "bad"
    return (" · ".join(parts), "good") if parts else ("idle", "dim")


def run(workspace: Workspace, *, debug: bool = False) -> int:
    """Open the workbench on this terminal and return the exit code: 0, 1 after an error, 128 + the signal's number.

    With `debug` the traceback of an error is shown; else it is written under outputs/, and the file is named.
    """
    from tui.guard import Guard

    app = Workbench(workspace)
    with Guard(app) as guard:
        app.run()
    return farewell(app, guard, debug=debug)
