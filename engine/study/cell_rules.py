"""What must fit together once the recipes are known: arms that are one run, questions and figures that are not there.

Checked before anything is queued: what an analysis would refuse after all the training is refused here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from engine.errors import UsageError
from engine.recipe import recipe_values
from engine.recipe.text import clean
from engine.scoring.figure_names import FIGURES, check_figure
from engine.study.identity import training_key
from engine.study.models import QUESTION, REFERENCE_WORDS, Decision
from engine.study.scaled import Scaled
from engine.study.scaled import scaled as all_arms

if TYPE_CHECKING:
    from engine.study.expanding import Cell

_SHOWN = ("data.dataset", "data.prompt", "data.prompt_text", "data.image_size")
"""Keys besides those of model and evaluation that decide what an untuned model is shown and asked."""


def cell_problems(scaled: Scaled, cells: Sequence[Cell]) -> list[str]:
    """All faults of a study at a scale that its recipes bring to light.

    Args:
        scaled: the study.
        cells: all of them; arms that are left out are not judged.
    """
    questions = {cell.arm: cell.questions for cell in cells}
    untuned = {cell.arm: cell.untuned for cell in cells}
    problems = [*_twins(cells), *_study_figure(scaled.study.measure.figure, questions)]
    for number, decision in enumerate(scaled.decide, 1):
        problems += _decision(decision, scaled, questions, untuned, f"decide {number}")
    return list(dict.fromkeys(problems))


def _twins(cells: Sequence[Cell]) -> Iterator[str]:
    """Arms that say something else and do the same, such as one that spells out a default."""
    known: dict[str, Cell] = {}
    for cell in cells:
        twin = known.setdefault(what_is_done(cell), cell)
        if twin.arm != cell.arm:
            same = "measurement" if cell.untuned else "run"
            yield f"arms {clean(twin.arm)} and {clean(cell.arm)} are the same {same}; an arm must differ in something"


def what_is_done(cell: Cell) -> str:
    """What a cell trains and how it is measured, as text: the same for cells that only say it in other words."""
    values = recipe_values(cell.recipe)
    measured = {key: value for key, value in values.items() if key.startswith("evaluation.")}
    if cell.untuned:  # nothing is trained, so what training would be like says nothing
        shown = {key: value for key, value in values.items() if key in _SHOWN or key.startswith("model.")}
        shown["data.questions"] = sorted(cell.questions)
        return json.dumps(["", {**shown, **measured}], sort_keys=True, ensure_ascii=False)
    return json.dumps([training_key(cell.recipe), measured], sort_keys=True, ensure_ascii=False)


def _study_figure(figure: str, questions: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """The figure of the study decides where it can; one that decides nowhere is a mistake."""
    there = list(dict.fromkeys(each for asked in questions.values() for each in asked))
    if figure and there and not any(figure in FIGURES[each] for each in there):
        yield f"measure.figure: {_figure_fault(there[0], figure)}"


def _figure_fault(question: str, figure: str) -> str:
    """What is wrong with a figure of a question; "" for nothing."""
    try:
        check_figure(question, figure)
    except UsageError as error:
        return f"{error.title}. {error.reason}"
    return ""


def _decision(
    decision: Decision,
    scaled: Scaled,
    questions: Mapping[str, Sequence[str]],
    untuned: Mapping[str, bool],
    place: str,
) -> Iterator[str]:
    every = list(dict.fromkeys(each for asked in questions.values() for each in asked))
    judged = asked = waiting = False
    whole = all_arms(scaled.study, scaled.name).arms
    for question in decision.questions or every:
        names = _named(decision, scaled, question)
        if not all(name in questions or name in REFERENCE_WORDS for name in names):
            waiting |= all(name in whole or name in REFERENCE_WORDS for name in names)
            continue  # an arm that is left out is judged once it is asked for
        judged = True
        lacking = [name for name in names if question not in questions.get(name, (question,))]
        if not lacking and decision.kind == "each":
            lacking = _without_others(names[0], question, questions, untuned)
        if lacking and decision.questions:
            yield f"{place}: {question} is not a question of {clean(lacking[0])}; take it out of questions"
        if not lacking:
            asked = True
            fault = _figure_fault(question, decision.figure) if decision.figure else ""
            if fault:
                yield f"{place}: {fault}"
    if judged and not asked and not decision.questions:
        yield f"{place}: the arms that it compares have no question in common"
    if not judged and not waiting and not decision.questions:
        yield f"{place}: for none of the questions that are asked it names arms that there are"


def _named(decision: Decision, scaled: Scaled, question: str) -> list[str]:
    """The arms and reference rows that a decision needs for a question."""
    arm, than = (text.replace(QUESTION, question) for text in (decision.arm, decision.than or scaled.baseline))
    return {"at_least": [arm], "each": [than]}.get(decision.kind, [arm, than])


def _without_others(
    than: str, question: str, questions: Mapping[str, Sequence[str]], untuned: Mapping[str, bool]
) -> list[str]:
    """`than` again where no other arm is asked this question, so that there is nothing to hold against it."""
    others = [name for name in questions if name != than and untuned[name] is untuned.get(than, False)]
    return [] if not others or any(question in questions[name] for name in others) else ["any other arm"]
