"""From what is asked of the leaderboard to one statement."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from engine.errors import UsageError
from engine.filtering import Kind, Node, columns_of, parse, render
from engine.filtering.near import near_names
from engine.store.board_columns import (
    BOARD_COLUMNS,
    MAIN_SCORES,
    BoardColumn,
    Unit,
    default_columns,
    score_columns,
    view_column,
)
from engine.store.board_groups import GroupKey
from engine.store.board_sql import Sources
from engine.store.filter_sql import Condition, FilterColumn, compile_filter
from engine.text import one_line

IDS = ("evaluation", "run", "reference")
"""The first values of every row."""


@dataclass(frozen=True, slots=True)
class BoardQuery:
    """What is asked of the leaderboard."""

    group: GroupKey | None = None
    """None: the group measured most recently."""
    filter: str | Node | None = ""
    """In the filter language, or read already. The interval and the n of a score can be named too: `auroc_low`."""
    sort: str | None = None
    """Name of a column or of an end of its interval; None: balanced accuracy, or accuracy where that is not scored."""
    descending: bool = True
    columns: tuple[str, ...] = ()
    """Names of columns in order; empty: the default ones."""
    pins: tuple[int, ...] = ()
    """Runs whose rows are wanted whatever the filter says."""
    limit: int | None = None
    """So many rows are enough for now, besides references and pins. It is followed where it saves much time: on a group
    of many runs, without a filter, sorted by a score."""


# A subject is a run or a reference model, and a base in 4 bits is another subject. Runs are kept apart from references
# so that their newest evaluations come straight from the index.
_STATEMENT = """
WITH latest AS (
  SELECT MAX(id) AS id FROM evaluations
  WHERE state = 'succeeded' AND degradation IS NULL AND dataset = ?1 AND question = ?2 AND split = ?3
    AND cases_fingerprint = ?4 AND protocol_fingerprint = ?5 AND run_id IS NOT NULL
  GROUP BY run_id
), untuned AS (
  SELECT MAX(id) AS id FROM evaluations
  WHERE state = 'succeeded' AND degradation IS NULL AND dataset = ?1 AND question = ?2 AND split = ?3
    AND cases_fingerprint = ?4 AND protocol_fingerprint = ?5 AND run_id IS NULL
  GROUP BY reference, model, CASE WHEN json_valid(protocol) THEN json_extract(protocol, '$.quantization') END
)
SELECT e.id, e.run_id, e.reference, {selected}
FROM evaluations e LEFT JOIN runs r ON r.id = e.run_id {joins}
WHERE e.id IN (SELECT id FROM untuned UNION ALL {tuned})
"""
_ALL = "SELECT id FROM latest"
# Sorted by SQLite in one go: rows that are fetched one by one wait for Python's lock, again and again, while a screen
# is being made.
_BEST = """
SELECT id FROM (
  SELECT latest.id FROM latest LEFT JOIN scores s ON s.evaluation_id = latest.id AND s.scope = ? AND s.name = ?
  ORDER BY s.{part} IS NULL, s.{part} {direction}, latest.id LIMIT ?)
UNION SELECT id FROM latest JOIN evaluations USING (id) WHERE run_id IN (SELECT value FROM json_each(?))
"""
MANY = 4
"""A group has many runs from so many times the limit on."""


class BoardPlan:
    """A query, understood for a group with certain scores: which columns there are, and the statement."""

    def __init__(
        self,
        query: BoardQuery,
        scores: Sequence[tuple[str, str]],
        careful: bool = False,
        runs: int = 0,
        question: str | None = None,
    ) -> None:
        """What the group has: (scope, name) of its `scores`, `runs`, its `question`; `careful`: see `Sources`.

        Raises:
            UsageError: there is no such column, or more scores are asked for than one statement can hold.
            FilterError: the filter can't be understood.
        """
        self.available = (*BOARD_COLUMNS.values(), *score_columns(scores))
        wanted = (_column(name, self.available) for name in query.columns or default_columns(question))
        self.columns = tuple({column.name: column for column in wanted}.values())
        self.fields = (*IDS, *(name for column in self.columns for name in column.fields))
        self.sort, sort_column = _field(query.sort or _usual_sort(scores, question), self.available)
        self.descending = query.descending
        kinds = {name: kind for column in self.available for name, kind in column.kinds.items()}
        tree = parse(query.filter, kinds) if isinstance(query.filter, str) else query.filter
        self.filter = query.filter.strip() if isinstance(query.filter, str) else render(tree, kinds)
        """As text; empty where nothing is filtered."""
        self.filtered = tree is not None
        """The last value of a row of the statement says whether the filter lets it through."""
        self.key = self.fields.index(self.sort) if self.sort in self.fields else len(self.fields)
        """Place of the value to sort by in such a row."""
        sources = Sources(careful)
        selected = [expression for column in self.columns for expression in sources.fields(column)]
        # What a row needs behind its fields; where that is nothing, ten thousand slices are saved.
        if self.key == len(self.fields):
            selected.append(_filter_column(sort_column, self.sort, sources).expression)
        condition, parameters = self._condition(tree, sources)
        selected += [condition] if self.filtered else []
        self.limited = self._can_be_limited(query, sort_column, runs)
        """Only the rows that come first are asked for, and those of pinned runs."""
        tuned, chosen = self._best(query, sort_column) if self.limited else (_ALL, ())
        self.statement = _STATEMENT.format(selected=", ".join(selected), joins=sources.joins, tuned=tuned)
        self.parameters: tuple[str | float, ...] = (*parameters, *sources.parameters, *chosen)
        """For the statement, behind the five parts of the group's key."""

    def _can_be_limited(self, query: BoardQuery, sort: BoardColumn, runs: int) -> bool:
        many = query.limit is not None and runs >= MANY * query.limit
        return many and not self.filtered and sort.unit is Unit.SCORE

    def _best(self, query: BoardQuery, sort: BoardColumn) -> tuple[str, tuple[str | float, ...]]:
        part = ("value", "low", "high", "n")[sort.fields.index(self.sort)]
        statement = _BEST.format(part=part, direction="DESC" if self.descending else "ASC")
        return statement, (sort.scope, sort.score, query.limit or 0, json.dumps(query.pins))

    def _condition(self, tree: Node | None, sources: Sources) -> Condition:
        owners = {name: column for column in self.available for name in column.fields}
        return compile_filter(tree, {name: _filter_column(owners[name], name, sources) for name in columns_of(tree)})


def _usual_sort(scores: Sequence[tuple[str, str]], question: str | None) -> str:
    usual = MAIN_SCORES.get(question or "", ("balanced_accuracy",))
    return next((name for name in (usual[0], "accuracy") if ("all", name) in scores), usual[0])


def _filter_column(column: BoardColumn, field: str, sources: Sources) -> FilterColumn:
    kinds: dict[str, Kind] = column.kinds
    return FilterColumn(sources.fields(column)[column.fields.index(field)], kinds[field])


def _column(name: str, known: Iterable[BoardColumn]) -> BoardColumn:
    """The column of that name, in any case; one of a view also where this group has no such view."""
    return _field(name, known)[1]


def _field(name: str, known: Iterable[BoardColumn]) -> tuple[str, BoardColumn]:
    """The field of that name, such as `auroc` or `auroc_low`, and its column."""
    owners = {field.lower(): (field, column) for column in known for field in column.fields}
    found = owners.get(name.strip().lower())
    if found is not None:
        return found
    column = view_column(name.strip())
    if column is None:
        names = (column.name for column in known)
        raise UsageError(f"There is no column {one_line(name)}", next_step=near_names(name, names))
    return column.name, column
