"""What `sonotune cases` prints: confusion tables, views, cases one below the other, one case in full. 80 columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rich.text import Text

from engine import api
from engine.cli.console import RESEARCH_NOTE, new_table, output, shown
from engine.formatting import figure
from engine.types import Outcome, Prediction

OUTPUT_CHARACTERS = 240
"""Of an output in a list; --path, --json and --csv have all of it."""
NAME_CHARACTERS = 24
STYLES: Mapping[str, str] = {Outcome.RIGHT: "green", Outcome.WRONG: "red"}
"""Beside the word itself; everything else is no answer, and yellow."""


def has_probabilities(confusion: api.Confusion) -> bool:
    """Whether any case of a table by threshold has a probability."""
    table = confusion.table
    return any(table.count(column=label).n for label in table.columns[:2])


def print_confusion(confusion: api.Confusion, other: api.Confusion | None) -> None:
    """The table, the same by threshold where there is one, what must be known of it, and how each view comes out."""
    subject, total = confusion.subject, confusion.all_views
    title = shown(api.one_line(f"{subject.question} on {subject.split} of {subject.dataset}: {subject.title}"), "bold")
    output.print(title.append_text(shown(f"  evaluation {subject.evaluation}, {total.n} cases", "dim")))
    if subject.imported:
        output.print(shown("Imported: the predictions were made by another tool.", "dim"))
    for mark in subject.marks:
        output.print(shown(api.one_line(f"! {mark.kind}: {mark.detail}"), "yellow"))
    for each in (confusion, other):
        if each is not None:
            output.print(_title(each))
            _print_table(each.table)
    _print_views(confusion)


def _title(confusion: api.Confusion) -> Text:
    subject = confusion.subject
    words = "By generated text"
    if confusion.decision is api.Decision.THRESHOLD:
        source = f", {subject.threshold_source}" if subject.threshold_source else ", not chosen on data"
        words = f"By P(abnormal) ≥ {figure(subject.threshold)}{source}"
    if confusion.shown_views:
        words += f"; {', '.join(confusion.shown_views)} alone"
    return shown(api.one_line(words), "bold")


def _print_table(table: api.ConfusionTable) -> None:
    grid = new_table()
    grid.add_column("target", overflow="fold", max_width=22)
    for label in table.columns:
        grid.add_column(shown(api.one_line(api.label_text(label))), justify="right", overflow="fold")
    grid.add_column("total", justify="right")
    for row in table.rows:
        total = table.count(row)
        cells = [_cell(table.count(row, column), total.n) for column in table.columns]
        grid.add_row(shown(api.one_line(api.label_text(row))), *cells, shown(str(total.n)))
    output.print(grid)


def _cell(count: api.CellCount, of: int) -> Text:
    """Number and share of the row; `✓` where the answers are right."""
    if not count.n:
        return shown("0", "dim")
    mark = " ✓" if count.right == count.n else ""
    return shown(f"{count.n}{mark}", "bold").append_text(shown(f"\n{100 * count.n / of:.0f} %", "dim"))


def _print_views(confusion: api.Confusion) -> None:
    table = new_table("view", "cases", "right", "wrong", "unparse-\nable", "error", "cut\noff", right=range(1, 7))
    table.columns[0].overflow = "fold"
    for each in confusion.views:
        share = f" {100 * each.right / each.scored:.0f} %" if each.scored else ""
        kinds = (Outcome.WRONG, Outcome.UNPARSEABLE, Outcome.ERROR, Outcome.CUT_OFF)
        counts = [shown(str(each.outcomes.get(kind, 0) or "–")) for kind in kinds]
        table.add_row(shown(api.one_line(each.view)), str(each.n), f"{each.right}{share}", *counts)
    output.print(table)


def print_cases(found: api.CaseList) -> None:
    """The cases one below the other, each with what every evaluation says of it."""
    output.print(shown(api.one_line(api.cases_where(found)), "bold"))
    for note in found.notes:
        output.print(shown(api.one_line(f"! {note}"), "yellow"))
    for item in found.items:
        output.print(shown(f"\n{api.one_line(item.path)}").append_text(shown(f"  {api.one_line(item.view)}", "dim")))
        output.print(shown(api.one_line(f"  target  {item.target}")), soft_wrap=False)
        for subject, answer in zip((found.subject, *found.others), (item.answer, *item.others), strict=True):
            output.print(_answer(subject, answer))
    if not found.items:
        output.print(shown("None.", "dim"))
    elif len(found.items) < found.found:
        output.print(shown(f"\n--limit {found.found} shows all; --csv FILE writes them.", "dim"))
    output.print(shown(f"\n{RESEARCH_NOTE}", "dim"))


def _answer(subject: api.CaseSubject, answer: api.CaseAnswer | None) -> Text:
    line = shown(f"  {api.one_line(subject.name)[:NAME_CHARACTERS]}  ")
    if answer is None:
        return line.append_text(shown("not measured", "dim"))
    outcome = answer.outcome.replace("_", " ")
    said = api.one_line(api.said_text(answer))
    words = outcome if outcome == said else f"{said[:60]}, {outcome}"
    line.append_text(shown(words, STYLES.get(answer.outcome, "yellow")))
    if answer.p_abnormal is not None:
        line.append_text(shown(f"  P(abnormal) {figure(answer.p_abnormal)}", "dim"))
    return line.append_text(shown(f"  “{_short(answer.output)}”"))


def _short(text: str) -> str:
    safe = api.one_line(text)
    return safe if len(safe) <= OUTPUT_CHARACTERS else f"{safe[: OUTPUT_CHARACTERS - 1]}…"


# ----- one case


def print_one(details: api.CaseDetails, quality: api.CaseQuality | None, decision: api.Decision) -> None:
    """One image in full: where it lies, the target, every output whole."""
    output.print(shown(f"{api.one_line(details.path)}  {api.one_line(details.view)}", "bold"))
    image = details.image
    if image is not None and image.file is not None:
        output.print(shown(f"file    {api.one_line(image.file)}", "dim"), soft_wrap=True)
    if details.image_problem:
        output.print(shown(f"! {api.one_line(details.image_problem)}", "yellow"))
    output.print(shown(f"target  {details.target}"))
    output.print(shown(f"        read as {details.target_read}", "dim"))
    for line in _quality(quality):
        output.print(shown(line, "yellow"))
    for reply in details.replies:
        _print_reply(reply, decision)
    if image is not None and image.answers:
        output.print(shown("\nannotated answers", "bold"))
        for each in image.answers:
            output.print(shown(f"  {each.question}  {each.answer or '–'}"))
    output.print(shown(f"\n{RESEARCH_NOTE}", "dim"))


def _quality(quality: api.CaseQuality | None) -> Iterable[str]:
    if quality is None:
        return
    yield from (f"! {problem}" for problem in quality.problems)
    for twin in quality.twins:
        how = "has the same bytes" if twin.exact else f"nearly the same picture ({twin.similarity:.2f})"
        yield api.one_line(f"! {twin.path} in {twin.split or 'no split'}: {how}")


def _print_reply(reply: api.CaseReply, decision: api.Decision) -> None:
    output.print(shown(f"\n{api.one_line(reply.subject.title)}", "bold"))
    said, found = reply.prediction, api.decided(reply, decision)
    if said is None or found is None:
        output.print(shown("  not measured", "dim"))
        return
    output.print(shown(f"  {found[1].replace('_', ' ')}: {api.one_line(found[0])}", STYLES.get(found[1], "yellow")))
    output.print(shown(f"  “{said.raw_output}”"), soft_wrap=True)
    output.print(shown(f"  {reply_facts(reply, said)}", "dim"))
    for text, share in reply.candidates:
        output.print(shown(f"    {share:.3f}  {api.one_line(text)}"))
    for each in reply.elsewhere:
        output.print(shown(f"  {each.question}  {each.outcome}: {_short(each.raw_output)}"))
    for rule in reply.broken:
        said_words = "; ".join(f"{question}: {answer}" for question, answer in rule.said)
        output.print(shown(api.one_line(f"  ! {rule.sentence} ({said_words})"), "yellow"))


def reply_facts(reply: api.CaseReply, said: Prediction) -> str:
    """Probability, threshold, latency, tokens, whether it was cut off: one line."""
    parts = []
    if said.p_abnormal is not None:
        parts.append(f"P(abnormal) {figure(said.p_abnormal)}, threshold {figure(reply.subject.threshold)}")
    if said.generated_tokens:
        parts.append(f"{said.generated_tokens} tokens in {said.latency_seconds:.2f} s")
    parts += ["reached the limit of tokens"] if said.cut_off else []
    parts += [f"target {said.target}"] if said.target != "" else []
    return api.one_line(", ".join(parts))
