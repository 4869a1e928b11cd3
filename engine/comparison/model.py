"""What a comparison says. Plain values; all names, paths and outputs in them are untrusted text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from engine.types import Outcome, Reference, Score, Split

if TYPE_CHECKING:
    from engine.scoring.auroc_pairs import DeLong
    from engine.scoring.paired import Difference
    from engine.store.records import MarkRow


class Standing(StrEnum):
    """How a subject stands to the baseline, by the rule of `engine.scoring.comparing`."""

    BETTER = "better"
    WORSE = "worse"
    SAME = "not distinguishable"
    UNKNOWN = "not comparable"


@dataclass(frozen=True, slots=True)
class ComparedSubject:
    """One subject with its figures on the images that are compared."""

    title: str
    """`run 3 (baseline)`, `reference majority`."""
    short: str
    """`run 3`, `majority`: where there is little room."""
    evaluation: int
    run: int | None
    reference: Reference | None
    name: str
    model: str
    measured: int
    """Images that the evaluation has measured."""
    threshold: float | None
    threshold_source: str | None
    protocol_fingerprint: str
    scores: tuple[Score, ...]
    """Over all compared images (scope `all`) and by view, each with its 95 % interval and n."""
    outcomes: Mapping[str, int]
    """How many compared outputs became what, by `Outcome`."""
    marks: tuple[MarkRow, ...]
    """What to know before believing its figures."""

    def score(self, name: str, scope: str = "all") -> Score | None:
        """One of its figures; None where it has none of that name."""
        return next((each for each in self.scores if (each.scope, each.name) == (scope, name)), None)


@dataclass(frozen=True, slots=True)
class ComparedAnswer:
    """What one subject said of one image."""

    output: str
    outcome: Outcome
    p_abnormal: float | None


@dataclass(frozen=True, slots=True)
class ChangedCase:
    """An image that one of two subjects has right and the other has not."""

    path: str
    view: str
    target: str
    fixed: bool
    """True: the baseline had it wrong. False: the baseline had it right."""
    before: ComparedAnswer
    """Of the baseline."""
    after: ComparedAnswer
    """Of the other subject."""


@dataclass(frozen=True, slots=True)
class ViewChange:
    """A pair of subjects on the images of one view."""

    view: str
    n: int
    right_before: int
    right_after: int
    fixed: int
    broken: int


@dataclass(frozen=True, slots=True)
class ComparedPair:
    """One subject against the baseline; all differences are of the subject minus the baseline."""

    subject: int
    """Its place among the subjects; the baseline is at 0."""
    standing: Standing
    verdict: str
    """One sentence."""
    n: int
    """Images with a target that can be read."""
    unscored: int
    """Images left out because their target can't be read."""
    primary: str
    """The measure that decides."""
    differences: tuple[Difference, ...]
    """The primary measure first."""
    p: float | None
    """Of the swap test on the primary measure."""
    p_adjusted: float | None
    """By Holm over all pairs of the comparison."""
    mcnemar_p: float
    """Exact, of the numbers of fixed and broken images."""
    delong: DeLong | None
    """Test of the difference in AUROC; Q7 with probabilities alone."""
    changed: tuple[ChangedCase, ...]
    """Fixed images first, then broken ones, each in the order of views and paths."""
    views: tuple[ViewChange, ...]
    recipe: tuple[tuple[str, object, object], ...] | None
    """(key, value of the baseline, value of the subject) of all that differs; None where one of them has no recipe."""
    recipe_note: str
    """Why there is no difference of recipes; "" where there is one."""

    @property
    def fixed(self) -> tuple[ChangedCase, ...]:
        """Images that the subject has right and the baseline has not."""
        return tuple(case for case in self.changed if case.fixed)

    @property
    def broken(self) -> tuple[ChangedCase, ...]:
        """Images that the baseline has right and the subject has not."""
        return tuple(case for case in self.changed if not case.fixed)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Subjects on the same images."""

    dataset: str
    question: str
    split: Split
    cases_fingerprint: str
    """Of the images that the subjects were measured on; "" where only those that all share are compared."""
    n: int
    """Images compared."""
    decision: str
    """What makes an answer right here, in words."""
    subjects: tuple[ComparedSubject, ...]
    """The baseline first."""
    pairs: tuple[ComparedPair, ...]
    """Each other subject against the baseline, in the order of `subjects`."""
    notes: tuple[str, ...]
    """What must be known besides: the loudest first."""
    others: tuple[tuple[str, str], ...]
    """(question, split) on which the same subjects could be compared as well."""
