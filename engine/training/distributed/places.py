"""Where the ranks of a run go: a GPU for each, or the same CPU for all where there is no GPU. Light."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from engine.errors import JobError
from engine.jobs.devices import Device, is_gpu, joined


def rank_devices(count: int, devices: Sequence[Device]) -> list[Device]:
    """One device a rank.

    Args:
        count: `training.devices` of the recipe.
        devices: that this process may use (`engine.jobs.devices.devices`).

    Raises:
        JobError: there are GPUs, but fewer than the run wants.
    """
    if not is_gpu(devices[0]):
        return [devices[0]] * count
    if len(devices) < count:
        raise JobError(
            f"The run wants {count} GPUs and may use {len(devices)}",
            "training.devices says how many GPUs of one machine share each optimizer step.",
            f"Launch it with --set training.devices={len(devices)} (the steps stay the same steps), or on a machine "
            "with more GPUs.",
        )
    return list(devices[:count])


def place_words(places: Sequence[Device]) -> str:
    """Where a run goes, for a plan: "cuda:0,cuda:1 (2 x NVIDIA H100)"."""
    where = joined(list(dict.fromkeys(places)))
    return f"{where.id} ({where.name})"


def rank_environment(
    rank: int, devices: Sequence[Device], environment: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """Environment of a rank: its own card alone, so that nobody makes a context on the card of another."""
    # Ranks share the cores; a number that the user has set stays.
    threads = {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // len(devices)))}
    return {**threads, **environment, "CUDA_VISIBLE_DEVICES": devices[rank].visible}
