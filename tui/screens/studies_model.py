"""What the screens of studies show, as plain values: made in the poller's thread, compared there, painted on theirs."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from engine import api

ORDER = ("done", "measuring", "running", "queued", "interrupted", "failed", "missing")
"""Stages of cells, those that are furthest first."""
GLYPHS = dict(zip(ORDER, "█▒▓░‖✗·", strict=True))
"""Characters of a bar; the tone says the same."""
SIGNS = dict(zip(ORDER, "✓▷▶…‖✗·", strict=True))
TONES = dict(zip(ORDER, ("good", "accent", "accent", "text", "warn", "bad", "dim"), strict=True))
_ABOUT = re.compile(r"about [0-9][^,;.]*")


@dataclass(frozen=True, slots=True)
class StudyRow:
    """One study at one scale, or a file that cannot be read as one."""

    name: str
    state: api.StudyState | None
    """None where the file has problems."""
    result: api.StudyResult | None = None
    """For what is measured now, where it has been worked out."""
    problems: tuple[str, ...] = ()
    """The faults of a file that cannot be read; untrusted text."""
    varies: tuple[str, ...] = ()
    """Recipe keys in which its arms differ."""
    rules: tuple[str, ...] = ()
    """What it decides and by which rule, a sentence each."""
    key: str = ""
    """What its result depends on: measurements, marks, looks, the file itself."""

    @property
    def title(self) -> str:
        """Title, or the name of a file that cannot be read."""
        return self.name if self.state is None else self.state.title

    @property
    def scale(self) -> str:
        """The scale that it stands at."""
        return "" if self.state is None else self.state.scale

    @property
    def cells(self) -> tuple[api.StudyCell, ...]:
        """Arms at their seeds."""
        return () if self.state is None else self.state.cells

    @property
    def counts(self) -> Counter[str]:
        """Cells by stage."""
        return Counter(str(cell.stage) for cell in self.cells)

    @property
    def done(self) -> int:
        """Cells that are trained and measured."""
        return self.counts["done"]

    @property
    def begun(self) -> bool:
        """Whether there is anything of it."""
        return any(cell.run_id is not None or cell.targets_done or cell.stage != "missing" for cell in self.cells)

    @property
    def about(self) -> str:
        """How long it takes by its file, such as `about 5 minutes`; "" where that is not said."""
        found = None if self.state is None else _ABOUT.search(self.state.machine)
        return found.group() if found else ""

    @property
    def obstacle(self) -> str:
        """What stands in the way of a launch, or is done first by it; "" for nothing."""
        if self.state is None or not self.state.dataset_problem:
            return ""
        if self.state.can_draw:
            return f"a launch draws the dataset {self.state.dataset} first"
        return self.state.dataset_problem


def glyphs(row: StudyRow, width: int) -> list[tuple[str, str]]:
    """Cells as a bar of `width` characters: runs of one character with its tone, those that are done first.

    Every way of standing that occurs has a character at least, as long as there is room for all of them.
    """
    counts = row.counts
    present = [stage for stage in ORDER if counts[stage]]
    if not present or width < len(present):
        return [(" " * max(0, width), "dim")]
    spare, total = width - len(present), sum(counts.values())
    # Each stage has one; the others are dealt by its share of the cells, what is left over to the largest remainders.
    shares = {stage: 1 + counts[stage] * spare // total for stage in present}
    for stage in sorted(present, key=lambda each: -(counts[each] * spare % total))[: width - sum(shares.values())]:
        shares[stage] += 1
    return [(GLYPHS[stage] * shares[stage], TONES[stage]) for stage in present]


def is_bar(text: str) -> bool:
    """Whether a piece is part of such a bar."""
    return len(text) > 0 and set(text) == {text[0]} and text[0] in GLYPHS.values()
