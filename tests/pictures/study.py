"""Pictures of a study: `python tests/pictures/study.py FOLDER`, where `sonotune study launch class-balance` has run.

Presses the keys of a user and saves what the terminal shows: the board, and the answers of the study.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tui"))
from tui_helpers import screen_text, until, workbench

from engine.workspace import Workspace

SIZE = (140, 36)
TITLE = "Class balance"


async def main(folder: Path, workspace: Workspace) -> None:
    """Take the pictures."""
    app = workbench(workspace)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("6")
        await until(pilot, lambda: TITLE in screen_text(pilot.app), "the board")
        for _ in range(5):  # the sixth by priority
            await pilot.press("down")
        await until(pilot, lambda: "not distinguishable" in screen_text(pilot.app), "its answer")
        await pilot.pause(1)
        app.save_screenshot("studies.svg", str(folder))
        await pilot.press("enter")
        await until(pilot, lambda: "p " in screen_text(pilot.app) and "[answers]" in screen_text(pilot.app), "answers")
        await pilot.pause(1)
        app.save_screenshot("study.svg", str(folder))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Workspace(Path.cwd())))
