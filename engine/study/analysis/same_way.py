"""Whether subjects were measured on the same cases and in the same way; who was not is named, with the reason."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from engine.comparison.protocols import differing_factors
from engine.comparison.subjects import protocol_of
from engine.store.outputs import OutputRow
from engine.store.records import EvaluationRow
from engine.study.analysis.subjects import Subject
from engine.text import one_line

FOLLOWS: dict[str, tuple[str, ...]] = {
    "data.prompt": ("prompt", "prompt_text", "candidates", "answer_form"),
    "data.prompt_text": ("prompt", "prompt_text", "candidates", "answer_form"),
    "data.image_size": ("image_size",),
    "evaluation.max_new_tokens": ("max_new_tokens",),
    "evaluation.normalisation": ("normalisation",),
}
"""What a recipe key that arms may differ in changes about the protocol."""

NO_PROTOCOL = {"batch", "case_limit", "quantization"}
"""Recorded beside the protocol: they change no answer, or belong to the subject."""


def same_cases(subjects: Sequence[Subject], baseline: str) -> tuple[list[Subject], list[str]]:
    """The subjects of one target that were measured on the same cases, and a sentence for each that was not.

    The cases are those of the baseline, or those that most subjects have where it was not measured. A subject one of
    whose seeds has other cases is left out with all of them.
    """
    fingerprints = [{each.row.cases_fingerprint for each in subject.seeds} for subject in subjects]
    chosen = _chosen(subjects, fingerprints, baseline)
    kept, warnings = [], []
    for subject, found in zip(subjects, fingerprints, strict=True):
        if found == {chosen}:
            kept.append(subject)
            continue
        others = ", ".join(str(each.row.id) for each in subject.seeds if each.row.cases_fingerprint != chosen)
        warnings.append(
            f"Left out: {one_line(subject.name)} was measured on other cases of {subject.question} on "
            f"{subject.target.split} (evaluation {others}), so its figures say nothing beside the others. "
            "Measure it again on the same images."
        )
    return kept, warnings


def same_answers(
    subjects: Sequence[Subject], outputs: Callable[[EvaluationRow], Sequence[OutputRow]]
) -> tuple[list[Subject], list[str]]:
    """The subjects that hold an answer to each of the cases of the first, and a sentence for each that does not.

    Fingerprints say what was to be measured; this is what is there.
    """
    kept: list[Subject] = []
    warnings = []
    first: list[tuple[str, str]] = []
    for subject in subjects:
        held = [[(output.path, output.target) for output in outputs(each.row)] for each in subject.seeds]
        first = first or held[0]
        if all(each == first for each in held):
            kept.append(subject)
        else:
            warnings.append(
                f"Left out: {one_line(subject.name)} lacks answers to some of the cases of {subject.question} on "
                f"{subject.target.split}, or was held against other targets. Measure it again."
            )
    return kept, warnings


def protocol_warnings(subjects: Sequence[Subject], varies: Sequence[str]) -> list[str]:
    """A sentence for each factor in which protocols differ that the study does not vary."""
    allowed = {key for each in varies for key in FOLLOWS.get(each, ())}
    rows = [_without(each.row, allowed) for subject in subjects for each in subject.seeds]
    names = [subject.name for subject in subjects for _ in subject.seeds]
    distinct: dict[str, tuple[EvaluationRow, str]] = {}
    for row, name in zip(rows, names, strict=True):
        distinct.setdefault(row.protocol_fingerprint, (row, name))
    if len(distinct) < 2:
        return []
    factors = differing_factors([row for row, _ in distinct.values()], [name for _, name in distinct.values()])
    what = f"{subjects[0].question} on {subjects[0].target.split}"
    return [f"Not measured in the same way ({what}), though the study does not vary it: {each}." for each in factors]


def _chosen(subjects: Sequence[Subject], fingerprints: Sequence[set[str]], baseline: str) -> str:
    for subject, found in zip(subjects, fingerprints, strict=True):
        if subject.name == baseline and subject.reference is None and len(found) == 1:
            return next(iter(found))
    counts = Counter(each for found in fingerprints for each in found)
    return min(counts, key=lambda each: (-counts[each], each), default="")


def _without(row: EvaluationRow, keys: set[str]) -> EvaluationRow:
    """The row with these keys taken out of its protocol; its fingerprint is made of what is left."""
    recorded = protocol_of(row)
    if not recorded:  # it cannot be read: its fingerprint alone tells
        return row
    content = {key: value for key, value in recorded.items() if key not in keys | NO_PROTOCOL}
    text = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return replace(row, protocol=text, protocol_fingerprint=hashlib.sha256(text.encode()).hexdigest())
