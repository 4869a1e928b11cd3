"""The words around one study: head, question, alarms, and the pane about it. Values in, paragraphs out."""

from __future__ import annotations

from engine import api
from tui.screens.studies_model import StudyRow
from tui.screens.studies_text import Piece, arms, declared, first_problem, progress_words
from tui.text import counted
from tui.widgets.lines import Paragraph

FINGERPRINT_CELLS = 12


def head(row: StudyRow, result: api.StudyResult | None) -> list[Piece]:
    """Data, split, what varies, seeds."""
    pieces: list[Piece] = []
    if result is not None:
        pieces.append((f"{result.split} of {result.dataset}", "bold"))
        pieces += [(_cases(result), "text")] if result.n else []
    elif row.state is not None:
        pieces.append((f"{row.state.split} of {row.state.dataset}", "bold"))
    if row.varies:
        pieces.append((f"varies {', '.join(row.varies)}", "accent"))
    if result is not None and result.split == api.Split.TEST:
        pieces.append((f"{counted(result.looks, 'look')} at the test split so far", "warn"))
    return pieces


def _cases(result: api.StudyResult) -> str:
    cases = f"{result.n:,} images"
    return cases if result.abnormal is None else f"{cases}, {result.abnormal:,} abnormal"


def question(row: StudyRow) -> list[Paragraph]:
    """What the study asks, or why its file cannot be read."""
    if row.state is None:
        return [[(first_problem(row), "bad")]]
    return [[(row.state.question, "text")]]


def alarms(row: StudyRow, result: api.StudyResult | None) -> list[Paragraph]:
    """The first of what must be known before a figure is read, and how many more there are."""
    found = [*_warnings(row, result), *_troubles(row)]
    if not found:
        return []
    more = f"  (+{len(found) - 1}: about)" if len(found) > 1 else ""
    return [[("! ", "warn"), (found[0] + more, "warn")]]


def facts(row: StudyRow) -> str:
    """How far it is."""
    return f"{row.done}/{len(row.cells)} cells · {progress_words(row)[0]}"


def _warnings(row: StudyRow, result: api.StudyResult | None) -> list[str]:
    own = () if row.state is None else row.state.warnings
    return list(dict.fromkeys([*own, *(() if result is None else result.warnings)]))


def _troubles(row: StudyRow) -> list[str]:
    return [f"{cell.name}: {cell.trouble}" for cell in row.cells if cell.trouble]


def about(row: StudyRow, result: api.StudyResult | None, width: int) -> list[Paragraph]:
    """Everything that is declared: the rules of decision, the arms; what is warned of; what the data are."""
    if row.state is None:
        return []
    lines: list[Paragraph] = [[("decisions, declared in the study file", "header")]]
    lines += [[(" · ", "dim"), (rule, "text")] for rule in row.rules] or [[(" none", "dim")]]
    lines += [[], *arms(row, row.state, width)]
    warnings, troubles = _warnings(row, result), _troubles(row)
    if warnings or troubles:
        lines += [[], [("to know first", "header")]]
        lines += [[("! ", "warn"), (warning, "warn")] for warning in warnings]
        lines += [[("✗ ", "bad"), (trouble, "bad")] for trouble in troubles]
    if result is not None and result.missing:
        lines += [[], [("missing", "header")], *([(" · ", "dim"), (each, "text")] for each in result.missing)]
    return [*lines, [], [("data and machine", "header")], *declared(row, row.state), *_prints(result)]


def _prints(result: api.StudyResult | None) -> list[Paragraph]:
    """Fingerprints and evaluations: whether two results stand on the same."""
    if result is None:
        return []
    pairs = (
        ("dataset", result.dataset_fingerprint[:FINGERPRINT_CELLS]),
        ("split", result.split_fingerprint[:FINGERPRINT_CELLS]),
        ("cases", result.cases_fingerprint[:FINGERPRINT_CELLS]),
        ("from", f"evaluations {', '.join(map(str, result.evaluations))}"),
    )
    return [[(f"{name:<9}", "dim"), (value, "text")] for name, value in pairs if value]


def no_run(cell: api.StudyCell) -> str:
    """What to say where a cell has no run to open."""
    if cell.untuned:
        return f"{cell.arm} is the untuned model: it is measured, and nothing is trained."
    return f"{cell.name} has no run yet: L queues what is missing."
