"""Devices that jobs can have: one job each, and a job that shares its steps out several. NVML answers without torch."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from engine.telemetry import load_nvml


@dataclass(frozen=True, slots=True)
class Device:
    """A place where one job can run."""

    id: str
    """`cuda:N` with NVML's index N, or `cpu`."""
    name: str
    memory_bytes: int
    """Memory of the card; of the machine for `cpu`."""
    visible: str
    """What CUDA_VISIBLE_DEVICES must hold for a process that shall see this device alone."""


def devices(environment: Mapping[str, str] = os.environ) -> list[Device]:
    """The GPUs that CUDA_VISIBLE_DEVICES leaves to us, else the one device `cpu`."""
    nvml = load_nvml()
    allowed = environment.get("CUDA_VISIBLE_DEVICES")
    found = [] if nvml is None else [device for device in _cards(nvml) if allowed is None or _allows(allowed, device)]
    return found or [_cpu()]


def free_bytes(device: Device) -> int | None:
    """GPU memory that nobody holds now; None for a CPU, and where the driver does not tell."""
    nvml = load_nvml() if is_gpu(device) else None
    if nvml is None:
        return None
    try:
        return int(nvml.nvmlDeviceGetMemoryInfo(nvml.nvmlDeviceGetHandleByUUID(device.visible)).free)
    except nvml.NVMLError:
        return None


@cache
def known_devices() -> tuple[Device, ...]:
    """`devices()` of this process's environment, found once: asking NVML costs tenths of a second."""
    return tuple(devices())


def is_gpu(device: Device) -> bool:
    """Whether it is a GPU."""
    return device.id.startswith("cuda")


def gpu_count(several: Sequence[Device]) -> int | None:
    """How many GPUs there are; None where there is none, but a CPU that any number of processes can share."""
    return len(several) if is_gpu(several[0]) else None


def joined(several: Sequence[Device]) -> Device:
    """Devices as one, for a job that takes all of them: `cuda:0,cuda:1`."""
    return Device(
        id=",".join(device.id for device in several),
        name=several[0].name if len(several) == 1 else f"{len(several)} x {several[0].name}",
        memory_bytes=min(device.memory_bytes for device in several),
        visible=",".join(device.visible for device in several),
    )


def ids_of(device: str | None) -> list[str]:
    """The ids in the device of a job; a job that shares its steps out has several."""
    return device.split(",") if device else []


def nvml_indices(device: str | None) -> list[int]:
    """NVML indices of the devices of a job; `cpu` and unknown devices are left out."""
    numbers = [number for prefix, _, number in (each.partition(":") for each in ids_of(device)) if prefix == "cuda"]
    return [int(number) for number in numbers if number.isdecimal()]


def _cards(nvml: Any) -> list[Device]:
    cards = []
    for index in range(nvml.nvmlDeviceGetCount()):
        handle = nvml.nvmlDeviceGetHandleByIndex(index)
        memory = int(nvml.nvmlDeviceGetMemoryInfo(handle).total)
        # CUDA numbers cards by speed unless told otherwise, NVML by slot: the UUID means the same card to both.
        name, uuid = _text(nvml.nvmlDeviceGetName(handle)), _text(nvml.nvmlDeviceGetUUID(handle))
        cards.append(Device(f"cuda:{index}", name, memory, uuid))
    return cards


def _allows(allowed: str, device: Device) -> bool:
    """CUDA_VISIBLE_DEVICES lists indices or (beginnings of) UUIDs; the list ends at the first -1 or empty entry."""
    for entry in allowed.split(","):
        wanted = entry.strip()
        if not wanted or wanted == "-1":
            return False
        if device.id == f"cuda:{wanted}" or (not wanted.isdecimal() and device.visible.startswith(wanted)):
            return True
    return False


def _cpu() -> Device:
    import psutil

    return Device("cpu", f"CPU, {os.cpu_count()} cores", int(psutil.virtual_memory().total), "")


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
