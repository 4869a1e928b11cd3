from __future__ import annotations

import os
import struct
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from data_helpers import jpeg_bytes, png_bytes
from PIL import Image

from engine.data import preview as module
from engine.data.check import MAX_FILE_BYTES, PNG_SIGNATURE
from engine.data.images import load_image
from engine.data.preview import BLACK, Preview, PreviewMode, fitted, load_preview, stretch_table
from engine.data.preview_loader import PreviewLoader
from engine.errors import DataError

RAW = PreviewMode.RAW


def saved(folder: Path, image: Image.Image, name: str = "x.png", **options: object) -> Path:
    image.save(folder / name, **options)
    return folder / name


def gradient(width: int = 256, height: int = 64) -> Image.Image:
    """Grey from 0 at the left to 255 at the right."""
    return Image.linear_gradient("L").rotate(90).resize((width, height))


def written(folder: Path, data: bytes, name: str = "x.png") -> Path:
    (folder / name).write_bytes(data)
    return folder / name


@pytest.mark.parametrize("name", ["x.png", "x.jpg"])
def test_a_preview_fills_the_box_and_keeps_the_proportions(tmp_path: Path, name: str) -> None:
    file = saved(tmp_path, gradient(800, 600), name)
    found = load_preview(file, 60, 58, RAW)
    assert (found.width, found.height, len(found.pixels)) == (60, 45, 60 * 45)
    assert (found.original_width, found.original_height, found.colour, found.mode) == (800, 600, False, RAW)
    assert load_preview(file, 400, 30).height == 30


def test_raw_keeps_the_grey_levels(tmp_path: Path) -> None:
    found = load_preview(saved(tmp_path, gradient()), 64, 16, RAW)
    row = found.pixels[: found.width]
    assert row == bytes(sorted(row))
    assert row[0] <= 3
    assert row[-1] >= 252
    assert abs(row[32] - 130) <= 3


def test_stretched_fills_the_range_of_grey_and_leaves_black_black(tmp_path: Path) -> None:
    dim = Image.new("L", (200, 100))
    dim.paste(gradient(100, 100).point(lambda level: 40 + level // 8), (100, 0))
    found = load_preview(saved(tmp_path, dim), 200, 100)
    assert found.mode is PreviewMode.STRETCHED
    row = found.pixels[: found.width]
    assert set(row[:98]) == {0}
    assert row[110] < 90
    assert max(row[102:]) == 255
    assert list(row[102:]) == sorted(row[102:])
    assert max(load_preview(tmp_path / "x.png", 200, 100, RAW).pixels) < 80


@pytest.mark.parametrize("level", [0, 3, 128, 255])
def test_an_even_image_has_nothing_to_stretch(tmp_path: Path, level: int) -> None:
    found = load_preview(saved(tmp_path, Image.new("L", (30, 30), level)), 8, 8)
    assert set(found.pixels) == {level}


def test_the_stretch_follows_the_percentiles_of_what_is_not_black() -> None:
    histogram = [0] * 256
    histogram[0], histogram[BLACK] = 100_000, 5_000
    for level in range(100, 200):
        histogram[level] = 10
    histogram[250] = 1  # less than one percent: burnt-in text does not count
    table = stretch_table(histogram)
    assert table[: BLACK + 1] == [0] * (BLACK + 1)
    assert table[99] == table[100] == 0
    assert table[199] == table[250] == 255
    middle = (100 + 199) // 2
    assert table[middle] == pytest.approx(255 * 0.5**0.7, abs=3), "gamma 0.7 brightens the middle"
    assert table == sorted(table)


def test_an_image_with_real_colour_stays_coloured_and_calipers_do_not_count(tmp_path: Path) -> None:
    image = gradient(400, 300).convert("RGB")
    image.paste((255, 255, 0), (10, 10, 14, 14))
    assert not load_preview(saved(tmp_path, image), 60, 60).colour
    image.paste((220, 30, 20), (100, 100, 200, 200))
    for mode in PreviewMode:
        found = load_preview(saved(tmp_path, image), 60, 60, mode)
        assert found.colour
        assert len(found.pixels) == 3 * found.width * found.height
        start = 3 * (22 * found.width + 22)
        red, green, blue = found.pixels[start : start + 3]
        assert red > green + 80
        assert red > blue + 80


@pytest.mark.parametrize("mode", ["L", "RGB", "P", "1", "LA", "RGBA", "I;16"])
def test_every_kind_of_png_gives_the_same_grey(tmp_path: Path, mode: str) -> None:
    source = gradient()
    if mode == "I;16":
        image = Image.frombytes("I;16", source.size, b"".join(bytes((137, level)) for level in source.tobytes()))
    elif mode == "1":
        source = source.point(lambda level: 255 * (level > 127))
        image = source.convert("1")
    elif mode == "P":
        image = source.convert("P")
        image.info["transparency"] = bytes(range(256))
    else:
        image = source.convert(mode)
        if mode.endswith("A"):
            image.putalpha(0)
    file = saved(tmp_path, image)
    found = load_preview(file, 64, 16, RAW)
    wanted = load_image(file).convert("L").resize((64, 16), Image.Resampling.BOX)
    assert not found.colour
    assert max(abs(a - b) for a, b in zip(found.pixels, wanted.tobytes(), strict=True)) <= 2


def test_a_cmyk_jpeg_can_be_shown(tmp_path: Path) -> None:
    assert load_preview(saved(tmp_path, gradient().convert("CMYK"), "x.jpg"), 20, 20).width == 20


@pytest.mark.parametrize(("size", "box", "expected"), [((1, 1), (60, 58), (58, 58)), ((3000, 1), (60, 58), (60, 1))])
def test_the_smallest_and_the_longest_images(
    tmp_path: Path, size: tuple[int, int], box: tuple[int, int], expected: tuple[int, int]
) -> None:
    found = load_preview(saved(tmp_path, Image.new("L", size, 77)), *box)
    assert (found.width, found.height) == expected == fitted(*size, *box)
    assert set(found.pixels) == {77}


def claims(width: int, height: int) -> bytes:
    """A PNG with right checksums whose header promises more pixels than it holds."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return PNG_SIGNATURE + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


UNUSABLE = {
    "empty": (b"", "empty"),
    "gif": (b"GIF89a", "neither PNG nor JPEG"),
    "cut png": (png_bytes()[:-60], "damaged or cut off"),
    "png header": (png_bytes()[:40], "damaged or cut off"),
    "half a png header": (png_bytes()[:10], "damaged or cut off"),
    "cut jpeg": (jpeg_bytes()[:-200], "damaged or cut off"),
    "jpeg header": (jpeg_bytes()[:30], "damaged or cut off"),
    "bomb": (claims(60_000, 60_000), "60000 x 60000 pixels are too many"),
    "largest bomb": (claims(2**31 - 1, 2**31 - 1), "too many"),
    "fewer pixels than claimed": (claims(300, 300), "damaged or cut off"),
    "no pixels": (claims(0, 0), "damaged or cut off"),
}


@pytest.mark.parametrize(("data", "reason"), UNUSABLE.values(), ids=UNUSABLE)
def test_a_file_that_is_no_whole_image_is_refused_with_the_reason(tmp_path: Path, data: bytes, reason: str) -> None:
    with pytest.raises(DataError) as caught:
        load_preview(written(tmp_path, data), 60, 60)
    assert caught.value.reason
    assert reason in caught.value.reason
    assert caught.value.next_step


def test_damaged_bytes_anywhere_never_raise_anything_else(tmp_path: Path) -> None:
    for name, sound in (("x.png", png_bytes(3)), ("x.jpg", jpeg_bytes(3))):
        for place in range(0, len(sound), 7):
            broken = bytearray(sound)
            broken[place] ^= 0xFF
            file = written(tmp_path, bytes(broken), name)
            try:
                found = load_preview(file, 20, 20)
            except DataError as error:
                assert error.reason
            else:
                assert len(found.pixels) == found.width * found.height * (3 if found.colour else 1)


def test_no_warning_of_pillow_reaches_the_screen(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    transparent = gradient().convert("P")
    transparent.info["transparency"] = bytes(range(256))
    load_preview(saved(tmp_path, transparent), 20, 20)
    with pytest.raises(DataError):
        load_preview(written(tmp_path, claims(10_000, 10_000)), 20, 20)
    assert [str(each.message) for each in recwarn] == []


def test_a_large_jpeg_is_decoded_at_a_reduced_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_DECODED_PIXELS", 50_000)
    assert load_preview(saved(tmp_path, gradient(800, 600), "x.jpg"), 60, 60).width == 60
    with pytest.raises(DataError, match="cannot be shown"):
        load_preview(saved(tmp_path, gradient(800, 600), "x.png"), 60, 60)


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "loop.png").symlink_to("loop.png")
    sparse = tmp_path / "huge.png"
    with sparse.open("wb") as stream:
        stream.truncate(MAX_FILE_BYTES + 1)
    expected = {"pipe.png": "regular", "none.png": "missing", "loop.png": "symbolic", "huge.png": "MiB", ".": "regular"}
    for name, reason in expected.items():
        with pytest.raises(DataError) as caught:
            load_preview(tmp_path / name, 20, 20)
        assert reason in caught.value.reason


@pytest.mark.parametrize("box", [(0, 5), (5, 0), (-1, 5), (5, 100_000)])
def test_an_impossible_box_is_an_error_of_the_caller(tmp_path: Path, box: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="pixels"):
        load_preview(written(tmp_path, png_bytes()), *box)


# ----- the loader


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that the loader decodes."""
    seen: list[str] = []

    def count(file: Path, width: int, height: int, mode: PreviewMode) -> Preview:
        seen.append(file.name)
        return load_preview(file, width, height, mode)

    monkeypatch.setattr("engine.data.preview_loader.load_preview", count)
    return seen


def test_recent_previews_are_decoded_once(tmp_path: Path, decoded: list[str]) -> None:
    file = written(tmp_path, png_bytes())
    loader = PreviewLoader()
    assert loader.cached(file, 20, 20) is None
    first = loader.get(file, 20, 20)
    assert loader.get(file, 20, 20) is first is loader.cached(file, 20, 20, "stretched")
    assert decoded == ["x.png"]
    assert loader.get(file, 20, 20, "raw") is not first
    assert loader.get(file, 30, 30) is not first
    assert len(decoded) == 3


def test_the_previews_used_longest_ago_go_first(tmp_path: Path, decoded: list[str]) -> None:
    files = [written(tmp_path, png_bytes(number), f"{number}.png") for number in range(4)]
    loader = PreviewLoader(capacity=3)
    for file in (*files[:3], files[0], files[3]):
        loader.get(file, 20, 20)
    assert [loader.cached(file, 20, 20) is not None for file in files] == [True, False, True, True]


def test_large_previews_are_bounded_by_their_bytes(tmp_path: Path) -> None:
    files = [written(tmp_path, png_bytes(number), f"{number}.png") for number in range(4)]
    loader = PreviewLoader(max_bytes=2 * 40 * 30)
    for file in files:
        loader.get(file, 40, 40)
    assert [loader.cached(file, 40, 40) is not None for file in files] == [False, False, True, True]
    assert loader.get(files[0], 400, 400).width == 400, "one that is too large for the cache is shown all the same"


def test_a_file_that_changes_is_decoded_again_and_one_that_goes_is_missed(tmp_path: Path, decoded: list[str]) -> None:
    file = written(tmp_path, png_bytes(1))
    loader = PreviewLoader()
    first = loader.get(file, 20, 20)
    written(tmp_path, png_bytes(90, width=41))
    assert loader.get(file, 20, 20) != first
    assert len(decoded) == 2
    file.unlink()
    with pytest.raises(DataError):
        loader.get(file, 20, 20)


def test_several_threads_may_ask_at_once(tmp_path: Path) -> None:
    files = [written(tmp_path, png_bytes(number), f"{number}.png") for number in range(12)]
    loader = PreviewLoader(capacity=5)
    expected = {file: load_preview(file, 20, 20) for file in files}
    wrong: list[Path] = []

    def ask(order: Callable[[list[Path]], list[Path]]) -> None:
        for _ in range(10):
            wrong.extend(file for file in order(files) if loader.get(file, 20, 20) != expected[file])

    threads = [
        threading.Thread(target=ask, args=(order,)) for order in (list, lambda all_: all_[::-1], lambda all_: all_[::2])
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_neither_pillow_nor_numpy_is_loaded_before_the_first_image_nor_numpy_after() -> None:
    code = """
import sys, tempfile, pathlib
sys.path.insert(0, "tests/engine")
import engine.data.preview, engine.data.preview_loader
assert not {"PIL", "numpy"} & set(sys.modules)
from data_helpers import png_bytes
file = pathlib.Path(tempfile.mkdtemp()) / "x.png"
file.write_bytes(png_bytes())
print(engine.data.preview_loader.PreviewLoader().get(file, 20, 20).width, "numpy" in sys.modules)
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert out.stdout.split() == ["20", "False"], out.stderr
