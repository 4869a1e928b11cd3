"""What is measured and how, apart from whom; and whether that has been done already."""

from __future__ import annotations

import json
from dataclasses import dataclass

from engine.data.manifest import open_dataset
from engine.evaluation.error_patterns import workspace_patterns
from engine.evaluation.protocol import NORMALISATION, VERSIONS
from engine.questions.normalise.layers import ALL_LAYERS, layer_names
from engine.recipe import Recipe
from engine.store.reader import Reader
from engine.store.records import EvaluationRow
from engine.types import ACTIVE, Reference, Split, State
from engine.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Measurement:
    """What is measured, and how: the part of an evaluation that does not depend on whom it measures."""

    dataset: str
    question: str
    split: Split
    prompt: str
    image_size: int
    max_new_tokens: int
    case_limit: int
    batch: int
    quantization: str
    degradation: str = ""
    """What is done to the images: "" nothing, `blank` a grey image in place of each."""
    normalisation: tuple[str, ...] = layer_names(ALL_LAYERS)
    """Names of the layers of normalisation, in their order."""

    @classmethod
    def of_recipe(cls, recipe: Recipe, question: str, split: Split, quantization: str) -> Measurement:
        """The measurement that a recipe's evaluation section asks for."""
        return cls(
            dataset=recipe.data.dataset,
            question=question,
            split=split,
            prompt=recipe.data.prompt,
            image_size=recipe.data.image_size,
            max_new_tokens=recipe.evaluation.max_new_tokens,
            case_limit=recipe.evaluation.limit,
            batch=recipe.evaluation.batch,
            quantization=quantization,
            normalisation=layer_names(recipe.evaluation.normalisation),
        )


def measured(
    workspace: Workspace,
    wanted: Measurement,
    *,
    run_id: int | None = None,
    reference: Reference | None = None,
    model: str | None = None,
) -> EvaluationRow | None:
    """The newest evaluation that has made this measurement, or is going to; None where there is none."""
    record = open_dataset(workspace, wanted.dataset).record
    patterns = list(workspace_patterns(workspace))
    with Reader(workspace) as reader:
        rows = reader.evaluations(run_id, (State.QUEUED, *ACTIVE, State.SUCCEEDED), reference=reference is not None)
    found = (
        row
        for row in reversed(rows)
        if row.reference == reference
        and (model is None or row.model == model)
        and row.dataset_fingerprint == record.fingerprint
        and row.split_fingerprint == record.split_fingerprint
        and _same(row, wanted, patterns)
    )
    return next(found, None)


def _same(row: EvaluationRow, wanted: Measurement, patterns: list[str]) -> bool:
    protocol = json.loads(row.protocol or "{}")
    if protocol.get("error_patterns", patterns) != patterns:
        return False  # the user tells serving errors in another way now: it would rank by itself
    if protocol.get("versions", dict(VERSIONS)) != dict(VERSIONS):
        return False  # measured by another parser or scorer: cannot stand beside new figures
    if row.reference == Reference.BASE and protocol.get("quantization", "none") != wanted.quantization:
        return False  # a base in 4 bits is another subject
    return (
        row.question,
        row.split,
        row.prompt,
        row.max_new_tokens,
        row.case_limit or 0,
        protocol.get("image_size"),
        row.degradation or "",
        tuple(protocol.get(NORMALISATION, layer_names(ALL_LAYERS))),
    ) == (
        wanted.question,
        wanted.split,
        wanted.prompt,
        wanted.max_new_tokens,
        wanted.case_limit,
        wanted.image_size,
        wanted.degradation,
        wanted.normalisation,
    )
