"""The reference row that needs no model: always the answer that is most frequent in the training split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from engine.data.labels import target_text
from engine.errors import DataError
from engine.evaluation.judging import judge
from engine.questions.parsing import parse_normality
from engine.questions.vocabulary import NORMALITY, normalise_answer
from engine.types import Case, Prediction, Verdict


def majority_predictions(cases: Sequence[Case], question: str, training_targets: Sequence[str]) -> list[Prediction]:
    """One prediction a case, all alike.

    For Q7 the majority is that of the verdicts, told in its most frequent wording, and P(abnormal) is the share of
    abnormal answers in the training split; for the other questions it is the most frequent answer.

    Raises:
        DataError: the training split has no answer to learn a majority from.
    """
    answer, p_abnormal = majority_answer(question, training_targets)
    predictions = []
    for case in cases:
        target = target_text(case.answers, question) or ""
        parsed, target_parsed, correct = judge(question, answer, target)
        predictions.append(
            Prediction(
                path=case.path,
                view=case.view,
                question=question,
                target=target,
                raw_output=answer,
                parsed=parsed,
                target_parsed=target_parsed,
                correct=correct,
                p_abnormal=p_abnormal,
                probabilities={},
                cut_off=False,
                latency_seconds=0.0,
                generated_tokens=0,
            )
        )
    return predictions


def majority_answer(question: str, training_targets: Sequence[str]) -> tuple[str, float | None]:
    """The majority's answer and, for Q7, the share of abnormal answers among those that could be read."""
    if question != NORMALITY:
        wordings = Counter(normalise_answer(target) for target in training_targets if target.strip())
        return _most_frequent(wordings, question), None
    verdicts = {target: parse_normality(target) for target in set(training_targets)}
    counts = Counter(verdicts[target] for target in training_targets)
    normal, abnormal = counts[Verdict.NORMAL], counts[Verdict.ABNORMAL]
    winner = Verdict.ABNORMAL if abnormal > normal else Verdict.NORMAL
    spoken = Counter(target.strip() for target in training_targets if verdicts[target] is winner)
    return _most_frequent(spoken, question), abnormal / (normal + abnormal)


def _most_frequent(wordings: Counter[str], question: str) -> str:
    if not wordings:
        raise DataError(
            "There is no majority answer",
            f"The training split has no answer to {question} that could be read.",
            "Choose another question, or import answers for the training split.",
        )
    return min(wordings, key=lambda wording: (-wordings[wording], wording))
