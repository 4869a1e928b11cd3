"""What the screens look like, as text: a change is seen in review as a diff of the picture itself.

UPDATE_SNAPSHOTS=1 .venv/bin/python -m pytest tests/tui/test_snapshots.py      writes them anew
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli_helpers import no_worker, small_dataset
from textual.pilot import Pilot
from tui_helpers import screen_text, until, workbench

from engine import api
from engine.recipe import Recipe, recipe_json
from engine.store.writer import Writer
from engine.telemetry import GpuSample, HostSample
from engine.types import JobKind, Reference, Score, Split, State
from engine.workspace import Workspace
from tui.screens.registry import TABS

NOW = 1_800_000_000.0
FOLDER = Path(__file__).parent / "snapshots"
SIZES = ((80, 24), (200, 50))


def seeded(folder: Path) -> Workspace:
    """One dataset, and runs in all kinds of states, at fixed times."""
    workspace = small_dataset(folder, "phantoms")
    record = api.dataset_summary(workspace, "phantoms").record
    ticks = iter(range(10_000))
    with Writer.open(workspace, clock=lambda: NOW - 3600 + next(ticks) * 0.25) as writer:

        def add(name: str, **others: Any) -> int:
            recipe = recipe_json(Recipe(name=name))
            prints = (record.fingerprint, record.split_fingerprint)
            return writer.create_run(name, recipe, "phantoms", *prints, "Qwen/Qwen3-VL-8B-Instruct", 42, **others)

        def move(run: int, *states: State, **columns: Any) -> None:
            before = State.QUEUED
            for state in states:
                assert writer.transition(JobKind.TRAINING, run, before, state, f"test: {state}", **columns)
                before = state

        done = add("baseline", planned_steps=200)
        for step in range(1, 201):
            loss = 0.05 + 0.9 * 0.98**step + 0.05 * ((step * 7919) % 13 - 6) / 6
            values = {"loss": loss, "learning_rate": 2e-4 * (1 - step / 200), "grad_norm": 1.0, "step_seconds": 0.5}
            writer.add_metrics(done, step, {**values, "samples_per_second": 16.0}, time=NOW - 3000 + step)
        facts = {"final_loss": 0.0464, "train_seconds": 14280.0, "backend": "unsloth", "peak_rss_bytes": 5 * 2**30}
        move(done, State.STARTING, State.RUNNING, State.SUCCEEDED, host="box", device="cuda:0", **facts)
        failed = add("broken", planned_steps=200)
        error = {"error_title": "The training diverged", "error_next_step": "Lower training.learning_rate."}
        move(failed, State.STARTING, State.RUNNING, State.FAILED, **error)
        alive = add("size-8b", planned_steps=200)
        move(alive, State.STARTING, State.RUNNING, host="elsewhere", device="cuda:0", pid=1, process_start=1.0)
        for step in range(1, 61):
            writer.add_metrics(alive, step, {"loss": 1.0 / step, "step_seconds": 2.0}, time=NOW - 60 + step)
        sample = GpuSample(0, 97.0, 39 * 2**30, 80 * 2**30, 512.0, 61.0)
        writer.add_samples(JobKind.TRAINING, alive, HostSample(25.0, 6 * 2**30, 20 * 2**30, 126 * 2**30), sample)
        writer.update(JobKind.TRAINING, alive, heartbeat=NOW - 1)
        lost = add("night-run", planned_steps=200)
        move(lost, State.STARTING, State.RUNNING, host="elsewhere", device="cuda:1", pid=2, process_start=1.0)
        writer.update(JobKind.TRAINING, lost, heartbeat=NOW - 300)
        add("waiting", planned_steps=200)
        for subject, value in ((done, 0.86), (Reference.MAJORITY, 0.5), (Reference.BASE, 0.52)):
            _measured(writer, subject, value)
    return workspace


def _measured(writer: Writer, subject: int | Reference, value: float) -> None:
    run = subject if isinstance(subject, int) and not isinstance(subject, Reference) else None
    reference = subject if isinstance(subject, Reference) else None
    model = "" if reference == Reference.MAJORITY else "Qwen/Qwen3-VL-8B-Instruct"
    evaluation = writer.create_evaluation(
        run, reference, model, "phantoms", Split.TEST, "Q7", "{}", "protocol", "cases", False, prompt="detailed"
    )
    names = ("accuracy", "balanced_accuracy", "sensitivity", "specificity", "mcc", "auroc")
    writer.add_scores(evaluation, [Score("all", name, value, value - 0.04, value + 0.04, 240) for name in names])
    before = State.QUEUED
    for state in (State.STARTING, State.RUNNING, State.SUCCEEDED):
        more = {"n": 240, "threshold": 0.5, "threshold_source": "validation"} if state == State.SUCCEEDED else {}
        writer.transition(JobKind.EVALUATION, evaluation, before, state, "test", **more)
        before = state


VIEWS: dict[str, tuple[tuple[str, ...], str]] = {
    "dataset": (("1",), "not diagnostic"),
    "launch": (("2",), "no problem|problems"),
    "runs": (("3",), "night-run"),
    "run": (("3", "G", "enter"), "gradient norm|loss 0.0"),
    "run-scores": (("3", "G", "enter", "tab", "tab", "tab", "tab"), "0.82"),
    "queue": (("4",), "ended lately"),
    "leaderboard": (("5",), "P(abnormal)"),
}
"""Keys that lead to a view, and what stands there once it is complete; `|` separates alternatives."""


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("name", VIEWS)
async def test_a_screen_looks_as_it_did(
    name: str, size: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    workspace = seeded(tmp_path)
    monkeypatch.setattr(time, "time", lambda: NOW)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    keys, wanted = VIEWS[name]
    with no_worker(workspace):
        async with workbench(workspace).run_test(size=size) as pilot:
            await until(pilot, lambda: "baseline" in screen_text(pilot.app), "the list of runs")
            for key in keys:
                await pilot.press(key)
            await until(pilot, lambda: any(each in screen_text(pilot.app) for each in wanted.split("|")), wanted)
            found = await settled(pilot, lambda: screen_text(pilot.app))
    compare(found, FOLDER / f"{name}-{size[0]}x{size[1]}.txt")


async def settled(pilot: Pilot[Any], look: Callable[[], str], looks: int = 12) -> str:
    """The screen once it has not changed for some time."""
    seen, same = look(), 0
    while same < looks:
        await pilot.pause(0.1)
        now = look()
        same = same + 1 if now == seen else 0
        seen = now
    return seen


def compare(found: str, file: Path) -> None:
    text = "\n".join(line.rstrip() for line in found.splitlines()) + "\n"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
    assert file.read_text(encoding="utf-8") == text, f"{file.name} differs; UPDATE_SNAPSHOTS=1 takes the new one"


def test_every_screen_has_a_snapshot() -> None:
    assert {tab.mode for tab in TABS} <= {file.name.partition("-")[0] for file in FOLDER.glob("*.txt")}
