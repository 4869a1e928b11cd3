"""A desk on which tests queue and carry out evaluations of one trained run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from engine.evaluation.__main__ import main
from engine.recipe import Recipe
from engine.store.reader import Reader
from engine.store.records import EvaluationRow
from engine.store.writer import Writer
from engine.types import Prediction, Reference, Split
from engine.workspace import Workspace


@dataclass
class Desk:
    """Queues and carries out evaluations of one trained run."""

    workspace: Workspace
    writer: Writer
    recipe: Recipe
    run_id: int

    def queue(
        self,
        split: Split,
        question: str = "Q7",
        reference: Reference | None = None,
        degradation: str | None = None,
        **protocol: Any,
    ) -> int:
        settings = {"prompt": "detailed", "image_size": 96, "max_new_tokens": 4, **protocol}
        return self.writer.create_evaluation(
            None if reference else self.run_id,
            reference,
            self.recipe.model.id,
            "phantoms",
            split,
            question,
            json.dumps(settings),
            "",
            "",
            False,
            degradation=degradation,
        )

    def evaluate(self, evaluation_id: int) -> int:
        return main([str(evaluation_id), "--workspace", str(self.workspace.root)])

    def row(self, evaluation_id: int) -> EvaluationRow:
        with Reader(self.workspace) as reader:
            return reader.evaluation(evaluation_id)


def stored(desk: Desk, numbers: Sequence[int]) -> dict[int, list[Prediction]]:
    with Reader(desk.workspace) as reader:
        return {number: reader.predictions(number) for number in numbers}


def histories(desk: Desk, numbers: Sequence[int], kind: str) -> list[str]:
    with Reader(desk.workspace) as reader:
        return [event.detail for each in numbers for event in reader.events(evaluation_id=each) if event.kind == kind]


def on_first_batch(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object], after: int = 1) -> None:
    """Do something when the first batches of a group, `after` of them, have been measured and stored."""
    from engine.evaluation.measure import Examination

    real, done = Examination.batches, []

    def batches(self: Examination) -> Iterator[Any]:
        for batch in real(self):
            yield batch
            done.append(True)
            if len(done) == after:
                act()

    monkeypatch.setattr(Examination, "batches", batches)
