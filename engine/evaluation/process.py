"""One process measures one subject: it loads the model once and takes every evaluation of it that waits.

Evaluations that show the same pictures in the same way are measured together, from one pass an image for all of their
questions; those that come later are taken in the next round.
"""

from __future__ import annotations

import json
import sys
from contextlib import closing
from dataclasses import asdict

from engine.data.fingerprint import cases_fingerprint
from engine.errors import SonotuneError
from engine.evaluation.finishing import finish
from engine.evaluation.group import Group, Member
from engine.evaluation.loaded import Loaded
from engine.evaluation.plan import make_plan
from engine.evaluation.references import reference_predictions
from engine.evaluation.together import companions, needs_model, next_of_subject
from engine.questions.serving_errors import compile_patterns
from engine.types import BLANK, Reference
from engine.workspace import Workspace

__all__ = ["evaluate_from", "next_of_subject"]

FORWARD_PASS = "forward_pass"  # noqa: S105 - a key, not a secret
"""Key of the stored protocol, and kind of the event, that tells which way answers were computed: `shared` by all
questions of an image, or `separate`. No part of the fingerprint: in float32 the answers are the same (a test holds
them against each other). In bf16 products are rounded differently for other shapes of a batch, so a tie between two
tokens may fall otherwise, as it may between two batch sizes of one way."""


def evaluate_from(workspace: Workspace, evaluation_id: int) -> None:
    """Carry out one evaluation, then all others of the same subject that wait, validation before test.

    Raises:
        SonotuneError: the first evaluation failed; its row says so too. Failures of the others stand in their rows.
    """
    loaded = Loaded()
    going_on = _round(workspace, evaluation_id, loaded)
    while going_on and (following := next_of_subject(workspace, evaluation_id)) is not None:
        try:
            going_on = _round(workspace, following.id, loaded)
        except SonotuneError as error:
            # Another process was faster, or this one cannot be measured: its row says so, and the others go on.
            sys.stderr.write(f"evaluation {following.id}: {error}\n")


def _round(workspace: Workspace, first: int, loaded: Loaded) -> bool:
    """Carry out an evaluation with all that can be measured together with it; False when the process shall end.

    Raises:
        SonotuneError: `first` failed, or all of them did.
        Exception: one of them failed in a way that nobody has foreseen; the others have been carried out.
    """
    finished = 0
    with Group(workspace) as group:
        _take(group, first)
        if first in group.open and needs_model(group.open[first].plan.row):
            _load(group, loaded)
            for each in companions(workspace, first) if group.look() else ():
                _take(group, each)
        if group.look():
            _measure(group, loaded)
        for number, member in list(group.open.items()):
            if group.still_wanted(number):
                finished += _finish(group, member)
    _report(group, first)
    # Where users have ended all that there was, they want the device back.
    return not group.terminated and (finished > 0 or not group.asked)


def _load(group: Group, loaded: Loaded) -> None:
    """Have the subject of the only evaluation that has been taken.

    Before its companions are claimed, because nothing can be answered while weights are read: who cancels an
    evaluation that does not answer has its process killed in the end, and with it all that it has claimed.

    Raises:
        Exception: the model cannot be loaded. That is true of all that wait for it, so they are taken to fail as well.
    """
    [(first, member)] = group.open.items()
    try:
        loaded.load(group.workspace, member.plan)
    except Exception:
        for each in companions(group.workspace, first):
            _take(group, each)
        raise


def _report(group: Group, first: int) -> None:
    """Raise what went wrong with `first`, or what nobody has foreseen; write the other errors to the log."""
    for number, error in group.errors.items():
        if number != first:
            sys.stderr.write(f"evaluation {number}: {error}\n")
    for number, error in group.errors.items():
        if number == first or not isinstance(error, SonotuneError):
            raise error


def _take(group: Group, evaluation_id: int) -> None:
    """Claim an evaluation and write down what it measures; a failure stands in its row."""
    try:
        session = group.enter(evaluation_id)
    except SonotuneError as error:
        group.errors[evaluation_id] = error  # another process was faster: nothing to close
        return
    try:
        plan = make_plan(group.workspace, evaluation_id)
        # Beside the protocol itself, what a second attempt would need again.
        record = {**asdict(plan.settings), **json.loads(plan.protocol.as_json())}
        session.writer.begin_evaluation(
            evaluation_id,
            protocol=json.dumps(record, sort_keys=True),
            protocol_fingerprint=plan.protocol.fingerprint(),
            clean_protocol_fingerprint=plan.protocol.clean().fingerprint(),
            cases_fingerprint=cases_fingerprint(plan.cases, plan.row.question),
            dataset_fingerprint=plan.dataset.record.fingerprint,
            split_fingerprint=plan.dataset.record.split_fingerprint,
            prompt=plan.protocol.prompt,
            max_new_tokens=plan.protocol.max_new_tokens,
            case_limit=plan.settings.case_limit,
            n=len(plan.cases),
        )
    except Exception as error:  # noqa: BLE001 - stands in its row, and is raised when the others are done
        group.close(evaluation_id, error)
        return
    group.open[evaluation_id] = Member(session, plan, record)


def _finish(group: Group, member: Member) -> bool:
    """Score a measured evaluation and end it; False where that failed, which stands in its row."""
    number = member.session.job_id
    try:
        finish(group.workspace, member.session, member.plan, member.predictions)
    except Exception as error:  # noqa: BLE001 - stands in its row, and is raised when the others are done
        group.close(number, error)
        return False
    group.close(number)
    return True


def _measure(group: Group, loaded: Loaded) -> None:
    """Predictions of all cases of all members, stored as they come; those whose users end them are closed."""
    [first, *_] = group.open.values()
    reference = first.plan.row.reference
    if reference is not None and reference is not Reference.BASE:
        _refer(first, reference)
        return
    from engine.evaluation.measure import Asking, Examination

    for member in group.open.values():
        member.session.update(backend="transformers", load_seconds=loaded.seconds if member is first else 0.0)
    askings = {number: Asking(member.plan.protocol, member.plan.cases) for number, member in group.open.items()}
    examination = Examination(loaded.ready, askings, first.plan.settings.batch, live=group.look, note=group.note)
    _note_way(group, examination.refusal)
    with closing(examination.batches()) as batches:
        for batch in batches:
            for number, error in batch.failures.items():
                group.close(number, error)
            for number, member in group.open.items():
                predictions = batch.predictions.get(number, [])
                member.session.writer.add_predictions(number, predictions)
                member.predictions += predictions
                member.seconds += batch.seconds.get(number, 0.0)
    for member in group.open.values():
        _record_speed(member)


def _refer(member: Member, reference: Reference) -> None:
    """The predictions of a reference row that needs no model."""
    plan = member.plan
    errors = compile_patterns(plan.protocol.error_patterns)
    member.predictions = reference_predictions(
        reference, plan.cases, plan.row.question, plan.training, errors, plan.protocol.layers
    )
    member.session.writer.add_predictions(member.session.job_id, member.predictions)


def _note_way(group: Group, refusal: str | None) -> None:
    """Say in every history and stored protocol in which way the answers are computed."""
    questions = [member.plan.row.question for member in group.open.values()]
    if refusal is None:
        way, detail = "shared", f"shared: one pass an image for {', '.join(questions)}"
    else:
        way, detail = "separate", f"separate: each question by itself, because {refusal}"
    group.note(FORWARD_PASS, detail)
    for member in group.open.values():
        member.session.update(protocol=json.dumps({**member.record, FORWARD_PASS: way}, sort_keys=True))


def _record_speed(member: Member) -> None:
    """Time, speed and memory of an evaluation.

    The time of a common pass is split among its questions by their answers, label scoring included, so the seconds of
    evaluations that were measured together add up to the time that they took. Seconds an image are those of one
    question: eight of them together cost far less than eight times one alone.
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
