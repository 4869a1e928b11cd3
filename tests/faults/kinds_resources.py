"""What the real training process runs out of, or loses: disk, memory, numbers, images, the base model, runs.db."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from harness import Case
from kinds_training import ADAPTER, RECORD, SAVE, _dead_and_resumed
from real_world import STEP, STEPS, Fault, RealWorld, slower, started

from engine.types import State


def _survived(case: Case, *faults: Fault, event: str = "") -> RealWorld:
    """A run that goes on although a fault strikes; its history tells of it."""
    with started(case, *faults) as (world, run):
        world.finish(run)
        if not world.struck():
            world.seen.wrong("the fault has not struck")
        if event and not any(event in each.kind for each in world.events(run)):
            world.seen.wrong(f"no event tells of it: {[each.kind for each in world.events(run)]}")
    return world


def _failed(case: Case, *faults: Fault) -> RealWorld:
    """A run that must end as failed, with words; once the cause is gone it is resumed."""
    with started(case, *faults) as (world, run):
        ended = world.until_process_dies(run)
        _dead_and_resumed(world, run, ended, State.FAILED)
    return world


def disk_full_in_a_checkpoint(case: Case) -> RealWorld:
    """ENOSPC at a file of a checkpoint: the training goes on."""
    target = case.chance.choice(["os:fsync", "os:mkdir", "torch.serialization:save"])
    at = case.chance.randint(1, 12) if target == "os:fsync" else 1
    return _survived(case, {"target": target, "inside": SAVE, "at": at, "do": "enospc"}, event="disk")


def disk_full_at_the_adapter(case: Case) -> RealWorld:
    """ENOSPC at the adapter: it waits, and saves as soon as there is room."""
    return _survived(
        case, {"target": "os:fsync", "inside": ADAPTER, "at": case.chance.randint(1, 3), "do": "enospc"}, event="disk"
    )


def disk_full_in_metrics(case: Case) -> RealWorld:
    """runs.db cannot grow for some seconds."""
    at = case.chance.randint(2, STEPS)
    return _survived(case, {"target": RECORD, "at": at, "do": "full database", "seconds": 4.0}, slower(0.3))


def out_of_memory_on_the_card(case: Case) -> RealWorld:
    """A simulated out of memory on the GPU, before or within the passes of a step: the step is done over."""
    target = ("engine.training.trainer:AnswerTrainer._passes", "engine.training.trainer:answer_loss")[case.number % 2]
    at = case.chance.randint(2, STEPS)
    return _survived(case, {"target": target, "at": at, "do": "cuda memory"}, event="out of memory")


def out_of_host_memory(case: Case) -> RealWorld:
    """A MemoryError in a step."""
    return _failed(case, {"target": STEP, "at": case.chance.randint(5, STEPS), "do": "memory"})


def no_number(case: Case) -> RealWorld:
    """The loss becomes NaN."""
    return _failed(case, {"target": STEP, "when": "after", "at": case.chance.randint(5, STEPS), "do": "nan"})


def corrupt_image(case: Case) -> RealWorld:
    """Images are cut short while an epoch runs, and restored before the resume."""
    with RealWorld(case) as world:
        images = sorted((world.workspace.root / "datasets").rglob("*.png"))
        kept = {image: image.read_bytes() for image in images}
        world.inject(
            {"target": STEP, "at": 3, "do": "cut", "files": [*map(str, images)]},
            # Pixels that lie ready would never be read again.
            {"target": "engine.training.pixels:PixelStore.__init__", "when": "after", "do": "uncached", "times": -1},
        )
        run = world.launch()
        world.start_worker()
        ended = world.until_process_dies(run)
        world.until_dead_is_known(run, ended, State.FAILED)
        for image, content in kept.items():
            image.write_bytes(content)
        _dead_and_resumed(world, run, time.monotonic(), State.FAILED)
    return world


def base_model_gone(case: Case) -> RealWorld:
    """The base model vanishes between launch and start, or between death and resume; then it comes back."""
    with RealWorld(case) as world:
        base = world.folder / "base"
        shutil.copytree(world.template.base, base)
        run = world.launch(base)
        if case.number % 2:
            world.inject({"target": STEP, "at": 6, "do": "kill"})
            world.start_worker()
            died = world.until_process_dies(run)
            world.until_dead_is_known(run, died, State.INTERRUPTED)
        base.rename(world.folder / "elsewhere")
        if case.number % 2:
            world.resume(run)
        else:
            world.start_worker()
        row = world.until_state(run, State.FAILED)
        if not row.error_next_step:
            world.seen.wrong("nobody says what to do about the missing base model")
        (world.folder / "elsewhere").rename(base)
        _dead_and_resumed(world, run, time.monotonic(), State.FAILED)
    return world


def database_locked(case: Case) -> RealWorld:
    """Somebody holds runs.db for half a minute."""
    with started(case, slower(0.3)) as (world, run):
        world.until_step(run, case.chance.randint(1, 5))
        with closing(sqlite3.connect(world.workspace.database, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            time.sleep(30)
            connection.execute("ROLLBACK")
        world.finish(run)
    return world


def database_deleted(case: Case) -> RealWorld:
    """Somebody removes runs.db with its log while a run writes: it is put back."""
    with started(case, slower(0.3)) as (world, run):
        world.until_step(run, case.chance.randint(1, 5))
        for file in world.workspace.root.glob("runs.db*"):
            file.unlink()
        world.until(world.workspace.database.exists, "runs.db is there again", 30)
        world.finish(run)
    return world


def database_unwritable(case: Case) -> RealWorld:
    """runs.db is damaged while a run trains; from a copy made before, nothing that was trained is lost."""
    with started(case, slower(0.3)) as (world, run):
        world.until_step(run, case.chance.randint(1, 5))
        database = world.workspace.database
        copy = world.folder / "copy.db"
        with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
        with database.open("r+b") as file:
            file.write(os.urandom(4096))
        adapter = Path(world.workspace.root / "outputs")
        world.until(lambda: list(adapter.rglob("adapter/adapter_model.safetensors")), "the adapter is saved")
        world.end_all()
        for file in world.workspace.root.glob("runs.db*"):
            file.unlink()
        shutil.copy(copy, database)
        world.sonotune("runs")
        row = world.until_state(run, State.SUCCEEDED, State.INTERRUPTED)
        if row.state is not State.SUCCEEDED:
            world.resume(run)
        world.finish(run, resumed=True)
    return world
