"""A disk that is full before a training, and at its end."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from test_whole import checkpoint

from engine.errors import ModelError
from engine.jobs.disk import LOW_DISK
from engine.jobs.phases import Phase
from engine.training import disk_patience, room
from engine.training.disk_patience import DISK_FULL, DiskPatience, NotAwaitedError
from engine.training.phases import Phases
from engine.types import Action

GB = 10**9
FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class Told:
    """What a run is told and asked, in place of its session."""

    def __init__(self, *asked: Action | None) -> None:
        self.events: list[tuple[str, str]] = []
        self.phases: list[object] = []
        self.asked = [*asked, None]

    def event(self, kind: str, detail: str) -> None:
        self.events.append((kind, detail))

    def progress(self, **columns: object) -> None:
        self.phases.append(columns["phase"])

    def check(self) -> Action | None:
        return self.asked.pop(0) if len(self.asked) > 1 else self.asked[0]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk_patience, "POLL_SECONDS", 0.0)


def patience(folder: Path, told: Told) -> DiskPatience:
    return DiskPatience(folder, told.check, told.event, Phases(told))


def failing(times: int, error: Exception = FULL) -> Callable[[], str]:
    calls = iter(range(times + 1))

    def write() -> str:
        if next(calls) < times:
            raise error
        return "written"

    return write


def test_older_checkpoints_are_given_up_first_and_the_newest_never(tmp_path: Path) -> None:
    for step in (4, 8, 12):
        checkpoint(tmp_path, step)
    told = Told()
    assert patience(tmp_path, told).write("the adapter", failing(1)) == "written"
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-12"]
    assert [kind for kind, _ in told.events] == [DISK_FULL] and "given up" in told.events[0][1]
    assert not told.phases


def test_it_waits_until_there_is_room_and_says_so_once(tmp_path: Path) -> None:
    told = Told()
    assert patience(tmp_path, told).write("the adapter", failing(7)) == "written"
    assert [kind for kind, _ in told.events] == [DISK_FULL]
    assert told.phases == [Phase.WAITING_FOR_DISK]


@pytest.mark.parametrize("asked", [Action.STOP, Action.CANCEL])
def test_who_does_not_want_to_wait_is_told_how_to_go_on(tmp_path: Path, asked: Action) -> None:
    checkpoint(tmp_path, 4)
    with pytest.raises(NotAwaitedError) as raised:
        patience(tmp_path, Told(None, None, None, asked)).write("the adapter", failing(10**6))
    assert "step 4" in raised.value.next_step and "the adapter" in raised.value.title
    assert (tmp_path / "checkpoint-4").exists()


def test_who_had_asked_for_a_stop_before_wants_the_adapter_saved(tmp_path: Path) -> None:
    told = Told(*[Action.STOP] * 9)
    assert patience(tmp_path, told).write("the adapter", failing(5)) == "written"
    told = Told(Action.STOP, Action.STOP, Action.CANCEL, Action.CANCEL)
    with pytest.raises(NotAwaitedError):
        patience(tmp_path, told).write("the adapter", failing(10**6))


def test_patience_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk_patience, "PATIENCE_SECONDS", 0.0)
    with pytest.raises(ModelError) as raised:
        patience(tmp_path, Told()).write("the adapter", failing(10**6))
    assert not isinstance(raised.value, NotAwaitedError)
    assert "begins anew" in raised.value.next_step  # no checkpoint lies there


def test_other_errors_go_on_at_once(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="denied"):
        patience(tmp_path, Told()).write("the adapter", failing(1, OSError(errno.EACCES, "denied")))


# ----- before


@pytest.mark.parametrize(
    ("free", "kinds"), [(10 * GB, []), (int(1.0 * GB), [LOW_DISK]), (int(0.3 * GB), None)], ids=["room", "low", "none"]
)
def test_a_run_that_could_not_be_saved_is_refused_before_it_trains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, kinds: list[str] | None
) -> None:
    monkeypatch.setattr(room, "free_bytes", lambda _folder: free)
    told = Told()
    if kinds is None:
        with pytest.raises(ModelError) as raised:
            room.require_room(tmp_path, 40_000_000, told.event)
        assert "Free some space" in raised.value.next_step
    else:
        room.require_room(tmp_path, 40_000_000, told.event)
        assert [kind for kind, _ in told.events] == kinds


def test_a_launch_is_warned_of_a_disk_that_is_too_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = room.wanted_bytes(40_000_000)
    monkeypatch.setattr(room, "free_bytes", lambda _folder: wanted)
    assert room.room_warning(tmp_path, 40_000_000) == ""
    assert "free some space" in room.room_warning(tmp_path, 40_000_001)


def test_a_resumed_run_is_not_refused_because_it_can_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "free_bytes", lambda _folder: 0)
    checkpoint(tmp_path / "checkpoints", 4)
    told = Told()
    room.require_room(tmp_path, 40_000_000, told.event)
    assert [kind for kind, _ in told.events] == [LOW_DISK]
