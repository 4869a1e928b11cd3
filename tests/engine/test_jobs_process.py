from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from store_helpers import wait_until

from engine.jobs import devices as devices_module
from engine.jobs.devices import devices, nvml_indices
from engine.jobs.dispatch import child_environment
from engine.jobs.lock import WorkerLock, holder
from engine.jobs.process import is_alive, kill_session, last_lines, process_start, signal_process, spawn_detached


def test_this_process_is_alive_and_known_by_its_start() -> None:
    start = process_start(os.getpid())
    assert start is not None
    assert start == process_start(os.getpid())
    assert is_alive(os.getpid(), start)
    assert start == pytest.approx(psutil.Process().create_time() - psutil.boot_time(), abs=2.0)


def test_a_reused_pid_is_not_the_process_that_had_it() -> None:
    start = process_start(os.getpid())
    assert start is not None
    assert not is_alive(os.getpid(), start - 0.01)
    assert not is_alive(os.getpid(), None)
    assert not is_alive(None, start)
    assert not signal_process(os.getpid(), start - 0.01, signal.SIGKILL)
    assert not kill_session(os.getpid(), start - 0.01)


def test_a_process_that_has_ended_is_gone_even_before_its_parent_collects_it(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    start = process_start(child.pid)
    assert is_alive(child.pid, start)
    child.kill()
    wait_until(lambda: not is_alive(child.pid, start), "the zombie counts as gone")
    assert psutil.Process(child.pid).status() == psutil.STATUS_ZOMBIE
    child.wait()
    assert process_start(child.pid) is None


def test_a_command_name_with_blanks_and_brackets_is_read(tmp_path: Path) -> None:
    program = tmp_path / "a) Z 1 (b"
    program.symlink_to("/bin/sleep")
    child = subprocess.Popen([program, "60"])
    try:
        start = process_start(child.pid)
        assert start is not None
        assert start == pytest.approx(psutil.Process(child.pid).create_time() - psutil.boot_time(), abs=2.0)
    finally:
        child.kill()
        child.wait()


def test_a_detached_process_has_its_own_session_no_input_and_a_private_log(tmp_path: Path) -> None:
    log = tmp_path / "deep" / "log.txt"
    code = "import os, sys; print(os.getsid(0) == os.getpid(), repr(sys.stdin.read()), os.environ['MARK'], os.getcwd())"
    for mark in ("one", "two"):
        child = spawn_detached([sys.executable, "-c", code], log, {**os.environ, "MARK": mark}, tmp_path)
        assert child.wait(timeout=60) == 0
    assert log.read_text() == f"True '' one {tmp_path}\nTrue '' two {tmp_path}\n"
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    with pytest.raises(OSError, match="nothing-here"):
        spawn_detached([str(tmp_path / "nothing-here")], log)


def test_killing_a_job_kills_what_it_started(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print(child.pid, flush=True)\ntime.sleep(600)"
    )
    parent = spawn_detached([sys.executable, "-c", code], tmp_path / "log.txt")
    start = process_start(parent.pid)
    wait_until(lambda: last_lines(tmp_path / "log.txt"), "the grandchild's number")
    grandchild = int(last_lines(tmp_path / "log.txt"))
    grandchild_start = process_start(grandchild)
    assert is_alive(grandchild, grandchild_start)
    assert kill_session(parent.pid, start)
    parent.wait(timeout=30)
    wait_until(lambda: not is_alive(grandchild, grandchild_start), "the grandchild is gone too")
    assert not kill_session(parent.pid, start)


def test_the_last_lines_of_a_log_are_short_and_survive_progress_bars(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    assert last_lines(log) == ""
    log.write_bytes(b"x" * 100_000 + b"\n" + b"step 1\rstep 2\rstep 3\nbroken \xff byte\r\nlast\n\n")
    assert last_lines(log, count=3) == "step 3\nbroken \ufffd byte\nlast"
    assert len(last_lines(log, count=10)) <= 16_384


def test_one_holder_at_a_time_and_the_lock_says_who(tmp_path: Path) -> None:
    path = tmp_path / "worker.lock"
    assert holder(path) is None
    assert not path.exists()
    first, second = WorkerLock(path), WorkerLock(path)
    assert first.acquire()
    assert not second.acquire()
    found = holder(path)
    assert found is not None
    assert (found.pid, found.process_start) == (os.getpid(), process_start(os.getpid()))
    first.release()
    first.release()
    assert holder(path) is None
    assert second.acquire(wait_seconds=5.0)
    second.release()


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    path = tmp_path / "worker.lock"
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom engine.jobs.lock import WorkerLock\n"
        f"assert WorkerLock(Path({str(path)!r})).acquire()\ntime.sleep(600)"
    )
    child = subprocess.Popen([sys.executable, "-c", code], env=child_environment())
    wait_until(lambda: (found := holder(path)) is not None and found.pid == child.pid, "the child holds the lock")
    child.kill()
    child.wait()
    assert holder(path) is None
    lock = WorkerLock(path)
    assert lock.acquire()
    lock.release()


class FakeNvml:
    """Two cards, in NVML's shape."""

    @staticmethod
    def nvmlDeviceGetCount() -> int:  # noqa: N802
        return 2

    @staticmethod
    def nvmlDeviceGetHandleByIndex(index: int) -> int:  # noqa: N802
        return index

    @staticmethod
    def nvmlDeviceGetMemoryInfo(handle: int) -> Any:  # noqa: N802
        return SimpleNamespace(total=80 * 2**30, used=0)

    @staticmethod
    def nvmlDeviceGetName(handle: int) -> bytes:  # noqa: N802
        return b"H100"

    @staticmethod
    def nvmlDeviceGetUUID(handle: int) -> str:  # noqa: N802
        return f"GPU-{'ab'[handle]}123"


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        (None, ["cuda:0", "cuda:1"]),
        ("0,1", ["cuda:0", "cuda:1"]),
        ("1", ["cuda:1"]),
        ("GPU-b", ["cuda:1"]),
        ("GPU-a123,1", ["cuda:0", "cuda:1"]),
        ("", ["cpu"]),
        ("-1", ["cpu"]),
        ("1,-1,0", ["cuda:1"]),
        ("7", ["cpu"]),
    ],
)
def test_devices_are_the_cards_that_are_left_to_us_else_the_cpu(
    monkeypatch: pytest.MonkeyPatch, visible: str | None, expected: list[str]
) -> None:
    monkeypatch.setattr(devices_module, "load_nvml", lambda: FakeNvml)
    found = devices({} if visible is None else {"CUDA_VISIBLE_DEVICES": visible})
    assert [device.id for device in found] == expected
    shown = {"cuda:0": "GPU-a123", "cuda:1": "GPU-b123", "cpu": ""}
    assert [device.visible for device in found] == [shown[name] for name in expected]
    assert all(device.memory_bytes > 0 for device in found)


def test_without_a_driver_there_is_one_cpu_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices_module, "load_nvml", lambda: None)
    (device,) = devices({})
    assert (device.id, device.visible) == ("cpu", "")


@pytest.mark.parametrize(
    ("device", "indices"),
    [("cuda:1", [1]), ("cuda:0,cuda:12", [0, 12]), ("cpu", []), (None, []), ("cuda:x", []), ("cuda:x,cuda:2", [2])],
)
def test_the_numbers_of_gpus_are_read_from_their_device_ids(device: str | None, indices: list[int]) -> None:
    assert nvml_indices(device) == indices
