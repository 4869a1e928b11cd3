"""The answers of a study: a sign with its word, a sentence, and the difference as a bar around nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from engine import api
from tui.text import width_of
from tui.widgets.intervals import interval_bar
from tui.widgets.lines import Paragraph, Piece

SIGNS: dict[str, tuple[str, str]] = {
    "yes": ("✓", "good"),
    "no": ("✗", "bold"),
    "better": ("▲", "good"),
    "worse": ("▼", "bad"),
    "not distinguishable": ("≈", "text"),
    "cannot be decided": ("?", "warn"),
    "waiting": ("…", "dim"),
}
"""Sign and tone of every word that an answer can come to."""
SHORT = {"not distinguishable": "open", "cannot be decided": "undecided", "waiting": "waits"}
"""Words for columns."""
WORDS_FROM = 120
"""Cells of a line from which on the words stand in full."""
LEAST_BAR_CELLS, GOOD_BAR_CELLS, MOST_BAR_CELLS = 15, 17, 27
LIMITS = (0.05, 0.1, 0.2, 0.3, 0.5, 1.0)
"""Ends of the scale of differences; the first that has room for all of them is taken."""
THRESHOLD_KINDS = ("at_least",)
"""Kinds whose figure is that of the arm itself, on a scale from 0 to 1."""
NOTHING_ASKED = "The study file declares no decision: figures and tables stand for themselves."
SMALLEST_P = 0.001
P_FROM = ", p "
"""What parts the figures of an answer from its p value."""
BOUND = "╎"
"""Margin or threshold on a scale."""


def sign(answer: api.Answer) -> Piece:
    """The sign of an answer, with its tone."""
    return SIGNS[api.answer_word(answer)]


def mark(answer: api.Answer, width: int = 0) -> Piece:
    """The sign with its word, short unless a line has `width` cells for it, and the tone."""
    word = api.answer_word(answer)
    character, tone = SIGNS[word]
    return f"{character} {word if width >= WORDS_FROM else SHORT.get(word, word)}", tone


def mark_cells(found: Sequence[api.Answer], width: int = 0) -> int:
    """Cells of the widest mark."""
    return max((width_of(mark(answer, width)[0]) for answer in found), default=0)


def answers(result: api.StudyResult, width: int) -> list[Paragraph]:
    """Every question of the study with what it has come to; what must be read before comes first.

    Args:
        result: as far as the study is done.
        width: cells that a line has.
    """
    paragraphs: list[Paragraph] = []
    if result.missing:
        paragraphs += [[("! ", "warn"), (unfinished(result), "warn")], []]
    limit = scale_limit(result.answers)
    room = mark_cells(result.answers, width)
    cells = _bar_cells(result.answers, width, room)
    for ask, group in api.by_ask(result.answers).items():
        paragraphs.append([(ask, "bold")])
        for answer in group:
            paragraphs += _answer(answer, limit, cells, room, width)
        paragraphs.append([])
    if not result.answers:
        return [*paragraphs, [(NOTHING_ASKED, "dim")]]
    return [*paragraphs, [(_how(result.answers, limit, width), "dim")]]


def unfinished(result: api.StudyResult) -> str:
    """That the answers stand on a part of the study, and what is missing first."""
    more = f" (+{len(result.missing) - 1} more)" if len(result.missing) > 1 else ""
    return f"Answers so far, not the last word. Missing: {result.missing[0]}{more}"


def _answer(answer: api.Answer, limit: float, cells: int, room: int, width: int) -> Iterator[Paragraph]:
    word, tone = mark(answer, width)
    yield [(f" {word:<{room}} ", tone), (answer.sentence, "text")]
    found = answer.difference
    if found is None or found.value is None:
        return
    indent = " " * (room + 2)
    bar, words = difference_bar(answer, limit, cells), _figures(answer)
    if len(indent) + len(bar) + 1 + width_of(words) > width:
        words = words.replace(P_FROM, "\np ")  # broken where it means least
    yield [(indent, "dim"), *_on_a_line(bar), (" ", "dim"), (words, "dim")]


def _on_a_line(bar: str) -> list[Piece]:
    """The bar with the whole of its scale behind it, so that its place on it is seen."""
    tones = {" ": "track", BOUND: "warn"}
    groups = groupby(bar, key=lambda character: tones.get(character, "accent"))
    return [("".join(characters).replace(" ", "┈"), tone) for tone, characters in groups]


def _bar_cells(found: Sequence[api.Answer], width: int, room: int) -> int:
    """So many that the figures stand beside the bars; where that leaves too few, all of the figures but p."""
    texts = [_figures(answer) for answer in found]
    left = width - room - 4
    most = min(MOST_BAR_CELLS, width // 2 - room - 3)
    beside = left - max(map(width_of, texts), default=0)
    if beside < GOOD_BAR_CELLS:
        beside = left - max((width_of(text.partition(P_FROM)[0]) for text in texts), default=0)
    return max(LEAST_BAR_CELLS, min(most, beside))


def difference_bar(answer: api.Answer, limit: float, cells: int) -> str:
    """The difference on a scale from -`limit` to `limit` with nothing in its middle; of an arm alone, from 0 to 1.

    ╎ is what the interval is held against, where that is seen beside the bar.
    """
    found = answer.difference
    if found is None:
        return " " * cells
    if answer.kind in THRESHOLD_KINDS:
        return _with_bound(interval_bar(found.value, found.low, found.high, cells), answer.bound, 0.0, 1.0)
    odd = cells - 1 + cells % 2  # so that nothing stands in the middle of a cell
    bar = interval_bar(found.value, found.low, found.high, odd, -limit, limit, mark=0.0)
    middle = odd // 2
    bar = bar[:middle] + bar[middle].replace("─", "┼") + bar[middle + 1 :]
    return _with_bound(bar, answer.bound, -limit, limit)


def _with_bound(bar: str, bound: float | None, start: float, end: float) -> str:
    if bound is None or not start <= bound <= end:
        return bar
    place = round((bound - start) / (end - start) * (len(bar) - 1))
    return bar[:place] + BOUND + bar[place + 1 :] if bar[place] == " " else bar


def scale_limit(found: Sequence[api.Answer]) -> float:
    """The end of the scale that all differences of a study share."""
    ends = [
        abs(end)
        for answer in found
        if answer.difference is not None and answer.kind not in THRESHOLD_KINDS
        for end in (answer.difference.value, answer.difference.low, answer.difference.high, answer.bound)
        if end is not None
    ]
    return next((limit for limit in LIMITS if limit >= max(ends, default=0.0)), LIMITS[-1])


def _figures(answer: api.Answer) -> str:
    """`Q7 AUROC +0.12 (+0.07 to +0.17) n 240, p 0.002 of 4 tests`."""
    found = answer.difference
    if found is None or found.value is None:
        return ""
    write = api.figure if answer.kind in THRESHOLD_KINDS else api.signed
    ends = "" if found.low is None or found.high is None else f" ({write(found.low)} to {write(found.high)})"
    words = f"{answer.question} {api.measure_words(answer.figure)} {write(found.value)}{ends} n {found.n}"
    p = answer.p if answer.p_adjusted is None else answer.p_adjusted
    if p is not None:
        words += f"{P_FROM}{p_text(p)}" + (f" of {answer.family} tests" if answer.family > 1 else "")
    return words


def p_text(p: float) -> str:
    """`0.042`, `< 0.001`."""
    return f"< {SMALLEST_P}" if p < SMALLEST_P else f"{p:.3f}"


def _how(found: Sequence[api.Answer], limit: float, width: int) -> str:
    words = []
    if any(answer.difference is not None and answer.kind not in THRESHOLD_KINDS for answer in found):
        ends = f"{api.signed(-limit)} to {api.signed(limit)}"
        words.append(f"Differences on a scale from {ends}, its middle, ¦ or ┼, is none at all.")
    if any(answer.kind in THRESHOLD_KINDS for answer in found):
        words.append("Figures of one arm alone on a scale from 0 to 1.")
    if any(answer.bound is not None for answer in found):
        words.append(f"{BOUND} is the margin or threshold that was declared.")
    words.append("Intervals: 95 %. p is adjusted by Holm for all tests of the study.")
    short = width < WORDS_FROM and any(api.answer_word(answer) == "not distinguishable" for answer in found)
    words.append(f"{'≈ open: ' if short else ''}what cannot be told apart is not therefore equal.".capitalize())
    return " ".join(words)
