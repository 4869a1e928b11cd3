"""From entries to a complete dataset in memory: check the images, split, fingerprint."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from engine.data.check import ImageFacts, check_image
from engine.data.fingerprint import dataset_fingerprint, split_fingerprint
from engine.data.importers.collect import Entry
from engine.data.labels import case_label
from engine.data.paths import storable, view_of
from engine.data.split import DEFAULT_SHARES, SplitKey, stratified_split
from engine.errors import DataError
from engine.types import Case, DatasetRecord, Problem, Split
from engine.workspace import Workspace

Progress = Callable[[int, int], None]
"""Called with (done, total)."""

CHECK_THREADS = 2
"""Reading and hashing release the interpreter lock; more threads than this gain nothing on two cores."""


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """What every importer is asked for."""

    name: str
    kind: str
    split_seed: int = 0
    shares: tuple[float, float, float] = DEFAULT_SHARES
    replace: bool = False
    """Whether a dataset of this name with other content may be replaced."""
    options: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.shares) != 3 or min(self.shares) < 0 or abs(sum(self.shares) - 1) > 1e-6 or not self.shares[0]:
            raise DataError(
                f"The split shares {self.shares} cannot be used.",
                "Three numbers for train, validation and test are needed, none negative, with a sum of 1.",
                "Use 0.8, 0.1, 0.1, for example.",
            )


@dataclass(frozen=True, slots=True)
class Assembled:
    """A dataset that is complete but not yet published."""

    record: DatasetRecord
    cases: list[Case]
    problems: list[Problem]
    left_out: list[tuple[Entry, str]]
    """Images that cannot be used, and why; `problems` lists them too."""


def assemble(
    workspace: Workspace,
    request: ImportRequest,
    entries: Sequence[Entry],
    problems: Sequence[Problem],
    *,
    root: Path,
    recorded_root: Path | None = None,
    progress: Progress | None = None,
) -> Assembled:
    """Check every image of `entries` under `root`, split and fingerprint what is sound.

    Args:
        problems: what the importer has already left out.
        recorded_root: where the images will lie once published, when that isn't `root`.

    Raises:
        DataError: no usable image remains.
    """
    outcomes = _check_all(root, entries, progress)
    sound = [(entry, facts) for entry, facts in outcomes if isinstance(facts, ImageFacts)]
    left_out = [(entry, reason) for entry, reason in outcomes if isinstance(reason, str)]
    every_problem = [*problems, *(Problem(entry.source, storable(entry.path), reason) for entry, reason in left_out)]
    if not sound:
        raise _nothing_usable(request, every_problem)
    cases = _split_cases(sound, request, recorded_root or root)
    record = DatasetRecord(
        name=request.name,
        kind=request.kind,
        fingerprint=dataset_fingerprint(cases),
        split_fingerprint=split_fingerprint(cases),
        split_seed=request.split_seed,
        image_root=_portable(recorded_root or root, workspace),
        images=len(cases),
        problems=len(every_problem),
        created_at=time.time(),
        options={**request.options, "shares": list(request.shares), "identical_images": _repeated_images(cases)},
    )
    return Assembled(record, cases, every_problem, left_out)


def _check_all(root: Path, entries: Sequence[Entry], progress: Progress | None) -> list[tuple[Entry, ImageFacts | str]]:
    outcomes = []
    with ThreadPoolExecutor(CHECK_THREADS) as pool:
        for entry, facts in zip(entries, pool.map(lambda each: check_image(root, each.path), entries), strict=True):
            outcomes.append((entry, facts))
            if progress is not None:
                progress(len(outcomes), len(entries))
    return outcomes


def _split_cases(sound: Sequence[tuple[Entry, ImageFacts]], request: ImportRequest, root: Path) -> list[Case]:
    ordered = sorted(sound, key=lambda pair: pair[0].path)
    keys = [SplitKey(facts.sha256, view_of(entry.path), case_label(entry.answers)) for entry, facts in ordered]
    splits = stratified_split(keys, request.split_seed, request.shares)
    return [
        _case(index, entry, facts, split, root)
        for index, ((entry, facts), split) in enumerate(zip(ordered, splits, strict=True))
    ]


def _case(index: int, entry: Entry, facts: ImageFacts, split: Split, root: Path) -> Case:
    return Case(
        index=index,
        path=entry.path,
        file=root / entry.path,
        view=view_of(entry.path),
        split=split,
        answers=entry.answers,
        sha256=facts.sha256,
        width=facts.width,
        height=facts.height,
    )


def _repeated_images(cases: Sequence[Case]) -> int:
    """How many images repeat the bytes of another one; they share its split."""
    return len(cases) - len({case.sha256 for case in cases})


def _portable(root: Path, workspace: Workspace) -> str:
    resolved = root.resolve()
    return str(resolved.relative_to(workspace.root) if resolved.is_relative_to(workspace.root) else resolved)


def _nothing_usable(request: ImportRequest, problems: Sequence[Problem]) -> DataError:
    reasons = Counter(problem.reason for problem in problems)
    examples = {problem.reason: problem for problem in reversed(problems)}
    lines = [
        f"- {count} x {reason} (first: {examples[reason].source} {examples[reason].item})"
        for reason, count in reasons.most_common(5)
    ]
    if len(reasons) > 5:
        lines.append(f"- and {len(reasons) - 5} other reasons")
    return DataError(
        f"Nothing usable was found for the dataset {request.name}; nothing was changed.",
        "\n".join(lines) or "The file holds no entries.",
        "Mend the entries named above, or check the image root: image paths are relative to it.",
    )
