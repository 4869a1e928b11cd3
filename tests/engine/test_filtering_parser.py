from __future__ import annotations

from datetime import datetime

import pytest

from engine.errors import UsageError
from engine.filtering import (
    And,
    Compare,
    FilterError,
    Kind,
    Missing,
    Node,
    Not,
    Operator,
    Or,
    columns_of,
    parse,
    render,
)

COLUMNS = {
    "name": Kind.TEXT,
    "model": Kind.TEXT,
    "study": Kind.TEXT,
    "tags": Kind.TAGS,
    "n": Kind.NUMBER,
    "learning_rate": Kind.NUMBER,
    "sensitivity": Kind.SHARE,
    "specificity": Kind.SHARE,
    "peak_vram": Kind.BYTES,
    "train_seconds": Kind.DURATION,
    "queued": Kind.TIME,
    "view:Head circ:auroc": Kind.SHARE,
}


def name(value: str) -> Compare:
    return Compare("name", Operator.CONTAINS, value)


def sensitivity(operator: str, value: float) -> Compare:
    return Compare("sensitivity", Operator(operator), value)


GRAMMAR: list[tuple[str, Node | None]] = [
    ("", None),
    (" \t\n", None),
    ("baseline", name("baseline")),
    ("baseline 4b", And((name("baseline"), name("4b")))),
    ('"run 4"', name("run 4")),
    ("'it is' it's", And((name("it is"), name("it's")))),
    ('name contains "run 4"', name("run 4")),
    ("name ~ x", name("x")),
    ("NAME Contains x", name("x")),
    ('name contains "say \\"hi\\" \\\\ C:\\new"', name('say "hi" \\ C:\\new')),
    ("name = 42", Compare("name", Operator.EQUAL, "42")),
    ("study = none", Compare("study", Operator.EQUAL, "none")),
    ("study != size", Compare("study", Operator.NOT_EQUAL, "size")),
    ("study <> size", Compare("study", Operator.NOT_EQUAL, "size")),
    ("study is none", Missing("study")),
    ("study IS SET", Not(Missing("study"))),
    ("study is not none", Not(Missing("study"))),
    ("study is not set", Missing("study")),
    ("name not contains x", Not(name("x"))),
    ("sensitivity=0.9", sensitivity("=", 0.9)),
    ("sensitivity==0.9", sensitivity("=", 0.9)),
    ("sensitivity >= 90%", sensitivity(">=", 0.9)),
    ("sensitivity >= 70 %", sensitivity(">=", 0.7)),
    ("sensitivity > -.5", sensitivity(">", -0.5)),
    ("learning_rate <= 2e-4", Compare("learning_rate", Operator.AT_MOST, 2e-4)),
    ("n > 3k", Compare("n", Operator.ABOVE, 3000)),
    ("peak_vram < 10GiB", Compare("peak_vram", Operator.BELOW, 10 * 2**30)),
    ("peak_vram < 10 gb", Compare("peak_vram", Operator.BELOW, 1e10)),
    ("train_seconds > 2h", Compare("train_seconds", Operator.ABOVE, 7200)),
    ("train_seconds > 90", Compare("train_seconds", Operator.ABOVE, 90)),
    ("queued >= 2026-01-31", Compare("queued", Operator.AT_LEAST, datetime(2026, 1, 31).timestamp())),
    (
        'queued < "2026-01-31 14:30"',
        Compare("queued", Operator.BELOW, datetime(2026, 1, 31, 14, 30).timestamp()),
    ),
    ("queued < 1970-01-01T00:01:40Z", Compare("queued", Operator.BELOW, 100.0)),
    ('"view:Head circ:auroc" > 0.5', Compare("view:Head circ:auroc", Operator.ABOVE, 0.5)),
    ("a and b or c", Or((And((name("a"), name("b"))), name("c")))),
    ("a and (b or c)", And((name("a"), Or((name("b"), name("c")))))),
    ("a and (b and c) and d", And((name("a"), name("b"), name("c"), name("d")))),
    ("not a and b", And((Not(name("a")), name("b")))),
    ("not (a or b)", Not(Or((name("a"), name("b"))))),
    ("NOT not a", Not(Not(name("a")))),
    ("((a))", name("a")),
    ("'and' 'not'", And((name("and"), name("not")))),
    ('"sensitivity"', name("sensitivity")),
]


@pytest.mark.parametrize(("text", "tree"), GRAMMAR)
def test_a_text_means_a_tree(text: str, tree: Node | None) -> None:
    assert parse(text, COLUMNS) == tree


@pytest.mark.parametrize("tree", [tree for _, tree in GRAMMAR])
def test_a_rendered_tree_means_the_same(tree: Node | None) -> None:
    assert parse(render(tree, COLUMNS), COLUMNS) == tree


FAULTS = [
    ("sensitivty > 1", 0, "no such column", "Did you mean sensitivity?"),
    ("a and zzz = 3", 6, "no such column", "Choose: name, model"),
    ("sensitivity > 90", 14, "no value for sensitivity", "90%"),
    ("sensitivity > high", 14, "no value for sensitivity", "0.9"),
    ("n > 0,8", 4, "no value for n", "0.5"),
    ("n > 1e999", 4, "no value for n", "0.5"),
    ("peak_vram < 10", 12, "no value for peak_vram", "10GB"),
    ("queued > 2026", 9, "no value for queued", "2026-01-31"),
    ("queued > 9999-99-99", 9, "no value for queued", "2026-01-31"),
    ("queued = 2026-01-31", 7, "which nothing equals", ">="),
    ("n contains 3", 2, "`contains` is for text", ">="),
    ("tags > a", 5, "tags has no order", "contains"),
    ("sensitivity", 11, "operator is missing", "contains"),
    ("foo sensitivity 3", 15, "operator is missing", "contains"),
    ("sensitivity >", 13, "A value is missing after `>`", "90%"),
    ("sensitivity > and n = 1", 14, "A value is missing after `>`", "90%"),
    ("study is", 8, "`none` or `set` is missing", "study is none"),
    ("study is size", 9, "`none` or `set` is missing", "study is none"),
    ("is none", 0, "A condition is missing before `is`", "column, operator, value"),
    ("> 3", 0, "A condition is missing before `>`", "column, operator, value"),
    ("a and", 5, "A condition is missing at the end", "column, operator, value"),
    ("a or or b", 5, "A condition is missing before `or`", "column, operator, value"),
    ("()", 1, "A condition is missing before `)`", "column, operator, value"),
    ("name = foo bar", 11, "`and` or `or` is missing", "quote"),
    ("a n = 3", 2, "`and` or `or` is missing", "Join"),
    ("n = 3 = 4", 6, "`=` has no column", "column, operator, value"),
    ("a && b", 2, "`&&` is not known", "`and`"),
    ("(a", 0, "`(` is left open", "`)`"),
    ("(n = 3 n = 4)", 7, "`and` or `or` is missing", "Join"),
    ("a)", 1, "`)` closes nothing", "`(`"),
    ("a and 'b", 6, "quote is left open", "'"),
    ("wow!", 3, "`!` alone", "`!=`"),
    ("a \ud800", 2, "no Unicode", "anew"),
]


@pytest.mark.parametrize(("text", "position", "problem", "valid"), FAULTS)
def test_a_fault_is_named_with_its_place_and_what_would_be_valid(
    text: str, position: int, problem: str, valid: str
) -> None:
    with pytest.raises(FilterError) as caught:
        parse(text, COLUMNS)
    error = caught.value
    assert isinstance(error, UsageError)
    assert (error.text, error.position) == (text, position)
    assert problem in error.title
    assert valid in error.next_step


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a" * 10_001, "10,000 characters"),
        ("(" * 51 + "a" + ")" * 51, "50 levels"),
        ("not " * 51 + "a", "50 levels"),
        (" and ".join(["n = 1"] * 101), "100 conditions"),
        ("a " * 101, "100 conditions"),
    ],
)
def test_a_filter_has_limits(text: str, problem: str) -> None:
    with pytest.raises(FilterError, match=problem):
        parse(text, COLUMNS)


def test_a_filter_within_its_limits_is_read() -> None:
    assert parse("(" * 50 + "a" + ")" * 50, COLUMNS) == name("a")
    assert len(list(columns_of(parse("a " * 100, COLUMNS)))) == 100


def test_the_caret_stands_under_the_place() -> None:
    with pytest.raises(FilterError) as caught:
        parse("n = 1 and sensitivty > 1", COLUMNS)
    assert caught.value.reason.splitlines() == ["n = 1 and sensitivty > 1", " " * 10 + "^"]


def test_the_caret_counts_cells_and_stays_near_in_a_long_text() -> None:
    with pytest.raises(FilterError) as caught:
        parse("超音波\x1b[2J\n )" + "x" * 500, COLUMNS)
    text, caret = caught.value.reason.splitlines()
    assert text.startswith("超音波\N{REPLACEMENT CHARACTER}[2J  )xxx")
    assert text.endswith("x…")
    assert caret == " " * (6 + 4 + 2) + "^"
    with pytest.raises(FilterError) as caught:
        parse('"' + "x" * 500 + '" )', COLUMNS)
    text, caret = caught.value.reason.splitlines()
    assert text.startswith("…xxx")
    assert text[len(caret) - 1] == ")"


def test_columns_are_listed_in_the_order_of_reading() -> None:
    tree = parse("n = 1 and not (study is none or x)", COLUMNS)
    assert list(columns_of(tree)) == ["n", "study", "name"]


def test_bare_words_can_be_looked_for_in_another_column() -> None:
    assert parse("head", {"path": Kind.TEXT}, words="path") == Compare("path", Operator.CONTAINS, "head")
