"""The end of an evaluation: threshold, scores, marks, and what its blank-image control says."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isfinite

from engine.data.labels import target_text
from engine.errors import JobError, ModelError
from engine.evaluation.control import settle_controls
from engine.evaluation.leaks import mark_leaks
from engine.evaluation.marking import marks_of
from engine.evaluation.plan import Plan
from engine.evaluation.references import majority_answer
from engine.evaluation.scores import choose, counts, score
from engine.jobs.session import JobSession
from engine.questions.vocabulary import NORMALITY
from engine.store.reader import Reader
from engine.store.records import MarkRow
from engine.store.writer import Writer
from engine.types import Case, JobKind, Mark, Outcome, Prediction, State
from engine.workspace import Workspace

PATIENCE_SECONDS = 600.0
"""How long a measured evaluation waits for a runs.db that cannot be written. Nothing is lost after that either: what
was measured is in its journal, and a second attempt has only to score it."""


def complete(cases: Sequence[Case], predictions: Iterable[Prediction]) -> list[Prediction]:
    """One prediction a case, in path order, whichever attempt has measured it.

    Raises:
        JobError: a case has none, or there are some of other cases.
    """
    found = {prediction.path: prediction for prediction in predictions}
    missing = sum(case.path not in found for case in cases)
    if missing or len(found) != len(cases):
        raise JobError(
            f"{missing} of {len(cases)} cases have no answer",
            f"There are answers to {len(found)} cases. Figures of some of them are not figures of the evaluation.",
            "Resume it with `sonotune resume --evaluation`, which asks about those that are missing.",
        )
    return [found[path] for path in sorted(found)]


def finish(workspace: Workspace, session: JobSession, plan: Plan, predictions: Sequence[Prediction]) -> None:
    """Score an evaluation, mark what a reader must know, and say that it has succeeded.

    Args:
        workspace: where it is recorded.
        session: has claimed it.
        plan: what it measured.
        predictions: of all its cases, in path order.

    Raises:
        ModelError: probabilities are missing.
        StoreError: runs.db could not be written for `PATIENCE_SECONDS`.
    """
    if plan.row.question == NORMALITY:
        require_probabilities(predictions)
    marks = session.recording.patiently(
        lambda writer: _settle(workspace, writer, plan, predictions), patience_seconds=PATIENCE_SECONDS
    )
    for mark, detail in marks:
        session.event("mark", f"{mark}: {detail}")
    session.finish(State.SUCCEEDED, f"{len(predictions)} cases measured")


def _settle(
    workspace: Workspace, writer: Writer, plan: Plan, predictions: Sequence[Prediction]
) -> list[tuple[Mark, str]]:
    """Write scores and marks, and return the marks; a second time writes the same once more."""
    with Reader(workspace) as reader:
        row = reader.evaluation(plan.row.id)
        # The other questions have no threshold: their evaluations need not be searched for one.
        others = reader.threshold_evaluations(row) if row.question == NORMALITY else ()
        threshold, source = choose(row, predictions, others)
    layers = plan.protocol.layers
    scores = score(row.question, predictions, threshold, layers)
    writer.add_scores(row.id, scores)
    writer.update(JobKind.EVALUATION, row.id, threshold=threshold, threshold_source=source, **counts(predictions))
    targets = [target_text(case.answers, row.question) or "" for case in plan.training]
    majority = majority_answer(row.question, targets, ("", None), layers)[0]
    marks = marks_of(row, scores, predictions, majority=majority, threshold_source=source, layers=layers)
    writer.set_marks(row.id, [MarkRow(row.id, mark, "all", detail) for mark, detail in marks])
    if row.reference is None and row.degradation is None:
        leak = mark_leaks(workspace, writer, row.id, plan.dataset, plan.cases)
        marks += [leak] if leak else []
    settle_controls(workspace, writer, row.id)
    return marks


def require_probabilities(predictions: Sequence[Prediction]) -> None:
    """Refuse to score an evaluation of Q7 in which probabilities are missing; an error has none.

    Leaving those cases out would compare models on different cases, and make a broken one look good.

    Raises:
        ModelError: a probability is missing, NaN or infinite.
    """
    answers = [prediction for prediction in predictions if prediction.outcome is not Outcome.ERROR]
    missing = sum(prediction.p_abnormal is None or not isfinite(prediction.p_abnormal) for prediction in answers)
    if missing:
        raise ModelError(
            f"The model gave no probability for {missing} of {len(predictions)} cases",
            "Its likelihoods are NaN or infinite: weights or adapter are damaged, or the numbers overflowed.",
            "Look at the run's loss; train it again with a smaller learning rate. The outputs are kept as predictions.",
        )
