"""The job process of a run on several devices: what becomes of its ranks, with light programs in their place."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.errors import JobError
from engine.jobs.devices import Device
from engine.jobs.dispatch import child_environment
from engine.jobs.process import process_start
from engine.training.distributed import launching
from engine.training.distributed.launching import RankFailed, run_on_ranks
from engine.training.distributed.places import place_words, rank_devices, rank_environment
from engine.types import Action, State
from engine.workspace import Workspace

RANK = """
import os, signal, sys, time
from pathlib import Path
from engine.training.distributed.__main__ import end_with_parent
from engine.training.distributed.reports import Failure, Outcome, Report
from engine.training.distributed.session import Wishes
from engine.types import State

values = dict(zip(sys.argv[2::2], sys.argv[3::2]))
workspace, rank, report = Path(values["--workspace"]), int(values["--rank"]), Path(values["--report"])
wishes = Wishes()
end_with_parent(wishes)
(workspace / f"pid-{rank}").write_text(str(os.getpid()))
while len(list(workspace.glob("pid-*"))) < int(values["--ranks"]):
    time.sleep(0.01)
exec((workspace / "behaviour.py").read_text())
"""
WAITS = "while True: time.sleep(0.01)\n"


class Session:
    """A job session that writes nothing."""

    job_id = 7

    def __init__(self, asks: Callable[[], Action | None] = lambda: None) -> None:
        self.check = asks
        self.events: list[str] = []
        self.finished: tuple[State, str] | None = None
        self.others_rss = 0

    def event(self, event: str, detail: str) -> None:
        self.events.append(f"{event}: {detail}")

    def finish(self, state: State, reason: str) -> None:
        self.finished = (state, reason)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Session]:
    program = tmp_path / "rank.py"
    program.write_text(RANK)
    monkeypatch.setattr(launching, "python_module", lambda _module: [sys.executable, str(program)])
    monkeypatch.setattr(launching, "devices", lambda: [Device("cpu", "CPU", 1, "")])
    for name, value in child_environment().items():
        monkeypatch.setenv(name, value)

    def start(behaviour: str, session: Session | None = None) -> Session:
        (tmp_path / "behaviour.py").write_text(behaviour)
        used = session or Session()
        run_on_ranks(Workspace(tmp_path), used, 2)  # type: ignore[arg-type]
        return used

    return start


def alive(folder: Path) -> list[int]:
    found = [int(file.read_text()) for file in folder.glob("pid-*")]
    assert len(found) == 2
    return [pid for pid in found if process_start(pid) is not None]


def test_ranks_that_end_well_say_how_the_run_ends(run: Callable[..., Session], tmp_path: Path) -> None:
    session = run("if rank == 0: Report(outcome=Outcome(State.SUCCEEDED, 'trained 6 steps')).write(report)")
    assert session.finished == (State.SUCCEEDED, "trained 6 steps")
    assert session.events[0].startswith("devices: each optimizer step is shared by 2 processes: cpu (process ")
    # The memory of the run is that of its largest rank, and not that of the process that watches.
    assert session.others_rss > 1_000_000
    assert alive(tmp_path) == []


def test_the_death_of_a_rank_ends_the_run(run: Callable[..., Session], tmp_path: Path) -> None:
    with pytest.raises(RankFailed) as caught:
        run(f"if rank == 1: os.kill(os.getpid(), signal.SIGKILL)\n{WAITS}")
    assert caught.value.title == "Rank 1 of the run died without a word (killed by signal 9)"
    assert "sonotune resume 7" in caught.value.next_step
    assert alive(tmp_path) == []


@pytest.mark.parametrize("cause", [0, 1])
def test_the_cause_is_told_and_not_what_came_of_it(run: Callable[..., Session], cause: int) -> None:
    behaviour = f"""
known = rank == {cause}
words = ("The training diverged", "nan", "Lower it") if known else ("RuntimeError: Connection closed", "gloo", "Look")
Report(failure=Failure(*words, known)).write(report)
sys.exit(1)
"""
    with pytest.raises(RankFailed) as caught:
        run(behaviour)
    assert (caught.value.title, caught.value.next_step) == ("The training diverged", "Lower it")
    assert caught.value.reason == f"On rank {cause}: nan"


def test_a_dead_rank_goes_before_those_that_lost_their_connection_to_it(run: Callable[..., Session]) -> None:
    behaviour = """
if rank == 1:
    os.kill(os.getpid(), signal.SIGSEGV)
Report(failure=Failure("RuntimeError: Connection closed", "gloo", "Look", False)).write(report)
sys.exit(1)
"""
    with pytest.raises(RankFailed, match=r"Rank 1 of the run died without a word \(killed by signal 11\)"):
        run(behaviour)


def test_requests_reach_the_first_rank_alone(run: Callable[..., Session], tmp_path: Path) -> None:
    behaviour = """
while not (workspace / "heard").exists():
    if wishes.asked is not None:
        (workspace / f"asked-{rank}").write_text(wishes.asked.value)
        (workspace / "heard").touch()
        Report(outcome=Outcome(State.INTERRUPTED, "stopped")).write(report)
    time.sleep(0.01)
"""
    session = run(behaviour, Session(lambda: Action.STOP))
    assert session.finished == (State.INTERRUPTED, "stopped")
    assert [file.name for file in tmp_path.glob("asked-*")] == ["asked-0"]
    assert (tmp_path / "asked-0").read_text() == "stop"


def test_a_row_that_was_taken_away_ends_all_ranks(run: Callable[..., Session], tmp_path: Path) -> None:
    def lost() -> Action | None:
        if len(list(tmp_path.glob("pid-*"))) == 2:
            raise JobError("training job 7 no longer belongs to this process")
        return None

    with pytest.raises(JobError, match="no longer belongs"):
        run(WAITS, Session(lost))
    assert alive(tmp_path) == []


def test_the_death_of_the_job_process_ends_all_ranks(tmp_path: Path) -> None:
    (tmp_path / "rank.py").write_text(RANK)
    (tmp_path / "behaviour.py").write_text(WAITS)
    (tmp_path / "job.py").write_text(
        "import sys\n"
        "from types import SimpleNamespace\n"
        "from engine.jobs.devices import Device\n"
        "from engine.training.distributed import launching\n"
        "from engine.workspace import Workspace\n"
        f"launching.python_module = lambda _module: [sys.executable, {str(tmp_path / 'rank.py')!r}]\n"
        "launching.devices = lambda: [Device('cpu', 'CPU', 1, '')]\n"
        "session = SimpleNamespace(job_id=7, check=lambda: None, event=lambda *words: None)\n"
        f"launching.run_on_ranks(Workspace.find({str(tmp_path)!r}), session, 2)\n"
    )
    job = subprocess.Popen([sys.executable, str(tmp_path / "job.py")], env=child_environment())
    wait_until(lambda: len([file for file in tmp_path.glob("pid-*") if file.read_text()]) == 2)
    assert len(alive(tmp_path)) == 2
    # Their own signals from a terminal are left to the job process.
    for pid in alive(tmp_path):
        os.kill(pid, signal.SIGTERM)
        os.kill(pid, signal.SIGINT)
    time.sleep(0.1)
    assert len(alive(tmp_path)) == 2
    job.kill()
    job.wait()
    wait_until(lambda: alive(tmp_path) == [])


def wait_until(holds: Callable[[], Any], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


CARDS = [Device(f"cuda:{number}", "H100", 80, f"GPU-{number}") for number in range(3)]
CPU = Device("cpu", "CPU, 4 cores", 8, "")


def test_ranks_have_a_card_each_or_share_the_cpu() -> None:
    assert rank_devices(2, CARDS) == CARDS[:2]
    assert rank_devices(2, [CPU]) == [CPU, CPU]
    with pytest.raises(JobError, match="wants 4 GPUs and may use 3") as caught:
        rank_devices(4, CARDS)
    assert "training.devices=3" in caught.value.next_step
    assert place_words(CARDS[:2]) == "cuda:0,cuda:1 (2 x H100)"
    assert place_words([CPU, CPU]) == "cpu (CPU, 4 cores)"


def test_a_rank_sees_its_own_card_alone() -> None:
    given = {"CUDA_VISIBLE_DEVICES": "GPU-0,GPU-1", "LANG": "C"}
    environment = rank_environment(1, CARDS[:2], given)
    assert (environment["CUDA_VISIBLE_DEVICES"], environment["LANG"]) == ("GPU-1", "C")
    assert int(environment["OMP_NUM_THREADS"]) >= 1
    assert rank_environment(0, CARDS[:2], {**given, "OMP_NUM_THREADS": "5"})["OMP_NUM_THREADS"] == "5"
