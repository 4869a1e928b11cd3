"""The sections of `data check` as tables that fit 80 columns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from engine import api
from engine.cli.console import new_table, output, say, shown
from engine.formatting import figure

LISTED = 40
"""Lines of a table; --json has all of them."""
SYMBOLS = {"error": ("✗", "bold red"), "warning": ("!", "yellow"), "note": ("·", "dim")}


def _overview(report: api.QualityReport) -> None:
    checks = report.checks
    files = "files compared with the import" if checks.verified else "files not compared with the import"
    output.print(
        shown(f"{report.dataset}: {report.images:,} images, {checks.checked:,} of them decoded, {files}"),
        soft_wrap=True,
    )
    if not any(finding.severity != "note" for finding in report.findings):
        output.print("Nothing is wrong with it.")
    for finding in report.findings:
        symbol, style = SYMBOLS[finding.severity]
        output.print(shown(f"{symbol} {finding.severity}: {finding.title}", style))
        output.print(shown(f"  {finding.reason}"))
        for example in finding.examples:
            output.print(shown(f"    {example}"))
        output.print(shown(f"  → {finding.next_step}"))
    _classes(report)


def _classes(report: api.QualityReport) -> None:
    table = new_table("view", "normal", "abnormal", "unclear", "unread", "no answer", right=(1, 2, 3, 4, 5))
    cells: dict[str, list[int]] = defaultdict(lambda: [0] * 5)
    for count in report.counts:
        row = (count.normal, count.abnormal, count.unclear, count.unparseable, count.unanswered)
        cells[count.view] = [a + b for a, b in zip(cells[count.view], row, strict=True)]
    for view, numbers in sorted(cells.items()):
        table.add_row(shown(view), *(f"{number:,}" for number in numbers))
    output.print(table)


def _answers(report: api.QualityReport) -> None:
    table = new_table("question", "answer as it is read", "images", "views", "spellings", right=(2, 3, 4))
    by_question: dict[str, int] = defaultdict(int)
    for row in report.answers.distribution:
        by_question[row.question] += 1
        if by_question[row.question] <= LISTED // 4:
            cells = (f"{row.count:,}", str(len(row.by_view)), str(row.spellings))
            table.add_row(row.question, shown(row.canonical), *cells)
    output.print(table)
    cut = {question: number for question, number in by_question.items() if number > LISTED // 4}
    if cut:
        rest = ", ".join(f"{question} {number:,}" for question, number in cut.items())
        say(f"Distinct answers in all: {rest}. --json lists them with their views.")


def _rare(report: api.QualityReport) -> None:
    if not report.answers.rare:
        output.print("No answer is rare.")
        return
    table = new_table("question", "answer of one or two images", "images", "nearest common one", right=(2,))
    for rare in report.answers.rare[:LISTED]:
        table.add_row(rare.question, shown(rare.raw), str(rare.count), shown(rare.nearest or "–"))
    output.print(table)
    _say_rest(len(report.answers.rare))


def _odd(report: api.QualityReport) -> None:
    if not report.answers.odd:
        output.print("Every answer can be read.")
        return
    table = new_table("question", "answer that cannot be read", "images", "why", right=(2,))
    for odd in report.answers.odd[:LISTED]:
        table.add_row(odd.question, shown(odd.raw), f"{odd.count:,}", shown(odd.reason))
    output.print(table)
    _say_rest(len(report.answers.odd))


def _images(report: api.QualityReport) -> None:
    table = new_table("view", "decoded", "brightness", "contrast", "sharpness", right=(1, 2, 3, 4), title="medians")
    for view in report.checks.views:
        figures = (f"{value:.0f}" for value in (view.brightness, view.contrast, view.sharpness))
        table.add_row(shown(view.view), f"{view.images:,}", *figures)
    output.print(table)
    faults = [*report.checks.unreadable, *report.checks.changed]
    lines = [f"{fault.path}: {fault.reason}" for fault in faults]
    lines += [f"{path}: blank" for path in report.checks.blank]
    lines += [f"{path}: tiny" for path in report.checks.tiny]
    for line in lines[:LISTED]:
        output.print(shown(line), soft_wrap=True)
    _say_rest(len(lines))


def _duplicates(report: api.QualityReport) -> None:
    found = report.duplicates
    output.print(
        shown(
            f"{found.compared:,} distinct images compared, {found.left_out:,} left out (not checked, undecodable, tiny "
            f"or blank); {found.near:,} near-duplicate pairs, {found.near_crossing:,} of them across splits; "
            f"{found.exact:,} repeated files"
        )
    )
    pairs = sorted((*found.exact_pairs, *found.pairs), key=lambda pair: not pair.crosses)
    if not pairs:
        return
    table = new_table("one", "other", "bits", "similarity", right=(2, 3))
    for pair in pairs[:LISTED]:
        one, other = (
            shown(f"{path}\n{part}") for path, part in ((pair.path_a, pair.split_a), (pair.path_b, pair.split_b))
        )
        table.add_row(one, other, str(pair.distance), "equal" if pair.exact else figure(pair.similarity))
    output.print(table)
    _say_rest(len(pairs))


def _say_rest(number: int) -> None:
    if number > LISTED:
        say(f"… and {number - LISTED:,} more: --json lists them.")


SECTIONS: dict[str, Callable[[api.QualityReport], None]] = {
    "overview": _overview,
    "answers": _answers,
    "rare": _rare,
    "odd": _odd,
    "images": _images,
    "duplicates": _duplicates,
}
"""What can be shown, in order."""
