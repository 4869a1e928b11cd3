"""From entries to a complete dataset in memory: check the images, split, fingerprint."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from engine.data.check import ImageFacts
from engine.data.fingerprint import dataset_fingerprint, split_fingerprint
from engine.data.importers.collect import Entry
from engine.data.importers.known_files import KnownFiles, Looked, look_at_images
from engine.data.importers.previous import Previous
from engine.data.importers.request import ImportRequest, Progress
from engine.data.importers.stable_split import continue_split
from engine.data.labels import case_label
from engine.data.paths import storable, view_of
from engine.data.split import SplitKey, stratified_split
from engine.errors import DataError
from engine.types import Case, DatasetRecord, Problem, Split
from engine.workspace import Workspace

CROSSING = "the same picture stands in more than one split"
"""Beginning of the problem of images that the user's own split gives different sides; both are kept."""


@dataclass(frozen=True, slots=True)
class Assembled:
    """A dataset that is complete but not yet published."""

    record: DatasetRecord
    cases: list[Case]
    problems: list[Problem]
    left_out: list[tuple[Entry, str]]
    """Images that cannot be used, and why; `problems` lists them too."""
    known: KnownFiles = field(default_factory=dict)
    """What was learned of the files, for the next import."""
    files_read: int = 0
    files_known: int = 0


def assemble(
    workspace: Workspace,
    request: ImportRequest,
    entries: Sequence[Entry],
    problems: Sequence[Problem],
    *,
    root: Path,
    recorded_root: Path | None = None,
    progress: Progress | None = None,
    previous: Previous | None = None,
    known: KnownFiles | None = None,
) -> Assembled:
    """Check every image of `entries` under `root`, split and fingerprint what is sound.

    Args:
        problems: what the importer has already left out.
        recorded_root: where the images will lie once published, when that isn't `root`.
        previous: the import that this one goes on from: its images keep their split.
        known: files that need not be read again while they are as they were.

    Raises:
        DataError: no usable image remains.
    """
    looked = _look_at(root, entries, known or {}, progress)
    outcomes = [(entry, entry.fault or look.outcome) for entry, look in zip(entries, looked, strict=True)]
    sound = [(entry, facts) for entry, facts in outcomes if isinstance(facts, ImageFacts)]
    left_out = [(entry, reason) for entry, reason in outcomes if isinstance(reason, str)]
    every_problem = [*problems, *(Problem(entry.source, storable(entry.path), reason) for entry, reason in left_out)]
    if not sound:
        raise nothing_usable(request, every_problem)
    seed, shares = request.split_rule(previous.record if previous else None)
    cases = _split_cases(sound, recorded_root or root, seed, shares, previous)
    every_problem += _crossing(cases)
    record = DatasetRecord(
        name=request.name,
        kind=request.kind,
        fingerprint=dataset_fingerprint(cases),
        split_fingerprint=split_fingerprint(cases),
        split_seed=seed,
        image_root=portable(recorded_root or root, workspace),
        images=len(cases),
        problems=len(every_problem),
        created_at=time.time(),
        options={**request.options, "shares": list(shares), "identical_images": _repeated_images(cases)},
    )
    return Assembled(
        record,
        cases,
        every_problem,
        left_out,
        known={
            entry.path: (look.stamp, look.outcome)
            for entry, look in zip(entries, looked, strict=True)
            if look.stamp is not None and isinstance(look.outcome, ImageFacts)
        },
        files_read=sum(look.read for look in looked),
        files_known=sum(not look.read and isinstance(look.outcome, ImageFacts) for look in looked),
    )


def portable(root: Path, workspace: Workspace) -> str:
    """An image root as a record holds it: relative where it lies in the workspace, so that it can move with it."""
    resolved = root.resolve()
    return str(resolved.relative_to(workspace.root) if resolved.is_relative_to(workspace.root) else resolved)


def nothing_usable(request: ImportRequest, problems: Sequence[Problem]) -> DataError:
    """The error for an import of which nothing remains, with its most frequent reasons."""
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


def _look_at(root: Path, entries: Sequence[Entry], known: KnownFiles, progress: Progress | None) -> list[Looked]:
    """One look an entry, in their order; entries with a fault are not looked at."""
    places = [place for place, entry in enumerate(entries) if entry.fault is None]
    looked = [Looked(entry.fault or "", None, False) for entry in entries]
    done = len(entries) - len(places)
    for place, look in look_at_images(root, [entries[place].path for place in places], known):
        looked[places[place]] = look
        done += 1
        if progress is not None:
            progress(done, len(entries))
    return looked


def _split_cases(
    sound: Sequence[tuple[Entry, ImageFacts]],
    root: Path,
    seed: int,
    shares: tuple[float, float, float],
    previous: Previous | None,
) -> list[Case]:
    ordered = sorted(sound, key=lambda pair: pair[0].path)
    keys = [SplitKey(facts.sha256, view_of(entry.path), case_label(entry.answers)) for entry, facts in ordered]
    given = [_given_split(entry, facts, previous) for entry, facts in ordered]
    splits = continue_split(keys, given, seed, shares) if any(given) else stratified_split(keys, seed, shares)
    return [
        _case(index, entry, facts, split, root)
        for index, ((entry, facts), split) in enumerate(zip(ordered, splits, strict=True))
    ]


def _given_split(entry: Entry, facts: ImageFacts, previous: Previous | None) -> Split | None:
    if entry.split is not None or previous is None:
        return entry.split
    return previous.split_of(facts.sha256, entry.path)


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
    """How many images repeat the bytes of another one; our own split keeps them together."""
    return len(cases) - len({case.sha256 for case in cases})


def _crossing(cases: Sequence[Case]) -> list[Problem]:
    """Pictures that stand in several splits under different names: only a split from outside can do that."""
    alike: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        alike[case.sha256].append(case)
    problems = []
    for members in alike.values():
        if len({case.split for case in members}) > 1:
            names = ", ".join(f"{case.path} in {case.split}" for case in members[:6])
            problems.append(Problem("split", storable(members[0].path), storable(f"{CROSSING}: {names}; all are kept")))
    return problems
