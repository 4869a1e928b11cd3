from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from engine.files import free_bytes, sha256_of, write_whole


def content(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_a_file_is_replaced_as_a_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "recipe.toml"
    write_whole(file, "old")

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched, pytest.raises(OSError, match="No space"):
        patched.setattr(os, "fsync", full)
        write_whole(file, "new")
    assert content(tmp_path) == {"recipe.toml": "old"}
    write_whole(file, "new")
    assert content(tmp_path) == {"recipe.toml": "new"}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_the_room_of_a_folder_that_is_not_there_yet_is_that_of_its_parent(tmp_path: Path) -> None:
    assert free_bytes(tmp_path / "later" / "still") > 0


def test_a_hash_is_that_of_all_bytes(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_bytes(b"abc")
    assert sha256_of(file) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
