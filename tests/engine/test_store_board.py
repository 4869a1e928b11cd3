from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from store_helpers import add_evaluation, add_run, raw

from engine.errors import UsageError
from engine.filtering import Compare, FilterError, Kind, Operator
from engine.store.board import Board, sort_board
from engine.store.board_columns import BOARD_COLUMNS, DEFAULT_COLUMNS, Better, Unit
from engine.store.board_plan import BoardPlan, BoardQuery
from engine.store.filter_sql import FilterColumn, filter_condition
from engine.store.functions import add_functions
from engine.store.reader import Reader
from engine.store.records import MarkRow
from engine.store.writer import Writer
from engine.types import JobKind, Reference, Score, Split, State
from engine.workspace import Workspace

RECIPE = (
    '{"name": "x", "lora": {"r": 8, "alpha": 16}, "training": {"learning_rate": 0.0002, "epochs": 3.0, "batch": 2}}'
)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


@pytest.fixture
def writer(workspace: Workspace) -> Iterator[Writer]:
    with Writer.open(workspace) as opened:
        yield opened


@pytest.fixture
def reader(writer: Writer, workspace: Workspace) -> Iterator[Reader]:
    with Reader(workspace) as opened:
        yield opened


def figure(name: str, value: float | None, scope: str = "all") -> Score:
    ends = (None, None) if value is None else (value - 0.1, value + 0.1)
    return Score(scope, name, value, *ends, 4 if name == "sensitivity" else 40)


def measured(
    writer: Writer,
    subject: str | int | Reference,
    scores: Mapping[str, float | None],
    views: Mapping[str, float] | None = None,
    columns: Mapping[str, Any] | None = None,
    **others: Any,
) -> int:
    """A succeeded evaluation of a new run, of a run that there is, or of a reference; returns its id."""
    reference = subject if isinstance(subject, Reference) else None
    run = None if reference else subject if isinstance(subject, int) else add_run(writer, str(subject))
    evaluation = add_evaluation(writer, run, reference, **others)
    found = [figure(name, value) for name, value in scores.items()]
    found += [figure("auroc", value, f"view:{view}") for view, value in (views or {}).items()]
    writer.add_scores(evaluation, found)
    for before, after in (
        (State.QUEUED, State.STARTING),
        (State.STARTING, State.RUNNING),
        (State.RUNNING, State.SUCCEEDED),
    ):
        more = {"n": 40, **(columns or {})} if after is State.SUCCEEDED else {}
        assert writer.transition(JobKind.EVALUATION, evaluation, before, after, "test", **more)
    return evaluation


def four(writer: Writer) -> None:
    """Runs a to d, and both references."""
    measured(writer, "a", {"balanced_accuracy": 0.7, "auroc": 0.9, "sensitivity": 0.5})
    measured(writer, "B", {"balanced_accuracy": 0.9, "auroc": None, "sensitivity": 0.25})
    measured(writer, Reference.BASE, {"balanced_accuracy": 0.5, "auroc": 0.99, "sensitivity": 0.1})
    measured(writer, "c", {"balanced_accuracy": 0.7, "auroc": 0.6, "sensitivity": 0.75})
    measured(writer, Reference.MAJORITY, {"balanced_accuracy": 0.5, "sensitivity": 0.0})
    measured(writer, "d", {"sensitivity": 0.75})


def values(board: Board, column: str = "name") -> list[Any]:
    return [row[board.place(column)] for row in board.rows]


def names(reader: Reader, text: str, **query: Any) -> list[str]:
    return values(reader.board(BoardQuery(filter=text, sort="run", descending=False, **query)))


# ----- groups


def test_rows_of_different_groups_are_never_in_one_ranking(writer: Writer, reader: Reader) -> None:
    run = add_run(writer, "everywhere")
    for others in (
        {},
        {"question": "Q3"},
        {"split": Split.VALIDATION},
        {"dataset": "real"},
        {"cases": "cases-2"},
        {"protocol": "protocol-2"},
    ):
        measured(writer, run, {"balanced_accuracy": 0.6}, **others)
    groups = reader.board_groups()
    assert len({group.key for group in groups}) == 6
    for group in groups:
        board = reader.board(BoardQuery(group=group.key))
        assert board.group == group
        assert (len(board.rows), board.total, group.runs) == (1, 1, 1)
        (row,) = board.rows
        assert row[:3] == (group.evaluation, run, None)


def test_the_group_measured_last_is_shown_and_described(writer: Writer, reader: Reader) -> None:
    measured(writer, "first", {"accuracy": 0.5}, question="Q3")
    four(writer)
    board = reader.board(BoardQuery())
    assert board.group is not None
    assert board.group == board.groups[0]
    assert board.group.key == ("phantoms", "Q7", "test", "cases-1", "protocol-1")
    assert (board.group.dataset, board.group.question, board.group.split) == ("phantoms", "Q7", "test")
    assert (board.group.n, board.group.abnormal, board.group.runs, len(board.groups)) == (40, 4, 4, 2)
    assert board.groups[1].abnormal is None
    assert board.groups[0].measured_at >= board.groups[1].measured_at


def test_a_group_that_is_not_there_is_a_usage_error(writer: Writer, reader: Reader) -> None:
    four(writer)
    key = reader.board_groups()[0].key
    with pytest.raises(UsageError, match="no such group"):
        reader.board(BoardQuery(group=key._replace(cases_fingerprint="' OR 1=1 --")))


def test_without_measurements_there_are_columns_and_no_rows(reader: Reader) -> None:
    board = reader.board(BoardQuery(filter="auroc > 0.5"))
    assert (board.group, board.groups, board.rows, board.references, board.total) == (None, [], [], [], 0)
    assert [column.name for column in board.columns] == list(DEFAULT_COLUMNS)


def test_the_newest_measurement_of_a_subject_counts(writer: Writer, reader: Reader) -> None:
    run = add_run(writer, "again")
    measured(writer, run, {"auroc": 0.9})
    newest = measured(writer, run, {"auroc": 0.6})
    add_evaluation(writer, run)
    measured(writer, Reference.BASE, {"auroc": 0.5})
    base = measured(writer, Reference.BASE, {"auroc": 0.5})
    board = reader.board(BoardQuery())
    assert [row[0] for row in board.rows] == [newest]
    assert [row[0] for row in board.references] == [base]
    assert (board.total, board.best["auroc"]) == (1, 0.6)


def test_a_base_in_four_bits_is_another_reference(writer: Writer, reader: Reader, workspace: Workspace) -> None:
    measured(writer, Reference.BASE, {"auroc": 0.5})
    other = measured(writer, Reference.BASE, {"auroc": 0.5})
    odd = measured(writer, Reference.BASE, {"auroc": 0.5})
    with raw(workspace) as connection:
        connection.execute("UPDATE evaluations SET protocol = ? WHERE id = ?", ('{"quantization": "4bit"}', other))
        connection.execute("UPDATE evaluations SET protocol = 'no JSON' WHERE id = ?", (odd,))
    board = reader.board(BoardQuery(columns=("quantization",)))
    assert [row[3] for row in board.references] == ["4bit", None]


# ----- rows


def test_a_row_has_its_ids_and_a_value_for_every_field(writer: Writer, reader: Reader, workspace: Workspace) -> None:
    run = add_run(writer, "tuned", study="size")
    writer.update(
        JobKind.TRAINING,
        run,
        train_seconds=12.5,
        samples_per_second=80.0,
        peak_vram_allocated_bytes=10,
        peak_vram_reserved_bytes=20,
        peak_rss_bytes=40,
        final_loss=0.5,
        trained_parameters=7,
        backend="unsloth",
        quantization="4bit",
    )
    with raw(workspace) as connection:
        connection.execute("UPDATE runs SET recipe = ?, queued_at = 1000", (RECIPE,))
    writer.set_tags(run, ["keep", "a b"])
    writer.add_note(run, "one")
    writer.add_note(run, "two")
    scores = {"balanced_accuracy": 0.8, "unparseable_rate": 0.05}
    columns = {"threshold": 0.3, "unparseable": 2, "cut_off": 1, "seconds_per_image": 0.5, "tokens_per_second": 30.0}
    evaluation = measured(writer, run, scores, None, {**columns, "peak_rss_bytes": 99}, prompt="detailed")
    board = reader.board(BoardQuery(columns=tuple(BOARD_COLUMNS)))
    (row,) = board.rows
    assert len(row) == len(board.fields)
    found = dict(zip(board.fields, row, strict=True))
    assert found["balanced_accuracy_low"] == pytest.approx(0.7)
    expected = {
        "evaluation": evaluation, "run": run, "reference": None, "name": "tuned", "model": "assets/base-model",
        "state": "queued", "study": "size", "tags": "a b, keep", "notes": 2, "backend": "unsloth",
        "quantization": "4bit", "prompt": "detailed", "seed": 42, "n": 40, "balanced_accuracy": 0.8,
        "balanced_accuracy_n": 40, "unparseable_rate": 0.05, "mcc": None, "mcc_low": None, "mcc_n": None,
        **columns, "train_seconds": 12.5, "samples_per_second": 80.0, "peak_vram": 20, "peak_rss": 40,
        "final_loss": 0.5, "r": 8, "alpha": 16, "learning_rate": 2e-4, "epochs": 3.0, "batch": 2,
        "trained_parameters": 7, "queued": 1000.0,
    }  # fmt: skip
    assert {name: found[name] for name in expected} == expected


def test_a_reference_has_the_memory_of_its_evaluation_and_nothing_of_a_run(writer: Writer, reader: Reader) -> None:
    columns = {"peak_vram_allocated_bytes": 5, "peak_rss_bytes": 6}
    measured(writer, Reference.BASE, {"auroc": 0.5}, None, columns)
    wanted = ("name", "peak_vram", "peak_rss", "notes", "tags", "train_seconds", "r")
    board = reader.board(BoardQuery(columns=wanted))
    assert board.references[0][2:] == ("base", "untuned assets/base-model", 5, 6, None, None, None, None)


def test_a_damaged_recipe_costs_its_own_cells_only(writer: Writer, reader: Reader, workspace: Workspace) -> None:
    four(writer)
    with raw(workspace) as connection:
        connection.execute("UPDATE runs SET recipe = ? WHERE name <> 'a'", (RECIPE,))
        connection.execute("UPDATE runs SET recipe = '{' WHERE name = 'a'")
    board = reader.board(BoardQuery(columns=("name", "r"), sort="r"))
    assert [row[3:] for row in board.rows] == [("B", 8), ("c", 8), ("d", 8), ("a", None)]


def test_columns_come_in_the_order_asked_for_in_any_case_and_once(writer: Writer, reader: Reader) -> None:
    four(writer)
    board = reader.board(BoardQuery(columns=("AUROC", " name ", "auroc"), sort="Name", descending=False))
    assert board.fields == ("evaluation", "run", "reference", "auroc", "auroc_low", "auroc_high", "auroc_n", "name")
    assert values(board) == ["a", "B", "c", "d"]


@pytest.mark.parametrize("query", [BoardQuery(columns=("name", "aurc")), BoardQuery(sort="aurc")])
def test_an_unknown_column_is_a_usage_error_with_near_names(writer: Writer, reader: Reader, query: BoardQuery) -> None:
    four(writer)
    with pytest.raises(UsageError, match="no column aurc") as caught:
        reader.board(query)
    assert "auroc" in caught.value.next_step


def test_too_many_scores_at_once_are_a_usage_error(writer: Writer, reader: Reader) -> None:
    views = {f"View {number}": 0.5 for number in range(70)}
    measured(writer, "a", {"auroc": 0.5}, views)
    wanted = tuple(f"view:{view}:auroc" for view in views)
    assert len(reader.board(BoardQuery(columns=wanted[:49], sort="auroc")).fields) == 3 + 4 * 49
    with pytest.raises(UsageError, match="More than 50 scores"):
        reader.board(BoardQuery(columns=wanted))


# ----- sorting, best values, pins


@pytest.mark.parametrize(
    ("sort", "descending", "expected"),
    [
        (None, True, ["B", "a", "c", "d"]),
        ("balanced_accuracy", False, ["a", "c", "B", "d"]),
        ("auroc", True, ["a", "c", "B", "d"]),
        ("auroc", False, ["c", "a", "B", "d"]),
        ("sensitivity_low", True, ["c", "d", "a", "B"]),
        ("name", True, ["d", "c", "B", "a"]),
        ("name", False, ["a", "B", "c", "d"]),
        ("study", True, ["a", "B", "c", "d"]),
        ("view:Nowhere:auroc", True, ["a", "B", "c", "d"]),
    ],
)
def test_missing_values_are_last_in_both_directions_and_ties_go_by_id(
    writer: Writer, reader: Reader, sort: str | None, descending: bool, expected: list[str]
) -> None:
    four(writer)
    for columns in ((), ("name",)):  # the value to sort by is shown, or not
        board = reader.board(BoardQuery(sort=sort, descending=descending, columns=columns))
        assert values(board) == expected
        assert (board.sort, board.descending) == (sort or "balanced_accuracy", descending)


def test_a_board_can_be_sorted_again_without_the_database(writer: Writer, reader: Reader) -> None:
    four(writer)
    board = reader.board(BoardQuery())
    for sort in ("name", "auroc", "auroc_low", "balanced_accuracy", "train_seconds"):
        for descending in (True, False):
            assert sort_board(board, sort, descending) == reader.board(BoardQuery(sort=sort, descending=descending))
    with pytest.raises(UsageError, match="no column seed"):
        sort_board(board, "seed", True)


def test_every_column_can_be_sorted_by_and_filtered(writer: Writer, reader: Reader) -> None:
    four(writer)
    for name in BOARD_COLUMNS:
        for descending in (True, False):
            board = reader.board(BoardQuery(sort=name, descending=descending, filter=f"{name} is set or name is set"))
            assert sorted(values(board)) == ["B", "a", "c", "d"], name


def test_where_balanced_accuracy_is_not_scored_accuracy_ranks(writer: Writer, reader: Reader) -> None:
    for name, accuracy in (("low", 0.5), ("high", 0.6)):
        measured(writer, name, {"accuracy": accuracy}, question="Q3")
    board = reader.board(BoardQuery())
    assert (board.sort, values(board)) == ("accuracy", ["high", "low"])


def test_best_values_are_those_of_all_tuned_runs_in_the_better_direction(writer: Writer, reader: Reader) -> None:
    four(writer)
    for run, seconds in ((1, 30.0), (2, 10.0), (3, 20.0)):
        writer.update(JobKind.TRAINING, run, train_seconds=seconds)
    columns = ("name", "balanced_accuracy", "auroc", "train_seconds", "n", "seed", "final_loss")
    expected = {"balanced_accuracy": 0.9, "auroc": 0.9, "train_seconds": 10.0}
    for text in ("", "name = c", "name = nobody"):
        assert reader.board(BoardQuery(columns=columns, filter=text)).best == expected


def test_pinned_rows_come_in_their_order_whatever_the_filter_says(writer: Writer, reader: Reader) -> None:
    four(writer)
    board = reader.board(BoardQuery(filter="name = d", pins=(3, 99, 1), columns=("name",), sort="auroc"))
    assert [row[3:] for row in board.pinned] == [("c",), ("a",)]
    assert values(board) == ["d"]


# ----- filtering


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["a", "B", "c", "d"]),
        ("b", ["B"]),
        ("name = b", ["B"]),
        ("name != b", ["a", "c", "d"]),
        ("name > b", ["c", "d"]),
        ("balanced_accuracy >= 70%", ["a", "B", "c"]),
        ("not balanced_accuracy >= 70%", ["d"]),
        ("auroc < 1", ["a", "c"]),
        ("auroc != 0.9", ["B", "c", "d"]),
        ("auroc is none", ["B", "d"]),
        ("auroc is set and sensitivity > 50%", ["c"]),
        ("auroc_low > 0.7", ["a"]),
        ("sensitivity_n = 4 and sensitivity_high > 80%", ["c", "d"]),
        ("run <= 2 or name = d", ["a", "B", "d"]),
        ("model contains BASE and not (name = a or name = c)", ["B", "d"]),
        ("tags = keep", ["a"]),
        ("tags = kee", []),
        ("tags contains kee", ["a"]),
        ("tags != keep", ["B", "c", "d"]),
        ("tags is none", ["B", "c", "d"]),
        ("notes > 0", ["c"]),
        ("queued > 2020-01-01", ["a", "B", "c", "d"]),
        ("queued < 2020-01-01", []),
    ],
)
def test_a_filter_lets_rows_through(writer: Writer, reader: Reader, text: str, expected: list[str]) -> None:
    four(writer)
    writer.set_tags(1, ["keep", "x"])
    writer.add_note(3, "seen")
    board = reader.board(BoardQuery(filter=text, sort="run", descending=False))
    assert values(board) == expected
    assert (board.total, board.filter) == (4, text)
    assert [row[2] for row in board.references] == ["majority", "base"]


def test_a_filter_may_come_as_a_tree(writer: Writer, reader: Reader) -> None:
    four(writer)
    board = reader.board(BoardQuery(filter=Compare("auroc", Operator.ABOVE, 0.7)))
    assert (values(board), board.filter) == (["a"], "auroc > 0.7")


def test_an_unknown_column_of_a_filter_is_pointed_at(writer: Writer, reader: Reader) -> None:
    four(writer)
    with pytest.raises(FilterError) as caught:
        reader.board(BoardQuery(filter="name = a and view:Head:auroc > 0.5"))
    assert caught.value.position == 13


def test_scores_of_views_are_columns_of_their_group(writer: Writer, reader: Reader) -> None:
    measured(writer, "a", {"auroc": 0.9, "odd_score": 40.0}, {"Head circ": 0.4, "Ärm": 0.8})
    measured(writer, "b", {"auroc": 0.8, "odd_score": 60.0}, {"Head circ": 0.6, "Ärm": 0.5})
    board = reader.board(BoardQuery(columns=("name", "view:head CIRC:auroc"), sort="view:Head circ:auroc"))
    assert [row[3:5] for row in board.rows] == [("b", 0.6), ("a", 0.4)]
    assert names(reader, '"view:Head circ:auroc" < 0.5') == ["a"]
    assert names(reader, '"view:Ärm:auroc_low" > 0.5') == ["a"]
    assert names(reader, "odd_score > 50") == ["b"]
    available = {column.name: column for column in board.available}
    assert available["view:Head circ:auroc"].better is Better.HIGHER
    assert (available["odd_score"].unit, available["odd_score"].better) == (Unit.SCORE, Better.NEITHER)
    assert list(available)[: len(BOARD_COLUMNS)] == list(BOARD_COLUMNS)


INJECTIONS = [
    "'; DROP TABLE runs; --",
    "' OR '1'='1",
    '" OR 1=1 --',
    "x' UNION SELECT 1,2,3 --",
    "a%",
    "_",
    "%",
    "\\",
    "a\0b",
    "?",
    ":question",
    "{order}",
    "[red]x[/red]",
]


@pytest.mark.parametrize("text", INJECTIONS)
def test_hostile_text_is_only_text(writer: Writer, reader: Reader, workspace: Workspace, text: str) -> None:
    four(writer)
    measured(writer, f"<{text}>", {"auroc": 0.5}, {text: 0.25}, {"threshold": 0.5})
    quoted = '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    hostile = f"<{text}>"
    assert names(reader, f"name contains {quoted}") == [hostile]
    assert names(reader, f"name = {quoted}") == []
    assert names(reader, f"model contains {quoted} or study = {quoted} or tags = {quoted}") == []
    view = quoted[:1] + "view:" + quoted[1:-1] + ':auroc"'
    assert names(reader, f"{view} < 0.5", columns=("name", f"view:{text}:auroc")) == [hostile]
    with pytest.raises(UsageError):
        reader.board(BoardQuery(sort=text))
    with pytest.raises(UsageError):
        reader.board(BoardQuery(columns=(text,)))
    with raw(workspace) as connection:
        assert connection.execute("SELECT COUNT(*) FROM runs").fetchone() == (5,)


def test_case_is_ignored_in_every_alphabet() -> None:
    connection = sqlite3.connect(":memory:")
    add_functions(connection)
    connection.execute("CREATE TABLE rows (name TEXT)")
    connection.executemany("INSERT INTO rows VALUES (?)", [("ÄRGER 1",), ("straße",), ("КОШКА",), (None,)])
    columns = {"name": FilterColumn("name"), "length": FilterColumn("length(name)", Kind.NUMBER)}
    for text, expected in (
        ("ärger", [1]),
        ("STRASSE or Straße", [2]),
        ("name = кошка", [3]),
        ("кош and length = 5", [3]),
        ("name != кошка", [1, 2, 4]),
        ("", [1, 2, 3, 4]),
    ):
        condition, parameters = filter_condition(text, columns)
        found = connection.execute(f"SELECT rowid FROM rows WHERE {condition}", parameters).fetchall()
        assert [row[0] for row in found] == expected, text
    connection.close()


def test_the_registry_explains_itself() -> None:
    for name, column in BOARD_COLUMNS.items():
        assert column.name == name
        assert column.title
        assert column.description.endswith(".")
        assert len(column.short) <= 12
    assert {"name", "balanced_accuracy", "sensitivity", "specificity"} <= set(DEFAULT_COLUMNS)
    fields = [field for column in BOARD_COLUMNS.values() for field in column.fields]
    assert len(fields) == len(set(fields))


def test_a_limit_gives_the_first_rows_with_references_and_pins_once_there_are_many(
    writer: Writer, reader: Reader
) -> None:
    four(writer)
    for number in range(8):
        measured(writer, f"low-{number}", {"balanced_accuracy": 0.1 + 0.01 * number})
    everything = reader.board(BoardQuery())
    pinned = everything.rows[-1][1]
    first = reader.board(BoardQuery(limit=2, pins=(pinned,)))
    assert first.limited
    assert first.rows == everything.rows[:2]
    assert first.references == everything.references
    assert [row[1] for row in first.pinned] == [pinned]
    assert first.total == everything.total == len(everything.rows)
    assert first.best == {}
    ascending = reader.board(BoardQuery(limit=2, descending=False))
    assert ascending.rows == reader.board(BoardQuery(descending=False)).rows[:2]


@pytest.mark.parametrize(
    "query",
    [
        BoardQuery(limit=100),
        BoardQuery(limit=2, filter="name contains e or name contains a or name contains low"),
        BoardQuery(limit=2, sort="name", descending=False),
    ],
)
def test_a_limit_is_not_followed_where_it_saves_nothing(writer: Writer, reader: Reader, query: BoardQuery) -> None:
    four(writer)
    for number in range(8):
        measured(writer, f"low-{number}", {"balanced_accuracy": 0.1 + 0.01 * number})
    board = reader.board(query)
    assert not board.limited
    assert len(board.rows) > 8
    assert board.best


def test_marks_and_their_details_stand_in_one_order_by_kind(writer: Writer, reader: Reader) -> None:
    evaluation = measured(writer, "marked", {"balanced_accuracy": 0.6})
    measured(writer, "plain", {"balanced_accuracy": 0.7})
    writer.set_marks(evaluation, [MarkRow(evaluation, kind, "all", f"of {kind}") for kind in ("leak", "few", "blind")])
    board = reader.board(BoardQuery(columns=("name", "marks", "mark_details"), sort="run", descending=False))
    assert [row[3:6] for row in board.rows] == [
        ("marked", "blind, few, leak", "of blind\nof few\nof leak"), ("plain", None, None)
    ]  # fmt: skip
    assert names(reader, "marks contains leak") == ["marked"]


def test_marks_are_looked_up_for_the_rows_of_the_group_alone(writer: Writer, workspace: Workspace) -> None:
    measured(writer, "marked", {"balanced_accuracy": 0.6})
    plan = BoardPlan(BoardQuery(columns=("marks", "mark_details")), [])
    key = ("phantoms", "Q7", "test", "cases-1", "protocol-1")
    with closing(raw(workspace)) as connection:
        steps = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {plan.statement}", (*key, *plan.parameters))]
    of_marks = [step for step in steps if "marks" in step]
    assert of_marks
    assert all(step.startswith("SEARCH marks USING PRIMARY KEY (evaluation_id=?") for step in of_marks)
