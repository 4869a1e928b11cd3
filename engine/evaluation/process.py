"""One process measures one subject: it loads the model once and takes every evaluation of it that waits.

Evaluations that show the same pictures in the same way are measured together, from one pass an image for all of their
questions; those that come later are taken in the next round.
"""

from __future__ import annotations

import sys

from engine.errors import SonotuneError, StoreError
from engine.evaluation.beginning import Member, begin
from engine.evaluation.finishing import complete, finish
from engine.evaluation.group import Group
from engine.evaluation.identity import Identity, identity_of
from engine.evaluation.loaded import Loaded
from engine.evaluation.measuring import measure
from engine.evaluation.plan import make_plan
from engine.evaluation.together import companions, needs_model, next_of_subject
from engine.store.records import JobRow
from engine.workspace import Workspace

__all__ = ["evaluate_from", "next_of_subject"]


def evaluate_from(workspace: Workspace, evaluation_id: int, *, keep_worker: bool = False) -> None:
    """Carry out one evaluation, then all others of the same subject that wait, validation before test.

    Args:
        workspace: where it is recorded.
        evaluation_id: of the first one.
        keep_worker: start a worker where there is none; for a process of its own.

    Raises:
        SonotuneError: the first evaluation failed; its row says so too. Failures of the others stand in their rows.
    """
    loaded = Loaded()
    going_on = _round(workspace, evaluation_id, loaded, keep_worker)
    while going_on and (following := _next(workspace, evaluation_id)) is not None:
        try:
            going_on = _round(workspace, following.id, loaded, keep_worker)
        except SonotuneError as error:
            # Another process was faster, or this one cannot be measured: its row says so, and the others go on.
            sys.stderr.write(f"evaluation {following.id}: {error}\n")


def _next(workspace: Workspace, evaluation_id: int) -> JobRow | None:
    try:
        return next_of_subject(workspace, evaluation_id)
    except StoreError as error:
        # The queue cannot be read: what waits in it is left to the worker.
        sys.stderr.write(f"no further evaluation is looked for: {error}\n")
        return None


def _round(workspace: Workspace, first: int, loaded: Loaded, keep_worker: bool) -> bool:
    """Carry out an evaluation with all that can be measured together with it; False when the process shall end.

    Raises:
        SonotuneError: `first` failed, or all of them did.
        Exception: one of them failed in a way that nobody has foreseen; the others have been carried out.
    """
    finished = 0
    with Group(workspace, keep_worker=keep_worker) as group:
        _take(group, first)
        identity = group.open[first].identity if first in group.open else None
        # An earlier attempt may have measured all: then there is nothing left to ask a model.
        if identity is not None and group.open[first].remaining:
            _load(group, loaded, identity)
            for each in _companions(group, first) if group.look() else ():
                _take(group, each, loaded.identity)
        if group.look():
            measure(group, loaded)
        for number, member in list(group.open.items()):
            if group.still_wanted(number):
                finished += _finish(group, member)
    _report(group, first)
    # Where users have ended all that there was, they want the device back.
    return not group.terminated and (finished > 0 or not group.asked)


def _companions(group: Group, first: int) -> list[int]:
    try:
        return companions(group.workspace, first)
    except StoreError as error:
        # They wait for a round of their own: what has been loaded must not be lost for that.
        sys.stderr.write(f"evaluation {first} is measured alone: {error}\n")
        return []


def _load(group: Group, loaded: Loaded, identity: Identity) -> None:
    """Have the subject of the only evaluation that has been taken.

    Before its companions are claimed, because nothing can be answered while weights are read: who cancels an
    evaluation that does not answer has its process killed in the end, and with it all that it has claimed.

    Raises:
        Exception: the model cannot be loaded. That is true of all that wait for it, so they are taken to fail as well.
    """
    [(first, member)] = group.open.items()
    try:
        loaded.load(group.workspace, member.plan, identity)
    except Exception:
        for each in _companions(group, first):
            _take(group, each, identity)
        raise


def _report(group: Group, first: int) -> None:
    """Raise what went wrong with `first`, or what nobody has foreseen; write the other errors to the log."""
    for number, error in group.errors.items():
        if number != first:
            sys.stderr.write(f"evaluation {number}: {error}\n")
    for number, error in group.errors.items():
        if number == first or not isinstance(error, SonotuneError):
            raise error


def _take(group: Group, evaluation_id: int, loaded: Identity | None = None) -> None:
    """Claim an evaluation and write down what it measures; a failure stands in its row.

    Args:
        group: takes it.
        evaluation_id: of the evaluation.
        loaded: who answers, where it is one of several of a loaded subject; its files may be others by now.
    """
    try:
        session = group.enter(evaluation_id)
    except SonotuneError as error:
        group.errors[evaluation_id] = error  # another process was faster: nothing to close
        return
    try:
        plan = make_plan(group.workspace, evaluation_id)
        identity = (loaded or identity_of(group.workspace, plan)) if needs_model(plan.row) else None
        member = begin(group.workspace, session, plan, identity)
    except Exception as error:  # noqa: BLE001 - stands in its row, and is raised when the others are done
        group.close(evaluation_id, error)
        return
    group.open[evaluation_id] = member


def _finish(group: Group, member: Member) -> bool:
    """Score a measured evaluation and end it; False where that failed, which stands in its row."""
    number = member.session.job_id
    try:
        predictions = complete(member.plan.cases, member.predictions)
        finish(group.workspace, member.session, member.plan, predictions)
    except Exception as error:  # noqa: BLE001 - stands in its row, and is raised when the others are done
        group.close(number, error)
        return False
    group.close(number)
    return True
