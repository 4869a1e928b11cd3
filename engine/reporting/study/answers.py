"""What the study has found: every answer in words, then all of them in numbers."""

from __future__ import annotations

from engine.formatting import UNKNOWN
from engine.reporting.document.blocks import Block, Heading, Listing, Paragraph, Row, Strong, Table, Words
from engine.reporting.names import counted, p_cell, question_title
from engine.reporting.study.forms import arm_title, change_text, defined, estimate_text, figure_title, than_title
from engine.study.answering import ALONE, answer_word, by_ask, summaries
from engine.study.results import Answer, StudyResult
from engine.text import one_line


def answer_blocks(result: StudyResult) -> list[Block]:
    """The answers; a question that several arms were asked stands above all of them."""
    blocks: list[Block] = [Heading(2, "Answers")]
    if not result.answers:
        return [*blocks, Paragraph(["The study declares no question with a rule of decision, or nothing is done yet."])]
    blocks += _in_short(result)
    for ask, answers in by_ask(result.answers).items():
        blocks.append(Heading(3, ask))
        items = [_sentence(result, answer) for answer in answers]
        blocks.append(Paragraph(items[0]) if len(items) == 1 else Listing(items))
    return [*blocks, _table(result)]


def verdict_word(answer: Answer) -> str:
    """The word of an answer as it stands at the beginning of a sentence or in a cell: `Not distinguishable`."""
    return answer_word(answer).capitalize()


def _in_short(result: StudyResult) -> list[Block]:
    """A line for each decision, where some were asked of many arms or questions: their answers fill pages."""
    lines = summaries(result)
    if len(lines) == len(result.answers):
        return []
    unfinished = "" if result.complete else ", of a study that is incomplete"
    return [Paragraph([Strong("In short"), f"{unfinished}:"]), Listing([[line] for line in lines])]


def _sentence(result: StudyResult, answer: Answer) -> Words:
    """The verdict, and what it stands on; the names of both sides where the sentence does not say them itself."""
    unfinished = "" if result.complete else " (the study is incomplete)"
    said = one_line(answer.sentence).strip()
    who = "" if arm_title(answer.arm) in said else f"{_who(result, answer)}: "
    question = f" ({question_title(answer.question)})" if answer.question else ""
    return [Strong(f"{verdict_word(answer)}{unfinished}"), f": {who}{said}{question}"]


def _who(result: StudyResult, answer: Answer) -> str:
    return arm_title(answer.arm) + (f" against {than_title(result, answer)}" if answer.than else "")


def _table(result: StudyResult) -> Table:
    heads = ["question asked", "answer", "of", "by", "difference (95 %), n", "p", "p (Holm)"]
    rows = [Row(_cells(result, answer)) for answer in result.answers]
    caption = ["The answers in numbers. Differences: the arm minus what it is held against, on the same images."]
    if any(answer.kind == ALONE for answer in result.answers):
        caption.append("Where an arm stands alone: its own figure.")
    families = [answer.family for answer in result.answers if answer.p_adjusted is not None]
    if families:
        caption.append(f"p (Holm): adjusted over {counted(max(families), 'test')}, all of this study.")
    if not result.complete:
        caption.append("The study is incomplete: answers can change.")
    return Table(" ".join(caption), heads, rows, words=(1, 2, 3))


def _cells(result: StudyResult, answer: Answer) -> list[str]:
    return [
        one_line(answer.ask),
        verdict_word(answer) + ("" if result.complete else " (incomplete)"),
        _who(result, answer) or UNKNOWN,
        f"{one_line(answer.question)} {figure_title(answer.figure)}".strip(),
        _evidence(answer),
        UNKNOWN if answer.p is None else p_cell(answer.p),
        UNKNOWN if answer.p_adjusted is None else p_cell(answer.p_adjusted),
    ]


def _evidence(answer: Answer) -> str:
    found = answer.difference
    if found is None or defined(found).value is None:
        return UNKNOWN
    if answer.kind == ALONE:
        return estimate_text(found, n=True)
    return f"{change_text(found)}, n = {found.n:,}"
