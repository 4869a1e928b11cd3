"""What sonotune writes is for its owner alone: names of patients may stand in it, and adapters are worth weeks."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

OTHERS = 0o077
"""Bits of the group and of everybody else."""


def keep_files_private() -> None:
    """From now on this process makes files and folders that nobody else can read; to be called where one starts.

    Whoever wants to share a workspace gives access to what is there (`chmod`, `setfacl`); what exists stays as it is.
    """
    os.umask(os.umask(OTHERS) | OTHERS)


def readable_by_others(folder: Path, limit: int = 1000) -> Iterator[Path]:
    """Files and folders under `folder`, itself included, that somebody else may read or write; at most `limit`.

    Links are not followed: what they lead to is not the workspace's.
    """
    count = 0
    for path in (folder, *_below(folder)):
        try:
            mode = path.lstat().st_mode
        except OSError:
            continue  # gone meanwhile
        if not stat.S_ISLNK(mode) and mode & OTHERS:
            yield path
            count += 1
            if count >= limit:
                return


def _below(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            yield Path(parent) / name
