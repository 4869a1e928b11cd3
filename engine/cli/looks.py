"""`sonotune data looks`: the test-set ledger, who looked at a test split, when and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Annotated

import typer

from engine import api
from engine.cli.console import new_table, output, print_json, say, shown
from engine.cli.options import AsJson, workspace_of
from engine.workspace import Workspace


def register(group: typer.Typer) -> None:
    """Add the command to the group `data`."""
    group.command()(looks)


def looks(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the dataset.")],
    as_json: AsJson = False,
) -> None:
    """Show every look at the test split: each one that guides a decision makes the next one worth less."""
    found = api.looks(workspace_of(context), name)
    if as_json:
        print_json({"dataset": name, "present": _present(found), "looks": [asdict(look) for look in found]})
        return
    if found:
        table = new_table("time", "run", "question", "split", "purpose")
        for look in found:
            run = look.name if look.run is None else f"{look.run} {look.name}"
            split = "present" if look.current else f"old {look.split_fingerprint[:8]}"
            table.add_row(*(shown(cell) for cell in (_time(look.time), run, look.question, split, look.purpose)))
        output.print(table)
    output.print(shown(looks_line(name, found)), soft_wrap=True)
    if len(found) > _present(found):
        say("Looks at an old split count for figures on that split alone.")


def print_looks_line(workspace: Workspace, name: str, as_json: bool) -> None:
    """One line for `data show`; the ledger as JSON is `data looks --json`."""
    if not as_json:
        output.print(shown(looks_line(name, api.looks(workspace, name))), soft_wrap=True)


def looks_line(name: str, found: Sequence[api.Look]) -> str:
    """How often the present test split has been looked at, and the latest reason; untrusted text.

    Args:
        name: of the dataset.
        found: its ledger, oldest look first.
    """
    count = _present(found)
    if not count:
        return f"test split of {name}: not looked at yet"
    last = next(look for look in reversed(found) if look.current)
    return f"test split of {name}: looked at {'once' if count == 1 else f'{count:,} times'}, last for: {last.purpose}"


def _present(found: Sequence[api.Look]) -> int:
    return sum(look.current for look in found)


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M")
