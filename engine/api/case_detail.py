"""One image with everything that evaluations say of it: outputs, readings, probabilities, rules broken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.api.browsing import Source, reading
from engine.api.case_subjects import CaseSubject, Decision, beside, case_subject
from engine.api.one_image import ImageDetails, image_details
from engine.data.manifest import image_root
from engine.errors import DataError
from engine.questions.prompts import REPORT_ID
from engine.store.reader import Reader
from engine.store.records import EvaluationRow
from engine.types import Outcome, Prediction, State, Verdict

TOP_CANDIDATES = 5


@dataclass(frozen=True, slots=True)
class BrokenRule:
    """A rule of coherence that the answers of one run to one image break."""

    rule: str
    sentence: str
    said: tuple[tuple[str, str], ...]
    """Question and canonical answer of each answer involved; untrusted text."""


@dataclass(frozen=True, slots=True)
class CaseReply:
    """What one evaluation says of the image."""

    subject: CaseSubject
    prediction: Prediction | None
    """None: this evaluation has not measured the image."""
    by_threshold: Verdict | None
    """What P(abnormal) says against the threshold of the evaluation; None where there is no probability."""
    threshold_outcome: Outcome | None
    """Whether that is right; None as above."""
    candidates: tuple[tuple[str, float], ...]
    """The likeliest candidate answers with their probabilities, at most `TOP_CANDIDATES`; untrusted text."""
    elsewhere: tuple[Prediction, ...]
    """What the same run or reference says of the same image to other questions, newest evaluation of each."""
    broken: tuple[BrokenRule, ...]
    """Rules that its answers to all questions break together."""


@dataclass(frozen=True, slots=True)
class CaseDetails:
    """One image, and what several evaluations say of it."""

    path: str
    """Untrusted text."""
    image: ImageDetails | None
    """As the dataset has it now; None where it has no such image (any more)."""
    image_problem: str
    """Why there is no image to show; "" where there is."""
    root: Path | None
    """Image root of the dataset; None where the dataset is not here any more."""
    view: str
    target: str
    """As annotated when the first evaluation that has measured it was made; untrusted text."""
    target_read: str
    """The target as it is read."""
    replies: tuple[CaseReply, ...]
    """One an evaluation, in the order asked for."""


def case_details(source: Source, evaluations: Sequence[int], path: str) -> CaseDetails:
    """One image with the outputs of several evaluations side by side.

    Args:
        source: where to look.
        evaluations: of the same question and dataset; at least one.
        path: of the image, relative to the image root of the dataset.

    Raises:
        JobError: there is no such evaluation.
        UsageError: the evaluations cannot stand side by side.
        DataError: none of them has measured this image.
    """
    with reading(source) as reader:
        first = case_subject(reader, evaluations[0])
        subjects = (first, *beside(reader, first, evaluations[1:], counted=False))
        related = {subject.evaluation: _related(reader, subject) for subject in subjects}
        wanted = [*related, *(row.id for rows in related.values() for row in rows)]
        said = reader.case_predictions(wanted, path)
        replies = tuple(_reply(subject, said, related[subject.evaluation]) for subject in subjects)
        known = next((reply.prediction for reply in replies if reply.prediction is not None), None)
        if known is None:
            raise DataError(
                f"No evaluation has measured {path}",
                f"Looked for in: {', '.join(subject.title for subject in subjects)}.",
                "`sonotune cases RUN` lists the images that were measured.",
            )
        image, problem = _image(reader, first.dataset, path)
        record = reader.dataset(first.dataset)
        root = None if record is None else image_root(reader.workspace, record)
    return CaseDetails(path, image, problem, root, known.view, known.target, known.target_parsed, replies)


def _related(reader: Reader, subject: CaseSubject) -> list[EvaluationRow]:
    """The newest evaluations of the same run or reference on the other questions, shown the same images."""
    own = reader.evaluation(subject.evaluation)
    rows = reader.evaluations(subject.run, (State.SUCCEEDED,), reference=subject.run is None)
    newest: dict[str, EvaluationRow] = {}
    for row in rows:
        same = (row.dataset, row.split, row.degradation) == (own.dataset, own.split, own.degradation)
        if same and row.question != own.question and (row.reference, row.model) == (own.reference, own.model):
            newest[row.question] = row
    return [newest[question] for question in sorted(newest)]


def _reply(subject: CaseSubject, said: Mapping[int, list[Prediction]], related: Sequence[EvaluationRow]) -> CaseReply:
    own = next((each for each in said.get(subject.evaluation, ()) if each.question == subject.question), None)
    elsewhere = tuple(
        each for row in related for each in said.get(row.id, ()) if each.question == row.question
    )  # fmt: skip
    verdict = outcome = None
    if own is not None and own.p_abnormal is not None and subject.question == "Q7":
        verdict = Verdict.ABNORMAL if own.p_abnormal >= subject.threshold else Verdict.NORMAL
        outcome = _threshold_outcome(own, verdict)
    shares = {} if own is None else own.probabilities
    candidates = sorted(shares.items(), key=lambda each: (-each[1], each[0]))[:TOP_CANDIDATES]
    answers = [each for each in (own, *elsewhere) if each is not None]
    return CaseReply(subject, own, verdict, outcome, tuple(candidates), elsewhere, _broken(answers))


def _threshold_outcome(prediction: Prediction, verdict: Verdict) -> Outcome:
    if prediction.target_parsed not in (Verdict.NORMAL, Verdict.ABNORMAL):
        return Outcome.UNSCORED
    return Outcome.RIGHT if prediction.target_parsed == verdict else Outcome.WRONG


def _broken(answers: Sequence[Prediction]) -> tuple[BrokenRule, ...]:
    """Rules that the answers to several questions break together; a report answers all of them at once."""
    if len(answers) < 2 and not any(each.question == REPORT_ID for each in answers):
        return ()
    from engine.questions.answers import read_answer
    from engine.questions.coherence import broken_rules
    from engine.questions.parsers.report import parse_report

    texts: dict[str, str] = {}
    for each in answers:
        if each.outcome is Outcome.ERROR:
            continue
        parts = parse_report(each.raw_output) if each.question == REPORT_ID else {each.question: each.raw_output}
        for question, text in parts.items():
            texts.setdefault(question, text)
    readings = {question: read_answer(question, text) for question, text in texts.items()}
    return tuple(BrokenRule(each.rule, each.sentence, each.said) for each in broken_rules(answers[0].view, readings))


def _image(reader: Reader, dataset: str, path: str) -> tuple[ImageDetails | None, str]:
    number = reader.image_id(dataset, path)
    if number is None:
        return None, f"The dataset {dataset} has no such image any more."
    details = image_details(reader, number)
    return details, details.file_problem or ""


def decided(reply: CaseReply, decision: Decision) -> tuple[str, Outcome] | None:
    """What a reply comes to by text or by threshold, and its outcome; None where it was not measured.

    By threshold, a case without a probability keeps what became of its text.
    """
    if reply.prediction is None:
        return None
    if decision is Decision.THRESHOLD and reply.by_threshold is not None and reply.threshold_outcome is not None:
        return reply.by_threshold, reply.threshold_outcome
    return reply.prediction.parsed, reply.prediction.outcome
