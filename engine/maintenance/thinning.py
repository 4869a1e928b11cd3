"""Which points of a run are given up: of each bucket all but the first, last, smallest and largest. Reads only.

The choice is made outside any write lock, into a temporary table, because it takes seconds for a long run.
"""

from __future__ import annotations

import sqlite3

_LARGEST = 1.7976931348623157e308
"""Beyond are infinities: they are kept, and are no range."""
_KEYS = "SELECT key, MIN(step), MAX(step) FROM metrics WHERE run_id = ? GROUP BY key HAVING COUNT(*) > ?"
_METRICS = """
INSERT INTO temp.given_up (of, id)
WITH points AS (
  SELECT id, step, value, (step - :low) * :buckets / :span AS bucket,
         value IS NULL OR ABS(value) > :largest AS odd
  FROM metrics WHERE run_id = :run AND key = :key),
ranked AS (
  SELECT id, odd,
    ROW_NUMBER() OVER (PARTITION BY bucket, odd ORDER BY step) AS first,
    ROW_NUMBER() OVER (PARTITION BY bucket, odd ORDER BY step DESC) AS last,
    ROW_NUMBER() OVER (PARTITION BY bucket, odd ORDER BY value, step) AS least,
    ROW_NUMBER() OVER (PARTITION BY bucket, odd ORDER BY value DESC, step) AS most
  FROM points)
SELECT 'metrics', id FROM ranked WHERE NOT odd AND first > 1 AND last > 1 AND least > 1 AND most > 1
"""
_MEASURES = ("cpu_percent", "rss_bytes", "gpu_utilisation_percent", "gpu_memory_used_bytes", "gpu_power_watts",
             "gpu_temperature_celsius")  # fmt: skip
# A sample without the figure is no smallest one.
_SAMPLE_RANKS = ",\n".join(
    f"ROW_NUMBER() OVER (PARTITION BY bucket ORDER BY {name} NULLS LAST) AS least_{name},\n"
    f"ROW_NUMBER() OVER (PARTITION BY bucket ORDER BY {name} DESC NULLS LAST) AS most_{name}"
    for name in _MEASURES
)
_SAMPLES = f"""
INSERT INTO temp.given_up (of, id)
WITH points AS (
  SELECT *, CAST((time - :low) * :buckets / :span AS INTEGER) AS bucket FROM samples WHERE run_id = :run),
ranked AS (
  SELECT id, ROW_NUMBER() OVER (PARTITION BY bucket ORDER BY time) AS first,
         ROW_NUMBER() OVER (PARTITION BY bucket ORDER BY time DESC) AS last, {_SAMPLE_RANKS}
  FROM points)
SELECT 'samples', id FROM ranked WHERE first > 1 AND last > 1
  AND {" AND ".join(f"least_{name} > 1 AND most_{name} > 1" for name in _MEASURES)}
"""  # noqa: S608 - literals


def prepare(connection: sqlite3.Connection) -> None:
    """Make the temporary table that `choose` fills; possible on a read-only connection too."""
    connection.execute("PRAGMA temp_store = FILE")
    connection.execute("CREATE TEMP TABLE given_up (of TEXT, id INTEGER, PRIMARY KEY (of, id)) WITHOUT ROWID")


def choose(connection: sqlite3.Connection, run: int, buckets: int) -> tuple[int, int]:
    """Fill `temp.given_up` with the ids of what a run gives up; how many points and samples that are.

    Choosing again from what an interrupted thinning has left comes to the same: the ends of a curve, and so its
    buckets, stay, and in each bucket the four points.
    """
    connection.execute("DELETE FROM temp.given_up")
    for key, low, high in connection.execute(_KEYS, (run, buckets)).fetchall():
        given = {"run": run, "key": key, "low": low, "span": high - low + 1, "buckets": buckets, "largest": _LARGEST}
        connection.execute(_METRICS, given)
    statement = "SELECT COUNT(*), MIN(time), MAX(time) FROM samples WHERE run_id = ?"
    count, start, end = connection.execute(statement, (run,)).fetchone()
    if count > buckets:
        span = (end - start) * (1 + 1e-9) or 1.0
        connection.execute(_SAMPLES, {"run": run, "low": start, "span": span, "buckets": buckets})
    counted = dict(connection.execute("SELECT of, COUNT(*) FROM temp.given_up GROUP BY of").fetchall())
    return counted.get("metrics", 0), counted.get("samples", 0)


def portion(connection: sqlite3.Connection, table: str, behind: int, count: int) -> list[int]:
    """The next ids of `temp.given_up` behind one, in order."""
    statement = "SELECT id FROM temp.given_up WHERE of = ? AND id > ? ORDER BY id LIMIT ?"
    return [int(row[0]) for row in connection.execute(statement, (table, behind, count))]
