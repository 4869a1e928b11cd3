"""How a rank ended, in a file for the job process that started it. Light."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from engine.types import State


@dataclass(frozen=True, slots=True)
class Outcome:
    """The state in which the run shall end, and why."""

    state: State
    reason: str


@dataclass(frozen=True, slots=True)
class Failure:
    """What the row of the run says of an error; untrusted text."""

    title: str
    detail: str
    next_step: str
    understood: bool
    """The error names its own next step: it is a cause, where one of the others may only be what came of it."""


@dataclass(frozen=True, slots=True)
class Report:
    """The last word of a rank; both parts are empty for one that has nothing to add."""

    outcome: Outcome | None = None
    failure: Failure | None = None

    def write(self, file: Path) -> None:
        """Put the report where the job process looks for it, whole or not at all."""
        partial = file.with_suffix(".partial")
        partial.write_text(json.dumps(asdict(self)), encoding="utf-8")
        partial.rename(file)


def read_report(file: Path) -> Report | None:
    """The report; None where the rank came to none."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    outcome, failure = content["outcome"], content["failure"]
    return Report(
        Outcome(State(outcome["state"]), outcome["reason"]) if outcome else None,
        Failure(**failure) if failure else None,
    )
