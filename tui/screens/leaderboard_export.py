"""The leaderboard as a file: what it is called, and how it gets to the disk whole or not at all."""

from __future__ import annotations

import errno
import os
import re
import secrets
from pathlib import Path
from typing import Literal

from engine import api

Form = Literal["csv", "markdown"]
_FORMS: dict[str, Form] = {".csv": "csv", ".md": "markdown"}
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)
"""What file systems without links answer."""
_NO_NAME = re.compile(r"[^\w.-]+")


def default_name(group: api.BoardGroup) -> str:
    """`leaderboard-phantoms-Q7-test.csv`; whatever is no part of a file name becomes `_`."""
    parts = (_NO_NAME.sub("_", part)[:60] for part in (group.dataset, group.question, group.split))
    return f"leaderboard-{'-'.join(parts)}.csv"


def form_of(typed: str) -> Form | None:
    """What a file of that name holds; None where its ending says neither."""
    return _FORMS.get(Path(typed.strip()).suffix.lower())


def wrong_with(typed: str) -> str:
    """What is wrong with a name as typed; "" where nothing is."""
    if not typed.strip():
        return "A file needs a name."
    if "\0" in typed or form_of(typed) is None:
        return "The name must end in .csv or .md: that decides what is written."
    return ""


def target(workspace: api.Workspace, typed: str) -> Path:
    """The file that was typed: seen from the workspace, unless it begins at the root or at the home folder."""
    name = Path(typed.strip())
    return workspace.root / (name.expanduser() if name.parts[0] == "~" else name)


def write_export(file: Path, board: api.Board, form: Form, *, overwrite: bool) -> bool:
    """Write a board as CSV or Markdown; see `write_text`."""
    return write_text(file, api.export_board(board, form), overwrite=overwrite)


def write_text(file: Path, text: str, *, overwrite: bool) -> bool:
    """Write a file, whole or not at all.

    Args:
        file: where; only this name is touched, and a link is replaced, not followed.
        text: what it holds.
        overwrite: replace what is there.

    Returns:
        False where something is there and must not be replaced.

    Raises:
        SonotuneError: the file can't be written.
    """
    try:
        if not overwrite and file.is_symlink():
            return False
        if file.is_dir() and not file.is_symlink():
            raise IsADirectoryError(errno.EISDIR, "it is a folder")
        return _write(file, text.encode(), overwrite)
    except OSError as error:
        raise api.SonotuneError(
            f"{api.one_line(file)} can't be written",
            f"{error.strerror or error}.",
            "Give another name, or make its folder first.",
        ) from error


def _write(file: Path, data: bytes, overwrite: bool) -> bool:
    aside = file.with_name(f".sonotune-{secrets.token_hex(8)}")
    try:
        with aside.open("xb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        if overwrite:
            aside.replace(file)
            return True
        return _put_in_place(aside, file)
    finally:
        aside.unlink(missing_ok=True)


def _put_in_place(aside: Path, file: Path) -> bool:
    """Give a file its name unless somebody else has it: a link fails then, a renaming would not."""
    try:
        file.hardlink_to(aside)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if file.exists():
            return False
        aside.replace(file)
    return True
