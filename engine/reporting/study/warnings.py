"""What must be read before the figures of a study."""

from __future__ import annotations

from engine.reporting.document.blocks import Block, Callout, Listing, Strong
from engine.reporting.names import counted, listed
from engine.reporting.prose.limitations import FEW
from engine.reporting.prose.warnings import SEVERE, mark_sentence
from engine.reporting.study.forms import arm_title
from engine.reporting.study.model import StudyPage
from engine.study.results import NO_PROBABILITY, StudyResult
from engine.text import one_line

SHOWN_MISSING = 20
"""Missing parts that are listed; of more, their number is told."""


def warning_blocks(page: StudyPage) -> list[Block]:
    """Callouts, the worst first."""
    result = page.result
    return [
        *_incomplete(result),
        *_phantoms(page),
        *(Callout([Strong("Warning"), f": {one_line(each)}"], severe=True) for each in result.warnings),
        *_marks(result),
        *_few(result),
    ]


def _incomplete(result: StudyResult) -> list[Block]:
    if result.complete:
        return []
    said = f": {counted(len(result.missing), 'part is', 'parts are')} not done, so figures and answers can change."
    shown = list(result.missing[:SHOWN_MISSING])
    left = len(result.missing) - len(shown)
    items = [*shown, f"and {left:,} more"] if left > 0 else shown
    return [Callout([Strong("This study is incomplete"), said], severe=True), Listing([[each] for each in items])]


def _phantoms(page: StudyPage) -> list[Block]:
    if not page.phantoms:
        return []
    return [
        Callout(
            [
                Strong("Drawn phantoms"),
                ", not ultrasound of patients: no figure and no answer here says anything about clinical performance.",
            ],
            severe=True,
        )
    ]


def _marks(result: StudyResult) -> list[Block]:
    """One callout for each kind of mark, with the arms that have it."""
    found: dict[str, list[str]] = {}
    for figure in result.figures:
        for mark in figure.marks:
            who = f"{arm_title(figure.arm, reference=figure.reference)} ({figure.question})"
            found.setdefault(one_line(mark), []).append(who)
    severe = [mark for mark in found if mark in SEVERE]
    order = [*severe, *(mark for mark in found if mark not in severe)]
    return [
        Callout([Strong(listed(dict.fromkeys(found[mark]))), f": {_sentence(mark)}."], severe=mark in severe)
        for mark in order
    ]


def _sentence(mark: str) -> str:
    if mark == NO_PROBABILITY:
        return "some of its images have no probability, and rank as wrong as can be"
    return mark_sentence(mark)


def _few(result: StudyResult) -> list[Block]:
    if result.abnormal is None or not result.n:
        return []
    rare, what = min((result.abnormal, "abnormal"), (result.n - result.abnormal, "normal"))
    if rare >= FEW:
        return []
    rate = "sensitivity" if what == "abnormal" else "specificity"
    said = f": {rate} is hardly known; with fewer than 10 of a class no line and no margin is decided."
    return [Callout([Strong(f"Only {counted(rare, f'{what} case')}"), said], severe=True)]
