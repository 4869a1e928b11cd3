"""How the rows of a leaderboard stand to the pinned one; a pair is compared once. Light until something is compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.comparison.model import Standing
from engine.store.reader import Reader
from engine.workspace import Workspace

if TYPE_CHECKING:
    from engine.comparison.testing import Paired
    from engine.scoring.comparing import Comparison


@dataclass(frozen=True, slots=True)
class RowStanding:
    """How one row stands to the pinned one."""

    evaluation: int
    standing: Standing
    sentence: str
    """The verdict with its figures; untrusted text."""
    fixed: int
    broken: int
    p_adjusted: float | None
    """By Holm over `family` rows."""
    family: int
    """Rows that were held against the pinned one so far: the more are looked at, the more a difference must show."""


class Standings:
    """Rows held against a pinned one. What an evaluation has measured never changes, so no pair is compared twice.

    Used by one thread at a time.
    """

    def __init__(self) -> None:
        self._compared: dict[tuple[int, int], Comparison] = {}
        self._baseline: tuple[int, Paired] | None = None
        """The pinned row that was asked for last, and what it said."""
        self._database: tuple[int, int] | None = None

    def read_in(
        self, workspace: Workspace, baseline: int, evaluations: Sequence[int], *, most: int = 1
    ) -> Mapping[int, RowStanding]:
        """As `read`, from the workspace; a runs.db that was replaced means other evaluations by the same numbers."""
        with Reader(workspace) as reader:
            status = workspace.database.stat()
            if self._database not in (None, (status.st_dev, status.st_ino)):
                self._compared.clear()
                self._baseline = None
            self._database = (status.st_dev, status.st_ino)
            return self.read(reader, baseline, evaluations, most=most)

    def read(
        self, reader: Reader, baseline: int, evaluations: Sequence[int], *, most: int = 1
    ) -> Mapping[int, RowStanding]:
        """Compare up to `most` of these rows that were not compared yet; how all compared ones stand, by evaluation.

        The p values are adjusted by Holm over every row that was ever held against this baseline: otherwise one in
        twenty equal runs would come out as better or worse merely because so many were looked at.

        Args:
            reader: of the workspace.
            baseline: the evaluation of the pinned row.
            evaluations: those of the rows in sight, on the same cases.
            most: how many to compare now.

        Raises:
            JobError: there is no such evaluation.
            StoreError: runs.db can't be read.
        """
        from engine.scoring.comparing import decided

        missing = [
            each for each in dict.fromkeys(evaluations) if each != baseline and (baseline, each) not in self._compared
        ]
        for evaluation in missing[:most]:
            self._compared[baseline, evaluation] = self._compare(reader, baseline, evaluation)
        rows = [row for pinned, row in self._compared if pinned == baseline]
        results = decided([self._compared[baseline, row] for row in rows])
        return {row: _standing(row, result) for row, result in zip(rows, results, strict=True)}

    def _compare(self, reader: Reader, baseline: int, evaluation: int) -> Comparison:
        from engine.comparison.testing import paired_of, tests_of_pair

        if self._baseline is None or self._baseline[0] != baseline:
            self._baseline = (baseline, paired_of(reader, baseline))
        return tests_of_pair(self._baseline[1], paired_of(reader, evaluation), primary_only=True).result


def _standing(evaluation: int, result: Comparison) -> RowStanding:
    from engine.comparison.testing import standing_of

    return RowStanding(
        evaluation,
        standing_of(result),
        result.sentence,
        len(result.fixed),
        len(result.broken),
        result.p_adjusted,
        result.family,
    )
