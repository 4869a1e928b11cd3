"""The blank-image control: whoever scores as well on grey images does not look at the image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from engine.evaluation.protocol import layers_of
from engine.evaluation.scores import answered_cases, flatters, report_cases, score
from engine.questions.prompts import REPORT_ID
from engine.scoring.blind import Blind, looks_at_image, reports_look_at_image
from engine.scoring.cases import probability_of
from engine.scoring.measures import PRIMARY
from engine.scoring.readers import readers_with
from engine.store.reader import Reader
from engine.store.records import EvaluationRow, MarkRow
from engine.store.writer import Writer
from engine.types import BLANK, Mark, Outcome, Prediction, Score, State
from engine.workspace import Workspace

GREY = "grey"
"""Name of the score that an evaluation gets from its control: its main figure on grey images."""


def settle_controls(workspace: Workspace, writer: Writer, evaluation_id: int) -> None:
    """Hold an evaluation and its control against each other, once both have been scored; either may come last.

    The evaluation gets the control's main figure as a score of its own, and a mark where it does not look.
    """
    with Reader(workspace) as reader:
        pair = _pair(reader, reader.evaluation(evaluation_id))
        if pair is None:
            return
        clean, blank = pair
        seen, unseen = reader.predictions(clean.id), reader.predictions(blank.id)
        # Scored anew only where the control came first, and so had another threshold: it costs seconds on many cases.
        known = reader.scores(blank.id) if blank.threshold == clean.threshold else None
    figure = _grey_figure(clean, unseen, known)
    result = _held(clean, seen, unseen)
    if figure is not None:
        writer.merge_scores(clean.id, [replace(figure, name=GREY)])
    marks = [MarkRow(clean.id, Mark.BLIND, "all", result.sentence)] if result.blind else []
    writer.set_marks(clean.id, marks, kinds=[Mark.BLIND])


def _grey_figure(clean: EvaluationRow, unseen: Sequence[Prediction], known: Sequence[Score] | None) -> Score | None:
    """The main figure on grey at the threshold of the figures beside which it stands: the control's own may differ."""
    scores = score(clean.question, unseen, clean.threshold, layers_of(clean.protocol)) if known is None else known
    return next((each for each in scores if (each.scope, each.name) == ("all", PRIMARY[clean.question])), None)


def _held(clean: EvaluationRow, seen: Sequence[Prediction], unseen: Sequence[Prediction]) -> Blind:
    layers = layers_of(clean.protocol)
    if clean.question == REPORT_ID:
        return reports_look_at_image(report_cases(seen, layers), report_cases(unseen, layers))
    image, grey = (answered_cases(clean.question, each, layers) for each in (seen, unseen))
    ranked = all(probability_of(each) is not None for each in (*image, *grey) if each.outcome is not Outcome.ERROR)
    return looks_at_image(
        clean.question,
        image,
        grey,
        threshold=clean.threshold if ranked else None,
        own_threshold=flatters(clean.threshold_source),
        readers=readers_with(layers),
    )


def _pair(reader: Reader, row: EvaluationRow) -> tuple[EvaluationRow, EvaluationRow] | None:
    """The newest evaluation and control of one run in one protocol on the same cases; None until both are scored.

    Where two processes finish at once, neither may have succeeded yet when the other looks. So one that still runs
    counts as soon as it has scores: they are written before this is asked, and whoever asks last sees both.
    """
    if row.run_id is None:
        return None
    same = ("question", "dataset", "split", "cases_fingerprint", "clean_protocol_fingerprint")
    rows = [
        other
        for other in reader.evaluations(row.run_id)
        if all(getattr(other, name) == getattr(row, name) for name in same) and _is_scored(reader, other)
    ]
    clean = [other for other in rows if other.degradation is None]
    blank = [other for other in rows if other.degradation == BLANK]
    return (clean[-1], blank[-1]) if clean and blank else None


def _is_scored(reader: Reader, row: EvaluationRow) -> bool:
    return row.state is State.SUCCEEDED or (row.state is State.RUNNING and bool(reader.scores(row.id)))
