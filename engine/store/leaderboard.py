"""The leaderboard query: the newest measurement of every subject, with all its scores."""

from __future__ import annotations

import sqlite3
from typing import Any

from engine.store.studies import STUDIES_OF_RUN
from engine.types import Split

SCORES = ("accuracy", "balanced_accuracy", "sensitivity", "specificity", "mcc", "auroc")
"""Names that every row has, each also with _low, _high and _n, even where the evaluation left them out."""

_COLUMNS = (
    "run",
    "name",
    "reference",
    "model",
    "dataset",
    "dataset_fingerprint",
    "question",
    "prompt",
    "prompt_text",
    "split",
    "split_fingerprint",
    "evaluation",
    "cases_fingerprint",
    "protocol_fingerprint",
    "clean_protocol_fingerprint",
    "degradation",
    "n",
    "errors",
    "unparseable",
    "cut_off",
    "threshold",
    "threshold_source",
    "seconds_per_image",
    "tokens_per_second",
    "backend",
    "quantization",
    "study",
    "train_seconds",
    "samples_per_second",
    "peak_vram_bytes",
    "peak_rss_bytes",
)

# A subject is a run or a reference model. Memory is torch's own: NVML counts the whole card, others' processes too.
_ROWS = f"""
WITH newest AS (
  SELECT MAX(id) AS id
  FROM evaluations
  WHERE state = 'succeeded' AND (:question IS NULL OR question = :question)
    AND (:split IS NULL OR split = :split) AND (:dataset IS NULL OR dataset = :dataset)
  GROUP BY run_id, reference, model, dataset, question, split, cases_fingerprint, protocol_fingerprint,
    -- a base in 4 bits is another subject
    CASE WHEN json_valid(protocol) THEN json_extract(protocol, '$.quantization') END
)
SELECT e.run_id, COALESCE(r.name, e.name), e.reference, e.model, e.dataset, e.dataset_fingerprint, e.question,
       e.prompt,
       -- named wordings have the text of their name
       CASE WHEN e.prompt = 'own' AND json_valid(e.protocol) THEN json_extract(e.protocol, '$.prompt_text') END,
       e.split, e.split_fingerprint, e.id, e.cases_fingerprint, e.protocol_fingerprint,
       e.clean_protocol_fingerprint, e.degradation, e.n, e.errors, e.unparseable, e.cut_off,
       e.threshold, e.threshold_source, e.seconds_per_image, e.tokens_per_second,
       COALESCE(r.backend, e.backend),
       COALESCE(r.quantization, CASE WHEN json_valid(e.protocol) THEN json_extract(e.protocol, '$.quantization') END),
       {STUDIES_OF_RUN.format(run="e.run_id", own="r.study")}, r.train_seconds, r.samples_per_second,
       CASE WHEN r.id IS NULL
         THEN COALESCE(e.peak_vram_reserved_bytes, e.peak_vram_allocated_bytes)
         ELSE COALESCE(r.peak_vram_reserved_bytes, r.peak_vram_allocated_bytes) END,
       CASE WHEN r.id IS NULL THEN e.peak_rss_bytes ELSE r.peak_rss_bytes END
FROM newest JOIN evaluations e ON e.id = newest.id LEFT JOIN runs r ON r.id = e.run_id
"""  # noqa: S608 - literals

_MARKS = """
SELECT evaluation_id, kind, scope, detail FROM marks
WHERE evaluation_id IN (
  SELECT id FROM evaluations
  WHERE state = 'succeeded' AND (:question IS NULL OR question = :question)
    AND (:split IS NULL OR split = :split) AND (:dataset IS NULL OR dataset = :dataset))
ORDER BY evaluation_id, kind, scope
"""

_SCORES = """
SELECT evaluation_id, name, value, low, high, n FROM scores
WHERE scope = 'all' AND evaluation_id IN (
  SELECT id FROM evaluations
  WHERE state = 'succeeded' AND (:question IS NULL OR question = :question)
    AND (:split IS NULL OR split = :split) AND (:dataset IS NULL OR dataset = :dataset))
"""


def rows(
    connection: sqlite3.Connection, question: str | None, split: Split | None, dataset: str | None
) -> list[dict[str, Any]]:
    """One dict a subject, question, split and pair of fingerprints; the newest succeeded evaluation counts.

    Keys: those of `_COLUMNS`; then every score of scope `all` by name, with `_low` and `_high` (95 % interval) and
    `_n`; `prompt_text`, the wording where it is the user's own (untrusted text), else None; `marks`, a list of what to
    know before believing the row ({kind, scope, detail}). Rows of degraded images (`degradation`) belong to the ranking
    whose `protocol_fingerprint` is their `clean_protocol_fingerprint`, but are not ranked in it. `run` is None and
    `reference` set for a reference row; `peak_*`, `train_seconds` and `samples_per_second` are those of the training of
    a run, and of the evaluation for a reference row. Reference rows come first, then by balanced accuracy, best first;
    rows without one last.
    """
    parameters = {"question": question, "split": None if split is None else split.value, "dataset": dataset}
    # 10,000 rows are wanted within 0.3 s, so the keys are made once and not for every score.
    keys = {name: _keys(name) for name in SCORES}
    empty = dict.fromkeys(key for names in keys.values() for key in names)
    board: dict[int, dict[str, Any]] = {}
    for values in connection.execute(_ROWS, parameters):
        row = {**dict(zip(_COLUMNS, values, strict=True)), **empty, "marks": []}
        board[row["evaluation"]] = row
    for evaluation, kind, scope, detail in connection.execute(_MARKS, parameters):
        if evaluation in board:
            board[evaluation]["marks"].append({"kind": kind, "scope": scope, "detail": detail})
    for evaluation, name, *figures in connection.execute(_SCORES, parameters):
        if evaluation in board:
            if name not in keys:
                keys[name] = _keys(name)
            board[evaluation].update(zip(keys[name], figures, strict=True))
    return sorted(board.values(), key=_order)


def _keys(name: str) -> tuple[str, str, str, str]:
    return name, f"{name}_low", f"{name}_high", f"{name}_n"


def _order(row: dict[str, Any]) -> tuple[bool, bool, float, int]:
    score = row["balanced_accuracy"]
    return row["reference"] is None, score is None, -(score or 0.0), -row["evaluation"]
