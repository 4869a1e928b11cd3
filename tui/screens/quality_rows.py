"""The rows of the quality page's tables; they are made in a thread, because there may be thousands."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from engine import api
from tui.screens.dataset_lists import SPLIT_WORDS, end_of
from tui.screens.dataset_text import SHORT_TITLES
from tui.widgets.lines import Piece
from tui.widgets.table import Cell, Column, Table

SIGNS = {
    api.Severity.ERROR: ("✗", "bad"),
    api.Severity.WARNING: ("!", "warn"),
    api.Severity.NOTE: ("○", "dim"),
}
"""Sign and tone of a severity: colour alone says nothing."""
PATHS = ("one", "other", "path")
"""Columns whose texts differ at their end."""

FINDING_COLUMNS = (
    Column("sign", "", 1),
    Column("severity", "", 7),
    Column("title", "finding", 30, flex=1),
)
PAIR_COLUMNS = (
    Column("sign", "", 1),
    Column("one", "image", 14, flex=1),
    Column("one_split", "split", 5),
    Column("other", "other image", 14, flex=1),
    Column("other_split", "split", 5),
    Column("similarity", "alike", 5, align="right"),
)
UNUSUAL_COLUMNS = (
    Column("question", "", 2),
    Column("kind", "", 10),
    Column("images", "images", 6, align="right"),
    Column("raw", "answer as written", 20, flex=1),
    Column("reads", "why, or what it resembles", 24, flex=1),
)
READING_COLUMNS = (
    Column("sign", "", 1),
    Column("images", "images", 6, align="right"),
    Column("raw", "answer as written", 20, flex=1),
    Column("reads", "is read as", 18, flex=1),
    Column("how", "how, or why not", 20, flex=1),
)
FAULT_COLUMNS = (
    Column("sign", "", 1),
    Column("kind", "", 10),
    Column("path", "image", 24, flex=1),
    Column("why", "why", 24, flex=1),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One row: texts (may be untrusted) with their tones, by column."""

    key: Hashable
    cells: dict[str, Piece]


class RowsModel:
    """Rows as they are given."""

    def __init__(self, table: Callable[[], Table]) -> None:
        self._table = table
        self.rows: Sequence[Row] = ()

    def row_count(self) -> int:
        """Rows there are."""
        return len(self.rows)

    def row_key(self, row: int) -> Hashable:
        """Key of a row."""
        return self.rows[row].key

    def row_cells(self, row: int, columns: Sequence[Column], widths: Sequence[int]) -> list[Cell]:
        """Cells of a row."""
        cells, palette = self.rows[row].cells, self._table().palette
        shown: list[Cell] = []
        for column, width in zip(columns, widths, strict=True):
            text, tone = cells[column.key]
            shown.append((end_of(text, width) if column.key in PATHS else text, palette.named(tone)))
        return shown


def finding_rows(report: api.QualityReport) -> list[Row]:
    """The findings, by severity; the key is the place in the report."""
    rows = []
    for place, finding in enumerate(report.findings):
        sign, tone = SIGNS[finding.severity]
        title = (finding.title, "text" if tone == "dim" else tone)
        cells = {"sign": (sign, tone), "severity": (finding.severity.value, tone), "title": title}
        rows.append(Row(place, cells))
    return rows


def all_pairs(report: api.QualityReport) -> list[api.Pair]:
    """Equal and near-duplicate pairs; those that cross a split first, and of them the equal ones."""
    found = report.duplicates
    return sorted((*found.exact_pairs, *found.pairs), key=lambda pair: not pair.crosses)


def pair_rows(pairs: Sequence[api.Pair]) -> list[Row]:
    """Pairs; the key is the place in the list."""
    rows = []
    for place, pair in enumerate(pairs):
        tone = "bad" if pair.crosses else "text"
        cells = {
            "sign": ("✗" if pair.crosses else " ", tone),
            "one": (pair.path_a, "text"),
            "one_split": (SPLIT_WORDS[pair.split_a], tone),
            "other": (pair.path_b, "text"),
            "other_split": (SPLIT_WORDS[pair.split_b], tone),
            "similarity": ("equal" if pair.exact else f"{pair.similarity:.2f}", "text"),
        }
        rows.append(Row(place, cells))
    return rows


def unusual_rows(report: api.QualityReport) -> list[Row]:
    """Answers that cannot be read, then rare ones; the key is (question, answer as written)."""
    rows = []
    for odd in report.answers.odd:
        cells = {"question": (odd.question, "accent"), "kind": ("! unread", "warn"), "reads": (odd.reason, "warn")}
        cells |= {"images": (f"{odd.count:,}", "text"), "raw": (odd.raw, "text")}
        rows.append(Row((odd.question, odd.raw), cells))
    for rare in report.answers.rare:
        near = (f"near: {rare.nearest}", "text") if rare.nearest else ("resembles no common one", "dim")
        cells = {"question": (rare.question, "accent"), "kind": ("rare", "dim"), "reads": near}
        cells |= {"images": (f"{rare.count:,}", "text"), "raw": (rare.raw, "text")}
        rows.append(Row((rare.question, rare.raw), cells))
    return rows


def reading_rows(readings: Sequence[api.AnswerReading]) -> list[Row]:
    """What became of each distinct answer to one question; the key is (question, answer as written)."""
    rows = []
    for each in readings:
        how = each.reason or " + ".join(each.layers) or "as it stands"
        tone = "warn" if each.left_alone else "text"
        cells = {
            "sign": ("?" if each.left_alone else " ", tone),
            "images": (f"{each.images:,}", "text"),
            "raw": (each.raw, "text"),
            "reads": ("left alone" if each.left_alone else each.canonical, tone),
            "how": (how, tone if each.left_alone else "dim"),
        }
        rows.append(Row((each.question, each.raw), cells))
    return rows


def fault_rows(report: api.QualityReport) -> list[Row]:
    """Images with which something is the matter, the gravest first; the key is (kind, path)."""
    checks = report.checks
    faults = [("unreadable", fault.path, fault.reason) for fault in checks.unreadable]
    faults += [("changed", fault.path, fault.reason) for fault in checks.changed]
    faults += [("blank", path, "one grey level, nothing to see") for path in checks.blank]
    faults += [("tiny", path, "fewer than 64 pixels on a side") for path in checks.tiny]
    faults += [("unanswered", path, "no answer to any question") for path in report.answers.silent]
    rows = []
    for kind, path, why in faults:
        sign, tone = ("✗", "bad") if kind in ("unreadable", "changed") else ("!", "warn")
        cells = {"sign": (sign, tone), "kind": (kind, tone), "path": (path, "text"), "why": (why, "dim")}
        rows.append(Row((kind, path), cells))
    return rows


def question_title(question: str) -> str:
    """Such as `Q7 normality`."""
    return f"{question} {SHORT_TITLES[question]}"
