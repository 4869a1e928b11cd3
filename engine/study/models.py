"""The study file as pydantic models. What single keys may hold stands here; what must fit together, in `rules`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from engine.recipe.models import QuestionId

SEED_KEY = "training.seed"
"""The recipe key that the study itself counts up from, seed by seed."""

Value = bool | int | float | str | list[bool | int | float | str]
"""What a recipe key may be set to."""

Part = Literal[
    "cost",
    "modules",
    "questions",
    "forgetting",
    "coherence",
    "sections",
    "balance",
    "wordings",
    "robustness",
    "quality",
    "rare",
]
"""A part of the report beyond figures and answers; each is a module in `engine.study.analysis`."""

DecisionKind = Literal["better", "non_inferior", "at_least", "each"]

_STRICT = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)
ArmName = Annotated[str, StringConstraints(max_length=50, pattern=r"^[\p{L}\p{N}][\p{L}\p{N} ,.+&/()%-]*$")]
"""Letters, digits and a few signs: a name stands in names of runs, tables and plots."""
ScaleName = Annotated[str, StringConstraints(max_length=20, pattern=r"^[a-z0-9][a-z0-9-]*$")]

QUESTION = "{question}"
"""Stands for each question in the arms of a decision."""

REFERENCE_WORDS = ("majority", "majority_by_view", "shuffled", "untuned")
"""Names by which a decision holds an arm against a reference row; no arm may have one of them."""


class Arm(BaseModel):
    """One arm: what it changes in the base recipe."""

    model_config = _STRICT

    set: Mapping[str, Value] = Field(default_factory=dict, description="Recipe keys of this arm, dotted.")
    untuned: bool = Field(default=False, description="Measure the base model as it is: nothing is trained.")
    optional: bool = Field(default=False, description="Left out unless it is named (--arm NAME).")
    note: str = Field(default="", max_length=300, description="What this arm is, in a sentence.")


class Decision(BaseModel):
    """One question that the study answers, and by which rule. Declared before anything runs."""

    model_config = _STRICT

    ask: str = Field(min_length=1, max_length=300, description="The question in words.")
    kind: DecisionKind = Field(
        description="better: is `arm` better than `than`; non_inferior: is it worse by less than `margin`; "
        "at_least: does its interval lie above `threshold`; each: is any arm better than `than`.",
    )
    arm: str = Field(default="", description="The arm asked about; not for each.")
    than: str = Field(
        default="",
        description="The arm, or reference row (majority, untuned ...), that it is held against; the "
        "baseline where nothing is said.",
    )
    margin: float = Field(default=0.05, gt=0, lt=1, description="How much worse still counts as no worse.")
    threshold: float = Field(default=0.8, gt=0, lt=1, description="What the lower end of the interval must reach.")
    questions: tuple[QuestionId, ...] = Field(
        default=(),
        strict=False,
        description="Asked for each of these; {question} in arm and than stands for it. All that both arms have where "
        "nothing is said.",
    )
    figure: str = Field(default="", description="The figure that decides; that of the study where nothing is said.")


class Measured(BaseModel):
    """`[measure]`: what every arm is measured by."""

    model_config = _STRICT

    split: Literal["validation", "test"] = Field(default="validation", description="Split that decides.")
    figure: str = Field(
        default="",
        description="Figure that decides. Where nothing is said: the main one of each question, and AUROC for Q7 on "
        "validation, where a threshold chosen on the same images would flatter.",
    )
    specificity: float = Field(
        default=0.9, gt=0, lt=1, description="Fixed on validation, for the figure sensitivity_at_specificity."
    )
    degradations: tuple[str, ...] = Field(
        default=(), strict=False, description="Kinds of degraded images that every arm is measured on as well."
    )
    severities: tuple[int, ...] = Field(default=(1, 2, 3), strict=False, description="Severities of each kind.")


class Phantoms(BaseModel):
    """Phantoms that are drawn where the dataset of a scale is missing."""

    model_config = _STRICT

    count: int = Field(ge=14, le=100_000, description="Images.")
    size: int = Field(default=160, ge=32, le=2048, description="Side in pixels.")
    abnormal_share: float = Field(default=0.25, gt=0, lt=1, description="Share of abnormal images.")
    seed: int = Field(default=0, ge=0, description="Seed of the drawings.")
    shares: tuple[float, float, float] = Field(
        default=(0.8, 0.1, 0.1), strict=False, description="Shares of train, validation and test."
    )


class Scale(BaseModel):
    """`[scales.NAME]`: the study on one kind of machine: which base recipe, which data, and what differs there."""

    model_config = _STRICT

    recipe: str = Field(min_length=1, max_length=200, description="Preset or file of the base recipe.")
    machine: str = Field(default="", max_length=200, description="What it takes, in words.")
    note: str = Field(default="", max_length=600, description="What is smaller or other than in the full study.")
    set: Mapping[str, Value] = Field(default_factory=dict, description="Recipe keys of all arms, dotted.")
    phantoms: Phantoms | None = Field(default=None, description="How to draw the dataset where it is missing.")
    arms: Mapping[ArmName, Arm] | None = Field(default=None, description="Arms of this scale, in place of the study's.")
    baseline: str | None = Field(default=None, description="Baseline of this scale, in place of the study's.")
    decide: tuple[Decision, ...] | None = Field(
        default=None, strict=False, description="Decisions of this scale, in place of the study's."
    )
    seeds: int | None = Field(default=None, ge=1, le=50, description="Seeds of this scale, in place of the study's.")


class Study(BaseModel):
    """One study file, complete."""

    model_config = _STRICT

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=60, description="Name, as in commands.")
    title: str = Field(min_length=1, max_length=80, description="Title.")
    question: str = Field(min_length=1, max_length=500, description="What the study asks, in words.")
    priority: int = Field(default=99, ge=1, le=999, description="Place on the board; 1 comes first.")
    varies: tuple[str, ...] = Field(
        default=(), strict=False, description="The recipe keys in which arms may differ; all else is the same."
    )
    baseline: str = Field(default="", description="The arm that the others are held against.")
    seeds: int = Field(default=1, ge=1, le=50, description="Seeds of every arm; all of them are reported.")
    parts: tuple[Part, ...] = Field(default=("cost",), strict=False, description="Further parts of the report.")
    measure: Measured = Field(default_factory=Measured, description="What every arm is measured by.")
    arms: Mapping[ArmName, Arm] = Field(default_factory=dict, description="Arms by name, in their order.")
    matrix: Mapping[str, list[Value]] = Field(
        default_factory=dict, description="Keys with lists of values: every combination is an arm."
    )
    decide: tuple[Decision, ...] = Field(default=(), strict=False, description="The questions it answers.")
    scales: Mapping[ScaleName, Scale] = Field(min_length=1, description="The study by kind of machine.")
