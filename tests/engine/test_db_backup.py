"""Copies of runs.db that are made while somebody writes."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from store_helpers import raw, wait_until, with_a_curve, workspace_at

from engine.errors import StoreError, UsageError
from engine.maintenance import backup as module
from engine.maintenance import daily
from engine.maintenance.backup import back_up, require_whole
from engine.maintenance.daily import back_up_when_due, backups
from engine.store.connection import open_writable
from engine.store.writer import Writer
from engine.workspace import Workspace

DAY = 86_400.0


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return with_a_curve(tmp_path / "workspace", 2000)


def count(database: Path) -> int:
    with closing(sqlite3.connect(database)) as connection:
        return int(connection.execute("SELECT COUNT(*) FROM metrics").fetchone()[0])


def test_a_copy_is_whole_and_of_its_owner_alone_and_nothing_else_is_left(workspace: Workspace, tmp_path: Path) -> None:
    target = tmp_path / "copy.db"
    assert back_up(workspace.database, target) == target.stat().st_size
    require_whole(target)
    assert count(target) == 2000
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy.db", "workspace"]


def test_somebody_writes_all_the_while_and_the_copy_is_of_one_moment(workspace: Workspace, tmp_path: Path) -> None:
    """Points are written in pairs: a copy of one moment has as many of one kind as of the other."""
    stop, written = threading.Event(), [0]

    def write() -> None:
        with Writer.open(workspace) as writer:
            while not stop.is_set():
                writer.add_metrics(1, 10_000 + written[0], {"loss": 1.0, "learning_rate": 1.0})
                written[0] += 1

    thread = threading.Thread(target=write)
    thread.start()
    wait_until(lambda: written[0] > 5, "pairs are there before the copy begins")
    calls: list[int] = []
    module_pages, module.PAGES = module.PAGES, 1
    try:
        back_up(workspace.database, tmp_path / "copy.db", progress=lambda done, _all: calls.append(done))
    finally:
        module.PAGES = module_pages
        stop.set()
        thread.join()
    with closing(sqlite3.connect(tmp_path / "copy.db")) as connection:
        pairs = connection.execute("SELECT key, COUNT(*) FROM metrics WHERE step >= 10000 GROUP BY key").fetchall()
    assert len(pairs) == 2 and len({number for _, number in pairs}) == 1
    assert written[0] > 0 and len(calls) > 10 and calls == sorted(calls)  # it never began anew


def test_an_existing_file_is_replaced_only_on_demand(workspace: Workspace, tmp_path: Path) -> None:
    target = tmp_path / "copy.db"
    target.write_text("mine")
    with pytest.raises(UsageError, match="exists already"):
        back_up(workspace.database, target)
    assert target.read_text() == "mine"
    back_up(workspace.database, target, replace=True)
    assert count(target) == 2000


def test_without_room_or_folder_nothing_is_made(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError):
        back_up(workspace.database, tmp_path / "nowhere" / "copy.db")
    monkeypatch.setattr(module, "free_bytes", lambda _folder: 10)
    with pytest.raises(StoreError, match="no room"):
        back_up(workspace.database, tmp_path / "copy.db")
    assert [path.name for path in tmp_path.iterdir()] == ["workspace"]


def test_a_damaged_database_is_not_copied_for_good(workspace: Workspace, tmp_path: Path) -> None:
    with raw(workspace) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with workspace.database.open("r+b") as file:
        file.seek(4096 * 12)
        file.write(os.urandom(4096 * 4))
    good = tmp_path / "copy.db"
    good.write_text("an older copy")
    with pytest.raises(StoreError, match=r"^runs\.db "):
        back_up(workspace.database, good, replace=True)
    assert good.read_text() == "an older copy"


def test_one_a_day_three_kept_only_where_something_changed(workspace: Workspace) -> None:
    now = workspace.database.stat().st_mtime
    made = []
    for day in range(6):
        backup = back_up_when_due(workspace, now + day * DAY)
        made.append(backup)
        assert back_up_when_due(workspace, now + day * DAY) is None
        if backup is not None:
            os.utime(backup, (now + day * DAY,) * 2)
        if day != 2:  # on that day nobody writes anything
            with Writer.open(workspace) as writer:
                writer.add_metrics(1, day, {"loss": 2.0})
            os.utime(workspace.database, (now + (day + 0.5) * DAY,) * 2)
    assert [each is not None for each in made] == [True, True, True, False, True, True]
    assert len(backups(workspace)) == daily.KEPT
    assert stat.S_IMODE(daily.folder_of(workspace).stat().st_mode) == 0o700


def test_a_disk_that_is_nearly_full_gets_no_backup(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daily, "free_bytes", lambda _folder: 1000)
    assert back_up_when_due(workspace) is None
    assert not daily.folder_of(workspace).exists()


@pytest.mark.parametrize("way", ["itself", "link", "hard link", "log", "from another folder"])
def test_the_database_is_never_the_target(workspace: Workspace, tmp_path: Path, way: str) -> None:
    target = tmp_path / "other.db"
    writer = Writer.open(workspace)
    writer.add_metrics(1, 9999, {"loss": 1.0})  # so that there is a log
    if way == "itself":
        target = workspace.database
    elif way == "link":
        target.symlink_to(workspace.database)
    elif way == "hard link":
        target.hardlink_to(workspace.database)
    elif way == "log":
        target = workspace.database.with_name("runs.db-wal")
    else:
        target = workspace.root / ".." / workspace.root.name / "runs.db"
    inode = workspace.database.stat().st_ino
    with pytest.raises(UsageError, match="is the database itself"):
        back_up(workspace.database, target, replace=True)
    writer.add_metrics(1, 10_000, {"loss": 1.0})
    writer.close()
    assert workspace.database.stat().st_ino == inode
    assert count(workspace.database) == 2002


def test_the_log_of_a_replaced_copy_is_not_taken_for_the_new_ones(workspace: Workspace, tmp_path: Path) -> None:
    target = tmp_path / "copy.db"
    back_up(workspace.database, target)
    code = (
        "import os, sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None); "
        "c.execute('PRAGMA journal_mode=WAL'); c.execute('UPDATE metrics SET value = -7'); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", code, target], check=True)
    assert target.with_name("copy.db-wal").stat().st_size > 0
    back_up(workspace.database, target, replace=True)
    require_whole(target)
    with closing(sqlite3.connect(target)) as connection:
        assert connection.execute("SELECT COUNT(*) FROM metrics WHERE value = -7").fetchone()[0] == 0


def test_a_change_during_the_copy_is_in_the_next_one(workspace: Workspace) -> None:
    daily.folder_of(workspace).mkdir()
    now = time.time()
    target = daily.due(workspace, now)
    assert target is not None

    def late(_done: int, _all: int) -> None:
        with Writer.open(workspace) as writer:
            writer.add_metrics(1, 5555, {"loss": 5.0})
        time.sleep(0.05)

    back_up(workspace.database, target, progress=late)
    assert count(target) == 2000
    assert daily.due(workspace, now + DAY) is not None


def test_copies_from_the_future_stop_no_new_one_and_go_first(workspace: Workspace) -> None:
    now = time.time()
    daily.folder_of(workspace).mkdir()
    for year in (2091, 2092, 2093):
        made = daily.folder_of(workspace) / f"runs-{year}-01-01.db"
        back_up(workspace.database, made)
        os.utime(made, (now + (year - 2026) * 365 * DAY,) * 2)
    today: list[Path] = []
    for day in range(3):
        later = now + day * DAY + 60
        with Writer.open(workspace) as writer:
            writer.add_metrics(1, 7000 + day, {"loss": 5.0})
        os.utime(workspace.database, (later - 30,) * 2)
        new = back_up_when_due(workspace, later)
        assert new is not None and new.exists()
        os.utime(new, (later, later))
        assert back_up_when_due(workspace, later) is None
        today.append(new)
    assert backups(workspace, now + 4 * DAY) == today


def test_killed_in_the_middle_nothing_counts_as_a_copy_and_the_next_one_cleans_up(
    workspace: Workspace, tmp_path: Path
) -> None:
    target = tmp_path / "copy.db"
    code = (
        "import os, signal, sys; from pathlib import Path; from engine.maintenance import backup; "
        "backup.PAGES = 1; "
        "backup.back_up(Path(sys.argv[1]), Path(sys.argv[2]), "
        "progress=lambda done, all: done > all / 2 and os.kill(os.getpid(), signal.SIGKILL))"
    )
    child = subprocess.run([sys.executable, "-c", code, workspace.database, target], check=False)
    assert child.returncode == -signal.SIGKILL
    left = list(tmp_path.glob(".copy.db.*.partial"))
    assert not target.exists() and len(left) == 1 and module.is_abandoned(left[0])
    assert back_up(workspace.database, target) > 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy.db", "workspace"]


def test_what_another_backup_is_writing_is_left_to_it(workspace: Workspace, tmp_path: Path) -> None:
    seen: list[bool] = []
    back_up(
        workspace.database,
        tmp_path / "copy.db",
        progress=lambda *_: seen.extend(module.is_abandoned(path) for path in tmp_path.glob(".copy.db.*.partial")),
    )
    assert seen and not any(seen)


def test_a_database_of_an_older_version_is_copied_as_it_is(tmp_path: Path) -> None:
    workspace = workspace_at(tmp_path / "workspace")
    open_writable(workspace.database, up_to=6).close()
    back_up(workspace.database, tmp_path / "copy.db")
    with closing(sqlite3.connect(tmp_path / "copy.db")) as connection:
        assert connection.execute("PRAGMA user_version").fetchone()[0] == 6


def test_what_the_file_system_refuses_is_explained(workspace: Workspace, tmp_path: Path) -> None:
    (workspace.root / "backups").write_text("in the way")
    with pytest.raises(StoreError, match="cannot be made"):
        back_up_when_due(workspace)
    with pytest.raises(StoreError):
        back_up(tmp_path / "none.db", tmp_path / "copy.db")
    with pytest.raises(UsageError, match="is a folder"):
        back_up(workspace.database, tmp_path, replace=True)
    assert not (tmp_path / "none.db").exists()
    folders = [daily.folder_of(workspace) / f"runs-2020-01-0{day}.db" for day in (1, 2, 3, 4)]
    (workspace.root / "backups").unlink()
    for folder in folders:
        folder.mkdir(parents=True)
    assert back_up_when_due(workspace) is not None
    assert all(folder.is_dir() for folder in folders)


def test_a_folder_without_permission_is_explained(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.open

    def deny(path: Path, *others: int) -> int:
        if str(path).endswith(".partial"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *others)

    monkeypatch.setattr(module.os, "open", deny)
    with pytest.raises(StoreError, match="cannot be written"):
        back_up(workspace.database, tmp_path / "copy.db")


def test_who_only_opens_the_database_makes_no_backup_due(workspace: Workspace) -> None:
    now = workspace.database.stat().st_mtime
    backup = back_up_when_due(workspace, now)
    assert backup is not None
    os.utime(backup, (now + 10.0,) * 2)
    with Writer.open(workspace):  # makes an empty log with the time of today
        later = (now + 2 * DAY,) * 2
        os.utime(workspace.database.with_name("runs.db-wal"), later)
        assert back_up_when_due(workspace, now + 2 * DAY) is None
