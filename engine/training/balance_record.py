"""How the training was balanced, as the line of a run's history that says it, and read back from that line."""

from __future__ import annotations

import re
from dataclasses import dataclass

BALANCE_EVENT = "balance"
"""Kind of the event that holds the line."""


@dataclass(frozen=True, slots=True)
class BalanceCounts:
    """Images by verdict before and after balance; questions to one image count once."""

    how: str
    """oversample or synthetic."""
    abnormal: int
    """Real abnormal training images."""
    judged: int
    """Real training images whose answer to Q7 is normal or abnormal."""
    added: int
    """Abnormal samples that were added."""
    wanted: float
    """The share that was asked for."""
    short: bool = False
    """The share was not reached, because one image may be the source of only so many synthetic ones."""

    @property
    def share_before(self) -> float:
        """Abnormal share of the real images, 0 to 1."""
        return self.abnormal / self.judged

    @property
    def share(self) -> float:
        """Abnormal share of what is trained on, 0 to 1."""
        return (self.abnormal + self.added) / (self.judged + self.added)


_ADDED = {"oversample": "repeats of them", "synthetic": "synthetic ones made from them"}
_SHORT = "; less than asked for, because no more are made from one image"
_LINE = re.compile(
    r"(?P<abnormal>\d+) real abnormal of (?P<judged>\d+) images \([\d.]+ %\); "
    r"(?P<added>\d+) (?P<how>repeats of them|synthetic ones made from them), share [\d.]+ % "
    r"\(asked for (?P<wanted>[\d.e-]+) %\)(?P<short>; less than asked for, [\w ]+)?; in training alone"
)


def balance_words(counts: BalanceCounts) -> str:
    """The line of the history; `read_balance` reads it."""
    return (
        f"{counts.abnormal} real abnormal of {counts.judged} images ({counts.share_before:.1%}); "
        f"{counts.added} {_ADDED[counts.how]}, share {counts.share:.1%} (asked for {100 * counts.wanted:.10g}%)"
        f"{_SHORT if counts.short else ''}; in training alone"
    ).replace("%", " %")


def read_balance(line: str) -> BalanceCounts | None:
    """The counts that `balance_words` wrote; None for another text."""
    found = _LINE.fullmatch(line)
    if found is None:
        return None
    how = next(how for how, words in _ADDED.items() if words == found["how"])
    return BalanceCounts(
        how,
        int(found["abnormal"]),
        int(found["judged"]),
        int(found["added"]),
        float(found["wanted"]) / 100,
        found["short"] is not None,
    )
