"""How the rows in sight stand to the pinned one: found row by row in a thread, after the table has been painted."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from engine import api
from tui.poller import attempt

if TYPE_CHECKING:
    from tui.app import Workbench
    from tui.screens.leaderboard_rows import BoardModel, Row

WORDS = {
    api.Standing.BETTER: "better",
    api.Standing.WORSE: "worse",
    api.Standing.SAME: "=",
    api.Standing.UNKNOWN: "?",
}
"""What stands in the column: `=` for what can't be told apart."""
WAITING, BASELINE = "…", "pinned"
TONES = {
    api.Standing.BETTER: "good",
    api.Standing.WORSE: "bad",
    api.Standing.SAME: "text",
    api.Standing.UNKNOWN: "warn",
}
Piece = tuple[str, str]
_OUTSIDE_BRACKETS = re.compile(r", (?![^(]*\))")
"""Between the parts of a verdict; the commas of `(Holm, 3 comparisons)` belong together."""


class PinnedStandings:
    """Asks for the rows in sight, one at a time: whoever scrolls on waits for no row that is out of sight."""

    def __init__(self, workbench: Workbench, model: BoardModel, in_sight: Callable[[], Iterable[Row]]) -> None:
        """Make it.

        Args:
            workbench: gives threads.
            model: gets the answers.
            in_sight: the rows that are on the screen.
        """
        self._workbench, self._model, self._in_sight = workbench, model, in_sight
        self._standings = api.Standings()
        self._asking = False
        self._refused: set[tuple[int, int]] = set()
        """Pairs that ended with an error: it was told once."""
        self._changed: Callable[[], None] = lambda: None

    def want(self, changed: Callable[[], None]) -> None:
        """See to it that the rows in sight are compared; `changed` is called after each."""
        self._changed = changed
        self._ask_next()

    def _ask_next(self) -> None:
        baseline = self._model.baseline
        if baseline is None or self._asking:
            return
        missing = next((row[0] for row in self._in_sight() if self._is_missing(baseline, row[0])), None)
        if missing is None:
            return
        self._asking = True
        workspace, standings = self._workbench.workspace, self._standings
        self._workbench.act(
            lambda: attempt(lambda: standings.read_in(workspace, baseline, [missing])),
            lambda answer: self._answered(baseline, missing, answer),
        )

    def _is_missing(self, baseline: int, evaluation: int) -> bool:
        known = evaluation == baseline or evaluation in self._model.standings
        return not known and (baseline, evaluation) not in self._refused

    def _answered(
        self, baseline: int, evaluation: int, answer: Mapping[int, api.RowStanding] | api.SonotuneError
    ) -> None:
        self._asking = False
        if isinstance(answer, api.SonotuneError):
            self._refused.add((baseline, evaluation))
            self._workbench.report(answer)
        elif self._model.baseline == baseline:
            self._model.standings = answer
            self._changed()
        self._ask_next()


def standing_text(model: BoardModel, row: Row) -> tuple[str, str]:
    """What stands in the column for a row, and its tone."""
    if row[0] == model.baseline:
        return BASELINE, "accent"
    standing = model.standings.get(row[0])
    if standing is None:
        return WAITING, "dim"
    return WORDS[standing.standing], TONES[standing.standing]


def standing_pieces(model: BoardModel, row: Row) -> list[Piece]:
    """The verdict on a row, piece by piece; nothing where no row is pinned, or for that row itself."""
    standing = model.standings.get(row[0])
    if model.baseline is None or standing is None or row[0] == model.baseline:
        return []
    evidence = _OUTSIDE_BRACKETS.split(standing.sentence.partition(": ")[2])
    return [(f"vs pinned: {standing.standing}", TONES[standing.standing]), *((each, "text") for each in evidence)]
