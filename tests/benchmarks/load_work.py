"""Polls, writes and maintenance on a large runs.db. Used by `load.py`."""

from __future__ import annotations

import importlib.util
import random
import shutil
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cases import _random as any_prediction

from engine import api
from engine.store.writer import Writer
from engine.types import JobKind, State
from engine.workspace import Workspace

POLLS, WRITES, STEPS_A_SECOND = 30, 300, 4
KEYS = ("loss", "grad_norm", "learning_rate", "samples_per_second", "step_seconds")
STEP_MS = 300.0
"""Of the demo on two cores, the shortest step there is; the design gives recording a hundredth of a step."""


@contextmanager
def running_run(workspace: Workspace) -> Iterator[tuple[Writer, int]]:
    """A run that this process carries on, with a writer for it; it is cancelled at the end."""
    with Writer.open(workspace) as writer:
        run = writer.create_run("load", "{}", "fetal", "d", "s", "model", 42, planned_steps=100_000)
        writer.transition(JobKind.TRAINING, run, State.QUEUED, State.STARTING, "load")
        writer.transition(JobKind.TRAINING, run, State.STARTING, State.RUNNING, "load")
        try:
            yield writer, run
        finally:
            writer.transition(JobKind.TRAINING, run, State.RUNNING, State.CANCELLED, "load")


def cost_of_polls(workspace: Workspace) -> dict[str, float]:
    """Median milliseconds of what the screens ask for after each step of a run that is going on."""
    from tui.screens.queue_data import QueueQuestion
    from tui.screens.run_curves import CurveFeed
    from tui.screens.runs_data import RunsFeed

    live, runs, queue = api.Live(workspace), RunsFeed(), QueueQuestion(workspace)
    with running_run(workspace) as (writer, run):
        curves = CurveFeed((run,))
        questions: dict[str, Callable[[], object]] = {
            "has anybody written": live.version,
            "overview of the frame": lambda: live.overview(time.time()),
            "list of runs": lambda: runs.read(live, ""),
            "run with its figures": lambda: live.run_view(run),
            "new points of a curve": lambda: curves.read(live),
            "queue": lambda: queue(live),
        }
        costs: dict[str, list[float]] = {name: [] for name in questions}
        for step in range(1, POLLS + 1):
            writer.add_metrics(run, step, dict.fromkeys(KEYS, 0.5))
            for name, ask in questions.items():
                started = time.perf_counter()
                ask()
                costs[name].append(1e3 * (time.perf_counter() - started))
    live.close()
    return {name: statistics.median(each[1:]) for name, each in costs.items()}


def cost_of_writes(workspace: Workspace) -> dict[str, tuple[float, float | None]]:
    """Median milliseconds of writes, with their budgets."""
    chance = random.Random(0)
    with running_run(workspace) as (writer, run):
        steps = [
            _timed(lambda step=step: writer.add_metrics(run, step, dict.fromkeys(KEYS, 0.5)))  # type: ignore[misc]
            for step in range(1, WRITES + 1)
        ]
        batch = [any_prediction(f"Load/{number:05d}.png", "Load", chance) for number in range(16)]
        answers = [_timed(lambda: writer.add_predictions(1, batch)) for _ in range(WRITES // 10)]
        writer._connection.execute("DELETE FROM predictions WHERE evaluation_id = 1 AND path LIKE 'Load/%'")
    return {
        "metrics of one step": (statistics.median(steps), 0.01 * STEP_MS),
        "metrics of one step, slowest of 300": (max(steps), None),
        "sixteen predictions": (statistics.median(answers), None),
    }


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return 1e3 * (time.perf_counter() - started)


class DatabaseCommands:
    """`sonotune db check`, `backup` while a run writes, and `compact`."""

    def __init__(self, workspace: Workspace, command: Callable[..., float]) -> None:
        """`command` runs one, and returns its milliseconds."""
        self._workspace, self._command = workspace, command

    def lines(self) -> Iterator[str]:
        """What they took, a line each."""
        if importlib.util.find_spec("engine.cli.db") is None:
            yield "sonotune db: this version does not have it"
            return
        # Code 1: seeded runs have no folders, which it tells.
        checked = self._command(self._workspace, "db", "check", codes=(0, 1)) / 1e3
        yield f"sonotune db check: {checked:.1f} s (no budget)"
        yield self._backup()
        size = self._workspace.database.stat().st_size
        seconds = self._command(self._workspace, "db", "compact") / 1e3
        after = self._workspace.database.stat().st_size
        yield f"sonotune db compact: {seconds:.1f} s, {size / 2**20:.0f} -> {after / 2**20:.0f} MiB (no budget)"

    def _backup(self) -> str:
        ended, waits = threading.Event(), []

        def train() -> None:
            with running_run(self._workspace) as (writer, run):
                step = 0
                while not ended.wait(1 / STEPS_A_SECOND):
                    step += 1
                    waits.append(
                        _timed(lambda: writer.add_metrics(run, step, dict.fromkeys(KEYS, 0.5)))  # noqa: B023
                    )

        training = threading.Thread(target=train)
        training.start()
        try:
            seconds = self._command(self._workspace, "db", "backup") / 1e3
        finally:
            ended.set()
            training.join()
        # It must not stay: a copy of the whole beside what compacting needs would be too much for a small disk.
        shutil.rmtree(self._workspace.root / "backups", ignore_errors=True)
        wrote = f"{len(waits)} steps were written meanwhile, the slowest in {max(waits, default=0.0):.1f} ms"
        return f"sonotune db backup beside a run that writes: {seconds:.1f} s; {wrote} (no budget)"


if __name__ == "__main__":
    sys.exit(0)  # `make bench` runs every file here
