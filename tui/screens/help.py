"""Every key that acts here, made from the bindings themselves."""

from __future__ import annotations

from typing import Any

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import Screen

from tui.dialogs.base import Dialog
from tui.screens.base import keys_of
from tui.widgets.footer import key_name
from tui.widgets.lines import Lines, Paragraph

KEY_CELLS = 14


class HelpScreen(Dialog[None]):
    """The keys of the screen below, those of the focused widget first."""

    DEFAULT_CSS = """
    HelpScreen Vertical { width: 76; height: 90%; }
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
    """Keys by where they act, each with its words; then the words of the screen itself."""
    groups: dict[str, list[Paragraph]] = {}
    for active in keys_of(screen):
        binding = active.binding
        if active.node is screen:
            where = "This screen"
        elif active.node is screen.app:
            where = "Everywhere"
        else:
            where = (getattr(active.node, "HELP_TITLE", None) or type(active.node).__name__).capitalize()
        keys = " ".join(key_name(key) for key in keys_for(screen, binding.action, active.node))
        text = binding.tooltip or binding.description
        groups.setdefault(where, []).append([(keys.ljust(KEY_CELLS), "accent"), (text, "text")])
    paragraphs: list[Paragraph] = []
    for where in sorted(groups, key=lambda name: (name != "This screen", name == "Everywhere")):
        paragraphs += [[(where, "bold")], *groups[where], []]
    about = type(screen).__doc__ or ""
    return [*paragraphs, [(" ".join(about.split()), "dim")], [("Research only, not for clinical use.", "dim")]]


def keys_for(screen: Screen[Any], action: str, node: Any) -> list[str]:
    """All keys that trigger an action of a node."""
    return [
        key for key, active in screen.active_bindings.items() if active.binding.action == action and active.node is node
    ]
