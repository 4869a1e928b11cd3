"""The subject that an evaluation process has loaded, kept from one round to the next. Light until one is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING

from engine.errors import ModelError
from engine.evaluation.identity import Identity, identity_of
from engine.evaluation.plan import Plan
from engine.training.model_files import resolve_model
from engine.workspace import Workspace

if TYPE_CHECKING:
    from engine.evaluation.subject import Subject


@dataclass(slots=True)
class Loaded:
    """A subject, and what it was loaded from."""

    key: object = None
    identity: Identity | None = None
    """Who it is; None where nothing is loaded."""
    subject: Subject | None = None
    seconds: float = 0.0
    """What loading took in this round; 0 where the subject was there already."""

    @property
    def ready(self) -> Subject:
        """The subject.

        Raises:
            RuntimeError: none has been loaded.
        """
        if self.subject is None:
            raise RuntimeError("no subject has been loaded")
        return self.subject

    def load(self, workspace: Workspace, plan: Plan, identity: Identity) -> None:
        """Load the subject of an evaluation, unless it is there already.

        Args:
            workspace: where models and adapters lie.
            plan: of the evaluation.
            identity: who has to answer.

        Raises:
            ModelError: something is missing, does not fit this machine, or is not what the run saved; or its files
                were changed while they were read.
        """
        key = (plan.row.run_id, plan.row.model, plan.settings.quantization)
        if self.subject is not None and (self.key, self.identity) == (key, identity):
            self.seconds = 0.0
            return
        from engine.evaluation.subject import load_subject
        from engine.training.record import forget_peak

        started = perf_counter()
        # The one before goes first: two models at once may not fit.
        self.subject = self.key = self.identity = None
        forget_peak()
        subject = load_subject(
            resolve_model(plan.row.model, workspace.root),
            plan.settings.quantization,
            None if plan.run is None else workspace.job_folder(plan.run.directory) / "adapter",
            None if plan.run is None else plan.run.adapter_sha256,
        )
        if identity_of(workspace, plan) != identity:
            raise ModelError(
                "The model was changed while it was read",
                "The files of base or adapter are others than a moment before, so nobody knows what was loaded.",
                f"Evaluate it again: `sonotune resume --evaluation {plan.row.id}`.",
            )
        self.subject, self.key, self.identity, self.seconds = subject, key, identity, perf_counter() - started
