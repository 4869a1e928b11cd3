"""Preflights made by hand, for the words of the command line and of the Launch screen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from engine.preflight.models import Card, Estimate, Layout, Preflight, Proposal, Workload

GIB = 2**30
CARD = Card("NVIDIA H100 80GB HBM3", int(79.6 * GIB))
SMALL = Card("NVIDIA RTX 4090", 24 * GIB)
LAYOUT = Layout("transformers", "none", True, 32, 2, False, True)
SAVING = replace(LAYOUT, micro_batch=8, accumulation=8, checkpointing=True)
WORKLOAD = Workload(1024, 256, 290, 40, 10, 8, 800, 100)
ESTIMATE = Estimate(
    weights=16 * GIB,
    adapters=GIB,
    optimizer=2 * GIB,
    text_activations=10 * GIB,
    vision_activations=5 * GIB,
    logits=GIB // 2,
    overhead=3 * GIB,
    step_seconds=1.234,
    samples_per_second=51.9,
)
"""37.5 GiB in all."""


def proposal(**changes: Any) -> Proposal:
    """A proposal that fits a card of 24 GiB."""
    estimate = replace(ESTIMATE, text_activations=GIB, vision_activations=GIB // 2, logits=GIB // 4, overhead=GIB)
    return Proposal(changes or {"training.gradient_checkpointing": "on"}, SAVING, estimate, True, "Checkpointing on.")


def preflight(**values: Any) -> Preflight:
    """A preflight that fits the big card."""
    given = {
        "card": CARD,
        "model": "Qwen/Qwen3-VL-8B-Instruct",
        "shape_source": "published dimensions of Qwen3-VL-8B",
        "workload": WORKLOAD,
        "typical": WORKLOAD,
        "layout": LAYOUT,
        "layout_reason": "the fastest of 9 that fit",
        "packing_reason": "8 questions share an image",
        "estimate": ESTIMATE,
        "fits": True,
        "headroom": 38 * GIB,
        "steps": 300,
        "seconds": 370.0,
        "calibration": "fitted to 39 measurements that come with sonotune and 6 of this card",
        "timed": 6,
        **values,
    }
    return Preflight(**given)


def too_large(**values: Any) -> Preflight:
    """One that does not fit a card of 24 GiB, and what does."""
    return preflight(**{"card": SMALL, "fits": False, "headroom": -15 * GIB, "proposal": proposal(), **values})
