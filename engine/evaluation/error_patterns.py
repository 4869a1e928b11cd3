"""Patterns of serving errors: those of the workspace where the user has written some, else the usual ones. Light."""

from __future__ import annotations

from engine.errors import DataError
from engine.questions.serving_errors import DEFAULT_PATTERNS, compile_patterns
from engine.workspace import Workspace

FILE = "error-patterns.txt"
"""In the workspace: one regular expression a line; empty lines and lines that begin with # say nothing."""


def workspace_patterns(workspace: Workspace) -> tuple[str, ...]:
    """The patterns that count in a workspace; they are part of every protocol.

    Raises:
        UsageError: a pattern is no regular expression.
        DataError: the file is there and cannot be read.
    """
    file = workspace.root / FILE
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return DEFAULT_PATTERNS
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"The patterns of serving errors in {file} cannot be read",
            getattr(error, "strerror", None) or str(error),
            "Mend the file, or move it away: the usual patterns count then.",
        ) from error
    lines = (line.strip() for line in text.splitlines())
    patterns = tuple(line for line in lines if line and not line.startswith("#"))
    compile_patterns(patterns)
    return patterns
