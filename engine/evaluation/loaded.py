"""The subject that an evaluation process has loaded, kept from one round to the next. Light until one is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING

from engine.evaluation.plan import Plan
from engine.training.model_files import resolve_model
from engine.workspace import Workspace

if TYPE_CHECKING:
    from engine.evaluation.subject import Subject


@dataclass(slots=True)
class Loaded:
    """A subject, and what it was loaded from."""

    key: object = None
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

    def load(self, workspace: Workspace, plan: Plan) -> None:
        """Load the subject of an evaluation, unless it is there already.

        Raises:
            ModelError: something is missing, does not fit this machine, or is not what the run saved.
        """
        key = (plan.row.run_id, plan.row.model, plan.settings.quantization)
        if self.subject is not None and self.key == key:
            self.seconds = 0.0
            return
        from engine.evaluation.subject import load_subject
        from engine.training.record import forget_peak

        started = perf_counter()
        # The one before goes first: two models at once may not fit.
        self.subject = self.key = None
        forget_peak()
        self.subject = load_subject(
            resolve_model(plan.row.model, workspace.root),
            plan.settings.quantization,
            None if plan.run is None else workspace.root / plan.run.directory / "adapter",
            None if plan.run is None else plan.run.adapter_sha256,
        )
        self.key, self.seconds = key, perf_counter() - started
