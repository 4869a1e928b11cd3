"""A runs.db after years: 10,000 runs with their curves, and a million predictions. No benchmark itself.

`seeding.seed_board` writes runs, evaluations and scores; here come curves, history and predictions, made within
SQLite, because 6 million rows through Python would take minutes more. Cases have images: those of phantoms.
"""

from __future__ import annotations

import sqlite3
import sys
from dataclasses import dataclass
from math import ceil

from seeding import CASES, seed_board

from engine import api
from engine.store.connection import open_writable
from engine.store.reader import Reader
from engine.types import Split
from engine.workspace import Workspace

KEYS = ("grad_norm", "learning_rate", "loss", "samples_per_second", "step_seconds")
LONG_STEPS = 100_000
"""Steps of run 1, whose curve is the longest; the other runs share the rest of the points evenly."""
DATASET, IMAGES, IMAGE_SIZE = "fetal", 15_446, 64
_CHUNK = 250
"""Runs, or evaluations, in one transaction: the log beside the database stays small."""

_NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :steps) "
# A loss that falls, with the noise of a congruential generator: no two neighbours alike, the same in every benchmark.
_VALUE = """CASE key WHEN 'loss' THEN 0.05 + 1.2 / (1 + 8.0 * i / :steps) + ((i * 7919 + run * 104729) % 1000) / 4000.0
WHEN 'learning_rate' THEN 2e-4 * (1 - CAST(i AS REAL) / :steps)
WHEN 'grad_norm' THEN 0.7 + ((i * 6007 + run) % 1000) / 1500.0
WHEN 'samples_per_second' THEN 15 + ((i * 3001 + run) % 1000) / 500.0
ELSE 0.24 + ((i * 5003 + run) % 1000) / 50000.0 END"""
_METRICS = f"""{_NUMBERS}, k(key) AS (VALUES {", ".join(f"('{key}')" for key in KEYS)}),
r(run) AS (SELECT id FROM runs WHERE id BETWEEN :first AND :last)
INSERT INTO metrics (run_id, key, step, value, time)
SELECT run, key, i, {_VALUE}, 1790000000.0 + 60 * run + i * 0.25 FROM r, n, k"""
_EVENTS = """INSERT INTO events (time, run_id, kind, detail)
SELECT queued_at + 10 * e.value, id, e.kind, 'as it was seeded' FROM runs,
(SELECT 0 AS value, 'queued' AS kind UNION SELECT 1, 'starting'
UNION SELECT 2, 'running' UNION SELECT 3, 'succeeded') e"""
_SAMPLES = f"""{_NUMBERS} INSERT INTO samples (run_id, time, cpu_percent, rss_bytes, ram_used_bytes, ram_total_bytes,
gpu_index, gpu_utilisation_percent, gpu_memory_used_bytes, gpu_memory_total_bytes, gpu_power_watts,
gpu_temperature_celsius) SELECT 1, 1790000060.0 + 2 * i, 25.0 + i % 5, 6000000000, 20000000000, 128000000000, 0,
90.0 + i % 10, 39000000000, 86000000000, 500.0, 61.0 FROM n"""
_PREDICTIONS = """INSERT INTO predictions (evaluation_id, path, view, question, target, raw_output, parsed,
target_parsed, correct, p_abnormal, probabilities, cut_off, latency_seconds, generated_tokens, outcome)
SELECT e, path, view, 'Q7', meant || ' for gestational age',
'The image shows a ' || said || ' examination of the ' || view || '.', said, meant, said = meant, p,
json_object('Normal for gestational age', 1 - p, 'Abnormal NT thickening', p), 0, 0.5, 8,
CASE WHEN said = meant THEN 'right' ELSE 'wrong' END
FROM (SELECT e.id AS e, path, view, place, ((place * 7919 + e.id * 104729) % 10007) / 10007.0 AS p,
  CASE WHEN place % 35 = 0 THEN 'abnormal' ELSE 'normal' END AS meant,
  CASE WHEN (place * 6007 + e.id * 3001) % 40 = 0 THEN 'abnormal' ELSE 'normal' END AS said
FROM evaluations e, asked WHERE e.id BETWEEN :first AND :last)"""


_WAITING = """INSERT INTO runs (name, state, recipe, dataset, dataset_fingerprint, split_fingerprint, model, seed,
directory, queued_at, reason) SELECT 'waiting-' || id, 'queued', recipe, dataset, dataset_fingerprint,
split_fingerprint, model, seed, 'outputs/waiting-' || id, 1890000000.0 + id, 'waits for a free device'
FROM runs WHERE id <= 200"""


@dataclass(frozen=True, slots=True)
class Load:
    """What there is."""

    runs: int
    points: int
    predictions: int
    evaluations: int
    """Those with predictions are the first of all, by number."""


def seed_load(workspace: Workspace, *, runs: int, points: int, predictions: int, images: int = IMAGES) -> Load:
    """Fill a new workspace; 200 further runs wait in the queue.

    Args:
        workspace: without a runs.db.
        runs: each with an evaluation and six scores; run 1 has a curve of `LONG_STEPS` steps, or fewer where points
            are few.
        points: of curves, of all runs together.
        predictions: of as many evaluations as it takes, `seeding.CASES` each.
        images: of the dataset.
    """
    api.import_phantom_dataset(workspace, DATASET, count=images, size=IMAGE_SIZE)
    seed_board(workspace, runs=runs)
    long_steps = min(LONG_STEPS, points // len(KEYS) // 5)
    steps = ceil((points / len(KEYS) - long_steps) / (runs - 1))
    evaluations = min(runs, ceil(predictions / CASES))
    connection = open_writable(workspace.database)
    try:
        _fill(connection, _METRICS, 1, 1, steps=long_steps)
        _fill(connection, _METRICS, 2, runs, steps=steps)
        _fill(connection, _EVENTS, 0, 0)
        _fill(connection, _SAMPLES, 0, 0, steps=long_steps // 8)
        _fill(connection, _WAITING, 0, 0)
        connection.execute("UPDATE runs SET step = ?, planned_steps = ? WHERE state = 'succeeded'", (steps, steps))
        connection.execute("UPDATE runs SET step = ?, planned_steps = ? WHERE id = 1", (long_steps, long_steps))
        _ask(connection, workspace)
        _fill(connection, _PREDICTIONS, 1, evaluations)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        found = [connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0] for table in _COUNTED]
    finally:
        connection.close()
    return Load(*found, evaluations)


_COUNTED = ("runs", "metrics", "predictions")


def _fill(connection: sqlite3.Connection, statement: str, first: int, last: int, **values: int) -> None:
    for start in range(first, last + 1, _CHUNK):
        connection.execute("BEGIN")
        connection.execute(statement, {"first": start, "last": min(last, start + _CHUNK - 1), **values})
        connection.execute("COMMIT")


def _ask(connection: sqlite3.Connection, workspace: Workspace) -> None:
    """The cases that every evaluation was asked about: images of the validation split, then of the others."""
    with Reader(workspace) as reader:
        images = reader.images(DATASET)
    chosen = sorted(images, key=lambda image: image.split is not Split.VALIDATION)[:CASES]
    connection.execute("CREATE TEMP TABLE asked (place INTEGER, path TEXT, view TEXT)")
    rows = [(place, image.path, image.view) for place, image in enumerate(sorted(chosen, key=lambda each: each.path))]
    connection.executemany("INSERT INTO asked VALUES (?, ?, ?)", rows)


if __name__ == "__main__":
    sys.exit(0)  # `make bench` runs every file here
