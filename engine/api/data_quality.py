"""The quality of a dataset, and another split of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine.data.manifest import ViewCount, open_dataset
from engine.errors import DataError
from engine.types import DatasetRecord, Problem, Split, State
from engine.workspace import Workspace

if TYPE_CHECKING:
    from engine.data.manifest import Dataset
    from engine.data.quality.checking import CheckOutcome
    from engine.data.resplit import Plan

Progress = Callable[[int, int], None]
"""Called with (done, total)."""
SplitReader = Callable[[Path, Sequence[str]], Mapping[str, Split]]
"""Reads a split file for these paths."""


class MeasuredSplitError(DataError):
    """Runs or evaluations belong to the split that would be replaced."""


@dataclass(frozen=True, slots=True)
class MeasuredOnSplit:
    """What belongs to the present split of a dataset."""

    runs: int
    evaluations: int
    waiting: int
    """Those of them that have not ended; they would fail, because the split is not that of their launch."""


@dataclass(frozen=True, slots=True)
class Resplit:
    """What another split has changed."""

    record: DatasetRecord
    counts: list[ViewCount]
    old_split_fingerprint: str
    moved: int
    """Images that are in another split now."""
    kept_together: int
    """Groups of near-duplicates that share a split."""
    crossing: int
    """Pairs of near-duplicate or equal images in different splits; 0 unless that was asked for, or a chain was cut."""
    measured: MeasuredOnSplit
    """What was measured on the old split; it keeps its figures and is not ranked together with what comes."""


def check_images(
    workspace: Workspace, name: str, progress: Progress | None = None, *, processes: int | None = None
) -> CheckOutcome:
    """Decode every image that has not been checked yet, then settle the leak marks of what was measured on them.

    Args:
        workspace: with the dataset.
        name: of the dataset.
        progress: called with (images known, images).
        processes: how many decode; None for one a core.

    Raises:
        DataError: there is no such dataset, or the results cannot be written.
        StoreError: the marks cannot be written; the next check goes on from there.
    """
    from engine.data.quality import background
    from engine.evaluation.leaks import settle_leaks

    return background.check_images(
        workspace, name, progress, processes=processes, settle=lambda: settle_leaks(workspace, name)
    )


def compare_files(
    workspace: Workspace, name: str, progress: Progress | None = None, *, skip: Collection[str] = ()
) -> list[Problem]:
    """Read every image again: what has changed since the import, empty when nothing has.

    Args:
        skip: paths that have just been read and compared, as `CheckOutcome.read` has them.
    """
    from engine.data.verify import verify_dataset

    return verify_dataset(open_dataset(workspace, name), progress, skip=skip)


def measured_on_split(workspace: Workspace, name: str) -> MeasuredOnSplit:
    """Which runs and evaluations belong to a dataset with its present split."""
    from engine.store.reader import Reader

    record = open_dataset(workspace, name).record
    reader = Reader.open_or_none(workspace)
    if reader is None:
        return MeasuredOnSplit(0, 0, 0)
    with reader:
        jobs = [
            [
                row.state
                for row in rows
                if (row.dataset, row.split_fingerprint) == (record.name, record.split_fingerprint)
            ]
            for rows in (reader.runs(), reader.evaluations())
        ]
    alive = (State.QUEUED, State.STARTING, State.RUNNING)
    return MeasuredOnSplit(len(jobs[0]), len(jobs[1]), sum(state in alive for states in jobs for state in states))


def resplit_dataset(
    workspace: Workspace,
    name: str,
    *,
    seed: int | None = None,
    shares: tuple[float, float, float] | None = None,
    keep_near_duplicates: bool = True,
    file: Path | None = None,
    rest: str = "refuse",
    replace: bool = False,
    progress: Progress | None = None,
    read_file: SplitReader | None = None,
) -> Resplit:
    """Give a dataset another split; images, answers and their fingerprint stay as they are.

    Args:
        seed: of the stratified split; None: that of the dataset.
        shares: of train, validation and test; None: those of the dataset.
        keep_near_duplicates: whether near-duplicates share a split; images that were not checked yet are checked first.
            Equal images always share one.
        file: the user's own split instead; nothing is moved then to keep images together.
        rest: what becomes of images that `file` does not name: `refuse`, or `train`.
        replace: whether the split may be replaced although something was measured on it.
        progress: called with (images checked, images).
        read_file: another reader of `file`.

    Raises:
        MeasuredSplitError: runs or evaluations belong to the present split, and `replace` is off.
        DataError: there is no such dataset, the file does not fit it, or the files cannot be written.
    """
    if file is None and keep_near_duplicates:
        check_images(workspace, name, progress)
    dataset = open_dataset(workspace, name)
    plan = _plan(dataset, seed, shares, keep_near_duplicates, file, read_file or _reader(rest))
    measured = measured_on_split(workspace, name)
    if plan.changes:
        _require_replaceable(name, measured, replace)
        _publish(workspace, plan)
    now = open_dataset(workspace, name)
    return Resplit(
        record=now.record,
        counts=now.counts(),
        old_split_fingerprint=dataset.record.split_fingerprint,
        moved=plan.moved,
        kept_together=plan.groups,
        crossing=_crossing(plan),
        measured=measured,
    )


def _reader(rest: str) -> SplitReader:
    def read(file: Path, paths: Sequence[str]) -> Mapping[str, Split]:
        from engine.data.importers.split_file import read_split_file

        return read_split_file(file, paths, rest=rest)

    return read


def _plan(
    dataset: Dataset,
    seed: int | None,
    shares: tuple[float, float, float] | None,
    keep_near_duplicates: bool,
    file: Path | None,
    read_file: SplitReader,
) -> Plan:
    from engine.data.quality.cache import CheckCache
    from engine.data.quality.duplicates import content_groups
    from engine.data.resplit import plan_given_split, plan_split, shares_of

    cases = dataset.cases()
    if file is not None:
        return plan_given_split(dataset, cases, read_file(file, [case.path for case in cases]), file)
    groups = {}
    if keep_near_duplicates:
        groups = content_groups(dataset.folder, cases, CheckCache(dataset.folder).read())
    record = dataset.record
    return plan_split(dataset, cases, record.split_seed if seed is None else seed, shares or shares_of(record), groups)


def _require_replaceable(name: str, measured: MeasuredOnSplit, replace: bool) -> None:
    if replace or not (measured.runs or measured.evaluations):
        return
    waiting = f" {measured.waiting} of them have not ended, and would fail." if measured.waiting else ""
    raise MeasuredSplitError(
        f"The split of {name} has been measured on already; nothing was changed.",
        f"{measured.runs} runs and {measured.evaluations} evaluations belong to it. They would keep their figures, but "
        f"are not ranked together with those of a new split.{waiting}",
        "Pass `--replace` to split it all the same, or import it under another name.",
    )


def _publish(workspace: Workspace, plan: Plan) -> None:
    from engine.data.resplit import publish_split
    from engine.store.reader import Reader
    from engine.store.writer import Writer

    reader = Reader.open_or_none(workspace)
    left_out = []
    if reader is not None:
        with reader:
            left_out = reader.image_problems(plan.record.name)
    with Writer.open(workspace) as writer:
        publish_split(workspace, plan, left_out, writer.record_dataset)


def _crossing(plan: Plan) -> int:
    from engine.data.quality.cache import CheckCache
    from engine.data.quality.duplicates import near_duplicates

    folder = plan.dataset.folder
    found = near_duplicates(folder, plan.cases, CheckCache(folder).read())
    return found.near_crossing + found.exact_crossing
