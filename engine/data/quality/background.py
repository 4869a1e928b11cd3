"""The image check as a process of its own, and how far it is.

One process checks a dataset at a time: it holds a lock that the kernel releases however it ends. How far it is stands
in `datasets/<name>/check.json`, replaced as a whole, so that whoever looks never reads half of it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from engine.data.manifest import Dataset, open_dataset
from engine.data.quality.cache import CheckCache
from engine.data.quality.checking import CheckOutcome, Progress, check_all
from engine.data.quality.duplicates import near_links
from engine.errors import DataError
from engine.jobs.lock import WorkerLock, holder
from engine.jobs.process import is_alive, last_lines, signal_process, spawn_detached
from engine.types import Problem
from engine.workspace import Workspace

STATUS, LOG = "check.json", "check.log"
TELL_SECONDS = 0.5
"""Between two writes of how far the check is."""
LOOK_SECONDS = 0.2
"""Between two looks at a check that another process runs."""

Settle = Callable[[], object]
"""Called at the end of a check, when all pairs of near-duplicates are known."""


class CheckState(StrEnum):
    """How far the check of a dataset's images is."""

    NOT_RUN = "not_run"
    RUNNING = "running"
    INTERRUPTED = "interrupted"
    """It ended before the last image; what it found is kept, and the next one goes on from there."""
    DONE = "done"
    OUTDATED = "outdated"
    """It was done, and the dataset has other content since."""


@dataclass(frozen=True, slots=True)
class CheckStatus:
    """The check of a dataset, as it was a moment ago."""

    state: CheckState
    done: int = 0
    """Distinct images whose content is known."""
    total: int = 0
    """Distinct images of the dataset; 0 where nothing has counted them."""
    images_per_second: float = 0.0
    """Of those that were decoded in this check; 0 where none was."""
    problems: tuple[Problem, ...] = ()
    """Files that were missing, or not those of the import. Undecodable ones are in the quality report."""

    def describe(self) -> str:
        """In one phrase, such as `checking 3,200 of 15,446 images, 210 images/s`."""
        speed = f", {self.images_per_second:,.0f} images/s" if self.images_per_second else ""
        if self.state == CheckState.RUNNING:
            return f"checking {self.done:,} of {self.total:,} images{speed}"
        if self.state == CheckState.INTERRUPTED:
            return f"check interrupted after {self.done:,} of {self.total:,} images"
        if self.state == CheckState.DONE:
            return f"{self.done:,} images checked{speed}"
        return "images not checked" if self.state == CheckState.NOT_RUN else "images changed since the check"


def check_images(
    workspace: Workspace,
    name: str,
    progress: Progress | None = None,
    *,
    processes: int | None = None,
    settle: Settle | None = None,
) -> CheckOutcome:
    """Decode every image of a dataset that has not been checked yet; what is known already costs nothing.

    Where another process is at it, its progress is followed first; what it leaves is done here.

    Args:
        progress: called with (images known, images).
        processes: how many decode; None for one a core.
        settle: what is left to do with what was found; the check counts as done only after it.

    Raises:
        DataError: there is no such dataset, or the results cannot be written.
    """
    dataset = open_dataset(workspace, name)
    lock = WorkerLock(_lock_file(workspace, name))
    while not lock.acquire():
        status = background_check_status(workspace, name)
        if progress is not None and status.total:
            progress(status.done, status.total)
        time.sleep(LOOK_SECONDS)
    try:
        return _Teller(dataset, progress, settle).check(processes)
    finally:
        lock.release()


def start_background_check(workspace: Workspace, name: str) -> bool:
    """Start the check of a dataset in a process that outlives this one.

    Returns:
        False where one is running already, or everything has been checked.

    Raises:
        DataError: there is no such dataset, or the process cannot be started.
    """
    dataset = open_dataset(workspace, name)
    if background_check_status(workspace, name).state in (CheckState.RUNNING, CheckState.DONE):
        return False
    command = [sys.executable, "-m", "engine.data.quality", name, "--workspace", str(workspace.root)]
    # The package may not be installed, and the child does not share our current directory's luck.
    paths = [str(Path(__file__).resolve().parents[3]), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in paths if path)}
    try:
        spawn_detached(command, dataset.folder / LOG, environment)
    except OSError as error:
        raise DataError(
            f"The image check of {name} could not be started.",
            error.strerror or str(error),
            f"Run it in the foreground: `sonotune data check {name}`.",
        ) from error
    return True


def stop_background_check(workspace: Workspace, name: str) -> bool:
    """End a background check; what it found is kept. False where none is running in a process of its own."""
    found = holder(_lock_file(workspace, name))
    content = _read(workspace.dataset(name) / STATUS)
    if found is None or found.pid is None or content.get("background") != found.pid:
        return False
    return signal_process(found.pid, found.process_start, signal.SIGTERM)


def background_check_status(workspace: Workspace, name: str) -> CheckStatus:
    """How far the check of a dataset is; reads two small files.

    Raises:
        DataError: there is no such dataset.
    """
    dataset = open_dataset(workspace, name)
    found = holder(_lock_file(workspace, name))
    running = found is not None and (found.pid is None or is_alive(found.pid, found.process_start))
    content = _read(dataset.folder / STATUS)
    try:
        status = CheckStatus(
            CheckState(content["state"]),
            int(content["done"]),
            int(content["total"]),
            float(content["images_per_second"]),
            tuple(Problem(**row) for row in content["problems"]),
        )
    except (KeyError, TypeError, ValueError):
        return CheckStatus(CheckState.RUNNING if running else CheckState.NOT_RUN)
    state = status.state
    if running:
        state = CheckState.RUNNING
    elif content.get("fingerprint") != dataset.record.fingerprint:
        return CheckStatus(CheckState.OUTDATED if state == CheckState.DONE else CheckState.NOT_RUN)
    elif state == CheckState.RUNNING:
        state = CheckState.INTERRUPTED  # nobody holds the lock: it was killed
    return CheckStatus(state, status.done, status.total, status.images_per_second, status.problems)


def check_log(workspace: Workspace, name: str) -> str:
    """The last lines that background checks of a dataset printed; untrusted text, empty where all went well."""
    return last_lines(workspace.dataset(name) / LOG)


class _Teller:
    """Runs a check and writes down how far it is."""

    def __init__(self, dataset: Dataset, progress: Progress | None, settle: Settle | None) -> None:
        self._dataset = dataset
        self._progress = progress
        self._settle = settle
        self._done = self._total = self._known = 0
        self._started = self._told = 0.0

    def check(self, processes: int | None) -> CheckOutcome:
        self._started = time.monotonic()
        try:
            outcome = check_all(self._dataset, self._hear, processes)
            # The search is kept on disk: the first screen or evaluation afterwards shall not wait for it.
            near_links(self._dataset.folder, self._dataset.cases(), CheckCache(self._dataset.folder).read())
            if self._settle is not None:
                self._settle()
        except BaseException:
            self._tell(CheckState.INTERRUPTED)
            raise
        problems = [asdict(problem) for problem in outcome.problems]
        self._tell(CheckState.DONE, images_per_second=outcome.images_per_second, problems=problems)
        return outcome

    def _hear(self, done: int, total: int) -> None:
        first = self._total == 0
        self._done, self._total = done, total
        self._known = done if first else self._known
        if first or time.monotonic() - self._told >= TELL_SECONDS:
            self._tell(CheckState.RUNNING)
        if self._progress is not None:
            self._progress(done, total)

    def _tell(self, state: CheckState, **others: Any) -> None:
        self._told = time.monotonic()
        seconds = self._told - self._started
        content = {
            "state": state.value,
            "fingerprint": self._dataset.record.fingerprint,
            "done": self._done,
            "total": self._total,
            "images_per_second": (self._done - self._known) / seconds if seconds > 0 else 0.0,
            "problems": [],
            "background": os.getpid() if _in_background else None,
            "updated_at": time.time(),
            **others,
        }
        new = self._dataset.folder / f"{STATUS}.tmp"
        # Without it the check still is what it is; a disk that is full says so when results are written.
        with contextlib.suppress(OSError):
            new.write_text(json.dumps(content), encoding="ascii")
            new.replace(self._dataset.folder / STATUS)


_in_background = False


def run_in_background(workspace: Workspace, name: str, settle: Settle | None = None) -> None:
    """What the process of a background check does: everything that is left, politely; nothing where one is running.

    `settle` is as for `check_images`.
    """
    global _in_background  # noqa: PLW0603 - of this process, for as long as it lives
    _in_background = True
    signal.signal(signal.SIGTERM, _terminated)
    os.nice(10)  # a person is working on this machine, or a model is training
    dataset = open_dataset(workspace, name)
    lock = WorkerLock(_lock_file(workspace, name))
    if lock.acquire(wait_seconds=1.0):
        try:
            _Teller(dataset, None, settle).check(None)
        finally:
            lock.release()


def _terminated(_number: int, _frame: object) -> None:
    raise SystemExit(1)


def _lock_file(workspace: Workspace, name: str) -> Path:
    return workspace.datasets / f".{name}.check.lock"


def _read(file: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
