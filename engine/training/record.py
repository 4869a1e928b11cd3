"""What a run leaves in runs.db: figures, versions, memory peaks."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine import __version__
from engine.telemetry import peak_rss_bytes
from engine.training.model_files import repository_root

if TYPE_CHECKING:
    from engine.jobs.recording import Recording

PACKAGES = ("torch", "transformers", "trl", "peft", "accelerate", "unsloth", "bitsandbytes")
FINAL_SHARE = 0.1
"""Part of the steps, at the end, whose mean is the final loss."""


class RunRecord:
    """One run's row and its metrics; a step waits for neither a locked nor a full runs.db."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Figures of one step; on a GPU its memory too."""
        self.recording.metrics(step, {**values, **allocated_vram()})

    def progress(self, **columns: Any) -> None:
        """Columns of the run's row that changed."""
        self.recording.update(**columns)


def allocated_vram() -> dict[str, float]:
    """Memory that torch holds on the current CUDA device now; empty without one."""
    import torch

    if not torch.cuda.is_available():
        return {}
    return {"vram_allocated_bytes": float(torch.cuda.memory_allocated())}


def versions() -> dict[str, str]:
    """Versions of Python, sonotune and the libraries that shape a training; those not installed are left out."""
    found = {"python": sys.version.split()[0], "sonotune": __version__}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def git_revision(folder: Path | None = None) -> str | None:
    """Commit of the code that runs, with `+changes` when the tree differs from it; None outside a git checkout."""
    root = str(folder or repository_root())
    try:
        revision = _git(root, "rev-parse", "HEAD")
        changed = _git(root, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return None
    return revision + ("+changes" if changed else "")


def _git(root: str, *words: str) -> str:
    done = subprocess.run(["git", "-C", root, *words], capture_output=True, text=True, timeout=10, check=True)
    return done.stdout.strip()


def peaks() -> dict[str, int | None]:
    """Peak memory of this process: torch's on the GPU (None without one), the host's resident set.

    The peak of the whole card, which NVML shows, is kept by the heartbeat (`engine.jobs.session`).
    """
    import torch

    cuda = torch.cuda.is_available()
    return {
        "peak_vram_allocated_bytes": torch.cuda.max_memory_allocated() if cuda else None,
        "peak_vram_reserved_bytes": torch.cuda.max_memory_reserved() if cuda else None,
        "peak_rss_bytes": peak_rss_bytes(),
    }


def forget_peak() -> None:
    """Give memory that nothing needs back to the GPU, and count its peak from now on; nothing without one."""
    import gc

    import torch

    if torch.cuda.is_available():
        gc.collect()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def final_loss(losses: list[float]) -> float | None:
    """Mean of the last tenth of the step losses (at least one): a single step is too noisy to compare runs by."""
    if not losses:
        return None
    tail = losses[-max(1, round(len(losses) * FINAL_SHARE)) :]
    return sum(tail) / len(tail)
