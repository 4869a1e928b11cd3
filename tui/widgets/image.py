"""An image in the terminal: half blocks by default, real pixels where the settings ask for them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.message import Message
from textual.strip import Strip

from tui.text import cut, fit, width_of, wrap
from tui.widgets import graphics, pictures, raster
from tui.widgets.cells import CellWidget, line

if TYPE_CHECKING:
    from engine.api import Preview

DISCLAIMER = "preview, not diagnostic"
NO_IMAGE = "no image chosen"
MAX_PICTURE_SIDE = 512
"""Pixels of a picture for kitty or sixel: larger ones take a slow connection too long."""

_PLAIN = Style.null()


class ImagePreview(CellWidget):
    """Shows one preview, centred, with a caption; or says in words why there is none."""

    DEFAULT_CSS = "ImagePreview { width: 1fr; height: 1fr; }"

    class BoxChanged(Message):
        """Another size of preview fits now: load one that fills `box` pixels and show it."""

        def __init__(self, widget: ImagePreview, box: tuple[int, int]) -> None:
            super().__init__()
            self.widget = widget
            self.box = box

        @property
        def control(self) -> ImagePreview:
            """The widget, for `@on` selectors."""
            return self.widget

    def __init__(
        self,
        protocol: str = "cells",
        *,
        cell_pixels: Callable[[], tuple[int, int] | None] = pictures.terminal_cell_pixels,
        id: str | None = None,  # noqa: A002
        classes: str | None = None,
    ) -> None:
        """Make the widget.

        Args:
            protocol: `cells`, `kitty` or `sixel`; the latter two fall back to cells where they cannot work.
            cell_pixels: tells the size of a cell, for sixel.
        """
        super().__init__(id=id, classes=classes)
        self.protocol = protocol
        self._cell_pixels = cell_pixels
        self._preview: Preview | None = None
        self._caption = ""
        self._message = NO_IMAGE
        self._picture: pictures.Picture | None = None
        self._box = (0, 0)

    # ----- from the screen

    @property
    def box(self) -> tuple[int, int]:
        """Width and height in pixels of the preview to ask the engine for; (0, 0) before the first layout."""
        width, height = self.content_size.width, self.content_size.height - 1
        if width < 1 or height < 1:
            return 0, 0
        cell = self._picture_cell()
        if cell is None:
            return width, 2 * height
        columns, rows = (min(width, len(graphics.MARKS)), min(height, len(graphics.MARKS)))
        return min(columns * cell[0], MAX_PICTURE_SIDE), min(rows * cell[1], MAX_PICTURE_SIDE)

    def show(self, preview: Preview | None, caption: str = "", message: str = NO_IMAGE) -> None:
        """Show a preview with its caption; without a preview the message (both untrusted text)."""
        same = preview is not None and preview is self._preview
        self._preview, self._caption, self._message = preview, caption, message
        if not same:
            self._forget()
            self._encode()
        self.repaint()

    # ----- drawing

    def draw(self, width: int, height: int) -> list[Strip]:
        """The picture or the message, and the caption below."""
        if self._preview is None:
            return self._words(width, height)
        body = self._pixels(self._preview, width, height - 1) if height > 1 else []
        above = (height - 1 - len(body)) // 2
        below = height - 1 - len(body) - above
        blank = Strip.blank(width, _PLAIN)
        return [*[blank] * above, *body, *[blank] * below, self._note(width)]

    def _words(self, width: int, height: int) -> list[Strip]:
        lines = [self._caption, "", *wrap(self._message, width)] if self._caption else wrap(self._message, width)
        shown = lines[:height]
        above = (height - len(shown)) // 2
        text = [""] * above + shown
        text += [""] * (height - len(text))
        return [line((fit(each, width, "center"), self.palette.dim)) for each in text]

    def _note(self, width: int) -> Strip:
        room = width - width_of(DISCLAIMER) - 3
        note = f"{cut(self._caption, room)} · {DISCLAIMER}" if self._caption and room > 3 else DISCLAIMER
        return line((fit(note, width, "center"), self.palette.dim))

    def _pixels(self, preview: Preview, width: int, height: int) -> list[Strip]:
        """Lines of the picture in a room of `width` x `height` cells."""
        picture = self._picture
        if picture is not None and (picture.columns > width or picture.rows > height):
            picture = None  # another one is on its way
        if picture is None:
            columns, half_rows = raster.fitted(preview.width, preview.height, width, 2 * height)
        else:
            columns, half_rows = picture.columns, 2 * picture.rows
        if picture is not None and picture.number:
            lines = _placeholders(picture)
        elif self._colourless():
            dark = self.app.current_theme.dark
            rows = raster.ramp_lines(preview, columns, half_rows, dark_ground=dark)
            lines = [[Segment(text, self.palette.text)] for text in rows]
        else:
            lines = raster.half_cells(preview, columns, half_rows)
        left = (width - columns) // 2
        before, after = ([Segment(" " * count, _PLAIN)] if count else [] for count in (left, width - columns - left))
        return [Strip([*before, *segments, *after], width) for segments in lines]

    def _colourless(self) -> bool:
        return self.app.no_color or self.app.console.color_system is None

    # ----- real pixels

    def _picture_cell(self) -> tuple[int, int] | None:
        """Pixels of a cell in a picture for the terminal; None where pictures are drawn in cells."""
        if self.protocol == "kitty" and not self._colourless() and self.app.console.color_system == "truecolor":
            return pictures.KITTY_CELL
        return self._cell_pixels() if self.protocol == "sixel" and not self._colourless() else None

    def _encode(self) -> None:
        """Begin to encode the preview for the terminal; cells are shown until that is done."""
        cell, size = self._picture_cell(), self.content_size
        if self._preview is not None and cell is not None and size.width and size.height > 1:
            self.run_worker(self._encoded(self._preview, cell), exclusive=True, group="picture")

    async def _encoded(self, preview: Preview, cell: tuple[int, int]) -> None:
        if self.protocol == "sixel":
            picture = await asyncio.to_thread(pictures.sixel_picture, preview, cell)
        else:
            width, height = self.content_size
            picture = await asyncio.to_thread(pictures.kitty_picture, preview, width, height - 1)
        if preview is self._preview:
            self._forget()
            self._picture = picture
            if picture.number:
                self._send(picture.escapes)
            self.repaint(whole=True)

    def repaint(self, *, whole: bool = False) -> None:
        """Draw again; a sixel picture lies on the cells, so they are all sent, and the picture again after them."""
        sixel = self._picture is not None and not self._picture.number
        super().repaint(whole=whole or sixel)
        if sixel:
            self.call_after_refresh(self._overlay)

    def _overlay(self) -> None:
        """Send the sixel picture to its place, where nothing lies above it."""
        picture, region = self._picture, self.content_region
        if picture is None or picture.number or not self._seen or self.screen is not self.app.screen:
            return
        room = region.height - 1
        if picture.columns > region.width or picture.rows > room or not self.app.size.region.contains_region(region):
            return
        x = region.x + (region.width - picture.columns) // 2
        y = region.y + (room - picture.rows) // 2
        self._send(f"\x1b7\x1b[{y + 1};{x + 1}H{picture.escapes}\x1b8")

    def _forget(self) -> None:
        """Drop the picture; kitty is told to free it."""
        picture, self._picture = self._picture, None
        if picture is not None and picture.number:
            self._send(pictures.kitty_removal(picture))

    def _send(self, escapes: str) -> None:
        # Textual has no public way to write to the terminal; its writer keeps the order of what it is given.
        driver = self.app._driver
        if driver is not None:
            driver.write(escapes)

    # ----- events

    def on_mount(self) -> None:
        """A sixel picture must be sent again when this screen has been covered by another one."""
        if self.protocol == "sixel":
            self.app.screen_change_signal.subscribe(self, lambda _screen: self.repaint())

    def on_resize(self, _event: events.Resize) -> None:
        """Ask for a preview of the new size, and fit the picture to it meanwhile."""
        box = self.box
        if box != self._box:
            self._box = box
            self.post_message(self.BoxChanged(self, box))
        self._encode()

    def on_show(self) -> None:
        """Encode what was not encoded while the widget was hidden."""
        self._encode()

    def on_hide(self) -> None:
        """Free the picture."""
        self._forget()

    def on_unmount(self) -> None:
        """Free the picture."""
        self._forget()


def _placeholders(picture: pictures.Picture) -> list[list[Segment]]:
    """The cells in which kitty shows a picture: its number is their colour."""
    style = Style.from_color(Color.from_rgb(*picture.number.to_bytes(3, "big")))
    return [[Segment(graphics.kitty_line(row, picture.columns), style)] for row in range(picture.rows)]
