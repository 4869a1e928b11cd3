"""Whom a word of `compare` means: a run, a reference row, or one evaluation."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from engine.errors import JobError, UsageError
from engine.store.reader import Reader
from engine.store.records import EvaluationRow, RunRow
from engine.text import one_line
from engine.types import Reference, State

EVALUATION = "evaluation:"
"""Prefix of a word that means one evaluation and no other."""
BASE = "base:"
"""Prefix of a word that means the untuned model of that name."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One subject with everything that it could be compared by."""

    word: str
    """As it was asked for; untrusted text."""
    title: str
    """`run 3 (baseline)`, `reference majority`; untrusted text."""
    run: RunRow | None
    reference: Reference | None
    evaluations: tuple[EvaluationRow, ...]
    """Succeeded, on images as they are, oldest first."""


def find_subjects(reader: Reader, words: Sequence[int | str]) -> list[Candidate]:
    """The subjects that the words mean, in their order.

    A number is that of a run. The names of the references mean those, also where a run has such a name: its number
    means the run. `base:MODEL` is the untuned model of that name, `evaluation:ID` one evaluation.

    Raises:
        JobError: there is no such run or evaluation, or it has not succeeded.
        UsageError: fewer than two subjects, the same one twice, or `base` where several models could be meant.
    """
    found = [_candidate(reader, str(word).strip()) for word in words]
    if len(found) < 2:
        raise UsageError("One subject alone can't be compared", next_step="Name two or more: compare A B.")
    found = _of_the_same_models(found)
    _require_different(found)
    return found


def _candidate(reader: Reader, word: str) -> Candidate:
    if word.startswith(EVALUATION):
        return _one_evaluation(reader, word)
    if word.startswith(BASE):
        rows = [row for row in _references(reader, Reference.BASE) if row.model == word.removeprefix(BASE)]
        return Candidate(word, f"reference {word}", None, Reference.BASE, tuple(rows))
    if word in tuple(Reference):
        reference = Reference(word)
        return Candidate(word, f"reference {word}", None, reference, tuple(_references(reader, reference)))
    run = reader.run(word)
    rows = _clean(reader.evaluations(run.id, (State.SUCCEEDED,)))
    return Candidate(word, run_title(run), run, None, tuple(rows))


def run_title(run: RunRow) -> str:
    """`run 3 (baseline)`; untrusted text."""
    return f"run {run.id} ({run.name})"


def _one_evaluation(reader: Reader, word: str) -> Candidate:
    number = word.removeprefix(EVALUATION)
    if not number.isdecimal():
        raise UsageError(f"{one_line(word)} names no evaluation", next_step="Write it like evaluation:12.")
    row = reader.evaluation(int(number))
    if row.state is not State.SUCCEEDED or row.degradation is not None:
        shown = f"it was shown {row.images}" if row.degradation else f"it is {row.state}: {row.reason}"
        raise JobError(f"Evaluation {row.id} can't be compared", f"{one_line(shown)}.", "Name one that has succeeded.")
    run = None if row.run_id is None else reader.run(row.run_id)
    title = run_title(run) if run is not None else f"reference {row.reference} ({row.name})"
    return Candidate(word, title, run, row.reference, (row,))


def _references(reader: Reader, reference: Reference) -> list[EvaluationRow]:
    rows = reader.evaluations(states=(State.SUCCEEDED,), reference=True)
    return _clean(row for row in rows if row.reference is reference)


def _clean(rows: Iterable[EvaluationRow]) -> list[EvaluationRow]:
    return [row for row in rows if row.degradation is None]


# ----- which untuned model


def _of_the_same_models(found: Sequence[Candidate]) -> list[Candidate]:
    """`base` alone means the untuned model that the runs beside it were tuned from, quantized as they were."""
    runs = [each.run for each in found if each.run is not None]
    return [_narrowed(each, runs) if each.reference is Reference.BASE else each for each in found]


def _narrowed(base: Candidate, runs: Sequence[RunRow]) -> Candidate:
    rows = base.evaluations
    models = {run.model for run in runs}
    if base.word == Reference.BASE and len(models) == 1:
        rows = tuple(row for row in rows if row.model in models)
    if len({row.model for row in rows}) > 1:
        names = ", ".join(sorted({f"{BASE}{one_line(row.model)}" for row in rows}))
        raise UsageError("Several untuned models were measured", next_step=f"Say which one is meant: {names}.")
    quantizations = {run.quantization for run in runs}
    alike = tuple(row for row in rows if quantization_of(row) in quantizations)
    return replace(base, evaluations=alike or rows)


def quantization_of(row: EvaluationRow) -> str | None:
    """In which quantization a model was measured; None where its record does not say."""
    value = protocol_of(row).get("quantization")
    return value if isinstance(value, str) else None


def protocol_of(row: EvaluationRow) -> dict[str, object]:
    """The protocol of an evaluation as it was recorded; {} where it can't be read."""
    try:
        content = json.loads(row.protocol or "{}")
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _require_different(found: Sequence[Candidate]) -> None:
    seen: set[object] = set()
    for each in found:
        key = each.word if each.word.startswith(EVALUATION) else each.run.id if each.run else each.word
        if key in seen:
            raise UsageError(f"{one_line(each.title)} was named twice", next_step="Name each subject once.")
        seen.add(key)
