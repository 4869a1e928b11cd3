from __future__ import annotations

import shutil
import sqlite3
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from store_helpers import add_evaluation, add_run, raw

from engine.errors import StoreError
from engine.jobs.dispatch import child_environment
from engine.store import location
from engine.store.connection import open_writable
from engine.store.location import file_system_type
from engine.store.migrations import LATEST, MIGRATIONS
from engine.store.reader import Reader
from engine.store.writer import Writer
from engine.types import Outcome
from engine.workspace import Workspace

ROW_OF_VERSION_1 = """
INSERT INTO runs (name, state, recipe, dataset, dataset_fingerprint, split_fingerprint, model, seed, directory,
                  queued_at, final_loss)
VALUES ('old', 'succeeded', '{}', 'phantoms', 'd', 's', 'assets/base-model', 7, 'outputs/00001-old', 1.5, 0.25)
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


def schema(connection: sqlite3.Connection) -> set[tuple[str, str]]:
    return set(connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"))


def test_an_empty_folder_gets_the_newest_schema_readable_by_its_owner_only(workspace: Workspace) -> None:
    with Writer.open(workspace) as writer:
        add_run(writer)
        files = list(workspace.root.glob("runs.db*"))
        assert {file.name for file in files} == {"runs.db", "runs.db-wal", "runs.db-shm"}
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert raw(workspace).execute("PRAGMA user_version").fetchone() == (LATEST,)
    assert raw(workspace).execute("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.mark.parametrize("with_rows", [False, True])
def test_a_database_of_version_1_is_brought_up_to_date(workspace: Workspace, tmp_path: Path, with_rows: bool) -> None:
    old = open_writable(workspace.database, up_to=1)
    assert "tags" not in {name for name, _ in schema(old)}
    if with_rows:
        old.execute(ROW_OF_VERSION_1)
        old.execute("INSERT INTO metrics (run_id, key, step, value, time) VALUES (1, 'loss', 3, 0.5, 2.0)")
    old.close()

    with Writer.open(workspace) as writer:
        new_run = add_run(writer, study="size")
        writer.set_tags(new_run, ["kept"])

    fresh = Workspace(tmp_path / "fresh")
    Writer.open(fresh).close()
    assert schema(raw(workspace)) == schema(raw(fresh))
    with Reader(workspace) as reader:
        assert reader.run(new_run).study == "size"
        assert reader.tags(new_run) == ["kept"]
        assert len(reader.runs()) == 1 + with_rows
        if with_rows:
            survivor = reader.run("old")
            assert (survivor.final_loss, survivor.seed, survivor.queued_at, survivor.study) == (0.25, 7, 1.5, None)
            assert [(point.step, point.value) for point in reader.metrics(survivor.id)] == [(3, 0.5)]


def test_predictions_of_version_3_get_an_outcome_and_evaluations_a_clean_protocol(workspace: Workspace) -> None:
    old = open_writable(workspace.database, up_to=3)
    old.execute(ROW_OF_VERSION_1)
    old.execute(
        "INSERT INTO evaluations (run_id, name, model, dataset, split, question, state, protocol, "
        "protocol_fingerprint, cases_fingerprint, queued_at) "
        "VALUES (1, 'old', 'm', 'd', 'test', 'Q7', 'succeeded', '{}', 'p1', 'c1', 1.0)"
    )
    readings = [("a", "normal", "normal", 1), ("b", "abnormal", "normal", 0), ("c", "unparseable", "normal", None),
                ("d", "normal", "unparseable", None)]  # fmt: skip
    old.executemany(
        "INSERT INTO predictions VALUES (1, ?, 'V', 'Q7', 't', 'r', ?, ?, ?, 0.5, '{}', 0, 0.1, 3)", readings
    )
    old.close()
    with Writer.open(workspace), Reader(workspace) as reader:
        outcomes = {each.path: each.outcome for each in reader.predictions(1)}
        row = reader.evaluation(1)
    assert outcomes == {
        "a": Outcome.RIGHT, "b": Outcome.WRONG, "c": Outcome.UNPARSEABLE, "d": Outcome.UNSCORED
    }  # fmt: skip
    assert (row.clean_protocol_fingerprint, row.degradation, row.errors) == ("p1", None, None)


def test_applied_migrations_are_on_record_in_order(workspace: Workspace) -> None:
    Writer.open(workspace).close()
    names = raw(workspace).execute("SELECT name FROM _sqlite_migrations ORDER BY id").fetchall()
    assert names == [(name,) for name, _ in MIGRATIONS]
    assert len(names) >= 2


def test_a_migration_that_fails_leaves_the_database_as_it_was(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_writable(workspace.database, up_to=1).close()
    before = schema(raw(workspace))
    broken = (MIGRATIONS[0], ("0002_broken", ("CREATE TABLE half (x)", "CREATE TABLE half (x)")))
    monkeypatch.setattr("engine.store.migrations.MIGRATIONS", broken)
    with pytest.raises(StoreError):
        Writer.open(workspace)
    assert schema(raw(workspace)) == before
    monkeypatch.undo()
    Writer.open(workspace).close()


def test_several_processes_may_open_a_new_workspace_at_once(workspace: Workspace) -> None:
    def create(number: int) -> int:
        with Writer.open(workspace) as writer:
            return add_run(writer, f"run {number}")

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(create, range(6))) == [1, 2, 3, 4, 5, 6]


def test_a_current_database_opens_without_sqlite_utils(workspace: Workspace) -> None:
    Writer.open(workspace).close()
    code = (
        "import sys\nfrom pathlib import Path\nfrom engine.workspace import Workspace\n"
        "from engine.store.writer import Writer\nfrom engine.store.reader import Reader\n"
        f"workspace = Workspace(Path({str(workspace.root)!r}))\n"
        "Writer.open(workspace).close(); Reader(workspace).close()\n"
        "print(sorted({'sqlite_utils', 'numpy', 'pandas', 'torch', 'psutil', 'pydantic'} & set(sys.modules)))"
    )
    child = subprocess.run(
        [sys.executable, "-c", code], env=child_environment(), capture_output=True, text=True, check=True
    )
    assert child.stdout == "[]\n"


def test_the_schema_explains_every_table_and_the_columns_added_later(workspace: Workspace) -> None:
    with Writer.open(workspace):
        statements = dict(schema(raw(workspace)))
    tables = [name for name, sql in statements.items() if sql.startswith("CREATE TABLE")]
    explained = [name for name in tables if "--" in statements[name]]
    assert set(tables) - set(explained) == {"_sqlite_migrations", "sqlite_sequence", "tags"}
    assert "study TEXT /* name of the study" in statements["runs"]
    assert "queued -> starting -> running" in statements["runs"]


def test_a_newer_database_is_refused_untouched(workspace: Workspace) -> None:
    Writer.open(workspace).close()
    raw(workspace).execute(f"PRAGMA user_version = {LATEST + 1}")
    for attempt in (Writer.open, Reader):
        with pytest.raises(StoreError, match="newer sonotune") as caught:
            attempt(workspace)
        assert "Update sonotune" in caught.value.next_step
    assert raw(workspace).execute("PRAGMA user_version").fetchone() == (LATEST + 1,)


def test_an_older_database_is_not_read_before_it_is_migrated(workspace: Workspace) -> None:
    open_writable(workspace.database, up_to=1).close()
    with pytest.raises(StoreError, match="older version") as caught:
        Reader(workspace)
    assert "doctor" in caught.value.next_step


def test_a_database_of_another_program_is_refused_untouched(workspace: Workspace) -> None:
    raw(workspace).execute("CREATE TABLE bookmarks (url)")
    content = workspace.database.read_bytes()
    for attempt in (Writer.open, Reader):
        with pytest.raises(StoreError, match="another program"):
            attempt(workspace)
    assert workspace.database.read_bytes() == content


@pytest.mark.parametrize("content", [b"a text file, long enough to hold a header\n" * 50, b"SQLite format 3\x00" * 300])
def test_a_file_that_is_no_database_is_refused_untouched(workspace: Workspace, content: bytes) -> None:
    workspace.database.write_bytes(content)
    for attempt in (Writer.open, Reader):
        with pytest.raises(StoreError, match="damaged or no database") as caught:
            attempt(workspace)
        assert "sonotune db restore" in caught.value.next_step
    assert workspace.database.read_bytes() == content


def test_a_page_that_was_overwritten_is_reported_as_damage(workspace: Workspace) -> None:
    with Writer.open(workspace) as writer:
        for number in range(40):
            add_evaluation(writer, add_run(writer, f"run {number}"))
    whole = bytearray(workspace.database.read_bytes())
    whole[4096:] = b"\xff" * (len(whole) - 4096)
    workspace.database.write_bytes(whole)
    with pytest.raises(StoreError, match="damaged"), Reader(workspace) as reader:
        reader.runs()


def test_a_locked_database_is_reported_with_what_to_do(workspace: Workspace) -> None:
    Writer.open(workspace).close()
    other = raw(workspace)
    other.execute("BEGIN IMMEDIATE")
    with Writer.open(workspace, busy_seconds=0.05) as writer, pytest.raises(StoreError, match="locked") as caught:
        add_run(writer)
    assert "Close the program" in caught.value.next_step
    other.execute("ROLLBACK")


def test_a_missing_database_is_a_clear_error_and_is_not_made(workspace: Workspace) -> None:
    with pytest.raises(StoreError, match=r"no runs\.db") as caught:
        Reader(workspace)
    assert "data import" in caught.value.next_step
    assert Reader.open_or_none(workspace) is None
    workspace.database.touch()
    assert Reader.open_or_none(workspace) is None
    assert [file.name for file in workspace.root.iterdir()] == ["runs.db"]


def test_the_reader_cannot_write(workspace: Workspace) -> None:
    Writer.open(workspace).close()
    with Reader(workspace) as reader, pytest.raises(StoreError, match="cannot be opened"):
        reader._rows("DELETE FROM runs")


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="cannot be made"):
        Writer.open(Workspace(tmp_path / "file" / "workspace"))


MOUNTS = """/dev/sda1 / ext4 rw 0 0
server:/home /home nfs4 rw 0 0
/dev/sdb1 /home/me/local\\040disk xfs rw 0 0
me@host:/data /mnt/remote fuse.sshfs rw 0 0
C:\\134 /mnt/c 9p rw 0 0
//nas/share /mnt/nas cifs rw 0 0
tmpfs /mnt/nas/cache tmpfs rw 0 0
"""


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("/srv/x", "ext4"),
        ("/home/me", "nfs4"),
        ("/homestead", "ext4"),
        ("/home/me/local disk/w", "xfs"),
        ("/mnt/remote/deep/down", "fuse.sshfs"),
        ("/mnt/c/Users", "9p"),
        ("/mnt/nas/w", "cifs"),
        ("/mnt/nas/cache/w", "tmpfs"),
    ],
)
def test_the_deepest_mount_point_decides_the_file_system(folder: str, expected: str) -> None:
    assert file_system_type(Path(folder), MOUNTS) == expected


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "9p"])
def test_a_network_file_system_is_refused_before_anything_is_made(
    workspace: Workspace, kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    mounts = tmp_path_factory.mktemp("proc") / "mounts"
    mounts.write_text(f"/dev/sda1 / ext4 rw 0 0\nserver:/x {workspace.root} {kind} rw 0 0\n")
    monkeypatch.setattr(location, "MOUNTS", mounts)
    with pytest.raises(StoreError, match="network file system") as caught:
        Writer.open(workspace)
    assert kind in caught.value.title
    assert "local disk" in caught.value.next_step
    assert not workspace.database.exists()
    mounts.write_text(f"/dev/sda1 / ext4 rw 0 0\n/dev/sdb1 {workspace.root} ext4 rw 0 0\n")
    Writer.open(workspace).close()


def test_a_copy_on_a_read_only_medium_can_be_read(workspace: Workspace, tmp_path: Path) -> None:
    with Writer.open(workspace) as writer:
        add_run(writer)
    archive = tmp_path / "archive"
    archive.mkdir()
    shutil.copy(workspace.database, archive)
    archive.chmod(0o500)
    try:
        with Reader(Workspace(archive)) as reader:
            assert [run.name for run in reader.runs()] == ["baseline"]
    finally:
        archive.chmod(0o700)
