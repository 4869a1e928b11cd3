"""What must fit together in a study file; every fault is named, not only the first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from engine.recipe.fields import recipe_fields
from engine.recipe.text import clean, quoted
from engine.study.models import REFERENCE_WORDS, Arm, Decision, Study, Value
from engine.study.scaled import Scaled, scaled

QUESTION = "{question}"
"""Stands for each question in the arms of a decision."""

FREE = frozenset({"training.seed"})
"""Keys that the study itself sets."""

FIXED = frozenset({"name", "description", "evaluation.splits"})
"""Keys that no arm may set: the study names its runs, and queues its own evaluations."""


def study_problems(study: Study) -> list[str]:
    """All faults of a file whose single values are valid, each with the place where it stands."""
    problems: dict[str, None] = {}
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


def _arms(whole: Scaled, varies: tuple[str, ...], place: str) -> Iterator[str]:
    if not whole.arms:
        yield f"{place}: a study needs at least one arm; write [arms.NAME], or a [matrix]"
        return
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
    for key in values:
        if key in FIXED:
            yield f"{place}: {key} is set by the study itself"
        elif key not in known:
            near = get_close_matches(key[:100], known, n=1)
            yield f"{place}: there is no recipe key {clean(key)}" + (f"; did you mean {near[0]}?" if near else "")
        elif varies is not None and key not in varies and key not in FREE:
            allowed = quoted(varies) or "none"
            yield f"{place}: {key} may not differ between arms; add it to varies (now: {allowed}), or set it for all"


def _decision(decision: Decision, whole: Scaled, place: str) -> Iterator[str]:
    arms = whole.arms
    if decision.kind == "each":
        if decision.arm:
            yield f"{place}: kind each asks about every arm, so arm must be left out"
    elif not decision.arm:
        yield f"{place}: arm is missing; {_arms_there_are('', arms)}"
    for key, given in (("arm", decision.arm), ("than", decision.than)):
        for name in _named(given, decision):
            if key == "than" and name in REFERENCE_WORDS:
                continue
            if name and name not in arms:
                yield f"{place}: {key} is {quoted([clean(name)])}; {_arms_there_are(name, arms)}"
    if (
        decision.kind in ("better", "non_inferior")
        and decision.arm
        and decision.arm == (decision.than or whole.baseline)
    ):
        yield f"{place}: {clean(decision.arm)} cannot be held against itself"


def _named(text: str, decision: Decision) -> list[str]:
    if QUESTION not in text:
        return [text]
    return [text.replace(QUESTION, question) for question in decision.questions]


def _arms_there_are(name: str, arms: Mapping[str, object]) -> str:
    near = get_close_matches(name[:100], arms, n=1)
    hint = f"did you mean {quoted(near)}? " if near else ""
    return f"{hint}arms: {quoted(map(clean, arms)) or 'none'}"
