"""The last words on the shell's screen: what goes on without us, and what went wrong."""

from __future__ import annotations

import os
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from engine.api import SonotuneError, Workspace, plain

if TYPE_CHECKING:
    from engine.api import Overview
    from tui.app import Workbench
    from tui.guard import Guard


def farewell(app: Workbench, guard: Guard, *, debug: bool = False) -> int:
    """Say the last words of a workbench that has ended, and return the exit code; the terminal is the shell's again."""
    if guard.gone:
        os._exit(guard.code)  # nobody is there to read what Python would still flush
    error = app._exception
    if error is None:
        tell(app.last_words() or _asked_at_last(app))
        return guard.code or app.return_code or 0
    told = report_of(error, app.workspace, debug=debug)
    tell(plain("\n".join([*([traceback_of(error)] if debug else []), str(told), app.last_words()])).rstrip())
    return 1


def _asked_at_last(app: Workbench) -> str:
    """The same for somebody who left before the first answer had come; records in trouble are not waited for."""
    if app.overview is not None or app.trouble is not None:
        return ""
    from engine.api import Live

    live = Live(app.workspace)
    try:
        return what_goes_on(live.overview())
    except SonotuneError as trouble:
        return f"Whether runs keep going is not known: {plain(str(trouble))}"
    finally:
        live.close()


def what_goes_on(overview: Overview | None) -> str:
    """A sentence on the runs that outlive the workbench; "" where there are none."""
    count = 0 if overview is None else overview.running
    if not count:
        return ""
    return f"{count} run{'s keep' if count > 1 else ' keeps'} going; `sonotune` brings you back."


def report_of(error: BaseException, workspace: Workspace, *, debug: bool = False) -> SonotuneError:
    """What a user is told of an error that has ended the workbench.

    The traceback of a fault of the program goes into a file under outputs/ that the next step names; with `debug` it
    is meant to be shown instead (see `traceback_of`), and no file is written.
    """
    error = _cause_of(error)
    if isinstance(error, SonotuneError):
        return error
    reason = f"{type(error).__name__}: {error}".rstrip(": ")
    title = "The workbench has met an error of its own"
    again = "Runs are not touched by it; `sonotune` opens the workbench again."
    if debug:
        return SonotuneError(title, reason, f"{again} Please report it with the lines above.")
    try:
        file = _keep_traceback(error, workspace)
    except OSError as trouble:
        step = f"{again} `sonotune --debug` shows where it happens ({workspace.outputs}: {trouble.strerror})."
        return SonotuneError(title, reason, step)
    return SonotuneError(title, reason, f"{again} Please report it with {file}.")


def traceback_of(error: BaseException) -> str:
    """The traceback, without control characters: a run's name may be in it."""
    return plain("".join(traceback.format_exception(_cause_of(error))))


def tell(text: str) -> None:
    """Write to standard error; where nobody reads it any more, that is no error."""
    if text and sys.__stderr__ is not None:
        try:
            sys.__stderr__.write(f"{text}\n")
            sys.__stderr__.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stderr__.fileno())  # else Python tries again at its end


def _cause_of(error: BaseException) -> BaseException:
    """The error itself, where Textual has wrapped that of a thread."""
    from textual.worker import WorkerFailed

    return error.error if isinstance(error, WorkerFailed) else error


def _keep_traceback(error: BaseException, workspace: Workspace) -> Path:
    """Write the traceback to a new file of its owner alone."""
    from importlib.metadata import version

    workspace.outputs.mkdir(parents=True, exist_ok=True)
    file = workspace.outputs / time.strftime(f"workbench-error-%Y%m%d-%H%M%S-{os.getpid()}.txt")
    versions = f"sonotune {version('sonotune')}, textual {version('textual')}, Python {sys.version}"
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(f"{versions}\n\n{traceback_of(error)}")
    return file
