"""What the doctor says of safety: who may read the workspace, and packages with known holes."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from engine.private_files import OTHERS, readable_by_others
from engine.safe_versions import unsafe_packages
from engine.text import one_line
from engine.workspace import Workspace

_REACH = 0o011
"""Without one of these bits on a folder, nobody else reaches what is in it."""
_COUNTED = 1000


def safety_findings(workspace: Workspace) -> list[tuple[str, bool, str, str]]:
    """For the doctor: name, whether it is good, what was found, what mends it."""
    return [_permissions(workspace), _packages()]


def _permissions(workspace: Workspace) -> tuple[str, bool, str, str]:
    if not _can_be_reached(workspace.root):
        return "privacy", True, f"nobody else reaches {one_line(workspace.root)}", ""
    open_to = [(place, list(readable_by_others(place, _COUNTED))) for place in _places(workspace)]
    found = [path for _, paths in open_to for path in paths]
    if not found:
        return "privacy", True, "what was recorded here can be read by its owner alone", ""
    count = f"{len(found)}{' or more' if len(found) >= _COUNTED else ''}"
    detail = f"others may read {count} files or folders here, such as {one_line(found[0])}"
    mend = "chmod -R go= " + " ".join(one_line(shlex.quote(str(place))) for place, paths in open_to if paths)
    return "privacy", False, detail, mend


def _can_be_reached(folder: Path) -> bool:
    """Whether somebody else may walk down to `folder`."""
    try:
        return folder.is_dir() and all(place.stat().st_mode & _REACH for place in (folder, *folder.parents))
    except OSError:
        return False


def _places(workspace: Workspace) -> list[Path]:
    """What sonotune writes into a workspace; other files in that folder are the user's own affair."""
    ours = [workspace.datasets, workspace.outputs, workspace.root / "backups"]
    with os.scandir(workspace.root) as entries:
        ours += [Path(each.path) for each in entries if each.name.startswith(("runs.db", "worker."))]
    return [place for place in ours if place.exists() and (place.lstat().st_mode & OTHERS or place.is_dir())]


def _packages() -> tuple[str, bool, str, str]:
    found = unsafe_packages()
    if found:
        return "advisories", False, "; ".join(found), "make install"
    return (
        "advisories",
        True,
        "no package that reads untrusted data is of a version with a hole that is listed here",
        "",
    )
