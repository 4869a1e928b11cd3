"""Which evaluations of the subjects are held against each other: those of one question on the same images."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from engine.comparison.subjects import Candidate
from engine.errors import JobError
from engine.questions.prompts import REPORT_ID
from engine.store.records import EvaluationRow
from engine.text import one_line
from engine.types import QUESTION_IDS, Split

ORDER = ("Q7", *(each for each in QUESTION_IDS if each != "Q7"), REPORT_ID)
"""Of questions that all subjects were measured on, the first is taken."""
_SPLITS = (Split.VALIDATION, Split.TEST, Split.TRAIN)

Rows = tuple[EvaluationRow, ...]
"""One evaluation a subject."""
Key = TypeVar("Key", bound=Hashable)


class OtherImagesError(JobError):
    """The subjects were measured on different images: their figures say nothing about each other."""

    def __init__(
        self, title: str, reason: str, next_step: str, *, question: str, split: Split, shared: int, measurable: bool
    ) -> None:
        super().__init__(title, reason, next_step)
        self.question, self.split = question, split
        self.shared = shared
        """Images that all of them have."""
        self.measurable = measurable
        """Whether all of them can be measured on the same images here."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What to compare on; None leaves it open."""

    question: str | None = None
    split: Split | None = None
    dataset: str | None = None
    cases: str | None = None
    """Fingerprint of the cases."""

    def fits(self, row: EvaluationRow) -> bool:
        """Whether an evaluation is of what is wanted."""
        pairs = (
            (self.question, row.question),
            (self.split, row.split),
            (self.dataset, row.dataset),
            (self.cases, row.cases_fingerprint),
        )
        return all(wanted is None or wanted == value for wanted, value in pairs)

    @property
    def words(self) -> str:
        """`Q7 on validation`, or what there is of it."""
        parts = (
            self.question,
            f"on {self.split}" if self.split else None,
            f"of {self.dataset}" if self.dataset else None,
        )
        return " ".join(part for part in parts if part) or "anything"


@dataclass(frozen=True, slots=True)
class Choice:
    """The evaluations to compare, one a subject, in their order."""

    rows: tuple[EvaluationRow, ...]
    same_cases: bool
    """All of them have the same cases; otherwise the images that all have must be looked for."""
    others: tuple[tuple[str, str], ...]
    """(question, split) on which the same subjects could be compared as well."""


def choose_evaluations(candidates: Sequence[Candidate], wish: Wish) -> Choice:
    """The newest evaluations of one question on the same images, in one protocol where that is possible.

    Raises:
        JobError: a subject was not measured on what is wanted, or there is no question and split that all have.
    """
    offers = [[row for row in each.evaluations if wish.fits(row)] for each in candidates]
    for candidate, offer in zip(candidates, offers, strict=True):
        if not offer:
            raise _not_measured(candidate, wish)
    parts = _by(offers, lambda row: (row.question, row.split))
    if not parts:
        raise _nothing_shared(candidates, offers)
    choices: list[tuple[Rows, bool]] = []
    for offered in parts.values():
        cases = _by(offered, lambda row: row.cases_fingerprint)
        choices += [(_one_protocol(each), True) for each in cases.values()]
        if not cases:
            choices.append((tuple(each[-1] for each in offered), False))
    rows, same_cases = min(choices, key=lambda choice: _rank(*choice))
    possible = {(each[0].question, each[0].split) for each, same in choices if same}
    others = sorted(possible - {(rows[0].question, rows[0].split)}, key=lambda part: _place(*part))
    return Choice(rows, same_cases, tuple((question, str(split)) for question, split in others))


def _by(
    offers: Sequence[Sequence[EvaluationRow]], key: Callable[[EvaluationRow], Key]
) -> Mapping[Key, list[list[EvaluationRow]]]:
    """The rows of every subject by a key, for the keys that all subjects have."""
    keys = [dict.fromkeys(map(key, rows)) for rows in offers]
    shared = [each for each in keys[0] if all(each in other for other in keys[1:])]
    return {each: [[row for row in rows if key(row) == each] for rows in offers] for each in shared}


def _one_protocol(rows: Sequence[Sequence[EvaluationRow]]) -> Rows:
    """The newest of each in the protocol that all have; the newest of each where there is none."""
    shared = _by(rows, lambda row: row.protocol_fingerprint)
    choices = [tuple(each[-1] for each in found) for found in shared.values()]
    return max(choices, key=_newest) if choices else tuple(each[-1] for each in rows)


def _newest(rows: Rows) -> int:
    return max(row.id for row in rows)


def _rank(rows: Rows, same_cases: bool) -> tuple[object, ...]:
    protocols = {row.protocol_fingerprint for row in rows}
    first = rows[0]
    # Before all else: a test split that nobody has asked for is not looked at, as long as there is validation.
    unasked = first.split is not Split.VALIDATION
    place = _place(first.question, first.split)
    return (unasked, not same_cases, len(protocols) > 1, *place, -(first.n or 0), -_newest(rows))


def _place(question: str, split: Split) -> tuple[int, int]:
    return ORDER.index(question) if question in ORDER else len(ORDER), _SPLITS.index(split)


# ----- refusals


def _not_measured(candidate: Candidate, wish: Wish) -> JobError:
    step = "`sonotune leaderboard` lists what was measured."
    if candidate.run is not None:
        options = f" --question {wish.question}" if wish.question else ""
        options += f" --split {wish.split}" if wish.split else ""
        step = f"`sonotune evaluate {candidate.run.id}{options}` measures it."
    what = "anything" if wish == Wish() else wish.words
    return JobError(f"{one_line(candidate.title)} was not measured on {one_line(what)}", next_step=step)


def _nothing_shared(candidates: Sequence[Candidate], offers: Sequence[Sequence[EvaluationRow]]) -> JobError:
    lines = []
    for candidate, rows in zip(candidates, offers, strict=True):
        parts = dict.fromkeys(f"{row.question} on {row.split}" for row in rows)
        lines.append(f"{one_line(candidate.title)}: {', '.join(parts)}.")
    return JobError(
        "They have no question and split in common",
        "\n".join(lines),
        "`sonotune evaluate RUN --question Q7 --split validation` measures what is missing.",
    )
