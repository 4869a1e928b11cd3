"""Deaths of the real training process, each at another moment; every function is one try of its kind."""

from __future__ import annotations

import signal
import time

from harness import Case
from real_world import STEP, STEPS, Fault, RealWorld, slower, started

from engine.types import State

SAVE = "engine.training.trainer:AnswerTrainer._save_checkpoint"
ADAPTER = "engine.training.recipe_run:save_adapter"
RECORD = "engine.store.writer_recording:RecordingWrites.record"


def _broken_by(case: Case, *faults: Fault, variant: str = "") -> RealWorld:
    """A run that a fault in its process has ended: state and words are right, the queue goes on, it is resumed."""
    with started(case, *faults, variant=variant) as (world, run):
        died = world.until_process_dies(run)
        if not world.struck():
            world.seen.wrong("the fault has not struck")
        _dead_and_resumed(world, run, died)
    return world


def _dead_and_resumed(world: RealWorld, run: int, died: float, state: State = State.INTERRUPTED) -> None:
    behind = world.queue_another()
    world.until_dead_is_known(run, died, state)
    world.check(run)
    world.check_told(run)
    world.goes_on(behind)
    world.resume(run)
    world.finish(run, resumed=True)


def killed_while_loading(case: Case) -> RealWorld:
    """At a random moment before the first step: imports, model, data."""
    with started(case) as (world, run):
        world.until_state(run, State.STARTING, State.RUNNING)
        time.sleep(case.chance.uniform(0, 5))
        died = world.kill(world.row(run).pid)
        _dead_and_resumed(world, run, died)
    return world


def killed_in_a_step(case: Case) -> RealWorld:
    """Before, in or after the forward and backward pass, or the optimizer's step."""
    target = case.chance.choice(
        [
            STEP,
            "torch.optim.adamw:AdamW.step",
            "torch._tensor:Tensor.backward",
            RECORD,
            "engine.training.trainer:answer_loss",
        ]
    )
    when, at = case.chance.choice(["before", "after"]), case.chance.randint(1, STEPS)
    # The short form tries number 0 alone: with packed rows and changed images, which have most to resume.
    variant = ("eight questions", "one question")[case.number % 2]
    return _broken_by(case, {"target": target, "when": when, "at": at, "do": "kill"}, variant=variant)


def killed_in_a_checkpoint(case: Case) -> RealWorld:
    """At one of the file operations of a checkpoint: each flush, each rename, each removal."""
    target = case.chance.choice(
        ["os:fsync", "os:fsync", "os:rename", "os:replace", "os:unlink", "os:rmdir", "os:mkdir"]
    )
    return _in_files(case, SAVE, target, 40 if target == "os:fsync" else 6)


def killed_in_the_adapter_save(case: Case) -> RealWorld:
    """The same for the adapter at the end."""
    target = case.chance.choice(["os:fsync", "os:rename", "os:replace", "os:mkdir"])
    return _in_files(case, ADAPTER, target, 5 if target == "os:fsync" else 2)


def _in_files(case: Case, inside: str, target: str, most: int) -> RealWorld:
    fault = {
        "target": target,
        "inside": inside,
        "when": case.chance.choice(["before", "after"]),
        "at": case.chance.randint(1, most),
        "do": "kill",
    }
    # Where there are fewer such calls than that, the save itself is the moment.
    other = {"target": inside, "when": "after", "at": case.chance.randint(1, 3) if inside == SAVE else 1, "do": "kill"}
    with RealWorld(case) as world:
        world.inject(fault, {**other, "once": str(world.folder / "struck-0")})
        run = world.launch()
        world.start_worker()
        died = world.until_process_dies(run)
        if not world.struck():
            world.seen.wrong("the fault has not struck")
        _dead_and_resumed(world, run, died)
    return world


def killed_at_a_random_moment(case: Case) -> RealWorld:
    """Wherever it is, from the outside."""
    with started(case, slower(0.15)) as (world, run):
        world.until_state(run, State.RUNNING)
        world.until_step(run, 1)
        time.sleep(case.chance.uniform(0, 2.5))
        died = world.kill(world.row(run).pid)
        _dead_and_resumed(world, run, died)
    return world


def killed_twice(case: Case) -> RealWorld:
    """A kill, and another one after the resume."""
    first, second = sorted(case.chance.sample(range(2, STEPS), 2))
    with RealWorld(case) as world:
        world.inject(
            {"target": STEP, "at": first, "do": "kill"},
            {"target": STEP, "at": max(1, second - first), "do": "kill", "after": 0},
        )
        run = world.launch()
        world.start_worker()
        died = world.until_process_dies(run)
        world.until_dead_is_known(run, died, State.INTERRUPTED)
        world.check(run)
        world.resume(run)
        died = world.until_process_dies(run)
        _dead_and_resumed(world, run, died)
    return world


def told_to_end(case: Case) -> RealWorld:
    """SIGTERM: it saves and stops; resumed, it ends as if nothing had been."""
    with started(case, slower(0.15)) as (world, run):
        world.until_step(run, case.chance.randint(1, STEPS - 4))
        sent = world.kill(world.row(run).pid, signal.SIGTERM)
        behind = world.queue_another()
        world.until_dead_is_known(run, sent, State.INTERRUPTED)
        world.check(run)
        world.goes_on(behind)
        world.resume(run)
        world.finish(run, resumed=True)
    return world


def hung_up(case: Case) -> RealWorld:
    """SIGHUP to the job and to the worker: nothing happens."""
    with started(case, slower(0.15)) as (world, run):
        world.until_step(run, 2)
        world.kill(world.row(run).pid, signal.SIGHUP)
        world.kill(world.worker_pid(), signal.SIGHUP)
        world.finish(run)
    return world


def worker_killed(case: Case) -> RealWorld:
    """The run goes on; another worker comes, and starts the next job."""
    with started(case, slower(0.3)) as (world, run):
        world.until_step(run, case.chance.randint(1, 4))
        world.kill(world.worker_pid())
        behind = world.queue_another()
        world.finish(run)
        world.goes_on(behind)
    return world


def both_killed(case: Case) -> RealWorld:
    """Worker and job at once; whoever looks next sees it, and the next worker goes on."""
    with started(case, slower(0.2)) as (world, run):
        world.until_step(run, case.chance.randint(1, 8))
        world.kill(world.worker_pid())
        died = world.kill(world.row(run).pid)
        world.sonotune("runs")
        _dead_and_resumed_after_all(world, run, died)
    return world


def machine_restarted(case: Case) -> RealWorld:
    """Every process is gone at once; the PIDs of the rows belong to other processes now."""
    with started(case, slower(0.2)) as (world, run):
        world.until_step(run, case.chance.randint(1, 8))
        died = world.end_all()
        from store_helpers import raw

        with raw(world.workspace) as connection:
            connection.execute("UPDATE runs SET pid = 1 WHERE id = ?", (run,))
        world.sonotune("runs")
        _dead_and_resumed_after_all(world, run, died)
    return world


def _dead_and_resumed_after_all(world: RealWorld, run: int, died: float) -> None:
    world.until_dead_is_known(run, died, State.INTERRUPTED)
    world.check(run)
    world.check_told(run)
    behind = world.queue_another()
    world.resume(run)
    world.finish(run, resumed=True)
    world.goes_on(behind)
