"""Phantoms, copies of them, and datasets made of images: what the tests of data quality begin with."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from data_helpers import ANSWERS, eight_lines, write_image, write_lines
from PIL import Image, ImageFilter

from engine import api
from engine.data.phantoms import VIEWS, render
from engine.data.quality.signature import Signature, sign_bytes
from engine.workspace import Workspace


def phantom(seed: int, size: int = 96, view: str | None = None) -> Image.Image:
    """A phantom of its own; by default views take turns."""
    pixels, _ = render(seed, view=view or VIEWS[seed % len(VIEWS)], size=size)
    return Image.fromarray(pixels)


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def signed(image: Image.Image | bytes) -> Signature:
    data = image if isinstance(image, bytes) else encoded(image)
    return sign_bytes(data, hashlib.sha256(data).hexdigest())


def shifted(image: Image.Image, right: int, down: int) -> Image.Image:
    """The picture moved, with black where nothing comes from."""
    moved = Image.new("L", image.size)
    moved.paste(image, (right, down))
    return moved


def noisy(image: Image.Image, deviation: float = 12.0) -> Image.Image:
    noise = np.random.default_rng(1).normal(0, deviation, (image.height, image.width))
    return Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8))


def captioned(image: Image.Image) -> Image.Image:
    """With a white box where machines write their settings."""
    pixels = np.array(image)
    pixels[4:10, 4:36] = 200
    return Image.fromarray(pixels)


COPIES = {
    "shifted": lambda image: encoded(shifted(image, image.width // 50, -image.width // 50)),
    "noisy": lambda image: encoded(noisy(image)),
    "encoded anew": lambda image: encoded(image, "JPEG", quality=40),
    "smaller": lambda image: encoded(image.resize((70, 70), Image.Resampling.BICUBIC)),
    "larger": lambda image: encoded(image.resize((160, 160), Image.Resampling.BICUBIC)),
    "brighter": lambda image: encoded(image.point(lambda level: min(255, int(level * 1.3)))),
    "blurred": lambda image: encoded(image.filter(ImageFilter.GaussianBlur(0.7))),
    "captioned": lambda image: encoded(captioned(image)),
    "turned by a degree": lambda image: encoded(image.rotate(1, Image.Resampling.BICUBIC)),
}
"""Ways in which one picture lies in a folder twice, as file contents."""


def dataset_of(
    folder: Path, images: Mapping[str, bytes], name: str = "fetal", **answers: Mapping[str, str]
) -> Workspace:
    """A workspace with one dataset of these files; `answers` by question and then by path, the usual ones elsewhere."""
    lines = []
    for path, data in images.items():
        write_image(folder / "images", path, data)
        own = {question: texts[path] for question, texts in answers.items() if path in texts}
        lines += eight_lines(path, **{**ANSWERS, **own})
    workspace = Workspace(folder / "workspace")
    workspace.root.mkdir(exist_ok=True)
    api.import_chat_file(workspace, name, write_lines(folder / f"{name}.jsonl", lines), folder / "images")
    return workspace
