"""An import starts the check of its images in a process of its own, unless that is not wanted."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_helpers import CommandLine
from clinical_data import build_clinical
from store_helpers import wait_until

from engine import api
from engine.data.quality.background import CheckState
from engine.workspace import Workspace


@pytest.mark.parametrize("wanted", [True, False])
def test_images_are_checked_in_the_background(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, wanted: bool
) -> None:
    monkeypatch.setenv("SONOTUNE_BACKGROUND_CHECK", "1")
    clinical = build_clinical(tmp_path, images=28)
    command = CommandLine(tmp_path / "workspace", capsys)
    switch = () if wanted else ("--no-background-check",)
    done = command("data", "import", str(clinical.sheet), "--name", "fetal", "--images", str(clinical.root), *switch)
    assert done.code == 0, done.err
    assert ("in the background" in done.out + done.err) is wanted
    workspace = Workspace(command.folder)

    def state() -> CheckState:
        return api.background_check_status(workspace, "fetal").state

    if wanted:
        wait_until(lambda: state() is CheckState.DONE, "the check has ended")
    else:
        assert state() is CheckState.NOT_RUN
