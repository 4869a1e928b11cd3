from __future__ import annotations

import hashlib
import os
import struct
import zlib

import pytest
from data_helpers import jpeg_bytes, png_bytes, write_image

from engine.data import check
from engine.data.check import ImageFacts, check_image
from engine.data.paths import RejectedError, normalise_path, view_of


@pytest.mark.parametrize(
    "data",
    [png_bytes(3), jpeg_bytes(3), jpeg_bytes(3, progressive=True), jpeg_bytes(3, exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0")],
)
def test_a_sound_image_gives_its_hash_and_size(tmp_path, data):
    write_image(tmp_path, "Femur/1.png", data)
    assert check_image(tmp_path, "Femur/1.png") == ImageFacts(hashlib.sha256(data).hexdigest(), 40, 30)


@pytest.mark.parametrize("keep", [1, 7, 8, 20, 33, 40, 60, -12, -5, -1])
def test_a_truncated_png_is_found_wherever_it_was_cut(tmp_path, keep):
    write_image(tmp_path, "Femur/1.png", png_bytes()[:keep])
    assert isinstance(check_image(tmp_path, "Femur/1.png"), str)


def test_one_changed_byte_of_png_pixels_is_found(tmp_path):
    data = bytearray(png_bytes())
    data[-30] ^= 1
    write_image(tmp_path, "Femur/1.png", bytes(data))
    assert "wrong checksum" in check_image(tmp_path, "Femur/1.png")


@pytest.mark.parametrize("cut", [1, 2, 3, 50, 300])
def test_a_jpeg_without_its_end_marker_is_truncated(tmp_path, cut):
    write_image(tmp_path, "Femur/1.jpg", jpeg_bytes()[:-cut])
    assert check_image(tmp_path, "Femur/1.jpg") == "truncated JPEG: its end marker is missing"


def test_an_end_marker_inside_a_jpeg_header_does_not_count(tmp_path):
    comment = b"\xff\xfe" + struct.pack(">H", 6) + b"\xff\xd9\xff\xd9"
    data = jpeg_bytes()
    data = data[:2] + comment + data[2:]
    write_image(tmp_path, "Femur/whole.jpg", data)
    write_image(tmp_path, "Femur/cut.jpg", data[:-2])
    assert isinstance(check_image(tmp_path, "Femur/whole.jpg"), ImageFacts)
    assert "truncated" in check_image(tmp_path, "Femur/cut.jpg")


def test_bytes_after_the_end_of_a_jpeg_are_harmless(tmp_path):
    write_image(tmp_path, "Femur/1.jpg", jpeg_bytes() + b"\0\0\0")
    assert isinstance(check_image(tmp_path, "Femur/1.jpg"), ImageFacts)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "zero bytes"),
        (b"GIF89a" + bytes(100), "neither PNG nor JPEG"),
        (b"<html>not found</html>", "neither PNG nor JPEG"),
        (png_bytes()[:33] + png_bytes()[-12:], "no image data"),
        (jpeg_bytes()[:2] + b"\xff\xd9", "neither PNG nor JPEG|no image data"),
        (b"\xff\xd8\xff\xe0\x00\x00", "impossible segment"),
        (b"\xff\xd8\xff\xe0", "truncated JPEG"),
    ],
)
def test_other_faults_are_named(tmp_path, data, reason):
    write_image(tmp_path, "Femur/1.png", data)
    assert any(part in check_image(tmp_path, "Femur/1.png") for part in reason.split("|"))


def test_a_decompression_bomb_is_refused_by_its_header(tmp_path):
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    data = bytearray(png_bytes())
    data[16:29], data[29:33] = header, struct.pack(">I", zlib.crc32(b"IHDR" + header))
    write_image(tmp_path, "Femur/1.png", bytes(data))
    assert "60000 x 60000 pixels" in check_image(tmp_path, "Femur/1.png")


def test_a_huge_file_is_refused_without_being_read_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(check, "MAX_FILE_BYTES", 100)
    write_image(tmp_path, "Femur/1.png")
    assert "larger than" in check_image(tmp_path, "Femur/1.png")


def test_what_is_no_regular_file_is_refused(tmp_path):
    (tmp_path / "Femur" / "folder.png").mkdir(parents=True)
    os.mkfifo(tmp_path / "Femur" / "pipe.png")
    assert check_image(tmp_path, "Femur/folder.png") == "not a regular file"
    assert check_image(tmp_path, "Femur/pipe.png") == "not a regular file"
    assert check_image(tmp_path, "Femur/none.png") == "the image file is missing"
    assert "cannot be reached" in check_image(tmp_path, "Femur/" + "x" * 5000)


def test_links_may_not_leave_the_root(tmp_path):
    outside = write_image(tmp_path, "outside/secret.png")
    root = tmp_path / "root"
    write_image(root, "Femur/1.png")
    (root / "Femur" / "in.png").symlink_to("1.png")
    (root / "Femur" / "out.png").symlink_to(tmp_path / outside)
    (root / "Femur" / "loop.png").symlink_to("loop.png")
    (root / "Away").symlink_to(tmp_path / "outside")
    assert isinstance(check_image(root, "Femur/in.png"), ImageFacts)
    assert check_image(root, "Femur/out.png") == "a link leads out of the image root"
    assert check_image(root, "Away/secret.png") == "a link leads out of the image root"
    assert "cannot be reached" in check_image(root, "Femur/loop.png")


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("../../etc/passwd", "leaves the image root"),
        ("Femur/../../../etc/passwd", "leaves the image root"),
        ("..\\..\\etc\\passwd", "leaves the image root"),
        ("/etc/passwd", "absolute"),
        ("\\\\server\\share\\x.png", "absolute"),
        ("C:\\images\\x.png", "absolute"),
        ("Femur/\0.png", "NUL"),
        ("Femur/\ud800.png", "not valid Unicode"),
        ("", "empty"),
        ("./", "empty"),
        (5, "not text"),
        (None, "not text"),
        (["x"], "not text"),
    ],
)
def test_paths_that_could_leave_the_root_are_rejected(path, reason):
    with pytest.raises(RejectedError) as caught:
        normalise_path(path)
    assert reason in caught.value.reason
    caught.value.item.encode("utf-8")


def test_spellings_of_one_path_are_one_image():
    assert {normalise_path(path) for path in ("Femur/1.png", "./Femur//1.png", "Femur\\1.png", "Femur/./1.png")} == {
        "Femur/1.png"
    }


def test_the_view_is_the_first_folder():
    assert view_of("Femur/deep/1.png") == "Femur"
    with pytest.raises(RejectedError, match="no view folder"):
        view_of("1.png")
