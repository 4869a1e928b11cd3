"""The writer: what processes use to change runs.db."""

from __future__ import annotations

import time
from types import TracebackType

from engine.store.connection import BUSY_SECONDS, open_writable
from engine.store.writer_annotations import AnnotationWrites
from engine.store.writer_base import Clock
from engine.store.writer_imports import ImportWrites
from engine.store.writer_jobs import JobWrites
from engine.store.writer_memory import MemoryWrites
from engine.store.writer_queue import QueueWrites
from engine.store.writer_recording import RecordingWrites
from engine.store.writer_restore import RestoreWrites
from engine.store.writer_results import ResultWrites
from engine.store.writer_studies import StudyWrites
from engine.workspace import Workspace


class Writer(
    ImportWrites,
    JobWrites,
    QueueWrites,
    RecordingWrites,
    ResultWrites,
    AnnotationWrites,
    StudyWrites,
    MemoryWrites,
    RestoreWrites,
):
    """One writing connection; a context manager, to be used from the thread that opened it."""

    @classmethod
    def open(
        cls, workspace: Workspace, *, busy_seconds: float = BUSY_SECONDS, clock: Clock = time.time, make: bool = True
    ) -> Writer:
        """Open the workspace's runs.db, made (unless `make` is False) or brought up to date where needed.

        Raises:
            StoreError: it lies on a network file system, is newer than this program, foreign, locked or damaged; or it
                is missing and shall not be made.
        """
        return cls(open_writable(workspace.database, busy_seconds, make=make), workspace.database, clock)

    def close(self) -> None:
        """Close the connection; the writer is of no use afterwards."""
        self._connection.close()

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
