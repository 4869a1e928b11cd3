"""The test-set ledger: every look at a test split is asked for with a purpose, recorded and shown.

A test split tells the truth once. Whoever looks again and again, and keeps what looked best, has tuned on it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from engine.api.measuring import Measurement
from engine.data.manifest import open_dataset
from engine.errors import UsageError
from engine.store.reader import Reader
from engine.types import BLANK, Split
from engine.workspace import Workspace


class UnconfirmedTestError(UsageError):
    """The test split would be looked at, and nobody has said why."""


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a test split."""

    time: float
    """Unix seconds; when it was asked for."""
    dataset: str
    split_fingerprint: str
    current: bool
    """It was a look at the split as the dataset has it now."""
    evaluation: int
    run: int | None
    name: str
    """Of the run; untrusted text."""
    question: str
    purpose: str
    """Untrusted text."""


def looks(workspace: Workspace, dataset: str) -> list[Look]:
    """The ledger of a dataset, oldest look first.

    Raises:
        DataError: there is no such dataset.
    """
    present = open_dataset(workspace, dataset).record.split_fingerprint
    reader = Reader.open_or_none(workspace)
    if reader is None:
        return []
    found = []
    with reader:
        for look in reader.test_looks(dataset):
            row = reader.evaluation(look.evaluation_id)
            current = look.split_fingerprint == present
            subject = (row.id, row.run_id, row.name, row.question)
            found.append(Look(look.time, dataset, look.split_fingerprint, current, *subject, look.purpose))
    return found


def require_purpose(workspace: Workspace, measurements: Iterable[Measurement], purpose: str) -> None:
    """Refuse measurements on a test split without a purpose.

    Raises:
        UnconfirmedTestError: it says how often that split has been looked at already.
    """
    looking = (each for each in measurements if each.split == Split.TEST and each.degradation != BLANK)
    for dataset in sorted({each.dataset for each in looking}):
        require_look(workspace, dataset, purpose)


def require_look(workspace: Workspace, dataset: str, purpose: str) -> None:
    """Refuse a look at the test split of one dataset without a purpose.

    Raises:
        UnconfirmedTestError: it says how often that split has been looked at already.
    """
    if purpose.strip():
        return
    raise UnconfirmedTestError(
        f"The test split of {dataset} is not looked at without a reason",
        f"{looks_so_far(workspace, dataset)} Each look that guides a decision makes the next one worth less.",
        'Say why with --test-purpose "final comparison of the sizes", or measure on validation.',
    )


def looks_so_far(workspace: Workspace, dataset: str) -> str:
    """A sentence on the looks at the present test split of a dataset."""
    count = sum(look.current for look in looks(workspace, dataset))
    if not count:
        return "Nobody has looked at it yet."
    return f"It has been looked at {count} time{'s' if count > 1 else ''} already."
