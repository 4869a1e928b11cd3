"""Files that a command writes where the user says."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from engine.cli.console import say
from engine.errors import UsageError


def write_text(file: Path, text: str, what: str) -> None:
    """Write a new file, or print it for `-`; what is there already stays.

    Args:
        file: to be made.
        text: its content.
        what: it holds, in words, for the person in front of the screen.

    Raises:
        UsageError: there is a file of that name.
    """
    if str(file) == "-":
        sys.stdout.write(text)
        return
    try:
        stream = file.open("x", encoding="utf-8", newline="")
    except FileExistsError:
        raise UsageError(f"{file} is there already", "It is not replaced.", "Give another name.") from None
    try:
        with stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
    except OSError:
        file.unlink(missing_ok=True)  # half a file would look like the whole one
        raise
    say(f"{what}: {file}")
