"""Reads of single predictions, for a person who looks at what was said of which image: counts, lists, one image.

Two decisions can be looked at. By text, an output says what was read in it. By threshold (Q7 alone), it says abnormal
where P(abnormal) reaches the threshold. Whatever is no answer keeps a kind of its own and is never counted as a value.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, overload

from engine.store.mapping import columns, from_row
from engine.store.reader_live import Rows
from engine.types import Prediction

VALUE, UNPARSEABLE, ERROR, CUT_OFF, NO_PROBABILITY = "value", "unparseable", "error", "cut_off", "no_probability"
"""Kinds of what was said, or meant; only a `value` says something."""
SHOWN_CHARACTERS = 400
"""Of an output in a list: it may be a hundred thousand characters long."""

_SAID_BY_TEXT = f"""CASE WHEN {{p}}.outcome IN ('{ERROR}', '{CUT_OFF}') THEN {{p}}.outcome
  WHEN {{p}}.parsed IN ('', '{UNPARSEABLE}') THEN '{UNPARSEABLE}' ELSE '{VALUE}' END"""
_VALUE_BY_TEXT = f"CASE WHEN ({_SAID_BY_TEXT}) = '{VALUE}' THEN {{p}}.parsed ELSE '' END"
# The probability comes from scoring candidate answers, so it stands also where the generated text is no answer.
_SAID_BY_THRESHOLD = f"""CASE WHEN {{p}}.p_abnormal IS NOT NULL THEN '{VALUE}'
  WHEN {{p}}.outcome = '{ERROR}' THEN '{ERROR}' ELSE '{NO_PROBABILITY}' END"""
_VALUE_BY_THRESHOLD = """CASE WHEN {p}.p_abnormal IS NULL THEN ''
  WHEN {p}.p_abnormal >= {threshold} THEN 'abnormal' ELSE 'normal' END"""
_OUTCOME_BY_THRESHOLD = f"""CASE WHEN {{p}}.target_parsed NOT IN ('normal', 'abnormal') THEN 'unscored'
  WHEN {{p}}.p_abnormal IS NULL THEN ({_SAID_BY_THRESHOLD})
  WHEN ({{p}}.p_abnormal >= {{threshold}}) = ({{p}}.target_parsed = 'abnormal') THEN 'right' ELSE 'wrong' END"""
_MEANT = f"CASE WHEN {{p}}.target_parsed IN ('', '{UNPARSEABLE}') THEN '{UNPARSEABLE}' ELSE '{VALUE}' END"
_MEANT_VALUE = f"CASE WHEN ({_MEANT}) = '{VALUE}' THEN {{p}}.target_parsed ELSE '' END"


class Label(NamedTuple):
    """What was said, or meant."""

    kind: str
    """One of the kinds above; in a table also `other`, or the name of an outcome."""
    value: str = ""
    """The canonical answer of a `value`, else ""; untrusted text."""


class CountRow(NamedTuple):
    """How many cases share everything that a confusion table tells apart."""

    view: str
    meant: Label
    said: Label
    outcome: str
    n: int


class CaseAnswer(NamedTuple):
    """What one evaluation has to say of one image, as a list shows it."""

    said: Label
    outcome: str
    p_abnormal: float | None
    output: str
    """What was generated, or the beginning of it; untrusted text."""


class CaseItem(NamedTuple):
    """One line of a list of cases: a tuple, because there may be tens of thousands."""

    path: str
    """Untrusted text."""
    view: str
    target: str
    """As annotated; untrusted text."""
    meant: Label
    answer: CaseAnswer
    latency_seconds: float
    others: tuple[CaseAnswer | None, ...]
    """What the other evaluations say of the same image; None where they have not measured it."""


class CaseRows(Sequence[CaseItem]):
    """Cases as the statement gave them: an item is made when it is looked at, and a list of 15,000 shows forty."""

    def __init__(self, rows: Sequence[Sequence[Any]], evaluations: int) -> None:
        """`rows` of `Reader.case_items`, with the columns of so many evaluations."""
        self._rows = rows
        self._evaluations = evaluations

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, place: int) -> CaseItem: ...

    @overload
    def __getitem__(self, place: slice) -> CaseRows: ...

    def __getitem__(self, place: int | slice) -> CaseItem | CaseRows:
        if isinstance(place, slice):
            return CaseRows(self._rows[place], self._evaluations)
        return _item(self._rows[place], self._evaluations)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CaseRows) and self._rows == other._rows

    def __hash__(self) -> int:
        return id(self)

    def column(self, name: str) -> list[Any]:
        """One of the columns `path`, `view`, `latency` and `p_abnormal`, without making items."""
        at = _COLUMN_PLACES[name]
        return [row[at] for row in self._rows]

    def in_order(self, places: Sequence[int]) -> CaseRows:
        """The same cases in another order, or some of them."""
        return CaseRows([self._rows[place] for place in places], self._evaluations)


def said_sql(alias: str, threshold: float | None) -> tuple[str, str, str]:
    """SQL of the kind of what was said, of its value, and of the outcome, by threshold (or by text for None).

    Args:
        alias: of the table of predictions in the statement.
        threshold: P(abnormal) from which a case is called abnormal; a number, so it is written into the SQL.
    """
    if threshold is None:
        return _SAID_BY_TEXT.format(p=alias), _VALUE_BY_TEXT.format(p=alias), f"{alias}.outcome"
    parts = (_SAID_BY_THRESHOLD, _VALUE_BY_THRESHOLD, _OUTCOME_BY_THRESHOLD)
    said, value, outcome = (part.format(p=alias, threshold=repr(float(threshold))) for part in parts)
    return said, value, outcome


def meant_sql(alias: str) -> tuple[str, str]:
    """SQL of the kind of the target, and of its value."""
    return _MEANT.format(p=alias), _MEANT_VALUE.format(p=alias)


class Side(NamedTuple):
    """One evaluation as the statements need it."""

    evaluation: int
    question: str
    threshold: float | None
    """None: decided by text."""


class CaseReads:
    """The part of the reader that looks at single predictions."""

    def case_counts(self: Rows, side: Side) -> list[CountRow]:
        """Counts of an evaluation's cases, one row a combination that occurs."""
        said, value, outcome = said_sql("a", side.threshold)
        grouped = "view, target_parsed, parsed, outcome"
        p = "NULL"
        if side.threshold is not None:  # on which side of the threshold is all that counts
            limit = repr(float(side.threshold))
            p = f"CASE WHEN p_abnormal IS NULL THEN NULL WHEN p_abnormal >= {limit} THEN {limit} ELSE {limit} - 1 END"
        # Grouped by the columns as they are first: the expressions are then worked out for few rows.
        groups = (
            f"SELECT {grouped}, {p} AS p_abnormal, COUNT(*) AS n FROM predictions "  # noqa: S608
            f"WHERE evaluation_id = ? AND question = ? GROUP BY {grouped}{'' if side.threshold is None else ', 5'}"
        )
        statement = (
            f"SELECT a.view, {', '.join(meant_sql('a'))}, {said}, {value}, {outcome}, SUM(a.n) "  # noqa: S608
            f"FROM ({groups}) a GROUP BY 1, 2, 3, 4, 5, 6"
        )
        return [
            CountRow(row[0], Label(row[1], row[2]), Label(row[3], row[4]), row[5], row[6])
            for row in self._rows(statement, (side.evaluation, side.question))
        ]

    def case_items(
        self: Rows,
        side: Side,
        others: Sequence[Side],
        conditions: Sequence[tuple[str, Sequence[Any]]] = (),
        *,
        whole: bool = False,
    ) -> CaseRows:
        """Cases of an evaluation that meet all conditions, in no certain order, with what others say of them.

        Args:
            side: whose cases.
            others: joined by path; an image that they have not measured is kept.
            conditions: SQL over the predictions `a` of the evaluation, and `b0`, `b1` ... of the others, with its
                parameters.
            whole: outputs in full; without it, their first `SHOWN_CHARACTERS`.
        """
        names = ["a", *(f"b{place}" for place in range(len(others)))]
        picked = ["a.path, a.view, a.target, a.latency_seconds", *meant_sql("a")]
        joins, parameters = [], []
        for name, each in zip(names, (side, *others), strict=True):
            said, value, outcome = said_sql(name, each.threshold)
            output = f"{name}.raw_output" if whole else f"substr({name}.raw_output, 1, {SHOWN_CHARACTERS})"
            picked.append(f"{name}.evaluation_id, {said}, {value}, {outcome}, {name}.p_abnormal, {output}")
            if name != "a":
                joins.append(
                    f"LEFT JOIN predictions {name} ON {name}.evaluation_id = ? AND {name}.path = a.path "
                    f"AND {name}.question = ?"
                )
                parameters += [each.evaluation, each.question]
        where = " AND ".join(["a.evaluation_id = ?", "a.question = ?", *(f"({sql})" for sql, _ in conditions)])
        parameters += [side.evaluation, side.question, *(value for _, values in conditions for value in values)]
        statement = f"SELECT {', '.join(picked)} FROM predictions a {' '.join(joins)} WHERE {where}"  # noqa: S608
        return CaseRows(self._rows(statement, parameters), len(names))

    def case_common(self: Rows, side: Side, other: Side) -> tuple[int, int]:
        """Images that both evaluations have measured, and those of them whose annotated answers differ."""
        statement = (
            "SELECT COUNT(*), COALESCE(SUM(a.target <> b.target), 0) FROM predictions a JOIN predictions b "
            "ON b.evaluation_id = ? AND b.path = a.path AND b.question = ? "
            "WHERE a.evaluation_id = ? AND a.question = ?"
        )
        row = self._rows(statement, (other.evaluation, other.question, side.evaluation, side.question))[0]
        return int(row[0]), int(row[1])

    def case_predictions(self: Rows, evaluation_ids: Sequence[int], path: str) -> dict[int, list[Prediction]]:
        """What these evaluations say of one image, by evaluation; those that have not measured it are absent."""
        names = ", ".join(columns(Prediction))
        found: dict[int, list[Prediction]] = {}
        for evaluation in dict.fromkeys(evaluation_ids):  # one by one: each is a look into the index
            statement = f"SELECT {names} FROM predictions WHERE evaluation_id = ? AND path = ? ORDER BY question"  # noqa: S608
            rows = self._rows(statement, (evaluation, path))
            if rows:
                found[evaluation] = [from_row(Prediction, row) for row in rows]
        return found

    def images_of_content(self: Rows, dataset: str, hashes: Sequence[str]) -> list[tuple[str, str | None, str]]:
        """Path, split and content hash of the usable images of a dataset that have one of these contents, by path."""
        marks = ", ".join("?" * len(hashes))
        statement = (
            "SELECT path, split, sha256 FROM images WHERE dataset = ? AND problem IS NULL "  # noqa: S608
            f"AND sha256 IN ({marks}) ORDER BY path"
        )
        return [(row[0], row[1], row[2]) for row in self._rows(statement, (dataset, *hashes))]

    def image_id(self: Rows, dataset: str, path: str) -> int | None:
        """Id of a usable image of a dataset; None where there is none (any more)."""
        rows = self._rows("SELECT id FROM images WHERE dataset = ? AND path = ? AND problem IS NULL", (dataset, path))
        return int(rows[0][0]) if rows else None


_OWN = 6
"""Columns of a statement before those of the evaluations."""
_EACH = 6
"""Columns of each evaluation."""
_COLUMN_PLACES = {"path": 0, "view": 1, "latency": 3, "p_abnormal": _OWN + 4}


def _item(row: Sequence[Any], count: int) -> CaseItem:
    answers = [_answer(row, _OWN + _EACH * place) for place in range(count)]
    own = answers[0]
    assert own is not None  # noqa: S101 - the row was selected by its evaluation
    return CaseItem(row[0], row[1], row[2], Label(row[4], row[5]), own, row[3], tuple(answers[1:]))


def _answer(row: Sequence[Any], at: int) -> CaseAnswer | None:
    if row[at] is None:
        return None
    return CaseAnswer(Label(row[at + 1], row[at + 2]), row[at + 3], row[at + 4], row[at + 5])
