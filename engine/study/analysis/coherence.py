"""Whether the answers of an arm to several questions about one image fit each other; of reports, their sections."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from engine.questions.answers import read_answer
from engine.questions.coherence import RULES, applied_rules, broken_rules
from engine.questions.parsers.report import parse_report
from engine.questions.prompts import REPORT_ID
from engine.questions.reading import Reading
from engine.scoring.coherence import ImageRules, kept_shares
from engine.store.outputs import OutputRow
from engine.store.records import EvaluationRow
from engine.study.analysis.material import Material
from engine.study.analysis.part import PartResult
from engine.study.analysis.shares import mean_over_seeds
from engine.study.analysis.words import estimate_words
from engine.study.results import Estimate, Point, Series, StudyChart, StudyTable
from engine.types import Outcome

FEWEST = 2
"""Questions that can be held against each other."""
ANNOTATED = "annotated answers"
NOTE = (
    "Coherence is the mean over images of the share of rules that the answers keep; an answer that cannot be read is "
    "held against nothing, so read it beside the figures of each question. Annotated answers show what agreeing with "
    "them comes to."
)
MOST_RULES = 10


@dataclass(frozen=True, slots=True)
class _Answers:
    """Who answered, and what the rules say of each image, one list a seed in one order of images."""

    name: str
    questions: tuple[str, ...]
    seeds: tuple[tuple[ImageRules, ...], ...]


def coherence_part(material: Material) -> PartResult:
    """A row for each arm with several questions or a report, one for the untuned model, one for the annotations."""
    found = _found(material)
    if not found:
        return PartResult()
    estimates = [_estimates(material, each) for each in found]
    heads = ("subject", "questions", "seeds", "n", "coherence", "images that break no rule")
    rows = tuple(
        (each.name, ", ".join(each.questions), str(len(each.seeds)), f"{kept.n:,}", *map(estimate_words, (kept, whole)))
        for each, (kept, whole) in zip(found, estimates, strict=True)
    )
    series = tuple(
        Series(each.name, (Point(each.name, kept),)) for each, (kept, _) in zip(found, estimates, strict=True)
    )
    chart = StudyChart("coherence", "Coherence of the answers", "intervals", "", "coherence", series, NOTE)
    table = StudyTable("coherence", "Coherence of the answers", NOTE, heads, rows, words=(1,))
    return PartResult((table, *_rules_table(found)), (chart,))


def _found(material: Material) -> list[_Answers]:
    readings: dict[tuple[str, str], Reading] = {}
    found: list[_Answers] = []
    annotated: list[EvaluationRow] = []
    for arm in material.cells:
        by_question = _rows_of(material, arm)
        seeds = _seeds_with_all(by_question) if _enough(by_question) else []
        if seeds:
            answers = [[rows[seed] for rows in by_question.values()] for seed in seeds]
            annotated = annotated or answers[0]
            judged = tuple(_judged(material, rows, readings) for rows in answers)
            found.append(_Answers(arm, tuple(by_question), judged))
    if not found:
        return []
    questions = found[0].questions
    untuned = _untuned_rows(material, found[0].name, questions)
    if _enough(untuned):
        found.append(_Answers("untuned", tuple(untuned), (_judged(material, untuned.values(), readings),)))
    return [*found, _Answers(ANNOTATED, questions, (_judged(material, annotated, readings, said=False),))]


def _rows_of(material: Material, arm: str) -> dict[str, dict[int, EvaluationRow]]:
    """Evaluations of an arm on the deciding split by question and seed."""
    found: dict[str, dict[int, EvaluationRow]] = {}
    for question in material.cells[arm][0].cell.questions:
        subject = next((each for each in material.arms(material.target(question)) if each.name == arm), None)
        if subject is not None:
            found[question] = {each.seed: each.row for each in subject.seeds}
    return found


def _untuned_rows(material: Material, arm: str, questions: Sequence[str]) -> dict[str, EvaluationRow]:
    """Of the untuned model under the protocol of an arm."""
    subjects = {question: material.subject("untuned", material.target(question), arm) for question in questions}
    return {question: each.seeds[0].row for question, each in subjects.items() if each is not None}


def _enough(rows: Mapping[str, object]) -> bool:
    return len(rows) >= FEWEST or REPORT_ID in rows


def _seeds_with_all(by_question: Mapping[str, Mapping[int, EvaluationRow]]) -> list[int]:
    """Seeds that were measured on every question; the others could not be held against themselves."""
    first, *others = by_question.values()
    return [seed for seed in first if all(seed in each for each in others)]


def _judged(
    material: Material,
    rows: Iterable[EvaluationRow],
    readings: dict[tuple[str, str], Reading],
    *,
    said: bool = True,
) -> tuple[ImageRules, ...]:
    """What the rules say about each image, in path order; read with every layer, since rules compare meanings."""
    texts: dict[str, dict[str, str]] = {}
    views: dict[str, str] = {}
    for row in rows:
        for output in material.outputs(row):
            views[output.path] = output.view
            texts.setdefault(output.path, {}).update(_texts(row.question, output, said))
    judged = []
    for path in sorted(texts):
        answers = {}
        for question, text in texts[path].items():
            if (question, text) not in readings:
                readings[question, text] = read_answer(question, text)
            answers[question] = readings[question, text]
        broken = frozenset(each.rule for each in broken_rules(views[path], answers))
        judged.append(ImageRules(path, views[path], frozenset(applied_rules(views[path], answers)), broken))
    return tuple(judged)


def _texts(question: str, output: OutputRow, said: bool) -> Mapping[str, str]:
    if said and output.outcome is Outcome.ERROR:
        return {}
    text = output.raw_output if said else output.target
    return parse_report(text) if question == REPORT_ID else {question: text}


def _estimates(material: Material, found: _Answers) -> tuple[Estimate, Estimate]:
    """Coherence, and the share of images that break no rule; of images to which at least one rule applies."""
    kept = [kept_shares(images) for images in found.seeds]
    whole = [np.where(np.isnan(shares), np.nan, shares == 1) for shares in kept]
    return mean_over_seeds(material, kept), mean_over_seeds(material, whole)


def _rules_table(found: Sequence[_Answers]) -> list[StudyTable]:
    """How often each rule is broken, the most broken first."""
    broken = [Counter(rule for seed in each.seeds for image in seed for rule in image.broken) for each in found]
    applied = [Counter(rule for seed in each.seeds for image in seed for rule in image.applied) for each in found]
    judged = len(found) - 1  # the annotations decide nothing about the order
    totals = {rule.id: sum(counts[rule.id] for counts in broken[:judged]) for rule in RULES}
    rules = [rule for rule in sorted(RULES, key=lambda rule: -totals[rule.id]) if totals[rule.id]][:MOST_RULES]
    if not rules:
        return []
    rows = tuple(
        (
            rule.id,
            rule.sentence,
            *(f"{bad[rule.id]:,} of {all_[rule.id]:,}" for bad, all_ in zip(broken, applied, strict=True)),
        )
        for rule in rules
    )
    note = "Images whose answers break the rule, of those to which it applies; all seeds together."
    heads = ("rule", "what it says", *(each.name for each in found))
    return [StudyTable("coherence-rules", "The most broken rules", note, heads, rows, words=(1,))]
