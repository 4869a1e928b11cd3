"""The reference rows that need no model: the majority, the majority of each view, and answers dealt out at random."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

from engine.data.labels import target_text
from engine.data.split import rank
from engine.errors import DataError
from engine.evaluation.judging import judge
from engine.questions.answers import read_answer
from engine.questions.normalise.layers import ALL_LAYERS, Layer, Layers
from engine.questions.parsing import parse_normality
from engine.questions.reading import Status
from engine.questions.serving_errors import Compiled
from engine.questions.vocabulary import NORMALITY, normalise_answer
from engine.types import Case, Prediction, Reference, Verdict

SHUFFLE_SEED = 0
"""Fixed, so that the row is the same whenever it is made."""

Answer = tuple[str, float | None]
"""A text and, for Q7, P(abnormal)."""
Answerer = Callable[[Case], Answer]


def reference_predictions(
    reference: Reference,
    cases: Sequence[Case],
    question: str,
    training: Sequence[Case],
    errors: Compiled | None = None,
    layers: Layers = ALL_LAYERS,
) -> list[Prediction]:
    """One prediction a case of a reference that needs no model.

    Args:
        reference: which one; not the untuned model.
        cases: of the split that is measured, each with an answer to the question.
        question: Q1 to Q8 or report.
        training: cases of the training split with an answer to the question: majorities are learned from these.
        errors: patterns of serving errors.
        layers: of normalisation: they decide what the most frequent answer is, and what agrees with it.

    Raises:
        DataError: the training split has no answer to learn a majority from.
    """
    answer = _ANSWERERS[reference](cases, question, training, layers)
    return [_prediction(case, question, answer(case), errors, layers) for case in cases]


def _prediction(case: Case, question: str, answer: Answer, errors: Compiled | None, layers: Layers) -> Prediction:
    text, p_abnormal = answer
    target = target_text(case.answers, question) or ""
    judged = judge(question, text, target, errors=errors, layers=layers)
    return Prediction(
        path=case.path,
        view=case.view,
        question=question,
        target=target,
        raw_output=text,
        parsed=judged.parsed,
        target_parsed=judged.target_parsed,
        correct=judged.correct,
        p_abnormal=p_abnormal,
        probabilities={},
        cut_off=False,
        latency_seconds=0.0,
        generated_tokens=0,
        outcome=judged.outcome,
    )


def _targets(cases: Sequence[Case], question: str) -> list[str]:
    return [target_text(case.answers, question) or "" for case in cases]


def _majority(_cases: Sequence[Case], question: str, training: Sequence[Case], layers: Layers) -> Answerer:
    answer = majority_answer(question, _targets(training, question), layers=layers)
    return lambda _case: answer


def _majority_by_view(_cases: Sequence[Case], question: str, training: Sequence[Case], layers: Layers) -> Answerer:
    """The majority of each view; that of all for a view that the training split lacks."""
    of_all = majority_answer(question, _targets(training, question), layers=layers)
    views: dict[str, list[str]] = defaultdict(list)
    for case, target in zip(training, _targets(training, question), strict=True):
        views[case.view].append(target)
    answers = {view: majority_answer(question, targets, of_all, layers) for view, targets in views.items()}
    return lambda case: answers.get(case.view, of_all)


def _shuffled(cases: Sequence[Case], question: str, _training: Sequence[Case], _layers: Layers) -> Answerer:
    """The targets of these very cases, each handed to the next one in a random order.

    One step along a random circle: everybody gets somebody else's answer, and all answers keep their frequency.
    """
    circle = sorted(cases, key=lambda case: rank("shuffled answers", SHUFFLE_SEED, case.path))
    handed = dict(zip((case.path for case in circle), _targets([*circle[1:], *circle[:1]], question), strict=True))

    def answer(case: Case) -> Answer:
        text = handed[case.path]
        if question != NORMALITY:
            return text, None
        verdict = parse_normality(text)
        return text, {Verdict.ABNORMAL: 1.0, Verdict.NORMAL: 0.0}.get(verdict, 0.5)

    return answer


_ANSWERERS: dict[Reference, Callable[[Sequence[Case], str, Sequence[Case], Layers], Answerer]] = {
    Reference.MAJORITY: _majority,
    Reference.MAJORITY_BY_VIEW: _majority_by_view,
    Reference.SHUFFLED: _shuffled,
}


def majority_answer(
    question: str, training_targets: Sequence[str], otherwise: Answer | None = None, layers: Layers = ALL_LAYERS
) -> Answer:
    """The majority's answer and, for Q7, the share of abnormal answers among those that could be read.

    The majority is that of what answers are read as, which is what they are compared by (for Q7, the verdicts). It is
    told in its most frequent wording.

    Raises:
        DataError: there is no answer that could be read, and nothing else to say `otherwise`.
    """
    if question != NORMALITY:
        wordings = _majority_wordings(question, training_targets, layers)
        return (_most_frequent(wordings), None) if wordings else _or_refuse(question, otherwise)
    verdicts = {target: parse_normality(target) for target in set(training_targets)}
    counts = Counter(verdicts[target] for target in training_targets)
    normal, abnormal = counts[Verdict.NORMAL], counts[Verdict.ABNORMAL]
    if not normal + abnormal:
        return _or_refuse(question, otherwise)
    winner = Verdict.ABNORMAL if abnormal > normal else Verdict.NORMAL
    spoken = Counter(target.strip() for target in training_targets if verdicts[target] is winner)
    return _most_frequent(spoken), abnormal / (normal + abnormal)


def _majority_wordings(question: str, targets: Sequence[str], layers: Layers) -> Counter[str]:
    """The ways in which the most frequent answer is written, with how often; empty where no answer was read.

    Case, spaces and marks at the end stay where the layer `text` is off: without them nothing would agree with it.
    """
    read: dict[str, Counter[str]] = defaultdict(Counter)
    for target, count in Counter(targets).items():
        reading = read_answer(question, target, layers)
        if reading.status is not Status.UNPARSEABLE:
            read[reading.value][normalise_answer(target) if Layer.TEXT in layers else target] += count
    if not read:
        return Counter()
    return read[min(read, key=lambda value: (-read[value].total(), value))]


def _or_refuse(question: str, otherwise: Answer | None) -> Answer:
    if otherwise is None:
        raise DataError(
            "There is no majority answer",
            f"The training split has no answer to {question} that could be read.",
            "Choose another question, or import answers for the training split.",
        )
    return otherwise


def _most_frequent(wordings: Counter[str]) -> str:
    return min(wordings, key=lambda wording: (-wordings[wording], wording))
