"""Every key that acts here, made from the bindings themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import Screen

from tui.dialogs.base import Dialog
from tui.screens.base import keys_of
from tui.settings import settings_file
from tui.widgets.footer import key_name
from tui.widgets.lines import Lines, Paragraph, Sided

if TYPE_CHECKING:
    from textual.binding import ActiveBinding

KEY_CELLS = 14
HERE, EVERYWHERE = "This screen", "Everywhere"
RESEARCH = "Research only, not for clinical use."
HINT = 'Names at the right are for [keys] in the settings file: "runs.open" = "o"'


class HelpScreen(Dialog[None]):
    """The keys of the screen below, those of the focused widget first."""

    DEFAULT_CSS = """
    HelpScreen Vertical { width: 100; height: 90%; }
    """

    def __init__(self, below: Screen[Any]) -> None:
        super().__init__()
        self._paragraphs = help_text(below)

    def compose(self) -> ComposeResult:
        """A window to scroll through."""
        lines = Lines()
        lines.show_paragraphs(self._paragraphs)
        with Vertical(classes="dialog") as frame:
            frame.border_title = "keys"
            frame.border_subtitle = "esc closes"
            yield lines


def help_text(screen: Screen[Any]) -> list[Paragraph]:
    """Keys by where they act, each with its words and its name; then the words of the screen itself."""
    groups: dict[str, list[Paragraph]] = {}
    own = {binding.id for binding in type(screen).__dict__.get("BINDINGS", ()) if isinstance(binding, Binding)}
    for active in sorted(keys_of(screen), key=lambda active: active.binding.id not in own):
        groups.setdefault(_where(screen, active), []).append(_key_line(screen, active))
    paragraphs: list[Paragraph] = []
    for where in sorted(groups, key=lambda name: (name != HERE, name == EVERYWHERE)):
        paragraphs += [[(where, "bold")], *groups[where], []]
    about = type(screen).__doc__ or ""
    return [
        *paragraphs,
        [(" ".join(about.split()), "dim")],
        [(f"{HINT} ({settings_file()})", "dim")],
        [(RESEARCH, "dim")],
    ]


def _where(screen: Screen[Any], active: ActiveBinding) -> str:
    if active.node is screen.app or not active.binding.id:  # those without a name are Textual's own
        return EVERYWHERE
    if active.node is screen:
        return HERE
    return str(getattr(active.node, "HELP_TITLE", None) or type(active.node).__name__).capitalize()


def _key_line(screen: Screen[Any], active: ActiveBinding) -> Paragraph:
    binding = active.binding
    keys = " ".join(key_name(key) for key in keys_for(screen, binding.action, active.node))
    text = binding.tooltip or binding.description
    pieces = [(keys.ljust(KEY_CELLS), "accent"), (text, "text")]
    return Sided([*pieces, (binding.id, "dim")]) if binding.id else pieces


def keys_for(screen: Screen[Any], action: str, node: Any) -> list[str]:
    """All keys that trigger an action of a node."""
    return [
        key for key, active in screen.active_bindings.items() if active.binding.action == action and active.node is node
    ]
