"""What is measured and how, apart from whom; and whether that has been done already."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.data.manifest import open_dataset
from engine.evaluation.error_patterns import workspace_patterns
from engine.evaluation.protocol import ANSWER_FORM, NORMALISATION, VERSIONS, form_record
from engine.questions.normalise.layers import ALL_LAYERS, layer_names
from engine.questions.prompts import OWN
from engine.recipe import Recipe
from engine.store.reader import Reader
from engine.store.records import EvaluationRow, RunRow
from engine.types import ACTIVE, ENDED, IMPORTED, Reference, Split, State
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
    prompt_text: str = ""
    """The wording itself where `prompt` is `own`; "" for all others."""

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
            prompt_text=recipe.data.prompt_text if recipe.data.prompt == OWN else "",
        )


def own_wording(run: RunRow) -> str:
    """The wording that a user has written for a run, by its recipe; "" for a named one. Untrusted text."""
    data = json.loads(run.recipe or "{}").get("data", {})
    return str(data.get("prompt_text") or "") if data.get("prompt") == OWN else ""


def measured(
    workspace: Workspace,
    wanted: Measurement,
    *,
    run_id: int | None = None,
    reference: Reference | None = None,
    model: str | None = None,
) -> EvaluationRow | None:
    """The newest evaluation that has made this measurement, or is going to; None where there is none.

    One of a run counts only if it is of the adapter that the run has now, or will end with.
    """
    record = open_dataset(workspace, wanted.dataset).record
    patterns = list(workspace_patterns(workspace))
    with Reader(workspace) as reader:
        rows = reader.evaluations(run_id, (State.QUEUED, *ACTIVE, State.SUCCEEDED), reference=reference is not None)
        run = None if run_id is None else reader.run(run_id)
    found = (
        row
        for row in reversed(rows)
        if row.reference == reference
        and (model is None or row.model == model)
        and row.dataset_fingerprint == record.fingerprint
        and row.split_fingerprint == record.split_fingerprint
        and (run is None or of_present_adapter(row, run))
        and same_measurement(row, wanted, patterns)
    )
    return next(found, None)


def of_present_adapter(row: EvaluationRow, run: RunRow) -> bool:
    """Whether an evaluation of a run has measured the adapter of now, or is going to measure the one it ends with.

    A run that was stopped leaves an adapter that can be measured. Once the run goes on, that figure is one of a
    training that was not finished. An attempt that broke counts: made again, it forgets what it had measured.
    """
    if run.kind == IMPORTED:
        return True
    if row.state == State.QUEUED:
        return row.after_run or run.state in ENDED
    if row.state != State.SUCCEEDED and row.state not in ACTIVE:
        return True
    if run.state not in ENDED:
        return False
    return row.started_at is None or run.ended_at is None or row.started_at >= run.ended_at


def same_measurement(row: EvaluationRow, wanted: Measurement, patterns: list[str]) -> bool:
    """Whether an evaluation measures what is wanted, by the rules of now; whom, and on which images, is not looked at.

    `patterns`: of serving errors, as they are in the workspace now.
    """
    protocol = json.loads(row.protocol or "{}")
    if protocol.get("error_patterns", patterns) != patterns:
        return False  # the user tells serving errors in another way now: it would rank by itself
    if protocol.get("versions", dict(VERSIONS)) != dict(VERSIONS):
        return False  # measured by another parser or scorer: cannot stand beside new figures
    if row.reference == Reference.BASE and protocol.get("quantization", "none") != wanted.quantization:
        return False  # a base in 4 bits is another subject
    return _asks_alike(protocol, wanted) and (
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


def _asks_alike(protocol: Mapping[str, Any], wanted: Measurement) -> bool:
    """Whether candidates had the form of now, and an own wording the same words.

    The words of a named wording follow from its name; protocols of earlier versions may not hold them.
    """
    # Only a protocol that was worked out says how its candidates stand; that of a waiting row will be worked out anew.
    form = form_record(wanted.question, wanted.prompt).get(ANSWER_FORM)
    if "candidates" in protocol and protocol.get(ANSWER_FORM) != form:
        return False
    return wanted.prompt != OWN or str(protocol.get("prompt_text") or "").strip() == wanted.prompt_text.strip()
