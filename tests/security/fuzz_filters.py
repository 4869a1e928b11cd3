"""Fuzz target: the filter language over runs, images, cases and the leaderboard, down to SQLite.

The statements run on a real database through the reader's own connection, with an authorizer that refuses whatever is no
reading: a filter that could write would fail here, and one that SQLite cannot run would too.
"""

from __future__ import annotations

import atexit
import shutil
import sqlite3
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from fuzzing import SCRATCH, Target
from hostile import TEXT, joined, long_text
from hypothesis import strategies as st

from engine.api import CASE_FILTER_COLUMNS, CaseQuery, ImageQuery, browse, cases
from engine.errors import UsageError
from engine.filtering import FilterError, complete, parse, render
from engine.filtering.kinds import Kind
from engine.filtering.parser import LONGEST
from engine.store.board_columns import BOARD_COLUMNS
from engine.store.board_plan import BoardQuery
from engine.store.image_filter import IMAGE_FILTER_COLUMNS
from engine.store.reader import Reader
from engine.store.records import ImageRow
from engine.store.run_filter import RUN_FILTER_COLUMNS
from engine.store.writer import Writer
from engine.types import DatasetRecord, JobKind, Split, State
from engine.workspace import Workspace

sys.path.append(str(Path(__file__).resolve().parents[1] / "engine"))
from store_helpers import add_evaluation, add_run, prediction, score

BOARD_FILTER_COLUMNS: dict[str, Kind] = {
    name: kind for each in BOARD_COLUMNS.values() for name, kind in each.kinds.items()
}
COLUMNS = {
    "runs": RUN_FILTER_COLUMNS, "images": IMAGE_FILTER_COLUMNS, "cases": CASE_FILTER_COLUMNS, "board": BOARD_FILTER_COLUMNS,
}  # fmt: skip
EVERY_COLUMN = tuple(dict.fromkeys(name for columns in COLUMNS.values() for name in columns))
OPERATORS = ("=", "==", "!=", "<>", "<", "<=", ">", ">=", "contains", "~", "not contains", "is", "is not", "like", "in")
NUMBERS = ("0", "-1", "80%", "1e308", "1e999", "-1e999", "nan", "10GiB", "99999999999999999999GiB", "5 min", "1d", "0.1s", "2026-01-01",
           "9999-12-31", "0001-01-01", "2026-02-30", "today", "24:61", "2h ago", "9" * 400, "1" * 5000, "٣%", "0x10", "1_0")  # fmt: skip


def _word(kind: str) -> st.SearchStrategy[str]:
    columns = st.sampled_from(tuple(COLUMNS[kind]))
    return st.one_of(columns, columns, st.sampled_from(EVERY_COLUMN), TEXT)


def _value() -> st.SearchStrategy[str]:
    return st.one_of(
        st.sampled_from(NUMBERS),
        st.sampled_from(("none", "set", "normal", "test")),
        TEXT,
        TEXT.map(lambda text: f'"{text}"'),
    )


def _filters(kind: str) -> st.SearchStrategy[tuple[str, str]]:
    one = st.builds("{} {} {}".format, _word(kind), st.sampled_from(OPERATORS), _value())
    joint = st.sampled_from((" and ", " or ", " and not (", ") or (", " ", " not ", "(", ")"))
    many = st.lists(st.tuples(one, joint).map("".join), min_size=1, max_size=4).map("".join)
    loose = st.lists(
        st.one_of(st.sampled_from((*OPERATORS, "and", "or", "not", "(", ")", "is none")), _word(kind), _value()),
        max_size=8,
    ).map(" ".join)
    deep = st.tuples(st.sampled_from(("(", "not ", "((not ")), st.integers(1, 120), one).map(
        lambda each: each[0] * each[1] + each[2] + ")" * each[1]
    )
    wide = st.tuples(one, st.integers(90, 110)).map(lambda each: " or ".join([each[0]] * each[1]))
    text = st.one_of(
        *[one] * 8, *[many] * 12, *[loose] * 5, joined(), joined(), st.one_of(deep, wide, long_text(9_990))
    )
    return text.map(lambda found: (kind, found))


class World:
    """A database with a row of everything that filters look at, open for reading alone."""

    def __init__(self) -> None:
        base = Path(tempfile.mkdtemp(prefix="sonotune-fuzz-", dir=SCRATCH))
        atexit.register(shutil.rmtree, base, ignore_errors=True)
        self.workspace = Workspace(base)
        with Writer.open(self.workspace) as writer:
            answers = {"Q7": "Normal", "Q1": "aorta; '\\ \x00 世界"}
            images = [ImageRow("Head/Head_001.png", "Head", Split.TEST, "0" * 64, 4, 3, "normal", None, answers)]
            images.append(ImageRow("Head/x.png", "Head", None, None, None, None, None, "missing"))
            writer.record_dataset(DatasetRecord("phantoms", "jsonl", "data-1", "split-1", 0, "x", 1, 1, 0.0), images)
            run = add_run(writer, "tuned")
            self.evaluation = add_evaluation(writer, run)
            writer.add_predictions(
                self.evaluation, [prediction(), prediction("Head/b.png", raw_output="", p_abnormal=None)]
            )
            writer.add_scores(
                self.evaluation,
                [score("balanced_accuracy", 0.5), score("auroc", None), score("auroc", 0.2, "view:Head")],
            )
            for before, after in (
                (State.QUEUED, State.STARTING),
                (State.STARTING, State.RUNNING),
                (State.RUNNING, State.SUCCEEDED),
            ):
                writer.transition(JobKind.EVALUATION, self.evaluation, before, after, "as it goes")
        self.reader = Reader(self.workspace)
        self.reader._connection.set_authorizer(_reading_only)

    def ask(self, kind: str, text: str) -> None:
        """Run a filter."""
        if kind == "runs":
            self.reader.run_list(filter_text=text)
        elif kind == "images":
            browse(self.reader, ImageQuery("phantoms", filter=text))
        elif kind == "board":
            self.reader.board(BoardQuery(filter=text))
        else:
            cases(self.reader, CaseQuery(self.evaluation, filter=text))


def _reading_only(action: int, *_: Any) -> int:
    reads = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE)
    return sqlite3.SQLITE_OK if action in reads else sqlite3.SQLITE_DENY


@cache
def world() -> World:
    """The one of this process."""
    return World()


def check(given: tuple[str, str]) -> None:
    """Complete, read, render and run one filter."""
    kind, text = given
    columns = COLUMNS[kind]
    for suggestion in complete(text, len(text) // 2, columns):
        assert 0 <= suggestion.start <= suggestion.end <= len(text)
    try:
        tree = parse(text, columns, next(iter(columns)))
    except FilterError as error:
        assert 0 <= error.position <= len(text)
        assert len(error.reason) < 500
    else:
        # Words side by side become whole conditions, which may be more than a filter may have.
        again = "" if tree is None else render(tree, columns)
        assert tree is None or len(again) > LONGEST or parse(again, columns, next(iter(columns))) == tree
    try:
        world().ask(kind, text)
    except UsageError as error:
        assert error.title
        str(error).encode("utf-8")


FOUND: tuple[tuple[str, str], ...] = ()
TARGET = Target("filters", st.sampled_from(tuple(COLUMNS)).flatmap(_filters), check, FOUND)
