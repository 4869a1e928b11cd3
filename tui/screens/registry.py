"""Which screens there are, and on which keys. A new screen is one line here; none is imported before it is shown."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from textual.screen import Screen


@dataclass(frozen=True, slots=True)
class Tab:
    """One screen that a number key brings up."""

    key: str
    title: str
    short: str
    """The title where there is little room."""
    mode: str
    home: str
    """Module and class, as in `tui.screens.runs:RunsScreen`."""
    tooltip: str

    def load(self) -> Screen[Any]:
        """Import the module and make the screen."""
        module, _, name = self.home.partition(":")
        screen: Screen[Any] = getattr(importlib.import_module(module), name)()
        return screen


TABS = (
    Tab("1", "Dataset", "Data", "dataset", "tui.screens.dataset:DatasetScreen", "Images, answers, splits, problems"),
    Tab("2", "Launch", "Launch", "launch", "tui.screens.launch:LaunchScreen", "Choose, change and queue a recipe"),
    Tab("3", "Runs", "Runs", "runs", "tui.screens.runs:RunsScreen", "What runs, and what ran"),
    Tab("4", "Queue", "Queue", "queue", "tui.screens.queue:QueueScreen", "What waits for which device"),
    Tab(
        "5",
        "Leaderboard",
        "Board",
        "leaderboard",
        "tui.screens.leaderboard:LeaderboardScreen",
        "What they are worth",
    ),
    Tab("6", "Studies", "Study", "studies", "tui.screens.studies:StudiesScreen", "The experiments, their answers"),
)

MODES: dict[str, str | Callable[[], Screen[Any]]] = {tab.mode: tab.load for tab in TABS}
