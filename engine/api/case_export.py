"""A list of cases as text that leaves the program: CSV and Markdown, and plain values for JSON."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict
from typing import Any, Literal

from engine.api.case_browsing import NOT_RIGHT, CaseList
from engine.api.case_checks import CaseQuality
from engine.api.case_detail import CaseDetails
from engine.api.case_subjects import CaseSubject, Decision
from engine.api.confusions import Confusion, label_text
from engine.formatting import UNKNOWN, figure
from engine.store.cases import CaseAnswer, CaseItem
from engine.text import one_line
from engine.text_cells import RESEARCH_ONLY, markdown_cell, spreadsheet_cell

LONGEST_OUTPUT = 120
"""Characters of an output in a Markdown table, which is to be read."""
NOT_MEASURED = "not measured"


def export_cases(found: CaseList, form: Literal["csv", "markdown"]) -> str:
    """The cases of a list, in their order, with the research-only note.

    CSV has outputs as far as the list was read (`CaseQuery.whole` reads them in full), P(abnormal) in 0..1 and latency
    in seconds; every row says what it is of. Markdown is to be read: outputs are cut.
    """
    return _csv(found) if form == "csv" else _markdown(found)


def cases_as_json(found: CaseList, confusion: Confusion | None = None) -> dict[str, Any]:
    """A list of cases, and the confusion table that it belongs to, as plain values for JSON."""
    query = found.query
    return {
        "evaluation": _subject(found.subject),
        "with": [_subject(each) for each in found.others],
        "decision": query.decision.value,
        "threshold": found.subject.threshold if query.decision is Decision.THRESHOLD else None,
        "confusion": None if confusion is None else _table(confusion),
        "views": [] if confusion is None else _views(confusion),
        "found": found.found,
        "cases": [_case(item, found) for item in found.items],
        "notes": list(found.notes),
        "note": RESEARCH_ONLY,
    }


def case_as_json(details: CaseDetails, quality: CaseQuality | None = None) -> dict[str, Any]:
    """One case in full as plain values for JSON; paths of files as they are written."""
    found = None if quality is None else asdict(quality)
    return {**asdict(details), "quality": found, "note": RESEARCH_ONLY}


def said_text(answer: CaseAnswer | None) -> str:
    """What was said, in a word; untrusted text."""
    return NOT_MEASURED if answer is None else label_text(answer.said)


# ----- JSON


def _subject(subject: CaseSubject) -> dict[str, Any]:
    return {
        "evaluation": subject.evaluation,
        "run": subject.run,
        "reference": subject.reference,
        "name": subject.name,
        "dataset": subject.dataset,
        "question": subject.question,
        "split": subject.split.value,
        "threshold": subject.threshold,
        "threshold_source": subject.threshold_source,
        "cases_fingerprint": subject.cases_fingerprint,
        "protocol_fingerprint": subject.protocol_fingerprint,
        "measured": subject.measured,
        "common": subject.common,
        "marks": [{"kind": each.kind, "scope": each.scope, "detail": each.detail} for each in subject.marks],
    }


def _table(confusion: Confusion) -> dict[str, Any]:
    table = confusion.table
    return {
        "views": list(confusion.shown_views),
        "targets": [label_text(label) for label in table.rows],
        "said": [label_text(label) for label in table.columns],
        "counts": [[table.count(row, column).n for column in table.columns] for row in table.rows],
        "right": table.count().right,
        "n": table.count().n,
    }


def _views(confusion: Confusion) -> list[dict[str, Any]]:
    return [{"view": each.view, "n": each.n, **each.outcomes, "not_right": each.not_right} for each in confusion.views]


def _case(item: CaseItem, found: CaseList) -> dict[str, Any]:
    answers = [
        {"evaluation": subject.evaluation, **_answer(answer)}
        for subject, answer in zip(found.others, item.others, strict=True)
    ]
    return {
        "path": item.path,
        "view": item.view,
        "target": item.target,
        "target_read": label_text(item.meant),
        **_answer(item.answer),
        "latency_seconds": item.latency_seconds,
        "with": answers,
    }


def _answer(answer: CaseAnswer | None) -> dict[str, Any]:
    if answer is None:
        return {"measured": False}
    return {
        "said": label_text(answer.said),
        "outcome": answer.outcome,
        "p_abnormal": answer.p_abnormal,
        "output": answer.output,
    }


# ----- CSV


def _csv(found: CaseList) -> str:
    heads = ["path", "view", "target", "target_read", "said", "outcome", "p_abnormal", "raw_output", "latency_seconds"]
    for place in range(1, len(found.others) + 1):
        heads += [f"with{place}_{name}" for name in ("name", "said", "outcome", "p_abnormal", "raw_output")]
    subject = found.subject
    group = (subject.name, subject.run, subject.evaluation, subject.dataset, subject.question, subject.split.value)
    heads += ["name", "run", "evaluation", "dataset", "question", "split", "decision", "threshold", "note"]
    by_threshold = found.query.decision is Decision.THRESHOLD
    end = (*group, found.query.decision.value, subject.threshold if by_threshold else None, RESEARCH_ONLY)
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(heads)
    for item in found.items:
        cells: list[Any] = [item.path, item.view, item.target, label_text(item.meant), *_cells(item.answer)]
        cells.append(item.latency_seconds)
        for other, answer in zip(found.others, item.others, strict=True):
            cells += [other.name, *_cells(answer)]
        writer.writerow([spreadsheet_cell(cell) for cell in (*cells, *end)])
    return lines.getvalue()


def _cells(answer: CaseAnswer | None) -> tuple[Any, ...]:
    if answer is None:
        return NOT_MEASURED, "", None, ""
    return label_text(answer.said), answer.outcome, answer.p_abnormal, answer.output


# ----- Markdown


def _markdown(found: CaseList) -> str:
    subjects = (found.subject, *found.others)
    lines = [f"# Cases of {markdown_cell(found.subject.title)}", "", markdown_cell(cases_where(found)), ""]
    lines += [line for note in found.notes for line in (f"**{markdown_cell(note)}**", "")]
    heads = ["view", "image", "target"]
    for subject in subjects:
        name = subject.name if len(subjects) > 1 else "said"
        heads += [name, "P(abnormal)", "output"] if found.subject.question == "Q7" else [name, "output"]
    lines += [_row([markdown_cell(head) for head in heads]), "|" + "---|" * len(heads)]
    for item in found.items:
        cells = [item.view, item.path, item.target]
        for answer in (item.answer, *item.others):
            cells += _read_cells(answer, found.subject.question == "Q7")
        lines.append(_row([markdown_cell(cell) for cell in cells]))
    return "\n".join([*lines, "", RESEARCH_ONLY, ""])


def _read_cells(answer: CaseAnswer | None, with_p: bool) -> list[str]:
    p = UNKNOWN if answer is None or answer.p_abnormal is None else figure(answer.p_abnormal)
    output = "" if answer is None else one_line(answer.output)
    short = output if len(output) <= LONGEST_OUTPUT else output[: LONGEST_OUTPUT - 1] + "…"
    outcome = "" if answer is None or answer.outcome == said_text(answer) else f" ({answer.outcome.replace('_', ' ')})"
    return [said_text(answer) + outcome, *([p] if with_p else []), short]


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def cases_where(found: CaseList) -> str:
    """What the list is of, and which part of it: one line of untrusted text."""
    subject, query = found.subject, found.query
    parts = [f"{subject.question} on {subject.split} of {subject.dataset}, evaluation {subject.evaluation}"]
    if query.decision is Decision.THRESHOLD:
        parts.append(f"decided by P(abnormal) ≥ {figure(subject.threshold)}")
    if query.views:
        parts.append(f"view{'s' if len(query.views) > 1 else ''} {', '.join(query.views)}")
    for meant, said in query.cells:
        words = ["any" if each is None else label_text(each) for each in (meant, said)]
        parts.append(f"target {words[0]}, said {words[1]}")
    if query.outcomes:
        all_of_them = set(query.outcomes) == set(NOT_RIGHT)
        parts.append("not right" if all_of_them else ", ".join(each.replace("_", " ") for each in query.outcomes))
    parts += [f"{query.differ} by {found.others[0].name}"] if query.differ and found.others else []
    parts += [f"filter: {query.filter}"] if query.filter.strip() else []
    shown = len(found.items)
    parts.append(f"{found.found} cases" if shown == found.found else f"{shown} of {found.found} cases")
    return "; ".join(parts)
