"""The ranks of a run: processes that train the same adapter, each on a device of its own, and agree on every step.

Each rank holds the whole model and takes its share of the forward passes of an optimizer step. Ranks speak to each
other through torch's process group, which accelerate and with it the trainer find ready made. Nothing is wrapped in
`DistributedDataParallel`: its hooks hang on the forward of the wrapper, and the loss here calls the trunk inside of it,
so it would sum nothing and say nothing. The gradients of an adapter are small; they are summed once a step instead
(`gradients.py`). That also leaves a rank free between two sums: where one runs out of memory and does its passes over,
the others only wait.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist

from engine.errors import ModelError
from engine.training.distributed.gradients import GradientSum

PATIENCE = timedelta(hours=2)
"""How long a rank waits for the others. A rank that dies ends all of them at once, through the job process; this is for
what takes long on one rank alone, such as a compilation."""
GREETING_SECONDS = 120
"""How long the first sum over all cards may take; libraries are loaded and channels opened in it."""

Value = TypeVar("Value")


@dataclass(slots=True, eq=False)
class Ranks:
    """This process among those that train the run; as it is made, the only one."""

    rank: int = 0
    size: int = 1
    _gradients: GradientSum | None = field(default=None, repr=False)

    @property
    def alone(self) -> bool:
        """Whether there is one process, which agrees with itself."""
        return self.size == 1

    @property
    def patience_seconds(self) -> float:
        """How long the others wait for one of them."""
        return PATIENCE.total_seconds()

    @property
    def first(self) -> bool:
        """Whether this is the one that writes: figures, events, checkpoints, the adapter."""
        return self.rank == 0

    def wait(self) -> None:
        """Until all ranks have come here."""
        self.gathered([0.0])

    def gathered(self, numbers: Sequence[float]) -> list[list[float]]:
        """The numbers of all ranks, by rank; every rank gives as many. On the CPU: no device is waited for."""
        if self.alone:
            return [list(numbers)]
        own = torch.tensor(numbers, dtype=torch.float64)
        everyone = [torch.empty_like(own) for _ in range(self.size)]
        dist.all_gather(everyone, own)
        return [each.tolist() for each in everyone]

    def of_first(self, value: Value) -> Value:
        """What the first rank says, on all of them: for whatever must not be decided twice."""
        if self.alone:
            return value
        said: list[Any] = [value if self.first else None]
        dist.broadcast_object_list(said, src=0, device=torch.device("cpu"))
        return said[0]  # type: ignore[no-any-return]

    def largest(self, figures: Mapping[str, int | None]) -> dict[str, int | None]:
        """Each figure as large as it is on any rank; None where no rank has it."""
        rows = self.gathered([-1 if value is None else value for value in figures.values()])
        most = [max(column) for column in zip(*rows, strict=True)]
        return {name: None if value < 0 else int(value) for name, value in zip(figures, most, strict=True)}

    def same_start(self, parameters: Iterable[torch.nn.Parameter], seed: int) -> None:
        """Trained parameters as the first rank has them, and random numbers (dropout) of its own for every other."""
        if self.alone:
            return
        self._gradients = GradientSum([each for each in parameters if each.requires_grad])
        self._gradients.spread_parameters()
        if not self.first:
            torch.manual_seed(seed + self.rank)

    def sum_gradients(self) -> None:
        """Add the gradients of all ranks, once a step; each rank has the sum afterwards, to the bit the same."""
        if self._gradients is not None:
            self._gradients.add_up()


ALONE = Ranks()


def join(rendezvous: str, rank: int, size: int) -> Ranks:
    """Become a rank of a run; waits for the others.

    Args:
        rendezvous: a file that all ranks can reach and that does not exist before. A store in a file, because torch's
            own store would listen on every interface of the machine.
        rank: of this process.
        size: number of ranks.
    """
    for name in ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"):
        os.environ.setdefault(name, "lo0" if sys.platform == "darwin" else "lo")
    # Accelerate learns from these that it is one of several. To each rank it is as if it were its machine's only
    # process, because it sees no card but its own: number 0 on every rank, whoever asks for it.
    os.environ.update(RANK=str(rank), WORLD_SIZE=str(size), LOCAL_RANK="0", LOCAL_WORLD_SIZE="1")
    os.environ.setdefault("MASTER_ADDR", "127.0.0.1")
    gpu = torch.cuda.is_available()
    if not gpu:
        # Accelerate would say `cpu:0`, for which torch cannot load an optimizer's state.
        os.environ["ACCELERATE_TORCH_DEVICE"] = "cpu"
    # What is agreed upon goes over the CPU also where gradients go over NCCL.
    backend = "cpu:gloo,cuda:nccl" if gpu else "gloo"
    dist.init_process_group(backend, init_method=f"file://{rendezvous}", rank=rank, world_size=size, timeout=PATIENCE)
    if gpu:
        _greet()
    return Ranks(rank, size)


def _greet() -> None:
    """Add a number up over all cards: cards that cannot reach each other would hang at the first step, for hours.

    Raises:
        ModelError: there was no sum in time.
    """
    done = threading.Event()
    failed: list[Exception] = []

    def add_up() -> None:
        try:
            dist.all_reduce(torch.ones(1, device="cuda"))
            torch.cuda.synchronize()
        except Exception as error:  # noqa: BLE001 - raised below, where somebody hears of it
            failed.append(error)
        finally:
            done.set()

    # A thread, because NCCL waits for the others in the call itself, and cannot be interrupted there.
    threading.Thread(target=add_up, daemon=True).start()
    if not done.wait(GREETING_SECONDS):
        raise ModelError(
            "The GPUs of this run cannot reach each other",
            f"A sum over all of them was not done after {GREETING_SECONDS} seconds (NCCL).",
            "Set NCCL_P2P_DISABLE=1 or NCCL_DEBUG=INFO in the worker's environment, or training.devices = 1.",
        )
    if failed:
        raise failed[0]


def leave() -> None:
    """End the group, after all ranks have done what they had to."""
    dist.destroy_process_group()
