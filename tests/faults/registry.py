"""All kinds of faults, in the order of the table, and how often each is tried."""

from __future__ import annotations

from collections.abc import Callable

import kinds_database
import kinds_database_file
import kinds_evaluation as evaluation
import kinds_resources as resources
import kinds_screens
import kinds_ssh
import kinds_training as training
import kinds_worker
import kinds_worker_rows
from harness import Case, Kind, Seen
from real_template import VARIANTS
from real_try import template_of
from real_world import RealWorld


def real(
    name: str,
    attempt: Callable[[Case], RealWorld],
    full: int,
    short: int = 0,
    prepare: Callable[[Case], None] | None = None,
    limit_seconds: float = 240.0,
) -> Kind:
    """A kind against the real process."""

    def carried_out(case: Case) -> Seen:
        return attempt(case).seen

    return Kind(name, carried_out, full, short, real=True, limit_seconds=limit_seconds, prepare=prepare or _trained)


def evaluated(name: str, attempt: Callable[[Case], RealWorld], full: int) -> Kind:
    """A kind against the real process of evaluations."""
    return real(name, attempt, full, prepare=_measured, limit_seconds=evaluation.LIMIT_SECONDS)


def _trained(case: Case) -> None:
    """The unbroken runs that tries are compared with."""
    for variant in VARIANTS:
        template_of(case).unbroken(variant)


def _measured(case: Case) -> None:
    """The unbroken evaluations."""
    _ = template_of(case).answers


KINDS: tuple[Kind, ...] = (
    real("training killed, loading", training.killed_while_loading, 8),
    real("training killed, in a step", training.killed_in_a_step, 10),
    real("training killed, random moment", training.killed_at_a_random_moment, 8),
    real("training killed, checkpoint write", training.killed_in_a_checkpoint, 12, 1),
    real("training killed, adapter save", training.killed_in_the_adapter_save, 8),
    real("training killed, again after a resume", training.killed_twice, 4),
    evaluated("evaluation killed, asking", evaluation.killed_while_asking, 8),
    evaluated("evaluation killed, scoring", evaluation.killed_while_scoring, 6),
    real("training terminated", training.told_to_end, 4),
    real("training and worker hung up", training.hung_up, 3),
    real("worker killed beside a training", training.worker_killed, 5),
    real("worker and training killed", training.both_killed, 5),
    real("training, machine restart", training.machine_restarted, 5),
    real("training, disk full at a checkpoint", resources.disk_full_in_a_checkpoint, 6),
    real("training, disk full at the adapter", resources.disk_full_at_the_adapter, 4),
    real("training, runs.db has no room", resources.disk_full_in_metrics, 4),
    real("training, GPU memory (simulated)", resources.out_of_memory_on_the_card, 4),
    real("training, host memory", resources.out_of_host_memory, 3),
    real("training, loss not a number", resources.no_number, 3),
    real("training, images cut short", resources.corrupt_image, 3),
    real("training, base model gone", resources.base_model_gone, 4),
    real("training, runs.db locked for 30 s", resources.database_locked, 3),
    real("training, runs.db deleted", resources.database_deleted, 4),
    real("training, runs.db damaged", resources.database_unwritable, 3),
    *kinds_ssh.KINDS,
    *kinds_screens.KINDS,
    *kinds_worker.KINDS,
    *kinds_worker_rows.KINDS,
    *kinds_database.KINDS,
    *kinds_database_file.KINDS,
)
assert len({kind.name for kind in KINDS}) == len(KINDS), "two kinds have one name"
