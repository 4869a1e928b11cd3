"""Comparing subjects on the same images, and measuring them on the same images where they were not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from engine.api.evaluating import (
    measurement_of_run,
    missing_adapter,
    queue_evaluations,
    queue_references,
    recipe_of,
    with_control,
)
from engine.api.ledger import require_purpose
from engine.api.measuring import Measurement, measured
from engine.api.reading import open_reader
from engine.comparison.choosing import Wish
from engine.comparison.subjects import find_subjects
from engine.errors import UsageError
from engine.jobs.worker import ensure_worker
from engine.types import ENDED, Split
from engine.workspace import Workspace

if TYPE_CHECKING:
    from engine.comparison.model import Comparison
    from engine.recipe import Recipe
    from engine.store.records import RunRow


def compare(
    workspace: Workspace,
    runs: Sequence[int | str],
    *,
    question: str | None = None,
    split: Split | None = None,
    dataset: str | None = None,
    cases: str | None = None,
    common: bool = False,
) -> Comparison:
    """Compare subjects, each with the first, on the same images and the same question.

    The newest succeeded evaluation of each counts. Where nothing is asked for, what all have in common is taken:
    validation, and the test split only where there is nothing else; then what was measured in the same way, then Q7
    before other questions.

    Args:
        workspace: with the records.
        runs: two or more: numbers or names of runs, names of references (majority, majority_by_view, shuffled, base,
            base:MODEL), or `evaluation:ID`. The first is the baseline.
        question: Q1 to Q8 or report.
        split: which split.
        dataset: name of the dataset.
        cases: fingerprint of the cases.
        common: compare on the images that all share where they were measured on different ones; a note says so.

    Raises:
        OtherImagesError: they were measured on different images, and `common` was not asked for.
        JobError: there is no such subject, or it was not measured on what is wanted.
        UsageError: the words don't say what to compare.
    """
    from engine.comparison.compare import compare_in  # with numpy, scipy and statsmodels

    with open_reader(workspace) as reader:
        return compare_in(reader, runs, Wish(question, split, dataset, cases), common=common)


# ----- measuring alike


def measure_alike(
    workspace: Workspace, runs: Sequence[int | str], question: str, split: Split, *, test_purpose: str = ""
) -> list[int]:
    """Queue what is missing until all runs are measured on the same images: the largest selection among them.

    Each run keeps the prompt and the image size of its recipe. The reference rows and controls of new measurements are
    queued with them.

    Args:
        workspace: with the runs.
        runs: as for `compare`; references need no measurement of their own, and are passed over.
        question: Q1 to Q8 or report.
        split: validation or test.
        test_purpose: why the test split is looked at; it goes into the ledger.

    Returns:
        Ids of the evaluations queued; [] where everything is measured already, or on its way.

    Raises:
        UnconfirmedTestError: the test split would be looked at, and nobody has said why.
        JobError: a run has no adapter, or its predictions were imported.
        UsageError: the runs learn from different datasets, or none of the subjects is a run.
    """
    with open_reader(workspace) as reader:
        found = [each.run for each in find_subjects(reader, runs) if each.run is not None]
    if not found:
        raise UsageError("References are measured along with runs", next_step="Name a run as well.")
    recipes = [recipe_of(run) for run in found]
    datasets = sorted({recipe.data.dataset for recipe in recipes})
    if len(datasets) > 1:
        raise UsageError(
            "The runs have different datasets", f"They are {', '.join(datasets)}.", "Compare runs of one dataset."
        )
    limits = [recipe.evaluation.limit for recipe in recipes]
    limit = 0 if 0 in limits else max(limits)  # 0 = all
    wanted = [
        (run, replace(each, case_limit=limit))
        for run, recipe in zip(found, recipes, strict=True)
        for each in _measurements(workspace, run, recipe, question, split)
    ]
    wanted = [(run, each) for run, each in wanted if measured(workspace, each, run_id=run.id) is None]
    require_purpose(workspace, [measurement for _, measurement in wanted], test_purpose)
    queued: list[int] = []
    for run, measurement in wanted:
        clean = [] if measurement.degradation else [measurement]
        queued += queue_references(workspace, run.model, clean, start_worker=False)
        queued += queue_evaluations(
            workspace,
            run.id,
            [measurement],
            after_run=run.state not in ENDED,
            start_worker=False,
            test_purpose=test_purpose,
        )
    if queued:
        ensure_worker(workspace)
    return queued


def _measurements(workspace: Workspace, run: RunRow, recipe: Recipe, question: str, split: Split) -> list[Measurement]:
    """Of one run: the split, validation, where the threshold comes from, and their controls."""
    obstacle = missing_adapter(workspace, run)
    if obstacle is not None:
        raise obstacle
    splits = dict.fromkeys([Split.VALIDATION, split])
    return [each for part in splits for each in with_control(measurement_of_run(run, recipe, question, part))]
