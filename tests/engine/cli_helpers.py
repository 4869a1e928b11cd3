"""The command line as a user meets it, on small workspaces; no test here starts a training."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_helpers import ABNORMAL, eight_lines, write_image, write_lines
from store_helpers import score

from engine import api
from engine.cli.app import run
from engine.jobs.lock import WorkerLock
from engine.store.writer import Writer
from engine.types import JobKind, State
from engine.workspace import Workspace

ENVIRONMENT = {**os.environ, "HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""}
CONTROLS = [chr(code) for code in (*range(9), *range(11, 32), *range(127, 160))]
DIRECTIONS = ["\u202a", "\u202b", "\u202d", "\u202e", "\u2066", "\u2067", "\u200f"]
HOSTILE = "\x1b[2J\x1b]0;title\x07[red]x[/red]\u202egnp.exe\x9b31m\r\b"
"""Clears the screen, sets the title, is no markup, turns the direction of writing, and overwrites its line."""


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class CommandLine:
    """Runs commands in this process: fast, and with the exit code that `main` hands to the shell."""

    def __init__(self, folder: Path, captured: Any) -> None:
        self.folder = folder
        self._captured = captured

    def __call__(self, *words: str, debug: bool = False) -> Done:
        self._captured.readouterr()
        code = run([*(["--debug"] if debug else []), "--workspace", str(self.folder), *words])
        out, err = self._captured.readouterr()
        return Done(code, out, err)


def popen(folder: Path, *words: str, **options: Any) -> subprocess.Popen[str]:
    """The command in a process of its own, its output in pipes."""
    command = [sys.executable, "-m", "engine.cli", "--workspace", str(folder), *words]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.Popen(command, text=True, env={**ENVIRONMENT, **options.pop("env", {})}, **pipes)


def control_characters(text: str) -> set[str]:
    """What could steer a terminal; line feeds and tabs don't."""
    return {character for character in text if character in (*CONTROLS, *DIRECTIONS)}


@contextmanager
def no_worker(workspace: Workspace) -> Iterator[None]:
    """Hold the worker's lock: launches queue their jobs and nobody starts them."""
    lock = WorkerLock(workspace.worker_lock)
    assert lock.acquire()
    try:
        yield
    finally:
        lock.release()


def small_dataset(folder: Path, name: str = "fetal") -> Workspace:
    """A workspace with one dataset of 40 tiny images in two views, a quarter of them abnormal."""
    workspace, lines = Workspace(folder / "workspace"), []
    workspace.root.mkdir()
    for view in ("Abdomen", "Femur"):
        for number in range(20):
            path = write_image(folder / "images", f"{view}/{view}_{number:03d}.png")
            lines += eight_lines(path, **({"Q7": ABNORMAL} if number % 4 == 0 else {}))
    api.import_chat_file(workspace, name, write_lines(folder / f"{name}.jsonl", lines), folder / "images")
    return workspace


def succeed(writer: Writer, kind: JobKind, job_id: int, **columns: Any) -> None:
    for before, after in (
        (State.QUEUED, State.STARTING),
        (State.STARTING, State.RUNNING),
        (State.RUNNING, State.SUCCEEDED),
    ):
        assert writer.transition(kind, job_id, before, after, "test", **(columns if after in State.SUCCEEDED else {}))


def finish_evaluation(writer: Writer, evaluation_id: int) -> None:
    writer.add_scores(evaluation_id, [score(name, 0.75) for name in ("accuracy", "balanced_accuracy", "auroc")])
    succeed(writer, JobKind.EVALUATION, evaluation_id, n=40, threshold=0.5, threshold_source=HOSTILE)
