"""Sends the terminal only the cells that changed.

Textual 8.2 repaints from the left edge of a widget to the right end of a changed span: one new digit at the end of a
line costs the whole line. Over SSH that is most of the traffic of a live screen, so both sides are cropped here.
"""

from __future__ import annotations

from rich.console import Console
from rich.control import Control
from textual._compositor import ChopsUpdate, Compositor


class TightUpdate(ChopsUpdate):
    """A partial update cropped to its spans."""

    def render_segments(self, console: Console) -> str:
        """The escape sequences of this update, for the terminal."""
        parts: list[str] = []
        for y, left, right in self.spans:
            at = -1
            for end, (x, strip) in zip(self.chop_ends[y], self.chops[y].items(), strict=False):
                if strip is None or x >= right or end <= left:
                    continue
                first, last = max(x, left), min(end, right)
                if first != at:  # the cursor is not there yet
                    parts.append(Control.move_to(first, y).segment.text)
                piece = strip if (first, last) == (x, end) else strip.crop(first - x, last - x)
                parts.append(piece.render(console))
                at = last
        return "".join(parts)


class TightCompositor(Compositor):
    """A compositor whose partial updates are `TightUpdate`s."""

    def render_partial_update(self) -> ChopsUpdate | None:
        """The cells that changed since the last update; None when nothing did."""
        update = super().render_partial_update()
        return None if update is None else TightUpdate(update.chops, update.spans, update.chop_ends)
