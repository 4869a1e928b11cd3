"""How measures, subjects and figures are called on a page. Light."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from engine.formatting import UNKNOWN, figure
from engine.questions.prompts import QUESTIONS, REPORT_ID
from engine.reporting.model import Report
from engine.reporting.subject import Subject
from engine.scoring.verdicts import p_text
from engine.store.board_columns import BOARD_COLUMNS, MAIN_SCORES
from engine.text import one_line
from engine.types import Reference, Score

REFERENCES: Mapping[str, str] = {
    Reference.MAJORITY: "majority class",
    Reference.MAJORITY_BY_VIEW: "majority by view",
    Reference.SHUFFLED: "shuffled answers",
    Reference.BASE: "untuned base",
}
GREY = "grey"
"""Score that an evaluation gets from its control; the control's own figures say it better."""
LONGEST = 28
"""Characters of a name in a plot."""
TEXT_PREFIX = "text_"


def measure_title(name: str) -> str:
    """`balanced accuracy`, `AUROC`; a score that is not known here by its own name."""
    known = BOARD_COLUMNS.get(name)
    return one_line(name.replace("_", " ")) if known is None else known.title


def question_title(question: str) -> str:
    """`Q7 Normality Assessment`."""
    if question == REPORT_ID:
        return "Combined report"
    known = QUESTIONS.get(question)
    return one_line(question) if known is None else f"{question} {known.title}"


def subject_title(subject: Subject) -> str:
    """`baseline (run 3)`, `majority class`, `untuned base Qwen3-VL-8B`; on one line, untrusted."""
    if subject.reference is None:
        return f"{one_line(subject.name)} (run {subject.run})"
    title = REFERENCES.get(subject.reference, one_line(subject.reference))
    if subject.reference != Reference.BASE:
        return title
    return f"{title} ({one_line(subject.model)}{precision(subject)})"


def precision(subject: Subject) -> str:
    """`, 4bit` where a model was loaded so."""
    return f", {one_line(subject.quantization)}" if subject.quantization not in (None, "", "none") else ""


def short_title(subject: Subject) -> str:
    """As `subject_title`, cut to fit a plot; the number of a run is never cut."""
    if subject.reference is not None:
        return cut(REFERENCES.get(subject.reference, one_line(subject.reference)), LONGEST)
    tail = f" ({subject.run})"
    return cut(one_line(subject.name), LONGEST - len(tail)) + tail


def cut(text: str, length: int) -> str:
    """The beginning of a text that is too long."""
    return text if len(text) <= length else f"{text[: length - 1].rstrip()}…"


def interval_text(score: Score | None, *, n: bool = False) -> str:
    """`0.84 (0.75–0.92)`, with `n` also `, n = 304`; a dash where undefined."""
    if score is None or score.value is None:
        return UNKNOWN
    if score.name.startswith("distinct_"):
        return f"{score.value:,.0f}"  # a count, and of no sample
    ends = "" if score.low is None or score.high is None else f" ({_ends(score.low, score.high)})"
    return f"{signed(figure(score.value))}{ends}{f', n = {score.n:,}' if n else ''}"


def _ends(low: float, high: float) -> str:
    """A dash between two ends would be read as a minus sign where one of them is negative."""
    return f"{signed(figure(low))}{' to ' if low < 0 else '–'}{signed(figure(high))}"


def signed(text: str) -> str:
    """A figure with a minus sign in place of the hyphen, and without one before a zero."""
    return f"−{text[1:]}" if text.startswith("-") and text.strip("-0.") else text.removeprefix("-")


def difference_text(value: float, low: float | None, high: float | None) -> str:
    """`+0.12 (0.05 to 0.19)`; three decimals where two would hide it."""
    decimals = 2 if abs(value) >= 0.1 else 3
    if low is None or high is None:
        return signed(f"{value:+.{decimals}f}")
    return f"{signed(f'{value:+.{decimals}f}')} ({signed(f'{low:.{decimals}f}')} to {signed(f'{high:.{decimals}f}')})"


def p_cell(p: float) -> str:
    """`0.32`, `< 0.001`: a p value under a head that says so."""
    return p_text(p).removeprefix("p = ").removeprefix("p ")


def main_measures(report: Report) -> tuple[str, ...]:
    """The measures of the first table: those of the question, the one that decides first, and accuracy."""
    wanted = dict.fromkeys((report.primary, *MAIN_SCORES.get(report.group.question, ()), "accuracy"))
    measured = all_measures(report.subjects)
    texts = tuple(TEXT_PREFIX + name for name in wanted if TEXT_PREFIX + name in measured and name not in measured)
    return (*(name for name in wanted if name in measured), *texts)


def other_measures(report: Report) -> tuple[str, ...]:
    """All other measures over all cases, in the order in which the leaderboard knows them."""
    main = main_measures(report)
    order = list(BOARD_COLUMNS)
    left = [name for name in all_measures(report.subjects) if name not in main and name != GREY]
    return tuple(sorted(left, key=lambda name: (order.index(name) if name in order else len(order), name)))


def all_measures(subjects: Iterable[Subject]) -> dict[str, None]:
    """Names of the measures that any subject has a defined figure of, over all cases."""
    scores = (score for subject in subjects for score in subject.scores)
    return dict.fromkeys(score.name for score in scores if score.scope == "all" and score.value is not None)


def deciding_score(subject: Subject, primary: str) -> Score | None:
    """The figure that decides; of the generated text where there are no probabilities."""
    return subject.score(primary) or subject.score(TEXT_PREFIX + primary)


def listed(words: Iterable[str]) -> str:
    """`a, b and c`."""
    items = list(words)
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}" if items else ""


def counted(number: int, noun: str, plural: str = "") -> str:
    """`1 run`, `3 runs`."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"
