"""The worker's daily backup: made in a thread, so that no job waits for it."""

from __future__ import annotations

import logging
import threading
import time

from engine.errors import SonotuneError
from engine.workspace import Workspace

LOOK_SECONDS = 600.0
"""How often is looked whether one is due."""
FIRST_SECONDS = 60.0
"""A worker that lives shorter than this only starts a job or two."""

logger = logging.getLogger(__name__)


class DailyBackups:
    """Looks now and then, and makes one backup at a time."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._next = time.monotonic() + FIRST_SECONDS
        self._thread: threading.Thread | None = None

    def look(self) -> None:
        """Begin a backup where one may be due; costs nothing most of the time."""
        if time.monotonic() < self._next or (self._thread is not None and self._thread.is_alive()):
            return
        self._next = time.monotonic() + LOOK_SECONDS
        # Not waited for at the end: half a backup is never taken for one, and the next worker makes it.
        self._thread = threading.Thread(target=self._work, name="backup", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        # Here and not above: a worker that only starts a job needs none of it.
        from engine.maintenance.daily import back_up_when_due

        try:
            made = back_up_when_due(self._workspace)
        except (SonotuneError, OSError) as error:
            logger.warning("the backup of today could not be made: %s", error)
            return
        if made is not None:
            logger.info("backup: %s", made)
