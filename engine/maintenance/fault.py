"""What `sonotune db check` says of one thing."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong."""

    what: str
    """In one sentence; untrusted text."""
    mend: str
    """What to do."""
