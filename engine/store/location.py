"""Where runs.db may lie: WAL shares memory between processes, which no network file system offers."""

from __future__ import annotations

import re
from pathlib import Path

from engine.errors import StoreError

MOUNTS = Path("/proc/mounts")
"""The kernel's list of mounted file systems; absent on systems other than Linux, where nothing is checked."""

_PLAIN = "9p afs beegfs ceph cifs davfs glusterfs gpfs lustre ncpfs nfs nfs4 orangefs smb smb3 smbfs"
_FUSE = "sshfs rclone s3fs gcsfuse glusterfs ceph juicefs davfs2 goofys mount-s3 blobfuse blobfuse2"
NETWORK_TYPES = frozenset(_PLAIN.split()) | {f"fuse.{name}" for name in _FUSE.split()}
"""File system types of /proc/mounts on which several machines may see one file."""


def file_system_type(folder: Path, mounts: str) -> str:
    """Type of the file system that holds `folder`, from the text of /proc/mounts; "" where it names none.

    The longest mount point wins, and of two at the same place the later (it hides the earlier).
    """
    best, found = -1, ""
    resolved = folder.resolve()
    for line in mounts.splitlines():
        fields = line.split()
        if len(fields) < 3:
            continue
        # The kernel writes blanks and backslashes in octal: "\\040".
        point = Path(re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), fields[1]))
        depth = len(point.parts)
        if resolved.is_relative_to(point) and depth >= best:
            best, found = depth, fields[2]
    return found


def refuse_network_file_system(database: Path) -> None:
    """Raise a StoreError where `database` would lie on a network file system; its folder must exist."""
    try:
        mounts = MOUNTS.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return  # not Linux: the check is a courtesy there is no source for
    found = file_system_type(database.parent, mounts)
    if found in NETWORK_TYPES:
        raise StoreError(
            f"{database.name} cannot lie on a network file system ({found})",
            f"{database.parent} is on {found}. Several processes write the database at once through shared memory "
            "(SQLite's WAL mode), which works on a local disk only; over a network it loses records.",
            "Choose a folder on a local disk with --workspace (datasets may stay where they are).",
        )
