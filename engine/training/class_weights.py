"""Class weights of the weighted losses, from the verdicts of the samples that are trained on and from nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from engine.data.labels import case_verdict
from engine.questions.prompts import REPORT_ID
from engine.questions.vocabulary import NORMALITY
from engine.types import Case, Verdict

if TYPE_CHECKING:
    from engine.training.dataset import Example

WEIGHTED_LOSSES = ("weighted", "weighted_focal")
"""Values of `training.loss` that use class weights."""
CLASSES = (Verdict.ABNORMAL, Verdict.NORMAL)
"""The two classes. An unclear or unreadable answer belongs to neither: as a class of its own, one such answer among
thousands would outweigh everything else."""
WEIGHTED_QUESTIONS = frozenset({NORMALITY, REPORT_ID})
"""Questions whose answer says the verdict; samples of the others weigh 1."""


@dataclass(frozen=True, slots=True)
class ClassWeights:
    """How much a sample of each class counts in the loss: N / (K n_c), as `class_weight="balanced"` of scikit-learn.

    N samples of K classes, n_c of them of class c. The weights of all N samples add up to N, so their mean is 1 and a
    step is as long as without them. The counts are those of an epoch as it is trained, after balance: where repeats or
    synthetic samples have made the classes equal, the weights are 1, and rare verdicts are not corrected twice.
    """

    counts: dict[Verdict, int]
    """Samples by class; classes without one are absent."""

    @classmethod
    def of(cls, verdicts: Iterable[Verdict | None]) -> ClassWeights:
        """Count the verdicts of the samples to train on; None and verdicts that are no class are passed over."""
        found = Counter(verdict for verdict in verdicts if verdict in CLASSES)
        return cls({verdict: found[verdict] for verdict in CLASSES if found[verdict]})

    def weight(self, verdict: Verdict | None) -> float:
        """Weight of a sample; 1 for what belongs to no class."""
        if verdict is None or verdict not in self.counts:
            return 1.0
        return sum(self.counts.values()) / (len(self.counts) * self.counts[verdict])

    @property
    def words(self) -> str:
        """Weights with their counts, for the run's history."""
        if not self.counts:
            return "no sample is normal or abnormal, so each weighs 1"
        parts = [f"{verdict} x{self.weight(verdict):.4g} ({count} samples)" for verdict, count in self.counts.items()]
        return f"{', '.join(parts)}, from the samples trained on"


def weighed(examples: Sequence[Example], cases: Sequence[Case]) -> tuple[list[Example], ClassWeights]:
    """Examples with their class weights, which are counted from these very examples.

    Args:
        examples: all that are trained on in an epoch, repeats and synthetic ones included.
        cases: by the image number of the examples.
    """
    verdicts = [
        case_verdict(cases[example.image].answers) if example.question in WEIGHTED_QUESTIONS else None
        for example in examples
    ]
    weights = ClassWeights.of(verdicts)
    pairs = zip(examples, verdicts, strict=True)
    return [replace(example, weight=weights.weight(verdict)) for example, verdict in pairs], weights
