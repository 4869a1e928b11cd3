"""A job without torch: a real `JobSession` and recording around steps of a few milliseconds, so that kills are cheap.

Started by the real worker (`light_worker.py`). `LIGHT_ORDERS` names a JSON file that says what it does; whatever it has
recorded it also tells a witness file, which lies outside the workspace and is never read by the product.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

_real_time = time.time
_shift = [0.0]
"""Seconds by which the clock of this process has jumped."""

# Before anything of the product is imported: some of it keeps the function.
time.time = lambda: _real_time() + _shift[0]

import light_faults  # noqa: E402
from light_job_values import loss_of, prediction  # noqa: E402
from light_worker import orders, use_light_programs  # noqa: E402

from engine.jobs.log_output import outlast_full_log  # noqa: E402
from engine.jobs.process import process_start  # noqa: E402
from engine.jobs.session import JobSession  # noqa: E402
from engine.store.reader import Reader  # noqa: E402
from engine.types import JobKind  # noqa: E402
from engine.workspace import Workspace  # noqa: E402


class Witness:
    """What the job has seen go in, one line at a time: a line that was written outlives its process.

    Where the job itself may write to no file, another process does it for it.
    """

    def __init__(self, folder: Path, kind: JobKind, job_id: int, *, apart: bool) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        self._descriptor = os.open(folder / f"{kind}-{job_id}.jsonl", flags, 0o600)
        if apart:
            self._clerk = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=self._descriptor)
            assert self._clerk.stdin is not None
            self._descriptor = self._clerk.stdin.fileno()

    def tell(self, **values: Any) -> None:
        os.write(self._descriptor, json.dumps({"pid": os.getpid(), **values}).encode() + b"\n")


def work(session: JobSession, witness: Witness, wanted: dict[str, Any]) -> None:
    folder = session.workspace.root / session.recording._journal.path.parent
    begin = reached(session, folder)
    witness.tell(begun=begin, time=_real_time(), start=process_start(os.getpid()))
    if session.kind == JobKind.TRAINING:
        session.update(planned_steps=wanted["steps"])
    for step in range(begin + 1, wanted["steps"] + 1):
        _fault(step, wanted, session)
        _record(session, step)
        witness.tell(step=step, committed=session.recording.behind == 0)
        if step % wanted["checkpoint_every"] == 0 or step == wanted["steps"] or session.check():
            _save(folder, step)
            session.event("checkpoint", f"step {step}")
        if session.check():
            witness.tell(asked=str(session.check()))
            return
        time.sleep(wanted["pause"])
    while not released(session.workspace, wanted) and not session.check():
        time.sleep(0.01)
    witness.tell(ended=True)


def released(workspace: Workspace, wanted: dict[str, Any]) -> bool:
    """A job that was told to hold on ends when its case says so."""
    return not wanted["hold"] or (Path(os.environ["LIGHT_ORDERS"]).parent / "release").exists()


def reached(session: JobSession, folder: Path) -> int:
    """Steps that need not be done again."""
    if session.kind == JobKind.EVALUATION:
        with Reader(session.workspace) as reader:
            return reader.prediction_count(session.job_id)
    found = (folder / "checkpoints").glob("checkpoint-*")
    return max((int(path.name.partition("-")[2]) for path in found), default=0)


def _record(session: JobSession, step: int) -> None:
    if session.kind == JobKind.TRAINING:
        session.recording.metrics(step, {"loss": loss_of(session.job_id, step), "learning_rate": 1.0 / step})
    else:
        session.recording.predictions([prediction(session.job_id, step)])


def _save(folder: Path, step: int) -> None:
    """As the trainer does: beside, synced, renamed; the one before is given up afterwards."""
    checkpoints = folder / "checkpoints"
    staged = checkpoints / ".partial" / f"checkpoint-{step}"
    try:
        staged.mkdir(parents=True, exist_ok=True)
        with (staged / "state.json").open("w") as file:
            json.dump({"global_step": step}, file)
            file.flush()
            os.fsync(file.fileno())
        older = [path for path in checkpoints.glob("checkpoint-*") if path.name != staged.name]
        staged.rename(checkpoints / staged.name)
        for path in older:
            (path / "state.json").unlink()
            path.rmdir()
    except OSError as error:
        logging.getLogger(__name__).warning("no checkpoint of step %d: %s", step, error)


def _fault(step: int, wanted: dict[str, Any], session: JobSession) -> None:
    if step == wanted["clock_step"]:
        _shift[0] = wanted["clock_shift"]
    if step == wanted["fault_step"]:
        light_faults.BEGIN[wanted["fault"]](session, wanted)
    if wanted["die_step"] == step:
        os.kill(os.getpid(), signal.SIGKILL)


def main() -> int:
    kind, job_id, workspace = JobKind(sys.argv[1]), int(sys.argv[2]), Workspace(Path(sys.argv[3]))
    wanted = orders(f"{kind}-{job_id}")
    outlast_full_log()
    use_light_programs()
    witness = Witness(
        Path(os.environ["LIGHT_ORDERS"]).parent / "witness", kind, job_id, apart=wanted["fault"] == "file size"
    )
    witness.tell(started=True, time=_real_time())
    light_faults.install()
    with JobSession(workspace, kind, job_id, keep_worker=True) as session:
        work(session, witness, wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main())
