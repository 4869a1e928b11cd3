"""What a side of the benchmark is told, and what it tells back. Plain values that travel as JSON between processes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any

from engine.formatting import finite

DATASET = "bench"
"""Name of the imported dataset in the benchmark's workspace."""
RANK = 16
ALPHA = 16
LEARNING_RATE = 2e-4
SEED = 3407
"""The seed of Unsloth's notebooks, for all sides alike."""


@dataclass(frozen=True, slots=True)
class SidePlan:
    """Everything that one side needs to know."""

    side: str
    workspace: str
    """Folder of the benchmark's workspace, with the imported dataset."""
    model: str
    """Folder of the base model."""
    adapter: str
    """Folder of the adapter that evaluations load; "" for training."""
    questions: tuple[str, ...]
    image_size: int
    """Longest side in pixels after loading."""
    steps: int
    """Optimizer steps that are measured (training), or images that are answered (evaluation)."""
    warmup: int
    """Steps before these, for compilation and the allocator; of an evaluation, batches."""
    batch: int
    """Samples of one optimizer step."""
    micro_batches: tuple[int, ...]
    """Samples of one forward pass; several are tried one after the other. None: plain `generate` doubles them until
    that makes it slower."""
    precision: str = "4bit"
    """Of the base under Unsloth: `4bit` or `16bit`."""
    checkpointing: bool = True
    """Whether Unsloth recomputes activations, as its recipe has it."""
    memory_limit: int | None = None
    """Bytes of GPU memory that the process may take."""
    overrides: tuple[str, ...] = ()
    """Changes to the recipe of our side, as with `--set`."""
    cache_pixels: bool = False
    """False decodes every image anew each time, as with a dataset that does not fit into memory."""
    new_tokens: int = 12
    """Tokens that an evaluation generates for every question, no fewer and no more."""
    workers: int = 8
    """Processes that make batches for the other sides; our own chooses by itself."""

    @property
    def name(self) -> str:
        """Of the files of this process."""
        return f"{self.side}-{self.precision}{'' if self.checkpointing else '-activations-kept'}"

    @classmethod
    def read(cls, file: Path) -> SidePlan:
        """The plan that `write` wrote."""
        values = json.loads(file.read_text(encoding="utf-8"))
        for name in ("questions", "micro_batches", "overrides"):
            values[name] = tuple(values[name])
        return cls(**values)

    def write(self, file: Path) -> None:
        """Write the plan as JSON."""
        file.write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")


@dataclass(frozen=True, slots=True)
class SideResult:
    """What one side came to. Figures that a side does not have are None."""

    side: str
    samples_per_second: float | None = None
    """Questions with their answers (training), or questions (evaluation): median over the measured steps."""
    tokens_per_second: float | None = None
    """Tokens that the language model had to process, pads left out."""
    step_seconds: float | None = None
    """Median."""
    peak_allocated: int | None = None
    """Bytes of GPU memory in tensors at the most."""
    peak_reserved: int | None = None
    """Bytes that the allocator held at the most: what the card must have."""
    model_flop_utilisation: float | None = None
    hardware_flop_utilisation: float | None = None
    peak_flops: float | None = None
    """FLOP/s of a large matrix product on the same card, measured by the same process."""
    load_seconds: float | None = None
    warmup_seconds: float | None = None
    """What the steps of the warm-up took beyond the median: compilation and first allocations."""
    data_share: float | None = None
    """Share of the measured time spent waiting for data."""
    recording_share: float | None = None
    """Share of the measured time spent writing figures into runs.db."""
    tokens: Mapping[str, float] = field(default_factory=dict)
    """Means of a sample: tokens of image, prompt text and answer; positions of the language model."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What the side ran with."""
    versions: Mapping[str, str] = field(default_factory=dict)
    gpu: str | None = None
    steps: Sequence[float] = ()
    """Seconds of every step, warm-up first."""
    answers: Sequence[str] = ()
    """Of an evaluation: what was answered, in the order of images and questions."""
    tried: Sequence[Mapping[str, Any]] = ()
    """Where several micro-batches were tried: each with its speed, or with why it failed."""
    failure: str | None = None
    """Why there is no result, in words; untrusted text."""

    def ended_early(self, why: str) -> SideResult:
        """This result with why nothing more was tried."""
        return replace(self, tried=[*self.tried, {"failure": why}])

    @classmethod
    def read(cls, file: Path) -> SideResult:
        """The result that a side wrote."""
        return cls(**json.loads(file.read_text(encoding="utf-8")))

    def write(self, file: Path) -> None:
        """Write the result as JSON, whole or not at all."""
        partial = file.with_suffix(".partial")
        partial.write_text(json.dumps(finite(asdict(self)), indent=1), encoding="utf-8")
        partial.replace(file)


@dataclass(frozen=True, slots=True)
class StepTimes:
    """Seconds of the steps after the warm-up, and what the warm-up cost."""

    seconds: Sequence[float]
    """Every step, warm-up first."""
    warmup: int

    @property
    def measured(self) -> Sequence[float]:
        """Steps that count.

        Raises:
            ValueError: none is left after the warm-up.
        """
        if len(self.seconds) <= self.warmup:
            raise ValueError(f"{len(self.seconds)} steps leave nothing to measure after a warm-up of {self.warmup}")
        return self.seconds[self.warmup :]

    @property
    def median(self) -> float:
        """Median of the steps that count."""
        return median(self.measured)

    @property
    def warmup_seconds(self) -> float:
        """Time of the warm-up beyond as many median steps."""
        return max(0.0, sum(self.seconds[: self.warmup]) - self.warmup * self.median)
