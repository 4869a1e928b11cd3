"""The fault suite's skeleton: kinds of faults, tries of them side by side, and the table of what came of them."""

from __future__ import annotations

import multiprocessing
import os
import random
import re
import shutil
import signal
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Protocol


class Seen(Protocol):
    """What a try has found; `light_world.Seen` is one."""

    lost_rows: int
    """Metric points, predictions and events that had been committed (or witnessed), and are missing or changed."""
    wrong_states: int
    """Promises that were not kept: a state, a message, a damaged database, a half-written adapter taken for good."""
    resumed: bool | None
    """Whether what was broken off ended as an unbroken run does; None: there was nothing to resume."""
    seconds: float
    """From the death to the right state; the longest of the try."""
    notes: list[str]
    """What exactly was wrong."""


@dataclass(frozen=True, slots=True)
class Case:
    """One try of a kind."""

    folder: Path
    """Empty, and its own."""
    chance: random.Random
    """Everything random comes from here, so that a try can be repeated."""
    number: int
    """Which try of its kind it is; kinds go through their variants by it."""


Try = Callable[[Case], Seen]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of fault."""

    name: str
    attempt: Try
    full: int
    """Tries in the full suite."""
    short: int = 0
    """Tries in the short form, which is part of `make test`."""
    real: bool = False
    """The training or evaluation process itself suffers it, not a light job in its place."""
    limit_seconds: float = 240.0
    missing: Callable[[], str] = lambda: ""
    """Why this machine cannot run it, with the way out; "" where it can."""
    prepare: Callable[[Case], object] = lambda case: None
    """Makes what tries share; the first try of a suite does, and its time does not count."""


@dataclass(slots=True)
class Result:
    """What all tries of a kind came to."""

    kind: Kind
    tries: int = 0
    lost_rows: int = 0
    wrong_states: int = 0
    resumable: int = 0
    resumed: int = 0
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether every promise was kept."""
        return not self.lost_rows and not self.wrong_states and self.resumed == self.resumable


@dataclass(frozen=True, slots=True)
class Report:
    """What one try came to, as it is handed over between processes."""

    lost_rows: int
    wrong_states: int
    resumed: bool | None
    seconds: float
    notes: tuple[str, ...]


class OutOfTimeError(Exception):
    """A try has taken longer than its kind may."""


def carry_out(kind: Kind, number: int, seed: int, folder: Path) -> Report:
    """One try, within its time; whatever it raises is a wrong state. Its folder stays where something was wrong."""
    case_folder = folder / f"{re.sub(r'[^a-zA-Z0-9.]+', '-', kind.name)}-{number}"
    shutil.rmtree(case_folder, ignore_errors=True)
    case_folder.mkdir(parents=True)
    case = Case(case_folder, random.Random(f"{seed} {kind.name} {number}"), number)

    def out_of_time(number: int, frame: FrameType | None) -> None:
        raise OutOfTimeError(f"not done after {kind.limit_seconds:.0f} s")

    previous = signal.signal(signal.SIGALRM, out_of_time)
    try:
        kind.prepare(case)
        signal.alarm(int(kind.limit_seconds))
        seen = kind.attempt(case)
        report = Report(seen.lost_rows, seen.wrong_states, seen.resumed, seen.seconds, tuple(seen.notes))
    except Exception as error:  # noqa: BLE001 - a try that raises is one that found something
        trace = "".join(traceback.format_exception(error)[-3:])
        report = Report(0, 1, None, 0.0, (f"{type(error).__name__}: {error}\n{trace}",))
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)
    if report.lost_rows or report.wrong_states or report.resumed is False:
        where = f"{kind.name}, try {number}, seed {seed}: kept in {case_folder}"
        return Report(report.lost_rows, report.wrong_states, report.resumed, report.seconds, (where, *report.notes))
    shutil.rmtree(case_folder, ignore_errors=True)
    return report


def ends_in_order() -> None:
    """Let SIGTERM unwind this process, so that tries end what they started; forked processes do the same.

    What they start takes a hangup as usual: under `nohup` it is ignored, and a workbench that inherits that stays.
    """

    def end(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


_kinds: dict[str, Kind] = {}
"""Of the suite that runs, for the processes that are forked to carry it out."""


def _carry_out(name: str, number: int, seed: int, folder: Path) -> Report:
    try:
        return carry_out(_kinds[name], number, seed, folder)
    except (SystemExit, KeyboardInterrupt):
        os._exit(1)  # the pool would begin the next try


def run_all(
    tries: Sequence[tuple[Kind, int]], seed: int, folder: Path, side_by_side: int = 2
) -> Iterator[tuple[Result, Report]]:
    """Carry out tries of kinds, a few at a time; after each of them what its kind has come to, and it alone.

    Args:
        tries: kinds with the numbers of their tries.
        seed: of everything that is drawn.
        folder: where tries work.
        side_by_side: how many at a time.
    """
    results: dict[str, Result] = {}
    _kinds.update({kind.name: kind for kind, _ in tries})
    # Forked: kinds hold functions that cannot be pickled, and modules are imported once. No thread runs at this point.
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(side_by_side, mp_context=context, initializer=ends_in_order) as pool:
        coming = {pool.submit(_carry_out, kind.name, number, seed, folder): kind for kind, number in tries}
        try:
            for future in as_completed(coming):
                kind = coming[future]
                result = results.setdefault(kind.name, Result(kind))
                report = future.result()
                add(result, report)
                yield result, report
        except BaseException:
            _break_off(pool)
            raise


def _break_off(pool: ProcessPoolExecutor) -> None:
    """End the tries that are under way, and with them the processes that they have started; begin no other."""
    for process in multiprocessing.active_children():
        process.terminate()
    pool.shutdown(wait=False, cancel_futures=True)


def add(result: Result, report: Report) -> None:
    """Count one try."""
    result.tries += 1
    result.lost_rows += report.lost_rows
    result.wrong_states += report.wrong_states
    result.resumable += report.resumed is not None
    result.resumed += bool(report.resumed)
    result.seconds = max(result.seconds, report.seconds)
    result.notes += report.notes


HEAD = ("kind", "tries", "lost rows", "wrong states", "resumed", "slowest state")


def table(results: Iterable[Result]) -> str:
    """The results as a Markdown table, with a last line of totals."""
    rows = list(results)
    total = Result(Kind("all", lambda _: rows[0], 0))  # type: ignore[arg-type,return-value]
    for row in rows:
        total.tries += row.tries
        total.lost_rows += row.lost_rows
        total.wrong_states += row.wrong_states
        total.resumable += row.resumable
        total.resumed += row.resumed
        total.seconds = max(total.seconds, row.seconds)
    real = sum(row.tries for row in rows if row.kind.real)
    lines = [f"| {' | '.join(HEAD)} |", "|---|---|---|---|---|---|"]
    lines += [_line(row.kind.name, row) for row in rows]
    lines.append(_line(f"**all** ({real} against the real process)", total))
    return "\n".join(lines)


def _line(name: str, row: Result) -> str:
    resumed = f"{row.resumed} of {row.resumable}" if row.resumable else "–"
    slowest = f"{row.seconds:.1f} s" if row.seconds else "–"
    return f"| {name} | {row.tries} | {row.lost_rows} | {row.wrong_states} | {resumed} | {slowest} |"


def clock() -> float:
    """Seconds, for how long the suite takes."""
    return time.monotonic()
