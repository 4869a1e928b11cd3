"""What the measuring process says: one JSON object a line on its standard output. Light.

Everything is ASCII on the wire, so that no name in the data can end a line or steer a terminal that shows it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from engine.errors import SonotuneError
from engine.preflight.models import Layout


@dataclass(frozen=True, slots=True)
class MeasureStage:
    """Another part of the work has begun."""

    words: str
    """Such as `loading the model`; untrusted text."""


@dataclass(frozen=True, slots=True)
class MeasureStep:
    """An optimizer step has ended."""

    step: int
    steps: int
    """How many there will be."""
    seconds: float


@dataclass(frozen=True, slots=True)
class MemoryMeasured:
    """What the steps took. Bytes and seconds; what a device does not have is None."""

    card: str
    """Name of the GPU; "" on a CPU."""
    allocated_peak: int | None
    """torch.cuda.max_memory_allocated, loading included; None on a CPU."""
    reserved_peak: int | None
    """torch.cuda.max_memory_reserved: what the card must have."""
    host_peak: int
    """Largest resident set of the process."""
    step_seconds: float | None
    """Median of the steps after the first one, all of them on the largest samples; None where there was none."""
    first_step_seconds: float | None
    """The first step compiles and allocates: it is no part of the median."""
    steps: int
    """Optimizer steps that ended."""
    rows: int
    """Sequences of the largest forward pass."""
    length: int
    """Tokens of each of them, image, answers and pads included."""
    layout: Layout
    """How the steps were computed."""
    lora_parameters: int
    out_of_memory: str = ""
    """Where the memory did not suffice, such as `step 1`; "" where it did. The peaks are then lower bounds."""

    @property
    def fitted(self) -> bool:
        """Whether all steps were taken."""
        return not self.out_of_memory


@dataclass(frozen=True, slots=True)
class MeasureFailed:
    """Nothing was measured; the last message."""

    title: str
    reason: str = ""
    next_step: str = ""

    def error(self) -> SonotuneError:
        """As the error that it is."""
        return SonotuneError(self.title, self.reason, self.next_step)


MeasureMessage = MeasureStage | MeasureStep | MemoryMeasured | MeasureFailed

_KINDS: Mapping[str, type[Any]] = {
    "stage": MeasureStage,
    "step": MeasureStep,
    "measured": MemoryMeasured,
    "failed": MeasureFailed,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}


class WireError(Exception):
    """A line that is no message; never shown to a user as it is."""


def encode(message: MeasureMessage) -> bytes:
    """One line, with its end."""
    content = {"type": _NAMES[type(message)], **asdict(message)}
    return json.dumps(content, ensure_ascii=True).encode("ascii") + b"\n"


def decode(line: bytes | str) -> MeasureMessage:
    """The message of a line.

    Raises:
        WireError: it is no JSON object, of an unknown type, or lacks or adds a field.
    """
    try:
        content = json.loads(line)
        kind = _KINDS[content.pop("type")]
        if "layout" in content:
            content["layout"] = Layout(**content["layout"])
        message: MeasureMessage = kind(**content)
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise WireError(f"no message: {type(error).__name__}: {error}") from error
    return message
