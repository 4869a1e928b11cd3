"""What every screen of the workbench shares: the frame, its watches, its keys in the footer and in the palette."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual.app import ComposeResult
from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content
from textual.screen import Screen
from textual.widget import Widget

from engine.api import one_line
from tui.keys import character_of
from tui.painting import Painted
from tui.poller import Deliver, Question, Watch
from tui.widgets.banner import Banner
from tui.widgets.footer import Footer, key_name
from tui.widgets.header import Header

if TYPE_CHECKING:
    from textual.binding import ActiveBinding
    from textual.dom import DOMNode
    from textual.style import Style

    from tui.app import Workbench


class ScreenCommands(Provider):
    """The palette's commands of the screen it was opened on: every key that acts there, and what the screen adds."""

    def _commands(self) -> Iterator[tuple[str, str, Callable[[], Any]]]:
        screen = self.screen
        if not isinstance(screen, WorkbenchScreen):
            return
        for active in keys_of(screen):
            binding = active.binding
            if not (binding.show or binding.tooltip):  # moving about is not done from here
                continue
            words = binding.tooltip or binding.description

            async def run(action: str = binding.action, node: Any = active.node) -> None:
                await screen.app.run_action(action, default_namespace=node)

            yield binding.description, f"{words}  ({key_name(binding.key)})", run
        for title, words, callback in screen.commands():
            yield title, words, callback

    async def discover(self) -> Hits:
        """Everything, before anything is typed."""
        for title, words, callback in self._commands():
            yield DiscoveryHit(Content(one_line(title)), callback, text=one_line(title), help=_help(words))

    async def search(self, query: str) -> Hits:
        """What has every word of the query, those that have it in their titles first.

        Textual's own fuzzy search looks at every way in which letters can be found: with a name of five hundred equal
        letters it does not end.
        """
        parts = query.casefold().split()
        for title, words, callback in self._commands():
            name = one_line(title)
            in_title, anywhere = name.casefold(), f"{name} {words}".casefold()
            if all(part in anywhere for part in parts):
                score = sum((part in in_title) + in_title.startswith(part) + 0.1 for part in parts) / (
                    2.1 * max(1, len(parts))
                )
                yield Hit(score, _marked(name, parts, self.matcher(query).match_style), callback, name, _help(words))


def _marked(name: str, parts: Iterable[str], style: Style) -> Content:
    content, folded = Content(name), name.casefold()
    for part in parts:
        if len(folded) == len(name) and (place := folded.find(part)) >= 0:
            content = content.stylize(style, place, place + len(part))
    return content


def _help(words: str) -> str:
    """Untrusted text; the palette reads markup in strings, and takes content as well."""
    return cast("str", Content(one_line(words)))


def keys_of(screen: Screen[Any]) -> list[ActiveBinding]:
    """Bindings that act now and have a description, those of the focused widget first; one a binding id."""
    found: dict[str, ActiveBinding] = {}
    for key, active in screen.active_bindings.items():
        binding = active.binding
        if active.enabled and binding.description and not binding.system and not _is_typed(screen, key, active.node):
            found.setdefault(binding.id or binding.action, active)
    return list(found.values())


def _is_typed(screen: Screen[Any], key: str, node: DOMNode) -> bool:
    """Whether a key goes into the line that somebody types in, and never reaches a node beyond."""
    typing = screen.focused
    return typing is not None and node is not typing and typing.check_consume_key(key, character_of(key))


class WorkbenchScreen(Painted):
    """A screen with header and footer. Subclasses give `body`, `TAB` and `crumb`, and watch things in `on_mount`."""

    TAB: ClassVar[str] = ""
    """Title of the tab that is lit while this screen is on top."""
    COMMANDS = {ScreenCommands}  # noqa: RUF012 - Textual's own class variable
    AUTO_FOCUS = "Table"

    def __init__(self) -> None:
        super().__init__()
        self._wanted: list[tuple[Question, Deliver, float | None]] = []
        self._watches: list[Watch] = []
        self._asking = False

    # ----- what subclasses give

    def body(self) -> Iterable[Widget]:
        """What stands between header and footer."""
        return ()

    @property
    def crumb(self) -> str:
        """The screen's name in the breadcrumbs; may be untrusted text."""
        return self.TAB

    def commands(self) -> Iterable[tuple[str, str, Callable[[], Any]]]:
        """Commands for the palette besides the keys, as (title, words, callback)."""
        return ()

    # ----- the frame

    @property
    def workbench(self) -> Workbench:
        """The app, by its own type."""
        return cast("Workbench", self.app)

    def compose(self) -> ComposeResult:
        """Header, body, footer."""
        yield Header()
        yield Banner()
        yield from self.body()
        yield Footer()

    def on_mount(self) -> None:
        """Fill the frame; the data come later, from the poller."""
        self.bindings_updated_signal.subscribe(self, lambda _: self._show_keys())

    def on_screen_resume(self) -> None:
        """The screen is on top: ask for what it shows."""
        self.show_place()
        self.workbench.show_status(self)
        self._show_keys()
        self._asking = True
        self._cancel_watches()  # Textual tells a screen twice that it is on top when its mode is new
        self._watches = [
            self.workbench.poller.watch(question, deliver, every=every) for question, deliver, every in self._wanted
        ]

    def on_screen_suspend(self) -> None:
        """Another screen is on top: nothing is asked for what nobody sees."""
        self._asking = False
        self._cancel_watches()

    def _cancel_watches(self) -> None:
        for watch in self._watches:
            watch.cancel()
        self._watches = []

    def watch_data(self, question: Question, deliver: Deliver, *, every: float | None = None) -> None:
        """Ask while this screen is on top: at once, after every write, and every so many seconds if given."""
        self._wanted.append((question, deliver, every))
        if self._asking:
            self._watches.append(self.workbench.poller.watch(question, deliver, every=every))

    def forget_data(self) -> None:
        """Ask for nothing any more; used before other questions are asked."""
        self._cancel_watches()
        self._wanted = []

    def show_place(self) -> None:
        """Tabs and breadcrumbs."""
        crumbs = tuple(
            screen.crumb for screen in self.app.screen_stack if isinstance(screen, WorkbenchScreen) and screen.crumb
        )
        self.query_one(Header).show_place(self.workbench.tabs(), self.TAB, crumbs)

    def show_facts(self, facts: str) -> None:
        """What stands on the right of the breadcrumbs."""
        self.query_one(Header).show_facts(facts)

    def _show_keys(self) -> None:
        if not self.is_mounted or not self.is_current:
            return
        shown = [active for active in keys_of(self) if active.binding.show]
        own = [active for active in shown if active.node is not self.app]
        rest = [active for active in shown if active.node is self.app]
        self.query_one(Footer).show_keys(
            (key_name(active.binding.key), active.binding.description.lower(), active.binding.key)
            for active in (*own, *rest)
        )
