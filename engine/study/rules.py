"""What must fit together in a study file; every fault is named, not only the first."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches

from pydantic import TypeAdapter, ValidationError

from engine.data.augmentation.degrading import DEGRADATIONS, SEVERITIES
from engine.recipe.fields import recipe_fields
from engine.recipe.text import clean, quoted, shown
from engine.scoring.figure_names import FIGURES
from engine.study.models import QUESTION as QUESTION
from engine.study.models import REFERENCE_WORDS, SEED_KEY, Arm, ArmName, Decision, Measured, Study, Value
from engine.study.scaled import Scaled, matrix_arms, scaled

MOST_ARMS = 200
"""More of them at one scale are no study, but a mistake in a matrix."""

LONGEST_NUMBER = 64
"""Bits; no recipe key holds a longer one, and Python refuses to print very long ones."""

FIXED = frozenset({"name", "description", "evaluation.splits"})
"""Keys that no arm may set: the study names its runs, and queues its own evaluations."""

SHARED = frozenset({"data.dataset", "evaluation.limit"})
"""Keys that a scale may set, and no arm: all arms are measured on the same images."""


def study_problems(study: Study) -> list[str]:
    """All faults of a file whose single values are valid, each with the place where it stands."""
    problems = dict.fromkeys(_measured(study.measure))
    of_matrix = list(_matrix(study))
    if of_matrix:  # its arms cannot be made, or not be named
        return [*problems, *of_matrix]
    for name in study.scales:
        whole = scaled(study, name)
        own = study.scales[name]
        place = f"scales.{name}"
        problems.update(dict.fromkeys(_keys(own.set, f"{place}.set", None)))
        arms_place = "arms" if own.arms is None else f"{place}.arms"
        problems.update(dict.fromkeys(_arms(whole, study.varies, arms_place)))
        decide_place = "decide" if own.decide is None else f"{place}.decide"
        for number, decision in enumerate(whole.decide, 1):
            problems.update(dict.fromkeys(_decision(decision, whole, f"{decide_place} {number}")))
    return list(problems)


def _measured(measure: Measured) -> Iterator[str]:
    """Degraded images that there are not, or that would be measured twice."""
    for kind in measure.degradations:
        if kind not in DEGRADATIONS:
            near = get_close_matches(kind[:60], DEGRADATIONS, n=1)
            hint = f"did you mean {near[0]}? " if near else ""
            yield f"measure.degradations: found {shown(kind)}; {hint}kinds: {quoted(DEGRADATIONS)}"
    for severity in measure.severities:
        if severity not in SEVERITIES:
            yield f"measure.severities: found {shown(severity)}; there are {', '.join(map(str, SEVERITIES))}"
    if measure.degradations and not measure.severities:
        yield "measure.severities: is empty, so no degraded image would be measured"
    for key, values in (("degradations", measure.degradations), ("severities", measure.severities)):
        if len(set(values)) < len(values):
            yield f"measure.{key}: found something twice"


def _matrix(study: Study) -> Iterator[str]:
    """Why the arms of a matrix cannot be made; looked at before they are, because there may be billions."""
    if not study.matrix:
        return
    for key, values in study.matrix.items():
        if not values:
            yield f"matrix.{clean(key)}: has no values"
        for value in filter(_is_too_long, values):
            yield f"matrix.{clean(key)}: found {shown(value)}, which no key can hold"
            return
    count = math.prod((len(study.arms) or 1, *map(len, study.matrix.values())))
    if count > MOST_ARMS:
        yield f"matrix: makes more than {MOST_ARMS} arms; leave out values, or write the arms that matter"
        return
    names = matrix_arms(study.arms, study.matrix)
    if len(names) < count:
        yield "matrix: two combinations have the same name; write them as arms"
    for name in names:
        if not _is_name(name):
            yield (
                f"matrix: {clean(name)} cannot be the name of an arm (at most 50 letters, digits and ,.+&/()%-); "
                "write these combinations as arms"
            )
            return


def _is_name(name: str) -> bool:
    try:
        TypeAdapter(ArmName).validate_python(name)
    except ValidationError:
        return False
    return True


def _is_too_long(value: Value) -> bool:
    numbers: Iterable[object] = value if isinstance(value, list) else [value]
    return any(isinstance(number, int) and number.bit_length() > LONGEST_NUMBER for number in numbers)


def _arms(whole: Scaled, varies: tuple[str, ...], place: str) -> Iterator[str]:
    if not whole.arms:
        yield f"{place}: a study needs at least one arm; write [arms.NAME], or a [matrix]"
        return
    if len(whole.arms) > MOST_ARMS:
        yield f"{place}: more than {MOST_ARMS} arms"
        return
    if all(arm.optional for arm in whole.arms.values()):
        yield f"{place}: every arm is optional, so nothing would be launched"
    for name, arm in whole.arms.items():
        yield from _keys(arm.set, f"{place}.{name}", varies)
    if whole.baseline not in whole.arms:
        yield f"baseline: found {quoted([whole.baseline])}; {_arms_there_are(whole.baseline, whole.arms)}"
    yield from (f"{place}: {name} is the name of a reference row" for name in whole.arms if name in REFERENCE_WORDS)
    trained = [name for name, arm in whole.arms.items() if not arm.untuned]
    for name, arm in whole.arms.items():
        twin = next((each for each in whole.arms if each != name and _same(whole.arms[each], arm)), None)
        if twin is not None and name > twin:
            yield f"{place}: {clean(twin)} and {clean(name)} are the same; an arm must differ in something"
    if whole.seeds > 1 and not trained:
        yield "seeds: nothing is trained, so several seeds would be one and the same"


def _same(one: Arm, other: Arm) -> bool:
    return (dict(one.set), one.untuned) == (dict(other.set), other.untuned)


def _keys(values: Mapping[str, Value], place: str, varies: tuple[str, ...] | None) -> Iterator[str]:
    known = {field.key for field in recipe_fields()}
    for key, value in values.items():
        if _is_too_long(value):
            yield f"{place}: {clean(key)} is {shown(value)}, which no key can hold"
        elif key in FIXED:
            yield f"{place}: {key} is set by the study itself"
        elif key == SEED_KEY and varies is not None:
            yield f"{place}: {key} is set by the study itself, the same for all arms; scales.NAME.set may say the first"
        elif key in SHARED and varies is not None:
            yield f"{place}: {key} must be the same for all arms, which are measured on the same images"
        elif key not in known:
            near = get_close_matches(key[:100], known, n=1)
            yield f"{place}: there is no recipe key {clean(key)}" + (f"; did you mean {near[0]}?" if near else "")
        elif varies is not None and key not in varies:
            allowed = quoted(varies) or "none"
            yield f"{place}: {key} may not differ between arms; add it to varies (now: {allowed}), or set it for all"


def _decision(decision: Decision, whole: Scaled, place: str) -> Iterator[str]:
    arms = whole.arms
    if len(set(decision.questions)) < len(decision.questions):
        yield f"{place}: questions has one of them twice"
    if decision.kind == "each":
        if decision.arm:
            yield f"{place}: kind each asks about every arm, so arm must be left out"
    elif not decision.arm:
        yield f"{place}: arm is missing; {_arms_there_are('', arms)}"
    yield from _unknown_names(decision, arms, place)
    if (
        decision.kind in ("better", "non_inferior")
        and decision.arm
        and decision.arm == (decision.than or whole.baseline)
    ):
        yield f"{place}: {clean(decision.arm)} cannot be held against itself"


def _unknown_names(decision: Decision, arms: Mapping[str, Arm], place: str) -> Iterator[str]:
    for key, given in (("arm", decision.arm), ("than", decision.than)):
        if QUESTION in given and not decision.questions and not _names_any(given, arms, references=key == "than"):
            yield f"{place}: {key} is {quoted([clean(given)])}; {_arms_there_are(given, arms)}"
        for name in _named(given, decision):
            if key == "than" and name in REFERENCE_WORDS:
                continue
            if name and name not in arms:
                yield f"{place}: {key} is {quoted([clean(name)])}; {_arms_there_are(name, arms)}"


def _names_any(template: str, arms: Mapping[str, Arm], *, references: bool) -> bool:
    """Whether a name with a question in it is that of an arm for any question; `references`: or of a reference row."""
    names = [template.replace(QUESTION, question) for question in FIGURES]
    return any(name in arms or (references and name in REFERENCE_WORDS) for name in names)


def _named(text: str, decision: Decision) -> list[str]:
    if QUESTION not in text:
        return [text]
    return [text.replace(QUESTION, question) for question in decision.questions]


def _arms_there_are(name: str, arms: Mapping[str, object]) -> str:
    near = get_close_matches(name[:100], arms, n=1)
    hint = f"did you mean {quoted(near)}? " if near else ""
    return f"{hint}arms: {quoted(map(clean, arms)) or 'none'}"
