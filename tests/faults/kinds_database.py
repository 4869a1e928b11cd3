"""What can befall runs.db for a while, while a light job writes hundreds of rows a second: locked, full, read-only."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any

from harness import Kind
from light_checks import check, check_told, finish, resume_and_finish
from light_world import Job, LightWorld, connect, light

from engine.types import State

LONG_SECONDS = 30.0


def locked(world: LightWorld) -> None:
    """Another program holds the write lock for some seconds: the work goes on, and all rows are there afterwards."""
    _locked_for(world, world.chance.uniform(0.5, 4.0))


def locked_30_s(world: LightWorld) -> None:
    """The same for 30 s."""
    _locked_for(world, LONG_SECONDS)


def _locked_for(world: LightWorld, seconds: float) -> None:
    first, second = writing(world, seconds)
    with closing(connect(world)) as connection:
        _lock(world, connection)
        goes_on_for(world, first, seconds)
        connection.execute("ROLLBACK")
    finish(world, first, second)
    begun_once(world, first)


def _lock(world: LightWorld, connection: object) -> None:
    connection.execute("PRAGMA busy_timeout = 60000")  # type: ignore[attr-defined]
    how = world.chance.choice(["IMMEDIATE", "EXCLUSIVE"])
    connection.execute(f"BEGIN {how}")  # type: ignore[attr-defined]


def locked_and_killed(world: LightWorld) -> None:
    """The job is killed while runs.db is locked: what it has measured meanwhile is in its journal, and comes in."""
    first, second = writing(world, 2.0)
    with closing(connect(world)) as connection:
        _lock(world, connection)
        goes_on_for(world, first, world.chance.uniform(0.5, 2.0))
        world.kill(first)
        connection.execute("ROLLBACK")
    world.until_dead_is_known(first, time.monotonic(), State.INTERRUPTED)
    check(world, first)
    check_told(world, first)
    resume_and_finish(world, first, second)


def locked_at_the_end(world: LightWorld) -> None:
    """runs.db is locked when the job ends: it waits with its last word, or leaves it to its journal when killed."""
    first, second = writing(world, 0.3)
    with closing(connect(world)) as connection:
        _lock(world, connection)
        world.release()
        world.until(lambda: any("ended" in line for line in world.witnessed(first)), "the job has done its work")
        world.pause(1.5)
        killed = world.chance.random() < 0.5
        if killed:
            time.sleep(0.2)
            world.kill(first)
        connection.execute("ROLLBACK")
    finish(world, first, second)
    begun_once(world, first)


def read_only(world: LightWorld) -> None:
    """SQLite refuses each write of the job as read-only, for some seconds."""
    _injected(world, "read-only")


def full(world: LightWorld) -> None:
    """SQLite refuses each new page of the job (`max_page_count`): the disk is full for runs.db."""
    _injected(world, "full")


def file_too_large(world: LightWorld) -> None:
    """No file of the job may grow (RLIMIT_FSIZE): neither runs.db nor the journal nor a checkpoint can be written."""
    _injected(world, "file size")


def _injected(world: LightWorld, fault: str) -> None:
    seconds = world.chance.uniform(0.5, 4.0)
    step = world.chance.randint(2, 40)
    first, second = writing(world, seconds, fault=fault, fault_step=step, fault_seconds=seconds)
    world.until_step(first, step)
    goes_on_for(world, first, seconds)
    finish(world, first, second)
    begun_once(world, first)


def full_and_killed(world: LightWorld) -> None:
    """The job is killed while SQLite has no room: the journal has the rest."""
    step = world.chance.randint(2, 20)
    first, second = writing(world, 2.0, fault="full", fault_step=step, fault_seconds=300.0)
    world.until_step(first, step + world.chance.randint(10, 200))
    world.forget_faults(first)
    world.kill(first)
    world.until_dead_is_known(first, time.monotonic(), State.INTERRUPTED)
    check(world, first)
    check_told(world, first)
    resume_and_finish(world, first, second)


def immutable(world: LightWorld) -> None:
    """The kernel refuses each write to runs.db and its log (`chattr +i`), also through files that are open already."""
    seconds = world.chance.uniform(1.0, 4.0)
    first, second = writing(world, seconds)
    with _immutable(world):
        goes_on_for(world, first, seconds)
    finish(world, first, second)
    begun_once(world, first)


def can_be_immutable() -> str:
    """Why the kind above cannot be tried here; "" where it can."""
    if os.geteuid() != 0 or shutil.which("chattr") is None:
        return "chattr +i needs root, and e2fsprogs"
    return ""


@contextmanager
def _immutable(world: LightWorld) -> Iterator[None]:
    # Not the -shm: it is mapped into memory, and the kernel answers a write to such a page with SIGBUS.
    files = [str(path) for path in world.workspace.root.glob("runs.db*") if not path.name.endswith("-shm")]
    subprocess.run(["chattr", "+i", *files], check=True)
    try:
        yield
    finally:
        subprocess.run(["chattr", "-i", *files], check=True)


def small_disk(world: LightWorld) -> None:
    """The workspace lies on a disk that another program fills up for some seconds: nothing can be written at all."""
    with _mounted(world):
        world.make_workspace()
        seconds = world.chance.uniform(1.0, 4.0)
        first, second = writing(world, seconds)
        _fill(world)
        goes_on_for(world, first, seconds)
        (world.workspace.root / "ballast").unlink()
        finish(world, first, second)
        begun_once(world, first)
        world.end_all()


def small_disk_and_killed(world: LightWorld) -> None:
    """The same, and everything is killed while the disk is full: what was committed is there."""
    with _mounted(world):
        world.make_workspace()
        first, second = writing(world, 2.0)
        _fill(world)
        goes_on_for(world, first, world.chance.uniform(0.5, 2.0))
        world.end_all()
        (world.workspace.root / "ballast").unlink()
        check_told(world, first)
        world.until_dead_is_known(first, time.monotonic(), State.INTERRUPTED)
        check(world, first, kept_in_memory=False)
        resume_and_finish(world, first, second)
        world.end_all()


def can_mount() -> str:
    """Why the two kinds above cannot be tried here; "" where they can."""
    if os.geteuid() != 0:
        return "mounting a small file system needs root"
    done = subprocess.run(["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True)
    return "" if done.returncode == 0 else f"a small file system cannot be mounted: {done.stderr.decode().strip()}"


@contextmanager
def _mounted(world: LightWorld) -> Iterator[None]:
    root = world.workspace.root
    shutil.rmtree(root)
    root.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m,mode=700", "none", str(root)], check=True)
    try:
        yield
    finally:
        world.end_all()
        if not world.seen.good:
            shutil.copytree(root, world.folder / "kept", ignore=shutil.ignore_patterns("ballast"))
        subprocess.run(["umount", "--lazy", str(root)], check=True)


def _fill(world: LightWorld) -> None:
    with (world.workspace.root / "ballast").open("wb", buffering=0) as ballast, suppress(OSError):
        while ballast.write(b"\0" * 4096):
            pass


def writing(world: LightWorld, seconds: float, **faults: Any) -> tuple[Job, Job]:
    """A job that writes for longer than the fault lasts, and one behind it."""
    pause = 0.002 if seconds < 10 else 0.02
    steps = round((seconds + 1.5) / (pause + 0.002))
    world.order(hold=True)
    first = world.queue(world.any_kind(), name="first", steps=steps, pause=pause, **faults)
    second = world.queue(name="second", steps=20)
    world.start_worker()
    world.until_step(first, world.chance.randint(2, 60))
    return first, second


def goes_on_for(world: LightWorld, job: Job, seconds: float) -> None:
    """The work must not stand still while runs.db cannot be written."""
    began, before = time.monotonic(), world.last_step(job)
    time.sleep(seconds)
    after, done = world.last_step(job), any("ended" in line for line in world.witnessed(job))
    # One direct write may wait a second for the lock, and the journal a little for the disk.
    if seconds > 2.0 and after <= before and not done and after < world.wanted_steps(job):
        world.seen.wrong(f"the work stood still for {time.monotonic() - began:.1f} s at step {after}")


def begun_once(world: LightWorld, job: Job) -> None:
    if world.attempts(job) != 1:
        world.seen.wrong(f"the job was begun {world.attempts(job)} times: the trouble has ended it")


KINDS = (
    Kind("runs.db locked", light(locked), full=6, short=1),
    Kind("runs.db locked for 30 s", light(locked_30_s), full=2),
    Kind("runs.db locked, light job killed", light(locked_and_killed), full=8, short=1),
    Kind("runs.db locked at the end", light(locked_at_the_end), full=6),
    Kind("runs.db read-only (SQLite)", light(read_only), full=4, short=1),
    Kind("runs.db immutable (kernel)", light(immutable), full=4, missing=can_be_immutable),
    Kind("runs.db has no room (max_page_count)", light(full), full=6, short=1),
    Kind("runs.db has no room, light job killed", light(full_and_killed), full=6),
    Kind("no file may grow", light(file_too_large), full=4),
    Kind("disk full", light(small_disk), full=5, missing=can_mount),
    Kind("disk full, all killed", light(small_disk_and_killed), full=5, missing=can_mount),
)
