"""A study at one scale: the arms, decisions and seeds that hold there, matrix included."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass

from engine.study.models import Arm, Decision, Scale, Study, Value


@dataclass(frozen=True, slots=True)
class Scaled:
    """What holds for a study at one of its scales."""

    study: Study
    name: str
    """Of the scale."""
    scale: Scale
    arms: Mapping[str, Arm]
    """By name, in their order; those of the matrix included."""
    baseline: str
    """The first arm where the file names none."""
    decide: tuple[Decision, ...]
    seeds: int

    @property
    def key(self) -> str:
        """`NAME@SCALE`: how runs, results and files of this study at this scale are named."""
        return f"{self.study.name}@{self.name}"


def scaled(study: Study, name: str) -> Scaled:
    """The study at a scale.

    Raises:
        KeyError: it has no such scale; files are checked before this is called, names by `choosing`.
    """
    scale = study.scales[name]
    arms = dict(scale.arms if scale.arms is not None else study.arms)
    if scale.arms is None:
        arms = matrix_arms(arms, study.matrix)
    baseline = study.baseline if scale.baseline is None else scale.baseline
    return Scaled(
        study=study,
        name=name,
        scale=scale,
        arms=arms,
        baseline=baseline or next(iter(arms), ""),
        decide=study.decide if scale.decide is None else scale.decide,
        seeds=study.seeds if scale.seeds is None else scale.seeds,
    )


def matrix_arms(arms: Mapping[str, Arm], matrix: Mapping[str, list[Value]]) -> dict[str, Arm]:
    """Every arm with every combination of the matrix; the combinations alone where there are no arms.

    A matrix that is too large, or makes a name twice, is refused by `rules` before it comes here.
    """
    if not matrix:
        return dict(arms)
    combinations = [dict(zip(matrix, values, strict=True)) for values in itertools.product(*matrix.values())]
    found = {}
    for name, arm in (arms or {"": Arm()}).items():
        for changes in combinations:
            words = ", ".join(_words(key.rpartition(".")[2], value) for key, value in changes.items())
            label = f"{name}, {words}" if name else words
            found[label] = arm.model_copy(update={"set": {**arm.set, **changes}})
    return found


def _words(key: str, value: Value) -> str:
    """`loss cross entropy`: a key and its value as a part of a name, which holds no underscore or quotation mark."""
    text = value if isinstance(value, str) else json.dumps(value).strip("[]")
    return f"{key} {text}".replace("_", " ").replace('"', "")
