"""What the columns of the leaderboard mean in SQL, and the joins that they need."""

from __future__ import annotations

from engine.errors import UsageError
from engine.store.board_columns import BoardColumn, Unit
from engine.store.studies import STUDIES_OF_RUN

MOST_SCORES = 50
"""Scores in one statement: SQLite joins at most 64 tables."""


def _marks(column: str, between: str) -> str:
    """A column of all marks of an evaluation, in one order for each column.

    Looked up for each row: joined, the marks of every evaluation there is would be put together for one group.
    """
    ordered = f"SELECT {column} AS said FROM marks WHERE evaluation_id = e.id ORDER BY kind, scope"  # noqa: S608
    return f"(SELECT group_concat(said, {between}) FROM ({ordered}))"  # noqa: S608


# `e` is the evaluation and `r` its run, absent for a reference row. Memory is torch's own: NVML counts the whole card.
_EXPRESSIONS = {
    "name": "COALESCE(r.name, e.name)",
    "run": "e.run_id",
    "model": "e.model",
    "state": "r.state",
    "study": STUDIES_OF_RUN.format(run="e.run_id", own="r.study"),
    "tags": "t.tags",
    "notes": "CASE WHEN r.id IS NOT NULL THEN COALESCE(o.notes, 0) END",
    "backend": "COALESCE(r.backend, e.backend)",
    "quantization": "COALESCE(r.quantization, CASE WHEN json_valid(e.protocol) "
    "THEN json_extract(e.protocol, '$.quantization') END)",
    "prompt": "e.prompt",
    "seed": "r.seed",
    "n": "e.n",
    "marks": _marks("kind", "', '"),
    "mark_details": _marks("detail", "char(10)"),
    "errors": "e.errors",
    "threshold": "e.threshold",
    "threshold_source": "e.threshold_source",
    "unparseable": "e.unparseable",
    "cut_off": "e.cut_off",
    "seconds_per_image": "e.seconds_per_image",
    "tokens_per_second": "e.tokens_per_second",
    "train_seconds": "r.train_seconds",
    "samples_per_second": "r.samples_per_second",
    "peak_vram": "CASE WHEN r.id IS NULL THEN COALESCE(e.peak_vram_reserved_bytes, e.peak_vram_allocated_bytes) "
    "ELSE COALESCE(r.peak_vram_reserved_bytes, r.peak_vram_allocated_bytes) END",
    "peak_rss": "CASE WHEN r.id IS NULL THEN e.peak_rss_bytes ELSE r.peak_rss_bytes END",
    "final_loss": "r.final_loss",
    "r": "lora.r",
    "alpha": "lora.alpha",
    "learning_rate": "training.learning_rate",
    "epochs": "training.epochs",
    "batch": "training.batch",
    "trained_parameters": "r.trained_parameters",
    "queued": "COALESCE(r.queued_at, e.queued_at)",
}
_OF_THE_RECIPE = ("r", "alpha", "learning_rate", "epochs", "batch")
_JOINS = {
    "tags": "LEFT JOIN (SELECT run_id, group_concat(tag, ', ') AS tags FROM (SELECT run_id, tag FROM tags "
    "ORDER BY run_id, tag) GROUP BY run_id) t ON t.run_id = e.run_id",
    "notes": "LEFT JOIN (SELECT run_id, COUNT(*) AS notes FROM notes GROUP BY run_id) o ON o.run_id = e.run_id",
}


class Sources:
    """Columns of one statement as SQL; it remembers the joins that they need, each of them once."""

    def __init__(self, careful: bool = False) -> None:
        """`careful`: a damaged recipe counts as an empty one; without it, SQLite refuses the statement."""
        self._careful = careful
        self._joins: dict[str, str] = {}
        self._scores: dict[tuple[str, str], str] = {}
        self.parameters: list[str] = []
        """For the `?` of the joins, in their order."""

    @property
    def joins(self) -> str:
        """The joins that all columns asked for so far need."""
        return " ".join(self._joins.values())

    def fields(self, column: BoardColumn) -> tuple[str, ...]:
        """One expression for each of `column.fields`.

        Raises:
            UsageError: of more than MOST_SCORES different scores.
        """
        if column.unit is Unit.SCORE:
            alias = self._score(column.scope, column.score)
            return f"{alias}.value", f"{alias}.low", f"{alias}.high", f"{alias}.n"
        if column.name in _JOINS:
            self._joins.setdefault(_JOINS[column.name], _JOINS[column.name])
        expression = _EXPRESSIONS[column.name]
        if column.name in _OF_THE_RECIPE:
            expression = f"json_extract(r.recipe, '$.{expression}')"
            if self._careful:
                expression = f"CASE WHEN json_valid(r.recipe) THEN {expression} END"
        return (expression,)

    def _score(self, scope: str, name: str) -> str:
        alias = self._scores.get((scope, name))
        if alias is None:
            if len(self._scores) == MOST_SCORES:
                raise UsageError(f"More than {MOST_SCORES} scores at once", next_step="Choose fewer columns.")
            alias = self._scores[scope, name] = f"s{len(self._scores)}"
            self._joins[alias] = (
                f"LEFT JOIN scores {alias} ON {alias}.evaluation_id = e.id AND {alias}.scope = ? AND {alias}.name = ?"
            )
            self.parameters += (scope, name)
        return alias
