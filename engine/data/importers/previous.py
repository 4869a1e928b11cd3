"""The import before this one, of the same name: what goes on from it, and what has changed since."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from engine.data.importers.known_files import KnownFiles, read_known_files
from engine.data.importers.report import Changes
from engine.data.manifest import open_dataset
from engine.errors import DataError
from engine.types import Case, DatasetRecord, Problem, Split
from engine.workspace import Workspace

_LINES = re.compile(r" \((?:lines|rows|entries) [0-9,-]+\)")
"""The part of a reason that moves when lines above it are added or removed."""


@dataclass(frozen=True, slots=True)
class Previous:
    """What is known of the dataset that has the name already."""

    record: DatasetRecord
    cases: Sequence[Case]
    problems: Sequence[Problem]
    known: KnownFiles
    same_source: bool
    """Whether it was imported from the same file and image root: only then this import is its continuation."""
    _by_hash: dict[str, Split] = field(default_factory=dict)
    _by_path: dict[str, Split] = field(default_factory=dict)

    def split_of(self, sha256: str, path: str) -> Split | None:
        """The split of an image then: by its bytes, else (it was exported anew) by its path; None for a new one."""
        if not self._by_path:
            for case in self.cases:
                self._by_hash.setdefault(case.sha256, case.split)
                self._by_path[case.path] = case.split
        return self._by_hash.get(sha256) or self._by_path.get(path)

    def changes(self, cases: Iterable[Case], problems: Iterable[Problem]) -> Changes:
        """What has changed between then and now."""
        then, now = _counted(self.problems), _counted(problems)
        still = (then & now).total()
        before = {case.path: (case.sha256, dict(case.answers)) for case in self.cases}
        after = {case.path: (case.sha256, dict(case.answers)) for case in cases}
        common = before.keys() & after.keys()
        return Changes(
            mended=then.total() - still,
            still=still,
            new=now.total() - still,
            added=len(after) - len(common),
            removed=len(before) - len(common),
            changed=sum(before[path] != after[path] for path in common),
        )


def load_previous(workspace: Workspace, name: str, source: tuple[object, ...]) -> Previous | None:
    """The dataset named `name` as it is; None where there is none, or none that can be read.

    Args:
        source: kind, file and image root of this import, as `source_of` tells them of a record.
    """
    try:
        dataset = open_dataset(workspace, name)
        cases, problems = dataset.cases(), dataset.problems
    except DataError:
        return None  # publishing tells a missing dataset from a damaged one
    known = read_known_files(dataset.folder)
    return Previous(dataset.record, cases, problems, known, source_of(dataset.record) == source)


def source_of(record: DatasetRecord) -> tuple[object, ...]:
    """What makes two imports imports of one source: kind, file name and image root."""
    return record.kind, record.options.get("file"), record.image_root


def _counted(problems: Iterable[Problem]) -> Counter[tuple[str, str]]:
    return Counter((problem.item, _LINES.sub("", problem.reason)) for problem in problems)
