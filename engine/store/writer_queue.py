"""Writing the order of the queue: the queued jobs are read, arranged and written in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from engine.store.mapping import columns, from_row, select, update
from engine.store.records import JobRow
from engine.store.views import JOBS
from engine.store.writer_base import TABLES, WriterBase
from engine.types import JobKind, State

Place = tuple[JobKind, int, int, float]
"""Kind and id of a queued job, its priority and its queue_rank."""
Arrange = Callable[[Sequence[JobRow], float], Iterable[Place]]
"""From all queued jobs, in no particular order, and the present Unix time to the places that change."""


class QueueWrites(WriterBase):
    """The part of the writer that moves queued jobs."""

    def arrange_queue(self, arrange: Arrange) -> None:
        """Give queued jobs other places, while nobody else can start, queue or move one.

        Args:
            arrange: says which; where it raises, nothing is written and the error goes on.
        """
        statement = select(f"({JOBS})", columns(JobRow), "WHERE state = ?")
        with self._transaction() as connection:
            jobs = [from_row(JobRow, row) for row in connection.execute(statement, (State.QUEUED.value,))]
            for kind, job_id, priority, rank in arrange(jobs, self._now()):
                connection.execute(
                    update(TABLES[kind], ("priority", "queue_rank"), "id = :id AND state = :state"),
                    {"priority": priority, "queue_rank": rank, "id": job_id, "state": State.QUEUED.value},
                )
