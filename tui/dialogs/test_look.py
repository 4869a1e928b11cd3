"""Why is the test split looked at? The answer goes into the ledger; without one, nothing is measured there."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from engine import api
from tui.dialogs.prompt import Prompt

if TYPE_CHECKING:
    from tui.app import Workbench

TITLE = "why look at the test split?"
ANSWER_NEEDED = "a few words; escape leaves it alone"


def ask_purpose(workbench: Workbench, refused: api.UnconfirmedTestError, act: Callable[[str], None]) -> None:
    """Ask for the purpose that was missing, and act with it; nothing happens where the question is closed.

    Args:
        workbench: shows the question.
        refused: what the engine said; its reason tells how often the split was looked at.
        act: takes the purpose.
    """

    def problem(text: str) -> str:
        return "" if text.strip() else f"{refused.reason} Say why: {ANSWER_NEEDED}."

    def answered(text: str | None) -> None:
        if text and text.strip():
            act(text.strip())

    hint = f"{refused.reason} The answer stands in the ledger (`sonotune data looks`)."
    workbench.push_screen(Prompt(TITLE, "", hint, problem), answered)
