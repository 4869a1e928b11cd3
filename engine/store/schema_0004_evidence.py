"""Migration 0004: what keeps results honest: outcomes, degraded images, marks on evaluations."""

from __future__ import annotations

DEGRADATION = """ALTER TABLE evaluations ADD COLUMN degradation TEXT
  /* what was done to the images before they were shown: blank = a grey image in place of each; NULL = nothing */"""

CLEAN_PROTOCOL = """ALTER TABLE evaluations ADD COLUMN clean_protocol_fingerprint TEXT NOT NULL DEFAULT ''
  /* of the same protocol without the degradation: finds the row that a degraded one is to be held against */"""

CLEAN_PROTOCOL_OF_OLD = "UPDATE evaluations SET clean_protocol_fingerprint = protocol_fingerprint"

ERRORS = """ALTER TABLE evaluations ADD COLUMN errors INTEGER
  /* outputs that are a server's error message and no answer */"""

OUTCOME = """ALTER TABLE predictions ADD COLUMN outcome TEXT NOT NULL DEFAULT ''
  /* right, wrong, unparseable, cut_off, error, or unscored where the target itself cannot be read */"""

OUTCOME_OF_OLD = """UPDATE predictions SET outcome = CASE
  WHEN correct = 1 THEN 'right' WHEN correct = 0 THEN 'wrong'
  WHEN target_parsed IN ('', 'unparseable') THEN 'unscored' ELSE 'unparseable' END"""

MARKS = """CREATE TABLE marks (
  -- What a reader must know before believing an evaluation: shown beside its figures wherever they are shown.
  evaluation_id INTEGER NOT NULL REFERENCES evaluations(id),
  kind TEXT NOT NULL,               -- collapsed, blind, errors, cut_off, unparseable, below_majority, leak ...
  scope TEXT NOT NULL,              -- all, or view:NAME
  detail TEXT NOT NULL,             -- one sentence with the figures; untrusted text
  PRIMARY KEY (evaluation_id, kind, scope)
) WITHOUT ROWID"""

# As before, without the rows of degraded images: those are not ranked.
OLD_GROUPS_INDEX = "DROP INDEX evaluations_by_group"
GROUPS_INDEX = """CREATE INDEX evaluations_by_group ON evaluations(
  state, dataset, question, split, cases_fingerprint, protocol_fingerprint, run_id, ended_at, queued_at, n)
  WHERE degradation IS NULL"""

LOOKS_INDEX = "CREATE INDEX test_looks_by_evaluation ON test_looks(evaluation_id)"

STATEMENTS: tuple[str, ...] = (
    DEGRADATION,
    CLEAN_PROTOCOL,
    CLEAN_PROTOCOL_OF_OLD,
    ERRORS,
    OUTCOME,
    OUTCOME_OF_OLD,
    MARKS,
    OLD_GROUPS_INDEX,
    GROUPS_INDEX,
    LOOKS_INDEX,
)
"""In the order in which they are executed."""
