"""The rows of a report: figures, marks, curves, confusions and costs of one evaluation."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

from engine.api.confusions import confusion, label_text
from engine.questions.vocabulary import NORMALITY
from engine.reporting.subject import Bin, Corner, Cost, MarkNote, Matrix, Setup, Subject
from engine.store.reader import Reader
from engine.store.records import EvaluationRow, RunRow
from engine.types import BLANK, IMPORTED, Prediction, Reference, Score, State, Verdict

NO_LISTS = frozenset({"Q1", "Q4", "report"})
"""Questions whose answers are lists: there is no matrix of what was said for what."""
NO_CURVES = frozenset({Reference.MAJORITY, Reference.MAJORITY_BY_VIEW, Reference.SHUFFLED})
"""References without a model: their curves would say nothing."""


def read_subject(reader: Reader, evaluation: int) -> Subject:
    """One row, with its blank-image control where that was measured."""
    row = reader.evaluation(evaluation)
    run = None if row.run_id is None else reader.run(row.run_id)
    predictions = reader.predictions(row.id)
    control = _control(reader, row)
    curves = row.question == NORMALITY and row.reference not in NO_CURVES
    pairs = _probabilities(predictions) if curves else []
    return Subject(
        evaluation=row.id,
        run=row.run_id,
        reference=None if row.reference is None else str(row.reference),
        name=row.name if run is None else run.name,
        model=row.model,
        quantization=_quantization(row) if run is None else run.quantization,
        threshold=row.threshold,
        threshold_source=row.threshold_source,
        n=len(predictions) if row.n is None else row.n,
        outcomes=_outcomes(predictions),
        scores=tuple(_defined(score) for score in reader.scores(row.id)),
        marks=tuple(MarkNote(mark.kind, mark.scope, mark.detail) for mark in reader.marks([row.id])),
        cost=_cost(row, run),
        setup=None if run is None else _setup(run),
        grey_evaluation=None if control is None else control.id,
        grey_scores=() if control is None else _grey(reader, control),
        roc=_roc(pairs),
        reliability=_reliability(pairs),
        matrices=() if row.reference in NO_CURVES else _matrices(reader, row, bool(pairs)),
    )


def _outcomes(predictions: Sequence[Prediction]) -> dict[str, int]:
    counts = Counter(str(prediction.outcome) for prediction in predictions)
    return dict(sorted(counts.items()))


def _defined(score: Score) -> Score:
    """A figure that is no number is undefined."""
    numbers = [
        value if value is not None and isfinite(value) else None for value in (score.value, score.low, score.high)
    ]
    return Score(score.scope, score.name, numbers[0], numbers[1], numbers[2], score.n)


# ----- the control on grey images


def _control(reader: Reader, row: EvaluationRow) -> EvaluationRow | None:
    """The newest control of the same subject on the same cases in the same protocol."""
    if row.run_id is None and row.reference != Reference.BASE:
        return None
    same = ("run_id", "reference", "model", "question", "dataset", "split", "cases_fingerprint")
    rows = reader.evaluations(row.run_id, (State.SUCCEEDED,), reference=row.reference is not None)
    found = [
        other
        for other in rows
        if other.degradation == BLANK
        and other.clean_protocol_fingerprint == row.clean_protocol_fingerprint
        and all(getattr(other, name) == getattr(row, name) for name in same)
        and (row.run_id is not None or _quantization(other) == _quantization(row))
    ]
    return found[-1] if found else None


def _grey(reader: Reader, control: EvaluationRow) -> tuple[Score, ...]:
    return tuple(_defined(score) for score in reader.scores(control.id) if score.scope == "all")


# ----- curves and matrices


def _probabilities(predictions: Sequence[Prediction]) -> list[tuple[float, bool]]:
    """P(abnormal) and whether it is, of every case that has both: those behind the AUROC of the store."""
    binary = (Verdict.NORMAL, Verdict.ABNORMAL)
    return [
        (prediction.p_abnormal, prediction.target_parsed == Verdict.ABNORMAL)
        for prediction in predictions
        if prediction.target_parsed in binary and prediction.p_abnormal is not None and isfinite(prediction.p_abnormal)
    ]


def _roc(pairs: Sequence[tuple[float, bool]]) -> tuple[Corner, ...]:
    if not pairs:
        return ()
    from engine.scoring.roc import roc_points

    points = roc_points([p for p, _ in pairs], [abnormal for _, abnormal in pairs])
    return tuple(Corner(point.false_positive_rate, point.sensitivity) for point in points)


def _reliability(pairs: Sequence[tuple[float, bool]]) -> tuple[Bin, ...]:
    if not pairs:
        return ()
    from engine.scoring.calibration import reliability_curve

    points = reliability_curve([p for p, _ in pairs], [abnormal for _, abnormal in pairs])
    return tuple(Bin(point.mean_p, point.observed, point.low, point.high, point.n) for point in points)


def _matrices(reader: Reader, row: EvaluationRow, probabilities: bool) -> tuple[Matrix, ...]:
    """By threshold where there are probabilities, and by text: the tables of the Cases screen."""
    if row.question in NO_LISTS:
        return ()
    bases = ["threshold"] if probabilities and row.threshold is not None else []
    matrices = (_matrix(reader, row.id, basis) for basis in [*bases, "text"])
    return tuple(matrix for matrix in matrices if matrix.targets)


def _matrix(reader: Reader, evaluation: int, basis: str) -> Matrix:
    table = confusion(reader, evaluation, decision=basis).table
    rows = [row for row in table.rows if table.count(row).n]
    columns = [column for column in table.columns if table.count(None, column).n or column in table.columns[:2]]
    return Matrix(
        basis,
        tuple(label_text(row) for row in rows),
        tuple(label_text(column) for column in columns),
        tuple(tuple(table.count(row, column).n for column in columns) for row in rows),
    )


# ----- cost and training


def _cost(row: EvaluationRow, run: RunRow | None) -> Cost:
    source = row if run is None else run
    return Cost(
        train_seconds=None if run is None else run.train_seconds,
        samples_per_second=None if run is None else run.samples_per_second,
        peak_vram_bytes=source.peak_vram_reserved_bytes or source.peak_vram_allocated_bytes,
        peak_rss_bytes=source.peak_rss_bytes,
        evaluation_seconds=row.seconds,
        seconds_per_image=row.seconds_per_image,
        tokens_per_second=row.tokens_per_second,
        evaluation_gpu=row.gpu_name,
    )


def _setup(run: RunRow) -> Setup:
    return Setup(
        kind=run.kind,
        recipe={} if run.kind == IMPORTED else flat_recipe(run.recipe),
        seed=run.seed,
        backend=run.backend,
        quantization=run.quantization,
        packing=run.packing,
        versions=dict(run.versions),
        git_revision=run.git_revision,
        gpu=run.gpu_name,
        steps=run.step,
        planned_steps=run.planned_steps,
        resumes=run.resumes,
        final_loss=run.final_loss,
        trained_parameters=run.trained_parameters,
        total_parameters=run.total_parameters,
        lora_modules=run.lora_modules,
        adapter_sha256=run.adapter_sha256,
        dataset_fingerprint=run.dataset_fingerprint,
        split_fingerprint=run.split_fingerprint,
    )


def flat_recipe(text: str) -> dict[str, Any]:
    """Values of a recipe by dotted key, also of one that this version could not launch; {} where it is none."""
    values: dict[str, Any] = {}
    for key, value in read_object(text).items():
        if isinstance(value, Mapping):
            values.update({f"{key}.{name}": each for name, each in value.items()})
        else:
            values[key] = value
    return values


def _quantization(row: EvaluationRow) -> str | None:
    value = read_object(row.protocol).get("quantization")
    return value if isinstance(value, str) else None


def read_object(text: str | None) -> dict[str, Any]:
    """A JSON object as the store holds it; {} where another program has written something else."""
    try:
        content = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
