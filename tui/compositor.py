"""Sends the terminal only the cells that changed, and only the colours that change between them.

Textual 8.2 repaints from the left edge of a widget to the right end of a changed span: one new digit at the end of a
line costs the whole line. It also sets and resets both colours around every piece of text, forty bytes each. Over SSH
that is most of the traffic of a live screen, so spans are cropped on both sides here, and colours are sent when they
are others than those that the terminal has.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rich.cells import get_character_cell_size
from rich.color import Color, ColorSystem
from rich.console import Console
from rich.control import Control
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, Compositor, LayoutUpdate
from textual.strip import Strip

from tui.text import single_cells, width_of

_ATTRIBUTES = (("bold", "1"), ("dim", "2"), ("italic", "3"), ("underline", "4"), ("blink", "5"), ("reverse", "7"))
_MORE_ATTRIBUTES = (("strike", "9"), ("overline", "53"))
RESET = "\x1b[0m"

_Codes = tuple[str, str, str]
"""Foreground, background, attributes."""


STRONG = 35.0
"""From this difference in brightness on, of 255, a ground means something."""


@dataclass(frozen=True, slots=True)
class Paper:
    """What a screen is written on."""

    no_color: bool = False
    """The user wants no colours (NO_COLOR is set): Textual would send greys."""
    ground: float = 0.0
    """Brightness of the screen's ground, 0 to 255."""


class Pen:
    """Writes pieces of text and keeps in mind which colours the terminal has.

    Without a colour system no colour is sent; what stands on a ground that differs much from that of the screen (the
    cursor, the active tab) is reversed instead.
    """

    def __init__(self, system: ColorSystem | None, paper: Paper = Paper()) -> None:
        self._system = None if paper.no_color else system
        self._ground = paper.ground
        self._parts: list[str] = []
        self._now: _Codes = ("", "", "")

    def move_to(self, x: int, y: int) -> None:
        """Put the cursor on a cell."""
        self._parts.append(Control.move_to(x, y).segment.text)

    def write(self, segments: Iterable[Segment]) -> None:
        """Write pieces of text from the cursor on."""
        for text, style, control in segments:
            if control or not text:
                continue
            if style is not None and style.link:
                self._parts += [self._change(("", "", "")), style.render(text, color_system=self._system)]
                continue
            self._parts += [self._change(_codes(style, self._system, self._ground)), text]

    def finish(self) -> str:
        """All of it, with the colours set back."""
        self._parts.append(self._change(("", "", "")))
        return "".join(self._parts)

    def _change(self, wanted: _Codes) -> str:
        before, self._now = self._now, wanted
        if before == wanted:
            return ""
        if before[2] != wanted[2] or any(had and not wants for had, wants in zip(before, wanted, strict=True)):
            # Attributes have no common way of being taken back one by one, and a default colour is cheapest this way.
            codes = ["0", *(part for part in wanted if part)]
        else:
            codes = [wants for had, wants in zip(before, wanted, strict=True) if had != wants]
        return RESET if codes == ["0"] else f"\x1b[{';'.join(codes)}m"


_KNOWN: dict[tuple[Style, ColorSystem | None, float], _Codes] = {}


def _codes(style: Style | None, system: ColorSystem | None, ground: float) -> _Codes:
    if style is None:
        return "", "", ""
    found = _KNOWN.get((style, system, ground))
    if found is None:
        if len(_KNOWN) > 4096:  # grey levels of images: few enough to be made again
            _KNOWN.clear()
        names = {name for name, _ in (*_ATTRIBUTES, *_MORE_ATTRIBUTES) if getattr(style, name)}
        if (
            system is None
            and style.bgcolor
            and not style.bgcolor.is_default
            and abs(brightness(style.bgcolor) - ground) > STRONG
        ):
            names ^= {"reverse"}
        marks = ";".join(code for name, code in (*_ATTRIBUTES, *_MORE_ATTRIBUTES) if name in names)
        found = (_colour(style.color, system, True), _colour(style.bgcolor, system, False), marks)
        _KNOWN[style, system, ground] = found
    return found


def brightness(colour: Color) -> float:
    """How bright a colour is, 0 to 255."""
    red, green, blue = colour.get_truecolor()
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _colour(colour: Color | None, system: ColorSystem | None, foreground: bool) -> str:
    if colour is None or system is None or colour.is_default:
        return ""
    return ";".join(colour.downgrade(system).get_ansi_codes(foreground))


class TightUpdate(ChopsUpdate):
    """A partial update cropped to its spans."""

    paper = Paper()

    def render_segments(self, console: Console) -> str:
        """The escape sequences of this update, for the terminal."""
        pen = Pen(console._color_system, self.paper)
        for y, left, right in self.spans:
            at = -1
            for end, (x, strip) in zip(self.chop_ends[y], self.chops[y].items(), strict=False):
                if strip is None or x >= right or end <= left:
                    continue
                pieces, first, last = _between(strip, max(x, left) - x, min(end, right) - x)
                if x + first != at:  # the cursor is not there yet
                    pen.move_to(x + first, y)
                pen.write(pieces)
                at = x + last
        return pen.finish()


def _between(strip: Strip, left: int, right: int) -> tuple[list[Segment], int, int]:
    """The characters of a line that touch a range of cells, and the cells at which they begin and end.

    Strip.crop would put blanks where an edge cuts a wide character, and lose accents that are characters of their own.
    """
    pieces: list[Segment] = []
    at, first, taken = 0, left, False
    for text, style, _ in strip:
        if single_cells(text):
            if at + len(text) < left:  # far from the range
                at += len(text)
                continue
            part = text[max(0, left - at) : max(0, right - at)]
            at += len(text)
            taken = left < at <= right
        else:
            part = ""
            for character in text:
                width = get_character_cell_size(character)
                if width:  # one without belongs to the character before it
                    taken = at < right and left < at + width
                    first = min(first, at) if taken else first
                    at += width
                part += character if taken else ""
        if part:
            pieces.append(Segment(part, style))
        if at > right or (at == right and not taken):
            break
    return pieces, first, first + sum(width_of(text) for text, _, _ in pieces)


class TightLayout(LayoutUpdate):
    """A whole screen."""

    paper = Paper()

    def render_segments(self, console: Console) -> str:
        """The escape sequences of this update, for the terminal."""
        pen = Pen(console._color_system, self.paper)
        for y, pieces in enumerate(self.strips, self.region.y):
            pen.move_to(self.region.x, y)
            for strip in pieces:
                pen.write(strip)
        return pen.finish()


class TightCompositor(Compositor):
    """A compositor that writes as little as it can."""

    def render_partial_update(self) -> ChopsUpdate | None:
        """The cells that changed since the last update; None when nothing did."""
        update = super().render_partial_update()
        if update is None:
            return None
        tight = TightUpdate(update.chops, update.spans, update.chop_ends)
        tight.paper = self._paper()
        return tight

    def render_full_update(self, simplify: bool = False) -> LayoutUpdate:
        """The whole screen."""
        update = super().render_full_update(simplify=simplify)
        tight = TightLayout(update.strips, update.region)
        tight.paper = self._paper()
        return tight

    def _paper(self) -> Paper:
        if self.root is None:
            return Paper()
        app = self.root.app
        ground = Color.parse(app.current_theme.background or "#000000")
        return Paper(app.no_color, brightness(ground))
