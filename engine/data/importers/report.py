"""What an import forgave, noticed and changed: `tolerances.json` beside the manifest."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from engine.data.files import write_durably
from engine.data.importers.ranges import ranges
from engine.data.paths import storable
from engine.errors import DataError

REPORT = "tolerances.json"
FORMAT = 1
MOST_EXAMPLES = 1000
"""Of one notice; its count tells the whole number."""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """One difference between a source and the disk (or the expected form) that the import forgave."""

    kind: str
    """What was forgiven, such as `letter case`."""
    said: str
    """As the source writes it; untrusted text."""
    found: str
    """What it was taken for; untrusted text."""
    source: str
    """File and rows (or lines) in which it was needed."""
    entries: int
    """How many rows."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that a person should know; nothing was left out because of it."""

    title: str
    """In one phrase, without numbers, such as `images on disk without a row`."""
    count: int
    examples: list[str] = field(default_factory=list)
    """Untrusted text."""
    loud: bool = False
    """Whether results would be wrong if this were overlooked."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What differs from the import before, of the same source."""

    mended: int
    """Problems that are gone."""
    still: int
    """Problems that were there before."""
    new: int
    """Problems that were not."""
    added: int
    """Images."""
    removed: int
    changed: int
    """Images that have other answers or other bytes now."""


@dataclass(frozen=True, slots=True)
class ImportReport:
    """Everything about the latest import that is neither an image nor a problem."""

    tolerances: list[Tolerance] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    changes: Changes | None = None
    """None for the first import of a source."""
    files_read: int = 0
    """Image files that were read from disk."""
    files_known: int = 0
    """Image files that have not changed since the import before, and were not read again."""

    def tolerances_by_kind(self) -> list[tuple[str, int, Tolerance]]:
        """(kind, rows, first example) of every kind of tolerance, the most frequent first."""
        rows: Counter[str] = Counter()
        first: dict[str, Tolerance] = {}
        for tolerance in self.tolerances:
            rows[tolerance.kind] += tolerance.entries
            first.setdefault(tolerance.kind, tolerance)
        return [(kind, count, first[kind]) for kind, count in rows.most_common()]


class Tolerances:
    """Gathers tolerances; rows that needed the same one share an entry."""

    def __init__(self, file_name: str) -> None:
        self._file_name = storable(file_name, 120)
        self._rows: dict[tuple[str, str, str], set[int]] = {}

    def add(self, kind: str, said: str, found: str, rows: Iterable[int]) -> None:
        """Note that `said` was taken for `found` in `rows`; 0 stands for no row in particular."""
        self._rows.setdefault((kind, storable(said), storable(found)), set()).update(rows)

    def listed(self) -> list[Tolerance]:
        """All of them, by the first row that needed each."""
        ordered = sorted(self._rows.items(), key=lambda item: (min(item[1], default=0), item[0]))
        return [Tolerance(kind, said, found, self._source(rows), len(rows)) for (kind, said, found), rows in ordered]

    def _source(self, rows: set[int]) -> str:
        numbers = ranges(sorted(rows - {0}))
        return f"{self._file_name}:{numbers}" if numbers else self._file_name


def notice(title: str, examples: Sequence[str], *, count: int | None = None, loud: bool = False) -> Notice:
    """A notice whose examples are cut to what a file should hold."""
    shown = [storable(example) for example in examples[:MOST_EXAMPLES]]
    return Notice(title, len(examples) if count is None else count, shown, loud)


def write_report(folder: Path, report: ImportReport, key: str) -> None:
    """Write the report into the folder of a dataset. Raises OSError.

    Args:
        key: fingerprint of the content that it tells of; a new split of the same content keeps its report.
    """
    content = {"format": FORMAT, "key": key, **asdict(report)}
    text = json.dumps(content, ensure_ascii=True, separators=(",", ":"))
    write_durably(folder / f"{REPORT}.tmp", text.encode("ascii") + b"\n")
    (folder / f"{REPORT}.tmp").replace(folder / REPORT)


def read_report(folder: Path, key: str) -> ImportReport:
    """The report of the latest import; an empty one where the importer leaves none, or an older version did.

    Raises:
        DataError: the file is damaged.
    """
    try:
        content = json.loads((folder / REPORT).read_bytes())
        if content.get("format") != FORMAT or content.get("key") != key:
            return ImportReport()  # of an import that was interrupted before its manifest, or of another version
        return _report(content)
    except FileNotFoundError:
        return ImportReport()
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise DataError(
            f"The import report of the dataset {folder.name} is damaged.",
            f"{REPORT}: {type(error).__name__}: {error}",
            "Import the dataset again; images, answers and scores are not touched.",
        ) from error


def _report(content: Mapping[str, Any]) -> ImportReport:
    return ImportReport(
        tolerances=[Tolerance(**row) for row in content["tolerances"]],
        notices=[Notice(**row) for row in content["notices"]],
        changes=None if content["changes"] is None else Changes(**content["changes"]),
        files_read=content["files_read"],
        files_known=content["files_known"],
    )
