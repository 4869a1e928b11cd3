"""Adapters and checkpoints of runs: whether they are there, and what was written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from engine.errors import StoreError
from engine.files import sha256_of
from engine.maintenance.fault import Fault
from engine.store.records import RunRow
from engine.training.checkpoints import NAME, fault_of
from engine.training.whole import standing
from engine.types import ACTIVE, State
from engine.workspace import Workspace

WEIGHTS = "adapter_model.safetensors"
_GOES_ON = frozenset(State) - {*ACTIVE, State.SUCCEEDED}
"""States from which a run may go on from a checkpoint."""


def adapters(workspace: Workspace, runs: Iterable[RunRow], *, quick: bool) -> Iterator[Fault]:
    """Adapters that are gone, or (read in full, unless `quick`) are not those that were saved."""
    for run in runs:
        if run.adapter_path is None or run.adapter_sha256 is None:
            continue
        weights = standing(workspace.root / run.adapter_path) / WEIGHTS
        if not weights.is_file():
            yield Fault(
                f"The adapter of run {run.id} is gone: there is no {weights}",
                "Put it back from a copy; otherwise train the run again.",
            )
        elif not quick and sha256_of(weights) != run.adapter_sha256:
            yield Fault(
                f"The adapter of run {run.id} is not the one that was saved: {weights}",
                "Put it back from a copy; evaluations of it are refused until then.",
            )


def checkpoints(workspace: Workspace, runs: Iterable[RunRow]) -> Iterator[Fault]:
    """Checkpoints, read in full, that a run could not go on from; those of runs that have ended well, or are at work,
    are nobody's way on."""
    for run in runs:
        if run.state not in _GOES_ON:
            continue
        try:
            folder = workspace.job_folder(run.directory) / "checkpoints"
        except StoreError:
            continue  # the folder of a foreign row; whoever goes on with it is told
        for path in sorted(folder.glob("checkpoint-*")) if folder.is_dir() else ():
            if NAME.fullmatch(path.name) and (fault := fault_of(path)):
                yield Fault(
                    f"{path.name} of run {run.id} cannot be used: {fault}",
                    f"Put it back from a copy; without it `sonotune resume {run.id}` takes an earlier one, or begins "
                    "anew.",
                )
