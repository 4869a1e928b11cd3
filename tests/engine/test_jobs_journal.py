from __future__ import annotations

import errno
import math
import os
from pathlib import Path

import pytest
from store_helpers import prediction

from engine.jobs import journal as journal_module
from engine.jobs.journal import FILE_NAME, Attempt, Ending, Journal, attempts, lines_of, read
from engine.store.recorded import Answered, Columns, Happened, Measured
from engine.types import State

ATTEMPT = Attempt(4711, 12.34, "boot")
LINES = [
    Measured(7, {"loss": 0.1 + 0.2, "grad_norm": math.inf}, 1.7e9 + 0.123456),
    Columns({"final_loss": None, "versions": '{"torch": "2"}', "step": 3}),
    Happened("mark", "caf\u00e9 \x1b[31m \ud800", 5.0),
    Answered((prediction(raw_output="line\nbreak", correct=None), prediction("b.png"))),
    Ending(State.FAILED, "why", {"error_title": "t"}),
]


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    made = Journal(tmp_path / "outputs" / "00001-x")
    assert made.append(ATTEMPT)
    return made


def listed(line: object) -> object:
    return Answered(tuple(line.predictions)) if isinstance(line, Answered) else line


def test_every_line_comes_back_as_it_was(journal: Journal) -> None:
    for line in LINES:
        assert journal.append(line)
    assert [listed(line) for line in lines_of(journal.path, 4711, 12.34)] == LINES
    assert next(iter(read(journal.path))) == ATTEMPT
    assert journal.path.read_bytes().count(b"\n") == len(LINES) + 1


def test_a_number_that_is_none_comes_back(journal: Journal) -> None:
    journal.append(Measured(1, {"loss": math.nan}, 1.0))
    [line] = lines_of(journal.path, 4711, 12.34)
    assert isinstance(line, Measured)
    assert math.isnan(line.values["loss"])


def test_only_the_last_attempt_counts_and_only_for_its_process(journal: Journal) -> None:
    journal.append(LINES[0])
    assert lines_of(journal.path, 4711, 99.0) == []
    assert lines_of(journal.path, 4712, 12.34) == []
    assert lines_of(journal.path, None, None) == []
    again = Attempt(4800, 50.0, "boot")
    journal.append(again)
    journal.append(LINES[1])
    assert lines_of(journal.path, 4711, 12.34) == []
    assert lines_of(journal.path, 4800, 50.0) == [LINES[1]]
    assert attempts(journal.path) == [ATTEMPT, again]


def test_no_journal_holds_nothing(tmp_path: Path) -> None:
    assert [*read(tmp_path / FILE_NAME)] == []
    assert attempts(tmp_path / FILE_NAME) == []


@pytest.mark.parametrize("cut", [1, 5, 20])
def test_a_torn_last_line_costs_only_itself(journal: Journal, cut: int) -> None:
    for step in (1, 2):
        journal.append(Measured(step, {"loss": 0.5}, 1.0))
    journal.close()
    data = journal.path.read_bytes()
    journal.path.write_bytes(data[:-cut])
    # The next process begins on a line of its own.
    later = Journal(journal.path.parent)
    later.append(Measured(3, {"loss": 0.25}, 1.0))
    later.close()
    steps = [line.step for line in lines_of(journal.path, 4711, 12.34) if isinstance(line, Measured)]
    # Without its line break alone, a line is whole.
    assert steps == ([1, 2, 3] if cut == 1 else [1, 3])


def test_a_full_disk_is_no_error_and_its_lines_follow(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(journal_module, "_AGAIN_SECONDS", 0.0)
    real, left = os.write, [30, 0, 0]

    def short(descriptor: int, data: bytes) -> int:
        if not left:
            return real(descriptor, data)
        if room := left.pop(0):
            return real(descriptor, data[:room])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(journal_module.os, "write", short)
    assert [journal.append(Measured(step, {"loss": 0.5}, 1.0)) for step in (1, 2, 3, 4)] == [False, False, False, True]
    assert [line.step for line in lines_of(journal.path, 4711, 12.34) if isinstance(line, Measured)] == [1, 2, 3, 4]
    assert caplog.text.count("cannot be written") == 1


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    target.touch()
    (tmp_path / FILE_NAME).symlink_to(target)
    journal = Journal(tmp_path)
    assert not journal.append(ATTEMPT)
    assert target.read_bytes() == b""
