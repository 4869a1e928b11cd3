"""Opening a comparison from another screen; nothing of it is imported before that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine import api
    from tui.app import Workbench

MAJORITY = "majority"
MOST_SUBJECTS = 6
"""So many subjects can be read on one screen."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What to compare."""

    subjects: tuple[str, ...]
    """Words as `sonotune compare` takes them; the first is the baseline."""
    question: str | None = None
    split: api.Split | None = None
    cases: str | None = None
    """Fingerprint of the cases; None leaves it open."""
    common: bool = False
    """Compare the images that all share where they were measured on different ones."""


def open_comparison(workbench: Workbench, asked: Asked) -> None:
    """Open the Compare screen; with one subject alone, ask for more."""
    from tui.screens.compare import CompareScreen

    workbench.push_screen(CompareScreen(asked))


def compare_runs(workbench: Workbench, runs: Sequence[int]) -> None:
    """Compare runs; one alone is held against the pinned run, or the majority class against it."""
    if len(set(runs)) > 1:
        open_comparison(workbench, Asked(words_for_runs(runs)))
        return

    def found(pinned: list[int]) -> None:
        words = words_for_runs([*pinned[:1], *runs])
        open_comparison(workbench, Asked(words if len(words) > 1 else (*words, MAJORITY)))

    workbench.poller.ask(_pins, found, workbench.report)


def _pins(live: api.Live) -> list[int]:
    from engine import api

    reader = live.reader()
    return [] if reader is None else api.pins_from(reader)


def words_for_runs(runs: Sequence[int]) -> tuple[str, ...]:
    """Runs as subjects, each once, as many as fit."""
    return tuple(str(run) for run in dict.fromkeys(runs))[:MOST_SUBJECTS]


def board_subjects(board: api.Board, marked: Sequence[int], row: tuple[Any, ...]) -> tuple[tuple[str, ...], int]:
    """Subjects from a leaderboard, each by its evaluation: what is compared is what stands there.

    The pinned rows come first, so that the first of them is the baseline, then the marked ones; the row under the
    cursor where nothing is marked, or where it is a reference; and the majority class beside a row that is alone.

    Args:
        board: with its group.
        marked: ids of the marked runs.
        row: under the cursor.

    Returns:
        The subjects, and how many are left out: they are not in the group, or there are too many.
    """
    rows = {each[1]: each for each in (*board.rows, *board.pinned)}
    chosen = [*board.pinned, *(rows[run] for run in marked if run in rows)]
    if len(chosen) == len(board.pinned) or row[2] is not None:
        chosen.append(row)
    if len({each[0] for each in chosen}) < 2:
        chosen += [each for each in board.references if each[2] == MAJORITY][:1]
    words = tuple(dict.fromkeys(f"evaluation:{each[0]}" for each in chosen))
    elsewhere = sum(run not in rows for run in marked)
    return words[:MOST_SUBJECTS], elsewhere + len(words[MOST_SUBJECTS:])
