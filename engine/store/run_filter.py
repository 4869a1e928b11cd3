"""The filter language over the list of runs: `state = running and model contains 4B`."""

from __future__ import annotations

from engine.filtering import Kind
from engine.store.filter_sql import Condition, FilterColumn, filter_condition
from engine.store.studies import STUDIES_OF_RUN

_TAGS = "(SELECT GROUP_CONCAT(tag, ', ') FROM tags WHERE run_id = runs.id)"
_COLUMNS = {
    "name": FilterColumn("name"),
    "run": FilterColumn("id", Kind.NUMBER),
    "state": FilterColumn("state"),
    "dataset": FilterColumn("dataset"),
    "model": FilterColumn("model"),
    "backend": FilterColumn("backend"),
    "device": FilterColumn("device"),
    "study": FilterColumn(STUDIES_OF_RUN.format(run="runs.id", own="study"), Kind.TAGS),
    "tags": FilterColumn(_TAGS, Kind.TAGS),
    "loss": FilterColumn("final_loss", Kind.NUMBER),
    "steps": FilterColumn("step", Kind.NUMBER),
    "trained": FilterColumn("train_seconds", Kind.DURATION),
    "speed": FilterColumn("samples_per_second", Kind.NUMBER),
    "queued": FilterColumn("queued_at", Kind.TIME),
    "seed": FilterColumn("seed", Kind.NUMBER),
}
RUN_FILTER_COLUMNS = {name: column.kind for name, column in _COLUMNS.items()}
"""Columns that a filter of the list of runs may name, with what they hold."""


def run_filter(text: str) -> Condition:
    """A filter as a condition for `Reader.run_list`; words alone are looked for in the name.

    Raises:
        FilterError: what cannot be understood, and where.
    """
    return filter_condition(text, _COLUMNS)
