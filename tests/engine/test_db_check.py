"""What `sonotune db check` names, and what it passes over."""

from __future__ import annotations

from pathlib import Path

import pytest
from store_helpers import add_evaluation, add_run, prediction, raw, workspace_at

from engine.jobs.journal import Attempt, Journal
from engine.maintenance import check as module
from engine.maintenance.backup import back_up
from engine.maintenance.check import check
from engine.store.recorded import Answered, Measured
from engine.store.writer import Writer
from engine.types import Reference
from engine.workspace import Workspace

GONE = Attempt(2**30, 1.0, "an earlier boot")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    made = workspace_at(tmp_path / "workspace")
    with Writer.open(made) as writer:
        run = add_run(writer)
        for step in range(200):
            writer.add_metrics(run, step, {"loss": 1.0})
    return made


def told(workspace: Workspace, *, quick: bool = False) -> list[str]:
    return [fault.what for fault in check(workspace, 0.0, quick=quick).faults]


def test_nothing_is_wrong_with_a_new_workspace(workspace: Workspace) -> None:
    assert told(workspace) == []


def test_a_backup_at_work_is_no_leftover_and_a_killed_one_is(workspace: Workspace) -> None:
    folder = workspace.root / "backups"
    folder.mkdir(mode=0o700)
    during: list[list[str]] = []
    back_up(workspace.database, folder / "runs-2026-01-01.db", progress=lambda *_: during.append(told(workspace)))
    assert during and not any(during)
    (folder / ".runs-2026-01-02.db.77.partial").write_text("x")
    assert ["runs-2026-01-02" in line for line in told(workspace)] == [True]


def test_a_restore_that_was_killed_is_named(workspace: Workspace) -> None:
    (workspace.root / ".runs.db.restoring").write_text("x")
    (workspace.root / ".mine.db.77.partial").write_text("x")
    assert any(".mine.db.77.partial" in line for line in told(workspace))
    assert any(".runs.db.restoring" in line for line in told(workspace))
    kept = workspace.root / "runs.db.damaged-2026-01-01-000000"
    kept.hardlink_to(workspace.database)
    assert any("restore was ended" in line for line in told(workspace))


def test_backups_that_others_may_read_are_named(workspace: Workspace) -> None:
    (workspace.root / "backups").mkdir(mode=0o755)
    back_up(workspace.database, workspace.root / "backups" / "mine.db")
    (workspace.root / "backups" / "mine.db").chmod(0o644)
    assert sum("Others may read" in line for line in told(workspace)) == 2


def test_journals_that_hold_more_are_named_and_a_quick_look_reads_none(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Writer.open(workspace) as writer:
        evaluation = add_evaluation(writer, None, Reference.BASE)
        writer.add_predictions(evaluation, [prediction("A.png")])
    of_evaluation = Journal(workspace.outputs / "evaluations" / str(evaluation))
    of_evaluation.append(GONE)
    of_evaluation.append(Answered([prediction("A.png")]))
    of_run = Journal(workspace.outputs / "00001-baseline")
    of_run.append(GONE)
    of_run.append(Measured(199, {"loss": 1.0}, 1.0))
    assert told(workspace) == []
    of_evaluation.append(Answered([prediction("B.png"), prediction("C.png")]))
    of_run.append(Measured(250, {"loss": 1.0}, 1.0))
    said = told(workspace)
    assert len(said) == 2
    assert any("2 answers" in line for line in said) and any("steps up to 250" in line for line in said)
    monkeypatch.setattr(module, "journal_files", lambda _workspace: pytest.fail("a quick look reads no journals"))
    assert told(workspace, quick=True) == []


def test_rows_without_what_they_belong_to_are_counted(workspace: Workspace) -> None:
    with raw(workspace) as connection:
        connection.execute("INSERT INTO metrics (run_id, key, step, value, time) VALUES (77, 'loss', 1, 1, 1)")
    assert any("1 rows" in line for line in told(workspace))
