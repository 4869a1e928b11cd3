"""The beginning of an attempt: which answers of the one before are kept, and which cases are still to be asked."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from math import isfinite
from typing import Any

from engine.data.fingerprint import cases_fingerprint
from engine.evaluation.identity import Identity, differences
from engine.evaluation.plan import Plan
from engine.jobs.session import JobSession
from engine.questions.vocabulary import NORMALITY
from engine.store.reader import Reader
from engine.store.recorded import ANEW, GOES_ON
from engine.store.records import EvaluationRow
from engine.types import Case, Outcome, Prediction
from engine.workspace import Workspace

SUBJECT = "subject"
"""Key of the stored protocol: who answers (`Identity.details`). No part of the fingerprint."""
FORWARD_PASS = "forward_pass"  # noqa: S105 - a key, not a secret
"""Key of the stored protocol, and kind of the event, that tells which way answers were computed: `shared` by all
questions of an image, or `separate`. No part of the fingerprint: in float32 the answers are the same (a test holds
them against each other). In bf16 products are rounded differently for other shapes of a batch, so a tie between two
tokens may fall otherwise, as it may between two batch sizes of one way."""


@dataclass(slots=True)
class Member:
    """One evaluation that is being measured."""

    session: JobSession
    plan: Plan
    record: dict[str, Any]
    """Its stored protocol, with the settings beside it."""
    identity: Identity | None
    """Who answers; None for a reference row that needs no model."""
    remaining: list[Case]
    """Cases that no earlier attempt has measured, in path order."""
    predictions: list[Prediction] = field(default_factory=list)
    """So far, those of earlier attempts among them."""
    seconds: float = 0.0
    """Its share of the time so far, that of earlier attempts included."""


@dataclass(frozen=True, slots=True)
class Before:
    """What earlier attempts have left."""

    stored: list[Prediction]
    kept: list[Prediction]
    reason: str
    """Why the others are not kept; "" where there is nothing to say."""


def begin(workspace: Workspace, session: JobSession, plan: Plan, identity: Identity | None) -> Member:
    """Write down what an attempt measures, and keep the answers of an earlier one where they are answers to the same.

    Args:
        workspace: where it is recorded.
        session: has claimed it.
        plan: what it measures.
        identity: who answers; None for reference rows that need no model, of which nothing is worth keeping.

    Raises:
        StoreError: runs.db cannot be written.
    """
    # Beside the protocol itself, what a second attempt would need again.
    record = {**asdict(plan.settings), **json.loads(plan.protocol.as_json())}
    if identity is not None:
        record[SUBJECT] = dict(identity.details)
    values = _values(plan, identity)
    with Reader(workspace) as reader:
        before = kept_of(plan, values, identity, reader.predictions(plan.row.id))
    if before.kept and (way := _stored_protocol(plan.row).get(FORWARD_PASS)) is not None:
        record[FORWARD_PASS] = way
    measured = {prediction.path for prediction in before.kept}
    seconds = _seconds_before(plan.row, before.kept)
    session.recording.patiently(
        lambda writer: writer.begin_evaluation(
            plan.row.id,
            keep=measured,
            protocol=json.dumps(record, sort_keys=True),
            seconds=seconds if measured else None,
            **values,
        )
    )
    _tell(session, before, len(plan.cases))
    remaining = [case for case in plan.cases if case.path not in measured]
    return Member(session, plan, record, identity, remaining, list(before.kept), seconds)


def _values(plan: Plan, identity: Identity | None) -> dict[str, Any]:
    return {
        "protocol_fingerprint": plan.protocol.fingerprint(),
        "clean_protocol_fingerprint": plan.protocol.clean().fingerprint(),
        "cases_fingerprint": cases_fingerprint(plan.cases, plan.row.question),
        "dataset_fingerprint": plan.dataset.record.fingerprint,
        "split_fingerprint": plan.dataset.record.split_fingerprint,
        "subject_sha256": None if identity is None else identity.adapter_sha256,
        "prompt": plan.protocol.prompt,
        "max_new_tokens": plan.protocol.max_new_tokens,
        "case_limit": plan.settings.case_limit,
        "n": len(plan.cases),
    }


def kept_of(plan: Plan, values: Mapping[str, Any], identity: Identity | None, stored: Iterable[Prediction]) -> Before:
    """The stored answers that the coming attempt would get again.

    Args:
        plan: with the row as the earlier attempt has left it.
        values: fingerprints of the coming attempt, by column.
        identity: who answers now.
        stored: answers of earlier attempts.
    """
    found = list(stored)
    if not found or identity is None:
        return Before(found, [], "")
    if reason := why_anew(plan.row, values, identity):
        return Before(found, [], reason)
    wanted = {case.path for case in plan.cases}
    kept = [each for each in found if each.path in wanted and each.question == plan.row.question and _is_whole(each)]
    return Before(found, kept, "" if kept else "they hold no answer that can be kept")


def why_anew(row: EvaluationRow, values: Mapping[str, Any], identity: Identity) -> str:
    """Why the answers that a row has are none to what is asked now, or not from who answers now; "" where they are."""
    for name, what in (
        ("protocol_fingerprint", "the protocol has changed"),
        ("cases_fingerprint", "the cases have changed"),
        ("dataset_fingerprint", "the dataset has changed"),
        ("split_fingerprint", "the split has changed"),
    ):
        if getattr(row, name) != values[name]:
            return what
    if row.subject_sha256 != identity.adapter_sha256:
        return "they come from another adapter" if row.subject_sha256 else "it is not known which adapter gave them"
    if not identity.is_known:
        return "it cannot be told whether the model is still the same"
    before = _stored_protocol(row).get(SUBJECT)
    if before is None:
        return "it is not known which model gave them"
    changed = differences(before, identity)
    return f"this has changed: {', '.join(changed)}" if changed else ""


def _stored_protocol(row: EvaluationRow) -> dict[str, Any]:
    try:
        stored = json.loads(row.protocol or "{}")
    except ValueError:
        return {}
    return stored if isinstance(stored, dict) else {}


def _is_whole(prediction: Prediction) -> bool:
    """False for an answer to Q7 without a probability: it could never be scored, so it is worth another try."""
    p = prediction.p_abnormal
    return prediction.question != NORMALITY or prediction.outcome is Outcome.ERROR or (p is not None and isfinite(p))


def _seconds_before(row: EvaluationRow, kept: Iterable[Prediction]) -> float:
    """Time that earlier attempts have spent; 0 where nothing of theirs is kept.

    It is written before the answers that it bought, so it never says less than was spent.
    """
    latencies = [prediction.latency_seconds for prediction in kept]
    if not latencies:
        return 0.0
    return sum(latencies) if row.seconds is None else row.seconds


def _tell(session: JobSession, before: Before, total: int) -> None:
    if before.kept:
        session.event(GOES_ON, f"{len(before.kept)} of {total} cases were measured before")
    elif before.reason:
        session.event(ANEW, f"{len(before.stored)} answers of an earlier attempt are not kept: {before.reason}")
