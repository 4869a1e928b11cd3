"""Fingerprints: two figures may be compared only when these are equal.

Each is a SHA-256 over one canonical JSON line a case, in path order, so that neither the order of the input nor the
machine matters, and no text can imitate a separator.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence

from engine.data.labels import target_text
from engine.types import Case


def _digest(rows: Iterable[Sequence[object]]) -> str:
    digest = hashlib.sha256()
    for row in rows:
        digest.update(json.dumps(row, ensure_ascii=True, separators=(",", ":")).encode("ascii") + b"\n")
    return digest.hexdigest()


def _by_path(cases: Iterable[Case]) -> list[Case]:
    return sorted(cases, key=lambda case: case.path)


def dataset_fingerprint(cases: Iterable[Case]) -> str:
    """Fingerprint of the content: path, hash of the image bytes, questions and raw answers. The split is not in it."""
    return _digest([case.path, case.sha256, sorted(case.answers.items())] for case in _by_path(cases))


def split_fingerprint(cases: Iterable[Case]) -> str:
    """Fingerprint of who is in which split: (path, split)."""
    return _digest([case.path, case.split.value] for case in _by_path(cases))


def cases_fingerprint(cases: Iterable[Case], question: str) -> str:
    """Fingerprint of what an evaluation measures: (path, hash of the image bytes, question, target)."""
    return _digest([case.path, case.sha256, question, target_text(case.answers, question)] for case in _by_path(cases))
