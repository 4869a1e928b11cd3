"""`sonotune doctor`: what this machine has and what is missing."""

from __future__ import annotations

from dataclasses import asdict

import typer
from rich.table import Table

from engine import api
from engine.cli.console import output, print_json, shown
from engine.cli.options import AsJson, workspace_of


def register(app: typer.Typer) -> None:
    """Add the sub-command."""
    app.command()(doctor)


def doctor(context: typer.Context, as_json: AsJson = False) -> None:
    """Check this machine and this workspace; exit code 1 where something is missing."""
    findings = api.examine(workspace_of(context))
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        table = Table.grid(padding=(0, 2))
        for finding in findings:
            mark = shown("ok" if finding.good else "missing", "green" if finding.good else "bold red")
            table.add_row(
                mark, shown(finding.name), shown(finding.detail + (f" → {finding.mend}" if finding.mend else ""))
            )
        output.print(table)
    if not all(finding.good for finding in findings):
        raise typer.Exit(1)
