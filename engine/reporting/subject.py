"""The rows of a report: runs and references with their figures, curves, marks and costs. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.types import Score

ALL = "all"
"""Scope of the scores over every case; the others are `view:NAME`."""


@dataclass(frozen=True, slots=True)
class Corner:
    """One corner of a ROC curve."""

    false_positive_rate: float
    sensitivity: float


@dataclass(frozen=True, slots=True)
class Bin:
    """One bin of a reliability curve, with the Wilson 95 % interval of the observed share."""

    mean_p: float
    observed: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class Matrix:
    """A confusion matrix: rows are the annotated answers, columns what was said."""

    basis: str
    """`threshold`: P(abnormal) decides; `text`: the generated text does."""
    targets: tuple[str, ...]
    said: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    """Cases, shape (targets, said)."""


@dataclass(frozen=True, slots=True)
class MarkNote:
    """What a reader must know before believing a subject."""

    kind: str
    scope: str
    detail: str


@dataclass(frozen=True, slots=True)
class Cost:
    """What a subject cost; None where it is not known."""

    train_seconds: float | None
    samples_per_second: float | None
    peak_vram_bytes: int | None
    """Torch's peak: of the training for a run, of the evaluation for a reference."""
    peak_rss_bytes: int | None
    evaluation_seconds: float | None
    seconds_per_image: float | None
    tokens_per_second: float | None
    evaluation_gpu: str | None


@dataclass(frozen=True, slots=True)
class Setup:
    """How a run was trained."""

    kind: str
    recipe: Mapping[str, Any]
    """Values by dotted key (`lora.r`); {} where no recipe is known."""
    seed: int
    backend: str | None
    quantization: str | None
    packing: str | None
    versions: Mapping[str, str]
    git_revision: str | None
    gpu: str | None
    steps: int
    planned_steps: int | None
    resumes: int
    final_loss: float | None
    trained_parameters: int | None
    total_parameters: int | None
    lora_modules: int | None
    adapter_sha256: str | None
    dataset_fingerprint: str
    """Of the data as they were when it was launched."""
    split_fingerprint: str


@dataclass(frozen=True, slots=True)
class Subject:
    """A tuned run, or a reference that tells what its figures are worth."""

    evaluation: int
    run: int | None
    reference: str | None
    name: str
    model: str
    quantization: str | None
    threshold: float | None
    threshold_source: str | None
    n: int
    outcomes: Mapping[str, int]
    """Cases by `engine.types.Outcome`."""
    scores: tuple[Score, ...]
    marks: tuple[MarkNote, ...]
    cost: Cost
    setup: Setup | None = None
    """None for a reference."""
    grey_evaluation: int | None = None
    """Its blank-image control: the same questions with a grey image in place of each."""
    grey_scores: tuple[Score, ...] = ()
    roc: tuple[Corner, ...] = ()
    reliability: tuple[Bin, ...] = ()
    matrices: tuple[Matrix, ...] = ()

    def score(self, name: str, scope: str = ALL) -> Score | None:
        """The score of that name, where it was measured and is defined."""
        return _found(self.scores, name, scope)

    def grey(self, name: str) -> Score | None:
        """The score of its blank-image control."""
        return _found(self.grey_scores, name, ALL)

    def has_mark(self, *kinds: str) -> bool:
        """Whether it bears one of these marks."""
        return any(mark.kind in kinds for mark in self.marks)


def _found(scores: tuple[Score, ...], name: str, scope: str) -> Score | None:
    return next((s for s in scores if s.name == name and s.scope == scope and s.value is not None), None)
