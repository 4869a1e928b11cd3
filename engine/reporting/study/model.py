"""What a report of a study needs beside the result: the file it followed, and where its figures come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.study.results import StudyResult

PHANTOMS = "phantoms"


@dataclass(frozen=True, slots=True)
class Source:
    """One evaluation behind the figures. Names are untrusted text."""

    evaluation: int
    subject: str
    """The run, or the reference row."""
    run: int | None
    """None for a reference row, and for the untuned model."""
    model: str
    seed: int | None
    question: str
    images: str
    """`as they are`, or what was done to them."""
    split: str
    n: int | None
    measured_at: float | None
    """Unix time; None where it is not on record."""
    host: str
    """Machine and card that it was measured on; "" where it is not on record."""
    trained_on: str = ""
    """Machine and card of the training; "" for what was not trained."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Version by library name, of the training process."""
    revision: str = ""
    """Of the code that trained it."""


@dataclass(frozen=True, slots=True)
class StudyPage:
    """All that a report of a study says."""

    result: StudyResult
    definition: str = ""
    """The study file, verbatim; "" where it is not at hand."""
    sources: tuple[Source, ...] = ()
    """In the order of `result.evaluations`; those that the workspace no longer has are left out."""
    dataset_kind: str = ""
    """What the dataset was imported from, as in `engine.reporting.prose.methods.KINDS`; "" where it is not known."""

    @property
    def phantoms(self) -> bool:
        """Whether the images are drawings: then no figure says anything about patients.

        Where the workspace does not have the dataset any more, its name decides: rather one warning too many.
        """
        kind = self.dataset_kind
        return kind == PHANTOMS if kind else self.result.dataset.strip().lower().startswith(PHANTOMS)
