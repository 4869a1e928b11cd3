"""Jobs that take several devices: who gets which, who waits, and what the queue says of it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from store_helpers import end_process, wait_until

from engine.api.queueing import queue_view_from
from engine.errors import JobError, ModelError
from engine.jobs.cancelling import Canceller
from engine.jobs.devices import Device, ids_of, joined
from engine.jobs.worker import Worker, WorkerStatus
from engine.store.reader import Reader
from engine.store.records import JobRow
from engine.store.writer import Writer
from engine.types import JobKind, State
from engine.workspace import Workspace

CARDS = [Device(f"cuda:{number}", "H100", 80 - number, f"GPU-{number}") for number in range(3)]
CPU = Device("cpu", "CPU, 2 cores", 8, "")
PROGRAM = "import os, sys, time; print(os.environ['CUDA_VISIBLE_DEVICES'], flush=True); time.sleep(600)"

MakeWorker = Callable[[list[Device]], Worker]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


@pytest.fixture
def writer(workspace: Workspace) -> Iterator[Writer]:
    with Writer.open(workspace) as opened:
        yield opened


@pytest.fixture
def worker(workspace: Workspace) -> Iterator[MakeWorker]:
    made: list[Worker] = []

    def make(devices: list[Device]) -> Worker:
        made.append(Worker(workspace, lambda *_job: [sys.executable, "-c", PROGRAM], devices, Canceller(60.0)))
        return made[-1]

    yield make
    for each in made:
        for process in each.processes.values():
            end_process(process.pid, process.start)


def add(writer: Writer, name: str, devices: int) -> int:
    recipe = f'{{"training": {{"devices": {devices}}}}}'
    return writer.create_run(name, recipe, "phantoms", "data-1", "split-1", "assets/base-model", 42)


def job(workspace: Workspace, run_id: int) -> JobRow:
    with Reader(workspace) as reader:
        return reader.job(JobKind.TRAINING, run_id)


def end(worker: Worker, workspace: Workspace, run_id: int) -> None:
    row = job(workspace, run_id)
    end_process(row.pid, row.process_start)
    wait_until(lambda: worker.turn() is not None and job(workspace, run_id).state == State.INTERRUPTED, "settled")


def blocked(workspace: Workspace, devices: list[Device]) -> dict[str, str]:
    with Reader(workspace) as reader:
        view = queue_view_from(reader, devices, WorkerStatus(True, 1))
    return {item.name: item.blocked for item in view.queued}


def test_a_job_waits_for_as_many_devices_as_it_wants_and_keeps_its_turn(
    workspace: Workspace, writer: Writer, worker: MakeWorker
) -> None:
    small, wide, later = add(writer, "small", 1), add(writer, "wide", 3), add(writer, "later", 1)
    at_work = worker(CARDS)
    at_work.turn()
    assert job(workspace, small).device == "cuda:0"
    # Two cards are free, and held: "later" would fit, and might be followed by others for ever.
    assert [job(workspace, each).state for each in (wide, later)] == [State.QUEUED, State.QUEUED]
    said = blocked(workspace, CARDS)
    assert said["wide"].startswith("waits until 3 GPUs are free at once (2 now)")
    assert said["later"] == ""

    end(at_work, workspace, small)
    assert job(workspace, wide).device == "cuda:0,cuda:1,cuda:2"
    assert job(workspace, later).state == State.QUEUED
    log = workspace.root / job(workspace, wide).directory / "log.txt"
    wait_until(lambda: log.read_text().strip() == "GPU-0,GPU-1,GPU-2", "the process sees its cards")

    end(at_work, workspace, wide)
    assert job(workspace, later).device == "cuda:0"


def test_two_jobs_share_the_cards_of_a_machine(workspace: Workspace, writer: Writer, worker: MakeWorker) -> None:
    pair, single = add(writer, "pair", 2), add(writer, "single", 1)
    at_work = worker(CARDS)
    at_work.turn()
    assert (job(workspace, pair).device, job(workspace, single).device) == ("cuda:0,cuda:1", "cuda:2")
    with Reader(workspace) as reader:
        view = queue_view_from(reader, CARDS, WorkerStatus(True, 1))
    # Cards that share a job are one row.
    assert [(row.device, row.name, row.running and row.running.name) for row in view.devices] == [
        ("cuda:0,cuda:1", "2 x H100", "pair"),
        ("cuda:2", "H100", "single"),
    ]


def test_a_job_that_wants_more_than_there_is_lets_others_pass_and_says_so(
    workspace: Workspace, writer: Writer, worker: MakeWorker
) -> None:
    wide, single = add(writer, "wide", 4), add(writer, "single", 1)
    at_work = worker(CARDS)
    at_work.turn()
    assert job(workspace, wide).state == State.QUEUED
    assert job(workspace, single).state == State.STARTING
    said = blocked(workspace, CARDS)["wide"]
    assert said.startswith("wants 4 GPUs at once, and this machine has 3")
    assert f"sonotune cancel {wide}" in said
    end(at_work, workspace, single)
    assert not at_work.has_work()


def test_processes_of_a_run_share_the_cpu_where_there_is_no_gpu(
    workspace: Workspace, writer: Writer, worker: MakeWorker
) -> None:
    wide = add(writer, "wide", 2)
    worker([CPU]).turn()
    assert job(workspace, wide).device == "cpu"


def test_devices_are_put_together_and_taken_apart() -> None:
    both = joined(CARDS[:2])
    assert both == Device("cuda:0,cuda:1", "2 x H100", 79, "GPU-0,GPU-1")
    assert joined(CARDS[:1]) == CARDS[0]
    assert ids_of(both.id) == ["cuda:0", "cuda:1"]
    assert (ids_of("cpu"), ids_of(None)) == (["cpu"], [])


@pytest.mark.parametrize(
    ("training", "error", "says"),
    [
        ({"devices": 4}, JobError, "wants 4 GPUs and may use 3"),
        ({"devices": 3}, ModelError, "cannot be shared by 3 devices"),
    ],
)
def test_a_launch_that_the_machine_cannot_carry_out_fails_at_once(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, training: dict[str, int], error: type[Exception], says: str
) -> None:
    import engine.api.launching as module
    from engine.data.importers.phantoms import import_phantoms
    from engine.recipe import parse_recipe

    import_phantoms(workspace, "phantoms", count=12, seed=3, abnormal_share=0.5, size=64, processes=1)
    monkeypatch.setattr(module, "devices", lambda: CARDS)
    with pytest.raises(error, match=says):
        module.plan_launch(workspace, parse_recipe({"name": "wide", "training": training}, "test"))
