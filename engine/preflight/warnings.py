"""What a user should know about a layout before starting, beside whether it fits."""

from __future__ import annotations

from engine.formatting import size
from engine.preflight.margins import CONTEXT_BYTES
from engine.preflight.models import Card, Layout, Workload

FEW_IMAGES = 8
"""Images of an optimizer step below which the answers to one image pull too much in one direction."""
WORTH_SAYING_BYTES = 2**30
"""Memory that other programs hold; less than this is mostly the driver's own and a screen."""


def warnings(layout: Layout, workload: Workload, card: Card, *, proved: bool) -> list[str]:
    """Sentences, the most important first.

    Args:
        layout: how the run would be computed.
        workload: of the largest image.
        card: the device.
        proved: False for a size of model whose estimates were never held against a card.
    """
    found = []
    samples = layout.micro_batch * layout.accumulation * layout.devices
    images = samples // workload.samples_per_image
    if layout.packed and images < FEW_IMAGES:
        held = f"{max(1, images)} image{'s' * (images > 1)}"
        enough = FEW_IMAGES * workload.samples_per_image
        found.append(
            f"A step of {samples} samples holds {held}; the answers to an image pull together. "
            f"Use training.batch x training.accumulation of at least {enough}."
        )
    taken = 0 if card.free is None or card.memory is None else card.memory - CONTEXT_BYTES - card.free
    if taken > WORTH_SAYING_BYTES:
        found.append(f"Other programs hold {size(taken)} of the card; {size(card.free)} are free now.")
    if not proved:
        found.append("The figures for this size of model are arithmetic alone: it was never measured.")
    return found
