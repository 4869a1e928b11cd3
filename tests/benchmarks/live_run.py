"""What a live run costs on an SSH line: `.venv/bin/python tests/benchmarks/live_run.py [SECONDS]`.

A recorded noisy loss (fixed seed, with an initial spike and a second one that makes the axis change) is written as a
training process would write it: 4 steps a second of 5,214, telemetry every 2 s; the screen has 200x50 cells in true
colour, the log is hidden. Bytes and processor time of the workbench are measured beside those of the same screen with
Textual's own compositor and whole-widget refreshes, in the same run.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil
from terminal import OPEN, Terminal

from engine.jobs.process import process_start
from engine.store.writer import Writer
from engine.telemetry import GpuSample, HostSample
from engine.types import JobKind, State
from engine.workspace import Workspace

PLANNED, KNOWN, STEPS_A_SECOND = 5214, 1900, 4
WARM_SECONDS = 6.0
STOCK = (
    "import textual._compositor as c, tui.screens.base as b, tui.dialogs.base as d, tui.widgets.cells as w;"
    "b.TightCompositor = d.TightCompositor = c.Compositor;"
    "w.changed_regions = lambda old, new, known=None: [] if all(a is z or a == z for a, z in zip(old, new))"
    " else [w.Region(0, 0, new[0].cell_length, len(new))];"
)
RECIPE = '{"name": "recorded"}'


def loss_at(step: int, noise: random.Random) -> float:
    """The recorded series."""
    spike = 4.0 * 0.98**step + (1.5 if step in range(2000, 2010) else 0.0)
    return max(0.01, 0.05 + 1.2 * 0.9985**step + spike + noise.gauss(0, 0.05))


def values(step: int, noise: random.Random) -> dict[str, float]:
    return {
        "loss": loss_at(step, noise),
        "grad_norm": abs(noise.gauss(1.0, 0.3)),
        "learning_rate": 2e-4 * (1 - step / PLANNED),
        "samples_per_second": noise.gauss(16, 1),
        "step_seconds": noise.gauss(0.25, 0.01),
    }


def start_run(workspace: Workspace) -> int:
    """A run that this process carries on."""
    noise = random.Random(7)
    with Writer.open(workspace) as writer:
        run = writer.create_run("recorded", RECIPE, "fetal", "d", "s", "Qwen3-VL-8B", 42, planned_steps=PLANNED)
        pid = os.getpid()
        columns = {"pid": pid, "process_start": process_start(pid), "host": os.uname().nodename}
        writer.transition(JobKind.TRAINING, run, State.QUEUED, State.STARTING, "recorded", **columns)
        writer.transition(JobKind.TRAINING, run, State.STARTING, State.RUNNING, "recorded")
        for step in range(1, KNOWN):
            writer.add_metrics(run, step, values(step, noise))
    return run


def carry_on(workspace: Workspace, run: int, ended: threading.Event) -> None:
    """Write steps and telemetry until it is over."""
    noise = random.Random(11)
    with Writer.open(workspace) as writer:
        step = KNOWN
        while not ended.wait(1 / STEPS_A_SECOND):
            writer.add_metrics(run, step, values(step, noise))
            if step % (2 * STEPS_A_SECOND) == 0:
                writer.heartbeat(JobKind.TRAINING, run)
                host = HostSample(noise.uniform(20, 30), int(6e9 + noise.gauss(0, 1e7)), int(2e10), int(1.28e11))
                gpu = GpuSample(0, noise.uniform(90, 100), int(3.9e10 + noise.gauss(0, 5e7)), int(8.6e10), 500.0, 61.0)
                writer.add_samples(JobKind.TRAINING, run, host, gpu)
            step += 1


def measure(code: str, workspace: Workspace, seconds: float) -> tuple[float, float, float]:
    """kB a second, per cent of a core, MiB of resident memory."""
    with Terminal(code, str(workspace.root)) as terminal:
        terminal.read_until(b"recorded")
        terminal.send("\r")
        terminal.read_until(b"gradient norm")  # the charts are there
        terminal.read(WARM_SECONDS)
        process = psutil.Process(terminal.process.pid)
        used, before, started = sum(process.cpu_times()[:2]), terminal.received, time.perf_counter()
        deadline = started + seconds
        while time.perf_counter() < deadline:
            terminal.read(min(1.0, max(0.0, deadline - time.perf_counter())))
        lasted = time.perf_counter() - started
        memory = process.memory_info().rss / 2**20
        return (
            (terminal.received - before) / lasted / 1000,
            100 * (sum(process.cpu_times()[:2]) - used) / lasted,
            memory,
        )


def main(seconds: float = 60.0) -> int:
    figures = {}
    for name, code in (("ours", OPEN), ("stock", STOCK + OPEN)):
        with tempfile.TemporaryDirectory() as folder:
            workspace = Workspace(Path(folder))
            run, ended = start_run(workspace), threading.Event()
            training = threading.Thread(target=carry_on, args=(workspace, run, ended))
            training.start()
            figures[name] = measure(code, workspace, seconds)
            ended.set()
            training.join()
        rate, core, memory = figures[name]
        print(f"RESULT live run, {name}: {rate:.2f} kB/s, {core:.1f} % of a core, {memory:.0f} MiB resident")
    ours, stock = figures["ours"], figures["stock"]
    print(
        f"RESULT live run: stock / ours = {stock[0] / ours[0]:.1f} in bytes, {stock[1] / ours[1]:.1f} in processor time"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(*(float(each) for each in sys.argv[1:])))
