"""A terminal in memory: what the compositor writes ends up as cells, as a real terminal would show them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from rich.cells import get_character_cell_size

_SEQUENCE = re.compile(r"\x1b\[([0-9;]*)([A-Za-z])")
_ON = {1: "bold", 2: "dim", 3: "italic", 4: "underline", 5: "blink", 7: "reverse", 9: "strike", 53: "overline"}


@dataclass(frozen=True)
class Ink:
    foreground: tuple[int, ...] = ()
    ground: tuple[int, ...] = ()
    marks: frozenset[str] = frozenset()


Cell = tuple[str, Ink]
"""A character and its colours; the second cell of a wide character holds ""."""


class Terminal:
    """Only what the compositor may use: cursor positions, colours and text. Anything else fails the test."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.cells: list[list[Cell]] = [[(" ", Ink())] * width for _ in range(height)]
        self.ink = Ink()
        self._x = self._y = 0

    def feed(self, text: str) -> None:
        at = 0
        while at < len(text):
            if text[at] == "\x1b":
                found = _SEQUENCE.match(text, at)
                assert found, f"not a sequence that is understood: {text[at : at + 20]!r}"
                self._obey(found[1], found[2])
                at = found.end()
            else:
                self._put(text[at])
                at += 1

    def text(self) -> list[str]:
        return ["".join(character for character, _ in row) for row in self.cells]

    def _obey(self, numbers: str, letter: str) -> None:
        values = [int(each or 0) for each in numbers.split(";")]
        if letter == "H":
            self._y, self._x = values[0] - 1, values[1] - 1
        elif letter == "m":
            self._colour(values)
        else:
            raise AssertionError(f"unexpected sequence {numbers}{letter}")

    def _colour(self, values: list[int]) -> None:
        while values:
            code = values.pop(0)
            if code == 0:
                self.ink = Ink()
            elif code in _ON:
                self.ink = replace(self.ink, marks=self.ink.marks | {_ON[code]})
            elif code in (38, 48):
                length = 4 if values[0] == 2 else 2
                colour, values = (code, *values[:length]), values[length:]
                self.ink = replace(self.ink, **{"foreground" if code == 38 else "ground": colour[1:]})
            elif code in range(30, 38) or code in range(90, 98):
                self.ink = replace(self.ink, foreground=(code,))
            elif code in range(40, 48) or code in range(100, 108):
                self.ink = replace(self.ink, ground=(code,))
            else:
                raise AssertionError(f"unexpected colour {code}")

    def _put(self, character: str) -> None:
        width = get_character_cell_size(character)
        row = self.cells[self._y]
        if not width:
            before = self._x - 1 if row[self._x - 1][0] else self._x - 2
            row[before] = (row[before][0] + character, row[before][1])
            return
        assert self._x + width <= self.width, f"{character!r} is written over the right edge of line {self._y}"
        for x in range(self._x, self._x + width):
            self._break(row, x)
        row[self._x : self._x + width] = [(character, self.ink), ("", self.ink)][:width]
        self._x += width

    @staticmethod
    def _break(row: list[Cell], x: int) -> None:
        """Half of a wide character is written over: the other half becomes blank."""
        if not row[x][0]:
            row[x - 1] = (" ", row[x - 1][1])
        elif x + 1 < len(row) and not row[x + 1][0]:
            row[x + 1] = (" ", row[x + 1][1])
