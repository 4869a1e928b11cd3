"""Watching a study from outside, until nothing of it moves any more."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from engine.api.following import POLL_SECONDS, each_change
from engine.api.study_states import StudyState, study_state
from engine.workspace import Workspace


def follow_study(
    workspace: Workspace, name: str | Path, scale: str | None = None, poll_seconds: float = POLL_SECONDS
) -> Iterator[StudyState]:
    """The state of a study each time something was recorded, until nothing of it is queued or at work.

    Sees to it that a worker is there all the time. What waits for a run that ended badly is not waited for: the last
    state names it. Arguments and errors as for `open_study`.
    """
    for _ in each_change(workspace, poll_seconds):
        state = study_state(workspace, name, scale)
        yield state
        if not state.working:
            return
