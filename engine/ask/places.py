"""On which device a question is answered, and who is at work there already. Light."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass

from engine.errors import JobError
from engine.jobs.devices import Device, known_devices
from engine.store.reader import Reader
from engine.store.records import JobRow
from engine.types import ACTIVE
from engine.workspace import Workspace

CPU = "cpu"
AUTO, SHARED = "auto", "shared"
ASK_DEVICES = (AUTO, SHARED, CPU)
"""`auto`: a GPU that no job has, else, without any GPU, the CPU; `shared`: a GPU even beside a job; `cpu`."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the asking process will run."""

    device: str
    """`cuda:N` or `cpu`."""
    visible: str
    """What its CUDA_VISIBLE_DEVICES will hold."""
    note: str = ""
    """What the user must know of it, in a sentence; untrusted text."""


class BusyDeviceError(JobError):
    """Every GPU belongs to a job: a model loaded beside it may take the memory that it needs to go on."""


def choose_place(workspace: Workspace, wanted: str = AUTO, devices: Sequence[Device] | None = None) -> Place:
    """The device for a question.

    Args:
        workspace: whose jobs are looked at; those of other workspaces are not known.
        wanted: one of `ASK_DEVICES`.
        devices: of this machine; found where none are given.

    Raises:
        BusyDeviceError: `auto`, and a job is at work on every GPU.
    """
    found = known_devices() if devices is None else devices
    cards = [device for device in found if device.id != CPU]
    at_work = _at_work(workspace)
    if wanted == CPU or not cards:
        jobs = [_words(job) for job in at_work if job.device == CPU]
        return Place(CPU, "", f"{jobs[0]} is at work on the CPU: both are slower meanwhile." if jobs else "")
    busy = {job.device: job for job in at_work}
    free = [card for card in cards if card.id not in busy]
    if free:
        return Place(free[0].id, free[0].visible)
    if wanted == SHARED:
        card = cards[0]
        return Place(card.id, card.visible, f"{_words(busy[card.id])} is at work on {card.id} too.")
    held = "; ".join(f"{_words(busy[card.id])} has {card.id}" for card in cards)
    raise BusyDeviceError(
        "A job is at work on every GPU" if len(cards) > 1 else "A job is at work on the only GPU",
        f"{held}. A second model beside it may take the memory that it needs to go on.",
        "Wait for its end, ask on the CPU (--device cpu), or share the GPU all the same (--device shared).",
    )


def _at_work(workspace: Workspace) -> list[JobRow]:
    reader = Reader.open_or_none(workspace)
    if reader is None:
        return []
    host = socket.gethostname()
    with reader:
        return [job for job in reader.jobs(ACTIVE) if job.device is not None and job.host in (None, host)]


def _words(job: JobRow) -> str:
    kind = "Run" if job.run_id == job.id and job.question is None else "Evaluation"
    return f"{kind} {job.id} ({job.name[:60]})"
