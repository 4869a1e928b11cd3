"""Folders that are whole or not there: the process is cut off at each of its file operations in turn."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.training import checkpoints, whole
from engine.training.checkpoints import (
    BROKEN,
    MANIFEST,
    complete_checkpoints,
    fault_of,
    give_up_for_room,
    latest_checkpoint,
    rotate,
    write_manifest,
)
from engine.training.whole import is_disk_full, is_failed_write, put_in_place, recovered, written_whole

OLD, NEW = {"a": "old a", "b": "old b"}, {"a": "new a", "c": "new c"}


RMTREE = shutil.rmtree


class Cut(BaseException):
    """The process is gone."""


class Scissors:
    """Cuts the process off before its k-th file operation; afterwards nothing more can be done to the disk."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
        self.at, self.count = at, 0
        for owner, name in [(os, "fsync"), (Path, "rename"), (shutil, "rmtree"), (os, "open"), (Path, "mkdir")]:
            monkeypatch.setattr(owner, name, self._cutting(getattr(owner, name)))

    def _half(self, folder: Path) -> None:
        """A removal is many operations: it is cut off after its first file."""
        for file in sorted(path for path in folder.rglob("*") if path.is_file())[:1]:
            file.unlink()

    def _cutting(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def cutting(*given: Any, **named: Any) -> Any:
            self.count += 1
            if self.count >= self.at:
                if call is RMTREE and self.count == self.at:
                    self._half(Path(given[0]))
                raise Cut
            return call(*given, **named)

        return cutting


def write(folder: Path, content: dict[str, str]) -> None:
    folder.mkdir(parents=True)
    for name, text in content.items():
        (folder / name).write_text(text)


def read(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()} if folder.is_dir() else {}


def cut_at_each_operation(monkeypatch: pytest.MonkeyPatch, work: Callable[[], None]) -> Iterator[int]:
    """Do the work again and again, cut off one operation later each time, until it gets through."""
    for at in range(1, 60):
        with monkeypatch.context() as patched:
            scissors = Scissors(patched, at)
            try:
                work()
            except Cut:
                pass
            else:
                assert scissors.count == at - 1
                return
        yield at
    raise AssertionError("it never got through")


@pytest.mark.parametrize("before", [OLD, {}])
def test_whatever_operation_is_the_last_the_old_or_the_new_one_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: dict[str, str]
) -> None:
    folder = tmp_path / "adapter"

    def work() -> None:
        with written_whole(folder) as partial:
            write(partial, NEW)

    if before:
        write(folder, before)
    seen = []
    for _ in cut_at_each_operation(monkeypatch, work):
        assert read(recovered(folder)) in (before, NEW)
        seen.append(read(folder))
        shutil.rmtree(tmp_path)
        tmp_path.mkdir()
        if before:
            write(folder, before)
    assert read(folder) == NEW
    assert [path.name for path in tmp_path.iterdir()] == ["adapter"]
    assert len(seen) > 5 and before in seen  # it was cut off before the new one was in place as well


def test_a_write_that_fails_leaves_the_old_one_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "adapter"
    write(folder, OLD)
    with pytest.raises(OSError, match="No space"), written_whole(folder) as partial:
        write(partial, NEW)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert read(folder) == OLD
    assert [path.name for path in tmp_path.iterdir()] == ["adapter"]


def test_what_a_killed_process_left_is_written_over(tmp_path: Path) -> None:
    folder = tmp_path / "adapter"
    write(tmp_path / "adapter.partial", {"half": "written"})
    with written_whole(folder) as partial:
        write(partial, NEW)
    assert read(folder) == NEW


@pytest.mark.parametrize(
    ("error", "full", "failed"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), True, True),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), True, True),
        # What safetensors and torch say on a full disk; the second was seen at /dev/full.
        (RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)"), True, True),
        (RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 704 vs 598"), True, True),
        (RuntimeError("PytorchStreamWriter failed writing file data/0: file write failed"), True, True),
        (RuntimeError("Error while serializing: I/O error: File too large (os error 27)"), False, True),
        (OSError(errno.EACCES, "Permission denied"), False, True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False, False),
    ],
)
def test_a_full_disk_is_told_from_other_errors(error: Exception, full: bool, failed: bool) -> None:
    assert is_disk_full(error) is full
    assert is_failed_write(error) is failed


def test_a_reader_who_puts_the_old_one_back_in_between_does_not_keep_the_new_one_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, rename, done = tmp_path / "adapter", Path.rename, []
    write(folder, OLD)

    def racing(self: Path, target: Path) -> Path:
        if self.name.endswith(whole.PARTIAL) and not done:
            done.append(recovered(folder))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", racing)
    with written_whole(folder) as partial:
        write(partial, NEW)
    assert done and read(folder) == NEW
    assert [path.name for path in tmp_path.iterdir()] == ["adapter"]


# ----- checkpoints


def checkpoint(folder: Path, step: int, manifest: bool = True) -> Path:
    made = folder / f"checkpoint-{step}"
    content = {name: f"{name} of {step}" for name in (*checkpoints.REQUIRED, checkpoints.RANDOM_STATES[0])}
    write(made, {**content, "trainer_state.json": json.dumps({"global_step": step})})
    if manifest:
        write_manifest(made)
    return made


def spoil_nothing(_made: Path) -> None:
    """As it was written."""


def flip(made: Path) -> None:
    file = made / "optimizer.pt"
    content = bytearray(file.read_bytes())
    content[3] ^= 1
    file.write_bytes(content)


def cut(made: Path) -> None:
    os.truncate(made / "adapter_model.safetensors", 5)


def take_away(made: Path) -> None:
    (made / "scheduler.pt").unlink()


def empty_manifest(made: Path) -> None:
    (made / MANIFEST).write_text("")


def other_step(made: Path) -> None:
    (made / "trainer_state.json").write_text(json.dumps({"global_step": 3}))


@pytest.mark.parametrize("spoil", [flip, cut, take_away, empty_manifest, other_step])
def test_a_checkpoint_that_is_not_what_was_written_is_passed_over_and_told(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    older, newest = checkpoint(tmp_path, 4), checkpoint(tmp_path, 8)
    spoil(newest)
    told: list[str] = []
    assert latest_checkpoint(tmp_path, told.append) == older
    assert len(told) == 1 and told[0].startswith("checkpoint-8 cannot be used: ")
    assert (tmp_path / f"checkpoint-8{BROKEN}").is_dir()  # kept, and never looked at again
    assert latest_checkpoint(tmp_path, told.append) == older and len(told) == 1


def test_good_checkpoints_are_taken_with_and_without_a_manifest(tmp_path: Path) -> None:
    checkpoint(tmp_path, 4)
    newest = checkpoint(tmp_path, 12, manifest=False)  # of an earlier version
    assert fault_of(newest) == ""
    told: list[str] = []
    assert latest_checkpoint(tmp_path, told.append) == newest and not told
    assert [each.name for each in complete_checkpoints(tmp_path)] == ["checkpoint-4", "checkpoint-12"]


def test_names_in_a_manifest_lead_nowhere_else(tmp_path: Path) -> None:
    made = checkpoint(tmp_path, 4)
    content = json.loads((made / MANIFEST).read_text())
    content["../../secret"] = content["/etc/passwd"] = {"size": 1, "sha256": "x"}
    (made / MANIFEST).write_text(json.dumps(content))
    assert fault_of(made) == ""


def test_a_checkpoint_that_is_replaced_is_never_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "checkpoints"

    def work() -> None:
        put_in_place(checkpoint(tmp_path / "staging", 4), folder / "checkpoint-4")

    write_again = [folder, tmp_path / "staging"]
    checkpoint(folder, 4)
    for _ in cut_at_each_operation(monkeypatch, work):
        if folder.exists():
            found = latest_checkpoint(folder, None)
            assert found is not None and found.name == "checkpoint-4"
        for each in write_again:
            shutil.rmtree(each, ignore_errors=True)
        checkpoint(folder, 4)
    assert latest_checkpoint(folder, None) == folder / "checkpoint-4"
    assert whole.ASIDE not in "".join(path.name for path in folder.iterdir())


def test_broken_checkpoints_are_no_reason_to_remove_a_good_one(tmp_path: Path) -> None:
    for step in (4, 8, 12):
        checkpoint(tmp_path, step)
    cut(checkpoint(tmp_path, 16))
    checkpoint(tmp_path, 20).rename(tmp_path / f"checkpoint-20{BROKEN}")
    rotate(tmp_path, 2)
    assert [each.name for each in complete_checkpoints(tmp_path)] == ["checkpoint-8", "checkpoint-12"]


def test_for_room_all_but_the_newest_good_checkpoint_go(tmp_path: Path) -> None:
    for step in (4, 8, 12):
        checkpoint(tmp_path, step)
    flip(tmp_path / "checkpoint-12")  # in its size, so that only reading it tells
    checkpoint(tmp_path, 20).rename(tmp_path / f"checkpoint-20{BROKEN}")
    assert give_up_for_room(tmp_path) == 3
    assert [each.name for each in tmp_path.iterdir()] == ["checkpoint-8"]
    assert give_up_for_room(tmp_path) == 0


@pytest.mark.parametrize("keep", [1, 2])
def test_a_rotation_that_is_cut_off_leaves_good_checkpoints_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keep: int
) -> None:
    folder = tmp_path / "checkpoints"
    for step in (4, 8, 12):
        checkpoint(folder, step)
    for _ in cut_at_each_operation(monkeypatch, lambda: rotate(folder, keep)):
        assert latest_checkpoint(folder) == folder / "checkpoint-12"
        assert len(complete_checkpoints(folder)) >= keep
        assert set(folder.iterdir()) == set(complete_checkpoints(folder))  # no half one stays for ever
        shutil.rmtree(folder)
        for step in (4, 8, 12):
            checkpoint(folder, step)
    assert len(list(folder.iterdir())) == keep


def test_what_a_killed_process_was_writing_or_removing_is_cleared_away(tmp_path: Path) -> None:
    newest = checkpoint(tmp_path, 8)
    checkpoint(tmp_path / ".partial", 12)
    checkpoint(tmp_path, 4).rename(tmp_path / ".checkpoint-4.gone")
    assert latest_checkpoint(tmp_path) == newest
    assert [each.name for each in tmp_path.iterdir()] == ["checkpoint-8"]
