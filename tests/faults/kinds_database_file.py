"""What can befall the file runs.db while a light job writes: deleted, moved, replaced, spoiled, made newer."""

from __future__ import annotations

import os
import signal
import time
from contextlib import closing
from pathlib import Path

from harness import Kind
from kinds_database import begun_once, goes_on_for, writing
from light_checks import check, check_told, finish, resume_and_finish, sonotune
from light_world import RIGHT_WITHIN_SECONDS, Job, LightWorld, connect, light

from engine.jobs.journal import lines_of
from engine.jobs.process import is_alive
from engine.store.migrations import LATEST
from engine.store.recorded import Answered, Measured
from engine.types import State

PAGE = 4096


def deleted(world: LightWorld) -> None:
    """Somebody deletes runs.db (with its log, or alone): the running job puts it back with all its rows."""
    first, second = writing(world, 4.0)
    _delete(world, with_log=world.chance.random() < 0.7)
    began = time.monotonic()
    world.until(world.workspace.database.exists, "runs.db is put back", RIGHT_WITHIN_SECONDS)
    world.seen.seconds = time.monotonic() - began
    finish(world, first, second)
    begun_once(world, first)


def deleted_at_the_end(world: LightWorld) -> None:
    """The same while the job has done its work and ends."""
    first, second = writing(world, 0.3)
    world.until_step(first, world.wanted_steps(first))
    _delete(world, with_log=True)
    world.pause(0.5)
    world.release()
    world.until(world.workspace.database.exists, "runs.db is put back", RIGHT_WITHIN_SECONDS)
    finish(world, first, second)
    begun_once(world, first)


def _delete(world: LightWorld, *, with_log: bool) -> None:
    for ending in ("", "-wal", "-shm") if with_log else ("",):
        world.workspace.database.with_name("runs.db" + ending).unlink(missing_ok=True)


def moved(world: LightWorld) -> None:
    """Somebody moves runs.db away for some seconds, and back."""
    first, second = writing(world, 4.0)
    away = _move_away(world)
    goes_on_for(world, first, world.chance.uniform(1.0, 4.0))
    _move_back(world, away)
    finish(world, first, second)
    begun_once(world, first)


def emptied(world: LightWorld) -> None:
    """An empty file lies at the place of runs.db for some seconds: it is not taken for the job's, nor filled."""
    first, second = writing(world, 4.0)
    away = _move_away(world)
    world.workspace.database.touch()
    goes_on_for(world, first, world.chance.uniform(1.0, 4.0))
    _told_of_trouble(world)
    if world.workspace.database.stat().st_size:
        world.seen.wrong("an empty file was made a database while a job ran")
    _move_back(world, away)
    finish(world, first, second)
    begun_once(world, first)


def another(world: LightWorld) -> None:
    """Another runs.db lies at the place for some seconds, with a queued run of the same number: it gets none of the
    job's rows, and its run waits for the device."""
    first, second = writing(world, 4.0)
    away = _move_away(world)
    world.make_workspace()
    foreign = world.queue(name="foreign")
    goes_on_for(world, first, world.chance.uniform(1.0, 4.0))
    if world.row(foreign).state != State.QUEUED:
        world.seen.wrong(f"the run of another database is {world.row(foreign).state} while the device is taken")
    with closing(connect(world)) as connection:
        points = connection.execute("SELECT count(*) FROM metrics").fetchone()[0]
        points += connection.execute("SELECT count(*) FROM predictions").fetchone()[0]
    if points:
        world.seen.wrong(f"{points} rows of the job have gone into another database")
    _move_back(world, away)
    finish(world, first, second)


def _move_away(world: LightWorld) -> Path:
    away = world.folder / "away"
    away.mkdir()
    for path in world.workspace.root.glob("runs.db*"):
        if path.name in ("runs.db", "runs.db-wal", "runs.db-shm"):
            path.rename(away / path.name)
    return away


def _move_back(world: LightWorld, away: Path) -> None:
    _delete(world, with_log=True)
    # The log first: the database without it would be an older one.
    for path in sorted(away.iterdir(), reverse=True):
        path.rename(world.workspace.root / path.name)


def newer(world: LightWorld) -> None:
    """A newer sonotune brings runs.db to its version while the job runs, and is undone some seconds later."""
    first, second = writing(world, 4.0)
    _set_version(world, LATEST + 1)
    goes_on_for(world, first, world.chance.uniform(1.0, 4.0))
    _told_of_trouble(world)
    _set_version(world, LATEST)
    finish(world, first, second)
    begun_once(world, first)


def _set_version(world: LightWorld, version: int) -> None:
    with closing(connect(world)) as connection:
        connection.execute(f"PRAGMA user_version = {version}")


def spoiled(world: LightWorld) -> None:
    """Pages of runs.db are overwritten with garbage while the job writes: it goes on to its end, its journal has all,
    and a backup that is put in place (while it runs, or after its end) gets every row."""
    first, second = writing(world, 2.0)
    backup = _backup(world)
    reached = world.last_step(first)
    world.until_step(first, reached + world.chance.randint(5, 50))
    _spoil(world)
    goes_on_for(world, first, world.chance.uniform(0.5, 3.0))
    _told_of_trouble(world)
    killed = world.chance.random() < 0.5
    if killed:
        _kill(world, first)
    _journal_has_all(world, first)
    _put_in_place(world, backup)
    if world.worker_pid() is None:
        world.start_worker()
    if killed:
        world.until_dead_is_known(first, time.monotonic(), State.INTERRUPTED)
        check_told(world, first)
        check(world, first)
        resume_and_finish(world, first, second)
    else:
        finish(world, first, second)


def _kill(world: LightWorld, job: Job) -> None:
    """SIGKILL where runs.db cannot tell the PID."""
    attempt = world.attempt_of(job)
    if is_alive(attempt["pid"], attempt["start"]):
        os.kill(attempt["pid"], signal.SIGKILL)


def _backup(world: LightWorld) -> Path:
    """As `sonotune db backup` makes one: a copy by SQLite while others write."""
    copy = world.folder / "backup.db"
    with closing(connect(world)) as connection:
        connection.execute("VACUUM INTO ?", (str(copy),))
    return copy


def _spoil(world: LightWorld) -> None:
    database = world.workspace.database
    with closing(connect(world)) as connection:
        connection.execute("PRAGMA wal_checkpoint(FULL)")
    pages = database.stat().st_size // PAGE
    with database.open("r+b") as file:
        for page in world.chance.sample(range(pages), max(3, pages // 2)):
            file.seek(page * PAGE + world.chance.choice([0, 8, 100]))
            file.write(world.chance.randbytes(1024))


def _journal_has_all(world: LightWorld, job: Job) -> None:
    attempt = world.attempt_of(job)
    told = {line["step"] for line in world.witnessed(job) if "step" in line}  # first: it may go on
    kept: set[int] = set()
    for line in lines_of(world.journal_of(job), attempt["pid"], attempt["start"]):
        if isinstance(line, Measured):
            kept.add(line.step)
        elif isinstance(line, Answered):
            kept.update(int(each.path[-9:-4]) for each in line.predictions)
    missing = told - kept
    if missing:
        world.seen.lost_rows += len(missing)
        world.seen.notes.append(f"the journal lacks steps {sorted(missing)[:10]}")


def _put_in_place(world: LightWorld, backup: Path) -> None:
    _delete(world, with_log=True)
    backup.rename(world.workspace.database)


def _told_of_trouble(world: LightWorld) -> None:
    """`sonotune runs` says in words what is wrong, with a next step, and shows no traceback."""
    done = sonotune(world, "runs")
    if "Traceback" in done.stderr or (done.returncode and len(done.stderr.strip().splitlines()) < 2):
        world.seen.wrong(f"`sonotune runs` does not tell what is wrong: {done.stderr[-400:]}")


KINDS = (
    Kind("runs.db deleted", light(deleted), full=6, short=1),
    Kind("runs.db deleted at the end", light(deleted_at_the_end), full=5),
    Kind("runs.db moved away and back", light(moved), full=4, short=1),
    Kind("runs.db replaced by an empty file", light(emptied), full=4, short=1),
    Kind("runs.db replaced by another one", light(another), full=4),
    Kind("runs.db of a newer version", light(newer), full=4, short=1),
    Kind("runs.db spoiled, backup put in place", light(spoiled), full=8),
)
