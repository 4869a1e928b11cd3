"""What a screen that stays open asks: versions, lists that are kept, curves by cursor, logs by position."""

from __future__ import annotations

import math
import os
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cli_helpers import no_worker
from run_helpers import ALIVE
from store_helpers import add_evaluation, add_run, raw, score, workspace_at

from engine.api.live import LONGEST_LINE, Live, LogTail, eta_seconds
from engine.errors import JobError, StoreError
from engine.filtering import FilterError
from engine.jobs.liveness import LOST_AFTER_SECONDS
from engine.store.reader import Reader
from engine.store.writer import Writer
from engine.telemetry import GpuSample, HostSample
from engine.types import Action, JobKind, State
from engine.workspace import Workspace

GONE = {"host": socket.gethostname(), "pid": 2**22 + 1, "process_start": 1.0}
TRAINING = JobKind.TRAINING


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return workspace_at(tmp_path)


@pytest.fixture
def writer(workspace: Workspace) -> Iterator[Writer]:
    with Writer.open(workspace) as found:
        yield found


@pytest.fixture
def live(workspace: Workspace) -> Iterator[Live]:
    found = Live(workspace)
    yield found
    found.close()


def start(writer: Writer, run: int, **columns: Any) -> None:
    assert writer.transition(TRAINING, run, State.QUEUED, State.STARTING, "test", **{**ALIVE, **columns})
    assert writer.transition(TRAINING, run, State.STARTING, State.RUNNING, "test")


# ----- the connection


def test_without_a_database_everything_is_empty(live: Live) -> None:
    assert live.reader() is None and live.version() is None
    assert live.run_list() == () and live.sparks([1]) == {} and live.progress([1]) == {}
    assert live.curves(1, ["loss"]).last_id == 0 and live.settle() == 0
    overview = live.overview()
    assert (overview.running, overview.lost, overview.queued, overview.paused) == (0, 0, 0, False)
    with pytest.raises(JobError, match="no run 1"):
        live.run_view(1)


def test_an_empty_file_is_no_database_yet(workspace: Workspace, live: Live) -> None:
    workspace.database.touch()
    assert live.version() is None and live.run_list() == ()


def test_a_database_that_is_being_made_is_empty_and_left_to_its_maker(workspace: Workspace, live: Live) -> None:
    with raw(workspace) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    assert workspace.database.stat().st_size
    assert live.version() is None and live.run_list() == ()
    with Writer.open(workspace) as writer:
        add_run(writer, "first")
    assert [run.name for run in live.run_list()] == ["first"]


def test_the_version_changes_with_every_write_of_others_and_only_then(live: Live, writer: Writer) -> None:
    first = live.version()
    assert live.version() == first
    run = add_run(writer)
    second = live.version()
    assert second != first
    writer.add_metrics(run, 1, {"loss": 1.0})
    assert live.version() != second
    assert live.version() == live.version()


def test_another_file_is_another_database(workspace: Workspace, live: Live) -> None:
    with Writer.open(workspace) as writer:
        add_run(writer, "old")
    before = live.version()
    assert [run.name for run in live.run_list()] == ["old"]
    for file in workspace.root.glob("runs.db*"):
        file.unlink()
    assert live.version() is None and live.run_list() == ()
    with Writer.open(workspace) as writer:
        add_run(writer, "new")
    assert live.version() not in (before, None)
    assert [run.name for run in live.run_list()] == ["new"], "though it may have the number of the old file"


def test_a_database_that_is_moved_over_the_old_one_is_read(workspace: Workspace, live: Live, tmp_path: Path) -> None:
    with Writer.open(workspace) as writer:
        add_run(writer, "old")
    assert live.run_list()
    other = workspace_at(tmp_path / "other")
    with Writer.open(other) as writer:
        add_run(writer, "restored")
    for file in workspace.root.glob("runs.db-*"):
        file.unlink()
    shutil.move(other.database, workspace.database)
    assert [run.name for run in live.run_list()] == ["restored"]


@pytest.mark.parametrize("content", [b"no database" * 500, b"SQLite format 3\0" + b"x" * 5000])
def test_what_is_no_database_is_an_error_each_time_until_it_is_one(
    workspace: Workspace, live: Live, content: bytes
) -> None:
    workspace.database.write_bytes(content)
    for _ in range(2):
        with pytest.raises(StoreError) as error:
            live.version()
        assert error.value.next_step
    workspace.database.unlink()
    with Writer.open(workspace) as writer:
        add_run(writer, "well")
    assert [run.name for run in live.run_list()] == ["well"]


def test_a_newer_database_is_refused_while_it_is_open(workspace: Workspace, live: Live, writer: Writer) -> None:
    add_run(writer)
    assert live.version()
    with raw(workspace) as connection:
        connection.execute("PRAGMA user_version = 999")
    with pytest.raises(StoreError, match="newer"):
        live.version()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may look into every folder")
def test_a_folder_that_may_not_be_looked_into_is_an_error(workspace: Workspace, live: Live) -> None:
    workspace.root.chmod(0)
    try:
        with pytest.raises(StoreError, match="cannot be opened"):
            live.version()
    finally:
        workspace.root.chmod(0o700)


# ----- the overview


def test_the_overview_tells_running_from_lost(live: Live, writer: Writer) -> None:
    runs = [add_run(writer, str(number)) for number in range(5)]
    for run in runs[:3]:
        start(writer, run)
    add_evaluation(writer, runs[0])
    now = time.time()
    writer.update(TRAINING, runs[1], heartbeat=now - LOST_AFTER_SECONDS - 1)
    writer.update(TRAINING, runs[2], heartbeat=None)
    overview = live.overview(now)
    assert (overview.running, overview.lost, overview.queued) == (1, 2, 3)
    assert live.overview(now + 60).lost == 3
    assert not overview.worker.running and not overview.paused
    writer.set_setting("queue_paused", True)
    assert live.overview().paused


# ----- the list


class Counted:
    """How often the whole list was read."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        real = Reader.run_list

        def run_list(reader: Reader, *arguments: Any, **named: Any) -> Any:
            self.count += 1
            return real(reader, *arguments, **named)

        monkeypatch.setattr(Reader, "run_list", run_list)


def test_between_two_events_only_active_runs_are_read_again(
    live: Live, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = (add_run(writer, name, planned_steps=10) for name in ("a", "b", "c"))
    start(writer, second)
    counted = Counted(monkeypatch)
    before = live.run_list()
    for step in (1, 2, 3):
        writer.add_metrics(second, step, {"loss": 1.0})
        writer.heartbeat(TRAINING, second)
        rows = live.run_list()
        assert {row.id: row.step for row in rows} == {first: 0, second: step, third: 0}
        assert rows[0] is before[0] and rows[2] is before[2], "the others are the very same rows"
    assert counted.count == 1
    writer.transition(TRAINING, second, State.RUNNING, State.SUCCEEDED, "done", final_loss=0.5)
    assert [(row.state, row.final_loss) for row in live.run_list()][1] == (State.SUCCEEDED, 0.5)
    assert counted.count == 2
    assert live.run_list() is live.run_list(), "the same answer as long as nothing happens"


def test_annotations_and_new_runs_are_seen(workspace: Workspace, live: Live, writer: Writer) -> None:
    from engine import api

    run = add_run(writer, "a")
    assert live.run_list()[0].tags == ""
    api.tag_run(workspace, run, add=["x", "b y"])
    assert live.run_list()[0].tags == "b y, x"
    api.add_note(workspace, run, "a note")
    assert live.run_list()[0].notes == 1
    api.rename_run(workspace, run, "other")
    assert live.run_list()[0].name == "other"
    add_run(writer, "newest")
    assert [row.name for row in live.run_list()] == ["newest", "other"]


def test_filters_are_answered_each_for_itself(live: Live, writer: Writer) -> None:
    for name in ("alpha", "beta", "gamma"):
        add_run(writer, name)
    start(writer, 2)
    assert [row.name for row in live.run_list("state = running")] == ["beta"]
    assert [row.name for row in live.run_list("name contains a and state = queued")] == ["gamma", "alpha"]
    assert len(live.run_list()) == 3
    with pytest.raises(FilterError):
        live.run_list("nonsense > 3")
    writer.transition(TRAINING, 1, State.QUEUED, State.CANCELLED, "test")
    assert [row.name for row in live.run_list("state = queued")] == ["gamma"]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("tags = keep", ["a"]),
        ("tags contains o", ["b"]),
        ("loss < 0.3", ["a"]),
        ("steps >= 5", ["b"]),
        ("trained > 1h", ["b"]),
        ("speed > 3", ["b"]),
        ("seed = 42 and not name = a", ["c", "b"]),
        ("study = size", ["c"]),
        ("run = 2", ["b"]),
        ("dataset = phantoms", ["c", "b", "a"]),
        ("backend = unsloth or device = cpu", ["b", "a"]),
        ("model contains base", ["c", "b", "a"]),
    ],
)
def test_what_a_filter_may_name(live: Live, writer: Writer, text: str, names: list[str]) -> None:
    for name, columns in (("a", {}), ("b", {}), ("c", {"study": "size"})):
        add_run(writer, name, **columns)
    start(writer, 1)
    writer.update(TRAINING, 1, final_loss=0.2, train_seconds=60.0)
    writer.update(TRAINING, 2, final_loss=0.4, train_seconds=7200.0, backend="unsloth", samples_per_second=4.0, step=9)
    writer.set_tags(1, ["keep", "paper"])
    writer.set_tags(2, ["odd"])
    writer.add_note(2, "x")
    writer.add_note(2, "y")
    found = live.run_list(text)
    assert [row.name for row in found] == names
    assert {row.name: (row.tags, row.notes) for row in live.run_list()} == {
        "a": ("keep, paper", 0),
        "b": ("odd", 2),
        "c": ("", 0),
    }


def test_an_active_run_that_the_filter_leaves_out_stays_out(live: Live, writer: Writer) -> None:
    add_run(writer, "alpha")
    start(writer, add_run(writer, "beta"))
    assert [row.name for row in live.run_list("name = alpha")] == ["alpha"]


# ----- curves and figures


def test_curves_come_once_and_then_only_what_is_new(live: Live, writer: Writer) -> None:
    run, other = add_run(writer, "a"), add_run(writer, "b")
    for step in (1, 2, 3):
        writer.add_metrics(run, step, {"loss": step / 10, "grad_norm": 1.0})
        writer.add_metrics(other, step, {"loss": 9.0})
    batch = live.curves(run, ["loss"])
    assert batch.points == {"loss": ([1, 2, 3], [0.1, 0.2, 0.3])}
    assert live.curves(run, ["loss"], batch.last_id).points == {}
    writer.add_metrics(other, 4, {"loss": 9.0})
    writer.add_metrics(run, 4, {"loss": 0.4, "eval_loss": 0.5})
    after = live.curves(run, ["loss", "eval_loss"], batch.last_id)
    assert after.points == {"loss": ([4], [0.4]), "eval_loss": ([4], [0.5])}
    assert after.last_id > batch.last_id


def test_steps_that_are_done_again_come_again(live: Live, writer: Writer) -> None:
    run = add_run(writer)
    for step in (1, 2, 3, 4):
        writer.add_metrics(run, step, {"loss": float(step)})
    batch = live.curves(run, ["loss"])
    for step in (3, 4, 5):
        writer.add_metrics(run, step, {"loss": step / 10})
    again = live.curves(run, ["loss"], batch.last_id)
    assert again.points == {"loss": ([3, 4, 5], [0.3, 0.4, 0.5])}
    assert live.curves(run, ["loss"]).points == {"loss": ([1, 2, 3, 4, 5], [1.0, 2.0, 0.3, 0.4, 0.5])}


def test_a_step_without_a_number_is_nan(live: Live, writer: Writer) -> None:
    run = add_run(writer)
    writer.add_metrics(run, 1, {"loss": math.nan})
    writer.add_metrics(run, 2, {"loss": 0.5})
    steps, values = live.curves(run, ["loss"]).points["loss"]
    assert steps == [1, 2] and math.isnan(values[0]) and values[1] == 0.5


def test_a_spark_has_about_so_many_points_from_the_first_to_the_last(live: Live, writer: Writer) -> None:
    run, short, none = add_run(writer, "a"), add_run(writer, "b"), add_run(writer, "c")
    for step in range(1, 1001):
        writer.add_metrics(run, step, {"loss": float(step)}) if step % 7 == 1 else None
    writer.add_metrics(short, 5, {"loss": 0.5})
    found = live.sparks([run, short, none], points=10)
    assert found[short] == [0.5] and found[none] == []
    values = found[run]
    assert 8 <= len(values) <= 10 and values[0] == 1 and values[-1] == 995 and values == sorted(values)


def test_progress_is_the_latest_loss_and_the_usual_step(live: Live, writer: Writer) -> None:
    run = add_run(writer)
    for step, seconds in enumerate([1.0] * 20 + [60.0], start=1):
        writer.add_metrics(run, step, {"loss": step / 100, "step_seconds": seconds})
    assert live.progress([run]) == {run: (0.21, 1.0)}, "one slow step does not count"
    assert live.progress([add_run(writer, "b")]) == {2: (None, None)}


@pytest.mark.parametrize(
    ("state", "step", "planned", "seconds", "left"),
    [
        (State.RUNNING, 40, 100, 0.5, 30.0),
        (State.RUNNING, 120, 100, 0.5, 0.0),
        (State.RUNNING, 40, None, 0.5, None),
        (State.RUNNING, 0, 100, None, None),
        (State.STARTING, 40, 100, 0.5, None),
        (State.SUCCEEDED, 40, 100, 0.5, None),
    ],
)
def test_remaining_time(
    state: State, step: int, planned: int | None, seconds: float | None, left: float | None
) -> None:
    assert eta_seconds(state, step, planned, seconds) == left


def test_the_view_of_a_run_has_everything_of_it(workspace: Workspace, live: Live, writer: Writer) -> None:
    from engine import api

    run = add_run(writer, "mine", planned_steps=10)
    start(writer, run)
    writer.add_metrics(run, 4, {"loss": 1.0, "step_seconds": 2.0})
    evaluation = add_evaluation(writer, run)
    writer.add_scores(evaluation, [score("auroc", 0.7)])
    writer.request(TRAINING, run, Action.STOP)
    writer.set_tags(run, ["a", "b"])
    api.add_note(workspace, run, "odd")
    writer.add_samples(TRAINING, run, HostSample(5.0, 1, 2, 3), GpuSample(0, 50.0, 1, 2, 3.0, 4.0))
    view = live.run_view("mine")
    assert view == live.run_view(run), "answers can be compared"
    assert (view.run.id, view.tags, view.pending, view.step_seconds, view.eta_seconds) == (
        run,
        ("a", "b"),
        ("stop",),
        2.0,
        12.0,
    )
    assert [note.text for note in view.notes] == ["odd"]
    assert view.scores[evaluation][0].value == 0.7 and view.evaluations[0].id == evaluation
    assert view.sample is not None and view.sample.gpu_utilisation_percent == 50.0
    assert [event.kind for event in view.events][:3] == ["queued", "starting", "running"]
    writer.settle_request(1, "done")
    assert live.run_view(run).pending == ()
    with pytest.raises(JobError):
        live.run_view(99)


# ----- jobs that died


def test_dead_jobs_are_settled_where_no_worker_is_left(workspace: Workspace, live: Live, writer: Writer) -> None:
    dead, alive = add_run(writer, "a"), add_run(writer, "b")
    start(writer, dead, **GONE)
    start(writer, alive)
    with no_worker(workspace):
        assert live.settle() == 0, "a worker would do it"
    assert live.settle() == 1
    assert live.run_view(dead).run.state == State.INTERRUPTED
    assert live.run_view(alive).run.state == State.RUNNING
    assert live.settle() == 0


# ----- logs


def test_a_log_is_read_as_it_grows(tmp_path: Path) -> None:
    file = tmp_path / "log.txt"
    tail = LogTail(file)
    assert tail.read() == ("", ""), "it is not there yet"
    file.write_text("one\ntwo\nthr")
    assert tail.read() == ("one\ntwo\n", "thr")
    assert tail.read() == ("", "thr")
    with file.open("a") as stream:
        stream.write("ee\nfour")
    assert tail.read() == ("three\n", "four")
    file.unlink()
    assert tail.read() == ("", "")


def test_a_progress_bar_is_a_line_that_is_being_written(tmp_path: Path) -> None:
    file = tmp_path / "log.txt"
    tail = LogTail(file)
    for percent in (10, 20):
        with file.open("a") as stream:
            stream.write(f"\r{percent} %")
        assert tail.read()[1].endswith(f"\r{percent} %")
    with file.open("a") as stream:
        stream.write("\rdone\n")
    assert tail.read() == ("\r10 %\r20 %\rdone\n", "")


def test_a_log_that_is_cut_or_replaced_is_read_from_its_beginning(tmp_path: Path) -> None:
    file = tmp_path / "log.txt"
    file.write_text("one\ntwo\n")
    tail = LogTail(file)
    assert tail.read()[0] == "one\ntwo\n"
    file.write_text("new\n")
    assert tail.read()[0] == "new\n"
    other = tmp_path / "other"
    other.write_text("a second attempt\n")
    other.rename(file)
    assert tail.read()[0] == "a second attempt\n"


def test_of_a_long_log_only_the_end_is_read_in_whole_lines(tmp_path: Path) -> None:
    file = tmp_path / "log.txt"
    file.write_text("".join(f"line {number}\n" for number in range(1000)))
    text, rest = LogTail(file, first_bytes=50).read()
    assert text.startswith("line ") and text.endswith("line 999\n") and len(text) <= 50 and rest == ""


def test_text_that_is_cut_or_broken_in_the_middle_of_a_character(tmp_path: Path) -> None:
    file = tmp_path / "log.txt"
    tail = LogTail(file)
    file.write_bytes("é\n".encode() + b"\xff\n" + "é".encode()[:1])
    assert tail.read() == ("é\n\ufffd\n", "\ufffd")
    with file.open("ab") as stream:
        stream.write("é".encode()[1:] + b"\n")
    assert tail.read() == ("é\n", "")


def test_a_line_without_an_end_is_kept_short(tmp_path: Path) -> None:
    file = tmp_path / "log.txt"
    tail = LogTail(file)
    with file.open("a") as stream:
        for number in range(5):
            stream.write("x" * LONGEST_LINE)
            stream.flush()
            text, rest = tail.read()
            assert (text, len(rest)) == ("", LONGEST_LINE), number
        stream.write("\nnext\n")
    assert tail.read()[0].endswith("x\nnext\n")
