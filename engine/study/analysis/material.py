"""What every part of the analysis reads: subjects by target, what they said, and the values that figures are made of.

Everything is read from runs.db once, when a part asks for it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import cast

import numpy as np

from engine.comparison.testing import answered
from engine.evaluation.protocol import layers_of
from engine.evaluation.scores import report_cases
from engine.questions.prompts import REPORT_ID
from engine.scoring.cases import AnsweredCase
from engine.scoring.figure_values import ImageValues, case_values, report_values
from engine.scoring.operating_point import SENSITIVITY_AT_SPECIFICITY
from engine.scoring.over_seeds import SeedEstimate, estimate
from engine.scoring.readers import readers_with
from engine.scoring.reports import ReportCase
from engine.scoring.resampling import Resampling
from engine.scoring.seed_values import SeedValues
from engine.store.outputs import OutputRow
from engine.store.reader import Reader
from engine.store.records import EvaluationRow, ImageRow, MarkRow
from engine.study.analysis import operating
from engine.study.analysis.same_way import protocol_warnings, same_answers, same_cases
from engine.study.analysis.subjects import WORDS, SeedRow, Subject
from engine.study.expanding import Target
from engine.study.found import FoundCell, FoundStudy
from engine.types import Prediction, Reference, State


class Material:
    """One study as it stands, with everything measured that belongs to it.

    Args:
        reader: of the workspace; stays open as long as this is used.
        found: the study.
        resampling: of images.
    """

    def __init__(self, reader: Reader, found: FoundStudy, resampling: Resampling | None = None) -> None:
        self.reader = reader
        self.found = found
        self.scaled = found.scaled
        self.measure = found.scaled.study.measure
        self.resampling = resampling or Resampling()
        self.validating = self.resampling.apart()
        """Of the validation images that thresholds are chosen on."""
        self.warnings: dict[str, None] = {}
        """In the order in which they were found."""
        self.used: set[int] = set()
        """Ids of the evaluations that were read."""
        self._subjects: dict[Target, list[Subject]] = {}
        self._left_out: dict[Target, list[Subject]] = {}
        self._outputs: dict[int, list[OutputRow]] = {}
        self._cases: dict[int, list[AnsweredCase]] = {}
        self._reports: dict[int, list[ReportCase]] = {}
        self._estimates: dict[tuple[tuple[int, ...], str], SeedEstimate | None] = {}
        self._values: dict[tuple[int, str, float | None], ImageValues] = {}

    # ----- who

    @cached_property
    def cells(self) -> dict[str, list[FoundCell]]:
        """The cells of each arm, seed by seed, in the order of the file."""
        cells: dict[str, list[FoundCell]] = defaultdict(list)
        for cell in self.found.cells:
            cells[cell.cell.arm].append(cell)
        return dict(cells)

    @cached_property
    def questions(self) -> tuple[str, ...]:
        """All that any arm is measured on, in the order of the arms."""
        return tuple(dict.fromkeys(question for each in self.found.cells for question in each.cell.questions))

    @cached_property
    def images(self) -> list[ImageRow]:
        """All images of the dataset, as it is now."""
        return self.reader.images(self.found.dataset)

    def target(self, question: str, split: str | None = None, degradation: str = "") -> Target:
        """A target on the deciding split, where no other is named."""
        return Target(question, split or self.measure.split, degradation)

    def subjects(self, target: Target) -> list[Subject]:
        """Arms in the order of the file, then reference rows, that were measured on the same cases of a target."""
        if target not in self._subjects:
            found = [*self._arms(target), *self._references(target)]
            kept, warnings = same_cases(found, self.scaled.baseline)
            kept, unlike = same_answers(kept, self.outputs)
            warnings += unlike
            warnings += protocol_warnings(kept, self.scaled.study.varies) if kept else []
            self.warnings.update(dict.fromkeys(warnings))
            self.used.update(each.row.id for subject in kept for each in subject.seeds)
            self._subjects[target] = kept
            self._left_out[target] = [each for each in found if each not in kept]
        return self._subjects[target]

    def arms(self, target: Target) -> list[Subject]:
        """The arms alone."""
        return [each for each in self.subjects(target) if each.reference is None]

    def subject(self, name: str, target: Target, arm: str = "") -> Subject | None:
        """An arm by its name, or a reference row by its word: the one under the protocol of `arm` where several are."""
        found = [each for each in self.subjects(target) if each.reference is None and each.name == name]
        if found:
            return found[0]
        rows = [each for each in self.subjects(target) if each.reference and WORDS[each.reference] == name]
        own = [each for each in rows if arm in each.arms]
        # What does not ask a model says the same under every protocol; an untuned model does not.
        others = [each for each in rows if each.reference is not Reference.BASE]
        return next(iter([*own, *others]), None)

    def was_left_out(self, name: str, target: Target, arm: str = "") -> bool:
        """Whether what `subject` looks for was measured, but on other cases than the rest or against other targets."""
        self.subjects(target)
        return any(
            each.name == name
            if each.reference is None
            else WORDS[each.reference] == name and (each.reference is not Reference.BASE or arm in each.arms)
            for each in self._left_out[target]
        )

    def marks(self, subject: Subject) -> list[MarkRow]:
        """What a reader must know of any of its seeds, over all cases."""
        return [each for each in self.reader.marks([row.row.id for row in subject.seeds]) if each.scope == "all"]

    def _arms(self, target: Target) -> Iterable[Subject]:
        for name, cells in self.cells.items():
            rows = [
                SeedRow(each.cell.seed, each.run, row)
                for each in cells
                if (row := each.measured.get(target)) is not None and row.state is State.SUCCEEDED
            ]
            if rows:
                yield Subject(name, target, tuple(rows), len(cells), cells[0].cell.recipe)

    def _references(self, target: Target) -> Iterable[Subject]:
        rows = [each for each in self.found.references if each.target == target and each.row.state is State.SUCCEEDED]
        for reference, word in WORDS.items():
            own = [each for each in rows if each.reference is reference]
            if reference is not Reference.BASE:
                own = own[:1] if len({each.row.cases_fingerprint for each in own}) < 2 else own
            for each in own:
                name = word if len(own) == 1 else f"{word} ({', '.join(each.arms)})"
                seeds = (SeedRow(0, None, each.row),)
                yield Subject(name, target, seeds, 1, None, reference, each.arms)

    # ----- what they said

    def outputs(self, row: EvaluationRow) -> list[OutputRow]:
        """What was said of every case, in path order."""
        if row.id not in self._outputs:
            self.used.add(row.id)
            self._outputs[row.id] = self.reader.outputs(row.id, row.question)
        return self._outputs[row.id]

    def cases(self, row: EvaluationRow) -> list[AnsweredCase]:
        """Answers to Q1 to Q8 as scorers take them, in path order."""
        if row.id not in self._cases:
            self._cases[row.id] = answered(row.question, self.outputs(row), layers_of(row.protocol))
        return self._cases[row.id]

    def reports(self, row: EvaluationRow) -> list[ReportCase]:
        """Combined reports as scorers take them, in path order."""
        if row.id not in self._reports:
            # It reads no column that an OutputRow does not have.
            outputs = cast("Iterable[Prediction]", self.outputs(row))
            self._reports[row.id] = report_cases(outputs, layers_of(row.protocol))
        return self._reports[row.id]

    def predictions(self, row: EvaluationRow) -> list[Prediction]:
        """Everything that is stored of each case, in path order; read anew at each call."""
        self.used.add(row.id)
        return sorted(self.reader.predictions(row.id), key=lambda each: each.path)

    # ----- figures

    def values(
        self, subject: Subject, figure: str, thresholds: Sequence[float | None] | None = None
    ) -> SeedValues | None:
        """One figure of a subject, image by image and seed by seed; None where it cannot be had.

        Args:
            subject: on any target.
            figure: of its question.
            thresholds: Q7 alone, one a seed, taken as known. Where nothing is given those of the evaluations; for the
                sensitivity at a specificity those of validation, which is resampled as well.

        Raises:
            UsageError: its question has no such figure.
        """
        again = None
        if thresholds is None and figure == SENSITIVITY_AT_SPECIFICITY:
            thresholds = operating.thresholds(self, subject)
            if thresholds is None:
                return None
            again = operating.redrawn(self, subject)
        elif thresholds is None:
            thresholds = [each.row.threshold for each in subject.seeds]
        rows = [self._row_values(each.row, figure, at) for each, at in zip(subject.seeds, thresholds, strict=True)]
        stacked = np.stack([row.values for row in rows])
        return SeedValues(figure, rows[0].kind, stacked, rows[0].classes, again)

    def estimate(self, subject: Subject, figure: str) -> SeedEstimate | None:
        """The mean over its seeds with interval; worked out once. Arguments and errors as for `values`."""
        key = (tuple(each.row.id for each in subject.seeds), figure)
        if key not in self._estimates:
            values = self.values(subject, figure)
            self._estimates[key] = None if values is None else estimate(values, self.resampling)
        return self._estimates[key]

    def _row_values(self, row: EvaluationRow, figure: str, threshold: float | None) -> ImageValues:
        key = (row.id, figure, threshold)
        if key not in self._values:
            if row.question == REPORT_ID:
                self._values[key] = report_values(figure, self.reports(row))
            else:
                readers = readers_with(layers_of(row.protocol))
                self._values[key] = case_values(row.question, figure, self.cases(row), threshold, readers)
        return self._values[key]
