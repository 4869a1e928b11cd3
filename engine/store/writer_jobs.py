"""Writing runs and evaluations: creation, guarded transitions, heartbeat, requests."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from engine.errors import JobError
from engine.store.connection import explained
from engine.store.mapping import columns, from_row, select, to_column, update
from engine.store.records import Request
from engine.store.writer_base import OWNERS, TABLES, WriterBase, check_columns, missing_job
from engine.types import ACTIVE, ENDED, TRANSITIONS, Action, JobKind, Reference, Split, State

REFERENCE_NAMES: Mapping[Reference, str] = {
    Reference.MAJORITY: "majority class",
    Reference.MAJORITY_BY_VIEW: "majority by view",
    Reference.SHUFFLED: "shuffled answers",
}
"""Names of the reference rows that need no model."""
NO_PROCESS: Mapping[str, Any] = {"host": None, "pid": None, "process_start": None, "heartbeat": None, "device": None}
NO_ERROR: Mapping[str, Any] = {"error_title": None, "error_detail": None, "error_next_step": None}

_PENDING = "settled_at IS NULL"


def slug(name: str) -> str:
    """A run's name as part of a folder name: lower-case ASCII letters, digits and hyphens, at most 40 of them."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40].strip("-") or "run"


class JobWrites(WriterBase):
    """The part of the writer that knows the life of a job."""

    def create_run(
        self,
        name: str,
        recipe_json: str,
        dataset: str,
        dataset_fingerprint: str,
        split_fingerprint: str,
        model: str,
        seed: int,
        *,
        priority: int = 0,
        parent_run_id: int | None = None,
        **others: Any,
    ) -> int:
        """Queue a run and return its id; a name that is taken gets the suffix -2, -3, ...

        `others` are further columns of `runs` (planned_steps, study ...). Sets `directory` to
        `outputs/<id, five digits>-<slug of the name>`; the folder itself is made by who first writes into it.
        """
        check_columns(JobKind.TRAINING, others)
        values = {
            "recipe": recipe_json,
            "dataset": dataset,
            "dataset_fingerprint": dataset_fingerprint,
            "split_fingerprint": split_fingerprint,
            "model": model,
            "seed": seed,
            "priority": priority,
            "parent_run_id": parent_run_id,
            "state": State.QUEUED,
            "reason": "waits for a free device",
            "queued_at": self._now(),
            "directory": "",
            **others,
        }
        with self._transaction() as connection:
            unique = self._unique_name(name)
            run_id = self._insert("runs", {"name": unique, **values})
            connection.execute(
                "UPDATE runs SET directory = ? WHERE id = ?", (f"outputs/{run_id:05d}-{slug(unique)}", run_id)
            )
            self._add_event("run_id", run_id, State.QUEUED, "launched")
        return run_id

    def _unique_name(self, name: str) -> str:
        candidate, number = name, 1
        while self._connection.execute("SELECT 1 FROM runs WHERE name = ?", (candidate,)).fetchone():
            number += 1
            candidate = f"{name}-{number}"
        return candidate

    def create_evaluation(
        self,
        run_id: int | None,
        reference: Reference | None,
        model: str,
        dataset: str,
        split: Split,
        question: str,
        protocol_json: str,
        protocol_fingerprint: str,
        cases_fingerprint: str,
        after_run: bool,
        priority: int = 0,
        *,
        look: str | None = None,
        **others: Any,
    ) -> int:
        """Queue an evaluation of a run, or of a reference row (exactly one of the two is given); return its id.

        Args:
            after_run: wait until the run has succeeded; without it the adapter is evaluated as it is.
            look: why the test split is looked at; it goes into the ledger in the same transaction. None for no look.
            others: further columns of `evaluations` (prompt, max_new_tokens, case_limit, split_fingerprint ...).

        Raises:
            JobError: the run does not exist, or not exactly one of `run_id` and `reference` was given.
        """
        check_columns(JobKind.EVALUATION, others)
        if (run_id is None) == (reference is None):
            raise JobError(
                "An evaluation measures either a run or a reference row", f"Got run {run_id} and {reference}."
            )
        with self._transaction():
            values = {
                "run_id": run_id,
                "reference": reference,
                "name": self._subject_name(run_id, reference, model),
                "model": model,
                "dataset": dataset,
                "split": split,
                "question": question,
                "protocol": protocol_json,
                "protocol_fingerprint": protocol_fingerprint,
                "cases_fingerprint": cases_fingerprint,
                "after_run": after_run,
                "priority": priority,
                "state": State.QUEUED,
                "reason": "waits for its run" if after_run else "waits for a free device",
                "queued_at": self._now(),
                **others,
            }
            evaluation_id = self._insert("evaluations", values)
            self._add_event("evaluation_id", evaluation_id, State.QUEUED, "queued")
            if look is not None:
                self._enter_look(evaluation_id, dataset, str(others.get("split_fingerprint") or ""), look)
        return evaluation_id

    def _subject_name(self, run_id: int | None, reference: Reference | None, model: str) -> str:
        if run_id is None:
            return f"untuned {model}" if reference is None else REFERENCE_NAMES.get(reference, f"untuned {model}")
        row = self._connection.execute("SELECT name FROM runs WHERE id = ?", (run_id,)).fetchone()
        if row is None:
            raise missing_job(JobKind.TRAINING, run_id)
        return str(row[0])

    def transition(
        self,
        kind: JobKind,
        job_id: int,
        from_states: State | Iterable[State],
        to_state: State,
        reason: str,
        *,
        only_pid: int | None = None,
        **others: Any,
    ) -> bool:
        """Move a job from one of `from_states` to `to_state`, with its event, in one transaction.

        Args:
            only_pid: also require that the row still belongs to this process.
            others: further columns to set; times, and what a new attempt must forget, are set by themselves.

        Returns:
            False when the row was no longer in one of `from_states` (somebody else was faster): nothing was written.

        Raises:
            JobError: the state diagram has no such transition, or there is no such job.
        """
        origins = (from_states,) if isinstance(from_states, State) else tuple(from_states)
        _check_transition(origins, to_state)
        check_columns(kind, others)
        implied = {**self._implied(to_state), **_left_behind(kind, to_state)}
        if origins == (State.STARTING,) and to_state == State.QUEUED:
            # It was never begun, so it keeps its place.
            implied = {name: value for name, value in implied.items() if name not in ("queued_at", "queue_rank")}
        values = {**implied, **others, "state": to_state, "reason": reason}
        marks = ", ".join(f"'{origin.value}'" for origin in origins)
        where = f"id = :id AND state IN ({marks})" + ("" if only_pid is None else " AND pid = :only_pid")
        parameters = {name: to_column(value) for name, value in values.items()}
        with self._transaction() as connection:
            statement = update(TABLES[kind], tuple(values), where)
            if connection.execute(statement, {**parameters, "id": job_id, "only_pid": only_pid}).rowcount != 1:
                self._require(kind, job_id)
                return False
            self._add_event(OWNERS[kind], job_id, to_state, reason)
            if to_state in ENDED:
                self._settle_pending(kind, job_id, f"the job ended: {to_state}")
            if kind == JobKind.TRAINING and to_state == State.CANCELLED:
                self._cancel_dependents(job_id)
        return True

    def _cancel_dependents(self, run_id: int) -> None:
        """A cancelled run never succeeds: evaluations that wait for it leave the queue with it."""
        statement = "SELECT id FROM evaluations WHERE run_id = ? AND after_run AND state = ?"
        reason = f"run {run_id} was cancelled"
        for row in self._connection.execute(statement, (run_id, State.QUEUED.value)).fetchall():
            values = {"state": State.CANCELLED.value, "reason": reason, "ended_at": self._now()}
            self._connection.execute(update("evaluations", tuple(values), "id = :id"), {**values, "id": row[0]})
            self._add_event("evaluation_id", int(row[0]), State.CANCELLED, reason)

    def _implied(self, to_state: State) -> dict[str, Any]:
        now = self._now()
        if to_state == State.QUEUED:
            return {
                "queued_at": now,
                "queue_rank": None,
                "started_at": None,
                "ended_at": None,
                **NO_PROCESS,
                **NO_ERROR,
            }
        if to_state == State.STARTING:
            return {"started_at": now, "heartbeat": now}
        if to_state in ENDED:
            return {"ended_at": now}
        return {"heartbeat": now}

    def _require(self, kind: JobKind, job_id: int) -> None:
        if self._connection.execute(select(TABLES[kind], ("1",), "WHERE id = ?"), (job_id,)).fetchone() is None:
            raise missing_job(kind, job_id)

    def update(self, kind: JobKind, job_id: int, **values: Any) -> None:
        """Set columns of a job (not its state: that is `transition`'s).

        Raises:
            JobError: there is no such job.
        """
        check_columns(kind, values)
        parameters = {name: to_column(value) for name, value in values.items()}
        with self._transaction() as connection:
            statement = update(TABLES[kind], tuple(values), "id = :id")
            if connection.execute(statement, {**parameters, "id": job_id}).rowcount != 1:
                raise missing_job(kind, job_id)

    def heartbeat(self, kind: JobKind, job_id: int, pid: int | None = None) -> bool:
        """Note a sign of life; False when the row is not active any more, or not this process's."""
        states = ", ".join(f"'{state.value}'" for state in ACTIVE)
        where = f"id = :id AND state IN ({states}) AND (:pid IS NULL OR pid = :pid)"
        statement = update(TABLES[kind], ("heartbeat",), where)
        with self._transaction() as connection:
            return connection.execute(statement, {"heartbeat": self._now(), "id": job_id, "pid": pid}).rowcount == 1

    def add_event(self, kind: JobKind, job_id: int, event: str, detail: str) -> int:
        """Add a line to a job's history (`event` says what happened: checkpoint, backend ...); return its id."""
        with self._transaction():
            return self._add_event(OWNERS[kind], job_id, event, detail)

    def request(self, kind: JobKind, job_id: int, action: Action) -> int:
        """Ask an active job for something and return the request's id; the same one asked again is not doubled."""
        owner = OWNERS[kind]
        with self._transaction() as connection:
            self._require(kind, job_id)
            where = f"WHERE {owner} = ? AND action = ? AND {_PENDING}"
            found = connection.execute(select("requests", ("id",), where), (job_id, action.value)).fetchone()
            if found:
                return int(found[0])
            self._add_event(owner, job_id, "request", action.value)
            return self._insert("requests", {"time": self._now(), owner: job_id, "action": action})

    def pending_requests(self, kind: JobKind, job_id: int) -> list[Request]:
        """Requests that the job has not settled yet, oldest first. One cheap read."""
        statement = select("requests", columns(Request), f"WHERE {OWNERS[kind]} = ? AND {_PENDING} ORDER BY id")
        with explained(self._database):
            return [from_row(Request, row) for row in self._connection.execute(statement, (job_id,))]

    def settle_request(self, request_id: int, outcome: str) -> None:
        """Mark a request as dealt with; `outcome` says how."""
        with self._transaction() as connection:
            connection.execute(
                "UPDATE requests SET settled_at = ?, outcome = ? WHERE id = ?", (self._now(), outcome, request_id)
            )

    def _settle_pending(self, kind: JobKind, job_id: int, outcome: str) -> None:
        where = f"{OWNERS[kind]} = :id AND {_PENDING}"
        self._connection.execute(
            update("requests", ("settled_at", "outcome"), where),
            {"settled_at": self._now(), "outcome": outcome, "id": job_id},
        )


def _left_behind(kind: JobKind, to_state: State) -> dict[str, Any]:
    """What a run leaves behind with this step of its life: a stall with the process, its phase with the attempt."""
    if kind != JobKind.TRAINING or to_state == State.RUNNING:
        return {}
    return {"stalled_at": None} if to_state in ENDED else {"stalled_at": None, "phase": None}


def _check_transition(origins: tuple[State, ...], to_state: State) -> None:
    illegal = [origin for origin in origins if to_state not in TRANSITIONS[origin]]
    if illegal or not origins:
        raise JobError(
            f"A job cannot go from {' or '.join(illegal) or 'nowhere'} to {to_state}",
            "The state diagram has no such transition (docs/architecture.md).",
        )
