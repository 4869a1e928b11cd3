"""The filter language over the images of a dataset: `Q7 contains thickening and split = test`."""

from __future__ import annotations

from engine.filtering import Kind
from engine.store.filter_sql import Condition, FilterColumn, filter_condition
from engine.store.images import EXPRESSIONS

_COLUMNS = {
    name: FilterColumn(expression, Kind.NUMBER if name in ("width", "height") else Kind.TEXT)
    for name, expression in EXPRESSIONS.items()
}

IMAGE_FILTER_COLUMNS = {name: column.kind for name, column in _COLUMNS.items()}
"""Columns that a filter may name, with what they hold; Q1 to Q8 are the raw answers."""


def image_filter(text: str) -> Condition:
    """A filter as a condition for `Reader.image_items`; words alone are looked for in the path.

    Raises:
        FilterError: what cannot be understood, and where.
    """
    return filter_condition(text, _COLUMNS, words="path")
