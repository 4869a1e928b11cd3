"""What the dataset screen says in words: one image, the facts line, problems."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engine import api
from tui.screens.dataset_reading import DatasetData, Wanted
from tui.screens.dataset_views import NO_VIEW
from tui.text import width_of
from tui.widgets.lines import Paragraph, Piece

SHORT_TITLES = {
    "Q1": "anatomy",
    "Q2": "position",
    "Q3": "plane",
    "Q4": "measures",
    "Q5": "age",
    "Q6": "quality",
    "Q7": "normality",
    "Q8": "advice",
}
"""What each question is about, in few cells."""
SHORT_CELLS, FULL_CELLS = 10, 25
FULL_WIDTH, FULL_HEIGHT = 58, 16
"""Room from which on the questions have their full titles."""
SHA_DIGITS = 16
SORT_WORDS = {"width": "size", "verdict": "Q7"}

NOTHING_HERE: tuple[Paragraph, ...] = (
    [("No dataset has been imported into this workspace.", "bold")],
    [],
    [(" i ", "bar_active"), (" draws phantoms and imports them: synthetic images with all eight answers.", "text")],
    [],
    [("On the command line:", "dim")],
    [("  sonotune data import phantoms", "accent")],
    [("  sonotune data import FILE.jsonl --images FOLDER", "accent")],
    [],
    [("The second reads chat lines, one question each, and images in one folder a view.", "dim")],
)


def details_paragraphs(
    details: api.ImageDetails,
    found: str,
    room: tuple[int, int],
    readings: Mapping[str, api.AnswerReading],
    flag: Sequence[Paragraph] = (),
) -> list[Paragraph]:
    """Split, label, problems, the eight answers and where the file lies.

    Args:
        found: what turned out to be wrong with the file, "" for nothing.
        room: width and height of the pane, in cells.
        readings: what the answers are read as, by question.
        flag: what else is the matter with the image.
    """
    paragraphs = _standing(details.split, details.verdict, details.view, details.problem)
    for reason in dict.fromkeys(part for part in (details.file_problem, found) if part and part != details.problem):
        paragraphs.append([("✗ ", "bad"), (reason, "bad")])
    if details.answers_problem:
        paragraphs.append([("✗ ", "bad"), (details.answers_problem, "bad")])
    paragraphs += flag
    full = room[0] >= FULL_WIDTH and room[1] >= FULL_HEIGHT
    if details.problem is None:
        paragraphs += answer_paragraphs(details, readings, room[0] - 1, full)
    paragraphs.append([("file    ", "dim"), (details.path, "text")])
    if details.width is not None:
        paragraphs.append([("size    ", "dim"), (f"{details.width}×{details.height} pixels", "text")])
    if details.sha256:
        paragraphs.append([("sha256  ", "dim"), (details.sha256[:SHA_DIGITS], "text")])
    return paragraphs


def waiting_paragraphs(item: api.ImageItem) -> list[Paragraph]:
    """What the list knows of an image, while its answers are being read."""
    return [*_standing(item.split, item.verdict, item.view, item.problem), [("reading the answers …", "dim")]]


def _standing(split: str | None, verdict: str | None, view: str, problem: str | None) -> list[Paragraph]:
    if problem:
        return [[("✗ left out: ", "bad"), (problem, "bad")]]
    label = f"Q7 {verdict}" if verdict else "Q7 unanswered"
    return [[(f"{split} · {label} · {view or NO_VIEW}", "bold")]]


def flag_paragraph(flag: api.ImageFlag | None) -> list[Paragraph]:
    """What a check says of an image, with a sign: colour alone says nothing."""
    if flag is None:
        return []
    sign, tone = flag_sign(flag)
    return [[(f"{sign} ", tone), (flag.reason, tone)]]


def flag_sign(flag: api.ImageFlag) -> tuple[str, str]:
    """The sign of a flag, and its tone."""
    if is_broken(flag):
        return "✗", "bad"
    return ("≈" if flag.kind is api.FlagKind.CROSSES else "!"), "warn"


def is_broken(flag: api.ImageFlag) -> bool:
    """Whether the image cannot be used at all."""
    return flag.kind in (api.FlagKind.UNREADABLE, api.FlagKind.CHANGED)


def answer_paragraphs(
    details: api.ImageDetails, readings: Mapping[str, api.AnswerReading], width: int, full: bool
) -> list[Paragraph]:
    """The answers as they were written, and what they are read as, where that is not the same.

    A reading stands beside its answer where there is room, else below it; in a small pane below all eight of them, so
    that none of those is pushed out of sight.
    """
    paragraphs: list[Paragraph] = []
    below: list[Paragraph] = []
    for answer in details.answers:
        title = answer.title if full else SHORT_TITLES.get(answer.question, "")
        head = f"{title:{FULL_CELLS if full else SHORT_CELLS}}"
        tone = "warn" if answer.question == "Q7" and details.verdict == "abnormal" else "text"
        text = ("-", "dim") if answer.answer is None else (answer.answer, tone)
        written = [(f"{answer.question} ", "accent"), (head, "dim"), text]
        reading = readings.get(answer.question)
        read = None if reading is None else _read_as(reading)
        if read is None:
            paragraphs.append(written)
        elif sum(width_of(api.one_line(piece)) for piece, _ in (*written, read)) < width:
            paragraphs.append([*written, (f" {read[0]}", read[1])])
        else:
            paragraphs.append(written)
            question = " " * len(answer.question) if full else answer.question
            (paragraphs if full else below).append([(f"{question} {'':{len(head)}}", "dim"), read])
    return paragraphs + below


def _read_as(reading: api.AnswerReading) -> Piece | None:
    """None where an answer is read as what it says."""
    if reading.left_alone:
        return f"? not understood: {reading.reason}", "warn"
    same = reading.canonical.casefold() == reading.raw.strip().rstrip(".").casefold()
    return None if same else (f"→ {reading.canonical}", "dim")


def problem_paragraphs(problems: Sequence[api.Problem]) -> list[Paragraph]:
    """Problems one below the other: what, why, where it was written."""
    paragraphs: list[Paragraph] = []
    for problem in problems:
        paragraphs += [[("✗ ", "bad"), (problem.item or "-", "text")], [("  ", "dim"), (problem.reason, "bad")]]
        if problem.source:
            paragraphs.append([("  ", "dim"), (problem.source, "dim")])
    return paragraphs


def facts(data: DatasetData, wanted: Wanted, problems: int, flagged: int, busy: str) -> str:
    """The line beside the breadcrumbs: what goes on, dataset, view, how many images, problems, order.

    Args:
        problems: images and lines that cannot be used.
        flagged: images that can be used, but with which something is the matter.
    """
    parts = [busy] if busy else []
    if data.current is None:
        return " · ".join([*parts, "no dataset"])
    parts += [data.current.name, "all views" if wanted.view is None else wanted.view or NO_VIEW]
    if data.problem is not None:
        return " · ".join([*parts, data.problem.title])
    shown, total = (0, 0) if data.images is None else (len(data.images.items), data.images.total)
    if wanted.problems_only:
        words = "unusable or flagged" if flagged else "unusable"
        parts += [f"{shown:,} {words}", f"P: all {problems:,} problems"]
    else:
        parts.append(f"{total:,} images" if shown == total else f"{shown:,} of {total:,} images")
        parts += [f"{problems:,} problem{'s' if problems > 1 else ''}"] if problems else []
        parts += [f"{flagged:,} flagged"] if flagged else []
    if wanted.sort != "path" or wanted.descending:
        parts.append(f"by {SORT_WORDS.get(wanted.sort, wanted.sort)} {'▼' if wanted.descending else '▲'}")
    if data.images is not None and data.images.lacks_answers:
        parts.append("imported by an older version: import again to filter by answers")
    return " · ".join(parts)
