"""Workbenches over a workspace with a running job, each ended in its own way: the job goes on, terminals are clean."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

from harness import Kind
from light_checks import check, resume_and_finish
from light_world import RIGHT_WITHIN_SECONDS, DisprovedError, Job, LightWorld, light
from pty_helpers import LEAVE, Terminal, cpu_seconds, sonotune

from engine.jobs import control
from engine.types import State

IDLE_SHARE = 0.5
"""Of a core that a workbench without its terminal may take: one that spins takes all of it."""


def end_by_kill(terminal: Terminal) -> None:
    terminal.process.send_signal(signal.SIGKILL)


def end_by_term(terminal: Terminal) -> None:
    terminal.process.send_signal(signal.SIGTERM)


def end_by_hangup(terminal: Terminal) -> None:
    terminal.process.send_signal(signal.SIGHUP)


def end_by_vanishing(terminal: Terminal) -> None:
    terminal.vanish()


def end_by_key(terminal: Terminal) -> None:
    terminal.type("q")


ENDINGS: dict[str, Callable[[Terminal], None]] = {
    "kill": end_by_kill,
    "term": end_by_term,
    "hangup": end_by_hangup,
    "vanish": end_by_vanishing,
    "key": end_by_key,
}


def _running(world: LightWorld) -> Job:
    world.order(hold=True, steps=4000, pause=0.01)
    job = world.queue(name="first")
    world.start_worker()
    world.until_step(job, 5)
    return job


def _opened(world: LightWorld) -> Terminal:
    kept = {name: value for name, value in world.environment.items() if name.startswith(("LIGHT", "PYTHON"))}
    return Terminal(sonotune(world.workspace.root), size=(100, 30), **kept)


def _ended(world: LightWorld, name: str, terminal: Terminal) -> None:
    """The process goes soon, without a loop that spins; where it could still write, the terminal is what it was."""
    began, before = time.monotonic(), _cpu(terminal)
    ENDINGS[name](terminal)
    try:
        world.until(lambda: terminal.process.poll() is not None, f"the workbench ends by {name}", RIGHT_WITHIN_SECONDS)
    except DisprovedError:
        took = _cpu(terminal) - before
        world.seen.notes.append(f"it has taken {took:.1f} s of CPU in {time.monotonic() - began:.1f} s")
        raise
    world.seen.seconds = max(world.seen.seconds, time.monotonic() - began)
    if name in ("term", "hangup", "key"):
        terminal.end()
        if not terminal.is_restored() or any(code not in terminal.output for code in LEAVE):
            world.seen.wrong(f"the terminal is not what it was after {name}")


def _cpu(terminal: Terminal) -> float:
    try:
        return cpu_seconds(terminal.process.pid)
    except OSError:
        return 0.0


def _goes_on(world: LightWorld, job: Job) -> None:
    step = world.last_step(job)
    world.until_step(job, step + 5)
    if world.row(job).state != State.RUNNING:
        world.seen.wrong(f"the job is {world.row(job).state} after a workbench has ended")


def one_ended(world: LightWorld) -> None:
    """One workbench, ended in a way that is drawn, on a screen that is drawn."""
    job = _running(world)
    with _opened(world) as terminal:
        terminal.wait_for("running")
        terminal.type(world.chance.choice("12345"))
        world.pause(1.0)
        _ended(world, world.chance.choice(list(ENDINGS)), terminal)
    _goes_on(world, job)
    _over(world, job)


def five_ended(world: LightWorld) -> None:
    """Five workbenches at once, each ended in another way, in an order that is drawn."""
    job = _running(world)
    terminals = {name: _opened(world) for name in ENDINGS}
    try:
        for terminal in terminals.values():
            terminal.wait_for("running", 60.0)
        _goes_on(world, job)
        for name in world.chance.sample(list(terminals), len(terminals)):
            _ended(world, name, terminals[name])
            _goes_on(world, job)
    finally:
        for terminal in terminals.values():
            terminal.__exit__()
    _over(world, job)


def all_killed(world: LightWorld) -> None:
    """Workbench, worker and job at once: the next workbench shows what happened within ten seconds."""
    job = _running(world)
    with _opened(world) as terminal:
        terminal.wait_for("running")
        world.end_all()
        terminal.process.send_signal(signal.SIGKILL)
    died = time.monotonic()
    with _opened(world) as terminal:
        world.until_dead_is_known(job, died, State.INTERRUPTED)
        terminal.wait_for("interrupted")
    finish_interrupted(world, job)


def finish_interrupted(world: LightWorld, job: Job) -> None:
    """Resume it with fewer steps to go, and let it end."""
    world.order(**{f"{job.kind}-{job.id}": {"steps": max(world.last_step(job) + 10, 20)}})
    resume_and_finish(world, job)


def _over(world: LightWorld, job: Job) -> None:
    """End the job as a user would, and compare what is recorded with the witness."""

    control.stop(world.workspace, job.id, start_worker=False)
    world.until_state(job, State.INTERRUPTED)
    check(world, job)


KINDS = (
    Kind("workbench ended", light(one_ended), full=12),
    Kind("five workbenches ended", light(five_ended), full=3),
    Kind("workbench, worker and light job killed", light(all_killed), full=5),
)
