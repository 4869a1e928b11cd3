"""What all sub-commands share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from engine.api import Workspace


@dataclass(frozen=True, slots=True)
class Options:
    """Options that stand before the sub-command."""

    workspace: Path | None
    debug: bool


def workspace_of(context: typer.Context) -> Workspace:
    """The workspace that the user means; its folder is made where it does not exist."""
    found = Workspace.find(context.find_object(Options).workspace)  # type: ignore[union-attr]
    found.root.mkdir(parents=True, exist_ok=True)
    return found


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="Number or name of the run.")]
Wait = Annotated[bool, typer.Option("--wait", help="Show the progress and return when it has ended.")]
