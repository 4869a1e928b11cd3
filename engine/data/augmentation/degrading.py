"""The degradations under which robustness is measured: five kinds, three severities, fixed for each image.

An evaluation stores which one it saw as `speckle:2`. Pixels depend on kind, severity and image alone, so that every
model meets the same ones. The names are light to import; numpy loads with the first image that is degraded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from engine.errors import UsageError
from engine.text import one_line

if TYPE_CHECKING:
    from PIL.Image import Image

    from engine.data.augmentation.change import Change

DEGRADATIONS: Mapping[str, str] = {
    "speckle": "Multiplicative Rayleigh noise on top of the speckle that is there.",
    "blur": "Out of focus: a Gaussian blur, wider across the beam than along it.",
    "shadow": "Acoustic shadows below bright reflectors; more and darker ones with severity.",
    "low_gain": "Receive gain too low: everything is darker, and weak echoes fall below black.",
    "low_resolution": "As if the file had fewer pixels: averaged down, and scaled up again.",
}
"""One sentence on each kind."""

SEVERITIES = (1, 2, 3)
"""1 is mild; at 3 the view can still be recognised, but fine findings are hard to see."""


def degradation_id(kind: str, severity: int) -> str:
    """How `evaluations.degradation` names it, such as `speckle:2`.

    Raises:
        UsageError: there is no such kind or severity.
    """
    text = f"{kind}:{severity}"
    parse_degradation(text)
    return text


def parse_degradation(text: str) -> tuple[str, int]:
    """Kind and severity of `speckle:2`.

    Raises:
        UsageError: it is none; the error lists those that there are.
    """
    kind, _, severity = text.partition(":")
    if kind in DEGRADATIONS and severity in {str(each) for each in SEVERITIES}:
        return kind, int(severity)
    raise UsageError(
        f"There is no degradation {one_line(text)[:60] or '(nothing)'}",
        f"Kinds: {', '.join(DEGRADATIONS)}. Severities: {', '.join(map(str, SEVERITIES))}.",
        f"Write a kind and a severity, such as {next(iter(DEGRADATIONS))}:2.",
    )


def degradation_change(kind: str, severity: int, key: str) -> Change:
    """The change that a degradation is for the image `key`.

    Raises:
        UsageError: there is no such kind or severity.
    """
    from engine.data.augmentation.degradations import steps_of

    return steps_of(*parse_degradation(f"{kind}:{severity}"), key)


def degrade(image: Image, kind: str, severity: int, key: str) -> Image:
    """A degraded copy of an image, RGB and of the same size.

    Args:
        image: as the model would be shown it; not changed.
        kind: one of `DEGRADATIONS`.
        severity: one of `SEVERITIES`.
        key: of the image, such as the hash of its file: where noise and shadows fall comes from it alone.

    Raises:
        UsageError: there is no such kind or severity.
    """
    return degradation_change(kind, severity, key).apply(image)
