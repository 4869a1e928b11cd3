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
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from engine.errors import DataError
from engine.reporting.rendering import FILES, JSON, PLOTS
from engine.reporting.tables import MADE_BY

LARGEST_JSON = 200_000_000
"""Bytes; a larger file is no report of ours."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of report: a folder with one kind is never taken for a folder with the other."""

    made_by: str
    """As its JSON says it."""
    names: frozenset[str]
    """Files that it may consist of; its JSON, `rendering.JSON`, can name others that it has written into `plots`."""
    option: str
    """Of the command that writes it: names another folder."""


RANKING = Kind(MADE_BY, frozenset(FILES), "--out")
"""The report of a ranking."""


def write_report(folder: Path, files: Mapping[str, bytes], *, replace: bool = False, kind: Kind = RANKING) -> None:
    """Write the files of a report into `folder`, which is made where it is missing.

    Args:
        folder: where to.
        files: content by name (`rendering.render`).
        replace: also into a folder that has files of others, or a report that somebody has changed; files that are no
            part of a report stay as they are in any case.
        kind: which report it is.

    Raises:
        DataError: the folder has such files and `replace` is not given, or it can't be written.
    """
    with _explained(folder, kind):
        _write(folder.resolve(), files, replace=replace, kind=kind)


def require_free(folder: Path, *, replace: bool = False, kind: Kind = RANKING) -> None:
    """Refuse a folder that `write_report` would refuse, before a report is drawn for it.

    Raises:
        DataError: as `write_report`.
    """
    with _explained(folder, kind):
        _usable(folder.resolve(), (), replace=replace, kind=kind)


@contextmanager
def _explained(folder: Path, kind: Kind) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(
            f"The report can't be written to {folder}",
            f"{error.filename or folder}: {error.strerror or error}.",
            f"Choose another folder with {kind.option}.",
        ) from error


def _usable(target: Path, coming: Iterable[str], *, replace: bool, kind: Kind) -> set[str]:
    """Names of what is in the folder now."""
    if target.exists() and not target.is_dir():
        raise DataError(
            f"{target} is a file", "A report is a folder with several files.", f"Name a folder with {kind.option}."
        )
    there = _entries(target) if target.is_dir() else set()
    _require_ours(target, there, coming, replace=replace, kind=kind)
    return there


def _write(target: Path, files: Mapping[str, bytes], *, replace: bool, kind: Kind) -> None:
    there = _usable(target, files, replace=replace, kind=kind)
    ours = kind.names | _written(target, there, kind)
    target.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=".report-", dir=target.parent))
    try:
        _fill(staging, files)
        if there <= {*ours, PLOTS}:
            _swap(staging, target)
        else:
            _move_files(staging, target, files, there & ours)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _written(target: Path, there: set[str], kind: Kind) -> set[str]:
    """What an older report of ours has written, whatever it is called.

    Its list stands in a file that anybody can edit, so it is believed only for files that hold what it says.
    """
    sums = _recorded(target / JSON, kind) or {}
    return {name for name, value in sums.items() if value and name in there and _sum(target / name) == value}


def _entries(folder: Path) -> set[str]:
    """Names of everything in a folder and in its `plots`, relative to it."""
    found = {entry.name for entry in os.scandir(folder)}
    plots = folder / PLOTS
    if plots.is_dir() and not plots.is_symlink():
        found |= {f"{PLOTS}/{entry.name}" for entry in os.scandir(plots)}
    return found


def _require_ours(target: Path, there: set[str], coming: Iterable[str], *, replace: bool, kind: Kind) -> None:
    """Refuse a folder with files that would be lost or mixed up with ours."""
    if (target / PLOTS).is_symlink() or ((target / PLOTS).exists() and not (target / PLOTS).is_dir()):
        raise DataError(
            f"{target / PLOTS} is no folder", "Plots are written there.", f"Choose another folder with {kind.option}."
        )
    if not there or replace:
        return
    sums = _recorded(target / JSON, kind)
    if sums is None:
        raise DataError(
            f"{target} holds files that are no report",
            f"There are {_some(there)}.",
            f"Choose another folder with {kind.option}, or put the report beside them with --replace.",
        )
    ours = {*kind.names, *sums, *coming} - {JSON}
    changed = [name for name in sorted(there & ours) if _sum(target / name) != sums.get(name)]
    if changed:
        raise DataError(
            f"The report in {target} was changed by somebody",
            f"{_some(set(changed))} would be overwritten.",
            f"Choose another folder with {kind.option}, or overwrite it with --replace.",
        )


def _recorded(file: Path, kind: Kind) -> dict[str, str] | None:
    """Hashes of the files of an older report; None where this is none of ours."""
    try:
        if file.is_symlink() or file.stat().st_size > LARGEST_JSON:
            return None
        content = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(content, dict) or content.get("made_by") != kind.made_by:
        return None
    if not isinstance(content.get("files"), dict):
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


def _move_files(staging: Path, target: Path, files: Mapping[str, bytes], ours: set[str]) -> None:
    """Ours, one by one, the list of them last; a plot of an older report that has no successor goes."""
    (target / PLOTS).mkdir(exist_ok=True)
    for name in sorted(ours - {*files, PLOTS}):
        (target / name).unlink()
    for name in sorted(files, key=lambda name: name == JSON):
        (staging / name).replace(target / name)
