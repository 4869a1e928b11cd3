"""Migration 0005: studies that were launched, the runs that belong to them, and what a run trains.

The table `studies` of 0002 holds the latest definition of each; what was launched when stands here.
"""

from __future__ import annotations

LAUNCHES = """CREATE TABLE study_launches (
  -- One launch of a study at one of its scales: what was declared before anything ran, or before more ran.
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  time REAL NOT NULL,
  study TEXT NOT NULL,              -- name of the study
  scale TEXT NOT NULL,
  definition TEXT NOT NULL,         -- TOML as it was launched; untrusted text
  rule TEXT NOT NULL,               -- SHA-256 over what decides at this scale: figure, split, decisions, baseline
  arms TEXT NOT NULL,               -- JSON list: all arms of the file at this scale, whether they were launched or not
  chosen TEXT NOT NULL,             -- JSON list: arms that were named (--arm); empty for those that are not optional
  seeds INTEGER NOT NULL,           -- seeds of each arm
  measured INTEGER NOT NULL         -- evaluations of this study's own runs that had succeeded by then
)"""

LAUNCHES_INDEX = "CREATE INDEX study_launches_by_study ON study_launches(study, scale)"

MEMBERS = """CREATE TABLE study_runs (
  -- Which runs belong to which study. A run that one study has trained may belong to others, which reuse it;
  -- runs.study names the one that has launched it.
  study TEXT NOT NULL,
  scale TEXT NOT NULL,
  run_id INTEGER NOT NULL REFERENCES runs(id),
  arm TEXT NOT NULL,                -- untrusted text
  seed INTEGER NOT NULL,
  PRIMARY KEY (study, scale, arm, seed, run_id)
) WITHOUT ROWID"""

MEMBERS_INDEX = "CREATE INDEX study_runs_by_run ON study_runs(run_id, study)"

TRAINING_KEYS = """CREATE TABLE training_keys (
  -- What the recipe of a run trains, as one value: runs with the same one on the same data are the same training.
  -- Worked out from runs.recipe when it is first needed, and anew when a version of sonotune has other recipe keys.
  run_id INTEGER PRIMARY KEY REFERENCES runs(id),
  version TEXT NOT NULL,            -- of the way in which it was worked out
  key TEXT NOT NULL                 -- SHA-256; "" for a recipe that cannot be read
)"""

TRAINING_KEYS_INDEX = "CREATE INDEX training_keys_by_key ON training_keys(key)"

RESULTS = """CREATE TABLE study_results (
  -- The latest result of a study at a scale; it can be computed again from evaluations and predictions.
  study TEXT NOT NULL,
  scale TEXT NOT NULL,
  key TEXT NOT NULL,                -- SHA-256 over what it was computed from; another one means out of date
  time REAL NOT NULL,
  result TEXT NOT NULL,             -- JSON of engine.study.results.StudyResult
  PRIMARY KEY (study, scale)
) WITHOUT ROWID"""

STATEMENTS: tuple[str, ...] = (
    LAUNCHES,
    LAUNCHES_INDEX,
    MEMBERS,
    MEMBERS_INDEX,
    TRAINING_KEYS,
    TRAINING_KEYS_INDEX,
    RESULTS,
)
"""In the order in which they are executed."""
