"""Errors of data loader processes, brought over as what they are.

Torch raises in the main process an error whose title is the whole traceback of the other one; the row of a run should
name the image instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from torch.utils.data import get_worker_info

from engine.errors import SonotuneError

CARRIED = "carried_error"
"""Key of a batch that could not be made; its value is the error."""

Collate = Callable[[Sequence[Mapping[str, Any]]], dict[str, Any]]


class Carrying:
    """A collator whose errors, in a data loader process, are handed over in place of the batch."""

    def __init__(self, collate: Collate) -> None:
        self.collate = collate

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """The batch; in the main process errors are simply raised."""
        if get_worker_info() is None:
            return self.collate(rows)
        try:
            return self.collate(rows)
        except SonotuneError as error:
            return {CARRIED: error}


def unpacked(batches: Iterable[Any]) -> Iterator[Any]:
    """Batches as they come; an error that one of them carries is raised.

    Raises:
        SonotuneError: such an error.
    """
    for batch in batches:
        if isinstance(batch, Mapping) and CARRIED in batch:
            raise batch[CARRIED]
        yield batch
