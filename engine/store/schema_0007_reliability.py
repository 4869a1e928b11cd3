"""Migration 0007: what a run is doing now, since when it does not get on, and what its curves were thinned to."""

from __future__ import annotations

PHASE = """ALTER TABLE runs ADD COLUMN phase TEXT
  /* what the process does: loading, training, validation loss, answer check, saving ...; NULL: it has not said */"""

STALLED = """ALTER TABLE runs ADD COLUMN stalled_at REAL
  /* since when a run that lives has taken no step for many times its median step; NULL: it gets on */"""

ROLLED_UP = """ALTER TABLE runs ADD COLUMN rolled_up_at REAL
  /* when its curves were thinned to first, last, smallest and largest value of each bucket; NULL: all are there */"""

SUBJECT = """ALTER TABLE evaluations ADD COLUMN subject_sha256 TEXT
  /* SHA-256 of the adapter that its predictions come from; an attempt that is resumed keeps them only where this,
     protocol and cases are the same. NULL: a reference row, or an evaluation of earlier versions */"""

STATEMENTS: tuple[str, ...] = (PHASE, STALLED, ROLLED_UP, SUBJECT)
"""In the order in which they are executed."""
