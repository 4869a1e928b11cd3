"""Migration 0003: what the terminal workbench needs: answers beside images, places in the queue, workspace settings."""

from __future__ import annotations

SETTINGS = """CREATE TABLE settings (
  -- What people set for this workspace as a whole, such as a paused queue or the pinned rows of the leaderboard.
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL               -- JSON
) WITHOUT ROWID"""

IMAGE_ANSWERS = """ALTER TABLE images ADD COLUMN answers TEXT
  /* JSON: raw answer by question id; untrusted text. NULL for a problem, and for imports before this column */"""

RUN_RANK = """ALTER TABLE runs ADD COLUMN queue_rank REAL
  /* place among the queued jobs of one priority, lowest first; NULL: by queued_at */"""

EVALUATION_RANK = """ALTER TABLE evaluations ADD COLUMN queue_rank REAL /* as in runs */"""

# The leaderboard counts its groups from this alone: ten thousand evaluations in 5 ms instead of 18.
GROUPS_INDEX = """CREATE INDEX evaluations_by_group ON evaluations(
  state, dataset, question, split, cases_fingerprint, protocol_fingerprint, run_id, ended_at, queued_at, n)"""

STATEMENTS: tuple[str, ...] = (SETTINGS, IMAGE_ANSWERS, RUN_RANK, EVALUATION_RANK, GROUPS_INDEX)
"""In the order in which they are executed."""
