"""Everything that a workspace comes to hold is for its owner alone, whatever the umask of whoever started it."""

from __future__ import annotations

import ast
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from engine import api
from engine.api.safety import safety_findings
from engine.workspace import Workspace

REPOSITORY = Path(__file__).resolve().parents[2]
ENTRIES = (
    "engine/cli/entry.py", "engine/jobs/__main__.py", "engine/training/__main__.py", "engine/evaluation/__main__.py",
    "engine/ask/__main__.py", "engine/data/quality/__main__.py", "engine/training/measuring.py",
    "engine/training/distributed/__main__.py",
)  # fmt: skip


def open_to_others(folder: Path) -> list[str]:
    """Paths below a folder, itself included, with any bit for the group or everybody else."""
    found = []
    for path in (folder, *folder.rglob("*")):
        mode = path.lstat().st_mode
        if not stat.S_ISLNK(mode) and mode & 0o077:
            found.append(f"{stat.filemode(mode)} {path.relative_to(folder)}")
    return found


def sonotune(workspace: Path, *words: str) -> None:
    """The real command, under the laxest umask that there is."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "SONOTUNE_BACKGROUND_CHECK": "0", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "engine.cli", "-w", str(workspace), *words],
        env=environment, cwd=workspace.parent, umask=0, capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ENTRIES)
def test_every_process_closes_its_files_first(name: str) -> None:
    """Checked in the source: to start each of them would take minutes."""
    tree = ast.parse((REPOSITORY / name).read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    assert "keep_files_private" in [ast.unparse(call.func) for call in calls]


def test_no_entry_is_missing_from_the_list() -> None:
    mains = {
        str(file.relative_to(REPOSITORY))
        for file in (REPOSITORY / "engine").rglob("*.py")
        if 'if __name__ == "__main__"' in file.read_text(encoding="utf-8")
        # The command enters through entry.py; the others make the embedded model, benchmarks and a table: no patients.
        and file.relative_to(REPOSITORY / "engine").parts[0] not in ("basemodel", "bench", "cli", "preflight")
    }
    assert mains <= set(ENTRIES)


def test_a_small_workflow_leaves_nothing_open(tmp_path: Path) -> None:
    workspace = tmp_path / "workspace"
    sonotune(workspace, "data", "import", "phantoms", "--count", "28")
    sonotune(workspace, "db", "backup")
    sonotune(workspace, "data", "check", "phantoms")
    sonotune(workspace, "worker", "--detach")
    deadline = 200
    while not (workspace / "worker.lock").exists() and deadline:
        deadline -= 1
        __import__("time").sleep(0.05)
    sonotune(workspace, "worker", "--stop")
    kinds = {path.name for path in workspace.rglob("*")}
    assert {"runs.db", "manifest.json", "cases.arrow", "backups", "worker.lock"} <= kinds
    assert open_to_others(workspace) == []


def test_the_doctor_names_what_others_can_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.api.safety._can_be_reached", lambda _folder: True)  # pytest closes its folders itself
    workspace = Workspace(tmp_path)
    log = workspace.outputs / "00001-x" / "log.txt"
    log.parent.mkdir(parents=True)
    log.write_text("x")
    (tmp_path / "runs.db").write_bytes(b"")
    for path in (log, log.parent, workspace.outputs, tmp_path / "runs.db"):
        path.chmod(0o700 if path.is_dir() else 0o600)
    (tmp_path / "notes of the user.txt").write_text("x")
    assert findings(workspace)["privacy"].good
    log.chmod(0o644)
    found = findings(workspace)["privacy"]
    assert not found.good
    assert "log.txt" in found.detail
    assert found.mend == f"chmod -R go= {workspace.outputs}"
    subprocess.run(found.mend.split(), check=True)
    assert findings(workspace)["privacy"].good


def test_a_folder_that_nobody_else_reaches_needs_no_closed_files(tmp_path: Path) -> None:
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o700)
    (folder / "runs.db").write_bytes(b"")
    (folder / "runs.db").chmod(0o644)
    assert findings(Workspace(folder))["privacy"].good


def findings(workspace: Workspace) -> dict[str, api.Finding]:
    return {name: api.Finding(name, *rest) for name, *rest in safety_findings(workspace)}
