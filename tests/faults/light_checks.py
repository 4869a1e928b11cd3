"""What must hold after a try with light jobs: nothing witnessed is missing, states are right, users are told."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise

from light_job_values import loss_of
from light_world import TOLERANCE, Job, LightWorld

from engine.store.reader import Reader
from engine.types import TRANSITIONS, JobKind, State

_STATES = {state.value for state in State}


def check(world: LightWorld, *jobs: Job, kept_in_memory: bool = True) -> None:
    """Compare the database with the witness.

    Args:
        world: the try, its processes at rest.
        jobs: the jobs to look at.
        kept_in_memory: False: what neither runs.db nor the journal could take is gone with the process, so only what
            was committed counts.
    """
    if not world.sound():
        return
    for job in jobs:
        _rows(world, job, kept_in_memory)
        _history(world, job)


def _rows(world: LightWorld, job: Job, kept_in_memory: bool) -> None:
    witnessed = {
        line["step"] for line in world.witnessed(job) if "step" in line and (kept_in_memory or line["committed"])
    }
    found = _recorded(world, job)
    missing = [step for step in witnessed if not _is_right(job, step, found.get(step, []))]
    if missing:
        world.seen.lost_rows += len(missing)
        world.seen.notes.append(f"{job.kind} {job.id}: steps {sorted(missing)[:10]} of {max(witnessed)} are missing")
    twice = [step for step, values in found.items() if len(values) > 1]
    if twice:
        world.seen.wrong(f"{job.kind} {job.id}: steps {twice[:10]} stand there twice")


def _recorded(world: LightWorld, job: Job) -> dict[int, list[float]]:
    found: dict[int, list[float]] = {}
    with Reader(world.workspace) as reader:
        if job.kind == JobKind.TRAINING:
            for point in reader.metrics(job.id, ["loss"]):
                found.setdefault(point.step, []).append(point.value)
        else:
            for row in reader.predictions(job.id):
                number = int(row.path[-9:-4])
                found.setdefault(number, []).append(float(row.raw_output.removeprefix("answer ")))
    return found


def _is_right(job: Job, step: int, values: list[float]) -> bool:
    return bool(values) and abs(values[0] - loss_of(job.id, step)) < TOLERANCE


def _history(world: LightWorld, job: Job) -> None:
    """The states that the history tells of follow each other as the diagram says, and end in the present one."""
    owner = {"run_id": job.id} if job.kind == JobKind.TRAINING else {"evaluation_id": job.id}
    with Reader(world.workspace) as reader:
        states = [State(event.kind) for event in reader.events(**owner) if event.kind in _STATES]
    for before, after in pairwise(states):
        if after not in TRANSITIONS[before]:
            world.seen.wrong(f"{job.kind} {job.id} went from {before} to {after}")
    if states[-1] != world.row(job).state:
        world.seen.wrong(f"{job.kind} {job.id}: the history ends with {states[-1]}")


def check_told(world: LightWorld, job: Job) -> None:
    """`sonotune show` says what happened and names the next command."""
    words = ["show", str(job.id)] if job.kind == JobKind.TRAINING else ["runs"]
    done = sonotune(world, *words)
    row = world.row(job)
    if done.returncode or not row.reason:
        world.seen.wrong(f"`sonotune {' '.join(words)}` does not tell: {done.stdout[-300:]}{done.stderr[-300:]}")
    if row.state in (State.FAILED, State.INTERRUPTED) and job.kind == JobKind.TRAINING:
        text = " ".join(done.stdout.split())
        if row.reason not in text or f"sonotune resume {job.id}" not in text:
            world.seen.wrong(f"`sonotune show` names no way on: {text[-500:]}")


def sonotune(world: LightWorld, *words: str) -> subprocess.CompletedProcess[str]:
    """A command in a process of its own."""
    command = [sys.executable, "-m", "engine.cli", "--workspace", str(world.workspace.root), *words]
    environment = {**world.environment, "COLUMNS": "200", "NO_COLOR": "1"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


def finish(world: LightWorld, *jobs: Job, seconds: float = 60.0) -> None:
    """Let the jobs end well, and compare."""
    world.release()
    for job in jobs:
        row = world.until_state(job, State.SUCCEEDED, State.FAILED, State.INTERRUPTED, State.CANCELLED, seconds=seconds)
        if row.state != State.SUCCEEDED:
            world.seen.wrong(f"{job.kind} {job.id} ended as {row.state}: {row.reason} {row.error_title or ''}")
    check(world, *jobs)


def resume_and_finish(world: LightWorld, job: Job, *others: Job) -> None:
    """Resume what was interrupted as the user would; it must end with all its steps, each once."""
    world.resume(job)
    if world.worker_pid() is None:
        world.start_worker()
    world.release()
    row = world.until_state(job, State.SUCCEEDED, State.FAILED, State.INTERRUPTED, State.CANCELLED)
    found = _recorded(world, job)
    wanted = world.wanted_steps(job)
    world.seen.resumed = row.state == State.SUCCEEDED and sorted(found) == list(range(1, wanted + 1))
    if not world.seen.resumed:
        world.seen.notes.append(f"{job.kind} {job.id} resumed: {row.state} ({row.reason}), {len(found)} of {wanted}")
    finish(world, job, *others)
