"""`sonotune preflight`: what a recipe will need, before it runs; on request measured, by a few real steps."""

from __future__ import annotations

import queue
from collections.abc import Sequence
from typing import Annotated

import typer

from engine import api
from engine.cli.console import output, print_json, say
from engine.cli.options import AsJson, workspace_of
from engine.cli.preflight_text import as_document, proposal_lines, proposed_command, report, verdict_style
from engine.cli.sizes import SIZE_WORDS, memory_bytes
from engine.errors import SonotuneError, UsageError

Changes = Annotated[list[str] | None, typer.Option("--set", help="Change a key, as in training.seed=7.")]
Memory = Annotated[
    str, typer.Option("--memory", metavar="SIZE", help=f"Of the card, as in {SIZE_WORDS} [default: this one's].")
]
CardName = Annotated[
    str, typer.Option("--card", metavar="NAME", help="Another card; of a known one --memory can be left out.")
]
Measure = Annotated[bool, typer.Option("--measure", help="Take a few real steps on the largest samples, and compare.")]
Force = Annotated[bool, typer.Option("--force", help="Measure also on a GPU that a job has.")]


def register(app: typer.Typer) -> None:
    """Add the sub-command."""
    app.command()(preflight)


def preflight(
    context: typer.Context,
    recipe: Annotated[str, typer.Argument(help="A preset's name, or a TOML file.")],
    changes: Changes = None,
    memory: Memory = "",
    card: CardName = "",
    measure: Measure = False,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Say whether a recipe fits the GPU, how it would run and how long.

    Exit code 0: it fits, or there is no GPU to compare with. 1: it does not fit, or it failed; --json tells them apart:
    "verdict" is fits, does_not_fit or unknown, and a failure prints no document. 2: bad usage.
    """
    if measure and (memory or card):
        raise UsageError(
            "Only this machine's card can be measured",
            "--measure takes real steps, and --memory and --card describe a card that may not be here.",
            "Leave out --measure for an estimate of another card.",
        )
    workspace, overrides = workspace_of(context), changes or []
    named = _to_name(workspace)
    loaded = api.load_recipe(api.find_recipe(recipe, workspace.root), overrides)
    found = api.preflight(workspace, loaded, memory=memory_bytes(memory), card=card)
    measured = _measured(workspace, loaded, force) if measure else None
    beside = [] if measured is None else api.beside_estimate(found, measured)
    if measured is not None:
        found = api.after_measuring(workspace, loaded, found, measured)
    if as_json:
        print_json(as_document(found, recipe, overrides, measured, named))
    else:
        output.print(report(found, measured, beside))
        lines = proposal_lines(found, recipe, overrides, named)
        for each in [*([""] if lines else []), *lines]:
            output.print(each, soft_wrap=True)  # a command that is wrapped cannot be copied
    if found.fits is False:
        raise typer.Exit(1)


def _to_name(workspace: api.Workspace) -> str:
    """The workspace as a proposed command must name it, to mean the same; "" where it is found without."""
    return "" if workspace.root == api.Workspace.find().root else str(workspace.root)


def warn_if_it_does_not_fit(
    workspace: api.Workspace, loaded: api.Recipe, recipe: str, overrides: Sequence[str], command: str = "launch"
) -> None:
    """Say whether a recipe that has been queued fits. It is an estimate, and a run that meets the end of the memory
    goes on with smaller micro-batches: so nothing is refused.

    Args:
        workspace: with the dataset.
        loaded: what was queued.
        recipe: preset or file as it was given, or the run of a clone.
        overrides: the `--set` that were given.
        command: `launch` or `clone`, for the proposal.
    """
    try:
        found = api.preflight(workspace, loaded)
    except SonotuneError as error:
        say(f"No preflight: {error.title}.", "yellow")
        return
    if found.disk_warning:
        say(found.disk_warning, "yellow")
    if found.fits is not False:
        say(api.preflight_verdict(found), "dim")
        return
    say(api.preflight_verdict(found), verdict_style(found))
    proposed = proposed_command(found, recipe, overrides, command, _to_name(workspace))
    say(
        f"It is an estimate, so the run is queued all the same. What fits by estimate: {proposed}"
        if proposed
        else "It is an estimate, so the run is queued all the same; nothing that fits was found.",
        "yellow",
    )


def _measured(workspace: api.Workspace, recipe: api.Recipe, force: bool) -> api.MemoryMeasured:
    """Measure, with a line for each part of the work; ctrl+c ends it and leaves no process behind.

    Raises:
        SonotuneError: nothing could be measured.
    """
    events: queue.SimpleQueue[api.MeasureEvent] = queue.SimpleQueue()
    measurement = api.MemoryMeasurement(workspace, recipe, deliver=events.put, forced=force)
    if measurement.note:
        say(measurement.note, "yellow")
    try:
        measurement.start()
        while True:
            event = events.get()
            if isinstance(event, api.MemoryMeasured):
                return event
            if isinstance(event, SonotuneError):
                raise event
            say(f"{api.measuring_progress(event)} ...", "dim")
    finally:
        measurement.close()
