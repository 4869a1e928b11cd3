"""Marks as warnings: what a reader must know first, with the subjects that it is true of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from engine.reporting.model import Report
from engine.reporting.names import listed, subject_title
from engine.reporting.subject import Subject
from engine.types import Mark, Reference

SEVERE = (Mark.COLLAPSED, Mark.BLIND, Mark.LEAK, Mark.ERRORS)
"""Marks after which a figure is no result."""
NO_RESULT = (Mark.COLLAPSED, Mark.BLIND)
"""Marks after which a subject can't be called the best."""
_SENTENCES = {
    Mark.COLLAPSED: "collapsed: one and the same answer where the targets differ",
    Mark.BLIND: "not looking at the image: as good on grey ones",
    Mark.LEAK: "measured on images that may have been seen in training",
    Mark.ERRORS: "answered by a server that failed: error messages are among the outputs",
    Mark.BELOW_MAJORITY: "not better than always giving the most frequent answer",
    Mark.CUT_OFF: "cut off before there was an answer",
    Mark.UNPARSEABLE: "outputs in which no answer was found",
    Mark.FEW_CASES: "measured on few cases",
    Mark.INSENSITIVE: "scored by a measure that cannot tell models apart",
    Mark.THRESHOLD: "judged at a threshold that nobody has chosen",
}
MANY = 3
"""Runs above which they are counted instead of named, where a mark is true of all of them."""


@dataclass(frozen=True, slots=True)
class MarkWarning:
    """One warning."""

    kind: str
    subjects: tuple[str, ...]
    """Titles; untrusted."""
    who: str
    """The subjects in words; untrusted."""
    sentence: str
    """What is wrong with each of them."""
    detail: str
    """The sentence with the figures that was recorded; untrusted."""
    severe: bool

    @property
    def line(self) -> str:
        """All of it in one line; untrusted."""
        return f"{self.who}: {self.sentence} ({self.detail})"


def warnings(report: Report) -> list[MarkWarning]:
    """The marks of all runs and of the untuned model, the worst first; equal ones of several subjects are one."""
    order: list[str] = [*SEVERE, *(mark for mark in _SENTENCES if mark not in SEVERE)]
    found: dict[tuple[str, str], list[str]] = {}
    for subject in _marked(report):
        for mark in subject.marks:
            where = "" if mark.scope == "all" else f"{mark.scope.removeprefix('view:')}: "
            found.setdefault((mark.kind, where + mark.detail), []).append(subject_title(subject))
    keys = sorted(found, key=lambda key: order.index(key[0]) if key[0] in order else len(order))
    every = [subject_title(run) for run in report.runs]
    return [
        MarkWarning(kind, tuple(names), _who(names, every), mark_sentence(kind), detail, kind in SEVERE)
        for kind, detail in keys
        for names in [found[kind, detail]]
    ]


def _who(names: Sequence[str], every: Sequence[str]) -> str:
    """The names, or that it is all of the runs."""
    if len(every) <= MANY or not set(every) <= set(names):
        return listed(names)
    return listed([f"All {len(every)} runs", *(name for name in names if name not in every)])


def _marked(report: Report) -> Iterable[Subject]:
    yield from report.runs
    yield from (subject for subject in report.references if subject.reference == Reference.BASE)


def mark_sentence(kind: str) -> str:
    """What a mark says of a subject, to stand behind its name; untrusted where the kind is not known."""
    known = {str(mark): sentence for mark, sentence in _SENTENCES.items()}
    return known.get(kind, f"marked “{kind}”")


def believable(runs: Sequence[Subject]) -> list[Subject]:
    """The runs whose figures may be results."""
    return [run for run in runs if not run.has_mark(*NO_RESULT)]
