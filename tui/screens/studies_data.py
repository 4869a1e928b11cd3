"""What the screens of studies ask for: read in the poller's thread, as plain values."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from engine import api
from tui.screens.studies_model import StudyRow

SHORTEST_SECONDS = 1.0
"""While a run writes twice a second, its study is looked at no more often than this."""


@dataclass(frozen=True, slots=True)
class BoardData:
    """One answer of the poller."""

    rows: tuple[StudyRow, ...] = ()
    scale: str = ""


def read_board(workspace: api.Workspace, scale: str) -> BoardData:
    """All studies, those with the best priority first; "" as scale takes the one that suits this machine.

    Raises:
        StoreError: runs.db cannot be read.
    """
    rows = tuple(_row(listed) for listed in api.study_list(workspace, scale or None))
    return BoardData(rows, scale or usual_scale(rows))


def read_study(workspace: api.Workspace, name: str, scale: str) -> StudyRow:
    """One study; where its file, or the recipe below it, has become unreadable, the row has the problems.

    Raises:
        StoreError: runs.db cannot be read.
        UsageError: there is no such study any more, or it has no such scale.
    """
    try:
        return _row(api.listed_study(workspace, name, scale))
    except (api.StudyError, api.RecipeError) as error:
        return StudyRow(name, None, problems=tuple(error.problems))


def usual_scale(rows: Sequence[StudyRow]) -> str:
    """The scale at which most studies stand where nobody has named one."""
    scales = Counter(row.scale for row in rows if row.state is not None)
    return scales.most_common(1)[0][0] if scales else ""


def _row(listed: api.ListedStudy) -> StudyRow:
    return StudyRow(listed.name, listed.state, listed.result, listed.problems, listed.varies, listed.rules, listed.key)


@dataclass(slots=True)
class StudiesFeed:
    """Asks for the whole board; belongs to the poller's thread."""

    workspace: api.Workspace
    scale: str
    """"" for the one that suits this machine."""
    _last: BoardData | None = field(default=None)
    _read_at: float = field(default=float("-inf"))

    def __call__(self, live: api.Live) -> BoardData:
        """The studies at this moment, or of a moment ago."""
        now = time.monotonic()
        if self._last is None or now - self._read_at >= SHORTEST_SECONDS:
            self._last, self._read_at = read_board(self.workspace, self.scale), now
        return self._last


@dataclass(slots=True)
class StudyFeed:
    """Asks for one study; belongs to the poller's thread."""

    workspace: api.Workspace
    name: str
    scale: str
    _last: StudyRow | None = field(default=None)
    _read_at: float = field(default=float("-inf"))

    def __call__(self, live: api.Live) -> StudyRow:
        """The study at this moment, or of a moment ago."""
        now = time.monotonic()
        if self._last is None or now - self._read_at >= SHORTEST_SECONDS:
            self._last, self._read_at = read_study(self.workspace, self.name, self.scale), now
        return self._last
