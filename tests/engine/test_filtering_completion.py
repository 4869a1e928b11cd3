from __future__ import annotations

import pytest

from engine.filtering import Kind, Suggestion, complete

COLUMNS = {
    "name": Kind.TEXT,
    "sensitivity": Kind.SHARE,
    "text_sensitivity": Kind.SHARE,
    "queued": Kind.TIME,
    "view:Head circ:auroc": Kind.SHARE,
}


def words(text: str, cursor: int | None = None) -> list[str]:
    return [each.text for each in complete(text, len(text) if cursor is None else cursor, COLUMNS)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["name", "sensitivity", "text_sensitivity", "queued", '"view:Head circ:auroc"', "not"]),
        ("SENS", ["sensitivity", "text_sensitivity"]),
        ("head", ['"view:Head circ:auroc"']),
        ("name = a and sen", ["sensitivity", "text_sensitivity"]),
        ("(sen", ["sensitivity", "text_sensitivity"]),
        ("not sen", ["sensitivity", "text_sensitivity"]),
        ("sensitivity ", [">=", "<=", ">", "<", "=", "!=", "is"]),
        ("name ", ["contains", "=", "!=", "is"]),
        ("name c", ["contains"]),
        ("name not ", ["contains"]),
        ("queued ", [">=", "<=", ">", "<", "is"]),
        ("queued is ", ["none", "set"]),
        ("queued is not s", ["set"]),
        ("queued is none ", ["and", "or"]),
        ("sensitivity > 0.5 ", ["and", "or"]),
        ("sensitivity > 10 % o", ["or"]),
        ("baseline ", ["and", "or"]),
        ("(name = a) ", ["and", "or"]),
        ("sensitivity > ", []),
        ("name contains sen", []),
        ('name = "sen', []),
        ("nothing like it", []),
    ],
)
def test_what_may_stand_at_the_end(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_a_suggestion_replaces_the_whole_word_under_the_cursor() -> None:
    text = "sensXXX > 0.5 and queued is none"
    assert complete(text, 4, COLUMNS)[0] == Suggestion("sensitivity", 0, 7, "column")
    assert words(text, 0)[0] == "name"


def test_a_cursor_outside_means_the_ends() -> None:
    assert words("sens", 99) == words("sens", 4)
    assert words("sens", -1) == words("sens", 0)
