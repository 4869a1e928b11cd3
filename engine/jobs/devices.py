"""Devices that jobs can have, one job each. NVML answers without loading torch."""

from __future__ import annotations

import os
from collections.abc import Mapping
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


@cache
def known_devices() -> tuple[Device, ...]:
    """`devices()` of this process's environment, found once: asking NVML costs tenths of a second."""
    return tuple(devices())


def nvml_index(device: str | None) -> int | None:
    """NVML index of a device id; None for `cpu` and unknown devices."""
    prefix, _, number = (device or "").partition(":")
    return int(number) if prefix == "cuda" and number.isdecimal() else None


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
