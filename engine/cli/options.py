"""What all sub-commands share."""

from __future__ import annotations

from typing import Annotated

import typer

from engine.api import Workspace
from engine.cli.entry import GlobalOptions, existing_workspace


def workspace_of(context: typer.Context, create: bool = False) -> Workspace:
    """The workspace that the user means.

    Raises:
        UsageError: its folder does not exist, and this command does not write (`create` makes it).
    """
    given = context.find_object(GlobalOptions).workspace  # type: ignore[union-attr]
    if create:
        Workspace.find(given).root.mkdir(parents=True, exist_ok=True)
    return existing_workspace(given)


LARGEST = 10**9
"""Of numbers that a user may give: more than any workspace holds, and little enough for SQLite."""

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="Number or name of the run.")]
Wait = Annotated[bool, typer.Option("--wait", help="Show the progress and return when it has ended.")]
