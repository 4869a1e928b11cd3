"""What a report says, as plain values. Standard library only; names, answers and sentences in it are untrusted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from engine.reporting.subject import Subject

NOTE = "Research only, not for clinical use."


@dataclass(frozen=True, slots=True)
class Group:
    """The ranking that is reported: same cases, same protocol."""

    dataset: str
    question: str
    split: str
    cases_fingerprint: str
    protocol_fingerprint: str
    n: int
    """Cases measured."""
    abnormal: int | None
    """How many of them are abnormal; None for a question without that distinction."""
    runs: int
    """Tuned runs that were measured, reported or not."""
    measured_at: float
    """End of the newest evaluation, in Unix seconds."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One subject held against the first on the same images; differences are second minus first."""

    first: str
    second: str
    n: int
    measure: str
    difference: float | None
    low: float | None
    high: float | None
    fixed: int
    """Images that the second alone has right."""
    broken: int
    """Images that the first alone has right."""
    mcnemar_p: float | None
    p: float | None
    """Of the measure that decides; None where it is undefined."""
    p_adjusted: float | None
    """By Holm over all comparisons made together."""
    family: int
    standing: str
    """Of the second: better, worse, not distinguishable, not comparable."""
    verdict: str
    """One sentence; untrusted, it holds names."""


@dataclass(frozen=True, slots=True)
class SplitCount:
    """Images of one split by what their answer to Q7 says."""

    split: str
    images: int
    normal: int
    abnormal: int
    other: int
    """Unclear, unreadable or without an answer."""


@dataclass(frozen=True, slots=True)
class Data:
    """The dataset as it was when the group was measured."""

    name: str
    kind: str
    """Importer."""
    fingerprint: str | None
    split_fingerprint: str | None
    known: bool
    """The workspace still has the dataset with these fingerprints, so the facts below hold."""
    images: int = 0
    problems: int = 0
    """Entries that the import left out."""
    views: int = 0
    split_seed: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    """Of the import: shares of the splits, how many phantoms ..."""
    counts: tuple[SplitCount, ...] = ()
    findings: tuple[str, ...] | None = None
    """What the quality check says, one sentence each; None where it is not known."""
    checked: bool = False
    """It has looked at every image, so near-duplicates are known."""


@dataclass(frozen=True, slots=True)
class Method:
    """How the group was measured, as its protocol says it."""

    prompt: str
    prompt_text: str
    image_size: int | None
    max_new_tokens: int | None
    decoding: str
    candidates: tuple[str, ...]
    """Answers among which label scoring chooses; empty where the text alone is read."""
    versions: Mapping[str, Any]
    """Of parser, scorer, label scoring and normalisation."""
    case_limit: int
    """Cases drawn from the split; 0: all."""
    resamples: int
    """Of the bootstrap behind the intervals."""
    layers: tuple[str, ...] = ()
    """Layers of normalisation that answers and targets went through; Q7 is read in one way whatever they are."""


@dataclass(frozen=True, slots=True)
class TestLook:
    """One look at the test split."""

    time: float
    subject: str
    question: str
    purpose: str


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that the files of a report are made of."""

    group: Group
    primary: str
    """The measure that decides, declared for the question beforehand."""
    runs: tuple[Subject, ...]
    """Best first by the primary measure."""
    references: tuple[Subject, ...]
    data: Data
    method: Method
    pairs: tuple[Pair, ...] = ()
    pairs_missing: str = ""
    """Why there are no comparisons, in one sentence."""
    looks: tuple[TestLook, ...] | None = None
    """The ledger of the test split, oldest look first; None for another split."""
    chosen: bool = False
    """The runs were named by whoever asked; otherwise all of the group, or its best."""

    def with_pairs(self, pairs: tuple[Pair, ...], missing: str) -> Report:
        """The same report with its comparisons."""
        return replace(self, pairs=pairs, pairs_missing=missing)

    @property
    def subjects(self) -> tuple[Subject, ...]:
        """References first, as on the leaderboard."""
        return (*self.references, *self.runs)

    @property
    def views(self) -> tuple[str, ...]:
        """Views that were scored, those of the nuchal translucency first: there the errors of the past stood."""
        scopes = {score.scope for subject in self.subjects for score in subject.scores}
        names = {scope.removeprefix("view:") for scope in scopes if scope.startswith("view:")}
        return tuple(sorted(names, key=lambda name: (not is_nuchal(name), name.casefold(), name)))


def is_nuchal(view: str) -> bool:
    """Whether a view is one of the nuchal translucency: `NT-View`, `Standard_NT`, `Non_standard_NT`."""
    return "nt" in view.casefold().replace("-", "_").replace(" ", "_").split("_")
