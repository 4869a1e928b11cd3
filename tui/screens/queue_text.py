"""What the queue screen says in words: of the row under the cursor, and of the queue. Values in, paragraphs out."""

from __future__ import annotations

from engine import api
from tui import clock
from tui.screens.queue_data import DeviceRow, EndedRow, Heading, QueueData, Row, WaitingRow
from tui.screens.queue_table import job_title, measures, place_name
from tui.screens.runs_rows import SIGNS, TONES
from tui.text import cut
from tui.widgets.lines import Paragraph

NOTHING_WAITS = "Nothing waits. 2 opens the launch form; e measures the run under the cursor."
WHOLE = 99
"""Cells for a text that is not to be shortened."""
NAME_CELLS = 120
"""Of a longer name only so much is shown: the lines below it must stay in sight."""


def facts(data: QueueData) -> str:
    """The queue in a few words; what keeps everything comes first."""
    parts = ["PAUSED"] if data.paused else ["NO WORKER"] if data.waiting and not data.worker else []
    parts += [f"{data.running} running", f"{data.waiting} waiting"]
    return " · ".join([*parts, f"{data.lost} lost"] if data.lost else parts)


def pause_line(data: QueueData) -> str:
    """Since when and why nothing is started, and how to go on; "" where the queue is not paused. Untrusted text."""
    if not data.paused:
        return ""
    since = "" if data.paused_since is None else f" · since {clock.stamp(data.paused_since)}"
    why = f": {data.pause_reason}" if data.pause_reason else ""
    return f"QUEUE PAUSED · p lets it go on{since}{why}"


def details(row: Row | None, data: QueueData, said: str = "") -> list[Paragraph]:
    """Everything about one row, what matters most first.

    Args:
        row: the one under the cursor.
        data: the queue that it stands in.
        said: the answer to the last key; "" for none.
    """
    answer: list[Paragraph] = [[(said, "good")]] if said else []
    if isinstance(row, DeviceRow):
        return answer + (_free(row, data) if row.job is None else _running(row, row.job))
    if isinstance(row, WaitingRow):
        return answer + _waiting(row, data)
    return answer + (_ended(row) if isinstance(row, EndedRow) else [])


def _free(row: DeviceRow, data: QueueData) -> list[Paragraph]:
    first: Paragraph = [(f"{row.place.device} ", "bold"), ("free  ", "good"), (row.place.name, "dim")]
    if not data.waiting:
        return [first, [(NOTHING_WAITS, "text")]]
    if data.paused or not data.worker:
        return [first, _hold(data)]
    blocked = sum(isinstance(each, WaitingRow) and bool(each.job.blocked) for each in data.rows)
    if blocked == data.waiting:
        return [first, [("Every job that waits is kept by another: its own row says by which.", "text")]]
    return [first, [("The worker starts the next job here in a moment.", "text")]]


def _running(row: DeviceRow, job: api.RunningJob) -> list[Paragraph]:
    state = job.shown_state
    name = f" ({row.place.name})" if row.place.name and not row.host else ""
    place = f"on {place_name(row)}{name}" + (f" since {clock.stamp(job.started_at)}" if job.started_at else "")
    doing = f"{state} {row.still}".strip() + (f": {job.phase}" if job.phase and state != api.LOST else "")
    found = [_title(job), [(f"{SIGNS[state]} {doing} ", TONES[state]), (f"{place}. {_so_far(row, job)}", "text")]]
    if state == api.LOST:
        found.append([(_silence(job), "bad")])
    if state == api.STALLED:
        found.append([(_stillness(job), "warn")])
    if row.asked:
        words = "It saves and stops" if row.asked == "stop" else "It ends for good"
        found.append([(f"{words} at its next step.", "warn")])
    return [*found, _origin(job)]


def _so_far(row: DeviceRow, job: api.RunningJob) -> str:
    unit = "Step" if job.kind == api.JobKind.TRAINING else "Case"
    parts = [f"{unit} {job.step}" + (f" of {job.planned_steps}" if job.planned_steps else "")]
    if row.seconds_left is not None:
        parts.append(f"about {api.duration(row.seconds_left)} left")
    if job.loss is not None:
        parts.append(f"loss {api.number(job.loss)}")
    return ", ".join(parts) + "."


def _silence(job: api.RunningJob) -> str:
    last = "none yet" if job.heartbeat is None else f"the last was at {clock.time_or_day(job.heartbeat)}"
    return (
        f"No sign of life ({last}): it is stuck, or its machine cannot be reached. If it is dead, a worker on its "
        "machine will say so, and r goes on with it; x ends it, by force if need be."
    )


def _stillness(job: api.RunningJob) -> str:
    return (
        f"It lives, but does not get on. `sonotune show {job.id}` says how to find out why; s saves and ends it if it "
        "still answers, x ends it, by force if need be, and what it has saved stays."
    )


def _waiting(row: WaitingRow, data: QueueData) -> list[Paragraph]:
    job = row.job
    place = f"number {job.position} of {data.waiting}, priority {job.priority}, queued {clock.stamp(job.queued_at)}"
    found: list[Paragraph] = [_title(job), [(f"{SIGNS['queued']} queued ", TONES["queued"]), (place, "text")]]
    if job.blocked:
        found.append([(_sentence(job.blocked), "warn" if row.run_state in api.ENDED else "text")])
    if row.run_can_resume:
        found.append([(f"Here: r goes on with run {job.run_id}, x drops this evaluation.", "accent")])
    elif row.run_state in api.ENDED and job.blocked:
        found.append([("Here: x drops this evaluation.", "accent")])
    if data.paused or not data.worker:
        found.append(_hold(data))
    elif not job.blocked:
        found.append([("It waits for a free device and for those above it.", "text")])
    return [*found, _origin(job), *_reason(job)]


def _hold(data: QueueData) -> Paragraph:
    """What keeps all that waits, and the way out."""
    if not data.paused:
        return [("No worker runs: nothing is started. W starts one.", "warn")]
    why = f" ({data.pause_reason})" if data.pause_reason else ""
    return [(f"The queue is paused{why}: nothing new is started. p lets it go on.", "warn")]


def _ended(row: EndedRow) -> list[Paragraph]:
    job = row.job
    state = str(job.state)
    when = "" if job.ended_at is None else f"{clock.stamp(job.ended_at)}  "
    found: list[Paragraph] = [_title(job), [(f"{SIGNS[state]} {state} ", TONES[state]), (when, "dim"), _why(job)]]
    if job.error_title:
        found.append([(job.error_title, "bad")])
    if job.error_next_step:
        found.append([("→ ", "accent"), (job.error_next_step, "accent")])
    if job.can_resume:
        found.append([(_retry(job), "accent")])
    if row.error_detail:
        found += [[(text, "text")] for text in row.error_detail.splitlines()]
    return [*found, _origin(job)]


def _why(job: api.EndedJob) -> tuple[str, str]:
    return ("" if job.reason == job.error_title else job.reason), "text"


def _retry(job: api.EndedJob) -> str:
    if job.kind == api.JobKind.TRAINING:
        return "r queues it again; it goes on from its last checkpoint."
    return "r queues it again."


def _title(job: api.QueueJob) -> Paragraph:
    of = api.one_line(measures(job, WHOLE))
    head = f"{job_title(job)}  " + (f"{of} of  " if of else "")
    return [(head, "dim"), (cut(job.name, NAME_CELLS), "bold")]


def _origin(job: api.QueueJob) -> Paragraph:
    what = f"dataset {job.dataset}" + (f", model {job.model}" if job.model else "")
    if job.reference is not None:
        what += "; a reference row, which the figures of runs stand beside"
    return [(what, "dim")]


def _reason(job: api.QueueJob) -> list[Paragraph]:
    """Why it is in the queue, such as that it was resumed; that it waits has been said already."""
    return [[(job.reason, "dim")]] if job.reason and not job.reason.startswith("waits ") else []


def _sentence(words: str) -> str:
    """Words of the engine as a sentence."""
    return f"{words[:1].upper()}{words[1:]}."


def cancelling(job: api.QueueJob, waiting: int) -> tuple[str, str]:
    """Question and detail of the dialog that asks before a job is cancelled.

    Args:
        job: which one; its name is untrusted text.
        waiting: evaluations in the queue that wait for this run.
    """
    question = f"Cancel {job_title(job)} ({api.one_line(job.name)[:60]}) for good?"
    if job.state == api.State.QUEUED:
        detail = "It is taken out of the queue, and cannot be put back."
    else:
        detail = "It ends without saving, and cannot be resumed. s saves first and can be resumed."
    if waiting == 1:
        detail += " The evaluation that waits for it is dropped too."
    elif waiting:
        detail += f" The {waiting} evaluations that wait for it are dropped too."
    return question, detail


def no_job(row: Row | None) -> str:
    """What to say where a key needs a job and there is none under the cursor."""
    if row is None or isinstance(row, Heading):
        return "There is no job here."
    return "No job runs on this device: put the cursor on a job."
