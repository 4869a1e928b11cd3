"""Lines gathered into one entry an image; conflicts and problems stay listed with all their lines."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from engine.data.importers.chat import ParsedLine
from engine.data.paths import storable
from engine.types import QUESTION_IDS, Problem


@dataclass(frozen=True, slots=True)
class Entry:
    """One image as a source describes it, not yet looked at."""

    path: str
    answers: dict[str, str]
    """Raw answers by question id, in the order Q1 to Q8."""
    source: str
    """File and lines that mention the image."""


class Collector:
    """Gathers parsed lines whatever their order; `entries` and `problems` are the outcome."""

    def __init__(self, file_name: str) -> None:
        self._file_name = storable(file_name, 120)
        self._images: dict[str, dict[str, dict[str, list[int]]]] = defaultdict(lambda: defaultdict(dict))
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
            lines = self._images[line.path][question].setdefault(answer, [])
            self.repeats += bool(lines)
            lines.append(number)

    def reject(self, number: int, item: str, reason: str) -> None:
        """List a line, or a part of it, that cannot be used."""
        self._problems.append((number, Problem(self._source([number]), item, reason)))

    def entries(self) -> list[Entry]:
        """One entry an image that has at least one usable answer, in path order.

        Where lines disagree on an answer none of them is used: which one is right cannot be known from here, and
        taking the first would let the order of lines decide.
        """
        entries = []
        for path in sorted(self._images):
            answers: dict[str, str] = {}
            numbers: set[int] = set()
            for question in sorted(self._images[path], key=QUESTION_IDS.index):
                said = self._images[path][question]
                lines = sorted(number for each in said.values() for number in each)
                numbers.update(lines)
                if len(said) == 1:
                    answers[question] = next(iter(said))
                else:
                    reason = f"{len(said)} different answers to {question} (lines {ranges(lines)}); none is used"
                    self._problems.append((lines[0], Problem(self._source(lines), storable(path), reason)))
            if answers:
                entries.append(Entry(path, answers, self._source(sorted(numbers))))
        return entries

    def problems(self) -> list[Problem]:
        """All problems by line; complete after `entries`."""
        return [problem for _, problem in sorted(self._problems, key=lambda each: each[0])]

    def _source(self, numbers: Sequence[int]) -> str:
        return f"{self._file_name}:{ranges(numbers)}"


def ranges(numbers: Iterable[int]) -> str:
    """Sorted numbers in short form: 1, 2, 3, 8 becomes "1-3,8"."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number <= runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in runs)
