"""Whether the answers to one image fit each other, over all images: of a run, a reference row, or the annotators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.api.coherence_rules import Answers, CoherenceRule, coherence_figures, hold, rule_rows
from engine.api.coherence_subjects import FEWEST, same_images
from engine.api.reading import open_reader
from engine.data.manifest import open_dataset
from engine.errors import DataError
from engine.questions.normalise.layers import NORMALISATION_VERSION
from engine.questions.parsers.report import parse_report
from engine.questions.prompts import REPORT_ID
from engine.store.outputs import OutputRow
from engine.text import one_line
from engine.types import QUESTION_IDS, Outcome, Score, Split
from engine.workspace import Workspace

EXAMPLES = 3
ANNOTATED = "annotated answers"


@dataclass(frozen=True, slots=True)
class UsedAnswers:
    """The answers to one question that were held against those to the others."""

    question: str
    """Q1 to Q8, or report for the sections of a combined report."""
    evaluation: int | None
    """None for annotated answers."""
    images: int


@dataclass(frozen=True, slots=True)
class CoherenceView:
    """How well answers to the same images fit each other."""

    subject: str
    """`run 3 (baseline)`, `reference shuffled`, `annotated answers`; untrusted text."""
    run: int | None
    dataset: str
    split: Split | None
    """None for all splits."""
    used: tuple[UsedAnswers, ...]
    images: int
    judged: int
    """Images to whose answers at least one rule applies."""
    rules: tuple[CoherenceRule, ...]
    """All of them: the most broken first, those that applied to nothing last."""
    scores: tuple[Score, ...]
    """`coherence` and `coherent_images`, over all images and for each view."""
    annotated: tuple[Score, ...]
    """Both over all images, of the annotated answers to the same questions about the same images: agreeing with them
    comes to this. Empty where the annotated answers themselves were looked at."""
    normalisation_version: int


def coherence(
    workspace: Workspace,
    run: int | str,
    split: Split = Split.VALIDATION,
    *,
    report: bool = False,
    examples: int = EXAMPLES,
) -> CoherenceView:
    """Hold the answers of one subject to several questions about the same images against each other.

    The newest succeeded evaluations of one dataset, with the images as they are; where fewer than two questions were
    measured, the sections of the combined report. Answers are read with every layer of normalisation, whatever the
    protocol. A serving error says nothing.

    Args:
        workspace: with the run.
        run: number or name; or the name of a reference (`majority`, `majority_by_view`, `shuffled`, `base`,
            `base:MODEL`).
        split: validation or test.
        report: take the combined report also where single questions were measured.
        examples: of each rule.

    Raises:
        JobError: there is no such run.
        DataError: fewer than two questions were measured on the split, and no report.
    """
    with open_reader(workspace) as reader:
        found = same_images(reader, run, split, report=report)
        outputs = {row.question: reader.outputs(row.id, row.question) for row in found.rows}
    held = hold(_answers(outputs, said=True))
    return CoherenceView(
        subject=found.title,
        run=found.run,
        dataset=found.rows[0].dataset,
        split=split,
        used=tuple(UsedAnswers(row.question, row.id, len(outputs[row.question])) for row in found.rows),
        images=len(held),
        judged=sum(bool(each.applied) for each in held),
        rules=rule_rows(held, examples),
        scores=coherence_figures(held),
        annotated=coherence_figures(hold(_answers(outputs, said=False)), lambda score: score.scope == "all"),
        normalisation_version=NORMALISATION_VERSION,
    )


def annotated_coherence(
    workspace: Workspace, dataset: str, split: Split | None = None, *, examples: int = EXAMPLES
) -> CoherenceView:
    """Hold the annotated answers of a dataset against each other: what breaks a rule may be an annotation error.

    Args:
        workspace: with the dataset.
        dataset: its name.
        split: one split alone; None for all images.
        examples: of each rule.

    Raises:
        DataError: there is no such dataset, or its images have answers to fewer than two questions.
    """
    opened = open_dataset(workspace, dataset)
    cases = opened.cases(split)
    counts = {question: sum(question in case.answers for case in cases) for question in QUESTION_IDS}
    used = tuple(UsedAnswers(question, None, count) for question, count in counts.items() if count)
    if len(used) < FEWEST:
        raise DataError(
            f"The answers of {one_line(opened.record.name)} cannot be held against each other",
            f"Its images have answers to {used[0].question if used else 'no question'} alone; it takes two questions.",
            "`sonotune data show NAME` counts what a dataset holds.",
        )
    held = hold([Answers(case.path, case.view, case.answers) for case in cases])
    return CoherenceView(
        subject=ANNOTATED,
        run=None,
        dataset=opened.record.name,
        split=split,
        used=used,
        images=len(held),
        judged=sum(bool(each.applied) for each in held),
        rules=rule_rows(held, examples),
        scores=coherence_figures(held),
        annotated=(),
        normalisation_version=NORMALISATION_VERSION,
    )


def _answers(outputs: Mapping[str, Sequence[OutputRow]], *, said: bool) -> list[Answers]:
    """What was said (or annotated) of each image, by question; a report answers all of them at once."""
    texts: dict[str, dict[str, str]] = {}
    views: dict[str, str] = {}
    for question, rows in outputs.items():
        for row in rows:
            given = texts.setdefault(row.path, {})
            views[row.path] = row.view
            if said and row.outcome is Outcome.ERROR:
                continue
            text = row.raw_output if said else row.target
            given |= parse_report(text) if question == REPORT_ID else {question: text}
    return [Answers(path, views[path], given) for path, given in texts.items()]
