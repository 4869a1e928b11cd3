"""What an import did and what a dataset holds, in words, JSON and CSV."""

from __future__ import annotations

import csv
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.table import Table

from engine import api
from engine.cli.console import new_table, output, print_json, shown
from engine.text import plain

if TYPE_CHECKING:
    from engine.data.importers.report import Changes, ImportReport, Notice, Tolerance

SHOWN = 10
"""Lines of each list in the summary; the lists themselves are printed whole."""


def print_summary(summary: api.DatasetSummary, as_json: bool) -> None:
    """Print one dataset: counts, what was left out, what was forgiven and noticed."""
    if as_json:
        print_json(asdict(summary))
        return
    record = summary.record
    _line(f"{record.name} ({record.kind}): {record.images} images, {record.problems} problems")
    _line(f"fingerprint {record.fingerprint[:12]}, split {record.split_fingerprint[:12]}")
    if summary.report is not None:
        _print_loud(summary.report.notices)
    output.print(_counts(summary))
    for reason, number in Counter(problem.reason for problem in summary.problems).most_common(SHOWN):
        _line(f"left out {number}: {reason}")
    for problem in summary.problems[:SHOWN]:
        _line(f"  {problem.source}: {problem.item[:200]}: {problem.reason}")
    if len(summary.problems) > SHOWN:
        _line(f"  … and {len(summary.problems) - SHOWN} more: --problems lists all")
    if summary.report is not None:
        _print_report(summary.report)


def print_problems(summary: api.DatasetSummary, as_json: bool, as_csv: bool) -> None:
    """Print everything that the import left out: file and row, what stands there, why."""
    rows = [asdict(problem) for problem in summary.problems]
    _print_rows(rows, ("source", "item", "reason"), as_json, as_csv, "Nothing was left out.")


def print_tolerances(summary: api.DatasetSummary, as_json: bool, as_csv: bool) -> None:
    """Print every difference that the import forgave."""
    tolerances = summary.report.tolerances if summary.report is not None else []
    rows = [asdict(tolerance) for tolerance in tolerances]
    _print_rows(rows, ("source", "kind", "said", "found", "entries"), as_json, as_csv, "Nothing had to be forgiven.")


def _print_rows(rows: list[dict[str, Any]], keys: Sequence[str], as_json: bool, as_csv: bool, none: str) -> None:
    if as_json:
        print_json(rows)
    elif as_csv:
        writer = csv.writer(sys.stdout)
        writer.writerow(keys)
        writer.writerows([_csv_cell(row[key]) for key in keys] for row in rows)
    elif not rows:
        output.print(none)
    else:
        for row in rows:
            _line(": ".join(str(row[key]) for key in keys))


def _csv_cell(value: object) -> object:
    """A cell without control characters, and none that a spreadsheet would take for a formula."""
    if not isinstance(value, str):
        return value
    text = plain(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


def _print_loud(notices: Iterable[Notice]) -> None:
    for notice in notices:
        if notice.loud:
            _line(f"! {notice.count}: {notice.title}", "bold red")
            for example in notice.examples[:3]:
                _line(f"    {example}")


def _print_report(report: ImportReport) -> None:
    for kind, rows, example in report.tolerances_by_kind():
        _line(f"forgiven {rows}: {kind} ({_example(example)})")
    for notice in report.notices:
        if not notice.loud:
            _line(f"noticed {notice.count}: {notice.title} ({'; '.join(notice.examples[:3])[:200]})")
    if report.files_known or report.files_read:
        _line(f"{report.files_read} image files read, {report.files_known} unchanged since the import before")
    if report.changes is not None:
        _line(_changes(report.changes))


def _example(tolerance: Tolerance) -> str:
    found = f' for "{tolerance.found[:60]}"' if tolerance.found else ""
    return f'"{tolerance.said[:60]}"{found}, {tolerance.source[:60]}'


def _changes(changes: Changes) -> str:
    """The difference from the import before, in one sentence."""
    entries = "entry" if changes.mended == 1 else "entries"
    parts = [f"{changes.mended} {entries} mended", f"{changes.still} still rejected"]
    if changes.new:
        parts.append(f"{changes.new} newly rejected")
    words = (("added", changes.added), ("removed", changes.removed), ("changed", changes.changed))
    moved = [f"{number} {word}" for word, number in words if number]
    return ", ".join(parts) + (f"; images: {', '.join(moved)}" if moved else "; images as before")


def _counts(summary: api.DatasetSummary) -> Table:
    """One row a view: images of each split, the abnormal ones after the stroke."""
    table = new_table("view", "train", "validation", "test", title="images / abnormal", right=(1, 2, 3))
    cells = {(count.view, str(count.split)): f"{count.total} / {count.abnormal}" for count in summary.counts}
    for view in sorted({view for view, _ in cells}):
        table.add_row(shown(view), *(cells.get((view, split), "–") for split in ("train", "validation", "test")))
    return table


def _line(text: str, style: str = "") -> None:
    output.print(shown(text, style), soft_wrap=True)
