"""`sonotune db`: what its commands say and return, on a workspace with one long run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cli_helpers import CommandLine
from store_helpers import with_a_curve

from engine.store.reader import Reader
from engine.store.writer import Writer
from engine.types import JobKind, State
from engine.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    made, run = with_a_curve(tmp_path / "workspace", 200), 1
    with Writer.open(made) as writer:
        for before, after in ((State.QUEUED, State.STARTING), (State.STARTING, State.FAILED)):
            writer.transition(JobKind.TRAINING, run, before, after, "test")
        writer.update(JobKind.TRAINING, run, ended_at=1.0)
    return made


@pytest.fixture
def command(workspace: Workspace, capfd: Any) -> CommandLine:
    return CommandLine(workspace.root, capfd)


def test_check_counts_and_finds_nothing_then_damage(workspace: Workspace, command: CommandLine) -> None:
    said = command("db", "check")
    assert said.code == 0 and "1 runs" in said.out and "200 points" in said.out and "Nothing is wrong." in said.out
    (workspace.outputs / "00001-baseline" / "adapter.partial").mkdir(parents=True)
    said = command("db", "check", "--json")
    assert said.code == 1 and "half-written" in json.loads(said.out)["faults"][0]["what"]


def test_backup_makes_a_copy_that_restore_begins_with(workspace: Workspace, command: CommandLine) -> None:
    file = workspace.root / "copy.db"
    said = command("db", "backup", str(file))
    assert said.code == 0 and "is a whole copy of" in said.out and "MiB copied" in said.err
    workspace.database.write_bytes(b"no database any more")
    said = command("db", "restore", str(file), "--json")
    assert said.code == 0 and json.loads(said.out)["backup"] == str(file)
    with Reader(workspace) as reader:
        assert len(reader.metrics(1, ["loss"])) == 200


def test_compact_says_what_would_go_and_what_went(workspace: Workspace, command: CommandLine) -> None:
    said = command("db", "compact", "--keep", "5", "--dry-run")
    assert said.code == 0 and "of 1 runs would be removed" in said.out
    went = json.loads(command("db", "compact", "--keep", "5", "--older-than", "12h", "--json").out)
    assert went["runs"] == 1
    with Reader(workspace) as reader:
        assert len(reader.metrics(1, ["loss"])) == 200 - went["points"] <= 20


@pytest.mark.parametrize("span", ["nan", "inf", "-1d", "soon", "", "1e400d"])
def test_a_span_of_time_that_is_none_is_refused(workspace: Workspace, command: CommandLine, span: str) -> None:
    said = command("db", "compact", f"--older-than={span}")
    assert said.code == 2 and "is no span of time" in said.err and "30d" in said.err


def test_a_number_of_buckets_beyond_all_reason_is_refused(command: CommandLine) -> None:
    assert command("db", "compact", "--keep", str(10**30)).code == 2
