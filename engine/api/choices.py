"""What a run can still be measured on, for a dialog that asks."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from engine.api.evaluating import measurement_of_run, missing_adapter, recipe_of
from engine.api.measuring import measured
from engine.api.reading import open_reader
from engine.data.labels import target_text
from engine.data.manifest import Dataset, open_dataset
from engine.questions.prompts import REPORT_ID, has_wording
from engine.questions.vocabulary import NORMALITY
from engine.recipe import Recipe
from engine.store.records import RunRow
from engine.types import ENDED, QUESTION_IDS, Split, State
from engine.workspace import Workspace

SPLITS = (Split.VALIDATION, Split.TEST)


@dataclass(frozen=True, slots=True)
class EvaluationChoice:
    """One question on one split."""

    question: str
    split: Split
    cases: int
    """Images that would be measured: those with an answer, after the recipe's limit. 0: there is nothing to measure."""
    evaluation_id: int | None
    """The newest evaluation that has made this measurement, or is going to; None where there is none."""
    state: State | None
    """Of that evaluation."""


@dataclass(frozen=True, slots=True)
class EvaluationChoices:
    """Everything that a run can be measured on."""

    run_id: int
    name: str
    """Untrusted text."""
    waits: bool
    """The run has not ended: its evaluations start when it has succeeded."""
    obstacle: str
    """Why nothing can be measured; "" where nothing is in the way."""
    next_step: str
    """What to do about the obstacle."""
    choices: list[EvaluationChoice]
    """Each question on validation and on test, questions of the recipe first."""


def evaluation_choices(workspace: Workspace, run: int | str) -> EvaluationChoices:
    """The questions and splits that `evaluate_run` takes for a run, with what has been measured of them.

    All questions that have the recipe's wording, those of the recipe first. Reads the list of cases (tenths of a
    second): not for an event loop.

    Raises:
        JobError: there is no such run.
        DataError: its dataset is gone or damaged.
        RecipeError: this version of sonotune cannot read its recipe.
    """
    with open_reader(workspace) as reader:
        row = reader.run(run)
    recipe = recipe_of(row)
    dataset = open_dataset(workspace, recipe.data.dataset)
    obstacle, next_step = _obstacle(workspace, row, dataset)
    counts = _case_counts(dataset, _questions(recipe))
    return EvaluationChoices(
        run_id=row.id,
        name=row.name,
        waits=row.state not in ENDED,
        obstacle=obstacle,
        next_step=next_step,
        choices=[_choice(workspace, row, recipe, question, split, n) for (question, split), n in counts.items()],
    )


def _questions(recipe: Recipe) -> list[str]:
    asked = dict.fromkeys([*recipe.data.questions, NORMALITY, *QUESTION_IDS, REPORT_ID])
    return [question for question in asked if has_wording(question, recipe.data.prompt, recipe.data.questions)]


def _obstacle(workspace: Workspace, run: RunRow, dataset: Dataset) -> tuple[str, str]:
    missing = missing_adapter(workspace, run)
    if missing is not None:
        return f"{missing.title}. {missing.reason}", missing.next_step
    record = dataset.record
    if (record.fingerprint, record.split_fingerprint) != (run.dataset_fingerprint, run.split_fingerprint):
        return (
            f"The dataset {record.name} has changed since the run was launched.",
            "Launch the recipe again on the dataset as it is now, or import the earlier one again.",
        )
    return "", ""


def _case_counts(dataset: Dataset, questions: list[str]) -> dict[tuple[str, Split], int]:
    """Images of each split with an answer to each question."""
    answered = Counter(
        (question, case.split)
        for case in dataset.cases()
        for question in questions
        if target_text(case.answers, question) is not None
    )
    return {(question, split): answered[question, split] for question in questions for split in SPLITS}


def _choice(
    workspace: Workspace, run: RunRow, recipe: Recipe, question: str, split: Split, answered: int
) -> EvaluationChoice:
    limit = recipe.evaluation.limit
    found = measured(workspace, measurement_of_run(run, recipe, question, split), run_id=run.id)
    return EvaluationChoice(
        question=question,
        split=split,
        cases=min(answered, limit) if limit else answered,
        evaluation_id=None if found is None else found.id,
        state=None if found is None else found.state,
    )
