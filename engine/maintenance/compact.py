"""Old curves thinned: of each bucket of steps the first, last, smallest and largest value stay as they are.

What stays are points that were measured, none is made up. Within each bucket the range of the values is the same as
before; a figure that depends on every point, such as a moving average, is not.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from engine.files import free_bytes
from engine.formatting import size
from engine.maintenance.backup import stored_bytes
from engine.maintenance.thinning import choose, portion, prepare
from engine.store.connection import explained, open_read_only, open_writable
from engine.types import ACTIVE, ENDED

BUCKETS = 1000
"""More than the dots of a chart on the widest terminal."""
ROWS = 2000
"""Rows that are removed in one transaction: some 10 ms, in which jobs wait."""
_LEAST_PAUSE = 0.005
"""Seconds between two transactions at least; as long as the last one took, because who waits looks now and then."""
_READER_SECONDS = 2.0
"""How long a program that reads an old snapshot is waited for."""
EVENT = "rolled up"
_ENDED = ", ".join(f"'{state.value}'" for state in sorted(ENDED))
_ACTIVE = ", ".join(f"'{state.value}'" for state in sorted(ACTIVE))

# A curve of fewer points than buckets has nothing to lose. A thinning that was ended in the middle has set the time
# and left no event; a run that was resumed has ended again since.
_OLD_RUNS = f"""
SELECT id, ended_at FROM runs WHERE state IN ({_ENDED}) AND ended_at < :before
AND (rolled_up_at IS NULL OR ended_at > rolled_up_at OR NOT EXISTS (
  SELECT 1 FROM events WHERE run_id = runs.id AND kind = '{EVENT}' AND time >= rolled_up_at))
AND (EXISTS (SELECT 1 FROM metrics WHERE run_id = runs.id GROUP BY key HAVING COUNT(*) > :buckets)
     OR (SELECT COUNT(*) FROM samples WHERE run_id = runs.id) > :buckets)
AND NOT EXISTS (SELECT 1 FROM tags WHERE run_id = runs.id AND tag = :except_tag)
ORDER BY id
"""  # noqa: S608 - literals
_STILL = f"UPDATE runs SET rolled_up_at = ? WHERE id = ? AND ended_at = ? AND state IN ({_ENDED})"  # noqa: S608


@dataclass(frozen=True, slots=True)
class Compacted:
    """What came of it."""

    runs: int
    points: int
    """Metric points that were removed."""
    samples: int
    """Telemetry samples that were removed."""
    before: int
    """Bytes on disk."""
    after: int
    unshrunk: str
    """Why the file was not made smaller; "" where it was. Pages that are free are used again in any case."""


def compact(
    database: Path,
    before: float,
    *,
    buckets: int = BUCKETS,
    except_tag: str = "",
    dry_run: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Compacted:
    """Thin the curves and the telemetry of runs that ended before a time (Unix seconds), then shrink the file.

    Jobs may write meanwhile: rows go in short transactions, and each looks again whether the run is still ended, so a
    run that is resumed loses nothing more. Ended in the middle, a run has lost some of what it would have lost; it
    says so (`rolled_up_at`), and the next call goes on with it. Runs that are queued or active are never touched.

    Args:
        database: runs.db.
        before: see above.
        buckets: how many a curve is cut into; four points of each stay at the most.
        except_tag: runs with this tag stay as they are.
        dry_run: count only; nothing is written, and no writer waits.
        progress: takes the runs that are done and all of them.

    Raises:
        StoreError: it is missing, or cannot be written.
    """
    opened = open_read_only(database) if dry_run else open_writable(database, make=False)
    with closing(opened) as connection, explained(database):
        size_before = stored_bytes(database)
        prepare(connection)
        runs = connection.execute(_OLD_RUNS, {"before": before, "buckets": buckets, "except_tag": except_tag})
        chosen = [(int(run), float(ended)) for run, ended in runs.fetchall()]
        thinned = points = samples = 0
        for number, (run, ended) in enumerate(chosen, 1):
            found = choose(connection, run, buckets)
            # A curve a little longer than the buckets may have nothing to give up: then nothing is said of it.
            done = found if dry_run or found == (0, 0) else _thin(connection, run, ended, buckets)
            if done not in (None, (0, 0)):
                thinned, points, samples = thinned + 1, points + done[0], samples + done[1]
            if progress is not None:
                progress(number, len(chosen))
        if dry_run:
            unshrunk = "nothing was written"
        else:
            unshrunk = _shrink(connection, database) if thinned else "there was nothing to thin"
    return Compacted(thinned, points, samples, size_before, stored_bytes(database), unshrunk)


def _thin(connection: sqlite3.Connection, run: int, ended: float, buckets: int) -> tuple[int, int] | None:
    """Remove what was chosen; None where the run is at work again, and so not thinned, or not to its end."""
    moment = time.time()
    if not _transaction(connection, run, ended, moment):
        return None
    removed = {"metrics": 0, "samples": 0}
    for table in removed:
        behind = -1
        while ids := portion(connection, table, behind, ROWS):
            began = time.monotonic()
            if not _transaction(connection, run, ended, moment, table, ids):
                return None
            removed[table] += len(ids)
            behind = ids[-1]
            time.sleep(max(_LEAST_PAUSE, time.monotonic() - began))
    points, samples = removed["metrics"], removed["samples"]
    detail = f"{points} points of curves and {samples} samples removed; of each of {buckets} buckets the range stays"
    connection.execute(
        "INSERT INTO events (time, run_id, kind, detail) SELECT ?, id, ?, ? FROM runs WHERE id = ?",
        (max(time.time(), moment), EVENT, detail, run),
    )
    return points, samples


def _transaction(
    connection: sqlite3.Connection, run: int, ended: float, moment: float, table: str = "", ids: list[int] | None = None
) -> bool:
    """Say that the run is thinned, and remove some rows, if it is still the ended one that was chosen."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        still = connection.execute(_STILL, (moment, run, ended)).rowcount == 1
        if still and ids:
            statement = f"DELETE FROM {table} WHERE id = ? AND run_id = ?"  # noqa: S608 - a name of this module
            connection.executemany(statement, [(each, run) for each in ids])
        connection.execute("COMMIT" if still else "ROLLBACK")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return still


def _shrink(connection: sqlite3.Connection, database: Path) -> str:
    """Give free pages back to the disk; why not, where that would hold up a job, has no room or would do nothing."""
    active = sum(
        int(connection.execute(f"SELECT COUNT(*) FROM {table} WHERE state IN ({_ACTIVE})").fetchone()[0])  # noqa: S608
        for table in ("runs", "evaluations")
    )
    if active:
        return f"{active} jobs are at work, which would wait for it; run it again when they have ended"
    needed = 2 * stored_bytes(database)
    if (free := free_bytes(database.parent)) < needed:
        return f"shrinking needs {size(needed)} for a moment, and {size(free)} are free"
    connection.execute(f"PRAGMA busy_timeout = {int(_READER_SECONDS * 1000)}")
    # Beside somebody who reads an old snapshot the log would only grow by the whole file.
    if _is_held(connection):
        return "another program reads an old state of it; end that program, then run it again"
    connection.execute("VACUUM")
    if _is_held(connection):
        return "another program began to read it meanwhile; it gets smaller when that program has ended"
    return ""


def _is_held(connection: sqlite3.Connection) -> bool:
    """Whether the log cannot be taken into the file and emptied, because somebody reads or writes."""
    return bool(connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0])
