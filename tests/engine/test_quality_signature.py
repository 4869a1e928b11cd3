from __future__ import annotations

import hashlib
import os

import numpy as np
import pytest
from data_helpers import png_bytes, write_image
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter
from quality_helpers import encoded, phantom, signed
from scipy.fft import dctn

from engine.data.quality.signature import CHANGED, Signature, perceptual_hash, sign_bytes, sign_image


def hash_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_the_perceptual_hash_is_that_of_the_textbook():
    pixels = np.asarray(phantom(3).resize((32, 32)), np.uint8)
    low = dctn(pixels.astype(float), norm="ortho")[:8, :8].ravel()
    bits = "".join("1" if value > np.median(low) else "0" for value in low)
    assert perceptual_hash(pixels) == int(bits, 2)


def test_brightness_contrast_and_size_are_those_of_the_picture():
    image = phantom(4)
    found = signed(image)
    pixels = np.asarray(image, float)
    assert (found.width, found.height, found.fault) == (96, 96, None)
    assert found.mean == pytest.approx(pixels.mean())
    assert found.deviation == pytest.approx(pixels.std())
    assert len(found.thumbnail) == 32 * 32


def test_a_blurred_picture_is_less_sharp_and_a_larger_one_is_not():
    image = phantom(5, 192)
    sharp = signed(image).sharpness
    assert signed(image.filter(ImageFilter.GaussianBlur(2))).sharpness < 0.6 * sharp
    middle = image.resize((256, 256))
    twice = middle.resize((512, 512), Image.Resampling.NEAREST)
    assert signed(twice).sharpness == pytest.approx(signed(middle).sharpness)


@pytest.mark.parametrize(
    ("size", "tiny"), [((64, 64), False), ((63, 400), True), ((400, 63), True), ((1, 1), True), ((2, 90), True)]
)
def test_a_side_below_64_pixels_is_tiny(size, tiny):
    assert signed(Image.new("L", size, 90)).tiny is tiny


@pytest.mark.parametrize("level", [0, 128, 255])
def test_one_grey_level_is_blank(level):
    found = signed(Image.new("L", (80, 80), level))
    assert found.blank
    assert not signed(phantom(6)).blank


def test_colour_transparency_and_sixteen_bits_are_read_as_grey():
    grey = phantom(7)
    deep = Image.fromarray(np.asarray(grey, np.uint16) * 257)
    for other in (grey.convert("RGB"), grey.convert("RGBA"), deep, grey.convert("P")):
        found = signed(other)
        assert found.mean == pytest.approx(signed(grey).mean, abs=1)
        assert found.phash == signed(grey).phash


def test_a_file_that_is_not_the_one_of_the_import_has_no_signature(tmp_path):
    data = encoded(phantom(8))
    write_image(tmp_path, "Femur/1.png", data)
    assert isinstance(sign_image(tmp_path, "Femur/1.png", hash_of(data)), Signature)
    assert sign_image(tmp_path, "Femur/1.png", "0" * 64) == CHANGED
    assert "missing" in sign_image(tmp_path, "Femur/2.png", "0" * 64)
    os.mkfifo(tmp_path / "Femur" / "pipe.png")
    assert "not a regular file" in sign_image(tmp_path, "Femur/pipe.png", "0" * 64)
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "out.png").symlink_to(tmp_path / "Femur" / "1.png")
    assert "out of the image root" in sign_image(tmp_path / "root", "out.png", hash_of(data))


def test_damaged_content_is_a_fault_and_not_an_exception():
    whole = encoded(phantom(9))
    for data in (whole[: len(whole) // 2], whole[:50] + bytes(60) + whole[110:], b"", b"GIF89a" + bytes(50)):
        found = sign_bytes(data, hash_of(data))
        assert found.fault is not None
        assert found.fault.startswith("cannot be decoded")
        assert not found.tiny
        assert not found.blank


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 4000), st.binary(min_size=1, max_size=20))
def test_no_bytes_make_it_raise(at, junk):
    data = bytearray(png_bytes(3, 70, 70))
    data[at % len(data) : at % len(data) + len(junk)] = junk
    found = sign_bytes(bytes(data), "x")
    assert (found.fault is None) == (len(found.thumbnail) == 1024)
