"""What one evaluation does, worked out from its row: settings, protocol, cases."""

from __future__ import annotations

from dataclasses import dataclass

from engine.data.labels import target_text
from engine.data.manifest import Dataset, open_dataset
from engine.data.sample import stratified_sample
from engine.errors import DataError
from engine.evaluation.error_patterns import workspace_patterns
from engine.evaluation.protocol import SAMPLE_SEED, Protocol, build_protocol, known_layers
from engine.evaluation.settings import Settings, read_settings
from engine.recipe import recipe_from_json
from engine.store.reader import Reader
from engine.store.records import EvaluationRow, RunRow
from engine.training.start import same_dataset
from engine.types import Case, Split
from engine.workspace import Workspace


@dataclass(slots=True)
class Plan:
    """What one evaluation does."""

    row: EvaluationRow
    run: RunRow | None
    settings: Settings
    dataset: Dataset
    protocol: Protocol
    cases: list[Case]
    """In path order."""
    training: list[Case]
    """Cases of the training split with an answer to the question."""


def make_plan(workspace: Workspace, evaluation_id: int) -> Plan:
    """Settings, protocol and cases of one evaluation.

    Raises:
        DataError: the dataset is gone, or the split has no case with an answer.
        JobError: the row does not say how to measure.
        UsageError: a pattern of serving errors is no regular expression.
    """
    with Reader(workspace) as reader:
        row = reader.evaluation(evaluation_id)
        run = None if row.run_id is None else reader.run(row.run_id)
    recipe = None if run is None else recipe_from_json(run.recipe)
    settings = read_settings(row, recipe, None if run is None else run.quantization)
    dataset = open_dataset(workspace, row.dataset)
    if run is not None and run.dataset == row.dataset:
        same_dataset(dataset, run)  # another split could hold images that the run was trained on
    training = dataset.cases(Split.TRAIN, row.question)
    cases = stratified_sample(dataset.cases(row.split, row.question), settings.case_limit, SAMPLE_SEED)
    if not cases:
        raise DataError(
            f"There is nothing to measure in the {row.split} split of {row.dataset}",
            f"No image there has an answer to {row.question}.",
            "Choose another split or question, or import more data.",
        )
    protocol = build_protocol(
        row.question,
        settings.prompt,
        settings.image_size,
        settings.max_new_tokens,
        [target_text(case.answers, row.question) or "" for case in training],
        degradation=settings.degradation,
        error_patterns=workspace_patterns(workspace),
        layers=known_layers(settings.normalisation),
        own_text=settings.prompt_text,
    )
    return Plan(row, run, settings, dataset, protocol, sorted(cases, key=lambda case: case.path), training)
