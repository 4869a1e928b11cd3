from __future__ import annotations

import sqlite3

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.filtering import And, Compare, FilterError, Kind, Missing, Node, Not, Operator, Or, complete, parse, render
from engine.store.filter_sql import FilterColumn, compile_filter
from engine.store.functions import add_functions

KINDS = {
    "name": Kind.TEXT,
    "tags": Kind.TAGS,
    "n": Kind.NUMBER,
    "auroc": Kind.SHARE,
    "vram": Kind.BYTES,
    "seconds": Kind.DURATION,
    "queued": Kind.TIME,
    'view:Head (a) = "b\\\'":auroc': Kind.SHARE,
    "and": Kind.TEXT,
}
SIGNS = ["(", ")", "=", "==", "!=", "<", "<=", ">", ">=", "~", "!", "'", '"a b"']
KEYWORDS = ["and", "or", "not", "contains", "is", "none", "set", "AND", "0.5", "90%", "10GiB", "-1"]
WORDS = [*KINDS, *SIGNS, *KEYWORDS]
ANYTHING = st.one_of(st.text(), st.lists(st.sampled_from(WORDS), max_size=20).map(" ".join), st.text("()'\"\\!=<>~ an"))
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
ORDER = (Operator.BELOW, Operator.AT_MOST, Operator.ABOVE, Operator.AT_LEAST)
EQUALITY = (Operator.EQUAL, Operator.NOT_EQUAL)


def compare(column: str) -> st.SearchStrategy[Node]:
    kind = KINDS[column]
    if kind.is_text:
        operators = (*EQUALITY, Operator.CONTAINS, *(() if kind is Kind.TAGS else ORDER))
        return st.builds(Compare, st.just(column), st.sampled_from(operators), TEXT)
    values = FLOATS.filter(lambda value: abs(value) <= 1) if kind is Kind.SHARE else FLOATS
    operators = ORDER if kind is Kind.TIME else (*ORDER, *EQUALITY)
    return st.builds(Compare, st.just(column), st.sampled_from(operators), values)


def joined(parts: st.SearchStrategy[Node], kind: type[And] | type[Or]) -> st.SearchStrategy[Node]:
    others = parts.filter(lambda part: not isinstance(part, kind))
    return st.lists(others, min_size=2, max_size=4).map(lambda found: kind(tuple(found)))


LEAVES = st.one_of(st.sampled_from([*KINDS]).flatmap(compare), st.sampled_from([*KINDS]).map(Missing))
TREES = st.recursive(
    LEAVES, lambda parts: st.one_of(parts.map(Not), joined(parts, And), joined(parts, Or)), max_leaves=12
)


@settings(deadline=None)
@given(ANYTHING)
def test_any_text_is_a_tree_or_a_filter_error_inside_the_text(text: str) -> None:
    try:
        tree = parse(text, KINDS)
    except FilterError as error:
        assert 0 <= error.position <= len(text)
        assert error.title
        assert error.next_step
        assert error.reason.endswith("^")
    else:
        assert tree is not None or not text.strip()
        assert parse(render(tree, KINDS), KINDS) == tree


@settings(deadline=None)
@given(TREES)
def test_what_is_rendered_is_read_as_the_same_tree(tree: Node) -> None:
    assert parse(render(tree, KINDS), KINDS) == tree


@settings(deadline=None)
@given(ANYTHING, st.integers(-5, 60))
def test_any_text_can_be_completed(text: str, cursor: int) -> None:
    for suggestion in complete(text, cursor, KINDS):
        assert 0 <= suggestion.start <= suggestion.end <= len(text)
        assert suggestion.start <= min(max(cursor, 0), len(text)) <= suggestion.end
        assert suggestion.text


@settings(deadline=None)
@given(TREES)
def test_every_tree_runs_as_sql_and_not_turns_it_round(tree: Node) -> None:
    connection = sqlite3.connect(":memory:")
    add_functions(connection)
    connection.execute("CREATE TABLE rows (words TEXT, figure REAL)")
    rows = [(None, None), ("a, b", 0.5), ("", -1.0), ("Ä%_\\'", 3e9)]
    connection.executemany("INSERT INTO rows VALUES (?, ?)", rows)
    columns = {name: FilterColumn("words" if kind.is_text else "figure", kind) for name, kind in KINDS.items()}
    found = []
    for node in (tree, Not(tree)):
        condition, parameters = compile_filter(node, columns)
        assert condition.count("?") == len(parameters)
        found += connection.execute(f"SELECT rowid FROM rows WHERE {condition}", parameters).fetchall()
    connection.close()
    assert sorted(found) == [(1,), (2,), (3,), (4,)]
