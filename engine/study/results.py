"""What a study has found, as plain values that the command line, the screens and the report all show.

Standard library only. Names, notes and sentences in it are untrusted text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

NO_PROBABILITY = "no probability"
"""Mark of an arm some of whose images AUROC ranks as wrong as can be."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """One figure with its 95 % interval."""

    value: float | None
    """None where it is undefined."""
    low: float | None
    high: float | None
    n: int
    """Cases behind it."""


@dataclass(frozen=True, slots=True)
class SeedValue:
    """One seed of an arm. All are kept: none is picked."""

    seed: int
    run_id: int | None
    """None for an untuned arm."""
    evaluation_id: int
    value: float | None


@dataclass(frozen=True, slots=True)
class ArmFigure:
    """The deciding figure of one arm, or of a reference row, for one question."""

    arm: str
    question: str
    figure: str
    """Name of the figure, such as `auroc`."""
    estimate: Estimate
    """Mean over the seeds; its interval comes from resampled images, so it does not hold the spread of the seeds."""
    seeds: tuple[SeedValue, ...]
    spread: float | None
    """Standard deviation over the seeds; None for one seed."""
    marks: tuple[str, ...]
    """What a reader must know first, such as `collapsed`."""
    reference: bool = False
    """Majority, untuned model: no arm of the study."""

    @property
    def untuned(self) -> bool:
        """Whether nothing was trained for it, so that it has no seeds: the base model as it is."""
        return bool(self.seeds) and all(each.run_id is None for each in self.seeds)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a decision has come to."""

    ask: str
    kind: str
    question: str
    figure: str
    arm: str
    than: str
    sentence: str
    """In plain words, with the figures."""
    holds: bool | None
    """Yes, no; None where it cannot be decided yet, or not from these cases."""
    difference: Estimate | None = None
    """Arm minus `than`; for at_least the figure itself."""
    p: float | None = None
    p_adjusted: float | None = None
    """By Holm over all tests of the study."""
    family: int = 1
    """How many tests p is adjusted for."""
    bound: float | None = None
    """What the interval is held against: minus the margin for non_inferior, the threshold for at_least."""
    waiting: bool = False
    """Whether something that it needs has not been measured yet."""


@dataclass(frozen=True, slots=True)
class StudyTable:
    """A further table."""

    name: str
    """For files and links, such as `cost`."""
    title: str
    note: str
    """How to read it; may be empty."""
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    """The first cell names the row."""
    words: tuple[int, ...] = ()
    """Columns of text, by place; the others hold figures."""


@dataclass(frozen=True, slots=True)
class Point:
    """One point of a chart."""

    x: float | str
    estimate: Estimate
    label: str = ""


@dataclass(frozen=True, slots=True)
class Series:
    """Points that belong together: an arm."""

    name: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class StudyChart:
    """A chart: intervals side by side, curves over an ordered x, or a scatter (trade-off)."""

    name: str
    title: str
    kind: Literal["intervals", "curves", "scatter"]
    x_label: str
    y_label: str
    series: tuple[Series, ...]
    note: str = ""
    panel: str = ""
    """Charts with one `panel` prefix are drawn side by side, such as the degradations of a robustness curve."""


@dataclass(frozen=True, slots=True)
class StudyResult:
    """A study at one scale, as far as it is done."""

    study: str
    title: str
    question: str
    scale: str
    machine: str
    note: str
    """What is smaller or other than in the full study."""
    dataset: str
    dataset_fingerprint: str
    split_fingerprint: str
    cases_fingerprint: str
    """One for all arms; "" where several questions have one each."""
    split: str
    n: int
    """Cases of the first question."""
    abnormal: int | None
    """How many of them are abnormal; None where that is no matter."""
    varies: tuple[str, ...]
    seeds: int
    figures: tuple[ArmFigure, ...]
    """Arms in the order of the file, references after them, question by question."""
    answers: tuple[Answer, ...]
    tables: tuple[StudyTable, ...]
    charts: tuple[StudyChart, ...]
    warnings: tuple[str, ...]
    """What must be read before the figures."""
    missing: tuple[str, ...]
    """Cells that are not done, in words; the study is complete without any."""
    looks: int
    """Looks at the test split of this dataset so far, by anybody."""
    evaluations: tuple[int, ...]
    """Ids of all evaluations that went into it: the same ids give the same result."""
    notes: tuple[str, ...] = ()
    """How figures and answers were come by: what they are adjusted for, and what their intervals hold."""

    @property
    def complete(self) -> bool:
        """Whether nothing is missing."""
        return not self.missing
