"""The quality report as values: what `data check --json` prints and the Dataset screen shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from engine.data.manifest import ViewCount
from engine.data.quality.background import CheckStatus
from engine.data.quality.duplicates import NearDuplicates


class Severity(StrEnum):
    """How much a finding matters."""

    ERROR = "error"
    """Results on this dataset cannot be trusted before it is mended."""
    WARNING = "warning"
    """A person should look at it."""
    NOTE = "note"
    """Good to know when figures are read."""


@dataclass(frozen=True, slots=True)
class QualityFinding:
    """One thing that was found."""

    severity: Severity
    code: str
    """Stable name, such as `near_duplicates_cross`."""
    title: str
    """What was found, in one sentence."""
    reason: str
    """Why it matters."""
    next_step: str
    count: int
    examples: tuple[str, ...] = ()
    """A few of them; untrusted text."""


@dataclass(frozen=True, slots=True)
class AnswerRow:
    """One answer to one question, as normalisation reads it."""

    question: str
    canonical: str
    """Untrusted text where normalisation left it alone."""
    count: int
    """Images."""
    spellings: int
    """Distinct raw texts."""
    by_view: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class RareAnswer:
    """An answer that very few images have: often a common one, misspelt."""

    question: str
    raw: str
    """Its most frequent spelling; untrusted text."""
    count: int
    nearest: str
    """The common answer that it resembles most; empty where it resembles none."""


@dataclass(frozen=True, slots=True)
class OddAnswer:
    """A raw answer in which no meaning was found, such as a date where weeks belong."""

    question: str
    raw: str
    """Untrusted text."""
    count: int
    reason: str
    examples: tuple[str, ...]
    """Paths of a few images that have it."""


@dataclass(frozen=True, slots=True)
class AnswerReport:
    """What the annotators wrote."""

    distribution: tuple[AnswerRow, ...]
    """By question, the most frequent answer first."""
    rare: tuple[RareAnswer, ...]
    odd: tuple[OddAnswer, ...]
    missing: Mapping[str, int]
    """Images without an answer, by question."""
    silent: tuple[str, ...]
    """Images without any answer."""


@dataclass(frozen=True, slots=True)
class ImageFault:
    """An image file that cannot be used as it is."""

    path: str
    """Untrusted text."""
    reason: str


@dataclass(frozen=True, slots=True)
class ViewImages:
    """How the images of one view look: medians over those that were checked."""

    view: str
    images: int
    brightness: float
    """Mean grey level, 0 to 255."""
    contrast: float
    """Standard deviation of the grey levels."""
    sharpness: float
    """Standard deviation of the Laplacian at about 256 pixels."""


@dataclass(frozen=True, slots=True)
class ImageReport:
    """What the check of the images found."""

    status: CheckStatus
    checked: int
    """Images (paths) whose content has been decoded, whether or not that went well."""
    unchecked: int
    verified: bool
    """Whether all files have just been compared with the import."""
    unreadable: tuple[ImageFault, ...]
    """Those that cannot be decoded."""
    changed: tuple[ImageFault, ...]
    """Those that are missing or differ from the import, as far as somebody has looked."""
    tiny: tuple[str, ...]
    blank: tuple[str, ...]
    views: tuple[ViewImages, ...]


@dataclass(frozen=True, slots=True)
class QualityReport:
    """Everything that is known about the quality of one dataset."""

    dataset: str
    fingerprint: str
    split_fingerprint: str
    images: int
    findings: tuple[QualityFinding, ...]
    """Errors first, then warnings, then notes."""
    counts: tuple[ViewCount, ...]
    """Verdicts on Q7 by view and split."""
    answers: AnswerReport
    checks: ImageReport
    duplicates: NearDuplicates

    @property
    def errors(self) -> int:
        """Number of findings that are errors."""
        return sum(finding.severity == Severity.ERROR for finding in self.findings)
