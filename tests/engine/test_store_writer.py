from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest
from store_helpers import Clock, add_evaluation, add_run, prediction, raw, score

from engine.errors import JobError, StoreError
from engine.store.mapping import columns, to_row
from engine.store.reader import Reader
from engine.store.records import (
    EvaluationRow,
    ImageRow,
    LookRow,
    MetricPoint,
    Note,
    Request,
    RunRow,
    SampleRow,
    StudyRow,
)
from engine.store.writer import Writer
from engine.telemetry import GpuSample, HostSample
from engine.types import (
    TRANSITIONS,
    Action,
    DatasetRecord,
    Event,
    JobKind,
    Prediction,
    Reference,
    Score,
    Split,
    State,
    Verdict,
)
from engine.workspace import Workspace

TRAINING, EVALUATION = JobKind.TRAINING, JobKind.EVALUATION


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def writer(workspace: Workspace, clock: Clock) -> Iterator[Writer]:
    with Writer.open(workspace, clock=clock) as opened:
        yield opened


@pytest.fixture
def reader(writer: Writer, workspace: Workspace) -> Iterator[Reader]:
    with Reader(workspace) as opened:
        yield opened


def walk(writer: Writer, kind: JobKind, job_id: int, *states: State) -> None:
    current = State.QUEUED
    for state in states:
        assert writer.transition(kind, job_id, current, state, f"to {state}")
        current = state


ROUTES = {
    State.QUEUED: (),
    State.STARTING: (State.STARTING,),
    State.RUNNING: (State.STARTING, State.RUNNING),
    State.SUCCEEDED: (State.STARTING, State.RUNNING, State.SUCCEEDED),
    State.FAILED: (State.STARTING, State.FAILED),
    State.CANCELLED: (State.CANCELLED,),
    State.INTERRUPTED: (State.STARTING, State.RUNNING, State.INTERRUPTED),
}


@pytest.mark.parametrize(
    ("table", "record", "keys"),
    [
        ("runs", RunRow, set()),
        ("evaluations", EvaluationRow, set()),
        ("metrics", MetricPoint, set()),
        ("samples", SampleRow, set()),
        ("events", Event, set()),
        ("requests", Request, set()),
        ("datasets", DatasetRecord, set()),
        ("images", ImageRow, {"id", "dataset"}),
        ("predictions", Prediction, {"evaluation_id"}),
        ("scores", Score, {"evaluation_id"}),
        ("notes", Note, set()),
        ("studies", StudyRow, set()),
        ("test_looks", LookRow, set()),
    ],
)
def test_every_column_has_its_field_and_every_field_its_column(
    workspace: Workspace, writer: Writer, table: str, record: type, keys: set[str]
) -> None:
    stored = {row[1] for row in raw(workspace).execute(f"PRAGMA table_info({table})")}
    assert stored == set(columns(record)) | keys


SPECIAL: dict[str, Any] = {
    "state": State.RUNNING,
    "versions": {"torch": "2.14.1", "é": "ß"},
    "layout": {"backend": "transformers", "packed": True, "micro_batch": 64},
    "kind": "training",
}


def full_values(record: type, **special: Any) -> dict[str, Any]:
    """A distinct value for every column, of the type that its annotation names."""
    kinds: dict[str, Any] = record.__annotations__
    values: dict[str, Any] = {}
    for number, name in enumerate(columns(record), start=1):
        kind = kinds[name].removesuffix(" | None")
        values[name] = {"int": number, "float": number + 0.5, "str": f"{name} \u20ac", "bool": True}.get(kind)
    return {**values, **SPECIAL, **special} if record is RunRow else {**values, "state": State.RUNNING, **special}


@pytest.mark.parametrize("table", ["runs", "evaluations"])
def test_a_full_row_comes_back_as_it_was_stored(
    workspace: Workspace, writer: Writer, reader: Reader, table: str
) -> None:
    run_id = add_run(writer)
    stored: RunRow | EvaluationRow
    if table == "runs":
        stored = RunRow(**full_values(RunRow, id=50, parent_run_id=run_id))
    else:
        stored = EvaluationRow(**full_values(EvaluationRow, run_id=run_id, reference=None, split=Split.TEST))
    row = to_row(stored)
    assert None not in {name: value for name, value in row.items() if name != "reference"}.values()
    marks = ", ".join(f":{name}" for name in row)
    raw(workspace).execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", row)
    assert (reader.run(stored.id) if table == "runs" else reader.evaluation(stored.id)) == stored


@pytest.mark.parametrize("table", ["runs", "evaluations"])
def test_a_fresh_row_has_none_where_nothing_is_known(writer: Writer, reader: Reader, table: str) -> None:
    run_id = add_run(writer, "First run!", planned_steps=100)
    if table == "runs":
        run = reader.run(run_id)
        assert (run.state, run.versions, run.step, run.planned_steps) == (State.QUEUED, {}, 0, 100)
        assert (run.directory, run.queued_at, run.pid, run.final_loss) == (
            "outputs/00001-first-run",
            1000.0,
            None,
            None,
        )
    else:
        evaluation = reader.evaluation(add_evaluation(writer, run_id, after_run=True, prompt="detailed"))
        assert (evaluation.run_id, evaluation.reference, evaluation.name) == (run_id, None, "First run!")
        assert (evaluation.after_run, evaluation.split, evaluation.prompt) == (True, Split.TEST, "detailed")
        reference = reader.evaluation(add_evaluation(writer, None, Reference.BASE))
        assert (reference.run_id, reference.reference) == (None, Reference.BASE)
        assert reference.name == "untuned assets/base-model"


def test_a_name_that_is_taken_gets_a_number(writer: Writer, reader: Reader) -> None:
    ids = [add_run(writer, "[x] ../..") for _ in range(3)]
    assert [reader.run(run_id).name for run_id in ids] == ["[x] ../..", "[x] ../..-2", "[x] ../..-3"]
    assert [reader.run(run_id).directory for run_id in ids] == [
        "outputs/00001-x",
        "outputs/00002-x-2",
        "outputs/00003-x-3",
    ]
    assert reader.run("[x] ../..-2").id == 2
    assert reader.run("3").id == 3


def test_a_run_is_found_by_number_before_a_name_that_looks_like_one(writer: Writer, reader: Reader) -> None:
    add_run(writer, "2")
    add_run(writer, "other")
    add_run(writer, "77")
    assert reader.run("2").name == "other"
    assert reader.run("77").id == 3
    with pytest.raises(JobError, match="no run nothing"):
        reader.run("nothing")


def test_an_evaluation_measures_a_run_or_a_reference_and_never_both(writer: Writer) -> None:
    run_id = add_run(writer)
    with pytest.raises(JobError, match="either"):
        add_evaluation(writer)
    with pytest.raises(JobError, match="either"):
        add_evaluation(writer, run_id, Reference.BASE)
    with pytest.raises(JobError, match="no run 99"):
        add_evaluation(writer, 99)


@pytest.mark.parametrize("kind", [TRAINING, EVALUATION])
@pytest.mark.parametrize("origin", list(State))
@pytest.mark.parametrize("target", list(State))
def test_the_state_diagram_is_the_law(
    writer: Writer, reader: Reader, kind: JobKind, origin: State, target: State
) -> None:
    job_id = add_run(writer)
    if kind == EVALUATION:
        job_id = add_evaluation(writer, job_id)
    walk(writer, kind, job_id, *ROUTES[origin])
    before = len(reader.events())
    if target in TRANSITIONS[origin]:
        assert writer.transition(kind, job_id, origin, target, "a reason")
        newest = reader.events()[-1]
        assert (newest.kind, newest.detail) == (target, "a reason")
        assert (newest.run_id, newest.evaluation_id) == ((job_id, None) if kind == TRAINING else (None, job_id))
        assert reader.job(kind, job_id).state == target
        assert len(reader.events()) == before + 1
    else:
        with pytest.raises(JobError, match="cannot go"):
            writer.transition(kind, job_id, origin, target, "a reason")
        assert reader.job(kind, job_id).state == origin
        assert len(reader.events()) == before


def test_the_database_itself_refuses_an_unknown_state(workspace: Workspace, writer: Writer) -> None:
    add_run(writer)
    with pytest.raises(sqlite3.IntegrityError):
        raw(workspace).execute("UPDATE runs SET state = 'paused'")


def test_of_two_claimers_exactly_one_wins(workspace: Workspace, writer: Writer, reader: Reader) -> None:
    jobs = [add_run(writer, f"run {number}") for number in range(20)]
    barrier = Barrier(2)
    won: dict[str, list[int]] = {"a": [], "b": []}

    def claim_all(name: str) -> None:
        with Writer.open(workspace) as own:
            for job_id in jobs:
                barrier.wait()
                if own.transition(TRAINING, job_id, State.QUEUED, State.STARTING, f"claimed by {name}"):
                    won[name].append(job_id)

    threads = [Thread(target=claim_all, args=(name,)) for name in won]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won["a"] + won["b"]) == jobs
    claims = [event for event in reader.events() if event.kind == State.STARTING]
    assert sorted(event.run_id or 0 for event in claims) == jobs


def test_the_loser_of_a_race_is_told_and_changes_nothing(writer: Writer, reader: Reader) -> None:
    run_id = add_run(writer)
    assert writer.transition(TRAINING, run_id, State.QUEUED, State.STARTING, "first", pid=11)
    before = (reader.run(run_id), reader.events())
    assert not writer.transition(TRAINING, run_id, State.QUEUED, State.STARTING, "second", pid=22)
    assert not writer.transition(TRAINING, run_id, State.STARTING, State.RUNNING, "not mine", only_pid=22)
    assert (reader.run(run_id), reader.events()) == before
    with pytest.raises(JobError, match="no run 99"):
        writer.transition(TRAINING, 99, State.QUEUED, State.STARTING, "nobody")


def test_event_and_state_are_written_together_or_not_at_all(
    writer: Writer, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = add_run(writer)

    def no_event(*_: object) -> int:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(writer, "_add_event", no_event)
    with pytest.raises(StoreError, match="disk is full"):
        writer.transition(TRAINING, run_id, State.QUEUED, State.STARTING, "claimed")
    monkeypatch.undo()
    assert reader.run(run_id).state == State.QUEUED
    assert writer.transition(TRAINING, run_id, State.QUEUED, State.STARTING, "claimed")


def test_transitions_keep_the_times_and_a_new_attempt_forgets_the_old(
    writer: Writer, reader: Reader, clock: Clock
) -> None:
    run_id = add_run(writer)
    clock.now = 1010.0
    writer.transition(TRAINING, run_id, State.QUEUED, State.STARTING, "claimed", pid=5, device="cuda:0")
    clock.now = 1020.0
    writer.transition(TRAINING, run_id, State.STARTING, State.RUNNING, "up", host="here", process_start=3.25)
    clock.now = 1030.0
    writer.transition(TRAINING, run_id, State.RUNNING, State.FAILED, "broke", error_title="T", error_detail="D")
    failed = reader.run(run_id)
    assert (failed.queued_at, failed.started_at, failed.ended_at, failed.heartbeat) == (1000.0, 1010.0, 1030.0, 1020.0)
    assert (failed.reason, failed.error_title, failed.error_detail) == ("broke", "T", "D")
    clock.now = 1040.0
    writer.transition(TRAINING, run_id, State.FAILED, State.QUEUED, "resumed", resumes=1)
    again = reader.run(run_id)
    assert (again.queued_at, again.started_at, again.ended_at, again.resumes) == (1040.0, None, None, 1)
    assert (again.pid, again.process_start, again.host, again.device, again.error_title) == (None,) * 5


def test_columns_that_do_not_exist_or_are_not_to_be_set_are_refused(writer: Writer) -> None:
    run_id = add_run(writer)
    for wrong in ({"nonsense": 1}, {"state": "failed"}, {"name = 'x' --": 1}):
        with pytest.raises(StoreError, match="no column"):
            writer.update(TRAINING, run_id, **wrong)
    with pytest.raises(StoreError, match="no column"):
        writer.update(EVALUATION, run_id, adapter_path="x")
    with pytest.raises(JobError, match="no run 99"):
        writer.update(TRAINING, 99, final_loss=1.0)


def test_update_sets_what_it_is_given(writer: Writer, reader: Reader) -> None:
    run_id = add_run(writer)
    writer.update(TRAINING, run_id, final_loss=0.125, versions={"peft": "0.21"}, peak_vram_reserved_bytes=2**40)
    run = reader.run(run_id)
    assert (run.final_loss, run.versions, run.peak_vram_reserved_bytes) == (0.125, {"peft": "0.21"}, 2**40)


def test_a_heartbeat_counts_only_for_an_active_job_of_that_process(
    writer: Writer, reader: Reader, clock: Clock
) -> None:
    run_id = add_run(writer)
    assert not writer.heartbeat(TRAINING, run_id)
    writer.transition(TRAINING, run_id, State.QUEUED, State.STARTING, "claimed", pid=7)
    clock.now = 1234.0
    assert writer.heartbeat(TRAINING, run_id, pid=7)
    assert reader.run(run_id).heartbeat == 1234.0
    assert not writer.heartbeat(TRAINING, run_id, pid=8)


def test_requests_wait_until_they_are_settled(writer: Writer, reader: Reader) -> None:
    run_id = add_run(writer)
    evaluation_id = add_evaluation(writer, run_id)
    walk(writer, TRAINING, run_id, State.STARTING, State.RUNNING)
    stop = writer.request(TRAINING, run_id, Action.STOP)
    assert writer.request(TRAINING, run_id, Action.STOP) == stop
    cancel = writer.request(TRAINING, run_id, Action.CANCEL)
    assert [(asked.id, asked.action) for asked in writer.pending_requests(TRAINING, run_id)] == [
        (stop, Action.STOP),
        (cancel, Action.CANCEL),
    ]
    assert writer.pending_requests(EVALUATION, evaluation_id) == []
    writer.settle_request(stop, "saved at step 5")
    assert [asked.id for asked in writer.pending_requests(TRAINING, run_id)] == [cancel]
    writer.transition(TRAINING, run_id, State.RUNNING, State.CANCELLED, "asked")
    assert writer.pending_requests(TRAINING, run_id) == []
    assert [asked.outcome for asked in reader.requests(run_id=run_id)] == [
        "saved at step 5",
        "the job ended: cancelled",
    ]
    with pytest.raises(JobError, match="no evaluation 99"):
        writer.request(EVALUATION, 99, Action.CANCEL)


def test_metrics_arrive_in_order_and_a_cursor_misses_nothing_after_a_resume(writer: Writer, reader: Reader) -> None:
    run_id = add_run(writer)
    for step in (1, 2, 3):
        writer.add_metrics(run_id, step, {"loss": 1.0 / step, "learning_rate": 0.1}, time=float(step))
    assert reader.run(run_id).step == 3
    assert reader.metric_keys(run_id) == ["learning_rate", "loss"]
    seen = reader.metrics(run_id, ["loss"])
    assert [(point.step, point.value) for point in seen] == [(1, 1.0), (2, 0.5), (3, 1.0 / 3)]
    cursor = reader.metrics(run_id)[-1].id
    writer.add_metrics(run_id, 3, {"loss": math.nan}, time=9.0)
    fresh = reader.metrics(run_id, after_id=cursor)
    assert [(point.key, point.step, point.time) for point in fresh] == [("loss", 3, 9.0)]
    assert math.isnan(fresh[0].value)
    assert [point.step for point in reader.metrics(run_id, ["loss"])] == [1, 2, 3]


def test_metrics_of_one_step_are_one_commit(writer: Writer, reader: Reader) -> None:
    run_id = add_run(writer)
    statements: list[str] = []
    writer._connection.set_trace_callback(statements.append)
    writer.add_metrics(run_id, 1, {f"key {number}": 1.0 for number in range(8)})
    assert len(statements) == 8 + 3
    assert (statements[0], statements[-1]) == ("BEGIN IMMEDIATE", "COMMIT")


def test_metrics_of_an_unknown_run_are_refused(writer: Writer) -> None:
    with pytest.raises(StoreError, match="FOREIGN KEY") as caught:
        writer.add_metrics(99, 1, {"loss": 1.0})
    assert isinstance(caught.value.__cause__, sqlite3.IntegrityError)


def test_samples_hold_host_and_gpu(writer: Writer, reader: Reader) -> None:
    run_id = add_run(writer)
    writer.add_samples(TRAINING, run_id, HostSample(12.5, 100, 200, 300))
    writer.add_samples(TRAINING, run_id, HostSample(13.5, 101, 201, 300), GpuSample(1, 99.0, 5, 6, None, 71.0))
    first, second = reader.samples(run_id=run_id)
    assert (first.cpu_percent, first.rss_bytes, first.ram_used_bytes, first.gpu_index) == (12.5, 100, 200, None)
    assert (second.gpu_index, second.gpu_utilisation_percent, second.gpu_memory_used_bytes) == (1, 99.0, 5)
    assert (second.gpu_power_watts, second.gpu_temperature_celsius) == (None, 71.0)
    assert reader.samples(run_id=run_id, after_id=first.id) == [second]


def test_predictions_and_scores_come_back_as_they_were(writer: Writer, reader: Reader) -> None:
    evaluation_id = add_evaluation(writer, add_run(writer))
    said = [
        prediction("a.png"),
        prediction("b.png", correct=None, p_abnormal=None, cut_off=True, raw_output="x" * 10_000),
    ]
    writer.add_predictions(evaluation_id, said)
    assert reader.predictions(evaluation_id) == said
    again = prediction("a.png", raw_output="second try", correct=False)
    writer.add_predictions(evaluation_id, iter([again]))
    assert reader.predictions(evaluation_id) == [again, said[1]]
    figures = [score("accuracy", 0.9), score("mcc", None), score("accuracy", 0.8, "view:Head")]
    writer.add_scores(evaluation_id, [score("old", 0.1)])
    writer.add_scores(evaluation_id, figures)
    assert reader.scores(evaluation_id) == figures


def test_a_dataset_replaces_its_earlier_import(writer: Writer, reader: Reader) -> None:
    record = DatasetRecord("phantoms", "phantoms", "f", "s", 3, "datasets/phantoms", 1, 2, 5.0, {"count": 3, "é": [1]})
    good = ImageRow("a.png", "Head", Split.TRAIN, "00", 160, 120, Verdict.ABNORMAL, None)
    bad = ImageRow("../../etc/passwd", "Head", None, None, None, None, None, "outside the image root")
    writer.record_dataset(record, [good, bad, bad])
    assert reader.dataset("phantoms") == record
    assert reader.images("phantoms") == [bad, bad, good]
    with pytest.raises(StoreError, match="UNIQUE"):
        writer.record_dataset(record, [good, good])
    assert len(reader.images("phantoms")) == 3
    writer.record_dataset(record, [good])
    assert reader.images("phantoms") == [good]
    assert reader.datasets() == [record]
    assert reader.dataset("other") is None


def test_annotations_come_back(writer: Writer, reader: Reader) -> None:
    run_id = add_run(writer)
    evaluation_id = add_evaluation(writer, run_id)
    writer.set_tags(run_id, ["a"])
    writer.set_tags(run_id, ["c", "b", "c"])
    assert reader.tags(run_id) == ["b", "c"]
    writer.add_note(run_id, "looks \x1b[2J odd")
    assert [(note.time, note.text) for note in reader.notes(run_id)] == [(1000.0, "looks \x1b[2J odd")]
    study = StudyRow("size", "Is 2B enough?", "x = 1", 4.0)
    writer.add_study(study)
    assert reader.studies() == [study]
    writer.add_test_look(evaluation_id, "phantoms", "split-1", "final figure")
    assert [look.purpose for look in reader.test_looks("phantoms", "split-1")] == ["final figure"]
    assert reader.test_looks("phantoms", "split-2") == []


def test_data_version_changes_with_another_connections_commit_only(writer: Writer, reader: Reader) -> None:
    before = reader.data_version()
    assert reader.data_version() == before
    add_run(writer)
    assert reader.data_version() != before


def test_lists_can_be_narrowed(writer: Writer, reader: Reader) -> None:
    first, second = add_run(writer, "a", study="size"), add_run(writer, "b")
    walk(writer, TRAINING, second, State.STARTING)
    evaluation_id = add_evaluation(writer, first)
    reference = add_evaluation(writer, None, Reference.MAJORITY)
    assert [run.id for run in reader.runs()] == [second, first]
    assert [run.id for run in reader.runs(limit=1)] == [second]
    assert [run.id for run in reader.runs([State.STARTING, State.RUNNING])] == [second]
    assert [run.id for run in reader.runs(study="size")] == [first]
    assert [row.id for row in reader.evaluations(first)] == [evaluation_id]
    assert [row.id for row in reader.evaluations(reference=True)] == [reference]
    assert reader.evaluations(second) == []
    assert [event.run_id for event in reader.events(run_id=second)] == [second, second]
    assert [event.kind for event in reader.events(evaluation_id=reference)] == ["queued"]


def test_peaks_rise_over_all_attempts_of_a_job(writer: Writer, reader: Reader) -> None:
    run_id = add_run(writer)
    for attempt in (700, None, 300):
        writer.update(TRAINING, run_id, peak_rss_bytes=attempt, peak_vram_reserved_bytes=attempt)
        assert reader.run(run_id).peak_rss_bytes == 700
        assert reader.run(run_id).peak_vram_reserved_bytes == 700
    writer.update(TRAINING, run_id, peak_rss_bytes=900, step=3)
    writer.update(TRAINING, run_id, step=2)
    assert (reader.run(run_id).peak_rss_bytes, reader.run(run_id).step) == (900, 2)


def test_the_latest_metric_is_that_of_the_last_step(writer: Writer, reader: Reader) -> None:
    run_id = add_run(writer)
    assert reader.latest_metric(run_id, "loss") is None
    for step, loss in ((1, 0.5), (10, 0.1), (2, 0.4)):
        writer.add_metrics(run_id, step, {"loss": loss, "learning_rate": 1.0}, 1.0)
    assert reader.latest_metric(run_id, "loss") == 0.1
