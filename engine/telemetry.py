"""What a process and its machine use at this moment: psutil for the host, NVML for the GPU (both imported lazily)."""

from __future__ import annotations

import resource
import sys
from dataclasses import dataclass
from functools import cache
from typing import Any


@dataclass(frozen=True, slots=True)
class HostSample:
    """Processor and memory."""

    cpu_percent: float
    """Of the whole machine since the previous sample, 0..100; the first sample of a process reads 0."""
    rss_bytes: int
    """Resident memory of this process."""
    ram_used_bytes: int
    ram_total_bytes: int


@dataclass(frozen=True, slots=True)
class GpuSample:
    """One GPU, as NVML sees it: all its processes together."""

    index: int
    """NVML index."""
    utilisation_percent: float | None
    memory_used_bytes: int
    memory_total_bytes: int
    power_watts: float | None
    temperature_celsius: float | None


def sample_host() -> HostSample:
    """Sample this process and its machine."""
    import psutil

    memory = psutil.virtual_memory()
    return HostSample(
        psutil.cpu_percent(), psutil.Process().memory_info().rss, memory.total - memory.available, memory.total
    )


def sample_gpu(index: int) -> GpuSample | None:
    """Sample the GPU with NVML index `index`; None without a driver or such a GPU."""
    nvml = load_nvml()
    if nvml is None:
        return None
    try:
        handle = nvml.nvmlDeviceGetHandleByIndex(index)
        memory = nvml.nvmlDeviceGetMemoryInfo(handle)
    except nvml.NVMLError:
        return None
    power = _optional(nvml, lambda: nvml.nvmlDeviceGetPowerUsage(handle) / 1000.0)
    temperature = _optional(nvml, lambda: float(nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU)))
    utilisation = _optional(nvml, lambda: float(nvml.nvmlDeviceGetUtilizationRates(handle).gpu))
    return GpuSample(index, utilisation, int(memory.used), int(memory.total), power, temperature)


def peak_rss_bytes() -> int:
    """Largest resident memory of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # Linux counts KiB


def children_peak_rss_bytes() -> int:
    """Largest resident memory that any of the children had which this process has waited for."""
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


@cache
def load_nvml() -> Any | None:
    """The initialised `pynvml` module; None where it or the NVIDIA driver is absent."""
    try:
        import pynvml
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    return pynvml


def _optional(nvml: Any, read: Any) -> float | None:
    # Laptop cards and virtual GPUs don't have every sensor.
    try:
        return float(read())
    except nvml.NVMLError:
        return None
