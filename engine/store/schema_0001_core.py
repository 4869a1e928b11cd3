"""Migration 0001: datasets, runs, evaluations and everything that they leave behind.

Applied migrations are never edited: a change of the schema is a new migration. The comments are part of the statements
because SQLite keeps them, so `sqlite3 runs.db .schema` explains itself.
"""

from __future__ import annotations

DATASETS = """CREATE TABLE datasets (
  -- One imported dataset; its images stand in `images`. Times are Unix seconds throughout this database,
  -- sizes are bytes, durations are seconds, rates lie in 0..1.
  name TEXT PRIMARY KEY,
  kind TEXT NOT NULL,               -- importer: phantoms or jsonl
  fingerprint TEXT NOT NULL,        -- SHA-256 over image bytes, questions and answers, in path order
  split_fingerprint TEXT NOT NULL,  -- SHA-256 over (path, split), in path order
  split_seed INTEGER NOT NULL,
  image_root TEXT NOT NULL,         -- folder that image paths are relative to
  images INTEGER NOT NULL,          -- usable images
  problems INTEGER NOT NULL,        -- entries left out; each has a row in `images` that says why
  created_at REAL NOT NULL,
  options TEXT NOT NULL DEFAULT '{}' -- JSON: what the importer was asked for
)"""

IMAGES = """CREATE TABLE images (
  -- One image of a dataset, or one entry that was left out (then `problem` says why).
  id INTEGER PRIMARY KEY,
  dataset TEXT NOT NULL REFERENCES datasets(name) ON DELETE CASCADE,
  path TEXT NOT NULL,               -- relative to datasets.image_root; untrusted text
  view TEXT NOT NULL,               -- anatomical view, such as Abdomen
  split TEXT,                       -- train, validation or test; NULL for a problem
  sha256 TEXT,                      -- of the file's bytes
  width INTEGER,
  height INTEGER,
  q7_verdict TEXT,                  -- normal, abnormal, unclear or unparseable: the annotated answer to Q7
  problem TEXT                      -- NULL for a usable image
)"""

IMAGES_INDEX = "CREATE UNIQUE INDEX images_usable ON images(dataset, path) WHERE problem IS NULL"
IMAGES_DATASET_INDEX = "CREATE INDEX images_by_dataset ON images(dataset, view, split)"

RUNS = """CREATE TABLE runs (
  -- One fine-tuning run.
  -- queued -> starting -> running -> succeeded | failed | cancelled | interrupted;
  -- failed and interrupted may go back to queued (resume). Every change of state has a row in `events`.
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL DEFAULT 'training',
  state TEXT NOT NULL
    CHECK (state IN ('queued', 'starting', 'running', 'succeeded', 'failed', 'cancelled', 'interrupted')),
  reason TEXT NOT NULL DEFAULT '',  -- why it is in this state
  priority INTEGER NOT NULL DEFAULT 0, -- higher is dispatched first
  recipe TEXT NOT NULL,             -- JSON of the resolved recipe
  dataset TEXT NOT NULL,
  dataset_fingerprint TEXT NOT NULL,
  split_fingerprint TEXT NOT NULL,
  model TEXT NOT NULL,              -- base model as written in the recipe
  seed INTEGER NOT NULL,
  parent_run_id INTEGER REFERENCES runs(id), -- the run this one was cloned from
  directory TEXT NOT NULL,          -- relative to the workspace: adapter, checkpoints, log.txt
  backend TEXT,                     -- unsloth or transformers, as resolved
  backend_reason TEXT,              -- why that one
  quantization TEXT,                -- none or 4bit, as resolved
  packing TEXT,                     -- as resolved
  versions TEXT NOT NULL DEFAULT '{}', -- JSON: library versions of the training process
  git_revision TEXT,                -- of the code that trained
  host TEXT,                        -- machine of the process
  device TEXT,                      -- cuda:0, cpu ...
  gpu_name TEXT,
  pid INTEGER,                      -- process that does the work (while starting: the worker that claimed it)
  process_start REAL,               -- its start in seconds since boot: with pid it tells a reused pid apart
  heartbeat REAL,                   -- last sign of life
  queued_at REAL NOT NULL,
  started_at REAL,                  -- of the latest attempt
  ended_at REAL,
  resumes INTEGER NOT NULL DEFAULT 0,
  load_seconds REAL,                -- model and data loading
  train_seconds REAL,               -- optimisation alone
  evaluation_seconds REAL,          -- evaluation loss during training
  step INTEGER NOT NULL DEFAULT 0,  -- optimiser steps done
  planned_steps INTEGER,
  samples_per_second REAL,
  tokens_per_second REAL,
  peak_vram_allocated_bytes INTEGER, -- torch allocator
  peak_vram_reserved_bytes INTEGER, -- torch allocator with its cache
  peak_vram_device_bytes INTEGER,   -- NVML: the whole card, other processes included
  peak_rss_bytes INTEGER,           -- host memory of the training process
  final_loss REAL,
  trained_parameters INTEGER,
  total_parameters INTEGER,
  lora_modules INTEGER,             -- number of modules that carry LoRA weights
  adapter_path TEXT,                -- relative to the workspace, PEFT layout
  adapter_sha256 TEXT,
  error_title TEXT,                 -- what went wrong, in one sentence
  error_detail TEXT,                -- why; may hold the last lines of the log
  error_next_step TEXT              -- what the user can do now
)"""

RUNS_INDEX = "CREATE INDEX runs_by_state ON runs(state)"

EVALUATIONS = """CREATE TABLE evaluations (
  -- One measurement of one subject (a tuned run, or a reference row) on one split for one question.
  -- States as in `runs`.
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  run_id INTEGER REFERENCES runs(id), -- NULL for a reference row
  reference TEXT,                   -- majority or base; NULL for a tuned run
  name TEXT NOT NULL,               -- name of the subject
  model TEXT NOT NULL,              -- base model
  dataset TEXT NOT NULL,
  dataset_fingerprint TEXT,
  split TEXT NOT NULL,              -- train, validation or test
  split_fingerprint TEXT,
  question TEXT NOT NULL,           -- Q1 .. Q8 or report
  prompt TEXT,                      -- wording of the question
  state TEXT NOT NULL
    CHECK (state IN ('queued', 'starting', 'running', 'succeeded', 'failed', 'cancelled', 'interrupted')),
  reason TEXT NOT NULL DEFAULT '',
  priority INTEGER NOT NULL DEFAULT 0,
  after_run INTEGER NOT NULL DEFAULT 0, -- 1: waits until its run has succeeded
  protocol TEXT NOT NULL,           -- JSON: prompt, parser, scorer, limits
  protocol_fingerprint TEXT NOT NULL, -- rows are comparable only where this and cases_fingerprint agree
  cases_fingerprint TEXT NOT NULL,  -- SHA-256 over (path, image hash, question, target), in path order
  max_new_tokens INTEGER,
  case_limit INTEGER,               -- 0: all cases of the split
  threshold REAL,                   -- P(abnormal) from which an answer counts as abnormal
  threshold_source TEXT,            -- where it was chosen
  n INTEGER,                        -- cases scored
  unparseable INTEGER,              -- outputs without a verdict
  cut_off INTEGER,                  -- outputs that reached max_new_tokens
  backend TEXT,
  host TEXT,
  device TEXT,
  gpu_name TEXT,
  pid INTEGER,
  process_start REAL,
  heartbeat REAL,
  queued_at REAL NOT NULL,
  started_at REAL,
  ended_at REAL,
  load_seconds REAL,
  seconds REAL,                     -- generation and label scoring
  seconds_per_image REAL,
  tokens_per_second REAL,
  peak_vram_allocated_bytes INTEGER,
  peak_vram_reserved_bytes INTEGER,
  peak_vram_device_bytes INTEGER,
  peak_rss_bytes INTEGER,
  error_title TEXT,
  error_detail TEXT,
  error_next_step TEXT,
  CHECK ((run_id IS NULL) <> (reference IS NULL))
)"""

EVALUATIONS_STATE_INDEX = "CREATE INDEX evaluations_by_state ON evaluations(state, question, split)"
EVALUATIONS_RUN_INDEX = "CREATE INDEX evaluations_by_run ON evaluations(run_id)"

METRICS = """CREATE TABLE metrics (
  -- Training curves, one row a value. A step that is done again after a resume replaces its row under a new id,
  -- so a reader that asks for ids above the last it saw misses nothing.
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  run_id INTEGER NOT NULL REFERENCES runs(id),
  key TEXT NOT NULL,                -- loss, learning_rate, gradient_norm, eval_loss ...
  step INTEGER NOT NULL,
  value REAL,                       -- NULL: not a number
  time REAL NOT NULL
)"""

METRICS_INDEX = "CREATE UNIQUE INDEX metrics_point ON metrics(run_id, key, step)"

SAMPLES = """CREATE TABLE samples (
  -- Telemetry of a running job, one row a heartbeat; GPU columns are NULL without a GPU.
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  run_id INTEGER REFERENCES runs(id),
  evaluation_id INTEGER REFERENCES evaluations(id),
  time REAL NOT NULL,
  cpu_percent REAL,                 -- of the whole machine, 0..100
  rss_bytes INTEGER,                -- of the job process
  ram_used_bytes INTEGER,
  ram_total_bytes INTEGER,
  gpu_index INTEGER,                -- NVML index
  gpu_utilisation_percent REAL,
  gpu_memory_used_bytes INTEGER,    -- the whole card, other processes included
  gpu_memory_total_bytes INTEGER,
  gpu_power_watts REAL,
  gpu_temperature_celsius REAL
)"""

SAMPLES_RUN_INDEX = "CREATE INDEX samples_by_run ON samples(run_id) WHERE run_id IS NOT NULL"
SAMPLES_EVALUATION_INDEX = (
    "CREATE INDEX samples_by_evaluation ON samples(evaluation_id) WHERE evaluation_id IS NOT NULL"
)

EVENTS = """CREATE TABLE events (
  -- History. A change of state has the new state as its kind and the reason as its detail.
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  time REAL NOT NULL,
  run_id INTEGER REFERENCES runs(id),
  evaluation_id INTEGER REFERENCES evaluations(id),
  kind TEXT NOT NULL,
  detail TEXT NOT NULL              -- untrusted text
)"""

EVENTS_RUN_INDEX = "CREATE INDEX events_by_run ON events(run_id) WHERE run_id IS NOT NULL"
EVENTS_EVALUATION_INDEX = "CREATE INDEX events_by_evaluation ON events(evaluation_id) WHERE evaluation_id IS NOT NULL"

REQUESTS = """CREATE TABLE requests (
  -- What a user asks of an active job; the job reads it at its next step.
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  time REAL NOT NULL,
  run_id INTEGER REFERENCES runs(id),
  evaluation_id INTEGER REFERENCES evaluations(id),
  action TEXT NOT NULL CHECK (action IN ('stop', 'cancel')),
  settled_at REAL,                  -- NULL while it is pending
  outcome TEXT
)"""

REQUESTS_INDEX = "CREATE INDEX requests_pending ON requests(run_id, evaluation_id) WHERE settled_at IS NULL"

SCORES = """CREATE TABLE scores (
  -- Figures of an evaluation with their 95 % interval and the number of cases behind them.
  evaluation_id INTEGER NOT NULL REFERENCES evaluations(id),
  scope TEXT NOT NULL,              -- all, or view:NAME
  name TEXT NOT NULL,               -- accuracy, sensitivity, auroc ...
  value REAL,                       -- NULL: undefined, such as sensitivity without an abnormal case
  low REAL,
  high REAL,
  n INTEGER NOT NULL,
  PRIMARY KEY (evaluation_id, scope, name)
) WITHOUT ROWID"""

PREDICTIONS = """CREATE TABLE predictions (
  -- What a model said of one image. All text columns are untrusted.
  evaluation_id INTEGER NOT NULL REFERENCES evaluations(id),
  path TEXT NOT NULL,               -- images.path
  view TEXT NOT NULL,
  question TEXT NOT NULL,
  target TEXT NOT NULL,             -- annotated answer
  raw_output TEXT NOT NULL,         -- generated text, unaltered
  parsed TEXT NOT NULL,             -- verdict found in raw_output
  target_parsed TEXT NOT NULL,
  correct INTEGER,                  -- NULL where the output or the target could not be read
  p_abnormal REAL,                  -- probability of an abnormal answer among the candidates
  probabilities TEXT NOT NULL,      -- JSON: probability of each candidate answer
  cut_off INTEGER NOT NULL,         -- 1: the output reached max_new_tokens
  latency_seconds REAL NOT NULL,    -- generation time of the batch divided by its size
  generated_tokens INTEGER NOT NULL,
  PRIMARY KEY (evaluation_id, path, question)
)"""

STATEMENTS: tuple[str, ...] = (
    DATASETS,
    IMAGES,
    IMAGES_INDEX,
    IMAGES_DATASET_INDEX,
    RUNS,
    RUNS_INDEX,
    EVALUATIONS,
    EVALUATIONS_STATE_INDEX,
    EVALUATIONS_RUN_INDEX,
    METRICS,
    METRICS_INDEX,
    SAMPLES,
    SAMPLES_RUN_INDEX,
    SAMPLES_EVALUATION_INDEX,
    EVENTS,
    EVENTS_RUN_INDEX,
    EVENTS_EVALUATION_INDEX,
    REQUESTS,
    REQUESTS_INDEX,
    SCORES,
    PREDICTIONS,
)
"""In the order in which they are executed."""
