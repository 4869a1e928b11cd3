"""Measured subjects with predictions, for the tests of comparisons."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from cli_helpers import succeed
from store_helpers import add_evaluation, add_run

from engine.evaluation.judging import judge
from engine.evaluation.scores import score
from engine.questions.vocabulary import NORMALITY
from engine.recipe import Recipe, recipe_json
from engine.store.writer import Writer
from engine.types import JobKind, Outcome, Prediction, Reference, Split

VIEWS = ("Abdomen", "Femur", "NT-View")
NORMAL, ABNORMAL = "Normal for gestational age", "Abnormal NT thickening"


@dataclass(frozen=True)
class Said:
    """One answer of a made-up subject."""

    output: str
    p_abnormal: float | None = None


def paths(count: int) -> list[str]:
    """Images in turn of three views."""
    return [f"{VIEWS[place % 3]}/{VIEWS[place % 3]}_{place:03d}.png" for place in range(count)]


def targets(count: int, *, abnormal: int) -> list[str]:
    """Answers to Q7: every so many-th is abnormal."""
    return [ABNORMAL if place % abnormal == 0 else NORMAL for place in range(count)]


def guesses(meant: Sequence[str], seed: int, *, skill: float) -> list[Said]:
    """What a model of that skill says (0: nothing to do with the target): text and P(abnormal) of its own."""
    random = np.random.default_rng(seed)
    said = []
    for target in meant:
        p = float(np.clip(random.normal(0.5 + skill * (0.5 if target == ABNORMAL else -0.5), 0.25), 0.0, 1.0))
        said.append(Said(ABNORMAL if p >= 0.5 else NORMAL, p))
    return said


def predictions(
    meant: Sequence[str], said: Sequence[Said], question: str = NORMALITY, where: Sequence[str] | None = None
) -> list[Prediction]:
    """Rows as an evaluation stores them, read by the real parser; an output that begins with ERROR is one."""
    rows = []
    for path, target, answer in zip(where or paths(len(meant)), meant, said, strict=True):
        verdict = judge(question, answer.output, target)
        outcome = Outcome.ERROR if answer.output.startswith("ERROR") else verdict.outcome
        rows.append(
            Prediction(
                path=path,
                view=path.split("/")[0],
                question=question,
                target=target,
                raw_output=answer.output,
                parsed=verdict.parsed,
                target_parsed=verdict.target_parsed,
                correct=None if outcome is Outcome.ERROR else verdict.correct,
                p_abnormal=answer.p_abnormal,
                probabilities={} if answer.p_abnormal is None else {ABNORMAL: answer.p_abnormal},
                cut_off=False,
                latency_seconds=0.1,
                generated_tokens=4,
                outcome=outcome,
            )
        )
    return rows


def measured(
    writer: Writer,
    subject: str | int | Reference,
    rows: Sequence[Prediction],
    *,
    question: str = NORMALITY,
    split: Split = Split.VALIDATION,
    threshold: float | None = 0.5,
    recipe: dict[str, Any] | None = None,
    protocol: dict[str, Any] | None = None,
    **columns: Any,
) -> int:
    """A run of that name (or an existing one, or a reference) with one succeeded evaluation; its id."""
    reference = subject if isinstance(subject, Reference) else None
    run = subject if isinstance(subject, int) else None
    if run is None and reference is None:
        run = add_run(writer, str(subject))
        values = recipe_json(Recipe.model_validate({"name": f"run-{run}", **(recipe or {})}))
        with writer._transaction() as connection:
            connection.execute("UPDATE runs SET recipe = ? WHERE id = ?", (values, run))
    way = columns.pop("protocol_fingerprint", "protocol-1")
    evaluation = add_evaluation(writer, run, reference, question=question, split=split, protocol=way, **columns)
    writer.update(JobKind.EVALUATION, evaluation, protocol=json.dumps(protocol or {"prompt": "detailed"}))
    threshold = threshold if question == NORMALITY else None
    writer.add_predictions(evaluation, rows)
    writer.add_scores(evaluation, score(question, rows, threshold))
    succeed(writer, JobKind.EVALUATION, evaluation, n=len(rows), threshold=threshold, threshold_source="test")
    return evaluation
