"""Studies whose runs and evaluations are written by hand, for the tests of what an analysis makes of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_helpers import succeed
from compare_helpers import ABNORMAL, NORMAL, Said, predictions
from store_helpers import add_evaluation, add_run

from engine.recipe import recipe_json
from engine.store.reader import Reader
from engine.store.records import MarkRow
from engine.store.writer import Writer
from engine.study.analysis.analyse import analyse
from engine.study.expanding import Cell, Target, expand
from engine.study.found import FoundCell, FoundReference, FoundStudy
from engine.study.reading import parse_study
from engine.study.results import Answer, ArmFigure, StudyResult, StudyTable
from engine.study.scaled import Scaled, scaled
from engine.types import JobKind, Prediction, Reference, Split
from engine.workspace import Workspace

HEAD = """
name = "made-up"
title = "Made up"
question = "Which is better?"
varies = [
    "lora.r", "lora.vision", "data.questions", "data.prompt", "data.prompt_text", "data.balance", "training.loss",
    "training.epochs", "training.max_steps",
]
"""


def study(body: str) -> Scaled:
    """A study of one scale from the rest of its file."""
    return scaled(parse_study(f'{HEAD}{body}\n[scales.small]\nrecipe = "demo"\n', "made-up.toml"), "small")


def arms(*names: str) -> str:
    """Arms that differ in the rank of the adapter."""
    return "\n".join(f'[arms."{name}"]\n"lora.r" = {2 ** (place + 1)}' for place, name in enumerate(names))


def studied(body: str) -> pytest.MarkDecorator:
    """Mark of a test whose fixture `lab` holds this study."""
    return pytest.mark.parametrize("lab", [body], indirect=True, ids=["study"])


class Lab:
    """A workspace in which cells of a study are measured by hand."""

    def __init__(self, folder: Path, body: str | Scaled) -> None:
        self.workspace = Workspace(folder)
        self.scaled = study(body) if isinstance(body, str) else body
        self.cells = expand(self.scaled, folder)
        self.writer = Writer.open(self.workspace)
        self.runs: dict[tuple[str, int], int] = {}
        self.rows: dict[tuple[str, int], dict[Target, int]] = {}
        self.references: list[tuple[Reference, tuple[str, ...], Target, int]] = []

    def cell(self, arm: str, place: int = 0) -> Cell:
        return [cell for cell in self.cells if cell.arm == arm][place]

    def train(self, arm: str, place: int = 0, **columns: Any) -> int:
        cell = self.cell(arm, place)
        if (arm, cell.seed) not in self.runs:
            run = add_run(self.writer, cell.recipe.name)
            with self.writer._transaction() as connection:
                connection.execute("UPDATE runs SET recipe = ? WHERE id = ?", (recipe_json(cell.recipe), run))
            succeed(self.writer, JobKind.TRAINING, run, **columns)
            self.runs[arm, cell.seed] = run
        return self.runs[arm, cell.seed]

    def measure(
        self,
        arm: str,
        rows: Sequence[Prediction],
        place: int = 0,
        *,
        target: Target | None = None,
        marks: Mapping[str, str] | None = None,
        **options: Any,
    ) -> int:
        """Predictions of one seed of an arm; an untuned arm has those of the base model."""
        cell = self.cell(arm, place)
        target = target or Target(rows[0].question, self.scaled.study.measure.split)
        subject = Reference.BASE if cell.untuned else self.train(arm, place)
        evaluation = self._measured(subject, rows, target, **options)
        self.writer.set_marks(
            evaluation, [MarkRow(evaluation, kind, "all", detail) for kind, detail in (marks or {}).items()]
        )
        self.rows.setdefault((arm, cell.seed), {})[target] = evaluation
        return evaluation

    def refer(
        self,
        reference: Reference,
        rows: Sequence[Prediction],
        *names: str,
        target: Target | None = None,
        **options: Any,
    ) -> int:
        target = target or Target(rows[0].question, self.scaled.study.measure.split)
        evaluation = self._measured(reference, rows, target, **options)
        self.references.append((reference, names or tuple(self.scaled.arms), target, evaluation))
        return evaluation

    def _measured(
        self,
        subject: int | Reference,
        rows: Sequence[Prediction],
        target: Target,
        *,
        cases: str = "",
        threshold: float = 0.5,
        threshold_source: str | None = None,
        protocol: Mapping[str, Any] | None = None,
        protocol_fingerprint: str = "protocol-1",
    ) -> int:
        """A succeeded evaluation without stored scores, which no analysis reads."""
        run, reference = (None, subject) if isinstance(subject, Reference) else (subject, None)
        evaluation = add_evaluation(
            self.writer,
            run,
            reference,
            question=target.question,
            split=Split(target.split),
            protocol=protocol_fingerprint,
            cases=cases or f"cases-{target.question}",
            degradation=target.degradation or None,
        )
        self.writer.update(JobKind.EVALUATION, evaluation, protocol=json.dumps(protocol or {"prompt": "detailed"}))
        self.writer.add_predictions(evaluation, rows)
        columns = {"threshold": threshold, "threshold_source": threshold_source} if target.question == "Q7" else {}
        succeed(self.writer, JobKind.EVALUATION, evaluation, n=len(rows), **columns)
        return evaluation

    def found(self, order: Sequence[str] | None = None) -> FoundStudy:
        with Reader(self.workspace) as reader:
            cells = [
                FoundCell(
                    cell,
                    reader.run(self.runs[cell.arm, cell.seed]) if (cell.arm, cell.seed) in self.runs else None,
                    {
                        target: reader.evaluation(row)
                        for target, row in self.rows.get((cell.arm, cell.seed), {}).items()
                    },
                )
                for cell in self.cells
            ]
            references = tuple(
                FoundReference(reference, names, target, reader.evaluation(row))
                for reference, names, target, row in self.references
            )
        if order is not None:
            cells.sort(key=lambda each: order.index(each.cell.arm))
        return FoundStudy(self.scaled, "phantoms", "data-1", "split-1", tuple(cells), references)

    def result(self, order: Sequence[str] | None = None) -> StudyResult:
        return analyse(self.workspace, self.found(order))


def figure(result: StudyResult, arm: str, question: str = "Q7") -> ArmFigure:
    return next(each for each in result.figures if (each.arm, each.question) == (arm, question))


def answer(result: StudyResult, arm: str, place: int = 0) -> Answer:
    return [each for each in result.answers if each.arm == arm][place]


def table(result: StudyResult, name: str) -> StudyTable:
    return next(each for each in result.tables if each.name == name)


def cells_of(found: StudyTable, row: str) -> dict[str, str]:
    return next(dict(zip(found.heads, each, strict=True)) for each in found.rows if each[0] == row)


def from_probabilities(meant: Sequence[str], p: Sequence[float], threshold: float = 0.5) -> list[Prediction]:
    """Answers to Q7 whose text follows P(abnormal)."""
    return predictions(meant, [Said(ABNORMAL if each >= threshold else NORMAL, float(each)) for each in p])


def texts(meant: Sequence[str], right: Sequence[bool], question: str, wrong: str) -> list[Prediction]:
    """Answers that repeat the target where they are right, and one wrong text elsewhere."""
    said = [Said(target if hit else wrong) for target, hit in zip(meant, right, strict=True)]
    return predictions(meant, said, question)


def skilled(meant: Sequence[str], seed: int, skill: float) -> list[float]:
    """P(abnormal) of a model of that skill: 0 has none."""
    random = np.random.default_rng(seed)
    centre = np.array([1.0 if target == ABNORMAL else -1.0 for target in meant]) * skill
    return list(1 / (1 + np.exp(-(centre + random.normal(0, 1, len(meant))))))
