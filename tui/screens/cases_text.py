"""What the cases screens say in words: the head, the views, one case with what every evaluation says of it."""

from __future__ import annotations

from collections.abc import Sequence

from engine import api
from tui.screens.cases_data import CasesData, CasesWanted
from tui.screens.cases_list import SIGNS
from tui.screens.leaderboard_text import Piece
from tui.text import counted, cut
from tui.widgets.lines import Paragraph

MOST_VIEW_NAMES = 3
OUTPUT_CHARACTERS = 4000
"""Of an output on the screen; all of it is in an export, and in `sonotune cases RUN --path PATH`."""
LABEL_CELLS = 22
"""Of a label in the line above the list: it may be a long answer."""
NAME_CELLS = 60
TARGET_CHARACTERS = 120
"""Of the target above the outputs: a long one must not push them out of sight."""
NO_VIEW = "no view"


def head(data: CasesData) -> list[list[Piece]]:
    """What is looked at, what must be known before believing it, and how its cases come out."""
    subject, total = data.confusion.subject, data.confusion.all_views
    first: list[Piece] = [
        (f"{subject.question} on {subject.split} of {subject.dataset}", "bold"),
        (subject.title, "accent"),
        (f"{total.n:,} cases", "text"),
        (f"{total.not_right:,} not right", "text"),
    ]
    first += [("imported", "warn")] if subject.imported else []
    first += [(f"{subject.state}", "warn")] if subject.state != api.State.SUCCEEDED else []
    first += [(f"! {mark.kind}", "warn") for mark in subject.marks]
    notes: list[list[Piece]] = [[(note, "warn")] for note in data.found.notes]
    return [[*first, (decision_text(data.confusion), "dim")], *notes]


def decision_text(confusion: api.Confusion) -> str:
    """What makes a case normal or abnormal here."""
    subject = confusion.subject
    if subject.question != "Q7":
        return "by generated text"
    if confusion.decision is api.Decision.TEXT:
        return "by generated text · t: by threshold"
    source = subject.threshold_source or "not chosen on data"
    return f"by P(abnormal) ≥ {api.figure(subject.threshold)}, {source} · t: by text"


def where(data: CasesData, wanted: CasesWanted) -> list[list[Piece]]:
    """Which cases the list has."""
    meant, said = ("any" if each is None else cut(api.label_text(each), LABEL_CELLS) for each in data.cell)
    cell = "all cases" if data.cell == (None, None) else f"target {meant}, said {said}"
    pieces: list[Piece] = [(f"{data.found.found:,}", "bold"), (cell, "bold")]
    pieces.append((views_text(wanted.views), "accent" if wanted.views else "dim"))
    pieces += [("not right", "warn")] if wanted.not_right else []
    if wanted.differ and data.found.others:
        other = cut(data.found.others[0].name, LABEL_CELLS)
        words = {"fixed": f"only {other} is right", "broken": f"{other} is not right", "any": f"other than {other}"}
        pieces.append((words[wanted.differ], "warn"))
    pieces += [(f"filter {wanted.filter}", "warn")] if wanted.filter else []
    order = {"view": "NT first", "path": "by path", "p_abnormal": "by P(abnormal)", "latency": "by latency"}[
        wanted.sort
    ]
    return [[*pieces, (f"{order} {'▼' if wanted.descending else '▲'}", "dim")]]


def views_text(views: Sequence[str]) -> str:
    """Names of the views that are shown."""
    if not views:
        return "all views"
    if len(views) > 1 and all(api.is_nt(view) for view in views):
        return f"all {len(views)} NT views"
    return ", ".join(view or NO_VIEW for view in views[:MOST_VIEW_NAMES])


def view_choices(confusion: api.Confusion) -> list[tuple[str, ...]]:
    """What a key goes through: all views, those of nuchal translucency together, then each view."""
    names = [each.view for each in confusion.views]
    nt = tuple(name for name in names if api.is_nt(name))
    together = [nt] if 1 < len(nt) < len(names) else []
    return [(), *together, *((name,) for name in names)]


def view_paragraphs(data: CasesData) -> list[Paragraph]:
    """The views, each with how its cases come out; those in sight are marked."""
    paragraphs: list[Paragraph] = [[(f"  {'view':24}{'cases':>7}{'right':>13}{'not right':>10}", "header")]]
    for each in data.confusion.views:
        mark = "▸ " if each.view in data.confusion.shown_views else "  "
        share = f"{each.right:,} {100 * each.right / each.scored:>3.0f}%" if each.scored else "–"
        name = api.one_line(each.view or NO_VIEW)[:23]
        tone = "bold" if mark.strip() else "text"
        wrong = (f"{each.not_right:>10,}", "bad" if each.not_right else "dim")
        paragraphs.append([(f"{mark}{name:24}", tone), (f"{each.n:>7,}{share:>13}", "text"), wrong])
    return paragraphs


def row_pieces(item: api.CaseItem | None) -> list[list[Piece]]:
    """The case under the cursor, where there is no room for a pane."""
    if item is None:
        return []
    return [[(f"target  {item.target}", "bold")], [(f"output  {item.answer.output or '(nothing)'}", "text")]]


# ----- one case


def case_paragraphs(
    details: api.CaseDetails, quality: api.CaseQuality | None, decision: api.Decision, reason: str
) -> list[Paragraph]:
    """Everything that is known of one image.

    Args:
        details: the case.
        quality: what the image check has found; None while it is not known.
        decision: whether outcomes are shown by text or by threshold.
        reason: why the picture cannot be shown, "" where it can.
    """
    target, read = (_cut(each, TARGET_CHARACTERS) for each in (details.target, details.target_read))
    paragraphs: list[Paragraph] = [[("target  ", "dim"), (target, "bold")]]
    if read.casefold() != target.casefold():
        paragraphs.append([("read as ", "dim"), (read, "text")])
    problems = [details.image_problem or reason, *(() if quality is None else quality.problems)]
    paragraphs += [[("✗ ", "bad"), (problem, "bad")] for problem in dict.fromkeys(filter(None, problems))]
    for twin in () if quality is None else quality.twins:
        how = "the same bytes as" if twin.exact else f"nearly the same picture ({twin.similarity:.2f}) as"
        paragraphs.append([("! ", "warn"), (f"{how} {twin.path} in {twin.split or 'no split'}", "warn")])
    for reply in details.replies:
        paragraphs += [[], *_reply(reply, decision)]
    for reply in details.replies:
        paragraphs += _more(reply, named=len(details.replies) > 1)
    return [*paragraphs, *_annotated(details)]


def _reply(reply: api.CaseReply, decision: api.Decision) -> list[Paragraph]:
    said, found = reply.prediction, api.decided(reply, decision)
    marks = "".join(f" ! {mark.kind}" for mark in reply.subject.marks)
    title: Paragraph = [(cut(reply.subject.title, NAME_CELLS), "accent"), (marks, "warn")]
    if said is None or found is None:
        return [title, [("– not measured", "dim")]]
    outcome = found[1]
    tone = {"right": "good", "wrong": "bad", "unscored": "dim"}.get(outcome, "warn")
    return [
        title,
        [(f"{SIGNS.get(outcome, '·')} {outcome.replace('_', ' ')}: ", tone), (_cut(found[0], TARGET_CHARACTERS), tone)],
        [("“", "dim"), (f"{_cut(said.raw_output)}”", "text")],
        *([(line, "dim")] for line in _facts(reply, said)),
    ]


def _more(reply: api.CaseReply, *, named: bool) -> list[Paragraph]:
    """Likeliest candidates, answers to other questions, rules broken: below what stands side by side."""
    paragraphs: list[Paragraph] = [[(f"{share:.3f} ", "dim"), (text, "text")] for text, share in reply.candidates]
    for each in reply.elsewhere:
        sign = SIGNS.get(each.outcome, "·")
        paragraphs.append([(f"{each.question} {sign} ", "dim"), (_cut(each.raw_output), "text")])
    for rule in reply.broken:
        words = "; ".join(f"{question} {answer}" for question, answer in rule.said)
        paragraphs.append([("! ", "warn"), (f"{rule.sentence} ({words})", "warn")])
    if not paragraphs:
        return []
    return [[], [(f"{reply.subject.name} in detail" if named else "in detail", "bold")], *paragraphs]


def _facts(reply: api.CaseReply, said: api.Prediction) -> list[str]:
    """Probability against threshold, and how the output came about: a line each, where they are known."""
    lines = []
    if said.p_abnormal is not None:
        relation = "≥" if said.p_abnormal >= reply.subject.threshold else "<"
        lines.append(f"P(abnormal) {api.figure(said.p_abnormal)} {relation} {api.figure(reply.subject.threshold)}")
    parts = [counted(said.generated_tokens, "token")] if said.generated_tokens else []
    parts += [f"{said.latency_seconds:.2f} s"] if said.latency_seconds else []
    parts += ["reached the limit of tokens"] if said.cut_off else []
    return [*lines, " · ".join(parts)] if parts else lines


def _annotated(details: api.CaseDetails) -> list[Paragraph]:
    if details.image is None or not any(each.answer for each in details.image.answers):
        return []
    answers: list[Paragraph] = [
        [(f"{each.question} ", "dim"), (each.answer, "text")] for each in details.image.answers if each.answer
    ]
    return [[], [("annotated answers", "bold")], *answers]


def _cut(text: str, most: int = OUTPUT_CHARACTERS) -> str:
    if len(text) <= most:
        return text or "(nothing)"
    return f"{text[:most]} … {len(text):,} characters"


def facts(data: CasesData, wanted: CasesWanted) -> str:
    """What stands on the right of the breadcrumbs."""
    if data.problem is not None:
        return data.problem.title
    return f"{data.found.found:,} listed · {views_text(wanted.views)}"
