"""What a user asks of a job: stop, cancel, resume. Each answers with a sentence that says what happens now."""

from __future__ import annotations

from engine.errors import JobError
from engine.jobs.reconcile import settle_dead_jobs
from engine.jobs.worker import ensure_worker
from engine.store.reader import Reader
from engine.store.records import JobRow
from engine.store.writer import Writer
from engine.types import ACTIVE, Action, JobKind, State
from engine.workspace import Workspace


def stop(workspace: Workspace, job: int | str, *, kind: JobKind = JobKind.TRAINING, start_worker: bool = True) -> str:
    """Ask an active job to save and end; it can be resumed.

    Args:
        workspace: where the job is recorded.
        job: number of the run or evaluation, or name of the run.
        kind: what `job` is.
        start_worker: False leaves a dead job unsettled until some worker comes.

    Raises:
        JobError: it does not exist, waits in the queue, or has ended.
    """
    row = find_job(workspace, kind, job)
    if row.state == State.QUEUED:
        raise JobError(
            f"{title_of(row)} has not started: there is nothing to save",
            next_step=f"`sonotune cancel {row.id}` takes it out of the queue.",
        )
    return _ask(workspace, row, Action.STOP, start_worker)


def cancel(workspace: Workspace, job: int | str, *, kind: JobKind = JobKind.TRAINING, start_worker: bool = True) -> str:
    """End a job for good: a queued one at once, an active one at its next step, one that doesn't answer by force.

    Arguments and errors as for `stop`.
    """
    row = find_job(workspace, kind, job)
    if row.state == State.QUEUED:
        with Writer.open(workspace) as writer:
            if writer.transition(kind, row.id, State.QUEUED, State.CANCELLED, "cancelled before it started"):
                return f"{title_of(row)} was taken out of the queue."
        row = find_job(workspace, kind, row.id)  # a worker was faster
    return _ask(workspace, row, Action.CANCEL, start_worker)


def resume(workspace: Workspace, job: int | str, *, kind: JobKind = JobKind.TRAINING, start_worker: bool = True) -> str:
    """Put a failed or interrupted job back into the queue; a run goes on from its last checkpoint.

    Arguments as for `stop`.

    Raises:
        JobError: it does not exist, or is in a state that cannot be resumed.
    """
    settle_dead_jobs(workspace)
    row = find_job(workspace, kind, job)
    if row.state not in (State.FAILED, State.INTERRUPTED):
        raise JobError(f"{title_of(row)} is {row.state}: it cannot be resumed", *_instead(row))
    with Writer.open(workspace) as writer:
        more = {"resumes": _resumes(workspace, row) + 1} if kind == JobKind.TRAINING else {}
        if not writer.transition(kind, row.id, row.state, State.QUEUED, f"resumed after it was {row.state}", **more):
            raise JobError(
                f"{title_of(row)} has just changed its state", next_step="Look at it again: `sonotune runs`."
            )
    if start_worker:
        ensure_worker(workspace)
    return f"{title_of(row)} is queued again."


def _ask(workspace: Workspace, row: JobRow, action: Action, start_worker: bool) -> str:
    if row.state not in ACTIVE:
        again = f"`sonotune resume {row.id}` goes on with it." if row.state in (State.FAILED, State.INTERRUPTED) else ""
        raise JobError(f"{title_of(row)} has ended already ({row.state})", next_step=again)
    with Writer.open(workspace) as writer:
        writer.request(row.kind, row.id, action)
    if start_worker:
        # Who enforces a cancel that is not answered, or notices that the job is dead, is the worker.
        ensure_worker(workspace)
    if action == Action.STOP:
        return f"{title_of(row)} saves and stops at its next step."
    return f"{title_of(row)} ends at its next step."


def find_job(workspace: Workspace, kind: JobKind, job: int | str) -> JobRow:
    """A run by number or name, or an evaluation by number; JobError where there is none."""
    with Reader(workspace) as reader:
        if kind == JobKind.TRAINING:
            return reader.job(kind, reader.run(job).id)
        return reader.job(kind, int(job))


def _resumes(workspace: Workspace, row: JobRow) -> int:
    with Reader(workspace) as reader:
        return reader.run(row.id).resumes


def _instead(row: JobRow) -> tuple[str, str]:
    if row.state in ACTIVE or row.state == State.QUEUED:
        return "It has not ended.", f"`sonotune show {row.id}` tells how far it is."
    if row.state == State.SUCCEEDED:
        return "It is complete.", "Launch a new run to train further."
    return "Cancelled jobs are over for good.", "Launch it anew."


def title_of(row: JobRow) -> str:
    """`Run 3` or `Evaluation 7`, as sentences begin."""
    return f"{'Run' if row.kind == JobKind.TRAINING else 'Evaluation'} {row.id}"
