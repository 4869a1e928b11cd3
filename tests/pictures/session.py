"""Takes the pictures of a real session: dataset, launch, live run, its end, leaderboard, studies.

    .venv/bin/python tests/pictures/session.py FOLDER [PRESET]

The workbench is driven by its keys alone, in a new workspace with 2,400 phantoms; the run is launched from its form and
trained by the ordinary worker on whatever this machine has. The pictures are SVG files in FOLDER.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from engine import api
from engine.store.reader import Reader
from engine.types import State
from tui.app import Workbench
from tui.dialogs.choose import Choose
from tui.settings import Settings

SIZE = (120, 36)
WAIT_SECONDS = 240.0
LIVE_STEP = 120
"""The live picture is taken from this step on."""


async def wait_for(pilot: Pilot[Any], holds: Any, what: str) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        await pilot.pause(0.25)


def take(app: Workbench, folder: Path, name: str) -> None:
    (folder / f"{name}.svg").write_text(app.export_screenshot(title="sonotune"), encoding="utf-8")
    print(f"RESULT picture {name}", flush=True)


async def session(workspace: api.Workspace, folder: Path, preset: str) -> None:
    app = Workbench(workspace, Settings())

    def run() -> Any:
        with Reader(workspace) as reader:
            return reader.run(1)

    def measured() -> bool:
        with Reader(workspace) as reader:
            return all(each.state == State.SUCCEEDED for each in reader.evaluations())

    def at_work() -> bool:
        return run().state in (State.QUEUED, *api.ACTIVE)

    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("1")
        await pilot.pause(3.0)
        await pilot.press("down", "down")
        await pilot.pause(1.0)
        take(app, folder, "dataset")
        await pilot.press("2")
        await pilot.pause(4.0)
        await pilot.press("p", "slash", *("minus" if each == "-" else each for each in preset), "enter")
        await pilot.pause(0.5)
        if isinstance(app.screen, Choose):  # more than one preset fits, and the first is the one that was typed
            await pilot.press("enter")
        await pilot.pause(3.0)
        take(app, folder, "launch")
        await pilot.press("l")
        await wait_for(pilot, lambda: workspace.database.exists() and bool(api.runs(workspace)), "the run is queued")
        await pilot.press("3")
        await pilot.pause(1.0)
        await pilot.press("enter")
        await wait_for(
            pilot, lambda: run().step >= LIVE_STEP or run().state not in (State.QUEUED, *api.ACTIVE), "steps"
        )
        await pilot.pause(1.2)
        take(app, folder, "run-live")
        await wait_for(pilot, lambda: not at_work(), "the end")
        await pilot.press("escape", "4")
        await pilot.pause(1.5)
        take(app, folder, "queue")
        await wait_for(pilot, measured, "the evaluations")
        await pilot.press("3")
        await pilot.pause(1.0)
        await pilot.press("enter")
        await pilot.pause(2.0)
        take(app, folder, "run-ended")
        await pilot.press("escape", "5")
        await pilot.pause(3.0)
        take(app, folder, "leaderboard")
        await pilot.press("6")
        await pilot.pause(3.0)
        take(app, folder, "studies")
    ended = run()
    facts = {
        "state": ended.state,
        "backend": ended.backend,
        "gpu": ended.gpu_name,
        "seconds": ended.train_seconds,
        "peak": ended.peak_vram_reserved_bytes,
        "board": [
            [row["name"], row["auroc"], row["auroc_low"], row["auroc_high"]] for row in api.leaderboard(workspace)
        ],
    }
    print(f"RESULT {json.dumps(facts)}")


def main(folder: Path, preset: str = "demo") -> int:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as root:
        workspace = api.Workspace(Path(root))
        api.import_phantom_dataset(workspace, "phantoms", count=2400)
        asyncio.run(session(workspace, folder, preset))
        api.stop_worker(workspace)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:]))
