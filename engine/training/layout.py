"""How a run is computed on this machine, in the words that its history keeps. Light."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from engine.preflight.models import Layout, ModelShape, Preflight


@dataclass(frozen=True, slots=True)
class Computation:
    """A layout with the reasons for it."""

    layout: Layout
    backend_reason: str
    """Why this backend and this quantization."""
    layout_reason: str = ""
    """Why this micro-batch and this checkpointing."""
    packing_reason: str = ""
    """Why questions are packed, or why not."""
    estimate: Preflight | None = None
    """What the preflight has estimated; None where it was not asked."""
    shape: ModelShape | None = None
    """Of the model, where the preflight was asked."""


def resolved(stored: Mapping[str, object] | None) -> dict[str, object]:
    """What a run's row says of how it was computed, by key of `Layout`; empty for runs of earlier versions."""
    known = {field.name for field in fields(Layout)}
    return {name: value for name, value in (stored or {}).items() if name in known}


def stored_layout_words(stored: Mapping[str, object] | None) -> str | None:
    """`layout_words` of what a run's row says; None where it says nothing, or nothing that can be read."""
    values: dict[str, Any] = resolved(stored)
    try:
        return layout_words(Layout(**values))
    except TypeError:  # keys are missing
        return None


def layout_words(layout: Layout) -> str:
    """The layout as a phrase: "packed, forward passes of 32 samples, 2 to a step, activations recomputed, compiled"."""
    parts = [
        "questions to an image packed" if layout.packed else "one sample a row",
        f"{layout.micro_batch} samples in a forward pass, {layout.accumulation} of these to a step"
        + (f" on each of {layout.devices} devices" if layout.devices > 1 else ""),
        "activations recomputed" if layout.checkpointing else "activations kept",
        "compiled" if layout.compiled else "not compiled",
    ]
    return ", ".join(parts)
