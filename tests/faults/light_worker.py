"""The real worker, which starts `light_job.py` in place of a training; and what both programs share."""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
from pathlib import Path
from typing import Any

from engine.jobs import dispatch, worker
from engine.jobs.devices import Device
from engine.types import JobKind
from engine.workspace import Workspace

HERE = Path(__file__).resolve().parent
DEFAULTS: dict[str, Any] = {
    "steps": 60,
    "pause": 0.005,
    "checkpoint_every": 10,
    "hold": False,
    "clock_step": None,
    "clock_shift": 0.0,
    "fault": None,
    "fault_step": None,
    "fault_seconds": 2.0,
    "die_step": None,
    "worker_dies": None,
    "idle_exit": 600.0,
    "devices": ["cpu"],
}


def orders(job: str = "") -> dict[str, Any]:
    """What the case wants of this process; a job's own wishes stand under its kind and number."""
    given = json.loads(Path(os.environ["LIGHT_ORDERS"]).read_text())
    return {**DEFAULTS, **given, **given.get(job, {})}


def use_light_programs() -> None:
    """Where the product would start a worker, this one is started."""
    worker.python_module = lambda module: [sys.executable, str(HERE / "light_worker.py")]


def _dies_once(moment: str) -> None:
    """Kill this worker while it starts a job, before or after there is a process; the first time only."""
    spawn = dispatch.spawn_detached
    mark = Path(os.environ["LIGHT_ORDERS"]).parent / "worker-died"

    def dying(*given: Any, **others: Any) -> Any:
        try:
            os.close(os.open(mark, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        except FileExistsError:
            return spawn(*given, **others)
        if moment == "after":
            spawn(*given, **others)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("still alive")

    dispatch.spawn_detached = dying


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--workspace", required=True)
    parser.add_argument("--resume", action="store_true")
    given = parser.parse_args()
    wanted = orders()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.raiseExceptions = False
    use_light_programs()
    if wanted["worker_dies"]:
        _dies_once(wanted["worker_dies"])

    def command(kind: JobKind, job_id: int, workspace: Workspace) -> list[str]:
        return [sys.executable, str(HERE / "light_job.py"), kind, str(job_id), str(workspace.root)]

    worker.run_worker(
        Workspace(Path(given.workspace)),
        idle_exit_seconds=wanted["idle_exit"],
        poll_seconds=0.05,
        job_command=command,
        device_list=[Device(name, "a device", 1, "") for name in wanted["devices"]],
        resume=given.resume,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
