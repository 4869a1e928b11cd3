"""What all sub-commands share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from engine.api import UsageError, Workspace


@dataclass(frozen=True, slots=True)
class Options:
    """Options that stand before the sub-command."""

    workspace: Path | None
    debug: bool


def workspace_of(context: typer.Context, create: bool = False) -> Workspace:
    """The workspace that the user means.

    Raises:
        UsageError: its folder does not exist, and this command does not write (`create` makes it).
    """
    found = Workspace.find(context.find_object(Options).workspace)  # type: ignore[union-attr]
    if create:
        found.root.mkdir(parents=True, exist_ok=True)
    elif not found.root.is_dir():
        raise UsageError(f"There is no folder {found.root}", next_step="Check --workspace, or launch something there.")
    return found


LARGEST = 10**9
"""Of numbers that a user may give: more than any workspace holds, and little enough for SQLite."""

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="Number or name of the run.")]
Wait = Annotated[bool, typer.Option("--wait", help="Show the progress and return when it has ended.")]
