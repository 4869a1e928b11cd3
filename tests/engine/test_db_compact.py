"""Thinning of curves: what stays is true, and the range of each bucket is what it was."""

from __future__ import annotations

import math
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store_helpers import add_run, raw, workspace_at
from typer.testing import CliRunner

from engine.api.rolled_up import rolled_up_words
from engine.cli.app import app
from engine.errors import StoreError
from engine.maintenance import compact as module
from engine.maintenance.compact import compact
from engine.store.reader import Reader
from engine.store.writer import Writer
from engine.types import JobKind, State
from engine.workspace import Workspace

LONG_AGO, NOW = 1_000_000.0, 2_000_000.0
PROGRAM = f"""
import os, signal, sys
from pathlib import Path
from engine.maintenance import compact as module
module.ROWS, left, portion = 100, [int(sys.argv[2])], module.portion
def killed(*given):
    left[0] -= 1
    if left[0] < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return portion(*given)
module.portion = killed
module.compact(Path(sys.argv[1]), {NOW}, buckets=5)
"""
Curve = list[tuple[int, float | None]]


def ended_run(workspace: Workspace, curve: Curve, name: str = "old", *, ended: bool = True) -> int:
    with Writer.open(workspace, clock=lambda: LONG_AGO) as writer:
        run = add_run(writer, name)
        writer.transition(JobKind.TRAINING, run, State.QUEUED, State.STARTING, "x")
        writer.transition(JobKind.TRAINING, run, State.STARTING, State.RUNNING, "x")
        if ended:
            writer.transition(JobKind.TRAINING, run, State.RUNNING, State.SUCCEEDED, "x")
    with raw(workspace) as connection:
        rows = [(run, "loss", step, value, float(step)) for step, value in curve]
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO metrics (run_id, key, step, value, time) VALUES (?, ?, ?, ?, ?)", rows)
        connection.execute("COMMIT")
    return run


def points(workspace: Workspace, run: int) -> dict[int, float]:
    with Reader(workspace) as reader:
        return {point.step: point.value for point in reader.metrics(run, ["loss"])}


def ranges(curve: dict[int, float], low: int, span: int, buckets: int) -> dict[int, tuple[float, ...]]:
    """First, last, smallest and largest finite value of each bucket."""
    found: dict[int, list[float]] = {}
    for step in sorted(curve):
        if math.isfinite(curve[step]):
            found.setdefault((step - low) * buckets // span, []).append(curve[step])
    return {bucket: (values[0], values[-1], min(values), max(values)) for bucket, values in found.items()}


numbers = st.one_of(
    st.floats(allow_nan=False, allow_infinity=True, width=32), st.none(), st.sampled_from([0.0, 1.0, -1.0, 1e300])
)


@settings(max_examples=60)
@given(
    steps=st.lists(st.integers(0, 400), min_size=1, max_size=250, unique=True),
    buckets=st.integers(1, 40),
    data=st.data(),
)
def test_any_curve_keeps_the_ends_and_the_range_of_each_bucket(
    steps: list[int], buckets: int, data: st.DataObject
) -> None:
    values = data.draw(st.lists(numbers, min_size=len(steps), max_size=len(steps)))
    with tempfile.TemporaryDirectory() as folder:
        workspace = workspace_at(Path(folder))
        run = ended_run(workspace, list(zip(steps, values, strict=True)))
        before = points(workspace, run)
        found = compact(workspace.database, NOW, buckets=buckets)
        after = points(workspace, run)
    low, span = min(before), max(before) - min(before) + 1
    assert ranges(after, low, span, buckets) == ranges(before, low, span, buckets)
    assert all(after[step] is before[step] or repr(after[step]) == repr(before[step]) for step in after)
    odd = {step for step, value in before.items() if not math.isfinite(value)}
    assert odd <= after.keys()
    assert found.points == len(before) - len(after)
    if len(before) > buckets:
        assert len(after) - len(odd & after.keys()) <= 4 * buckets


def test_only_old_ended_runs_are_thinned_and_once(tmp_path: Path) -> None:
    workspace = workspace_at(tmp_path)
    curve: Curve = [(step, float(step % 7)) for step in range(1000)]
    old, running, tagged = (
        ended_run(workspace, curve),
        ended_run(workspace, curve, "running", ended=False),
        ended_run(workspace, curve, "tagged"),
    )
    with raw(workspace) as connection:
        connection.execute("INSERT INTO tags (run_id, tag) VALUES (?, 'keep')", (tagged,))
    assert compact(workspace.database, LONG_AGO - 1, buckets=10).runs == 0
    found = compact(workspace.database, NOW, buckets=10, except_tag="keep")
    assert (found.runs, found.points) == (1, 1000 - len(points(workspace, old)))
    assert len(points(workspace, running)) == len(points(workspace, tagged)) == 1000
    assert "at work" in found.unshrunk
    with Reader(workspace) as reader:
        assert reader.run(old).rolled_up_at is not None
        assert reader.run(running).rolled_up_at is None
        assert [event.kind for event in reader.events(run_id=old)][-1] == "rolled up"
    assert compact(workspace.database, NOW, buckets=10, except_tag="keep").runs == 0


def test_a_dry_run_changes_nothing_and_counts_the_same(tmp_path: Path) -> None:
    workspace = workspace_at(tmp_path)
    run = ended_run(workspace, [(step, float(step)) for step in range(500)])
    dry = compact(workspace.database, NOW, buckets=10, dry_run=True)
    assert len(points(workspace, run)) == 500
    assert compact(workspace.database, NOW, buckets=10).points == dry.points == 500 - len(points(workspace, run))


def test_telemetry_keeps_its_peaks(tmp_path: Path) -> None:
    workspace = workspace_at(tmp_path)
    run = ended_run(workspace, [])
    with raw(workspace) as connection:
        rows = [(run, float(n), float(n % 100), 1000 + (n * 37) % 501, None) for n in range(2000)]
        statement = "INSERT INTO samples (run_id, time, cpu_percent, rss_bytes, gpu_power_watts) VALUES (?, ?, ?, ?, ?)"
        connection.execute("BEGIN")
        connection.executemany(statement, rows)
        connection.execute("COMMIT")
        found = compact(workspace.database, NOW, buckets=20)
        kept = connection.execute("SELECT time, cpu_percent, rss_bytes FROM samples ORDER BY time").fetchall()
    assert found.samples == 2000 - len(kept) > 1000
    assert (kept[0][0], kept[-1][0]) == (0.0, 1999.0)
    for column, place in ((1, 2), (2, 3)):
        assert max(row[column] for row in kept) == max(row[place] for row in rows)
        assert min(row[column] for row in kept) == min(row[place] for row in rows)


@pytest.mark.parametrize("portions", [1, 4, 9])
def test_killed_in_the_middle_the_run_says_so_and_the_next_call_ends_it(tmp_path: Path, portions: int) -> None:
    workspace, whole = workspace_at(tmp_path / "killed"), workspace_at(tmp_path / "whole")
    curve: Curve = [(step, float(step % 7)) for step in range(300)]
    runs = [ended_run(workspace, curve, f"run {number}") for number in range(3)]
    for number in range(3):
        ended_run(whole, curve, f"run {number}")
    compact(whole.database, NOW, buckets=5)
    child = subprocess.run([sys.executable, "-c", PROGRAM, workspace.database, str(portions)], check=False)
    assert child.returncode == -signal.SIGKILL
    with raw(workspace) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    with Reader(workspace) as reader:
        for run in runs:
            assert len(points(workspace, run)) == 300 or reader.run(run).rolled_up_at is not None
    assert sum(300 - len(points(workspace, run)) for run in runs) > 0
    compact(workspace.database, NOW, buckets=5)
    for run in runs:
        assert points(workspace, run) == points(whole, run)
    assert compact(workspace.database, NOW, buckets=5).runs == 0


def resume(workspace: Workspace, run: int) -> None:
    with Writer.open(workspace) as writer:
        writer.transition(JobKind.TRAINING, run, State.FAILED, State.QUEUED, "x")
        writer.transition(JobKind.TRAINING, run, State.QUEUED, State.STARTING, "x")
        writer.transition(JobKind.TRAINING, run, State.STARTING, State.RUNNING, "x")


def failed_run(workspace: Workspace, curve: Curve, name: str = "failed") -> int:
    run = ended_run(workspace, curve, name)
    with raw(workspace) as connection:
        connection.execute("UPDATE runs SET state = 'failed' WHERE id = ?", (run,))
    return run


def test_a_run_that_is_resumed_meanwhile_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = workspace_at(tmp_path)
    curve: Curve = [(step, float(step % 7)) for step in range(1000)]
    before, during = failed_run(workspace, curve), failed_run(workspace, curve, "during")
    real_choose, real_portion = module.choose, module.portion

    def choose(connection: sqlite3.Connection, run: int, buckets: int) -> tuple[int, int]:
        found = real_choose(connection, run, buckets)
        if run == before:
            resume(workspace, before)
        return found

    def portion(connection: sqlite3.Connection, table: str, behind: int, count: int) -> list[int]:
        if behind > 0 and State.RUNNING not in states(workspace, during):
            resume(workspace, during)
        return real_portion(connection, table, behind, count)

    monkeypatch.setattr(module, "choose", choose)
    monkeypatch.setattr(module, "portion", portion)
    monkeypatch.setattr(module, "ROWS", 100)
    found = compact(workspace.database, NOW, buckets=10)
    assert (found.runs, found.points) == (0, 0)
    assert len(points(workspace, before)) == 1000
    assert len(points(workspace, during)) == 900
    with Reader(workspace) as reader:
        assert reader.run(before).rolled_up_at is None
        assert reader.run(during).rolled_up_at is not None


def test_a_run_that_was_resumed_and_has_ended_again_meanwhile_is_left_for_the_next_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ids that were chosen before belong to a curve that is not this one any more."""
    workspace = workspace_at(tmp_path)
    run = failed_run(workspace, [(step, float(step % 7)) for step in range(1000)])
    real = module.choose

    def choose(connection: sqlite3.Connection, run: int, buckets: int) -> tuple[int, int]:
        found = real(connection, run, buckets)
        resume(workspace, run)
        with Writer.open(workspace) as writer:
            writer.transition(JobKind.TRAINING, run, State.RUNNING, State.SUCCEEDED, "x")
        return found

    with monkeypatch.context() as patched:
        patched.setattr(module, "choose", choose)
        assert compact(workspace.database, NOW, buckets=10).runs == 0
    assert len(points(workspace, run)) == 1000
    assert compact(workspace.database, time.time() + 60, buckets=10).runs == 1


def states(workspace: Workspace, run: int) -> set[State]:
    with Reader(workspace) as reader:
        return {reader.run(run).state}


def test_a_run_that_went_on_after_it_was_thinned_is_thinned_again(tmp_path: Path) -> None:
    workspace = workspace_at(tmp_path)
    run = failed_run(workspace, [(step, float(step % 7)) for step in range(1000)])
    assert compact(workspace.database, NOW, buckets=10).runs == 1
    resume(workspace, run)
    with Writer.open(workspace) as writer:
        for step in range(1000, 1400):
            writer.add_metrics(run, step, {"loss": float(step % 11)})
        writer.transition(JobKind.TRAINING, run, State.RUNNING, State.SUCCEEDED, "x")
    found = compact(workspace.database, time.time() + 60, buckets=10)
    assert found.runs == 1 and found.points > 300
    assert compact(workspace.database, time.time() + 60, buckets=10).runs == 0


def test_a_dry_run_needs_no_lock_and_writes_to_the_database_wait_for_no_whole_run(tmp_path: Path) -> None:
    workspace = workspace_at(tmp_path)
    ended_run(workspace, [(step, float(step)) for step in range(500)])
    with raw(workspace) as connection:
        connection.execute("BEGIN IMMEDIATE")  # somebody else holds the write lock all the while
        assert compact(workspace.database, NOW, buckets=10, dry_run=True).points > 0
        connection.execute("ROLLBACK")


def test_a_figure_that_is_missing_now_and_then_keeps_its_smallest_value(tmp_path: Path) -> None:
    workspace = workspace_at(tmp_path)
    run = ended_run(workspace, [])
    with raw(workspace) as connection:
        rows = [(run, float(n), 1.0, n, None if n % 5 == 0 else 100.0 + (n * 37) % 501) for n in range(2000)]
        statement = "INSERT INTO samples (run_id, time, cpu_percent, rss_bytes, gpu_power_watts) VALUES (?, ?, ?, ?, ?)"
        connection.execute("BEGIN")
        connection.executemany(statement, rows)
        connection.execute("COMMIT")
        watts = """SELECT CAST(time * 20 / 1999.1 AS INTEGER) AS bucket, MIN(gpu_power_watts), MAX(gpu_power_watts)
            FROM samples GROUP BY bucket"""
        before = connection.execute(watts).fetchall()
        assert compact(workspace.database, NOW, buckets=20).samples > 1000
        assert connection.execute(watts).fetchall() == before


def test_beside_somebody_who_reads_an_old_state_the_file_does_not_grow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = workspace_at(tmp_path)
    ended_run(workspace, [(step, float(step)) for step in range(3000)])
    monkeypatch.setattr(module, "_READER_SECONDS", 0.05)
    with raw(workspace) as connection:
        connection.execute("BEGIN")
        connection.execute("SELECT COUNT(*) FROM metrics").fetchone()
        found = compact(workspace.database, NOW, buckets=10)
        connection.execute("ROLLBACK")
    assert "reads an old state" in found.unshrunk and found.points > 2000


def test_a_missing_file_is_explained_and_not_made(tmp_path: Path) -> None:
    for dry_run in (True, False):
        with pytest.raises(StoreError):
            compact(tmp_path / "none.db", NOW, dry_run=dry_run)
    assert not list(tmp_path.iterdir())


def test_a_thinned_run_says_so_where_its_curves_are_shown(tmp_path: Path) -> None:
    workspace = workspace_at(tmp_path)
    thinned = ended_run(workspace, [(step, float(step)) for step in range(500)])
    whole = ended_run(workspace, [(1, 1.0)], "short")
    compact(workspace.database, NOW, buckets=10)
    said = {}
    for run in (thinned, whole):
        output = CliRunner().invoke(app, ["--workspace", str(workspace.root), "show", str(run)]).output
        with Reader(workspace) as reader:
            words = rolled_up_words(reader.run(run))
        said[run] = ("smoothed line" in " ".join(output.split()), "smoothed line" in words)
    assert said == {thinned: (True, True), whole: (False, False)}


def test_a_run_that_has_nothing_to_give_up_is_not_called_thinned(tmp_path: Path) -> None:
    workspace = workspace_at(tmp_path)
    run = ended_run(workspace, [(step, float(step)) for step in range(110)])
    found = compact(workspace.database, NOW, buckets=100)
    assert (found.runs, found.points) == (0, 0)
    with Reader(workspace) as reader:
        assert reader.run(run).rolled_up_at is None
        assert "rolled up" not in [event.kind for event in reader.events(run_id=run)]
    assert compact(workspace.database, NOW, buckets=10).points == 110 - len(points(workspace, run)) > 0
