"""The `sonotune` command: its options, its sub-commands, and how errors reach the user."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from engine import __version__
from engine.cli import (
    annotating,
    asking,
    bench,
    cases,
    coherence,
    comparing,
    control,
    data,
    db,
    demo,
    doctor,
    exporting,
    launching,
    predictions,
    preflight,
    queueing,
    reading,
    scores,
    studies,
    worker,
)
from engine.cli.console import RESEARCH_NOTE, report_error, say
from engine.cli.entry import GlobalOptions
from engine.errors import SonotuneError

TYPER_INTERRUPTED = 130
"""Exit code that typer makes of ctrl+c, without a word."""

app = typer.Typer(
    name="sonotune",
    help=f"Fine-tune Qwen3-VL on ultrasound questions, and know what the results are worth. {RESEARCH_NOTE}",
    no_args_is_help=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    add_completion=False,
)
for part in (
    demo,
    data,
    db,
    launching,
    preflight,
    studies,
    predictions,
    reading,
    asking,
    scores,
    cases,
    coherence,
    comparing,
    exporting,
    control,
    queueing,
    annotating,
    worker,
    doctor,
    bench,
):
    part.register(app)


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"sonotune {__version__}\n")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def sonotune(
    context: typer.Context,
    workspace: Annotated[
        Path | None,
        typer.Option("--workspace", "-w", help="Folder with runs.db, datasets/ and outputs/ [default: here]."),
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True)] = False,
) -> None:
    """Without a sub-command: the workbench; where the terminal cannot show it, what is going on in this workspace."""
    del version  # handled before anything else
    context.obj = GlobalOptions(workspace, debug)
    if context.invoked_subcommand is None:
        reading.overview(context)


def run(arguments: list[str]) -> int:
    """Run the command and return its exit code; a traceback is only shown with --debug."""
    try:
        # Standalone: typer itself reports wrong words (2), in whatever click it has inside.
        app(arguments, prog_name="sonotune")
    except SystemExit as end:
        return _interrupted() if end.code == TYPER_INTERRUPTED else _code(end)
    except KeyboardInterrupt:
        return _interrupted()
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our output has gone; Python would complain about it at exit
        return 1
    except Exception as error:  # noqa: BLE001 - the last resort: no user shall meet a bare traceback
        return tell_error(error, debug="--debug" in arguments)
    return 0


def tell_error(error: Exception, *, debug: bool) -> int:
    """Tell the user of the exception that is being handled, and return the exit code."""
    told = _as_told(error)
    report_error(told, debug=debug)
    return told.exit_code


def _as_told(error: Exception) -> SonotuneError:
    if isinstance(error, SonotuneError):
        return error
    step = "Run `sonotune --debug ...` again to see where it happened."
    if isinstance(error, OSError):
        return SonotuneError(f"{error.filename or 'The system'}: {error.strerror or error}", next_step=step)
    return SonotuneError("sonotune has met an error of its own", f"{type(error).__name__}: {error}", step)


def _interrupted() -> int:
    say("Interrupted. Runs that were queued or started go on: `sonotune runs`.")
    return 1


def _code(end: SystemExit) -> int:
    return end.code if isinstance(end.code, int) else int(end.code is not None)
