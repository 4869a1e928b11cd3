"""The card of this process: its arithmetic, its memory, its limit. Heavy: torch."""

from __future__ import annotations

import time
from statistics import median
from typing import Any

import torch

from engine.training import record

SIDE = 8192
"""Of the square matrices whose product is timed on a GPU."""
CPU_SIDE = 512
REPEATS = 20


def limit_memory(limit: int | None) -> None:
    """Let this process take at most `limit` bytes of GPU memory; beyond it torch reports out of memory."""
    if limit is not None and torch.cuda.is_available():
        total = torch.cuda.get_device_properties(0).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, limit / total))


def measured_peak_flops() -> float:
    """FLOP/s of a bf16 matrix product on the GPU (float32 on a CPU): the ceiling that utilisation refers to."""
    gpu = torch.cuda.is_available()
    side = SIDE if gpu else CPU_SIDE
    options: dict[str, Any] = {"device": "cuda", "dtype": torch.bfloat16} if gpu else {}
    one, other = torch.randn(side, side, **options), torch.randn(side, side, **options)
    seconds = []
    for _ in range(REPEATS):
        synchronize()
        started = time.perf_counter()
        one @ other
        synchronize()
        seconds.append(time.perf_counter() - started)
    del one, other
    forget_peaks()
    return float(2 * side**3 / median(seconds))


def synchronize() -> None:
    """Wait until the GPU has done what was asked of it."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def forget_peaks() -> None:
    """Give cached memory back and count peaks from here on."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def peaks() -> dict[str, int | None]:
    """`peak_allocated` and `peak_reserved` in bytes; None without a GPU."""
    found = record.peaks()
    return {
        "peak_allocated": found["peak_vram_allocated_bytes"],
        "peak_reserved": found["peak_vram_reserved_bytes"],
    }


def gpu_name() -> str | None:
    """Name of the card; None without one."""
    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else None
