"""What the tests of the screens share."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from textual.pilot import Pilot
from textual.widget import Widget

from engine.workspace import Workspace
from tui.app import Workbench
from tui.settings import Settings

HOSTILE = "\x1b[2J\x1b]0;title\x07[red]x[/red]\u202egnp.exe\x9b31m\r\b👩‍⚕️ שלום " + "w" * 500
"""Clears the screen, sets the title, is markup, turns the direction of writing, has wide characters, and is long."""
WAIT_SECONDS = 20.0


def workbench(workspace: Workspace, **settings: Any) -> Workbench:
    """The app with default settings, whatever the user of this machine has set."""
    return Workbench(workspace, Settings(**settings))


async def until(pilot: Pilot[Any], holds: Callable[[], object], what: str) -> None:
    """Bounded waiting: tests say what must come true, not when."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError(f"never came true: {what}\n{screen_text(pilot.app)}")
        await pilot.pause(0.02)


def screen_text(app: Any) -> str:
    """What stands on the terminal, line by line."""
    return "\n".join("".join(segment.text for segment in strip) for strip in app.screen._compositor.render_strips())


def widget_text(widget: Widget) -> str:
    """The lines of one widget."""
    height = widget.size.height
    return "\n".join("".join(segment.text for segment in widget.render_line(y)) for y in range(height))
