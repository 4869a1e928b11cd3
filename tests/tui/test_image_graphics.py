from __future__ import annotations

import base64
import re
from io import BytesIO

import pytest
from PIL import Image
from rich.cells import cell_len

from tui.widgets import graphics
from tui.widgets.graphics import kitty_delete, kitty_line, kitty_picture, png, sixel_picture, through_tmux

GREY = bytes((x * 5 + y * 3) % 256 for y in range(40) for x in range(50))
COLOUR = bytes(level for y in range(13) for x in range(17) for level in (x * 15, y * 19, 255 - x * 15))


def kitty_parts(escapes: list[str]) -> list[tuple[dict[str, str], str]]:
    """Keys and payload of each escape, as a terminal reads them."""
    parts = []
    for escape in escapes:
        found = re.fullmatch(r"\x1b_G([^;\x1b]*)(?:;([^\x1b]*))?\x1b\\", escape)
        assert found, escape[:60]
        parts.append((dict(pair.split("=") for pair in found[1].split(",")), found[2] or ""))
    return parts


def decoded_sixel(escape: str) -> Image.Image:
    """Draws a sixel escape as the VT340 manual says; every pixel must be set exactly once."""
    head = re.match(r'\x1bP0;1;0q"1;1;(\d+);(\d+)', escape)
    assert head
    assert escape.endswith("\x1b\\")
    width, height = int(head[1]), int(head[2])
    picture, palette, drawn = Image.new("RGB", (width, height)), {}, set()
    x = top = colour = 0
    for token in re.finditer(r"#(\d+);2;(\d+);(\d+);(\d+)|#(\d+)|!(\d+)(.)|([$-])|([?-~])", escape[head.end() : -2]):
        number, red, green, blue, chosen, count, repeated, move, single = token.groups()
        if number:
            palette[int(number)] = tuple(round(int(each) * 255 / 100) for each in (red, green, blue))
        elif chosen:
            colour = int(chosen)
        elif move:
            x, top = 0, top + (6 if move == "-" else 0)
        else:
            bits, repeats = ord(repeated or single) - 63, int(count or 1)
            for place in ((x + step, top + row) for step in range(repeats) for row in range(6) if bits >> row & 1):
                assert place not in drawn
                drawn.add(place)
                picture.putpixel(place, palette[colour])
            x += repeats
    assert len(drawn) == width * height
    return picture


def furthest(one: Image.Image, other: Image.Image) -> int:
    return max(abs(a - b) for a, b in zip(one.tobytes(), other.tobytes(), strict=True))


@pytest.mark.parametrize(("pixels", "size", "mode"), [(GREY, (50, 40), "L"), (COLOUR, (17, 13), "RGB")])
def test_a_png_holds_the_very_pixels(pixels: bytes, size: tuple[int, int], mode: str) -> None:
    decoded = Image.open(BytesIO(png(pixels, *size, mode == "RGB")))
    decoded.load()
    assert (decoded.mode, decoded.size, decoded.tobytes()) == (mode, size, pixels)


def test_a_kitty_picture_is_sent_in_chunks_without_asking_for_an_answer() -> None:
    noise = Image.effect_noise((200, 120), 90).tobytes()
    escapes = kitty_picture(noise, 200, 120, False, image_id=0x123456, columns=25, rows=8)
    *chunks, placement = kitty_parts(escapes)
    assert len(chunks) > 2
    assert chunks[0][0] == {"a": "t", "f": "100", "q": "2", "i": str(0x123456), "m": "1"}
    assert [keys["m"] for keys, _ in chunks] == ["1"] * (len(chunks) - 1) + ["0"]
    assert all(keys["q"] == "2" for keys, _ in [*chunks, placement])
    assert all(len(payload) <= 4096 and len(payload) % 4 == 0 for _, payload in chunks)
    decoded = Image.open(BytesIO(base64.b64decode("".join(payload for _, payload in chunks))))
    assert decoded.tobytes() == noise
    assert placement == ({"a": "p", "U": "1", "q": "2", "i": str(0x123456), "c": "25", "r": "8"}, "")
    assert kitty_parts([kitty_delete(7)])[0][0] == {"a": "d", "d": "I", "q": "2", "i": "7"}


def test_every_cell_of_a_kitty_picture_names_its_place() -> None:
    cells = re.findall("\U0010eeee(.)(.)", kitty_line(3, 40))
    assert [(graphics.MARKS.index(row), graphics.MARKS.index(column)) for row, column in cells] == [
        (3, column) for column in range(40)
    ]
    assert cell_len(kitty_line(3, 40)) == 40


def test_the_marks_are_those_of_the_protocol() -> None:
    # The first entries, and a few further ones, of rowcolumn-diacritics.txt.
    first = [0x305, 0x30D, 0x30E, 0x310, 0x312, 0x33D, 0x33E, 0x33F, 0x346, 0x34A, 0x34B, 0x34C, 0x350, 0x351, 0x352]
    codes = [ord(mark) for mark in graphics.MARKS]
    assert codes[: len(first)] == first
    assert codes == sorted(set(codes))
    further = {29: 0x36F, 34: 0x487, 53: 0x5C4, 64: 0x659, 86: 0x732, 107: 0x7F3}
    assert {place: codes[place] for place in further} == further


def test_tmux_gets_the_escape_with_every_escape_character_doubled() -> None:
    inner = kitty_delete(9)
    wrapped = through_tmux(inner)
    assert wrapped.startswith("\x1bPtmux;")
    assert wrapped.endswith("\x1b\\")
    body = wrapped[len("\x1bPtmux;") : -2]
    assert not re.search("(?<!\x1b)\x1b(?!\x1b)", body), "a single ESC would end the passage"
    assert body.replace("\x1b\x1b", "\x1b") == inner


def test_grey_sixels_come_back_within_one_of_their_levels() -> None:
    decoded = decoded_sixel(sixel_picture(GREY, 50, 40, False))
    assert furthest(decoded.convert("L"), Image.frombytes("L", (50, 40), GREY)) <= 255 / 31 / 2 + 2


def test_coloured_sixels_come_back_within_one_of_their_levels() -> None:
    decoded = decoded_sixel(sixel_picture(COLOUR, 17, 13, True))
    assert furthest(decoded, Image.frombytes("RGB", (17, 13), COLOUR)) <= 255 / 5 / 2 + 2


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (9, 1), (3, 6)])
def test_the_smallest_sixels_are_whole(size: tuple[int, int]) -> None:
    pixels = bytes(range(size[0] * size[1]))
    assert decoded_sixel(sixel_picture(pixels, *size, False)).size == size


def test_runs_are_shortened() -> None:
    assert len(sixel_picture(bytes(300 * 6), 300, 6, False)) < 700
    assert "!300~" in sixel_picture(bytes(300 * 6), 300, 6, False)
