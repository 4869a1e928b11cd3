from __future__ import annotations

import numpy as np
import pytest
from data_helpers import jpeg_bytes, png_bytes, write_image
from PIL import Image

from engine.data import images
from engine.data.images import load_image, target_size
from engine.errors import DataError


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((800, 600), (512, 384)),
        ((600, 800), (384, 512)),
        ((640, 640), (512, 512)),
        ((10, 10_000), (32, 512)),
        ((1024, 768), (512, 384)),
        ((959, 661), (512, 352)),
    ],
)
def test_the_longest_side_is_the_image_size_and_both_are_multiples_of_32(size, expected):
    assert target_size(*size, 512) == expected


@pytest.mark.parametrize("image_size", [0, 31, 33, 500, -32])
def test_an_image_size_that_the_model_would_resize_again_is_refused(image_size):
    with pytest.raises(ValueError, match="multiple of 32"):
        target_size(10, 10, image_size)


def test_grey_becomes_three_equal_channels(tmp_path):
    write_image(tmp_path, "Femur/1.png", png_bytes(5))
    image = load_image(tmp_path / "Femur/1.png", 64)
    assert (image.mode, image.size) == ("RGB", (64, 64 * 3 // 4 // 32 * 32 + 32))
    pixels = np.asarray(image)
    assert (pixels[..., 0] == pixels[..., 1]).all()
    assert (pixels[..., 0] == pixels[..., 2]).all()
    assert pixels.std() > 1


def test_sixteen_bit_grey_keeps_its_contrast(tmp_path):
    levels = np.linspace(0, 65535, 32 * 32, dtype=np.uint16).reshape(32, 32)
    Image.fromarray(levels).save(tmp_path / "deep.png")
    pixels = np.asarray(load_image(tmp_path / "deep.png", 32))[..., 0]
    assert pixels.min() == 0
    assert pixels.max() == 255
    assert 120 < pixels.mean() < 136


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK"])
def test_every_mode_becomes_rgb(tmp_path, mode):
    file = tmp_path / ("x.jpg" if mode == "CMYK" else "x.png")
    Image.linear_gradient("L").convert("RGB").convert(mode).save(file)
    assert load_image(file, 64).mode == "RGB"


def test_loading_twice_gives_the_same_pixels(tmp_path):
    write_image(tmp_path, "Femur/1.jpg", jpeg_bytes(9, 333, 222))
    first, second = (load_image(tmp_path / "Femur/1.jpg", 128) for _ in range(2))
    assert first.tobytes() == second.tobytes()


def test_the_orientation_flag_is_not_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    write_image(tmp_path, "Femur/1.jpg", jpeg_bytes(0, 64, 32, exif=exif.tobytes()))
    assert load_image(tmp_path / "Femur/1.jpg").size == (64, 32)


@pytest.mark.parametrize(
    "data", [png_bytes()[:-40], jpeg_bytes(0, 400, 300)[:-800], b"", b"no image", png_bytes()[:20]]
)
def test_a_damaged_image_raises_an_error_that_names_the_file(tmp_path, data):
    write_image(tmp_path, "Femur/broken.png", data)
    with pytest.raises(DataError) as caught:
        load_image(tmp_path / "Femur/broken.png", 64)
    assert "Femur/broken.png" in caught.value.title
    assert caught.value.next_step


def test_a_missing_image_raises_an_error_that_names_the_file(tmp_path):
    with pytest.raises(DataError, match=r"none\.png"):
        load_image(tmp_path / "none.png", 64)


def test_other_formats_are_not_opened(tmp_path):
    Image.new("L", (8, 8)).save(tmp_path / "x.bmp")
    with pytest.raises(DataError):
        load_image(tmp_path / "x.bmp")


def test_a_decompression_bomb_is_refused_before_decoding(tmp_path, monkeypatch):
    write_image(tmp_path, "Femur/1.png", png_bytes())
    monkeypatch.setattr(images, "MAX_PIXELS", 100)
    with pytest.raises(DataError, match="40 x 30 pixels"):
        load_image(tmp_path / "Femur/1.png", 64)
