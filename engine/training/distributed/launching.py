"""The job process of a run on several devices: starts the ranks, passes requests on, and ends all of them with one.

This process keeps the run's row, its heartbeat and its signals (`engine.jobs.session`), and loads no torch: whatever a
rank does on its device, a hanging collective included, it can be ended from here.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from engine.errors import SonotuneError
from engine.jobs.devices import Device, devices
from engine.jobs.dispatch import python_module
from engine.jobs.session import JobSession
from engine.telemetry import children_peak_rss_bytes
from engine.training.distributed.places import rank_devices, rank_environment
from engine.training.distributed.reports import Report, read_report
from engine.types import Action
from engine.workspace import Workspace

POLL_SECONDS = 0.05
LAST_WORDS_SECONDS = 3.0
"""After a first failure the other ranks get so long to say what befell them: one of them may know the cause."""


class RankFailed(SonotuneError):  # noqa: N818 - the name says what happened
    """A rank of the run has failed, and the others were ended."""


@dataclass(frozen=True, slots=True)
class Rank:
    """A rank's process."""

    number: int
    process: subprocess.Popen[bytes]
    report_file: Path

    @property
    def failed(self) -> bool:
        """Whether it has ended, and not well."""
        return self.process.poll() not in (None, 0)

    def report(self) -> Report:
        """Its last word; empty where it came to none."""
        return read_report(self.report_file) or Report()

    def tell(self, action: Action) -> None:
        """Pass a request on; a rank that is gone needs none."""
        pipe = cast("IO[bytes]", self.process.stdin)
        try:
            pipe.write(f"{action.value}\n".encode())
            pipe.flush()
        except BrokenPipeError:
            return


def run_on_ranks(workspace: Workspace, session: JobSession, count: int) -> None:
    """Train the run of `session` on `count` devices, and say how it ended.

    Raises:
        JobError: the machine has too few GPUs, or the row was taken from this process.
        RankFailed: a rank failed; the error of the one that knows the cause.
    """
    places = rank_devices(count, devices())
    with tempfile.TemporaryDirectory(prefix="sonotune-ranks-") as folder:
        ranks: list[Rank] = []
        try:
            # Appended one by one, so that those already started are ended where the next one cannot be.
            ranks.extend(_start(workspace, session.job_id, number, places, Path(folder)) for number in range(count))
            session.event("devices", _words(ranks, places))
            _watch(session, ranks)
        finally:
            _end(ranks)
            session.others_rss = children_peak_rss_bytes()
        outcome = ranks[0].report().outcome
    if outcome is not None:
        session.finish(outcome.state, outcome.reason)


def _start(workspace: Workspace, run_id: int, number: int, places: Sequence[Device], folder: Path) -> Rank:
    report = folder / f"rank-{number}.json"
    command = [*python_module("engine.training.distributed"), str(run_id), "--workspace", str(workspace.root)]
    place = ["--rank", str(number), "--ranks", str(len(places)), "--rendezvous", str(folder / "store")]
    process = subprocess.Popen(
        [*command, *place, "--report", str(report)],
        stdin=subprocess.PIPE,
        # Of what the trainer prints at each step once is enough; errors come from all of them.
        stdout=None if number == 0 else subprocess.DEVNULL,
        env=rank_environment(number, places),
    )
    return Rank(number, process, report)


def _words(ranks: Sequence[Rank], places: Sequence[Device]) -> str:
    on = ", ".join(f"{place.id} (process {rank.process.pid})" for rank, place in zip(ranks, places, strict=True))
    return f"each optimizer step is shared by {len(ranks)} processes: {on}"


def _watch(session: JobSession, ranks: Sequence[Rank]) -> None:
    """Until all ranks have ended well."""
    told: Action | None = None
    while any(rank.process.poll() is None for rank in ranks):
        if any(rank.failed for rank in ranks):
            break
        asked = session.check()
        if asked is not None and asked is not told:
            told = asked
            # The first rank tells the others, at the same step on all of them.
            ranks[0].tell(asked)
        time.sleep(POLL_SECONDS)
    if any(rank.failed for rank in ranks):
        raise _cause(session.job_id, _failures(ranks))


def _failures(ranks: Sequence[Rank]) -> list[Rank]:
    deadline = time.monotonic() + LAST_WORDS_SECONDS
    while time.monotonic() < deadline and any(rank.process.poll() is None for rank in ranks):
        time.sleep(POLL_SECONDS)
    return [rank for rank in ranks if rank.failed]


def _cause(run_id: int, failed: Sequence[Rank]) -> SonotuneError:
    """The error of the rank that failed by itself: where one is gone, the others lose their connection to it."""

    def weight(rank: Rank) -> tuple[bool, bool]:
        failure = rank.report().failure
        return failure is not None and not failure.understood, failure is not None

    rank = min(failed, key=weight)
    failure = rank.report().failure
    if failure is not None:
        return RankFailed(failure.title, f"On rank {rank.number}: {failure.detail}", failure.next_step)
    code = rank.process.returncode
    how = f"killed by signal {-code}" if code < 0 else f"exit code {code}"
    memory = " The kernel does so when memory runs out (`dmesg` tells)." if code == -9 else ""
    return RankFailed(
        f"Rank {rank.number} of the run died without a word ({how})",
        f"A step needs all ranks, so the others were ended with it.{memory}",
        f"Read its log; then `sonotune resume {run_id}` goes on from its last checkpoint.",
    )


def _end(ranks: Sequence[Rank]) -> None:
    """Leave no rank behind. Those that have saved and reported have nothing left to do."""
    for rank in ranks:
        rank.process.kill()
    for rank in ranks:
        rank.process.wait()
        cast("IO[bytes]", rank.process.stdin).close()
