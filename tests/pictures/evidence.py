"""Pictures of what follows a run: `python tests/pictures/evidence.py FOLDER`, in a workspace where `make demo` has run.

Presses the keys of a user and saves what the terminal shows: the comparison with the majority class, and a case that
the run has wrong.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from textual.pilot import Pilot

sys.path.insert(0, str(Path(__file__).parents[1] / "tui"))
from tui_helpers import screen_text, until, workbench

from engine.workspace import Workspace

SIZE = (120, 36)


async def press(pilot: Pilot[None], keys: str, wanted: str) -> None:
    """Press keys, one after the other, and wait until something stands on the screen."""
    await pilot.press(*keys.split())
    await until(pilot, lambda: wanted in screen_text(pilot.app), wanted)
    await pilot.pause(0.5)


async def main(folder: Path, workspace: Workspace) -> None:
    """Take the pictures."""
    app = workbench(workspace)
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "5", "demo")
        await press(pilot, "j v", "McNemar")
        app.save_screenshot("compare.svg", str(folder))
        await press(pilot, "escape", "majority by view")
        await press(pilot, "j i", "by generated text")
        await press(pilot, "enter enter", "preview, not diagnostic")
        app.save_screenshot("cases.svg", str(folder))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Workspace(Path.cwd())))
