from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cli_helpers import (
    ENVIRONMENT,
    HOSTILE,
    CommandLine,
    control_characters,
    finish_evaluation,
    no_worker,
    popen,
    succeed,
)
from store_helpers import add_evaluation, add_run, score

from engine.store.writer import Writer
from engine.types import JobKind, Reference, State
from engine.workspace import Workspace

READS = (
    [],
    ["runs"],
    ["show", "1"],
    ["show", "2"],
    ["leaderboard"],
    ["log", "1"],
    ["data", "show"],
    ["data", "show", "fetal"],
    ["worker", "--status"],
)
JSON_READS = (
    ["runs", "--json"],
    ["show", "1", "--json"],
    ["leaderboard", "--json"],
    ["data", "show", "--json"],
    ["data", "show", "fetal", "--json"],
    ["data", "check", "fetal", "--json"],
    ["worker", "--status", "--json"],
    ["launch", "demo", "--set", "data.dataset=fetal", "--dry-run", "--json"],
)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A succeeded and a failed run whose every text is hostile, their measurements, and a hostile log."""
    from cli_helpers import small_dataset

    made = small_dataset(tmp_path_factory.mktemp("terminal"))
    with Writer.open(made) as writer:
        run_id = add_run(writer, HOSTILE, planned_steps=3)
        succeed(writer, JobKind.TRAINING, run_id, backend_reason=HOSTILE, gpu_name=HOSTILE, versions={HOSTILE: HOSTILE})
        measured = add_evaluation(writer, run_id)
        finish_evaluation(writer, measured)
        writer.add_scores(measured, [score("accuracy", 0.5, f"view:{HOSTILE}"), score(HOSTILE, 0.5)])
        finish_evaluation(writer, add_evaluation(writer, None, Reference.MAJORITY))
        writer.set_tags(run_id, [HOSTILE])
        failed = add_run(writer, HOSTILE)
        errors = {f"error_{part}": HOSTILE for part in ("title", "detail", "next_step")}
        writer.transition(JobKind.TRAINING, failed, State.QUEUED, State.STARTING, HOSTILE, host=HOSTILE)
        writer.transition(JobKind.TRAINING, failed, State.STARTING, State.FAILED, HOSTILE, **errors)
        folder = made.root / f"outputs/{run_id:05d}-2j-0-title-red-x-red-gnp-exe-31m"
        log = folder / "log.txt"
        log.parent.mkdir(parents=True)
        log.write_bytes(f"first line\n{HOSTILE}\n".encode() + b"\xff\xfe not UTF-8\nlast line\n")
    return made


@pytest.fixture
def command(workspace: Workspace, capfd: Any) -> CommandLine:
    return CommandLine(workspace.root, capfd)


@pytest.mark.parametrize("words", READS, ids=" ".join)
def test_hostile_texts_are_printed_harmlessly(command: CommandLine, words: list[str]) -> None:
    done = command(*words)
    assert done.code == 0, done.err
    assert done.out.strip()
    assert not control_characters(done.out + done.err)


def test_what_is_looked_for_would_be_found() -> None:
    assert control_characters(HOSTILE) == {"\x1b", "\x07", "\u202e", "\x9b", "\r", "\b"}
    assert not control_characters("two lines\nand\ta tab, grün ✓")


def test_markup_is_text(command: CommandLine) -> None:
    for words in (["show", "1"], ["show", "2"], ["log", "1"]):
        assert "[red]x[/red]" in command(*words).out


def test_a_log_keeps_its_lines(command: CommandLine) -> None:
    lines = command("log", "1").out.splitlines()
    assert lines[0] == "first line"
    assert lines[-1] == "last line"
    assert "not UTF-8" in lines[-2]


@pytest.mark.parametrize("words", JSON_READS, ids=" ".join)
def test_reads_give_one_json_document_that_a_terminal_survives(command: CommandLine, words: list[str]) -> None:
    done = command(*words)
    assert done.code == 0, done.err
    assert isinstance(done.json, (list, dict))
    assert done.json
    assert not control_characters(done.out)


def test_json_keeps_the_text_as_it_is(command: CommandLine) -> None:
    assert command("runs", "--json").json[-1]["name"] == HOSTILE
    assert command("show", "2", "--json").json["run"]["error_detail"] == HOSTILE
    rows = command("leaderboard", "--json").json
    assert {row["name"] for row in rows if row["reference"] is None} == {HOSTILE}


def test_the_overview_lists_runs_and_says_whether_a_worker_runs(command: CommandLine, workspace: Workspace) -> None:
    assert "worker: none" in command().out
    with no_worker(workspace):  # the lock is held: by this process
        assert f"worker: process {os.getpid()}" in command().out
    out = command().out
    assert "failed" in out
    assert "succeeded" in out
    assert "No runs yet" not in out


def test_the_overview_of_an_empty_workspace_points_to_the_demo(tmp_path: Path, capfd: Any) -> None:
    done = CommandLine(tmp_path, capfd)()
    assert done.code == 0
    assert "sonotune demo" in done.out


def on_a_terminal(workspace: Workspace, *words: str, **environment: str) -> bytes:
    """What the command writes to a terminal of 100 columns."""
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "engine.cli", "--workspace", str(workspace.root), *words]
    settings = {name: value for name, value in ENVIRONMENT.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
    process = subprocess.Popen(
        command, stdin=slave, stdout=slave, stderr=slave, env={**settings, "COLUMNS": "100", **environment}
    )
    os.close(slave)
    written = b"".join(_read_all(master))
    assert process.wait(60) == 0
    os.close(master)
    return written


def _read_all(descriptor: int) -> Iterator[bytes]:
    while True:
        try:
            data = os.read(descriptor, 65536)
        except OSError:  # Linux: the other end was closed
            return
        if not data:
            return
        yield data


def test_terminals_get_colour_unless_they_or_the_user_refuse_it(workspace: Workspace) -> None:
    assert b"\x1b[" in on_a_terminal(workspace, "runs", TERM="xterm-256color")
    assert b"\x1b[3" not in on_a_terminal(workspace, "runs", TERM="xterm-256color", NO_COLOR="1")
    assert b"\x1b" not in on_a_terminal(workspace, "runs", TERM="dumb")


def test_a_terminal_that_says_nothing_of_itself_gets_the_text_too(workspace: Workspace) -> None:
    assert b"succeeded" in on_a_terminal(workspace, "runs", TERM="", LC_ALL="C", COLUMNS="80")


@pytest.mark.parametrize("words", [["runs"], ["runs", "--json"], ["log", "1"], ["show", "1"], ["leaderboard"], []])
def test_a_reader_who_has_gone_causes_no_traceback(workspace: Workspace, words: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)  # gone before the first byte: the harder case of `| head -1`
    process = popen(workspace.root, *words, stdout=writing)
    os.close(writing)
    _, err = process.communicate(timeout=60)
    assert process.returncode in (0, 1)
    assert err == ""


def test_head_gets_its_line(workspace: Workspace) -> None:
    process = popen(workspace.root, "data", "show", "fetal", "--json")
    head = subprocess.run(["head", "-1"], stdin=process.stdout, capture_output=True, text=True, timeout=60)
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(60) in (0, 1)
    assert head.stdout == "{\n"
    assert process.stderr is not None
    assert process.stderr.read() == ""
    process.stderr.close()
