"""What an importer is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from engine.data.split import DEFAULT_SHARES
from engine.errors import DataError
from engine.types import DatasetRecord

Progress = Callable[[int, int], None]
"""Called with (done, total)."""

Measured = Callable[[DatasetRecord], int]
"""How many runs and evaluations belong to a dataset as it is; `engine.api` asks runs.db."""


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """What every importer is asked for."""

    name: str
    kind: str
    split_seed: int | None = None
    """None: that of the import before of the same source, else 0."""
    shares: tuple[float, float, float] | None = None
    """Train, validation, test. None: those of the import before of the same source, else `DEFAULT_SHARES`."""
    replace: bool = False
    """Whether a dataset of this name with other content may be replaced."""
    options: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.shares is not None and not _usable(self.shares):
            raise DataError(
                f"The split shares {self.shares} cannot be used.",
                "Three numbers for train, validation and test are needed, none negative, with a sum of 1.",
                "Use 0.8, 0.1, 0.1, for example.",
            )

    def split_rule(self, before: DatasetRecord | None) -> tuple[int, tuple[float, float, float]]:
        """Seed and shares of the split; what was not asked for is taken from the import `before`."""
        seed, shares = self.split_seed, self.shares
        if before is not None:
            seed = before.split_seed if seed is None else seed
            shares = _shares_of(before) if shares is None else shares
        return seed or 0, shares or DEFAULT_SHARES


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """What can be asked of every import from files, beside the source itself."""

    split_seed: int | None = None
    shares: tuple[float, float, float] | None = None
    replace: bool = False
    split_file: Path | None = None
    """The user's own split, see `split_file.read_split_file`."""
    split_rest: str = "refuse"
    """What becomes of images that the split file does not name: refuse, train or leave-out."""
    reread: bool = False
    """Read every image file, even those that have not changed since the import before."""
    progress: Progress | None = None
    """Called with (images checked, images)."""
    measured: Measured | None = None
    """None: nobody can say, so that every change of content needs `replace`."""


def _shares_of(record: DatasetRecord) -> tuple[float, float, float] | None:
    shares = record.options.get("shares")
    if not isinstance(shares, list) or not all(isinstance(share, int | float) for share in shares):
        return None
    found = tuple(float(share) for share in shares)
    return (found[0], found[1], found[2]) if _usable(found) else None


def _usable(shares: tuple[float, ...]) -> bool:
    return len(shares) == 3 and min(shares) >= 0 and abs(sum(shares) - 1) <= 1e-6 and shares[0] > 0
