"""How the process of a side starts and ends: a plan comes in, a result or a failure in words goes out."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from engine.bench.plan import SidePlan, SideResult
from engine.errors import SonotuneError

MARK = ">> "
"""Begins the lines that the person in front of the screen sees; the rest goes into the log."""


Publish = Callable[[SideResult], None]
"""Takes a result that a later one may replace: what a side has where it is cut off."""


def unpublished(_result: SideResult) -> None:
    """Nobody waits for results that are not final."""


def tell(text: str) -> None:
    """Say what is being done."""
    sys.stderr.write(f"{MARK}{text}\n")
    sys.stderr.flush()


def side_main(work: Callable[[SidePlan, Publish], SideResult]) -> int:
    """Read the plan, do the work, write the result. A failure is a result too, so that the others still run.

    Results that the side published before it failed are kept: the failure then stands among what was tried.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("plan", type=Path)
    parser.add_argument("result", type=Path)
    given = parser.parse_args()
    plan = SidePlan.read(given.plan)
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    known: list[SideResult] = []

    def publish(result: SideResult) -> None:
        known.append(result)
        result.write(given.result)

    try:
        result = work(plan, publish)
    except Exception as error:  # noqa: BLE001 - the row of the table says what went wrong; the log has the traceback
        traceback.print_exc()
        why = failure_words(error)
        result = known[-1].ended_early(why) if known else SideResult(plan.side, failure=why)
    result.write(given.result)
    return 0 if result.failure is None else 1


def failure_words(error: BaseException) -> str:
    """One line for the table."""
    if isinstance(error, SonotuneError):
        return " ".join(filter(None, (error.title, error.reason)))
    if type(error).__name__ == "OutOfMemoryError":
        return f"out of memory: {first_line(error)}"
    return f"{type(error).__name__}: {first_line(error)}"


def first_line(error: BaseException) -> str:
    """The first line of an exception's text."""
    return str(error).strip().partition("\n")[0][:300]
