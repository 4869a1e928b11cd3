"""What the annotators wrote: distribution by view, rare answers, answers that cannot be right."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from engine.data.quality.model import AnswerReport, AnswerRow, OddAnswer, RareAnswer
from engine.questions.tracing import trace
from engine.types import QUESTION_IDS, Case

RARE = 2
"""An answer that at most so many images have is rare."""
LIKE = 0.4
"""Share of common character triples (Dice) from which a rare answer resembles a common one."""
COMPARED = 200
"""Characters of an answer that are compared."""
COMMON = 500
"""Common answers of a question that rare ones are compared with, the most frequent ones."""
EXAMPLES = 3


def report_answers(cases: Sequence[Case]) -> AnswerReport:
    """Count and judge all answers of a dataset; each distinct text is worked on once."""
    distribution: list[AnswerRow] = []
    rare: list[RareAnswer] = []
    odd: list[OddAnswer] = []
    missing: dict[str, int] = {}
    for question in QUESTION_IDS:
        answered = [(case, case.answers[question]) for case in cases if question in case.answers]
        missing[question] = len(cases) - len(answered)
        changes = trace(question, (raw for _, raw in answered))
        meaning = {change.raw: change.canonical for change in changes}
        rows = _rows(question, answered, meaning)
        distribution += rows
        left_alone = {change.raw: change.reason for change in changes if change.left_alone}
        odd += _odd(question, answered, left_alone)
        spelt = {change.canonical: change.raw for change in reversed(changes) if not change.left_alone}
        rare += _rare(question, rows, spelt)
    silent = tuple(case.path for case in cases if not any(case.answers.get(each) for each in QUESTION_IDS))
    return AnswerReport(tuple(distribution), tuple(rare), tuple(odd), missing, silent)


def _rows(question: str, answered: Iterable[tuple[Case, str]], meaning: Mapping[str, str]) -> list[AnswerRow]:
    views: dict[str, Counter[str]] = defaultdict(Counter)
    spellings: dict[str, set[str]] = defaultdict(set)
    for case, raw in answered:
        views[meaning[raw]][case.view] += 1
        spellings[meaning[raw]].add(raw)
    rows = [
        AnswerRow(question, canonical, by_view.total(), len(spellings[canonical]), dict(sorted(by_view.items())))
        for canonical, by_view in views.items()
    ]
    return sorted(rows, key=lambda row: (-row.count, row.canonical))


def _odd(question: str, answered: Iterable[tuple[Case, str]], reasons: Mapping[str, str]) -> list[OddAnswer]:
    paths: dict[str, list[str]] = defaultdict(list)
    for case, raw in answered:
        if raw in reasons:
            paths[raw].append(case.path)
    found = [
        OddAnswer(question, raw, len(where), reasons[raw], tuple(where[:EXAMPLES])) for raw, where in paths.items()
    ]
    return sorted(found, key=lambda odd: (-odd.count, odd.raw))


def _rare(question: str, rows: Sequence[AnswerRow], spelt: Mapping[str, str]) -> list[RareAnswer]:
    """Rare answers that were understood; those that were not are listed as odd."""
    common = [(row.canonical, _triples(row.canonical)) for row in rows if row.count > RARE][:COMMON]
    return [
        RareAnswer(question, spelt[row.canonical], row.count, _nearest(row.canonical, common))
        for row in rows
        if row.count <= RARE and row.canonical in spelt
    ]


def _nearest(text: str, common: Sequence[tuple[str, frozenset[str]]]) -> str:
    # Character triples and not edit distance: thousands of rare answers against hundreds of common ones.
    triples = _triples(text)
    best, likeness = "", LIKE
    for other, others in common:
        value = 2 * len(triples & others) / (len(triples) + len(others))
        if value > likeness:
            best, likeness = other, value
    return best


def _triples(text: str) -> frozenset[str]:
    padded = f"  {text[:COMPARED].casefold()} "
    return frozenset(padded[place : place + 3] for place in range(len(padded) - 2))
