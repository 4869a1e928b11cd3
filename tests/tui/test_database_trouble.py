"""What the workbench shows when runs.db is locked, gone, broken, too old or too new, and that it heals by itself."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from store_helpers import add_run, raw, workspace_at
from textual.pilot import Pilot
from textual.widgets._toast import Toast
from tui_helpers import screen_text, until, workbench

from engine.store.connection import open_writable
from engine.store.migrations import LATEST
from engine.store.reader import Reader
from engine.store.writer import Writer
from engine.types import JobKind, State
from engine.workspace import Workspace
from tui import poller
from tui.app import Workbench
from tui.screens.base import WorkbenchScreen
from tui.widgets.banner import Banner

Pilots = Pilot[None]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poller, "ASK_AGAIN_SECONDS", 0.1)
    monkeypatch.setattr(poller, "SETTLE_SECONDS", 0.1)
    monkeypatch.setattr("engine.api.live.BUSY_SECONDS", 0.1)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    made = workspace_at(tmp_path / "workspace")
    with Writer.open(made) as writer:
        add_run(writer, "first try")
    return made


def shows(pilot: Pilots, *texts: str) -> Callable[[], bool]:
    return lambda: all(text in screen_text(pilot.app) for text in texts)


def is_well(pilot: Pilots) -> Callable[[], bool]:
    """The run is listed, no banner is there, and the header speaks of no trouble."""
    return lambda: (
        "first try" in screen_text(pilot.app)
        and not pilot.app.screen.query_one(Banner).display
        and "unreadable" not in screen_text(pilot.app)
    )


async def still_usable(pilot: Pilots) -> None:
    """Other screens and the help come up, and the banner is on them too."""
    await pilot.press("2")
    await until(pilot, lambda: "Launch" in getattr(pilot.app.screen, "TAB", ""), "the launch screen")
    await until(pilot, lambda: pilot.app.screen.query_one(Banner).display, "the banner is there as well")
    await pilot.press("3")
    await until(pilot, lambda: isinstance(pilot.app.screen, WorkbenchScreen), "back again")


def lock(workspace: Workspace) -> sqlite3.Connection:
    """Hold the whole database: no other connection can even read it."""
    connection = raw(workspace)
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("BEGIN EXCLUSIVE")
    connection.execute("UPDATE runs SET name = name")
    return connection


# ----- locked


async def test_a_database_that_is_locked_at_the_start_is_told_and_read_once_it_is_free(workspace: Workspace) -> None:
    held = lock(workspace)
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        await until(pilot, shows(pilot, "runs.db is locked", "records unreadable", "then try again"), "the banner")
        await still_usable(pilot)
        held.execute("COMMIT")
        held.close()
        await until(pilot, is_well(pilot), "all is well by itself")


async def test_a_writer_that_takes_its_time_holds_up_nobody(workspace: Workspace) -> None:
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        await until(pilot, is_well(pilot), "the run")
        held = raw(workspace)
        held.execute("BEGIN IMMEDIATE")
        held.execute("UPDATE runs SET name = 'second name'")
        held.execute("INSERT INTO events (time, run_id, kind, detail) VALUES (1, 1, 'renamed', 'test')")
        pilot.app.poller.nudge()
        await until(pilot, is_well(pilot), "what was committed is shown")
        held.execute("COMMIT")
        held.close()
        await until(pilot, shows(pilot, "second name"), "and then the change")


async def test_dead_jobs_that_cannot_be_marked_yet_are_no_reason_to_read_nothing(workspace: Workspace) -> None:
    with Writer.open(workspace) as writer:
        writer.transition(JobKind.TRAINING, 1, State.QUEUED, State.STARTING, "test", pid=2**22 + 1, process_start=1.0)
    held = raw(workspace)
    held.execute("BEGIN IMMEDIATE")
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        await until(pilot, shows(pilot, "runs.db is locked", "first try", "starting"), "told, and read all the same")
        held.execute("COMMIT")
        held.close()
        await until(pilot, shows(pilot, "interrup"), "the dead job is marked")
        await until(pilot, is_well(pilot), "all is well by itself")


# ----- missing


async def test_no_database_is_an_empty_workspace_until_one_appears(tmp_path: Path) -> None:
    workspace = workspace_at(tmp_path)
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        await until(pilot, shows(pilot, "No runs yet"), "empty")
        assert not pilot.app.screen.query_one(Banner).display
        assert not workspace.database.exists()
        with Writer.open(workspace) as writer:
            add_run(writer, "first try")
        await until(pilot, is_well(pilot), "the run")


@pytest.mark.parametrize("others", [("-wal", "-shm"), ()], ids=["all of it", "the file alone"])
async def test_one_that_is_deleted_and_made_anew_is_read_anew(workspace: Workspace, others: tuple[str, ...]) -> None:
    keeper = raw(workspace)  # another program with it open: its -wal and -shm stay behind
    keeper.execute("SELECT * FROM runs").fetchall()
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        await until(pilot, is_well(pilot), "the run")
        workspace.database.unlink()
        for suffix in others:
            workspace.database.with_name(f"runs.db{suffix}").unlink()
        await until(pilot, shows(pilot, "No runs yet"), "nothing is recorded any more")
        assert not pilot.app.screen.query_one(Banner).display
        with Writer.open(workspace) as writer:
            add_run(writer, "another life")
            await until(pilot, shows(pilot, "another life"), "the new one is read")
            add_run(writer, "second run")
        await until(pilot, shows(pilot, "second run"), "and followed")
    keeper.close()
    with Reader(workspace) as reader:
        assert [run.name for run in reader.runs()] == ["second run", "another life"]


async def test_a_folder_that_vanishes_and_comes_back(workspace: Workspace) -> None:
    away = workspace.root.with_name("away")
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        await until(pilot, is_well(pilot), "the run")
        workspace.root.rename(away)
        await until(pilot, shows(pilot, "No runs yet"), "nothing is there")
        away.rename(workspace.root)
        await until(pilot, is_well(pilot), "all is well by itself")


# ----- not ours, or not in order


def break_file(workspace: Workspace) -> None:
    workspace.database.write_bytes(b"this is no database at all, but long enough to hold a header " * 200)


def make_foreign(workspace: Workspace) -> None:
    connection = raw(workspace)
    connection.execute("CREATE TABLE music (title)")
    connection.close()


def make_newer(workspace: Workspace) -> None:
    Writer.open(workspace).close()
    connection = raw(workspace)
    connection.execute(f"PRAGMA user_version = {LATEST + 1}")
    connection.close()


def make_folder(workspace: Workspace) -> None:
    workspace.database.mkdir()


TROUBLES = {
    "corrupt": (break_file, "runs.db is damaged or no database"),
    "foreign": (make_foreign, "belongs to another program"),
    "newer": (make_newer, "written by a newer sonotune"),
    "a folder": (make_folder, "runs.db cannot be opened"),
}


def remove(workspace: Workspace) -> None:
    for file in workspace.root.glob("runs.db*"):
        shutil.rmtree(file) if file.is_dir() else file.unlink()


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_what_cannot_be_read_at_the_start_is_told_and_left_alone(tmp_path: Path, trouble: str) -> None:
    make, title = TROUBLES[trouble]
    workspace = workspace_at(tmp_path)
    make(workspace)
    before = workspace.database.read_bytes() if workspace.database.is_file() else b""
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: title in banner_text(pilot.app), "the banner")
        await until(pilot, shows(pilot, "records unreadable"), "the header says so too")
        await still_usable(pilot)
        assert before == (workspace.database.read_bytes() if workspace.database.is_file() else b"")
        remove(workspace)
        await until(pilot, shows(pilot, "No runs yet"), "the way is free")
        with Writer.open(workspace) as writer:
            add_run(writer, "first try")
        await until(pilot, is_well(pilot), "all is well by itself")


def banner_text(app: Any) -> str:
    banner = app.screen.query_one(Banner)
    return " ".join("".join(segment.text for segment in strip).strip() for strip in banner._strips)


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_what_takes_its_place_while_it_is_open_is_told_too(workspace: Workspace, trouble: str) -> None:
    make, title = TROUBLES[trouble]
    aside = workspace.root.with_name("aside.db")
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        await until(pilot, is_well(pilot), "the run")
        shutil.copy(workspace.database, aside)
        remove(workspace)
        make(workspace)
        await until(pilot, lambda: title in banner_text(pilot.app), "the banner")
        remove(workspace)
        aside.rename(workspace.database)
        await until(pilot, is_well(pilot), "all is well by itself")


async def test_a_file_that_is_overwritten_in_place_is_noticed(workspace: Workspace) -> None:
    good = workspace.database.read_bytes()
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        await until(pilot, is_well(pilot), "the run")
        break_file(workspace)
        await until(pilot, lambda: "damaged" in banner_text(pilot.app), "the banner")
        workspace.database.write_bytes(good)
        await until(pilot, is_well(pilot), "all is well by itself")


async def test_a_newer_program_may_take_the_database_over_meanwhile(workspace: Workspace) -> None:
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        await until(pilot, is_well(pilot), "the run")
        make_newer(workspace)
        await until(pilot, lambda: "written by a newer sonotune" in banner_text(pilot.app), "the banner")
        assert "Update sonotune" in banner_text(pilot.app)


# ----- of an older version


def make_older(workspace: Workspace, version: int = 1) -> None:
    workspace.root.mkdir(parents=True, exist_ok=True)
    connection = open_writable(workspace.database, up_to=version)
    columns = {
        "name": "first try", "state": "succeeded", "recipe": "{}", "dataset": "d", "dataset_fingerprint": "d",
        "split_fingerprint": "s", "model": "m", "seed": 1, "directory": "outputs/1", "queued_at": 1.0,
    }  # fmt: skip
    marks = ", ".join("?" * len(columns))
    connection.execute(f"INSERT INTO runs ({', '.join(columns)}) VALUES ({marks})", tuple(columns.values()))
    connection.close()


def toasts(pilot: Pilots) -> str:
    return " ".join(toast._notification.message for toast in pilot.app.screen.query(Toast))


@pytest.mark.parametrize("version", range(1, LATEST))
async def test_records_of_an_older_version_are_brought_up_to_date(tmp_path: Path, version: int) -> None:
    workspace = workspace_at(tmp_path)
    make_older(workspace, version)
    async with workbench(workspace).run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, is_well(pilot), "the run of the old version")
        await until(pilot, lambda: "brought up to date; no row was lost" in toasts(pilot), "a notice")
    assert raw(workspace).execute("PRAGMA user_version").fetchone() == (LATEST,)


async def test_older_records_that_are_locked_wait_for_their_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.api.upgrading.BUSY_SECONDS", 0.1)
    workspace = workspace_at(tmp_path)
    make_older(workspace)
    held = raw(workspace)
    held.execute("BEGIN IMMEDIATE")
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "locked" in banner_text(pilot.app), "the banner")
        assert "doctor" not in banner_text(pilot.app)
        held.execute("COMMIT")
        held.close()
        await until(pilot, is_well(pilot), "all is well by itself")


async def test_older_records_that_are_put_there_meanwhile(tmp_path: Path) -> None:
    workspace, old = workspace_at(tmp_path / "here"), workspace_at(tmp_path / "old")
    workspace.root.mkdir()
    make_older(old)
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        await until(pilot, shows(pilot, "No runs yet"), "empty")
        shutil.move(old.database, workspace.database)
        await until(pilot, is_well(pilot), "the run of the old version")


# ----- questions that fail by themselves


async def test_a_question_that_fails_holds_up_no_other(workspace: Workspace) -> None:
    answers: list[object] = []
    works = False

    def question(_live: object) -> str:
        if not works:
            raise ValueError("\x1b[31m no such thing")
        return "answer"

    app: Workbench = workbench(workspace)
    async with app.run_test(size=(80, 24)) as pilot:
        watch = app.poller.watch(question, answers.append)
        app.poller.watch(lambda _live: "other", answers.append)
        await until(pilot, lambda: "other" in answers, "the one after it is answered")
        await until(pilot, lambda: "ValueError" in banner_text(app), "told")
        assert "first try" in screen_text(app)
        assert "unreadable" not in screen_text(app)
        works = True
        await until(pilot, lambda: "answer" in answers, "asked again")
        await until(pilot, is_well(pilot), "all is well by itself")
        works = False
        watch.cancel()


@pytest.mark.parametrize("size", [(80, 24), (40, 10)])
async def test_the_banner_leaves_room_for_the_screen(workspace: Workspace, size: tuple[int, int]) -> None:
    held = lock(workspace)
    async with workbench(workspace).run_test(size=size) as pilot:
        await until(pilot, lambda: "locked" in banner_text(pilot.app), "the banner")
        assert pilot.app.screen.query_one(Banner).size.height <= size[1] // 2
        assert "Close the program" in banner_text(pilot.app)
    held.close()
