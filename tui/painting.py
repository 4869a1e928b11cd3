"""How screens and dialogs are painted: only the cells that changed, and soon."""

from __future__ import annotations

from typing import Any

from textual.screen import Screen
from textual.timer import Timer

from tui.compositor import TightCompositor

FRAME_SECONDS = 1 / 240
"""Between two frames, at least. With Textual's 1/60 s whatever follows a key's first frame (details of the row that
the cursor came to) waits one period or two, 17 to 33 ms; what changes together is still painted together, as a screen
paints once it has nothing left to do. `tests/benchmarks/load_screens.py` measures it."""


class Painted(Screen[Any]):
    """What `WorkbenchScreen` and `Dialog` share; comes before Textual's class in their bases."""

    _frames: Timer | None = None

    def __init__(self) -> None:
        super().__init__()
        self._compositor = TightCompositor()

    @property
    def _update_timer(self) -> Timer:
        """Textual's timer of repaints; it runs only while something waits to be painted."""
        if self._frames is None:
            self._frames = self.set_interval(FRAME_SECONDS, self._on_timer_update, name="screen_update", pause=True)
        return self._frames
