"""Migration 0006: peaks of GPU memory that were measured, to which the preflight fits its estimate."""

from __future__ import annotations

PEAKS = """CREATE TABLE memory_peaks (
  -- One measured peak of GPU memory: of a few steps before a run (preflight), of a benchmark, or of a run to its end.
  -- Append only: the estimate for a card is fitted to all of its rows.
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  time REAL NOT NULL,
  source TEXT NOT NULL,             -- preflight, bench or run
  run_id INTEGER REFERENCES runs(id),
  card TEXT NOT NULL,               -- as the driver names it
  model TEXT NOT NULL,              -- model id or name of the size; untrusted text
  shape TEXT NOT NULL,              -- JSON of engine.preflight.models.ModelShape: the model's dimensions
  workload TEXT NOT NULL,           -- JSON of Workload: tokens of the largest sample
  layout TEXT NOT NULL,             -- JSON of Layout: backend, micro-batch, checkpointing and the like
  lora_parameters INTEGER NOT NULL,
  vision_adapted INTEGER NOT NULL,  -- 1 where the vision tower carried LoRA
  estimated_peak INTEGER NOT NULL,  -- bytes; what was estimated before
  allocated_peak INTEGER NOT NULL,  -- bytes in tensors at the most
  reserved_peak INTEGER NOT NULL,   -- bytes that torch had taken from the card at the most
  step_seconds REAL                 -- of one optimizer step; NULL where it was not timed
)"""

PEAKS_INDEX = "CREATE INDEX memory_peaks_by_card ON memory_peaks(card)"

LAYOUT = """ALTER TABLE runs ADD COLUMN layout TEXT
  /* JSON of Layout: how the run was computed, as resolved; NULL in runs of earlier versions */"""

STATEMENTS: tuple[str, ...] = (PEAKS, PEAKS_INDEX, LAYOUT)
"""In the order in which they are executed."""
