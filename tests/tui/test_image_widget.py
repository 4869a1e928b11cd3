from __future__ import annotations

import base64
import re
from collections.abc import Callable
from io import BytesIO
from itertools import pairwise

import pytest
from PIL import Image
from rich.color import ColorType
from rich.style import Style
from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.screen import Screen

from engine.api import Preview, PreviewMode
from tui.widgets.image import DISCLAIMER, ImagePreview
from tui.widgets.raster import RAMP

ESCAPE_STARTS = ("\x1b_G", "\x1bP")

HOSTILE = {
    "markup": "[bold red]x[/] [@click=app.quit]y[/]",
    "controls": "a\x1b[31m\x1b]0;owned\x07\x00b\r\nc",
    "emoji": "👩‍👩‍👧‍👦🤰🏽 scan ❤️.png",
    "right to left": "שלום \u202egnp.exe\u202c مرحبا",
    "wide": "超音波" * 40,
    "long": "x" * 300,
}


def preview(width: int, height: int, pixel: Callable[[int, int], int | tuple[int, int, int]] | None = None) -> Preview:
    """A preview whose pixels a function of x and y gives: a grey level, or red, green and blue."""
    pixel = pixel or (lambda x, y: (x * 7 + y * 11) % 256)
    values = [pixel(x, y) for y in range(height) for x in range(width)]
    colour = isinstance(values[0], tuple)
    pixels = bytes(level for value in values for level in value) if colour else bytes(values)  # type: ignore[union-attr,arg-type]
    return Preview(width, height, pixels, colour, width, height, PreviewMode.RAW)


class Shown(App[None]):
    """One image, and what is written to the terminal past Textual's own painting."""

    def __init__(self, **options: object) -> None:
        super().__init__()
        self.image = ImagePreview(**options)  # type: ignore[arg-type]
        self.boxes: list[tuple[int, int]] = []
        self.sent: list[str] = []

    def compose(self) -> ComposeResult:
        yield self.image

    def on_mount(self) -> None:
        assert self._driver is not None
        write = self._driver.write

        def listen(data: str) -> None:
            self.sent += [data] if any(start in data for start in ESCAPE_STARTS) else []
            write(data)

        self._driver.write = listen  # type: ignore[method-assign]

    def on_image_preview_box_changed(self, message: ImagePreview.BoxChanged) -> None:
        self.boxes.append(message.box)


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    for name in ("NO_COLOR", "TMUX"):
        monkeypatch.delenv(name, raising=False)


async def settled(pilot: Pilot[None]) -> None:
    """Wait until the picture is encoded and everything is painted."""
    await pilot.pause()
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()


def lines(image: ImagePreview) -> list[str]:
    return [image.render_line(y).text for y in range(image.size.height)]


def cells(image: ImagePreview, y: int) -> list[tuple[str, Style]]:
    return [(character, style or Style.null()) for text, style, _ in image.render_line(y) for character in text]


def level(style: Style, ground: bool) -> int:
    colour = style.bgcolor if ground else style.color
    assert colour is not None
    assert colour.triplet is not None
    return colour.triplet.red


def every_line_fits(image: ImagePreview) -> bool:
    return all(image.render_line(y).cell_length == image.size.width for y in range(image.size.height))


async def test_a_cell_shows_two_pixels_one_above_the_other() -> None:
    app = Shown()
    async with app.run_test(size=(10, 6)) as pilot:
        app.image.show(preview(4, 4, lambda x, y: 60 * y + x))
        await pilot.pause()
        drawn = cells(app.image, 1)
        assert [character for character, _ in drawn] == [" "] * 3 + ["▀"] * 4 + [" "] * 3, "centred"
        (top, bottom) = (level(drawn[3][1], ground=False), level(drawn[3][1], ground=True))
        assert abs(top - 0) <= 2
        assert abs(bottom - 60) <= 2
        assert abs(level(cells(app.image, 2)[3][1], ground=True) - 180) <= 2
        assert DISCLAIMER[:5] in lines(app.image)[5]
        assert every_line_fits(app.image)


async def test_equal_neighbours_are_one_segment_and_at_most_64_greys_are_used() -> None:
    app = Shown()
    async with app.run_test(size=(256, 9)) as pilot:
        app.image.show(preview(256, 16, lambda x, y: x))
        await pilot.pause()
        segments = list(app.image.render_line(3))
        assert len(segments) == 64
        assert len({level(segment.style or Style.null(), ground=True) for segment in segments}) == 64
        app.image.show(preview(256, 16, lambda x, y: 80))
        await pilot.pause()
        assert len(list(app.image.render_line(3))) == 1


async def test_a_colour_preview_keeps_its_colours() -> None:
    app = Shown()
    async with app.run_test(size=(20, 9)) as pilot:
        app.image.show(preview(8, 8, lambda x, y: (255, 0, 0) if y % 2 == 0 else (0, 0, 255)))
        await pilot.pause()
        (_, style) = cells(app.image, 3)[10]
        assert style.color is not None
        assert style.bgcolor is not None
        assert style.color.triplet == (255, 0, 0)
        assert style.bgcolor.triplet == (0, 0, 255)


async def test_an_odd_number_of_rows_leaves_the_lower_half_of_the_last_cell_alone() -> None:
    app = Shown()
    async with app.run_test(size=(5, 4)) as pilot:
        app.image.show(preview(5, 3, lambda x, y: 200))
        await pilot.pause()
        (character, style) = cells(app.image, 1)[2]
        assert character == "▀"
        ground, own = app.image.background_colors
        assert style.bgcolor == (ground + own).rich_color


async def test_it_says_what_to_load_at_first_and_after_a_resize() -> None:
    app = Shown()
    async with app.run_test(size=(60, 31)) as pilot:
        await pilot.pause()
        assert app.boxes[-1] == app.image.box == (60, 60)
        await pilot.resize_terminal(40, 11)
        await pilot.pause()
        assert app.boxes[-1] == app.image.box == (40, 20)


@pytest.mark.parametrize("size", [(60, 31), (30, 4), (12, 2), (23, 1), (1, 1), (3, 40)])
async def test_a_preview_of_another_size_is_fitted_into_any_room(size: tuple[int, int]) -> None:
    app = Shown()
    async with app.run_test(size=size) as pilot:
        for shown in (preview(120, 90), preview(1, 1), preview(200, 1), preview(1, 200)):
            app.image.show(shown, "caption")
            await pilot.pause()
            assert every_line_fits(app.image)


async def test_the_caption_stands_beside_the_disclaimer_and_gives_way_to_it() -> None:
    app = Shown()
    async with app.run_test(size=(60, 6)) as pilot:
        app.image.show(preview(4, 4), "Femur/Femur_001.png")
        await pilot.pause()
        assert lines(app.image)[5].strip() == f"Femur/Femur_001.png · {DISCLAIMER}"
        await pilot.resize_terminal(30, 6)
        await pilot.pause()
        assert lines(app.image)[5].strip() == f"Fem… · {DISCLAIMER}"


async def test_without_an_image_it_says_why() -> None:
    app = Shown()
    async with app.run_test(size=(24, 9)) as pilot:
        await pilot.pause()
        assert "no image chosen" in "".join(lines(app.image))
        app.image.show(None, "Femur/a.png", "the image file is missing: it lay under the image root")
        await pilot.pause()
        text = " ".join(" ".join(lines(app.image)).split())
        assert text == "Femur/a.png the image file is missing: it lay under the image root"
        assert DISCLAIMER not in text
        assert every_line_fits(app.image)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
async def test_hostile_text_is_shown_as_text(text: str) -> None:
    app = Shown()
    async with app.run_test(size=(30, 12)) as pilot:
        for image in (None, preview(20, 20)):
            app.image.show(image, text, text)
            await pilot.pause()
            assert every_line_fits(app.image)
            assert not re.search("[\x00-\x1f\x7f-\x9f\u202a-\u202e]", "".join(lines(app.image)))
    if "[bold" in text:
        app = Shown()
        async with app.run_test(size=(60, 12)) as pilot:
            app.image.show(None, "", text)
            await pilot.pause()
            assert text in " ".join(line.strip() for line in lines(app.image))


async def test_without_colour_it_is_drawn_in_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = Shown()
    async with app.run_test(size=(20, 11)) as pilot:
        app.image.show(preview(20, 20, lambda x, y: min(255, x * 13)))
        await pilot.pause()
        row = lines(app.image)[4]
        assert set(row) <= set(RAMP)
        assert len(set(row)) == 10
        places = [RAMP.index(character) for character in row]
        assert all(left <= right for left, right in pairwise(places))


async def test_a_dumb_terminal_gets_characters_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.delenv("COLORTERM")
    app = Shown(protocol="kitty")
    async with app.run_test(size=(20, 11)) as pilot:
        app.image.show(preview(20, 20))
        await settled(pilot)
        assert "▀" not in "".join(lines(app.image))
        assert not app.sent


async def test_sixteen_colours_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("COLORTERM")
    app = Shown()
    async with app.run_test(size=(20, 11)) as pilot:
        app.image.show(preview(20, 20))
        await pilot.pause()
        escapes = app.image.render_line(4).render(app.console)
        assert "\x1b[" in escapes
        assert not re.search(r"[34]8;[25];", escapes)


async def test_cells_write_nothing_past_textual() -> None:
    app = Shown()
    async with app.run_test(size=(20, 11)) as pilot:
        app.image.show(preview(20, 20))
        await settled(pilot)
        app.image.display = False
        await settled(pilot)
    assert app.sent == []


def kitty_image(escapes: str) -> tuple[int, Image.Image]:
    payload = "".join(re.findall(r"\x1b_G(?:a=t|q=2)[^;]*;([^\x1b]*)", escapes))
    number = re.search(r"a=p,U=1,q=2,i=(\d+)", escapes)
    assert number
    return int(number[1]), Image.open(BytesIO(base64.b64decode(payload)))


async def test_kitty_pictures_are_sent_once_and_shown_by_placeholders() -> None:
    app = Shown(protocol="kitty")
    async with app.run_test(size=(20, 11)) as pilot:
        await pilot.pause()
        assert app.boxes[-1] == (160, 160)
        shown = preview(160, 120)
        app.image.show(shown)
        await settled(pilot)
        number, picture = kitty_image("".join(app.sent))
        assert picture.tobytes() == shown.pixels
        (character, style) = cells(app.image, 4)[0]
        assert character == "\U0010eeee"
        assert style.color is not None
        assert style.color.type is ColorType.TRUECOLOR
        assert style.color.triplet == tuple(number.to_bytes(3, "big"))
        assert every_line_fits(app.image)
        sent = len(app.sent)
        app.image.show(shown, "another caption")
        await settled(pilot)
        assert len(app.sent) == sent, "the same picture is not sent again"
        app.image.show(preview(160, 120, lambda x, y: 0))
        await settled(pilot)
        assert f"a=d,d=I,q=2,i={number}\x1b" in "".join(app.sent[sent:])
        latest, _ = kitty_image("".join(app.sent[sent:]))
        assert latest != number
        app.image.display = False
        await settled(pilot)
        assert f"a=d,d=I,q=2,i={latest}\x1b" in app.sent[-1]


async def test_kitty_goes_through_tmux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMUX", "somewhere,1,0")
    app = Shown(protocol="kitty")
    async with app.run_test(size=(20, 11)) as pilot:
        app.image.show(preview(160, 120))
        await settled(pilot)
        assert app.sent
        assert all(part.startswith("\x1bPtmux;\x1b\x1b_G") for part in app.sent)


async def test_kitty_needs_true_colour_and_falls_back_to_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLORTERM")
    app = Shown(protocol="kitty")
    async with app.run_test(size=(20, 11)) as pilot:
        await pilot.pause()
        assert app.image.box == (20, 20)
        app.image.show(preview(20, 20))
        await settled(pilot)
        assert "▀" in lines(app.image)[4]
        assert not app.sent


async def test_sixel_pictures_lie_on_their_cells_and_come_back_after_another_screen() -> None:
    app = Shown(protocol="sixel", cell_pixels=lambda: (8, 16))
    async with app.run_test(size=(20, 11)) as pilot:
        await pilot.pause()
        assert app.image.box == (160, 160)
        app.image.show(preview(80, 64))
        await settled(pilot)
        # 10 x 4 cells in 20 x 10: five columns to the left, three lines above.
        assert app.sent[-1].startswith("\x1b7\x1b[4;6H\x1bP0;1;0q")
        assert app.sent[-1].endswith("\x1b\\\x1b8")
        assert "▀" in lines(app.image)[4], "the cells below show the same, should something cover them"
        app.push_screen(Screen())
        await settled(pilot)
        sent = len(app.sent)
        app.pop_screen()
        await settled(pilot)
        assert len(app.sent) > sent


async def test_sixel_without_the_size_of_a_cell_falls_back_to_cells() -> None:
    app = Shown(protocol="sixel", cell_pixels=lambda: None)
    async with app.run_test(size=(20, 11)) as pilot:
        app.image.show(preview(20, 20))
        await settled(pilot)
        assert app.image.box == (20, 20)
        assert "▀" in lines(app.image)[4]
        assert not app.sent
