"""Putting a report into a folder, without ever losing a file that somebody else has put there or changed.

A report is complete before the first old file goes. Where the folder holds nothing but an older report, or nothing, it
is replaced as a whole by one rename; beside files of others, each of ours is replaced on its own.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from engine.errors import DataError
from engine.reporting.rendering import FILES, JSON, PLOTS
from engine.reporting.tables import MADE_BY

LARGEST_JSON = 200_000_000
"""Bytes; a larger file is no report of ours."""


def write_report(folder: Path, files: Mapping[str, bytes], *, replace: bool = False) -> None:
    """Write the files of a report into `folder`, which is made where it is missing.

    Args:
        folder: where to.
        files: content by name (`rendering.render`).
        replace: also into a folder that has files of others, or a report that somebody has changed; files that are no
            part of a report stay as they are in any case.

    Raises:
        DataError: the folder has such files and `replace` is not given, or it can't be written.
    """
    with _explained(folder):
        _write(folder.resolve(), files, replace=replace)


def require_free(folder: Path, *, replace: bool = False) -> None:
    """Refuse a folder that `write_report` would refuse, before a report is drawn for it.

    Raises:
        DataError: as `write_report`.
    """
    with _explained(folder):
        _usable(folder.resolve(), replace=replace)


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(
            f"The report can't be written to {folder}",
            f"{error.filename or folder}: {error.strerror or error}.",
            "Choose another folder with --out.",
        ) from error


def _usable(target: Path, *, replace: bool) -> set[str]:
    """Names of what is in the folder now."""
    if target.exists() and not target.is_dir():
        raise DataError(f"{target} is a file", "A report is a folder with several files.", "Name a folder with --out.")
    there = _entries(target) if target.is_dir() else set()
    _require_ours(target, there, replace=replace)
    return there


def _write(target: Path, files: Mapping[str, bytes], *, replace: bool) -> None:
    there = _usable(target, replace=replace)
    target.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=".report-", dir=target.parent))
    try:
        _fill(staging, files)
        if there <= {*FILES, PLOTS}:
            _swap(staging, target)
        else:
            _move_files(staging, target, there)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _entries(folder: Path) -> set[str]:
    """Names of everything in a folder and in its `plots`, relative to it."""
    found = {entry.name for entry in os.scandir(folder)}
    plots = folder / PLOTS
    if plots.is_dir() and not plots.is_symlink():
        found |= {f"{PLOTS}/{entry.name}" for entry in os.scandir(plots)}
    return found


def _require_ours(target: Path, there: set[str], *, replace: bool) -> None:
    """Refuse a folder with files that would be lost or mixed up with ours."""
    if (target / PLOTS).is_symlink() or ((target / PLOTS).exists() and not (target / PLOTS).is_dir()):
        raise DataError(
            f"{target / PLOTS} is no folder", "Plots are written there.", "Choose another folder with --out."
        )
    if not there or replace:
        return
    sums = _recorded(target / JSON)
    if sums is None:
        raise DataError(
            f"{target} holds files that are no report",
            f"There are {_some(there)}.",
            "Choose another folder with --out, or put the report beside them with --replace.",
        )
    changed = [
        name for name in sorted(there) if name in FILES and name != JSON and _sum(target / name) != sums.get(name)
    ]
    if changed:
        raise DataError(
            f"The report in {target} was changed by somebody",
            f"{_some(set(changed))} would be overwritten.",
            "Choose another folder with --out, or overwrite it with --replace.",
        )


def _recorded(file: Path) -> dict[str, str] | None:
    """Hashes of the files of an older report; None where this is none of ours."""
    try:
        if file.is_symlink() or file.stat().st_size > LARGEST_JSON:
            return None
        content = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(content, dict) or content.get("made_by") != MADE_BY or not isinstance(content.get("files"), dict):
        return None
    return {str(name): str(value) for name, value in content["files"].items()}


def _sum(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() and not file.is_symlink() else ""


def _some(names: set[str]) -> str:
    first = sorted(names)[:3]
    more = len(names) - len(first)
    return f"{', '.join(first)}{f' and {more} more' if more else ''}"


def _fill(folder: Path, files: Mapping[str, bytes]) -> None:
    folder.chmod(0o777 & ~_umask())  # a temporary folder is closed to others, a report need not be
    for name, content in files.items():
        file = folder / name
        file.parent.mkdir(exist_ok=True)
        with file.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())


def _umask() -> int:
    present = os.umask(0)
    os.umask(present)
    return present


def _swap(staging: Path, target: Path) -> None:
    """One rename where there is nothing; two where an older report goes out of the way first."""
    if not target.exists():
        staging.rename(target)
        return
    old = Path(tempfile.mkdtemp(prefix=".report-old-", dir=target.parent))
    try:
        target.rename(old / "report")
        try:
            staging.rename(target)
        except OSError:
            (old / "report").rename(target)
            raise
    finally:
        shutil.rmtree(old, ignore_errors=True)


def _move_files(staging: Path, target: Path, there: set[str]) -> None:
    """Ours, one by one, the list of them last; a plot of an older report that has no successor goes."""
    (target / PLOTS).mkdir(exist_ok=True)
    for name in FILES:
        if (staging / name).exists():
            (staging / name).replace(target / name)
        elif name in there:
            (target / name).unlink()
