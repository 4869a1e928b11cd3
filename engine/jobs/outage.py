"""A time in which runs.db refuses what a job records: told once when it begins to last, and once when it is over."""

from __future__ import annotations

import logging
import time
from pathlib import Path

from engine.errors import StoreError

TELL_SECONDS = 2.0
"""A trouble that is over before is no event; it stands in the log only."""

logger = logging.getLogger(__name__)


class Outage:
    """What is wrong now, since when, and how much was kept meanwhile; nothing, most of the time."""

    def __init__(self) -> None:
        self.why = ""
        """In one sentence; "" while nothing is."""
        self.kept = 0
        """Entries that did not go straight into runs.db since then."""
        self.told = False
        self._since: float | None = None

    def note(self, error: StoreError, journal: Path) -> str | None:
        """runs.db has refused; what is to be told in the job's history, if anything."""
        now, self.why = time.monotonic(), error.title
        if self._since is None:
            self._since, self.kept = now, 0
            logger.warning("%s (%s); what is measured is kept in %s", error.title, error.reason, journal)
        elif not self.told and now - self._since >= TELL_SECONDS:
            self.told = True
            return f"{error.title}: what is measured is kept in {journal.name}, and the work goes on"
        return None

    def over(self) -> str | None:
        """runs.db has everything; what is to be told, if anything."""
        if self._since is None:
            return None
        seconds, told = time.monotonic() - self._since, self.told
        what = f"runs.db is written again after {seconds:.0f} s: {self.kept} entries had been kept meanwhile"
        logger.warning("%s", what)
        self._since, self.told, self.why = None, False, ""
        return what if told else None
