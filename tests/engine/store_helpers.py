"""Rows that the tests of the store and of the jobs begin with."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.jobs.process import is_alive
from engine.store.writer import Writer
from engine.types import Outcome, Prediction, Reference, Score, Split
from engine.workspace import Workspace


class Clock:
    """Goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def workspace_at(folder: Path) -> Workspace:
    return Workspace(folder)


def add_run(writer: Writer, name: str = "baseline", **others: Any) -> int:
    return writer.create_run(name, '{"name": "x"}', "phantoms", "data-1", "split-1", "assets/base-model", 42, **others)


def with_a_curve(folder: Path, steps: int) -> Workspace:
    """A workspace whose only run has a loss of 0, 1, 2 ... at each step."""
    made = workspace_at(folder)
    with Writer.open(made) as writer:
        run = add_run(writer)
        for step in range(steps):
            writer.add_metrics(run, step, {"loss": float(step)})
    return made


def add_evaluation(
    writer: Writer,
    run_id: int | None = None,
    reference: Reference | None = None,
    *,
    split: Split = Split.TEST,
    question: str = "Q7",
    dataset: str = "phantoms",
    cases: str = "cases-1",
    protocol: str = "protocol-1",
    after_run: bool = False,
    **others: Any,
) -> int:
    return writer.create_evaluation(
        run_id, reference, "assets/base-model", dataset, split, question, "{}", protocol, cases, after_run, **others
    )


def prediction(path: str = "Head/Head_001.png", **changes: Any) -> Prediction:
    values: dict[str, Any] = {
        "path": path,
        "view": "Head",
        "question": "Q7",
        "target": "Normal",
        "raw_output": "\x1b[31mnot abnormal",
        "parsed": "normal",
        "target_parsed": "normal",
        "correct": True,
        "p_abnormal": 0.25,
        "probabilities": {"Normal": 0.75, "Abnormal": 0.25},
        "cut_off": False,
        "latency_seconds": 0.5,
        "generated_tokens": 4,
        "outcome": Outcome.RIGHT,
    }
    return Prediction(**{**values, **changes})


def score(name: str, value: float | None, scope: str = "all") -> Score:
    if value is None:
        return Score(scope, name, None, None, None, 0)
    return Score(scope, name, value, value - 0.1, value + 0.1, 40)


def raw(workspace: Workspace) -> sqlite3.Connection:
    return sqlite3.connect(workspace.database, isolation_level=None)


def wait_until(holds: Callable[[], object], what: str, seconds: float = 30.0) -> None:
    """Bounded polling: tests say what must come true, not when."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError(f"never came true: {what}")
        time.sleep(0.01)


def end_process(pid: int | None, start: float | None) -> None:
    """SIGKILL one process that the test started, and only that very one."""
    if pid is not None and is_alive(pid, start):
        os.kill(pid, signal.SIGKILL)
