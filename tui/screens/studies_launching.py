"""Launching a study and writing its report, in a thread: what was done comes back as a sentence."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Sequence
from multiprocessing import resource_tracker

from engine import api
from tui.screens.studies_model import StudyRow
from tui.text import counted

SECONDS_BETWEEN = 0.2
"""Progress is told no more often: each time is a line that has to reach the terminal."""


def launch_words(workspace: api.Workspace, row: StudyRow, arms: Sequence[str], tell: Callable[[str], None]) -> str:
    """Queue what is missing of a study, draw its phantoms before where they are missing, and say what was done.

    Args:
        workspace: where.
        row: the study at its scale.
        arms: only these; empty for all that are not optional.
        tell: told how the drawing goes on; called in this thread, and ends it by raising.

    Raises:
        SonotuneError: nothing was queued; it says why.
    """
    told = float("-inf")

    def progress(done: int, total: int) -> None:
        nonlocal told
        now = time.monotonic()
        if now - told >= SECONDS_BETWEEN or done == total:
            told = now
            tell(f"Drawing the phantoms of {row.title}: {done:,} of {total:,}")

    ready_for_processes()
    return launched_words(api.launch_study(workspace, row.name, scale=row.scale, arms=arms, progress=progress))


def ready_for_processes() -> None:
    """See to it that pools of processes can be started, as for drawing phantoms.

    Python first starts a process that tracks their resources, and hands it the descriptor of standard error. Textual
    has put something without a descriptor in its place, at which Python gives up.
    """
    if sys.__stderr__ is not None:
        with contextlib.redirect_stderr(sys.__stderr__):
            resource_tracker.ensure_running()


def launched_words(done: api.StudyLaunched) -> str:
    """What a launch has done, in a sentence or two."""
    if not done.anything:
        return f"{done.study}: nothing is missing, so nothing was queued."
    parts = [counted(len(done.queued), "run") + " queued"] if done.queued else []
    parts += [f"{len(done.resumed)} resumed"] if done.resumed else []
    parts += [f"{len(done.reused)} reused"] if done.reused else []
    parts += [f"{len(done.waiting)} on the way already"] if done.waiting else []
    measured = len(done.evaluations) + len(done.references)
    parts += [f"{counted(measured, 'evaluation')} queued, controls and reference rows included"] if measured else []
    sentences = [f"{done.study}: {', '.join(parts)}."]
    if done.looks_before is not None:
        sentences.append(f"The test split had been looked at {counted(done.looks_before, 'time')} before.")
    return " ".join([*sentences, *done.warnings])


def report_words(workspace: api.Workspace, row: StudyRow) -> str:
    """Work out what a study has come to, write its report, and say where it is.

    Raises:
        SonotuneError: nothing is measured yet, or the files can't be written.
    """
    result = api.study_result(workspace, row.name, row.scale)
    definition = api.study_definition(workspace, row.name, result.scale)
    done = api.export_study(workspace, result, definition=definition)
    unfinished = "" if result.complete else " The study is not complete, and every page of it says so."
    return f"{done.markdown}\n{done.html}\n{counted(len(done.plots), 'plot')} beside them.{unfinished}"
