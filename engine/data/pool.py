"""A pool of processes for work on many images, which ends with its owner and says so when one of them dies."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from typing import TypeVar

from engine.errors import DataError

Job = TypeVar("Job")
Result = TypeVar("Result")

AHEAD = 2
"""Jobs a process that are handed out at a time: who interrupts the pool waits for these alone."""


def run_in_processes(
    function: Callable[[Job], Result], jobs: Iterable[Job], processes: int, what: str
) -> Generator[Result, None, None]:
    """Results of `function` for all jobs, in the order in which they are ready.

    Args:
        function: a function of a module; it runs in other processes.
        processes: how many; 1 means here.
        what: what the processes do, for the error, such as `checks images`.

    Raises:
        DataError: one of the processes died.
    """
    if processes <= 1:
        yield from map(function, jobs)
        return
    # Spawned, not forked: the caller may run threads (a screen, a progress bar), and a forked copy of them can hang.
    pool = ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=prepare_process)
    try:
        yield from _finished(pool, function, iter(jobs), AHEAD * processes)
    except BrokenProcessPool as error:
        raise DataError(
            f"A process that {what} died.",
            "Most often the machine ran out of memory, or somebody ended the process.",
            "Free some memory and start again; what was done so far is kept.",
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _finished(
    pool: ProcessPoolExecutor, function: Callable[[Job], Result], jobs: Iterator[Job], ahead: int
) -> Iterator[Result]:
    running: set[Future[Result]] = set()
    for job in jobs:
        running.add(pool.submit(function, job))
        if len(running) >= ahead:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in done)
    while running:
        done, running = wait(running, return_when=FIRST_COMPLETED)
        yield from (future.result() for future in done)


def prepare_process() -> None:
    """What a process of a pool does first: it leaves ctrl+c to its owner, takes one core, and ends with its owner."""
    # The owner hears ctrl+c and ends the pool; its processes would only print their tracebacks over each other.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # One numpy thread a process: more would only fight over the same cores. Set before numpy is imported.
    os.environ["OMP_NUM_THREADS"] = "1"
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A pool process waits for its next job for ever when its owner was killed: end it then."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
