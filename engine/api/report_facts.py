"""What a report says about data, protocol and the test-set ledger, read from the workspace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.api.report_subjects import read_object
from engine.data.manifest import Dataset, open_dataset
from engine.errors import DataError
from engine.evaluation.protocol import NORMALISATION, known_layers
from engine.questions.normalise.layers import NORMALISATION_VERSION, layer_names
from engine.reporting.model import Data, Method, SplitCount, TestLook
from engine.store.reader import Reader
from engine.store.records import EvaluationRow
from engine.types import Split
from engine.workspace import Workspace


def read_data(workspace: Workspace, row: EvaluationRow) -> Data:
    """The dataset that an evaluation was measured on, as far as the workspace still has it."""
    bare = Data(row.dataset, "", row.dataset_fingerprint, row.split_fingerprint, known=False)
    try:
        dataset = open_dataset(workspace, row.dataset)
    except DataError:
        return bare  # a report can be made where only runs.db was kept; the page says that it is not known
    record = dataset.record
    same = (record.fingerprint, record.split_fingerprint) == (row.dataset_fingerprint, row.split_fingerprint)
    if not same:
        return Data(row.dataset, record.kind, row.dataset_fingerprint, row.split_fingerprint, known=False)
    findings, checked = _findings(workspace, row.dataset)
    return Data(
        name=record.name,
        kind=record.kind,
        fingerprint=record.fingerprint,
        split_fingerprint=record.split_fingerprint,
        known=True,
        images=record.images,
        problems=record.problems,
        views=len({count.view for count in dataset.counts()}),
        split_seed=record.split_seed,
        options=_portable(record.options),
        counts=_counts(dataset),
        findings=findings,
        checked=checked,
    )


def _counts(dataset: Dataset) -> tuple[SplitCount, ...]:
    rows = []
    for split in Split:
        views = [count for count in dataset.counts() if count.split == split]
        other = sum(count.unclear + count.unparseable + count.unanswered for count in views)
        normal, abnormal = sum(count.normal for count in views), sum(count.abnormal for count in views)
        rows.append(SplitCount(str(split), sum(count.total for count in views), normal, abnormal, other))
    return tuple(rows)


def _findings(workspace: Workspace, name: str) -> tuple[tuple[str, ...] | None, bool]:
    """What the quality check says, and whether it was done: then every image was looked at, and leak marks settled."""
    from engine.data.quality.background import CheckState, background_check_status
    from engine.data.quality.report import quality_report

    try:
        report = quality_report(workspace, name)
    except DataError:
        return None, False  # its case file is missing or damaged: nothing is known of its quality
    done = background_check_status(workspace, name).state == CheckState.DONE and not report.checks.unchecked
    return tuple(f"{finding.severity}: {finding.title}" for finding in report.findings), done


def _portable(options: Mapping[str, object]) -> dict[str, Any]:
    """Options without folders: where something lay on one machine is nobody's business on a page."""
    return {key: value for key, value in options.items() if not (isinstance(value, str) and "/" in value)}


def read_method(row: EvaluationRow, resamples: int) -> Method:
    """How an evaluation was measured, from its protocol; what it does not name is None or empty."""
    protocol = read_object(row.protocol)
    candidates = protocol.get("candidates")
    versions = protocol.get("versions")
    return Method(
        prompt=str(row.prompt or protocol.get("prompt") or "not recorded"),
        prompt_text=str(protocol.get("prompt_text") or ""),
        image_size=_whole(protocol.get("image_size")),
        max_new_tokens=row.max_new_tokens or _whole(protocol.get("max_new_tokens")),
        decoding=str(protocol.get("decoding") or "not recorded"),
        candidates=tuple(map(str, candidates)) if isinstance(candidates, list) else (),
        versions={"normalisation": NORMALISATION_VERSION, **(versions if isinstance(versions, dict) else {})},
        case_limit=row.case_limit or 0,
        resamples=resamples,
        layers=layer_names(known_layers(protocol.get(NORMALISATION))),
    )


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def read_looks(reader: Reader, row: EvaluationRow) -> tuple[TestLook, ...] | None:
    """The ledger of the test split that an evaluation is of; None for another split."""
    if row.split is not Split.TEST:
        return None
    looks = reader.test_looks(row.dataset, row.split_fingerprint)
    rows = [(look, reader.evaluation(look.evaluation_id)) for look in looks]
    return tuple(TestLook(look.time, seen.name, seen.question, look.purpose) for look, seen in rows)
