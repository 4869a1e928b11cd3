"""Lines gathered into one entry an image; conflicts and problems stay listed with all their lines."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from engine.data.importers.disk import Match
from engine.data.importers.parsed import ParsedLine
from engine.data.importers.ranges import ranges
from engine.data.paths import storable
from engine.types import QUESTION_IDS, Problem, Split


@dataclass(frozen=True, slots=True)
class Entry:
    """One image as a source describes it, not yet looked at."""

    path: str
    """On disk, relative to the image root; the source's own words where nothing on disk fits."""
    answers: dict[str, str]
    """Raw answers by question id, in the order Q1 to Q8."""
    source: str
    """File and lines that mention the image."""
    fault: str | None = None
    """Why the image cannot be used, known before it is looked at."""
    split: Split | None = None
    """The split that the source gives it."""


@dataclass(slots=True)
class _Said:
    """What all lines say of one image."""

    answers: dict[str, dict[str, list[int]]] = field(default_factory=lambda: defaultdict(dict))
    """Lines by question and answer."""
    splits: set[Split] = field(default_factory=set)

    def lines(self) -> list[int]:
        """Every line that says something, in order."""
        return sorted({line for said in self.answers.values() for lines in said.values() for line in lines})


class Collector:
    """Gathers parsed lines whatever their order; `entries` and `problems` are the outcome."""

    def __init__(self, file_name: str, unit: str = "lines") -> None:
        self._file_name = storable(file_name, 120)
        self._unit = unit
        self._images: dict[str, _Said] = {}
        self._problems: list[tuple[int, Problem]] = []
        self.unknown_keys: Counter[str] = Counter()
        self.repeats = 0
        """Lines that say again, word for word, what another line says."""

    def add(self, number: int, line: ParsedLine) -> None:
        """Take in line `number` (from 1 on)."""
        self.unknown_keys.update(line.unknown_keys)
        for fault in line.faults:
            self.reject(number, fault.item, fault.reason)
        for question, answer in line.answers:
            image = self._images.setdefault(line.path, _Said())
            lines = image.answers[question].setdefault(answer, [])
            self.repeats += bool(lines)
            lines.append(number)
            if line.split is not None:
                image.splits.add(line.split)

    def reject(self, number: int, item: str, reason: str) -> None:
        """List a line, or a part of it, that cannot be used."""
        self._problems.append((number, Problem(self._source([number]), item, reason)))

    def paths(self) -> list[str]:
        """Every path that has at least one answer, as the source writes it."""
        return list(self._images)

    def lines(self, path: str) -> list[int]:
        """Lines that mention this path."""
        return self._images[path].lines()

    def entries(self, matches: Mapping[str, Match] | None = None) -> list[Entry]:
        """One entry an image that has at least one usable answer, in path order.

        Where lines disagree on an answer none of them is used: which one is right cannot be known from here, and
        taking the first would let the order of lines decide.

        Args:
            matches: the file that each path means; names of one file are taken together. None takes paths as they are.
        """
        entries = []
        merged: dict[str, _Said] = {}
        for path, said in self._images.items():
            match = matches[path] if matches is not None else Match(path)
            if match.fault is not None:
                entries.append(self._entry(path, said, match.fault))
            else:
                _merge(merged.setdefault(match.path, _Said()), said)
        entries += [self._entry(path, said) for path, said in merged.items()]
        return sorted((entry for entry in entries if entry.answers), key=lambda entry: (entry.path, entry.source))

    def _entry(self, path: str, said: _Said, fault: str | None = None) -> Entry:
        answers: dict[str, str] = {}
        for question in sorted(said.answers, key=QUESTION_IDS.index):
            given = said.answers[question]
            if len(given) == 1:
                answers[question] = next(iter(given))
                continue
            lines = sorted(number for each in given.values() for number in each)
            where = f"{self._unit} {ranges(lines)}"
            reason = f"{len(given)} different answers to {question} ({where}); none is used"
            self._problems.append((lines[0], Problem(self._source(lines), storable(path), reason)))
        if fault is None and len(said.splits) > 1:
            names = " and ".join(split.value for split in Split if split in said.splits)
            fault = f"its {self._unit} stand in {names}; an image can be in one split only"
        split = next(iter(said.splits)) if len(said.splits) == 1 else None
        return Entry(path, answers, self._source(said.lines()), fault, split)

    def problems(self) -> list[Problem]:
        """All problems by line; complete after `entries`."""
        return [problem for _, problem in sorted(self._problems, key=lambda each: each[0])]

    def _source(self, numbers: Sequence[int]) -> str:
        return f"{self._file_name}:{ranges(numbers)}"


def _merge(into: _Said, said: _Said) -> None:
    into.splits |= said.splits
    for question, given in said.answers.items():
        for answer, lines in given.items():
            into.answers[question].setdefault(answer, []).extend(lines)
