"""How levels and operations are called, and one sentence on each. Light: screens and commands import it at start."""

from __future__ import annotations

from dataclasses import dataclass

LEVELS = ("none", "basic", "advanced")
"""Values of `[data] augment`."""

ABOUT_LEVELS = {
    "none": "The image as it is.",
    "basic": "A turn of up to 10°, the mirror image, brightness, contrast.",
    "advanced": "Basic, and deformation, speckle, shadow, gain, depth attenuation, each by chance.",
}
"""One sentence on each level."""

SYNTHETIC = "synthetic"
"""The change that makes a synthetic abnormal case from a real one."""

ABOUT_SYNTHETIC = "Deformation, brightness, contrast and gain: how a synthetic abnormal case is made of a real one."


@dataclass(frozen=True, slots=True)
class Operation:
    """One kind of change of an image."""

    name: str
    """In one word, such as `shadow`."""
    level: str
    """The first level that draws it."""
    about: str
    """What it does and what it stands for, in one sentence."""


OPERATIONS = (
    Operation("rotation", "basic", "Turns the image by up to 10°: the probe was held at another angle."),
    Operation("mirror", "basic", "Exchanges left and right; an answer that names a side is rewritten with it."),
    Operation("brightness", "basic", "All levels times 0.8 to 1.2; black stays black."),
    Operation("contrast", "basic", "Levels move away from the mean of the tissue, or towards it."),
    Operation("deformation", "advanced", "A smooth elastic deformation of up to 4 % of the side: tissue is soft."),
    Operation("speckle", "advanced", "Multiplies by Rayleigh noise, the grain that interference gives every image."),
    Operation("shadow", "advanced", "Darkens the beams below a bright reflector, as bone and gas do."),
    Operation("gain", "advanced", "Another time-gain curve: bands of depth become brighter or darker."),
    Operation("attenuation", "advanced", "Takes away signal in proportion to depth, as absorbing tissue does."),
)
"""Every operation that a level can draw, in the order in which they are applied."""
