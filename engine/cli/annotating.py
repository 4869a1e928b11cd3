"""`sonotune rename|tag|note`: what people attach to runs."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Annotated

import typer

from engine import api
from engine.cli.console import output, print_json, say, shown
from engine.cli.options import AsJson, RunArgument, workspace_of


def register(app: typer.Typer) -> None:
    """Add the sub-commands."""
    app.command()(rename)
    app.command()(tag)
    app.command()(note)


def rename(
    context: typer.Context,
    run: RunArgument,
    name: Annotated[str, typer.Argument(help="Its new name; its folder stays.")],
) -> None:
    """Give a run another name."""
    output.print(shown(api.rename_run(workspace_of(context), run, name)), soft_wrap=True)


def tag(
    context: typer.Context,
    run: RunArgument,
    add: Annotated[list[str] | None, typer.Argument(metavar="[TAG]...", help="Tags to add.")] = None,
    remove: Annotated[list[str] | None, typer.Option("--remove", help="A tag to take away; may be repeated.")] = None,
    as_json: AsJson = False,
) -> None:
    """Add tags to a run and take others away; without tags, list those that it has."""
    workspace = workspace_of(context)
    if add or remove:
        tags = api.tag_run(workspace, run, add or (), remove or ())
    else:
        tags = api.run_details(workspace, run).tags
    if as_json:
        print_json(tags)
    elif tags:
        output.print(shown(", ".join(tags)), soft_wrap=True)
    else:
        say("It has no tags. `sonotune tag RUN TAG` adds one.")


def note(
    context: typer.Context,
    run: RunArgument,
    text: Annotated[str | None, typer.Argument(help="What to note; without it, notes are listed.")] = None,
    as_json: AsJson = False,
) -> None:
    """Attach a note to a run, or list its notes."""
    workspace = workspace_of(context)
    if text is not None:
        api.add_note(workspace, run, text)
    found = api.notes(workspace, run)
    if as_json:
        print_json([asdict(each) for each in found])
    elif text is not None:
        output.print(shown(f"Noted; the run has {len(found)} note{'s' if len(found) > 1 else ''} now."))
    elif found:
        print_notes(found)
    else:
        say("It has no notes. `sonotune note RUN TEXT` adds one.")


def print_notes(found: list[api.Note]) -> None:
    """Notes with their time, further lines indented."""
    for each in found:
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(each.time))
        output.print(shown(f"  {when}  " + each.text.replace("\n", "\n      ")), soft_wrap=True)
