"""The disk of a workspace while a job runs."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

from engine.jobs.disk import LOW_DISK, DiskWatch


def test_a_disk_that_runs_full_is_told_of_once_and_its_recovery_too(tmp_path: Path) -> None:
    told: list[tuple[str, str]] = []
    free = [500]
    watch = DiskWatch(tmp_path, lambda *words: told.append(words), low_bytes=100, free=lambda _folder: free[0])
    for free[0] in (500, 99, 50, 101, 99, 124, 125, 500, 99):
        watch.look()
    assert [kind for kind, _ in told] == [LOW_DISK] * 3
    assert ["free again" in detail for _, detail in told] == [False, True, False]


def test_a_folder_that_is_not_there_yet_is_asked_about_by_its_parent(tmp_path: Path) -> None:
    watched: list[tuple[str, str]] = []
    DiskWatch(tmp_path / "later" / "still", lambda *words: watched.append(words), low_bytes=2**62).look()
    assert len(watched) == 1
    assert shutil.disk_usage(tmp_path).free > 0


def test_a_disk_that_does_not_answer_does_not_end_the_heartbeat(tmp_path: Path) -> None:
    def broken(_folder: Path) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    told: list[tuple[str, str]] = []
    DiskWatch(tmp_path, lambda *words: told.append(words), free=broken).look()
    assert not told
