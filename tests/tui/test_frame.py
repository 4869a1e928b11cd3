from __future__ import annotations

from pathlib import Path

from store_helpers import add_run, workspace_at
from tui_helpers import screen_text, until, workbench

from engine.store.writer import Writer


async def test_a_run_that_is_queued_elsewhere_appears_by_itself(tmp_path: Path) -> None:
    workspace = workspace_at(tmp_path)
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "No runs yet" in screen_text(pilot.app), "the empty workspace says what to do")
        with Writer.open(workspace) as writer:
            add_run(writer, "first [b]try[/b]")
        await until(pilot, lambda: "first [b]try[/b]" in screen_text(pilot.app), "the run is listed")
