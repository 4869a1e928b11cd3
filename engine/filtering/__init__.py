"""The filter language of the leaderboard, the list of runs and the list of images: text in, a tree out. Pure.

    balanced_accuracy > 80% and (model contains 4B or study is none) and not tags = odd

What a filter means to a table stands in `engine.store.filter_sql`; here is only what may be said.
"""

from __future__ import annotations

from engine.filtering.completion import Suggestion, complete
from engine.filtering.errors import FilterError
from engine.filtering.kinds import Kind
from engine.filtering.parser import parse
from engine.filtering.tree import And, Compare, Missing, Node, Not, Operator, Or, columns_of, render

complete_filter = complete
"""The name under which `engine.api` has it."""

__all__ = [
    "And",
    "Compare",
    "FilterError",
    "Kind",
    "Missing",
    "Node",
    "Not",
    "Operator",
    "Or",
    "Suggestion",
    "columns_of",
    "complete",
    "complete_filter",
    "parse",
    "render",
]
