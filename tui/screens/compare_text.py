"""A comparison in paragraphs: verdict, figures with bars, tests, views, recipes, notes. Values in, paragraphs out."""

from __future__ import annotations

from engine import api
from tui.text import cut, width_of
from tui.widgets.intervals import interval_bar
from tui.widgets.lines import Paragraph

Piece = tuple[str, str]

TONES = {
    api.Standing.BETTER: "good",
    api.Standing.WORSE: "bad",
    api.Standing.SAME: "bold",
    api.Standing.UNKNOWN: "warn",
}
SIGNS = {api.Standing.BETTER: "▲", api.Standing.WORSE: "▼", api.Standing.SAME: "=", api.Standing.UNKNOWN: "?"}
CHANCE = {"balanced_accuracy": 0.5, "text_balanced_accuracy": 0.5, "auroc": 0.5, "mcc": 0.0}
FROM_MINUS_ONE = ("mcc",)
NAME_CELLS, SHORT_NAME_CELLS = 26, 15
LEAST_BAR_CELLS, MOST_BAR_CELLS = 10, 40
SCALE = "Bars go from 0 to 1 (MCC: from -1) and show the 95 % interval; ¦ is what guessing gives."
HOW = (
    "The measure with * was declared for the question before anything was measured. Two subjects are distinguishable "
    "if the 95 % paired bootstrap interval of its difference excludes 0 and p of the exact swap test, adjusted by Holm "
    "for the number of subjects, is below 0.05. Everything else stands beside it and decides nothing."
)


def head(found: api.Comparison, looks: str) -> list[Piece]:
    """What is compared; `looks` says how often the test split has been looked at, where it is that one."""
    baseline = found.subjects[0]
    return [
        (f"{found.question} on {found.split} of {found.dataset}", "bold"),
        (f"the same {found.n:,} images", "text"),
        (f"baseline: {baseline.title}", "accent"),
        *([(f"test split {looks}", "warn")] if looks else []),
    ]


def pairs_line(found: api.Comparison, chosen: int) -> list[Piece]:
    """Every subject with its standing, the chosen one marked."""
    pieces = []
    for place, pair in enumerate(found.pairs):
        mark = "▸" if place == chosen else ""
        text = f"{mark}{found.subjects[pair.subject].short} {SIGNS[pair.standing]} {pair.standing}"
        pieces.append((text, TONES[pair.standing] if place == chosen else "dim"))
    return pieces


def verdict(found: api.Comparison, pair: api.ComparedPair) -> list[Paragraph]:
    """One sentence."""
    return [[(f"{SIGNS[pair.standing]} ", TONES[pair.standing]), (api.verdict_line(found, pair), TONES[pair.standing])]]


def alarms(found: api.Comparison) -> list[Paragraph]:
    """The first of what must be known besides; the others stand among the notes."""
    if not found.notes:
        return []
    more = f"  (+{len(found.notes) - 1}: notes)" if len(found.notes) > 1 else ""
    return [[("! ", "warn"), (found.notes[0] + more, "warn")]]


# ----- figures


def figures(found: api.Comparison, pair: api.ComparedPair, width: int) -> list[Paragraph]:
    """Every measure of every subject with its interval as a bar, over them the difference of a pair; then its tests."""
    differences = {each.name: each for each in pair.differences}
    shorts = f"{found.subjects[pair.subject].short} − {found.subjects[0].short}"
    paragraphs: list[Paragraph] = []
    for name in api.compared_measures(found):
        title = api.measure_words(name) + (" *" if name == pair.primary else "")
        heading = [(f"{_padded(title, 20)} ", "header")]
        if name in differences:
            each = differences[name]
            ends = f" ({api.signed(each.low)} to {api.signed(each.high)}) n {each.n}"
            heading += [(f"{shorts}: ", "dim"), (api.signed(each.value), "bold"), (ends, "dim")]
        paragraphs.append(heading)
        paragraphs += [_score_line(subject, name, width) for subject in found.subjects]
    if not differences:
        paragraphs.append([("Nothing can be tested on these images.", "warn")])
    tests: list[Paragraph] = [[(line, "text")] for line in api.pair_tests(pair)]
    return [*paragraphs, [], *tests, [(SCALE, "dim")]]


def _score_line(subject: api.ComparedSubject, name: str, width: int) -> Paragraph:
    score = subject.score(name)
    room = NAME_CELLS if width >= 90 else SHORT_NAME_CELLS
    label = f" {_padded(subject.title if width >= 90 else _short_title(subject), room)} "
    if score is None or score.value is None:
        return [(label, "dim"), ("    –  not measured, or undefined", "dim")]
    bounds = "" if score.low is None or score.high is None else f"{api.figure(score.low)}–{api.figure(score.high)}"
    cells = max(LEAST_BAR_CELLS, min(MOST_BAR_CELLS, width - room - 32))
    start = -1.0 if name in FROM_MINUS_ONE else 0.0
    bar = interval_bar(score.value, score.low, score.high, cells, start, mark=CHANCE.get(name))
    return [
        (label, "text" if subject.reference is None else "dim"),
        (f"{api.figure(score.value):>5} ", "bold"),
        (f"{bar} ", "accent"),
        (f"{bounds:<11} n {score.n}", "dim"),
    ]


def _short_title(subject: api.ComparedSubject) -> str:
    return f"{subject.short} {subject.name}" if subject.run is not None else subject.short


def _padded(text: str, cells: int) -> str:
    short = cut(text, cells)
    return short + " " * (cells - width_of(short))


# ----- the other panes


def views(found: api.Comparison, pair: api.ComparedPair, width: int) -> list[Paragraph]:
    """Who is right how often, view by view."""
    if not pair.views:
        return [[("Nothing can be counted on these images.", "dim")]]
    room = max(14, min(34, width - 45))
    shorts = [cut(found.subjects[place].short, 9) for place in (0, pair.subject)]
    heading = f" {'view':<{room}} {'n':>6} {shorts[0]:>9} {shorts[1]:>9} {'fixed':>6} {'broken':>6}"
    lines: list[Paragraph] = [[(heading, "header")]]
    for view in pair.views:
        counts = f"{view.n:>6,} {view.right_before:>9,} {view.right_after:>9,} {view.fixed:>6,} {view.broken:>6,}"
        tone = "bad" if view.broken > view.fixed else "text"
        lines.append([(f" {_padded(view.view, room)} ", "text"), (counts, tone)])
    return [*lines, [], [("Right answers of each, and how many images changed.", "dim")]]


def recipe(found: api.Comparison, pair: api.ComparedPair) -> list[Paragraph]:
    """In what the recipes differ."""
    shorts = [found.subjects[place].short for place in (0, pair.subject)]
    if pair.recipe is None:
        return [[(pair.recipe_note, "dim")]]
    if not pair.recipe:
        return [[("The recipes are the same.", "text")]]
    lines: list[Paragraph] = [[(f"{shorts[0]} → {shorts[1]}", "header")]]
    for key, before, after in pair.recipe:
        values = f"{api.recipe_text(before)} → {api.recipe_text(after)}"
        lines.append([(f" {key:<28} ", "dim"), (values, "text")])
    return lines


def notes(found: api.Comparison) -> list[Paragraph]:
    """What to know before believing a figure."""
    lines: list[Paragraph] = [[("! ", "warn"), (note, "warn")] for note in found.notes]
    for subject in found.subjects:
        if lines:
            lines.append([])
        lines += [[(subject.title, "bold"), (f"  evaluation {subject.evaluation}, {subject.model}", "dim")]]
        if subject.threshold is not None:
            lines.append(
                [("  ", "text"), (f"P(abnormal) ≥ {subject.threshold:.3f}, {subject.threshold_source}", "text")]
            )
        lines += [[("  ! ", "warn"), (f"{mark.kind}: {mark.detail}", "warn")] for mark in subject.marks]
    lines += [[], [(f"Right: {found.decision}.", "text")], [(HOW, "dim")]]
    if found.others:
        words = ", ".join(" on ".join(each) for each in found.others)
        lines.append([(f"Also measured alike: {words}.", "text")])
    return lines


def trouble(error: api.SonotuneError) -> list[Paragraph]:
    """Why there is no comparison, and what to do."""
    lines: list[Paragraph] = [[(error.title, "bad")], []]
    lines += [[(line, "text")] for line in error.reason.split("\n") if line]
    if isinstance(error, api.OtherImagesError):
        lines += [[], *_ways_out(error)]
    elif error.next_step:
        lines += [[], [("→ ", "accent"), (error.next_step, "accent")]]
    return lines


def _ways_out(error: api.OtherImagesError) -> list[Paragraph]:
    ways: list[Paragraph] = []
    if error.measurable:
        ways.append([("m ", "accent"), ("measures them all on the same images.", "text")])
    if error.shared:
        ways.append([("c ", "accent"), (f"compares the {error.shared:,} images that all of them have.", "text")])
    if not ways:
        ways.append([("→ ", "accent"), (error.next_step, "accent")])
    return ways
