"""The result of a study: computed once for what is measured, kept in runs.db, read back as the same values."""

from __future__ import annotations

import contextlib
import hashlib
import json
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path

import engine
from engine.api.study_files import open_study
from engine.api.study_finding import Standing, standing_of
from engine.api.study_history import history_warnings
from engine.api.study_states import settle_study_jobs
from engine.errors import StoreError
from engine.evaluation.protocol import VERSIONS
from engine.store.reader import Reader
from engine.store.studies import KeptResult
from engine.store.writer import Writer
from engine.study.decisions import definition_hash
from engine.study.results import StudyResult
from engine.types import State
from engine.workspace import Workspace


def study_result(workspace: Workspace, name: str | Path, scale: str | None = None) -> StudyResult:
    """What a study has found so far. The first time after something was measured this takes seconds.

    Arguments and errors as for `open_study`; also:

    Raises:
        UsageError: the study decides by a figure that its question does not have.
    """
    from engine.study.analysis.analyse import analyse  # numpy and scipy

    settle_study_jobs(workspace)
    standing = standing_of(workspace, open_study(workspace, name, scale))
    key, known = kept_result(workspace, standing)
    if known is not None:
        return known
    if not workspace.database.exists():
        with Writer.open(workspace):
            pass
    result = analyse(workspace, standing.found)
    # Kept to save time alone: where the database cannot be written now, it is computed again next time.
    with contextlib.suppress(StoreError), Writer.open(workspace) as writer:
        writer.keep_study_result(standing.study.name, standing.study.scale, key, write_result(result))
    return _with_warnings(standing, result)


def cached_study_result(workspace: Workspace, name: str | Path, scale: str | None = None) -> StudyResult | None:
    """The result of what is measured now, where it was computed already; None where it would have to be."""
    return kept_result(workspace, standing_of(workspace, open_study(workspace, name, scale)))[1]


def kept_result(workspace: Workspace, standing: Standing) -> tuple[str, StudyResult | None]:
    """What the result of a study that has been looked up depends on now, and that result where it is kept."""
    key = result_key(workspace, standing)
    kept = _kept(workspace, standing)
    if kept is None or kept.key != key:
        return key, None
    return key, _with_warnings(standing, read_result(kept.result))


def write_result(result: StudyResult) -> str:
    """A result as JSON; `read_result` reads the same value back, infinite ends of intervals included."""
    return json.dumps(asdict(result), ensure_ascii=False)


def read_result(text: str) -> StudyResult:
    """The result that `write_result` wrote."""
    from pydantic import TypeAdapter

    return TypeAdapter(StudyResult).validate_python(json.loads(text))


def result_key(workspace: Workspace, standing: Standing) -> str:
    """SHA-256 over all that a result is computed from: evaluations, their marks, the definition, the code.

    The state of what is not done yet belongs to it, because a result says what is missing, and the looks at the test
    split, which it counts.
    """
    found = standing.found
    rows = {row.id: row for cell in found.cells for row in cell.measured.values()}
    rows |= {each.row.id: each.row for each in found.references}
    done = sorted(row.id for row in rows.values() if row.state == State.SUCCEEDED)
    content = {
        "definition": definition_hash(standing.study.file.study),
        "cells": [
            (cell.cell.arm, cell.cell.seed, cell.run and (cell.run.id, cell.run.state.value)) for cell in found.cells
        ],
        "dataset": (found.dataset, found.dataset_fingerprint, found.split_fingerprint),
        "evaluations": sorted((row.id, row.state.value, row.ended_at) for row in rows.values()),
        **_marks_and_looks(workspace, standing, done),
        "versions": dict(VERSIONS),
        "code": code_fingerprint(),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _marks_and_looks(workspace: Workspace, standing: Standing, evaluations: list[int]) -> dict[str, object]:
    reader = Reader.open_or_none(workspace)
    if reader is None:
        return {}
    found = standing.found
    with reader:
        marks = [(mark.evaluation_id, mark.kind, mark.scope, mark.detail) for mark in reader.marks(evaluations)]
        return {"marks": marks, "looks": len(reader.test_looks(found.dataset, found.split_fingerprint or None))}


def _kept(workspace: Workspace, standing: Standing) -> KeptResult | None:
    reader = Reader.open_or_none(workspace)
    if reader is None:
        return None
    with reader:
        return reader.study_result(standing.study.name, standing.study.scale)


def _with_warnings(standing: Standing, result: StudyResult) -> StudyResult:
    """The result with what must be known of its rule of decision, its arms and its seeds, first of all."""
    return replace(result, warnings=(*history_warnings(standing), *result.warnings))


CODE = ("study", "scoring", "questions", "comparison", "recipe", "formatting.py", "text.py", "types.py",
        "evaluation/judging.py", "evaluation/protocol.py", "evaluation/scores.py", "store/outputs.py",
        "training/balance_record.py")  # fmt: skip
"""Folders and files of the engine that results are computed by; a test compares it with what the analysis imports."""


@cache
def code_fingerprint() -> str:
    """SHA-256 over the code that computes results: another version computes them anew."""
    root = Path(engine.__file__).parent
    digest = hashlib.sha256()
    for name in CODE:
        for file in [root / name] if name.endswith(".py") else sorted((root / name).rglob("*.py")):
            digest.update(f"{file.relative_to(root).as_posix()} ".encode() + file.read_bytes())
    return digest.hexdigest()
