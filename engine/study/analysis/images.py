"""The images of the dataset by path, read once."""

from __future__ import annotations

from collections.abc import Mapping

from engine.store.records import ImageRow
from engine.study.analysis.material import Material


def measured_images(material: Material) -> Mapping[str, ImageRow]:
    """Usable images by path; {} where the dataset is not in the workspace any more."""
    return {image.path: image for image in material.images if image.problem is None}
