"""What of a study is meant: at which scale, with which arms and seeds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from difflib import get_close_matches

from engine.errors import UsageError
from engine.recipe.text import clean, quoted
from engine.study.models import Study
from engine.study.scaled import Scaled

FULL, DEMO = "full", "demo"
"""Scales that are taken where nobody names one."""


@dataclass(frozen=True, slots=True)
class ScaleChoice:
    """The scale that was taken, and why."""

    name: str
    reason: str


def choose_scale(study: Study, wanted: str | None, gpu: bool) -> ScaleChoice:
    """The scale that is meant: `wanted`, else `full` where there is an NVIDIA GPU and `demo` elsewhere.

    Raises:
        UsageError: the study has no such scale.
    """
    known = list(study.scales)
    if wanted is not None:
        if wanted in study.scales:
            return ScaleChoice(wanted, "asked for")
        near = get_close_matches(wanted[:100], known, n=1)
        raise UsageError(
            f"The study {study.name} has no scale {clean(wanted)}",
            f"Scales: {', '.join(known)}.",
            f"Did you mean --scale {near[0]}?" if near else "",
        )
    machine = "an NVIDIA GPU is here" if gpu else "no NVIDIA GPU is here"
    usual = FULL if gpu else DEMO
    if usual in study.scales:
        return ScaleChoice(usual, machine)
    return ScaleChoice(known[0], f"{machine}, and the study has no scale {usual}")


def check_arms(whole: Scaled, names: Iterable[str]) -> frozenset[str]:
    """Names of arms that the study has.

    Raises:
        UsageError: it has no arm of that name at this scale.
    """
    given = frozenset(names)
    for name in sorted(given - set(whole.arms)):
        near = get_close_matches(name[:100], whole.arms, n=1)
        raise UsageError(
            f"The study {whole.study.name} has no arm {clean(name)} at scale {whole.name}",
            f"Arms: {quoted(map(clean, whole.arms))}.",
            f"Did you mean --arm {quoted(near)}?" if near else "",
        )
    return given


def narrowed(whole: Scaled, chosen: Iterable[str], seeds: int) -> Scaled:
    """The study without those optional arms that nobody has chosen, and with so many seeds."""
    wanted = frozenset(chosen)
    arms = {name: arm for name, arm in whole.arms.items() if not arm.optional or name in wanted}
    return replace(whole, arms=arms, seeds=seeds)
