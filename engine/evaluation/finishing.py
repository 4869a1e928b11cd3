"""The end of an evaluation: threshold, scores, marks, and what its blank-image control says."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

from engine.data.labels import target_text
from engine.errors import ModelError
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
from engine.types import Outcome, Prediction, State
from engine.workspace import Workspace


def finish(workspace: Workspace, session: JobSession, plan: Plan, predictions: Sequence[Prediction]) -> None:
    """Score an evaluation, mark what a reader must know, and say that it has succeeded.

    Raises:
        ModelError: probabilities are missing.
    """
    if plan.row.question == NORMALITY:
        require_probabilities(predictions)
    with Reader(workspace) as reader:
        row = reader.evaluation(plan.row.id)
        # The other questions have no threshold: their evaluations need not be searched for one.
        others = reader.threshold_evaluations(row) if row.question == NORMALITY else ()
        threshold, source = choose(row, predictions, others)
    layers = plan.protocol.layers
    scores = score(row.question, predictions, threshold, layers)
    session.writer.add_scores(row.id, scores)
    session.update(threshold=threshold, threshold_source=source, **counts(predictions))
    targets = [target_text(case.answers, row.question) or "" for case in plan.training]
    majority = majority_answer(row.question, targets, ("", None), layers)[0]
    marks = marks_of(row, scores, predictions, majority=majority, threshold_source=source, layers=layers)
    session.writer.set_marks(row.id, [MarkRow(row.id, mark, "all", detail) for mark, detail in marks])
    if row.reference is None and row.degradation is None:
        leak = mark_leaks(workspace, session.writer, row.id, plan.dataset, plan.cases)
        marks += [leak] if leak else []
    for mark, detail in marks:
        session.event("mark", f"{mark}: {detail}")
    settle_controls(workspace, session.writer, row.id)
    session.finish(State.SUCCEEDED, f"{len(predictions)} cases measured")


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
