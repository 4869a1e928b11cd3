"""An adapter for several questions beside adapters for one each: is anything lost by learning all at once?

Arms are known by their recipes. Two are at *equal epochs* where their recipes say so and set no number of steps, each
question being seen as often as alone, and at *equal steps* where their runs have made as many optimiser steps, each
question then being seen less.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.formatting import UNKNOWN
from engine.scoring.over_seeds import SeedDifference
from engine.scoring.paired import holm
from engine.scoring.verdicts import p_text
from engine.study.analysis.deciding import deciding_figure
from engine.study.analysis.decisions import compared_subjects
from engine.study.analysis.figures import arm_figure
from engine.study.analysis.material import Material
from engine.study.analysis.part import PartResult
from engine.study.analysis.subjects import Subject
from engine.study.analysis.words import count_words, difference_estimate, difference_words, estimate_words, named
from engine.study.results import Point, Series, StudyChart, StudyTable

EQUAL_STEPS = 0.02
"""Steps that differ by less than this share count as equal."""
HEADS = (
    "question",
    "figure",
    "several questions",
    "beside",
    "equal",
    "n",
    "of several",
    "of the other",
    "difference",
    "p (Holm)",
    "steps",
    "steps of the other",
    "samples",
    "samples of the other",
)


@dataclass(frozen=True, slots=True)
class _Pair:
    several: Subject
    other: Subject
    figure: str
    gain: SeedDifference | None


def forgetting_part(material: Material) -> PartResult:
    """A row for each arm with several questions, each question of it, and each arm for that question alone."""
    pairs = [pair for question in material.questions for pair in _pairs(material, question)]
    if not pairs:
        return PartResult()
    tests = [pair.gain.p for pair in pairs if pair.gain is not None]
    adjusted = iter(holm(tests))
    rows = tuple(_row(material, pair, next(adjusted) if pair.gain is not None else None) for pair in pairs)
    note = (
        "Difference: the arm with several questions minus the other, on the same images. p is adjusted by Holm over "
        f"the {len(tests)} tests of this table, apart from the declared decisions. Samples: what training has seen."
    )
    table = StudyTable("forgetting", "Several questions at once, or each alone", note, HEADS, rows, words=(1, 2, 3, 4))
    return PartResult((table,), tuple(_charts(pairs)))


def _pairs(material: Material, question: str) -> list[_Pair]:
    target = material.target(question)
    figure = deciding_figure(material.scaled, question)
    arms = [each for each in material.arms(target) if not _untuned(material, each)]
    alone = [each for each in arms if len(_questions(each)) == 1]
    pairs = []
    for several in (each for each in arms if len(_questions(each)) > 1):
        untuned = material.subject("untuned", target, several.name)
        others = [*alone, *([untuned] if untuned else [])]
        pairs += [_Pair(several, each, figure, compared_subjects(material, each, several, figure)) for each in others]
    return pairs


def _row(material: Material, pair: _Pair, p: float | None) -> tuple[str, ...]:
    gain = pair.gain
    subjects = pair.several, pair.other
    return (
        pair.several.question,
        named(pair.figure),
        pair.several.name,
        pair.other.name,
        _equal(pair),
        count_words(None if gain is None else gain.n),
        *(estimate_words(arm_figure(material, each, pair.figure).estimate) for each in subjects),
        UNKNOWN if gain is None else difference_words(difference_estimate(gain)),
        UNKNOWN if p is None else p_text(p).removeprefix("p = "),
        *(count_words(_steps(each)) for each in subjects),
        *(count_words(_samples(each)) for each in subjects),
    )


def _charts(pairs: list[_Pair]) -> list[StudyChart]:
    """The differences to the adapters for one question, a series for each arm with several."""
    series = []
    for name in dict.fromkeys(pair.several.name for pair in pairs):
        points = tuple(
            Point(pair.several.question, difference_estimate(pair.gain))
            for pair in pairs
            if pair.several.name == name and pair.other.reference is None and pair.gain is not None
        )
        series += [Series(name, points)] if points else []
    note = "Below 0 the adapter for several questions is worse; an interval that holds 0 tells no difference."
    title = "Several questions minus each alone"
    return (
        [StudyChart("forgetting", title, "intervals", "question", "difference", tuple(series), note)] if series else []
    )


def _equal(pair: _Pair) -> str:
    if pair.other.recipe is None or pair.several.recipe is None:
        return UNKNOWN
    parts = []
    plans = [each.recipe.training for each in (pair.several, pair.other) if each.recipe is not None]
    # Where a number of steps is set, it ends training, and the epochs of the recipe say nothing.
    if plans[0].epochs == plans[1].epochs and not any(plan.max_steps for plan in plans):
        parts.append("epochs")
    steps = _steps(pair.several), _steps(pair.other)
    if steps[0] and steps[1] and abs(steps[0] - steps[1]) <= EQUAL_STEPS * steps[1]:
        parts.append("steps")
    return " and ".join(parts) or "neither"


def _questions(subject: Subject) -> tuple[str, ...]:
    return () if subject.recipe is None else subject.recipe.data.questions


def _untuned(material: Material, subject: Subject) -> bool:
    return material.cells[subject.name][0].cell.untuned


def _steps(subject: Subject) -> int | None:
    """Optimiser steps of its runs, the mean over the seeds; 0 for what is not trained."""
    if subject.recipe is None:
        return 0
    steps = [each.run.step for each in subject.seeds if each.run is not None]
    return round(sum(steps) / len(steps)) if steps else None


def _samples(subject: Subject) -> int | None:
    steps = _steps(subject)
    if subject.recipe is None or not steps:
        return steps
    return steps * subject.recipe.training.batch * subject.recipe.training.accumulation
