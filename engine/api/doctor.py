"""What this machine has, which backend would run, what is missing, and the command that mends it."""

from __future__ import annotations

import platform
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from engine.api.safety import safety_findings
from engine.api.unattended import unattended_findings
from engine.errors import SonotuneError
from engine.files import free_bytes
from engine.jobs.devices import devices
from engine.store.location import refuse_network_file_system
from engine.store.reader import Reader
from engine.store.writer import Writer
from engine.training.backends import installed
from engine.training.model_files import resolve_model
from engine.workspace import Workspace

PACKAGES = ("torch", "transformers", "trl", "peft", "datasets", "textual", "sqlite-utils", "scikit-learn")
GPU_PACKAGES = ("unsloth", "bitsandbytes")
LOW_DISK_BYTES = 5 * 2**30


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    name: str
    good: bool
    detail: str
    mend: str = ""
    """The command or step that mends it; empty where nothing is wrong."""


def examine(workspace: Workspace) -> list[Finding]:
    """Look at Python, packages, devices, backend, base model, disk and database."""
    gpu = any(device.id.startswith("cuda") for device in devices())
    return [
        _python(),
        *(_package(name, "make install") for name in PACKAGES),
        *(_package(name, "make install", needed=gpu) for name in GPU_PACKAGES),
        *(Finding("device", True, f"{d.id}: {d.name}, {d.memory_bytes / 2**30:.0f} GiB") for d in devices()),
        _backend(gpu),
        _base_model(workspace),
        _disk(workspace),
        *(Finding(*found) for found in unattended_findings(workspace)),
        *(Finding(*found) for found in safety_findings(workspace)),
        _database(workspace),
    ]


def _python() -> Finding:
    good = sys.version_info >= (3, 11)
    return Finding("python", good, platform.python_version(), "" if good else "install Python 3.11 or newer")


def _package(name: str, mend: str, needed: bool = True) -> Finding:
    try:
        return Finding(name, True, version(name))
    except PackageNotFoundError:
        if needed:
            return Finding(name, False, "not installed", mend)
        return Finding(name, True, "not installed; only used with an NVIDIA GPU")


def _backend(gpu: bool) -> Finding:
    if not gpu:
        return Finding("backend", True, "transformers on the CPU: no NVIDIA GPU was found")
    if installed("unsloth"):
        return Finding("backend", True, "unsloth: an NVIDIA GPU is present and Unsloth is installed")
    return Finding("backend", False, "transformers, because Unsloth is not installed", "make install")


def _base_model(workspace: Workspace) -> Finding:
    try:
        return Finding("base model", True, resolve_model("assets/base-model", workspace.root))
    except SonotuneError as error:
        return Finding("base model", False, error.title, "git checkout -- assets/base-model")


def _disk(workspace: Workspace) -> Finding:
    free = free_bytes(workspace.root)
    good = free > LOW_DISK_BYTES
    detail = f"{free / 2**30:.0f} GiB free in {workspace.root}"
    return Finding("disk", good, detail, "" if good else "free some space or choose another --workspace")


def _database(workspace: Workspace) -> Finding:
    try:
        refuse_network_file_system(workspace.database)
        if workspace.database.exists():
            Writer.open(workspace).close()  # brings a database of an older version up to date
        reader = Reader.open_or_none(workspace)
    except SonotuneError as error:
        return Finding("runs.db", False, f"{error.title} {error.reason}", error.next_step)
    if reader is None:
        return Finding("runs.db", True, "not there yet; the first launch makes it")
    with reader:
        return Finding("runs.db", True, f"{len(reader.runs())} runs in {workspace.database}")
