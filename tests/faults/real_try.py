"""What a try against the real training and evaluation process does, and waits for; the real worker starts them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from harness import Case
from light_world import RIGHT_WITHIN_SECONDS, DisprovedError, Seen
from real_template import VARIANTS, Template, recipe_of

from engine import api
from engine.api.evaluating import queue_references
from engine.api.measuring import Measurement
from engine.errors import SonotuneError
from engine.jobs import control
from engine.jobs.lock import holder
from engine.jobs.process import is_alive, process_start
from engine.jobs.worker import ensure_worker
from engine.recipe import Recipe
from engine.store.reader import Reader
from engine.store.records import JobRow
from engine.types import ENDED, Event, JobKind, Reference, Split, State
from engine.workspace import Workspace

INJECTION = Path(__file__).resolve().parent / "injection"
BUSY_SECONDS = 120.0
"""For the start of a real process, on a machine that is busy with other tries."""
Fault = dict[str, Any]


def template_of(case: Case) -> Template:
    """The template of the suite that a case belongs to."""
    return Template(case.folder.parent / "template")


class RealTry:
    """A workspace with a real run; a context manager that ends every process of it, whatever happened."""

    def __init__(self, case: Case, variant: str = "", *, trained: bool = False, **sections: dict[str, Any]) -> None:
        """Copy the template: its dataset, or the workspace with a complete run."""
        self.folder, self.chance, self.seen = case.folder, case.chance, Seen()
        self.variant = variant or list(VARIANTS)[case.number % len(VARIANTS)]
        self.template = template_of(case)
        # Now, before a fault is prepared for whatever this process starts.
        _ = self.template.answers if trained else self.template.unbroken(self.variant)
        self.workspace = Workspace(case.folder / "workspace")
        shutil.copytree(self.template.trained if trained else self.template.workspace, self.workspace.root)
        self._sections = sections
        self._environment = dict(os.environ)
        path = [str(INJECTION), os.environ.get("PYTHONPATH", "")]
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, path))
        os.environ["FAULTS_TRY"] = str(self.folder)
        os.environ["SONOTUNE_FAULT"] = str(self.folder / "faults.json")
        self.inject()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        self.end_all()
        os.environ.clear()
        os.environ.update(self._environment)
        return isinstance(error, DisprovedError)

    # ----- what is done

    def inject(self, *faults: Fault) -> None:
        """The faults of processes that start from now on; each strikes in one process only, unless `always`."""
        orders = [
            {"process": "engine.training", "once": str(self.folder / f"struck-{number}"), **fault}
            for number, fault in enumerate(faults)
        ]
        for fault in orders:
            if fault.pop("always", False):
                del fault["once"]
        content = {"witness": str(self.folder / "witness.jsonl"), "faults": orders}
        (self.folder / "faults.json").write_text(json.dumps(content))

    def struck(self, number: int = 0) -> bool:
        """Whether a fault has struck."""
        return (self.folder / f"struck-{number}").exists()

    def launch(self, base: Path | None = None) -> int:
        """Queue the run."""
        return api.launch(self.workspace, self._recipe(base), references=False, start_worker=False).run_id

    def _recipe(self, base: Path | None = None) -> Recipe:
        return recipe_of(self.variant, base or self.template.base, **self._sections)

    def queue_another(self) -> int:
        """A measurement that needs no model: the majority row. It must be served whatever becomes of the run."""
        measurement = Measurement.of_recipe(self._recipe(), "Q7", Split.VALIDATION, "none")
        [queued] = queue_references(self.workspace, "", [measurement], kinds=(Reference.MAJORITY,))
        return queued

    def start_worker(self) -> None:
        """The real worker."""
        ensure_worker(self.workspace, wait_seconds=BUSY_SECONDS)

    def resume(self, job_id: int, kind: JobKind = JobKind.TRAINING) -> None:
        """As the user would, and as the row says; the fault is over."""
        control.resume(self.workspace, job_id, kind=kind)

    def kill(self, pid: int | None, number: signal.Signals = signal.SIGKILL) -> float:
        """Send a signal to a process; the time (monotonic)."""
        assert pid is not None
        os.kill(pid, number)
        return time.monotonic()

    def worker_pid(self) -> int:
        """Of the worker that holds the lock; waits for one."""
        found = self.until(lambda: getattr(holder(self.workspace.worker_lock), "pid", None), "a worker is there")
        return int(found)

    def pids(self) -> list[int]:
        """All processes of this try but this one."""
        mark = f"FAULTS_TRY={self.folder}".encode()
        found = [int(entry.name) for entry in os.scandir("/proc") if entry.name.isdigit()]
        return [pid for pid in found if pid != os.getpid() and mark in _environment(pid).split(b"\0")]

    def end_all(self) -> float:
        """SIGKILL everything at once, as a power cut would; the time (monotonic)."""
        deadline = time.monotonic() + BUSY_SECONDS
        began = time.monotonic()
        while (pids := [pid for pid in self.pids() if process_start(pid)]) and time.monotonic() < deadline:
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            time.sleep(0.02)
        return began

    # ----- what is seen

    def row(self, job_id: int, kind: JobKind = JobKind.TRAINING) -> JobRow:
        with Reader(self.workspace) as reader:
            return reader.job(kind, job_id)

    def until(self, holds: Callable[[], Any], what: str, seconds: float = BUSY_SECONDS) -> Any:
        """Wait until something is true and return it; where it never is, the try has failed."""
        deadline = time.monotonic() + seconds
        while True:
            said = ""
            try:
                if found := holds():
                    return found
            except SonotuneError as error:
                said = f" ({error.title})"
            if time.monotonic() > deadline:
                self.seen.wrong(f"not within {seconds:.0f} s: {what}{said}{self._log()}")
                raise DisprovedError(what)
            time.sleep(0.02)

    def _log(self) -> str:
        logs = sorted((self.workspace.root / "outputs").rglob("log.txt"))
        return "".join(f"\n{log}:\n{log.read_text(errors='replace')[-1500:]}" for log in logs[:2])

    def until_state(
        self, job_id: int, *states: State, kind: JobKind = JobKind.TRAINING, seconds: float = BUSY_SECONDS
    ) -> JobRow:
        """Wait for a state; the row."""

        def found() -> JobRow | None:
            row = self.row(job_id, kind)
            return row if row.state in states else None

        return self.until(found, f"{kind} {job_id} is {' or '.join(states)}", seconds)  # type: ignore[no-any-return]

    def until_dead_is_known(self, job_id: int, died: float, *states: State, kind: JobKind = JobKind.TRAINING) -> JobRow:
        """The state is right soon enough after a death at `died` (monotonic)."""
        row = self.until_state(job_id, *(states or ENDED), kind=kind, seconds=RIGHT_WITHIN_SECONDS)
        self.seen.seconds = max(self.seen.seconds, time.monotonic() - died)
        return row

    def until_process_dies(self, job_id: int, kind: JobKind = JobKind.TRAINING) -> float:
        """Wait until an injected fault has ended the job's process; when that was (monotonic)."""
        row = self.until_state(job_id, State.RUNNING, *ENDED, kind=kind)
        self.until(
            lambda: not is_alive(row.pid, row.process_start) or self.row(job_id, kind).state in ENDED,
            f"the process of {kind} {job_id} ends",
        )
        return time.monotonic()

    def events(self, run_id: int) -> list[Event]:
        """The run's history."""
        with Reader(self.workspace) as reader:
            return list(reader.events(run_id=run_id))

    def until_step(self, run_id: int, step: int) -> None:
        """Wait until a step has been recorded."""
        self.until(lambda: self.row(run_id).step >= step, f"run {run_id} reaches step {step}")

    def sonotune(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A command in a process of its own, without the fault."""
        command = [sys.executable, "-m", "engine.cli", "--workspace", str(self.workspace.root), *words]
        environment = {**os.environ, "COLUMNS": "250", "NO_COLOR": "1", "SONOTUNE_FAULT": ""}
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)

    def witnessed(self, job_id: int, kind: JobKind = JobKind.TRAINING) -> list[dict[str, Any]]:
        """What was committed of a job, oldest first."""
        try:
            text = (self.folder / "witness.jsonl").read_text()
        except FileNotFoundError:
            return []
        lines = [json.loads(line) for line in text.splitlines()]
        return [line for line in lines if (line["kind"], line["job"]) == (str(kind), job_id)]


def _environment(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""
