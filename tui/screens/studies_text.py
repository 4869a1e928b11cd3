"""What the board of studies says in words. Values in, pieces of text and paragraphs out; all names are untrusted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from engine import api
from tui.screens.studies_model import GLYPHS, ORDER, SIGNS, TONES, StudyRow
from tui.screens.study_answers import mark, mark_cells, sign, unfinished
from tui.text import bar, counted, fit, width_of
from tui.widgets.lines import Paragraph

Piece = tuple[str, str]
"""Text and its tone."""

MOST_SIGNS = 8
"""Answers whose signs stand before the words on the board."""
ARM_CELLS = 30
LEGEND: tuple[Piece, ...] = tuple((f"{GLYPHS[each]} {each}", TONES[each]) for each in ORDER)
RESEARCH: Piece = ("Research only, not for clinical use.", "dim")
LEFT_OUT = "optional, left out: a takes it in"
NO_STUDY = "This file cannot be read as a study."
NOTHING_THERE = "No study files: assets/studies of the workspace may have some."


def facts(rows: Sequence[StudyRow], scale: str) -> str:
    """The board in a few words."""
    good = [row for row in rows if row.state is not None]
    finished = sum(bool(row.cells) and row.state is not None and row.state.complete for row in good)
    cells = sum(len(row.cells) for row in good)
    parts = [f"scale {scale}"] if scale else []
    parts += [f"{finished}/{len(good)} studies", f"{sum(row.done for row in good)}/{cells} cells"]
    broken = len(rows) - len(good)
    return " · ".join([*parts, f"{broken} broken"] if broken else parts)


def progress_words(row: StudyRow) -> Piece:
    """What matters most about how far a study is, and its tone."""
    counts = row.counts
    if counts["failed"]:
        return f"{counts['failed']} failed", "bad"
    if counts["running"] or counts["measuring"]:
        shares = [cell.progress for cell in row.cells if cell.progress is not None]
        first = f" {max(shares):.0%}" if shares else ""
        return f"{SIGNS['running']} {counts['running'] + counts['measuring']} running{first}", "good"
    if counts["queued"]:
        return f"{SIGNS['queued']} {counts['queued']} queued", "accent"
    if counts["interrupted"]:
        return f"{SIGNS['interrupted']} {counts['interrupted']} interrupted", "warn"
    if row.cells and row.state is not None and row.state.complete:
        return f"{SIGNS['done']} complete", "good"
    if row.cells and row.state is not None and row.state.cells_done:
        return f"{row.state.references_done}/{row.state.references} references", "warn"
    return row.about or counted(counts["missing"], "run") + " missing", "dim"


def answer_so_far(row: StudyRow) -> list[Piece]:
    """One line: the signs of all answers and what they come to, or why there is none."""
    if row.state is None:
        return [(first_problem(row), "bad")]
    found = row.result
    if found is not None and found.answers:
        so_far = "  " if found.complete else "  so far: "
        if len(found.answers) == 1:
            return [mark(found.answers[0]), (so_far + found.answers[0].sentence, "text")]
        signs = [sign(answer) for answer in found.answers[:MOST_SIGNS]]
        return [*signs, (so_far + " · ".join(api.summaries(found)), "text")]
    if not row.begun:
        return [("not begun", "dim"), (f"  {row.obstacle or row.state.question}", "dim")]
    words = f"{row.done} of {counted(len(row.cells), 'cell')} done"
    if row.done < len(row.cells):
        return [(f"{words}, no answer yet", "dim")]
    # Controls and reference rows may still be measured: an answer would be another one a moment later.
    return [(words + ("; controls are still measured" if row.state.working else "; answers not worked out yet"), "dim")]


def first_problem(row: StudyRow) -> str:
    """The first fault of a file, and how many more there are."""
    more = f" (+{len(row.problems) - 1} more)" if len(row.problems) > 1 else ""
    return next(iter(row.problems), NO_STUDY) + more


# ----- beside the board


def about(row: StudyRow | None, width: int) -> list[Paragraph]:
    """The chosen study whole: its question, its arms with how far they are, its answers."""
    if row is None:
        return []
    if row.state is None:
        title: Paragraph = [(row.name, "bold")]
        return [title, [], [(NO_STUDY, "bad")], *([(" · ", "dim"), (problem, "text")] for problem in row.problems)]
    return [*_head(row, row.state), [], *arms(row, row.state, width), [], *_answers(row)]


def _head(row: StudyRow, state: api.StudyState) -> Iterator[Paragraph]:
    yield [(row.title, "bold"), (f"  {row.name} at scale {row.scale} ({state.scale_reason})", "dim")]
    yield [(state.question, "text")]
    yield []
    yield from declared(row, state)
    for warning in state.warnings:
        yield [("! ", "warn"), (warning, "warn")]


def declared(row: StudyRow, state: api.StudyState) -> Iterator[Paragraph]:
    """Machine, note, data, what varies."""
    pairs = (
        ("machine", state.machine),
        ("note", state.note),
        ("data", f"{state.split} of {state.dataset}"),
        ("varies", ", ".join(row.varies)),
    )
    for name, value in pairs:
        if value:
            yield [(f"{name:<9}", "dim"), (value, "text")]
    if row.obstacle:
        yield [("first    ", "dim"), (row.obstacle, "warn")]


def arms(row: StudyRow, state: api.StudyState, width: int) -> list[Paragraph]:
    """Every arm on a line: its seeds by their signs, and what it is."""
    found: dict[str, list[api.StudyCell]] = {}
    for cell in row.cells:
        found.setdefault(cell.arm, []).append(cell)
    room = min(ARM_CELLS, max((width_of(name) for name in found), default=0), max(8, width // 3))
    lines: list[Paragraph] = [[("arms", "header")]]
    for name, cells in found.items():
        pieces: list[Piece] = [(f" {fit(name, room)}  ", "text")]
        pieces += [(SIGNS[cell.stage], TONES[cell.stage]) for cell in cells]
        lines.append([*pieces, (f"  {_arm_words(cells)}", "dim")])
    lines += [[(f" {fit(name, room)}  ", "dim"), (LEFT_OUT, "dim")] for name in state.left_out]
    return lines


def _arm_words(cells: Sequence[api.StudyCell]) -> str:
    shares = [cell.progress for cell in cells if cell.progress is not None]
    parts = [f"{bar(max(shares), 10)} {max(shares):.0%}"] if shares else []
    parts += [cells[0].note] if cells[0].note else ["untuned"] if cells[0].untuned else []
    return ", ".join(parts)


def _answers(row: StudyRow) -> Iterator[Paragraph]:
    yield [("answers", "header")]
    found = row.result
    if found is None:
        for rule in row.rules:
            yield [(" · ", "dim"), (rule, "text")]
        return
    if found.missing:
        yield [("! ", "warn"), (unfinished(found), "warn")]
    room = mark_cells(found.answers)
    for ask, group in api.by_ask(found.answers).items():
        yield [(f" {ask}", "dim")]
        for answer in group:
            word, tone = mark(answer)
            yield [(f"   {word:<{room}} ", tone), (answer.sentence, "text")]
