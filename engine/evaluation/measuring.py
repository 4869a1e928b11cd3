"""The middle of an evaluation: answers to the cases that are left, stored as they come."""

from __future__ import annotations

import json
from contextlib import closing

from engine.evaluation.beginning import FORWARD_PASS, Member
from engine.evaluation.group import Group
from engine.evaluation.loaded import Loaded
from engine.evaluation.references import reference_predictions
from engine.questions.serving_errors import compile_patterns
from engine.types import BLANK, Prediction, Reference


def measure(group: Group, loaded: Loaded) -> None:
    """Predictions of the remaining cases of all members; those whose users end them are closed.

    A runs.db that cannot be written meanwhile is no reason to stop: `engine.jobs.recording` keeps what comes.
    """
    [first, *_] = group.open.values()
    reference = first.plan.row.reference
    if reference is not None and reference is not Reference.BASE:
        _refer(first, reference)
        return
    if any(member.remaining for member in group.open.values()):
        _ask(group, loaded, first)
    for member in group.open.values():
        _record_speed(member)


def _refer(member: Member, reference: Reference) -> None:
    """The predictions of a reference row that needs no model."""
    plan = member.plan
    errors = compile_patterns(plan.protocol.error_patterns)
    member.predictions = reference_predictions(
        reference, plan.cases, plan.row.question, plan.training, errors, plan.protocol.layers
    )
    member.session.recording.predictions(member.predictions)


def _ask(group: Group, loaded: Loaded, first: Member) -> None:
    from engine.evaluation.measure import Asking, Examination

    for member in group.open.values():
        member.session.update(backend="transformers", load_seconds=loaded.seconds if member is first else 0.0)
    askings = {
        number: Asking(member.plan.protocol, member.remaining)
        for number, member in group.open.items()
        if member.remaining
    }
    examination = Examination(loaded.ready, askings, first.plan.settings.batch, live=group.look, note=group.note)
    _note_way(group, examination.refusal)
    with closing(examination.batches()) as batches:
        for batch in batches:
            for number, error in batch.failures.items():
                group.close(number, error)
            for number, member in group.open.items():
                _keep(member, batch.predictions.get(number, []), batch.seconds.get(number, 0.0))


def _keep(member: Member, predictions: list[Prediction], seconds: float) -> None:
    """Store what one batch has brought, and what it has cost."""
    if not predictions:
        return
    member.predictions += predictions
    member.seconds += seconds
    # The cost first: a process that dies in between has spent the time, and its answers are asked for once more.
    member.session.recording.update(seconds=member.seconds)
    member.session.recording.predictions(predictions)


def _note_way(group: Group, refusal: str | None) -> None:
    """Say in every history and stored protocol in which way the answers are computed."""
    asking = [member for member in group.open.values() if member.remaining]
    questions = ", ".join(member.plan.row.question for member in asking)
    if refusal is None:
        way, detail = "shared", f"shared: one pass an image for {questions}"
    else:
        way, detail = "separate", f"separate: each question by itself, because {refusal}"
    for member in asking:
        member.session.event(FORWARD_PASS, detail)
        member.record[FORWARD_PASS] = way
        member.session.update(protocol=json.dumps(member.record, sort_keys=True))


def _record_speed(member: Member) -> None:
    """Time, speed and memory of an evaluation.

    The time of a common pass is split among its questions by their answers, label scoring included, so the seconds of
    evaluations that were measured together add up to the time that they took. Seconds an image are those of one
    question: eight of them together cost far less than eight times one alone. What earlier attempts have spent on
    answers that were kept counts as well; peaks of memory and the time of loading are those of the last attempt.
    """
    from engine.training.record import peaks

    tokens = sum(prediction.generated_tokens for prediction in member.predictions)
    # Grey images of one size share one answer, which stands in the row of each: nothing was measured per image.
    shared = member.plan.row.degradation == BLANK
    member.session.update(
        seconds=member.seconds,
        seconds_per_image=None if shared else member.seconds / len(member.predictions),
        tokens_per_second=None if shared else tokens / max(member.seconds, 1e-9),
        **peaks(),
    )
