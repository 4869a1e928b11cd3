"""Synthetic ultrasound phantoms: drawn tissue, simulated beam physics, known answers.

They stand in for patients' images wherever none can be shipped. A score on phantoms says that the machinery works; it
says nothing about clinical performance.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.data.phantoms.anatomy import PAINTERS
from engine.data.phantoms.field import BeamField
from engine.data.phantoms.imaging import QUALITY_TIERS, form_image
from engine.data.phantoms.labels import VIEWS, PhantomLabels, answers, describe

__all__ = ["VIEWS", "PhantomLabels", "answers", "describe", "render"]

QUALITY_SHARES = {"Good": 0.5, "Medium": 0.3, "Low": 0.2}


def render(
    seed: int, *, view: str | None = None, abnormal: bool | None = None, size: int = 192
) -> tuple[NDArray[np.uint8], PhantomLabels]:
    """Draw one phantom.

    Args:
        seed: the same seed, view, verdict and size give the same pixels on every machine with the same numpy.
        view: one of `VIEWS`; None lets the seed choose.
        abnormal: whether to draw the abnormal variant; None tosses a fair coin with the seed.
        size: side of the square picture in pixels.

    Returns:
        Grey pixels of shape (size, size) and the ground truth.
    """
    rng = np.random.default_rng(seed)
    chosen_view, coin = VIEWS[int(rng.integers(len(VIEWS)))], bool(rng.random() < 0.5)
    view = chosen_view if view is None else view
    abnormal = coin if abnormal is None else abnormal
    quality = str(rng.choice(list(QUALITY_SHARES), p=list(QUALITY_SHARES.values())))
    field = BeamField(rng, size)
    drawn = PAINTERS[view](field, abnormal)
    pixels = form_image(field, size, QUALITY_TIERS[quality])
    return pixels, PhantomLabels(seed, view, abnormal, drawn.finding, drawn.orientation, drawn.weeks, quality)
