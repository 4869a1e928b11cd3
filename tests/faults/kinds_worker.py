"""Deaths of the job, of the worker and of both, with light jobs; each function is one try of its kind."""

from __future__ import annotations

import os
import signal
import time
from itertools import pairwise

from harness import Kind
from light_checks import check, check_told, finish, resume_and_finish
from light_world import RIGHT_WITHIN_SECONDS, Job, LightWorld, light

from engine.jobs.process import is_alive
from engine.types import ENDED, State


def _two_jobs(world: LightWorld) -> tuple[Job, Job]:
    """One that holds on until it is hit, and one that waits behind it."""
    world.order(hold=True, steps=world.chance.randint(40, 120))
    first = world.queue(world.any_kind(), name="first")
    return first, world.queue(name="second")


def _begun(world: LightWorld, job: Job) -> None:
    """Wait for a moment somewhere between its first step and a little after its last."""
    world.until_step(job, 1)
    world.pause(0.8)


def job_killed(world: LightWorld) -> None:
    """SIGKILL of the job at a random moment: while it starts, at work, or done and holding on."""
    first, second = _two_jobs(world)
    world.start_worker()
    world.until_state(first, State.STARTING, State.RUNNING)
    if world.chance.random() < 0.8:
        _begun(world, first)
    else:
        world.pause(0.4)
    world.kill(first)
    died = time.monotonic()
    row = world.until_dead_is_known(first, died)
    if row.state != State.INTERRUPTED:
        world.seen.wrong(f"a killed job is {row.state}")
    check(world, first)
    check_told(world, first)
    world.release()
    world.until_state(second, State.SUCCEEDED)
    resume_and_finish(world, first, second)


def job_killed_again_and_again(world: LightWorld) -> None:
    """Three kills of the same job, a resume after each."""
    first, second = _two_jobs(world)
    world.start_worker()
    for attempt in range(3):
        _until_begun_again(world, first, attempt + 1)
        world.pause(0.3)
        world.kill(first)
        world.until_dead_is_known(first, time.monotonic(), State.INTERRUPTED)
        check(world, first)
        if attempt < 2:
            world.resume(first)
        if attempt == 0:
            world.until_state(second, State.RUNNING)
            world.release()
            world.until_state(second, State.SUCCEEDED)
            (world.folder / "release").unlink()
    resume_and_finish(world, first, second)


def _until_begun_again(world: LightWorld, job: Job, attempts: int) -> None:
    world.until(lambda: world.attempts(job) >= attempts, f"attempt {attempts} of {job.kind} {job.id} begins")


def worker_killed(world: LightWorld) -> None:
    """SIGKILL of the worker: the job goes on, starts another worker, and the queue goes on."""
    first, second = _two_jobs(world)
    world.start_worker()
    _begun(world, first)
    before = world.row(first)
    world.kill_worker()
    died = time.monotonic()
    pid = world.until(world.worker_pid, "another worker comes by itself", RIGHT_WITHIN_SECONDS)
    world.seen.seconds = time.monotonic() - died
    after = world.row(first)
    if (after.state, after.pid) != (State.RUNNING, before.pid) or not is_alive(after.pid, after.process_start):
        world.seen.wrong(f"the job of a killed worker is {after.state}, process {after.pid}")
    finish(world, first, second)
    if world.attempts(first) != 1 or world.worker_pid() != pid:
        world.seen.wrong(f"the job was begun {world.attempts(first)} times")


def both_killed(world: LightWorld) -> None:
    """SIGKILL of worker and job at once: `sonotune show` settles it, `resume` goes on."""
    first, second = _two_jobs(world)
    world.start_worker()
    _begun(world, first)
    world.end_all()
    died = time.monotonic()
    check_told(world, first)
    row = world.until_dead_is_known(first, died)
    if row.state != State.INTERRUPTED:
        world.seen.wrong(f"a killed job is {row.state}")
    check(world, first)
    resume_and_finish(world, first, second)


def job_terminated(world: LightWorld) -> None:
    """SIGTERM to the job: it saves, ends as stopped, and the next one starts."""
    first, second = _two_jobs(world)
    world.start_worker()
    _begun(world, first)
    reached = world.last_step(first)
    world.kill(first, signal.SIGTERM)
    row = world.until_dead_is_known(first, time.monotonic())
    if row.state != State.INTERRUPTED or not row.reason.startswith("stopped on request"):
        world.seen.wrong(f"a job that got SIGTERM is {row.state}: {row.reason}")
    check(world, first)
    check_told(world, first)
    resume_and_finish(world, first, second)
    redone = [line["begun"] for line in world.witnessed(first) if "begun" in line][-1]
    if redone < reached:
        world.seen.wrong(f"a stopped job goes on from step {redone}, and had done {reached}")


def job_hung_up(world: LightWorld) -> None:
    """SIGHUP to the job, at any moment after it was started: it goes on."""
    first, second = _two_jobs(world)
    world.start_worker()
    world.until_state(first, State.STARTING, State.RUNNING)
    for _ in range(5):
        world.pause(0.2)
        row = world.row(first)
        if row.pid not in (None, world.worker_pid()):
            world.kill(first, signal.SIGHUP)
    finish(world, first, second)
    if world.attempts(first) != 1:
        world.seen.wrong("SIGHUP has ended a job")


def worker_hung_up(world: LightWorld) -> None:
    """SIGHUP to the worker: it stays."""
    first, second = _two_jobs(world)
    world.start_worker()
    pid = world.until(world.worker_pid, "a worker is there")
    for _ in range(5):
        world.pause(0.2)
        os.kill(pid, signal.SIGHUP)
    finish(world, first, second)
    if world.worker_pid() != pid:
        world.seen.wrong("SIGHUP has ended the worker")


def worker_terminated(world: LightWorld) -> None:
    """SIGTERM to the worker: jobs go on, no other worker comes by itself, and the next start takes up the queue."""
    first, second = _two_jobs(world)
    world.start_worker()
    _begun(world, first)
    world.kill_worker(signal.SIGTERM)
    time.sleep(5.5)  # a running job looks for a worker every 5 s
    if world.worker_pid() is not None:
        world.seen.wrong("a worker that the user has stopped was started again")
    if world.row(first).state != State.RUNNING or world.row(second).state != State.QUEUED:
        world.seen.wrong("the end of the worker has changed its jobs")
    world.start_worker()
    finish(world, first, second)
    if world.attempts(first) != 1:
        world.seen.wrong("the next worker has begun a running job anew")


def killed_before_spawn(world: LightWorld) -> None:
    """SIGKILL of the worker between its claim of a job and the start of the process."""
    _killed_while_dispatching(world, "before")


def killed_after_spawn(world: LightWorld) -> None:
    """SIGKILL of the worker when the process has started and its PID is not on record."""
    _killed_while_dispatching(world, "after")


def _killed_while_dispatching(world: LightWorld, moment: str) -> None:
    world.order(worker_dies=moment)
    first, second = world.queue(world.any_kind(), name="first"), world.queue(name="second")
    child = world.start_worker()
    child.wait()
    died = time.monotonic()
    world.pause(0.3)
    if world.worker_pid() is None:
        world.start_worker()
    # It goes back to its place in the queue, or its process has taken it by itself.
    world.until_dead_is_known(first, died, State.RUNNING, State.SUCCEEDED)
    finish(world, first, second)
    if world.attempts(first) != 1:
        world.seen.wrong(f"the job was begun {world.attempts(first)} times")


def two_workers(world: LightWorld) -> None:
    """Two to four workers start at the same instant: each job is begun once, and never two at a time on one device."""
    world.order(steps=3, pause=0.002)
    jobs = [world.queue(world.any_kind(), name=f"job {number}") for number in range(4)]
    for _ in range(world.chance.randint(2, 4)):
        world.start_worker()
        world.pause(0.05)
    finish(world, *jobs)
    for job in jobs:
        if world.attempts(job) != 1:
            world.seen.wrong(f"{job.kind} {job.id} was begun {world.attempts(job)} times")
    spans = sorted(_span(world, job) for job in jobs)
    if any(after[0] < before[1] for before, after in pairwise(spans)):
        world.seen.wrong("two jobs were at work on one device at the same time")


def _span(world: LightWorld, job: Job) -> tuple[float, float]:
    row = world.row(job)
    return row.started_at or 0.0, row.ended_at or 0.0


def long_queue(world: LightWorld) -> None:
    """200 queued jobs are drained in their order while workers are killed all the time: none is lost, none is begun
    twice."""
    _drain(world, 200)


def short_queue(world: LightWorld) -> None:
    """The same with 12 jobs."""
    _drain(world, 12)


def _drain(world: LightWorld, count: int) -> None:
    world.order(steps=2, pause=0.0)
    jobs = [world.queue(name=f"job {number}") for number in range(count)]
    kills = 0
    deadline = time.monotonic() + 2.0 * count + 60
    while _left(world, jobs):
        if time.monotonic() > deadline:
            world.seen.wrong(f"{_left(world, jobs)} of {count} jobs are still waiting")
            return
        if world.worker_pid() is None:
            world.start_worker()
            world.until(world.worker_pid, "a worker is there")
        world.pause(2.0)
        if world.chance.random() < 0.7 and world.worker_pid() is not None:
            world.kill_worker()
            kills += 1
    world.start_worker()
    _drained(world, jobs, kills)


def _left(world: LightWorld, jobs: list[Job]) -> int:
    return sum(world.row(job).state == State.QUEUED for job in jobs)


def _drained(world: LightWorld, jobs: list[Job], kills: int) -> None:
    for job in jobs:
        world.until_state(job, *ENDED, seconds=RIGHT_WITHIN_SECONDS)
    finish(world, *jobs)
    begun = [world.witnessed(job)[0]["time"] for job in jobs if world.attempts(job) == 1]
    if len(begun) != len(jobs):
        world.seen.wrong(f"{len(jobs) - len(begun)} of {len(jobs)} jobs were not begun exactly once")
    if begun != sorted(begun):
        world.seen.wrong("the queue was not drained in its order")
    world.seen.notes.append(f"{kills} kills of the worker over {len(jobs)} jobs")


KINDS = (
    Kind("light job killed", light(job_killed), full=24, short=1),
    Kind("light job killed three times", light(job_killed_again_and_again), full=8),
    Kind("worker killed", light(worker_killed), full=8, short=1),
    Kind("worker and light job killed", light(both_killed), full=14, short=1),
    Kind("light job terminated", light(job_terminated), full=8, short=1),
    Kind("light job hung up", light(job_hung_up), full=5),
    Kind("worker hung up", light(worker_hung_up), full=4),
    Kind("worker terminated", light(worker_terminated), full=4),
    Kind("worker killed before the process starts", light(killed_before_spawn), full=6, short=1),
    Kind("worker killed when the process has started", light(killed_after_spawn), full=6, short=1),
    Kind("several workers at once", light(two_workers), full=20, short=1),
    Kind("queue of 12, workers killed", light(short_queue), full=5, short=1),
    Kind("queue of 200, workers killed", light(long_queue), full=1, limit_seconds=900.0),
)
