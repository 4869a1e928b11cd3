"""What rows say of processes that are gone: PIDs used again, clocks that jump, a restart, torn journals."""

from __future__ import annotations

import json
import subprocess
import time
from contextlib import closing

from harness import Kind
from light_checks import check, check_told, finish, resume_and_finish
from light_world import RIGHT_WITHIN_SECONDS, Job, LightWorld, connect, light

from engine.jobs.process import is_alive, process_start
from engine.jobs.reconcile import settle_dead_jobs
from engine.types import State

HOUR = 3600.0
TORN = (b'{"m":{"loss":1.2', b'{"m"', b"\x00" * 700, b'{"s":9}\n{"m":{"loss":', b"\xff\xfe")
"""Ends of a journal that a kill or a power cut may leave."""


def pid_reused(world: LightWorld) -> None:
    """Everything died, and the row's PID belongs to another living process: the job is dead, the other untouched."""
    first, second = _killed_with_everything(world)
    with _stranger(world) as stranger:
        _claim_pid(world, first, stranger.pid, _start_of_row(world, first))
        _settled_without_harm(world, first, stranger)
    resume_and_finish(world, first, second)


def pid_and_start_reused(world: LightWorld) -> None:
    """After a restart of the machine another process has the PID and the start that the row has."""
    first, second = _killed_with_everything(world)
    with _stranger(world) as stranger:
        start = process_start(stranger.pid)
        _claim_pid(world, first, stranger.pid, start)
        _rewrite_attempts(world, first, stranger.pid, start)
        _settled_without_harm(world, first, stranger)
    resume_and_finish(world, first, second)


def machine_restart(world: LightWorld) -> None:
    """All processes are gone, rows of every state are left, PIDs belong to services now; a new worker comes."""
    first, second = _killed_with_everything(world)
    with _stranger(world) as stranger:
        start = process_start(stranger.pid)
        _claim_pid(world, first, stranger.pid, start)
        _rewrite_attempts(world, first, stranger.pid, start)
        world.worker_lock_is_stale(stranger.pid)
        world.release()
        died = time.monotonic()
        world.start_worker("--resume")
        # With --resume the worker itself queues again what has died without a word.
        world.until(lambda: _resumed_by_worker(world, first), "the dead job is queued again", RIGHT_WITHIN_SECONDS)
        world.seen.seconds = time.monotonic() - died
        if not is_alive(stranger.pid, start):
            world.seen.wrong("a process that only has the PID was ended")
        finish(world, first, second)
    world.seen.resumed = world.attempts(first) == 2
    if not world.seen.resumed:
        world.seen.notes.append(f"begun {world.attempts(first)} times: {world.history(first)}")


def _resumed_by_worker(world: LightWorld, job: Job) -> bool:
    return "queued: resumed by the worker" in world.history(job)


def clock_of_rows_jumps(world: LightWorld) -> None:
    """The wall clock was set by hours: heartbeats and starts lie in the past or in the future; the job lives on."""
    first, second = _running(world)
    hours = world.chance.choice([-30 * 24, -5, -1, 1, 5, 30 * 24])
    with closing(connect(world)) as connection:
        for column in ("heartbeat", "started_at", "queued_at"):
            statement = f"UPDATE {first.table} SET {column} = {column} + ? WHERE id = ?"
            connection.execute(statement, (hours * HOUR, first.id))
    time.sleep(1.0)
    settle_dead_jobs(world.workspace)
    if world.row(first).state != State.RUNNING:
        world.seen.wrong(f"after a clock jump of {hours} h a living job is {world.row(first).state}")
    finish(world, first, second)
    if world.attempts(first) != 1:
        world.seen.wrong("a clock jump has ended a living job")


def clock_of_job_jumps(world: LightWorld) -> None:
    """The clock jumps inside the job, by hours; then the job is killed, and resumed."""
    world.order(clock_step=20, clock_shift=world.chance.choice([-48, -3, 3, 48]) * HOUR)
    first, second = _running(world)
    world.until_step(first, 30)
    world.pause(0.5)
    if world.row(first).state != State.RUNNING:
        world.seen.wrong(f"after a clock jump a living job is {world.row(first).state}")
    world.kill(first)
    world.until_dead_is_known(first, time.monotonic(), State.INTERRUPTED)
    check(world, first)
    resume_and_finish(world, first, second)


def journal_torn(world: LightWorld) -> None:
    """Rows are in the journal alone (runs.db is locked), the job is killed in the middle of a line; all whole lines
    come into runs.db, and the next attempt writes behind the torn one."""
    first, second = _running(world)
    with closing(connect(world)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        reached = world.last_step(first)
        world.until_step(first, reached + 10)
        world.end_all()
        connection.execute("ROLLBACK")
    with world.journal(first).open("ab") as journal:
        journal.write(
            world.chance.choice([b'{"m":{"loss":1.2', b'{"m"', b"\x00" * 700, b'{"s":9}\n{"m":{"loss":', b"\xff\xfe"])
        )
    check_told(world, first)
    world.until_dead_is_known(first, time.monotonic(), State.INTERRUPTED)
    check(world, first)
    resume_and_finish(world, first, second)


def _running(world: LightWorld) -> tuple[Job, Job]:
    world.order(hold=True, steps=world.chance.randint(60, 120))
    first, second = world.queue(world.any_kind(), name="first"), world.queue(name="second")
    world.start_worker()
    world.until_step(first, world.chance.randint(1, 15))
    return first, second


def _killed_with_everything(world: LightWorld) -> tuple[Job, Job]:
    first, second = _running(world)
    world.pause(0.4)
    world.end_all()
    return first, second


def _stranger(world: LightWorld) -> subprocess.Popen[bytes]:
    """A process that has nothing to do with the job; ended by the block's end."""
    return _Stranger(["sleep", "300"])


class _Stranger(subprocess.Popen):  # type: ignore[type-arg]
    def __exit__(self, *given: object) -> None:
        self.kill()
        super().__exit__(*given)  # type: ignore[arg-type]


def _start_of_row(world: LightWorld, job: Job) -> float | None:
    return world.row(job).process_start


def _claim_pid(world: LightWorld, job: Job, pid: int, start: float | None) -> None:
    with closing(connect(world)) as connection:
        statement = f"UPDATE {job.table} SET pid = ?, process_start = ? WHERE id = ?"
        connection.execute(statement, (pid, start, job.id))


def _rewrite_attempts(world: LightWorld, job: Job, pid: int, start: float | None) -> None:
    """The journal as it would be had that PID and start been the job's, before the machine was started again."""
    path = world.journal(job)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        if "attempt" in line:
            line.update(attempt=pid, start=start, boot="00000000-0000-4000-8000-000000000000")
    path.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines))


def _settled_without_harm(world: LightWorld, job: Job, stranger: subprocess.Popen[bytes]) -> None:
    if world.chance.random() < 0.5:
        check_told(world, job)
    else:
        world.start_worker()
    world.until_dead_is_known(job, time.monotonic(), State.INTERRUPTED)
    if stranger.poll() is not None:
        world.seen.wrong("a process that only has the PID was ended")
    check(world, job)


KINDS = (
    Kind("PID used again", light(pid_reused), full=6, short=1),
    Kind("PID and start used again after a restart", light(pid_and_start_reused), full=6, short=1),
    Kind("machine restart", light(machine_restart), full=8, short=1),
    Kind("clock jump, seen from outside", light(clock_of_rows_jumps), full=6, short=1),
    Kind("clock jump in the job", light(clock_of_job_jumps), full=6, short=1),
    Kind("journal torn", light(journal_torn), full=8, short=1),
)
