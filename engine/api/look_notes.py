"""How often a test split has been looked at, in a few words for the head of a leaderboard."""

from __future__ import annotations

from engine.api.browsing import Source, reading
from engine.types import Split


def looks_note(source: Source, dataset: str, split: Split | str) -> str:
    """`looked at 3 times` for the present test split of a dataset; one short query.

    Returns:
        "" for other splits, for a dataset that is gone, and where the ledger is empty.

    Raises:
        StoreError: nothing has been recorded yet, or it cannot be read.
    """
    if str(split) != Split.TEST:
        return ""
    with reading(source) as reader:
        record = reader.dataset(dataset)
        count = 0 if record is None else len(reader.test_looks(dataset, record.split_fingerprint))
    return f"looked at {'once' if count == 1 else f'{count:,} times'}" if count else ""
