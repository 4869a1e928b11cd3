"""Migration 0002: studies, and what people attach to runs (tags, notes, the test-set ledger)."""

from __future__ import annotations

STUDIES = """CREATE TABLE studies (
  -- A question that several runs answer together: a base recipe and a matrix of changes.
  name TEXT PRIMARY KEY,
  question TEXT NOT NULL,           -- what the study asks, in words
  definition TEXT NOT NULL,         -- TOML as it was launched
  created_at REAL NOT NULL
)"""

RUN_STUDY = "ALTER TABLE runs ADD COLUMN study TEXT /* name of the study it belongs to */"
RUN_STUDY_INDEX = "CREATE INDEX runs_by_study ON runs(study) WHERE study IS NOT NULL"

TAGS = """CREATE TABLE tags (
  run_id INTEGER NOT NULL REFERENCES runs(id),
  tag TEXT NOT NULL,
  PRIMARY KEY (run_id, tag)
) WITHOUT ROWID"""

NOTES = """CREATE TABLE notes (
  -- Free text that a person wrote about a run.
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  run_id INTEGER NOT NULL REFERENCES runs(id),
  time REAL NOT NULL,
  text TEXT NOT NULL
)"""

TEST_LOOKS = """CREATE TABLE test_looks (
  -- Ledger of looks at a test split: every look that guides a decision spends some of its worth.
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  time REAL NOT NULL,
  dataset TEXT NOT NULL,
  split_fingerprint TEXT NOT NULL,
  evaluation_id INTEGER NOT NULL REFERENCES evaluations(id),
  purpose TEXT NOT NULL             -- why the test split was looked at
)"""

TEST_LOOKS_INDEX = "CREATE INDEX test_looks_by_split ON test_looks(dataset, split_fingerprint)"

STATEMENTS: tuple[str, ...] = (STUDIES, RUN_STUDY, RUN_STUDY_INDEX, TAGS, NOTES, TEST_LOOKS, TEST_LOOKS_INDEX)
"""In the order in which they are executed."""
