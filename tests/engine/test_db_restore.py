"""A runs.db with holes in it, or none at all: what backups, readable pages, journals and folders bring back."""

from __future__ import annotations

import os
import random
import socket
from pathlib import Path

import pytest
from store_helpers import add_evaluation, add_run, prediction, raw, score, workspace_at

from engine.api.maintenance import back_up_database
from engine.data.importers.phantoms import import_phantoms
from engine.errors import JobError, SonotuneError
from engine.jobs.journal import Attempt, Ending, Journal
from engine.jobs.lock import WorkerLock
from engine.jobs.process import process_start
from engine.maintenance import replacing
from engine.maintenance import restore as restoring
from engine.maintenance.backup import back_up
from engine.maintenance.check import check
from engine.maintenance.daily import back_up_when_due
from engine.maintenance.restore import restore
from engine.recipe import parse_recipe, recipe_to_toml
from engine.store.connection import open_writable
from engine.store.reader import Reader
from engine.store.recorded import Answered, Happened, Measured
from engine.store.writer import Writer
from engine.types import JobKind, Reference, State
from engine.workspace import Workspace

RUNS = 60
GONE = Attempt(2**30, 1.0, "an earlier boot")
"""A process that is not there."""

FAILED = {"error_title": "It failed", "error_detail": "so", "error_next_step": "Mend it.", "peak_rss_bytes": 5}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    made = workspace_at(tmp_path / "workspace")
    with Writer.open(made) as writer:
        for number in range(RUNS):
            run = add_run(writer, f"run {number}")
            for step in range(20):
                writer.add_metrics(run, step, {"loss": float(step), "learning_rate": 0.1})
            evaluation = add_evaluation(writer, run)
            writer.add_predictions(evaluation, [prediction(f"Head/{each}.png") for each in range(10)])
            writer.add_scores(evaluation, [score("accuracy", 0.5)])
    checkpoint(made)
    return made


def checkpoint(workspace: Workspace) -> None:
    connection = raw(workspace)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def spoil(database: Path, pages: int, seed: int = 1) -> None:
    """Random bytes over some pages, but not over the first ones, which hold the schema: without it nothing is read."""
    chance = random.Random(seed)
    count = database.stat().st_size // 4096
    with database.open("r+b") as file:
        for page in chance.sample(range(70, count), pages):
            file.seek(page * 4096)
            file.write(chance.randbytes(4096))


def counts(workspace: Workspace) -> dict[str, int]:
    connection = raw(workspace)
    try:
        tables = ("runs", "metrics", "evaluations", "predictions")
        return {name: connection.execute(f"SELECT COUNT(*) FROM {name}").fetchone()[0] for name in tables}
    finally:
        connection.close()


def is_sound(workspace: Workspace) -> bool:
    connection = raw(workspace)
    try:
        whole = connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return whole and not connection.execute("PRAGMA foreign_key_check").fetchall()
    finally:
        connection.close()


@pytest.mark.parametrize("seed", range(4))
def test_with_a_backup_every_row_of_it_is_there_and_later_ones_that_can_be_read(
    workspace: Workspace, seed: int
) -> None:
    backup = workspace.root / "copy.db"
    back_up(workspace.database, backup)
    before = counts(workspace)
    with Writer.open(workspace) as writer:
        later = add_run(writer, "after the backup")
    checkpoint(workspace)
    spoil(workspace.database, 12, seed)
    found = restore(workspace, backup)
    assert is_sound(workspace)
    after = counts(workspace)
    assert all(after[name] >= before[name] for name in before)
    assert found.kept is not None and found.kept.exists()
    with Reader(workspace) as reader:
        assert {run.id for run in reader.runs()} - {later} == set(range(1, RUNS + 1))


def test_without_a_backup_what_can_be_read_is_kept_and_the_gaps_are_counted(workspace: Workspace) -> None:
    before = counts(workspace)
    spoil(workspace.database, 12)
    found = restore(workspace)
    assert is_sound(workspace)
    after = counts(workspace)
    assert found.salvage is not None
    gaps = sum(table.gaps + table.refused for table in found.salvage.tables)
    assert gaps or any(table.error for table in found.salvage.tables)
    assert sum(after.values()) < sum(before.values())
    assert sum(after.values()) > sum(before.values()) / 2
    assert all(after[name] <= before[name] for name in before)
    assert check(workspace, 0.0).faults == () or all(
        "damaged" not in fault.what for fault in check(workspace, 0.0).faults
    )


def test_a_file_that_is_no_database_any_more_is_kept_and_the_backup_taken(workspace: Workspace) -> None:
    back_up(workspace.database, workspace.root / "copy.db")
    before = counts(workspace)
    workspace.database.write_bytes(os.urandom(50_000))
    found = restore(workspace, workspace.root / "copy.db")
    assert counts(workspace) == before
    assert found.salvage is not None and found.salvage.error
    assert found.kept is not None and found.kept.stat().st_size == 50_000


def test_a_sound_database_loses_nothing(workspace: Workspace) -> None:
    before = counts(workspace)
    restore(workspace)
    assert counts(workspace) == before
    assert is_sound(workspace)


def test_journals_bring_back_what_the_backup_does_not_have(workspace: Workspace) -> None:
    back_up(workspace.database, workspace.root / "copy.db")
    with Reader(workspace) as reader:
        folder = workspace.root / reader.run(7).directory
    journal = Journal(folder)
    journal.append(GONE)
    for step in range(20, 40):
        journal.append(Measured(step, {"loss": 100.0 + step}, 5.0))
    journal.close()
    workspace.database.write_bytes(b"nothing")
    found = restore(workspace, workspace.root / "copy.db")
    assert (found.journals, found.entries) == (1, 20)
    with Reader(workspace) as reader:
        losses = {point.step: point.value for point in reader.metrics(7, ["loss"])}
        assert reader.run(7).step == 39
    assert losses[39] == 139.0 and len(losses) == 40


def test_with_nothing_at_all_runs_come_back_from_their_folders(tmp_path: Path) -> None:
    workspace = workspace_at(tmp_path)
    import_phantoms(workspace, "phantoms", count=12, seed=1, abnormal_share=0.5, size=64, processes=1)
    recipe = parse_recipe({"name": "lost and found"}, "test")
    for number, ending in ((3, None), (4, Ending(State.FAILED, "It failed", FAILED))):
        folder = workspace.outputs / f"{number:05d}-lost"
        folder.mkdir(parents=True)
        (folder / "recipe.toml").write_text(recipe_to_toml(recipe))
        journal = Journal(folder)
        journal.append(GONE)
        journal.append(Measured(1, {"loss": 2.5}, 5.0))
        if ending:
            journal.append(ending)
        journal.close()
    (workspace.outputs / "00005-broken").mkdir()
    (workspace.outputs / "00005-broken" / "recipe.toml").write_text("this = is no recipe")
    elsewhere = parse_recipe({"name": "of data that is gone", "data": {"dataset": "gone"}}, "test")
    (workspace.outputs / "00006-gone").mkdir()
    (workspace.outputs / "00006-gone" / "recipe.toml").write_text(recipe_to_toml(elsewhere))
    of_gone = Journal(workspace.outputs / "00006-gone")
    of_gone.append(GONE)
    of_gone.append(Measured(7, {"loss": 0.5}, 5.0))
    for file in workspace.root.glob("runs.db*"):
        file.unlink()
    found = restore(workspace)
    assert found.folders == ["00003-lost", "00004-lost", "00005-broken", "00006-gone"]
    assert [line.partition(":")[0] for line in found.incomplete] == ["00005-broken", "00006-gone"]
    with Reader(workspace) as reader:
        interrupted, failed, broken, gone = (reader.run(number) for number in (3, 4, 5, 6))
        curves = [[point.value for point in reader.metrics(number, ["loss"])] for number in (3, 4, 6)]
    assert curves == [[2.5], [2.5], [0.5]]
    assert (interrupted.state, failed.state) == (State.INTERRUPTED, State.FAILED)
    assert interrupted.directory == "outputs/00003-lost"
    assert failed.ended_at is not None and {name: getattr(failed, name) for name in FAILED} == FAILED
    assert (broken.name, broken.dataset) == ("broken", "")
    assert (gone.name, gone.dataset, gone.dataset_fingerprint) == ("of data that is gone", "gone", "")
    assert "gone" in gone.reason
    with Writer.open(workspace) as writer:  # and it can be resumed
        assert writer.transition(JobKind.TRAINING, 3, State.INTERRUPTED, State.QUEUED, "resumed")
        assert add_run(writer, "a new one") > 4


def test_nothing_is_touched_while_a_worker_is_at_work(workspace: Workspace) -> None:
    lock = WorkerLock(workspace.worker_lock)
    assert lock.acquire()
    before = workspace.database.read_bytes()
    try:
        with pytest.raises(JobError, match="worker is at work"):
            restore(workspace)
    finally:
        lock.release()
    assert workspace.database.read_bytes() == before


def test_a_damaged_backup_changes_nothing(workspace: Workspace) -> None:
    backup = workspace.root / "copy.db"
    back_up(workspace.database, backup)
    spoil(backup, 10)
    before = workspace.database.read_bytes()
    with pytest.raises(SonotuneError):
        restore(workspace, backup)
    assert workspace.database.read_bytes() == before
    assert not list(workspace.root.glob(".runs.db*"))


def page_of(workspace: Workspace, name: str) -> int:
    """Root page of a table or index, counted from one."""
    connection = raw(workspace)
    try:
        return int(connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (name,)).fetchone()[0])
    finally:
        connection.close()


def overwrite(database: Path, page: int) -> None:
    with database.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(random.Random(1).randbytes(4096))


def rows_of(workspace: Workspace, statement: str) -> list[tuple[object, ...]]:
    connection = raw(workspace)
    try:
        return connection.execute(statement).fetchall()
    finally:
        connection.close()


def test_answers_and_scores_of_a_lost_evaluation_are_left_out_and_counted(workspace: Workspace) -> None:
    overwrite(workspace.database, page_of(workspace, "evaluations"))
    found = restore(workspace)
    assert is_sound(workspace)
    assert found.dropped["predictions"] == RUNS * 10 and found.dropped["scores"] == RUNS
    assert counts(workspace)["runs"] == RUNS and counts(workspace)["predictions"] == 0


def test_a_damaged_file_of_an_older_version_gets_no_names_of_columns_for_values(tmp_path: Path) -> None:
    workspace = workspace_at(tmp_path)
    older_database(workspace.database)
    restore(workspace)
    assert rows_of(workspace, "SELECT name, phase, stalled_at, rolled_up_at FROM runs") == [("old", None, None, None)]
    with Reader(workspace) as reader:
        assert reader.run(1).phase is None


def older_database(path: Path) -> None:
    connection = open_writable(path, up_to=6)
    connection.execute(
        "INSERT INTO runs (name, state, recipe, dataset, dataset_fingerprint, split_fingerprint, model, seed, "
        "directory, queued_at) VALUES ('old', 'succeeded', '{}', 'd', 'f', 's', 'm', 1, 'outputs/00001-old', 1)"
    )
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def test_a_backup_of_an_older_version_is_brought_up_to_date_in_its_copy(tmp_path: Path) -> None:
    workspace = workspace_at(tmp_path)
    (tmp_path / "backups").mkdir()
    backup = tmp_path / "backups" / "runs-2026-01-01.db"
    older_database(backup)
    before = backup.read_bytes()
    assert restore(workspace).backup == backup
    with Reader(workspace) as reader:
        assert [run.name for run in reader.runs()] == ["old"]
    assert backup.read_bytes() == before


def test_the_newest_whole_snapshot_is_taken_whoever_asked_for_it(workspace: Workspace) -> None:
    automatic = back_up_when_due(workspace)
    with Writer.open(workspace) as writer:
        add_run(writer, "later")
    by_hand, _ = back_up_database(workspace)
    newest = workspace.root / "backups" / "mine.db"
    back_up(workspace.database, newest)
    spoil(newest, 10)
    (workspace.root / "backups" / "no database.db").write_text("x")
    workspace.database.write_bytes(b"nothing")
    assert automatic is not None and by_hand.exists()
    found = restore(workspace)
    assert found.backup == by_hand
    assert sorted(each.partition(":")[0] for each in found.passed_over) == ["mine.db", "no database.db"]
    assert counts(workspace)["runs"] == RUNS + 1


def answered(*paths: str, text: str) -> Answered:
    return Answered([prediction(path, raw_output=text) for path in paths])


def test_answers_that_an_evaluation_has_dropped_do_not_come_back(tmp_path: Path) -> None:
    workspace = workspace_at(tmp_path)
    with Writer.open(workspace) as writer:
        anew, on, killed = (add_evaluation(writer, None, Reference.BASE, question=f"Q{n}") for n in (5, 6, 7))
        writer.add_predictions(anew, [prediction("B.png", raw_output="new")])
    for evaluation, second in (
        (anew, [Happened("begins anew", "another adapter", 1.0), answered("B.png", text="new")]),
        (on, [Happened("goes on", "2 of 3", 1.0), answered("C.png", text="new")]),
        (killed, []),
    ):
        journal = Journal(workspace.outputs / "evaluations" / str(evaluation))
        for line in (GONE, answered("A.png", "B.png", text="old"), Attempt(2**30 + 1, 1.0, "x"), *second):
            journal.append(line)
        journal.close()
    restore(workspace)
    said = rows_of(workspace, "SELECT evaluation_id, path, raw_output FROM predictions ORDER BY evaluation_id, path")
    assert [(path, text) for which, path, text in said if which == anew] == [("B.png", "new")]
    assert [(path, text) for which, path, text in said if which == on] == [
        ("A.png", "old"), ("B.png", "old"), ("C.png", "new"),
    ]  # fmt: skip
    assert [path for which, path, _ in said if which == killed] == ["A.png", "B.png"]


def test_one_row_id_beyond_all_others_is_reached_and_nothing_else_is_lost(workspace: Workspace) -> None:
    connection = raw(workspace)
    connection.execute("UPDATE metrics SET id = id + (1 << 40) WHERE run_id = 60 AND step = 19")
    connection.close()
    checkpoint(workspace)
    before = counts(workspace)
    restore(workspace)
    assert counts(workspace) == before


def test_while_a_job_is_at_work_without_a_worker_nothing_is_touched(workspace: Workspace) -> None:
    pid = os.getpid()
    with Writer.open(workspace) as writer:
        writer.transition(JobKind.TRAINING, 3, State.QUEUED, State.STARTING, "x")
        writer.transition(JobKind.TRAINING, 3, State.STARTING, State.RUNNING, "x")
    connection = raw(workspace)
    owner = (pid, process_start(pid), socket.gethostname())
    connection.execute("UPDATE runs SET pid = ?, process_start = ?, host = ? WHERE id = 3", owner)
    connection.close()
    inode = workspace.database.stat().st_ino
    with pytest.raises(JobError, match="run 3 at work"):
        restore(workspace)
    assert workspace.database.stat().st_ino == inode
    workspace.database.write_bytes(b"nothing")  # then only its journal tells
    journal = Journal(workspace.outputs / "00007-x")
    journal.append(Attempt.of_this_process())
    with pytest.raises(JobError, match="run 7 at work"):
        restore(workspace)
    journal.append(Ending(State.FAILED, "done", {}))
    journal.close()
    restore(workspace)


@pytest.mark.parametrize("moment", ["linked", "unlinked", "renamed"])
def test_killed_while_files_change_places_the_log_is_still_read(
    tmp_path: Path, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = workspace_at(tmp_path)
    with Writer.open(workspace) as writer:
        add_run(writer)
    child = os.fork()
    if not child:  # leaves a log behind that was not taken into the file
        writer = Writer.open(workspace)
        writer._connection.execute("PRAGMA wal_autocheckpoint = 0")
        for step in range(50):
            writer.add_metrics(1, step, {"loss": 1.0})
        os._exit(0)
    os.waitpid(child, 0)
    assert workspace.database.with_name("runs.db-wal").stat().st_size > 0

    class KilledError(Exception):
        pass

    def killed(*_: object, **__: object) -> None:
        raise KilledError

    with monkeypatch.context() as patched:
        if moment == "linked":
            patched.setattr(replacing, "flush", killed)
        elif moment == "unlinked":
            patched.setattr(Path, "rename", killed)
        else:
            real = Path.rename
            patched.setattr(Path, "rename", lambda path, to: (real(path, to), killed())[0])
        patched.setattr(restoring, "remove", lambda _path: None)  # as a kill leaves it
        patched.setattr(restoring, "back_up", killed)
        with pytest.raises(KilledError):
            restore(workspace)
    restore(workspace)
    assert counts(workspace)["metrics"] == 50 and is_sound(workspace)
    kept = replacing.kept_files(workspace.database)
    assert len(kept) == (2 if moment == "renamed" else 1)


def test_a_log_without_its_database_is_not_taken_for_that_of_the_new_one(workspace: Workspace) -> None:
    backup = workspace.root / "copy.db"
    back_up(workspace.database, backup)
    writer = Writer.open(workspace)
    writer.add_metrics(1, 500, {"loss": 1.0})
    log = workspace.database.with_name("runs.db-wal").read_bytes()
    writer.close()
    workspace.database.unlink()
    workspace.database.with_name("runs.db-wal").write_bytes(log)
    found = restore(workspace, backup)
    assert is_sound(workspace) and counts(workspace)["runs"] == RUNS
    assert found.kept is not None and found.kept.with_name(found.kept.name + "-wal").read_bytes() == log


def test_two_within_a_second_keep_both_files(workspace: Workspace) -> None:
    first, second = restore(workspace).kept, restore(workspace).kept
    assert first is not None and second is not None and first != second
    assert first.exists() and second.exists()


def test_two_hundred_runs_with_all_that_belongs_to_them_come_through_a_restore(tmp_path: Path) -> None:
    workspace = workspace_at(tmp_path)
    with Writer.open(workspace) as writer:
        for number in range(200):
            run = add_run(writer, f"run {number}")
            writer.add_metrics(run, 1, {"loss": float(number)})
            evaluation = add_evaluation(writer, run)
            writer.add_predictions(evaluation, [prediction("Head/1.png")])
            writer.add_scores(evaluation, [score("accuracy", 0.5), score("f1", None)])
            writer.add_note(run, "saw it")
            writer.set_tags(run, ["paper"])
        last = add_run(writer, "its row is gone")
    connection = raw(workspace)
    connection.execute("DELETE FROM events WHERE run_id = ?", (last,))
    connection.execute("DELETE FROM runs WHERE id = ?", (last,))
    connection.close()
    checkpoint(workspace)
    tables = ("runs", "metrics", "evaluations", "predictions", "scores", "notes", "tags", "events")
    before = {table: sorted(map(repr, rows_of(workspace, f"SELECT * FROM {table}"))) for table in tables}
    assert all(len(rows) >= 200 for rows in before.values())
    overwrite(workspace.database, page_of(workspace, "samples"))  # of an empty table: nothing is lost
    found = restore(workspace)
    after = {table: sorted(map(repr, rows_of(workspace, f"SELECT * FROM {table}"))) for table in tables}
    assert after == before and found.dropped == {}
    with Writer.open(workspace) as writer:
        assert add_run(writer, "next") == last + 1  # no id is given twice: folders are named by it


def swap(database: Path, seed: int) -> None:
    """Two pages behind the schema change places: each reads well, and belongs to another table or place."""
    chance = random.Random(seed)
    one, other = chance.sample(range(70, database.stat().st_size // 4096), 2)
    with database.open("r+b") as file:
        file.seek(one * 4096)
        first = file.read(4096)
        file.seek(other * 4096)
        second = file.read(4096)
        file.seek(one * 4096)
        file.write(second)
        file.seek(other * 4096)
        file.write(first)


@pytest.mark.parametrize("beside", [True, False], ids=["with a backup", "without"])
@pytest.mark.parametrize("seed", range(12))
def test_pages_that_have_changed_places_end_nothing(workspace: Workspace, seed: int, beside: bool) -> None:
    backup = workspace.root / "copy.db"
    before = counts(workspace)
    if beside:
        back_up(workspace.database, backup)
    swap(workspace.database, seed)
    restore(workspace, backup if beside else None)
    assert is_sound(workspace)
    if beside:
        after = counts(workspace)
        assert all(after[name] >= before[name] for name in before)
    with Reader(workspace) as reader:
        assert all(isinstance(run.id, int) and run.name for run in reader.runs())


def test_a_page_that_leads_back_to_earlier_rows_is_no_endless_way(workspace: Workspace) -> None:
    """The last leaf of the curves stands in the place of the first, so its rows come before those that precede them."""
    leaves = leaves_of(workspace.database, page_of(workspace, "metrics"))
    with workspace.database.open("r+b") as file:
        file.seek((leaves[0] - 1) * 4096)
        first = file.read(4096)
        file.seek((leaves[-1] - 1) * 4096)
        file.write(first)
    found = restore(workspace)
    assert is_sound(workspace)
    assert found.salvage is not None
    [curves] = [table for table in found.salvage.tables if table.table == "metrics"]
    assert curves.gaps and 1000 < curves.rows <= 2400


def leaves_of(database: Path, root: int) -> list[int]:
    """Pages below the interior page of a table, in order (https://www.sqlite.org/fileformat2.html, section 1.6)."""
    content = database.read_bytes()[(root - 1) * 4096 : root * 4096]
    assert content[0] == 5
    cells = int.from_bytes(content[3:5], "big")
    places = [int.from_bytes(content[12 + 2 * cell : 14 + 2 * cell], "big") for cell in range(cells)]
    return [int.from_bytes(content[place : place + 4], "big") for place in places] + [
        int.from_bytes(content[8:12], "big")
    ]


@pytest.mark.parametrize("part", [0.99, 0.8])
def test_a_file_that_was_cut_short_gives_what_is_left(workspace: Workspace, part: float) -> None:
    before = counts(workspace)
    os.truncate(workspace.database, int(workspace.database.stat().st_size * part))
    restore(workspace)
    assert is_sound(workspace)
    after = counts(workspace)
    assert sum(after.values()) > sum(before.values()) * (part - 0.4)


def test_a_text_whose_further_pages_are_gone_replaces_none_of_the_backup(tmp_path: Path) -> None:
    workspace = workspace_at(tmp_path)
    long = "it said " + "word " * 3000
    with Writer.open(workspace) as writer:
        evaluation = add_evaluation(writer, add_run(writer))
        writer.add_predictions(evaluation, [prediction("Head/0.png", raw_output=long)])
    checkpoint(workspace)
    backup = workspace.root / "copy.db"
    back_up(workspace.database, backup)
    content = bytearray(workspace.database.read_bytes())
    page = content.rindex(b"word word word") // 4096  # the last page that the text goes on to
    content[page * 4096 + 4 : (page + 1) * 4096] = bytes(4092)
    workspace.database.write_bytes(content)
    restore(workspace, backup)
    with Reader(workspace) as reader:
        assert [each.raw_output for each in reader.predictions(evaluation)] == [long]


def test_a_thinned_run_whose_journal_brings_its_points_back_is_not_called_thinned(workspace: Workspace) -> None:
    with Reader(workspace) as reader:
        folder = workspace.root / reader.run(7).directory
    journal = Journal(folder)
    journal.append(GONE)
    for step in range(30):
        journal.append(Measured(step, {"loss": float(step)}, 5.0))
    journal.close()
    with raw(workspace) as connection:
        connection.execute("UPDATE runs SET rolled_up_at = 1.0 WHERE id IN (7, 8)")
    restore(workspace)
    with Reader(workspace) as reader:
        assert (reader.run(7).rolled_up_at, reader.run(8).rolled_up_at) == (None, 1.0)
