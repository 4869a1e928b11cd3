"""Rows beside the pinned one: each pair is compared once, and p is adjusted over all that were looked at."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from compare_helpers import Said, guesses, measured, predictions, targets

from engine import api
from engine.errors import JobError
from engine.store.reader import Reader
from engine.store.writer import Writer
from engine.types import Reference

MEANT = targets(90, abnormal=3)


@pytest.fixture
def workspace(tmp_path: Path) -> api.Workspace:
    return api.Workspace(tmp_path)


@pytest.fixture
def evaluations(workspace: api.Workspace) -> list[int]:
    """Of a pinned run, a better one, two of its kind, and a reference."""
    with Writer.open(workspace) as writer:
        ids = [
            measured(writer, f"run-{seed}", predictions(MEANT, guesses(MEANT, seed, skill=skill)))
            for seed, skill in ((1, 0.3), (2, 0.95), (3, 0.3), (4, 0.3))
        ]
        return [*ids, measured(writer, Reference.MAJORITY, predictions(MEANT, [Said(MEANT[1], 0.1)] * 90))]


@pytest.fixture
def reader(workspace: api.Workspace, evaluations: list[int]) -> Iterator[Reader]:
    with Reader(workspace) as opened:
        yield opened


def test_a_few_rows_at_a_time(reader: Reader, evaluations: list[int]) -> None:
    standings = api.Standings()
    pinned, *rows = evaluations
    assert list(standings.read(reader, pinned, rows)) == rows[:1]
    assert list(standings.read(reader, pinned, [pinned, *rows], most=2)) == rows[:3]
    found = standings.read(reader, pinned, rows, most=9)
    assert [found[row].standing for row in rows] == [
        api.Standing.BETTER,
        api.Standing.SAME,
        api.Standing.SAME,
        api.Standing.WORSE,
    ]


def test_marks_are_those_of_one_comparison_of_all_rows(
    workspace: api.Workspace, reader: Reader, evaluations: list[int]
) -> None:
    pinned, *rows = evaluations
    found = api.Standings().read(reader, pinned, rows, most=9)
    together = api.compare(workspace, [f"evaluation:{each}" for each in evaluations])
    for row, pair in zip(rows, together.pairs, strict=True):
        assert (found[row].p_adjusted, found[row].family) == (pytest.approx(pair.p_adjusted), 4)
        assert (found[row].standing, found[row].fixed, found[row].broken) == (
            pair.standing,
            len(pair.fixed),
            len(pair.broken),
        )
        assert found[row].sentence.rsplit(": ", 1)[1] == pair.verdict.rsplit(": ", 1)[1]


def test_more_rows_make_p_larger_and_never_smaller(reader: Reader, evaluations: list[int]) -> None:
    standings = api.Standings()
    pinned, *rows = evaluations
    before = standings.read(reader, pinned, rows[1:2])[rows[1]]
    after = standings.read(reader, pinned, rows, most=9)[rows[1]]
    assert before.family == 1
    assert after.family == 4
    assert before.p_adjusted is not None
    assert after.p_adjusted is not None
    assert after.p_adjusted >= before.p_adjusted


def test_no_pair_is_read_twice(reader: Reader, evaluations: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    standings = api.Standings()
    pinned, *rows = evaluations
    first = standings.read(reader, pinned, rows, most=9)

    def refused(*_: object) -> None:
        raise AssertionError("read again")

    monkeypatch.setattr(reader, "outputs", refused)
    assert standings.read(reader, pinned, rows, most=9) == first


def test_another_database_has_other_evaluations(workspace: api.Workspace, evaluations: list[int]) -> None:
    standings = api.Standings()
    pinned, *rows = evaluations
    first = standings.read_in(workspace, pinned, rows[:1])
    copy = workspace.root / "copy.db"
    with sqlite3.connect(workspace.database) as connection:
        connection.execute(f"VACUUM INTO '{copy}'")
    assert standings.read_in(workspace, pinned, [], most=9) == first
    for file in workspace.root.glob("runs.db*"):
        file.unlink()
    copy.rename(workspace.database)
    assert standings.read_in(workspace, pinned, [], most=9) == {}


def test_each_pinned_row_has_standings_of_its_own(reader: Reader, evaluations: list[int]) -> None:
    standings = api.Standings()
    first, second, *_ = evaluations
    assert standings.read(reader, first, [second])[second].standing is api.Standing.BETTER
    assert standings.read(reader, second, [first])[first].standing is api.Standing.WORSE
    assert set(standings.read(reader, first, [])) == {second}


def test_other_images_are_not_comparable(workspace: api.Workspace, reader: Reader, evaluations: list[int]) -> None:
    with Writer.open(workspace) as writer:
        part = measured(writer, "part", predictions(MEANT[:30], guesses(MEANT[:30], 9, skill=0.9)))
    found = api.Standings().read(reader, evaluations[0], [part])[part]
    assert found.standing is api.Standing.UNKNOWN
    assert "different images" in found.sentence


def test_an_evaluation_that_is_not_there(reader: Reader, evaluations: list[int]) -> None:
    with pytest.raises(JobError, match="no evaluation 99"):
        api.Standings().read(reader, evaluations[0], [99])
