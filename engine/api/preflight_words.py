"""A preflight in words: the same sentences on the command line and on the Launch screen. Pure, and light.

Figures of an estimate are called estimates, with how far they may be off; measured ones stand beside them by name.
Names of cards and models are untrusted text: whoever shows these words makes them safe.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.formatting import UNKNOWN, duration, size
from engine.training.backends import FOUR_BIT
from engine.training.layout import layout_words
from engine.training.measure_memory.wire import MeasureStage, MeasureStep, MemoryMeasured

if TYPE_CHECKING:
    from engine.preflight.models import Estimate, Layout, Preflight

GIB = 2**30
DOUBT = 0.20
"""How far an estimated time may be off in either direction on a card whose steps were timed, as a share of it."""
_PARTS = {
    "weights": "weights",
    "adapters": "adapters",
    "optimizer": "optimizer",
    "text_activations": "text activations",
    "vision_activations": "vision activations",
    "logits": "logits",
    "overhead": "overhead",
}


@dataclass(frozen=True, slots=True)
class MemoryPart:
    """One of the things that take GPU memory."""

    name: str
    bytes: int


def memory_parts(estimate: Estimate) -> list[MemoryPart]:
    """What takes how much, in the order in which it is allocated; together they are the estimated peak."""
    return [MemoryPart(words, getattr(estimate, name)) for name, words in _PARTS.items()]


def preflight_verdict(found: Preflight) -> str:
    """Whether it fits, in one sentence."""
    needed, card = size(found.estimate.peak), found.card
    if card.memory is None or found.fits is None:
        return f"No GPU to compare with: it would take about {needed} of GPU memory."
    name = f" on {card.name}" if card.name else ""
    have = f"{card.memory / GIB:.1f} GiB"
    if not found.fits:
        held = card.free is not None and found.estimate.peak > card.free
        kept = "other programs hold a part" if held else "a margin must stay free"
        margin = f", of which {kept}" if found.estimate.peak <= card.memory else ""
        return f"Does not fit: about {needed} needed, {have} there{name}{margin}."
    spare = "" if found.headroom is None else f", {size(max(0, found.headroom))} to spare"
    return f"Fits: about {needed} of {have}{name}{spare}."


def short_verdict(found: Preflight) -> str:
    """The verdict in a few cells; "" where there is no card to compare with."""
    if found.fits is None or found.card.memory is None:
        return ""
    return f"{'fits' if found.fits else 'too large'}: {found.estimate.peak / GIB:.1f}/{found.card.memory / GIB:.1f} GiB"


def batch_words(layout: Layout) -> str:
    """How an optimizer step is put together, such as `8 x 2 = 16 samples a step`."""
    factors = [layout.micro_batch, layout.accumulation] + ([layout.devices] if layout.devices > 1 else [])
    product = layout.micro_batch * layout.accumulation * layout.devices
    return f"{' x '.join(map(str, factors))} = {product} samples a step"


def layout_facts(found: Preflight) -> list[tuple[str, str]]:
    """How the run would be computed, by name, with reasons."""
    layout = found.layout
    bits = "4 bit" if layout.quantization == FOUR_BIT else "not quantized"
    checkpointing = "gradient checkpointing" if layout.checkpointing else "no gradient checkpointing"
    packed = "questions of an image packed" if layout.packed else "one question a row"
    return [
        ("backend", f"{layout.backend}, {bits}"),
        ("batch", f"{batch_words(layout)} (micro-batch x accumulation{' x GPUs' if layout.devices > 1 else ''})"),
        ("packing", found.packing_reason or packed),
        ("computed", f"{checkpointing}, {'compiled' if layout.compiled else 'not compiled'}"),
        *([("because", found.layout_reason)] if found.layout_reason else []),
    ]


def layout_line(layout: Layout) -> str:
    """How a run would be computed, in one line: in the words that the history of the run will have."""
    bits = "4 bit" if layout.quantization == FOUR_BIT else "not quantized"
    return f"{layout.backend}, {bits}, {layout_words(layout)}"


def time_facts(found: Preflight) -> list[tuple[str, str]]:
    """Estimated time of a step and of the run, by name; says so where nothing was timed, or nothing known."""
    estimate = found.estimate
    if estimate.step_seconds is None and found.card.memory is None:
        return [("time", "not estimated without a GPU")]
    if estimate.step_seconds is None:
        return [("time", "not known before a run or a measured preflight on this device")]
    doubt = f"estimated, ±{100 * DOUBT:.0f} %" if found.timed else "rough: this card was never timed"
    speed = "" if estimate.samples_per_second is None else f" ({estimate.samples_per_second:.3g} samples a second)"
    return [
        ("step", f"{seconds_words(estimate.step_seconds)}{speed}, {doubt}"),
        ("training", f"{duration(found.seconds)} for {found.steps:,} steps, {doubt}"),
    ]


def seconds_words(seconds: float | None) -> str:
    """Seconds of a step: three digits below a minute, as steps are compared by tenths."""
    if seconds is None:
        return UNKNOWN
    return f"{seconds:.3g} s" if seconds < 60 else duration(seconds)


def measured_verdict(measured: MemoryMeasured, memory: int | None) -> str:
    """What was measured, in one sentence.

    Args:
        measured: the measurement.
        memory: bytes of the card, where it is known.
    """
    reserved = measured.reserved_peak
    if reserved is None:
        return f"Measured on the CPU: {size(measured.host_peak)} of host memory; no GPU memory to compare."
    of = "" if memory is None else f" of {memory / GIB:.1f} GiB"
    if not measured.fitted:
        return f"Measured: it does not fit; memory ran out in {measured.out_of_memory}, at {size(reserved)}{of}."
    return f"Measured: it fits, with {size(reserved)}{of} reserved by {measured.steps} steps on the largest samples."


def measuring_progress(message: MeasureStage | MeasureStep) -> str:
    """How far a measurement is."""
    if isinstance(message, MeasureStep):
        return f"step {message.step} of {message.steps}, {seconds_words(message.seconds)}"
    return message.words


def beside_estimate(found: Preflight, measured: MemoryMeasured) -> list[tuple[str, str, str]]:
    """Name, estimate and measurement of everything that was measured, in words; a dash where one of them is missing."""
    estimate, least = found.estimate, "" if measured.fitted else "over "
    rows = []
    if measured.reserved_peak is not None:
        rows.append(("GPU memory", size(estimate.peak), f"{least}{size(measured.reserved_peak)} reserved"))
        rows.append(("allocated", UNKNOWN, f"{least}{size(measured.allocated_peak)}"))
    rows.append(("host memory", UNKNOWN, size(measured.host_peak)))
    rows.append(("step", seconds_words(estimate.step_seconds), seconds_words(measured.step_seconds)))
    rows.append(("first step", UNKNOWN, seconds_words(measured.first_step_seconds)))
    if measured.step_seconds is not None:
        # Every step of the measurement is one of the largest samples, which few steps of a run are.
        longest = f"at most {duration(found.steps * measured.step_seconds)}"
        rows.append(("training", duration(found.seconds), longest))
    return rows


def measured_facts(found: Preflight, measured: MemoryMeasured) -> list[tuple[str, str]]:
    """The same in a line each: `38.0 GiB reserved, estimated 37.5 GiB`."""
    return [
        (name, real if estimated == UNKNOWN else f"{real}, estimated {estimated}")
        for name, estimated, real in beside_estimate(found, measured)
    ]


def change_words(changes: Mapping[str, object]) -> str:
    """Changes of a recipe as `key = value`, in one line."""
    return ", ".join(f"{key} = {_value(value)}" for key, value in changes.items())


def launch_command(
    recipe: str, overrides: Sequence[str], changes: Mapping[str, object], command: str = "launch", workspace: str = ""
) -> str:
    """A command line, ready to copy, that launches a recipe with changes.

    Args:
        recipe: preset or file, as it was given; the run where it is a clone.
        overrides: `key=value` that were given already; those that `changes` sets anew are left out.
        changes: recipe values by dotted key.
        command: `launch` or `clone`.
        workspace: as it was given; "" where none was.
    """
    kept = [each for each in overrides if each.partition("=")[0].strip() not in changes]
    words = ["sonotune", *(["-w", workspace] if workspace else []), command, recipe]
    for override in [*kept, *(f"{key}={_value(value)}" for key, value in changes.items())]:
        words += ["--set", override]
    return shlex.join(words)


def _value(value: object) -> str:
    """A value as `--set` reads it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
