"""What `sonotune db check` names, and what it passes over."""

from __future__ import annotations

import itertools
import json
import os
from pathlib import Path

import pytest
from store_helpers import add_evaluation, prediction, raw, with_a_curve

from engine.files import sha256_of
from engine.jobs.journal import Attempt, Journal
from engine.jobs.process import process_start
from engine.maintenance import check as module
from engine.maintenance.backup import back_up
from engine.maintenance.check import check
from engine.maintenance.check_weights import WEIGHTS
from engine.store.recorded import Answered, Measured
from engine.store.writer import Writer
from engine.training.checkpoints import RANDOM_STATES, REQUIRED, write_manifest
from engine.types import JobKind, Reference, State
from engine.workspace import Workspace

GONE = Attempt(2**30, 1.0, "an earlier boot")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return with_a_curve(tmp_path / "workspace", 200)


def checkpoint(folder: Path, step: int) -> None:
    made = folder / f"checkpoint-{step}"
    made.mkdir(parents=True)
    for name in (*REQUIRED, RANDOM_STATES[0]):
        (made / name).write_text(f"{name} of {step}")
    (made / "trainer_state.json").write_text(json.dumps({"global_step": step}))
    write_manifest(made)


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


def test_half_written_folders_are_named_and_those_of_a_job_at_work_are_not(workspace: Workspace) -> None:
    folder = workspace.outputs / "00001-baseline"
    left = ("adapter.partial", "adapter.old", "checkpoints/.partial", "checkpoints/.checkpoint-3.gone")
    for name in left:
        (folder / name).mkdir(parents=True)
    (line,) = [line for line in told(workspace) if "half-written" in line]
    assert line.startswith(f"{len(left)} half-written") and all(name in line for name in left)
    with Writer.open(workspace) as writer:
        own = {"pid": os.getpid(), "process_start": process_start(os.getpid())}
        writer.transition(JobKind.TRAINING, 1, State.QUEUED, State.STARTING, "x", **own)
    assert told(workspace) == []


@pytest.mark.parametrize(("state", "count"), [(State.INTERRUPTED, 1), (State.SUCCEEDED, 0)])
def test_checkpoints_that_a_run_could_not_go_on_from_are_named(workspace: Workspace, state: State, count: int) -> None:
    with Writer.open(workspace) as writer:
        for before, after in itertools.pairwise((State.QUEUED, State.STARTING, State.RUNNING, state)):
            writer.transition(
                JobKind.TRAINING, 1, before, after, "x", **({"pid": 2**30} if before is State.QUEUED else {})
            )
    for step in (10, 20):
        checkpoint(workspace.outputs / "00001-baseline" / "checkpoints", step)
    assert told(workspace) == []
    weights = workspace.outputs / "00001-baseline" / "checkpoints" / "checkpoint-20" / "optimizer.pt"
    weights.write_text(weights.read_text().upper())
    assert told(workspace, quick=True) == []
    found = told(workspace)
    assert len(found) == count
    assert all("checkpoint-20 of run 1 cannot be used: optimizer.pt is not what was written" in line for line in found)


def test_an_adapter_that_was_put_aside_is_not_gone(workspace: Workspace) -> None:
    folder = workspace.outputs / "00001-baseline" / "adapter"
    folder.mkdir(parents=True)
    (folder / WEIGHTS).write_text("weights")
    with Writer.open(workspace) as writer:
        where = str(folder.relative_to(workspace.root))
        writer.update(JobKind.TRAINING, 1, adapter_path=where, adapter_sha256=sha256_of(folder / WEIGHTS))
    assert told(workspace) == []
    folder.rename(folder.with_name("adapter.old"))
    assert ["half-written" in line for line in told(workspace)] == [True]
    (folder.with_name("adapter.old") / WEIGHTS).write_text("others")
    assert any("is not the one that was saved" in line for line in told(workspace))


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
