"""Where study files lie: `assets/studies` of the workspace or of the repository, or any path."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

from engine.errors import UsageError
from engine.recipe.presets import existing_file, named_files
from engine.recipe.text import clean


def study_files(workspace_root: Path) -> dict[str, Path]:
    """Study files by name, sorted; those of the workspace hide those of the repository."""
    return named_files("studies", workspace_root)


def find_study(name_or_path: str | Path, workspace_root: Path) -> Path:
    """The file of a study: by name, or a path from the current directory or from the workspace.

    Raises:
        UsageError: there is no such file; the message has the studies that exist.
    """
    given = str(name_or_path)
    known = study_files(workspace_root)
    if given in known:
        return known[given]
    file = existing_file(given, workspace_root)
    if file is not None:
        return file
    near = get_close_matches(given[:100], known, n=1)
    raise UsageError(
        f"There is no study {clean(given)}",
        f"Studies: {', '.join(known) or 'none'}.",
        f"Did you mean {near[0]}?" if near else "Write one by copying a file of assets/studies into your workspace.",
    )
