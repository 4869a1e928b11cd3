"""One try with light jobs: a workspace of its own, real processes, a witness, and what must hold in the end."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness import Case

from engine.errors import SonotuneError
from engine.jobs import control
from engine.jobs.dispatch import child_environment
from engine.jobs.lock import holder
from engine.jobs.process import is_alive, process_start
from engine.recipe import parse_recipe, recipe_json
from engine.store.reader import Reader
from engine.store.records import JobRow
from engine.store.writer import Writer
from engine.types import ENDED, JobKind, Reference, Split, State
from engine.workspace import Workspace

HERE = Path(__file__).resolve().parent
RIGHT_WITHIN_SECONDS = 10.0
"""So soon after a death the state must be right."""
BUSY_SECONDS = 60.0
"""For what only takes a moment, on a machine that is busy with other tries."""
TOLERANCE = 1e-4


@dataclass(frozen=True, slots=True)
class Job:
    """A queued light job."""

    kind: JobKind
    id: int

    @property
    def table(self) -> str:
        """Of its row."""
        return "runs" if self.kind == JobKind.TRAINING else "evaluations"

    @property
    def words(self) -> list[str]:
        """How the command line names it."""
        return [str(self.id)] if self.kind == JobKind.TRAINING else ["--evaluation", str(self.id)]


@dataclass(slots=True)
class Seen:
    """What was found."""

    lost_rows: int = 0
    wrong_states: int = 0
    resumed: bool | None = None
    """None: there was nothing to resume."""
    seconds: float = 0.0
    """From the death to the right state; the longest of the try."""
    notes: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Nothing was found."""
        return not self.lost_rows and not self.wrong_states and self.resumed is not False

    def wrong(self, note: str) -> None:
        self.wrong_states += 1
        self.notes.append(note)


class DisprovedError(Exception):
    """What should have come true has not; it stands in the notes already."""


def light(act: Callable[[LightWorld], None]) -> Callable[[Case], Seen]:
    """A try of a kind: what `act` does in a world of its own."""

    def attempt(case: Case) -> Seen:
        with LightWorld(case.folder, case.chance) as world:
            act(world)
        return world.seen

    return attempt


class LightWorld:
    """A workspace with light jobs; a context manager that ends every process of it, whatever happened."""

    def __init__(self, folder: Path, chance: random.Random, **orders: Any) -> None:
        """Args: `orders`: see `light_worker.DEFAULTS`."""
        self.folder, self.chance, self.seen = folder, chance, Seen()
        self.workspace = Workspace(folder / "workspace")
        (folder / "witness").mkdir(parents=True)
        self._orders = dict(orders)
        self.order()
        self._children: list[subprocess.Popen[bytes]] = []
        self.make_workspace()

    def __enter__(self) -> LightWorld:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        self.end_all()
        return isinstance(error, DisprovedError)

    # ----- what is done

    def make_workspace(self) -> None:
        """An empty runs.db."""
        Writer.open(self.workspace).close()

    def order(self, **orders: Any) -> None:
        """Change what programs that start from now on are told to do."""
        self._orders.update(orders)
        self.orders_file.write_text(json.dumps(self._orders))

    @property
    def orders_file(self) -> Path:
        return self.folder / "orders.json"

    @property
    def environment(self) -> dict[str, str]:
        """Of every process of this try; by it they are found again."""
        return {**child_environment(), "LIGHT_ORDERS": str(self.orders_file), "CUDA_VISIBLE_DEVICES": ""}

    def queue(self, kind: JobKind = JobKind.TRAINING, name: str = "light", **orders: Any) -> Job:
        """Put a job at the end of the queue."""
        with Writer.open(self.workspace) as writer:
            if kind == JobKind.TRAINING:
                recipe = recipe_json(parse_recipe({"name": name}, "test"))
                made = writer.create_run(name, recipe, "phantoms", "data-1", "split-1", "assets/base-model", 42)
            else:
                made = writer.create_evaluation(
                    None, Reference.MAJORITY, "assets/base-model", "phantoms", Split.VALIDATION, "Q7", "{}",
                    "protocol-1", "cases-1", False,
                )  # fmt: skip
        if orders:
            self.order(**{f"{kind}-{made}": orders})
        return Job(kind, made)

    def any_kind(self) -> JobKind:
        """A training most of the time."""
        return JobKind.EVALUATION if self.chance.random() < 0.3 else JobKind.TRAINING

    def start_worker(self, *words: str) -> subprocess.Popen[bytes]:
        """A worker in a session of its own."""
        command = [sys.executable, str(HERE / "light_worker.py"), "--workspace", str(self.workspace.root), *words]
        with (self.folder / "worker-started.log").open("ab") as log:
            child = subprocess.Popen(
                command, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self._children.append(child)
        return child

    def forget_faults(self, job: Job) -> None:
        """The next attempt of the job is left in peace."""
        wanted = self._orders.get(f"{job.kind}-{job.id}", {})
        self.order(**{f"{job.kind}-{job.id}": {**wanted, "fault": None, "fault_step": None}})

    def resume(self, job: Job) -> None:
        """As the user would, and as the row says."""
        control.resume(self.workspace, job.id, kind=job.kind, start_worker=False)

    def release(self) -> None:
        """Jobs that hold on may end."""
        (self.folder / "release").touch()

    def pause(self, longest: float) -> None:
        """Between none and so many seconds."""
        time.sleep(self.chance.uniform(0, longest))

    def kill(self, job: Job, number: signal.Signals = signal.SIGKILL) -> JobRow:
        """Send a signal to the job's process and return its row as it was."""
        row = self.row(job)
        if row.pid is not None and is_alive(row.pid, row.process_start):
            os.kill(row.pid, number)
        return row

    def worker_pid(self) -> int | None:
        found = holder(self.workspace.worker_lock)
        return None if found is None else found.pid

    def kill_worker(self, number: signal.Signals = signal.SIGKILL, wait: bool = True) -> None:
        """Send a signal to whoever is the worker now."""
        pid = self.until(self.worker_pid, "a worker is there")
        start = process_start(pid)
        os.kill(pid, number)
        if wait:
            self.until(lambda: not self._lives(pid, start), f"worker {pid} ends by {number.name}")

    def _lives(self, pid: int, start: float | None) -> bool:
        for child in self._children:
            child.poll()  # a zombie holds nothing, but has to be collected
        return is_alive(pid, start)

    def pids(self) -> list[int]:
        """All processes of this try."""
        mark = f"LIGHT_ORDERS={self.orders_file}".encode()
        return [pid for pid in _all_pids() if mark in _environment(pid).split(b"\0") and pid != os.getpid()]

    def end_all(self) -> None:
        """SIGKILL everything, as a power cut would; the workspace stays as it is."""
        deadline = time.monotonic() + BUSY_SECONDS
        while (pids := self.pids()) and time.monotonic() < deadline:
            for pid in pids:
                _kill(pid)
            for child in self._children:
                child.poll()
            time.sleep(0.02)

    # ----- what is seen

    def row(self, job: Job) -> JobRow:
        with Reader(self.workspace) as reader:
            return reader.job(job.kind, job.id)

    def until(self, holds: Callable[[], Any], what: str, seconds: float = BUSY_SECONDS) -> Any:
        """Wait until something is true and return it; where it never is, the try has failed."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                if found := holds():
                    return found
            except SonotuneError as error:
                what_else = f" ({error.title})"
            else:
                what_else = ""
            if time.monotonic() > deadline:
                self.seen.wrong(f"not within {seconds:.0f} s: {what}{what_else}")
                raise DisprovedError(what)
            time.sleep(0.01)

    def until_state(self, job: Job, *states: State, seconds: float = BUSY_SECONDS) -> JobRow:
        """Wait for a state; the row."""

        def found() -> JobRow | None:
            row = self.row(job)
            return row if row.state in states else None

        words = " or ".join(states)
        return self.until(found, f"{job.kind} {job.id} is {words}", seconds)  # type: ignore[no-any-return]

    def until_dead_is_known(self, job: Job, died: float, *states: State) -> JobRow:
        """The state is right soon enough after a death at `died` (monotonic)."""
        row = self.until_state(job, *(states or ENDED), seconds=RIGHT_WITHIN_SECONDS)
        self.seen.seconds = max(self.seen.seconds, time.monotonic() - died)
        return row

    def until_step(self, job: Job, step: int) -> None:
        """Wait until the job has told its witness of a step."""
        self.until(lambda: self.last_step(job) >= step, f"{job.kind} {job.id} reaches step {step}")

    def last_step(self, job: Job) -> int:
        return max((line["step"] for line in self.witnessed(job) if "step" in line), default=0)

    def witnessed(self, job: Job) -> list[dict[str, Any]]:
        """What the job's processes have told, all attempts of it."""
        try:
            text = (self.folder / "witness" / f"{job.kind}-{job.id}.jsonl").read_text()
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in text.splitlines()]

    def wanted_steps(self, job: Job) -> int:
        """How many steps make the job complete."""
        return int(self._orders.get(f"{job.kind}-{job.id}", {}).get("steps", self._orders.get("steps", 60)))

    def attempts(self, job: Job) -> int:
        """How many processes have begun it."""
        return sum("begun" in line for line in self.witnessed(job))

    def journal(self, job: Job) -> Path:
        """Where the job's journal lies."""
        return self.workspace.root / self.row(job).directory / "journal.jsonl"

    def journal_of(self, job: Job) -> Path:
        """The same where runs.db cannot be asked."""
        name = f"{job.id:05d}-*" if job.kind == JobKind.TRAINING else f"evaluations/{job.id}"
        return next(self.workspace.outputs.glob(name)) / "journal.jsonl"

    def attempt_of(self, job: Job) -> dict[str, Any]:
        """`pid` and `start` of the newest attempt, as the witness knows them."""
        return [line for line in self.witnessed(job) if "begun" in line][-1]

    def worker_lock_is_stale(self, pid: int) -> None:
        """The lock's file names a living process that does not hold it."""
        self.workspace.worker_lock.write_text(f"{pid} {process_start(pid)}\n")

    def history(self, job: Job) -> list[str]:
        """What runs.db tells of the job."""
        owner = {"run_id": job.id} if job.kind == JobKind.TRAINING else {"evaluation_id": job.id}
        with Reader(self.workspace) as reader:
            return [f"{event.kind}: {event.detail}" for event in reader.events(**owner)]

    def sound(self) -> bool:
        """The database is whole; where it is not, that is a wrong state."""
        with closing(sqlite3.connect(self.workspace.database)) as connection:
            integrity = connection.execute("PRAGMA integrity_check").fetchall()
            foreign = connection.execute("PRAGMA foreign_key_check").fetchall()
        if integrity != [("ok",)] or foreign:
            self.seen.wrong(f"the database is not whole: {integrity[:3]} {foreign[:3]}")
            return False
        return True


def connect(world: LightWorld) -> sqlite3.Connection:
    """A connection as any other program has one; in autocommit mode."""
    return sqlite3.connect(world.workspace.database, isolation_level=None, timeout=10.0)


def _all_pids() -> Iterator[int]:
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            yield int(entry.name)


def _environment(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
