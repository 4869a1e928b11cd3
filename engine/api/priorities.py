"""How important a job must be to be the next one."""

from __future__ import annotations

from engine.store.reader import Reader
from engine.types import State
from engine.workspace import Workspace

HIGHEST = 10**9
"""A priority beyond it could not be written on the command line either."""


def first_priority(workspace: Workspace) -> int:
    """The least priority with which a job launched now would be started before all that are queued; 0 at the least."""
    reader = Reader.open_or_none(workspace)
    if reader is None:
        return 0
    with reader:
        queued = [job.priority for job in reader.jobs([State.QUEUED])]
    return min(HIGHEST, max([0, *(priority + 1 for priority in queued)]))
