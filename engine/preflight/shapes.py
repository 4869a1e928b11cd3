"""The dimensions of a model: from the config.json of a folder, or the published ones of Qwen3-VL."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import ModelError
from engine.preflight.models import ModelShape

CONFIG = "config.json"
MODEL_TYPE = "qwen3_vl"
LARGEST_CONFIG_BYTES = 4 * 2**20
"""A config.json has a few kilobytes; whatever is larger is something else."""
LARGEST_DIMENSION = 2**24
"""Beyond every model; keeps a broken file from making numbers that mean nothing."""


def _published(
    text: tuple[int, int, int, int], vision: tuple[int, int, int], *, tied: bool, deepstack: int = 3
) -> ModelShape:
    hidden, layers, heads, intermediate = text
    vision_hidden, vision_layers, vision_intermediate = vision
    return ModelShape(
        text_hidden=hidden,
        text_layers=layers,
        text_heads=heads,
        key_value_heads=8,
        head_dim=128,
        text_intermediate=intermediate,
        vocabulary=151_936,
        tied_head=tied,
        vision_hidden=vision_hidden,
        vision_layers=vision_layers,
        vision_heads=16,
        vision_intermediate=vision_intermediate,
        deepstack_layers=deepstack,
        patch=16,
        merge=2,
        position_grid=2304,
    )


PUBLISHED: Mapping[str, ModelShape] = {
    "2B": _published((2048, 28, 16, 6144), (1024, 24, 4096), tied=True),
    "4B": _published((2560, 36, 32, 9728), (1024, 24, 4096), tied=True),
    "8B": _published((4096, 36, 32, 12288), (1152, 27, 4304), tied=False),
    "32B": _published((5120, 64, 64, 25600), (1152, 27, 4304), tied=False),
}
"""Dimensions in the published configurations of Qwen3-VL, by size, smallest first."""

HUB_NAME = re.compile(r"qwen3-vl-(\d+b)(?:-|$)", re.IGNORECASE)
"""Name of a published model or of a copy; the group is its size."""


@dataclass(frozen=True, slots=True)
class KnownShape:
    """Dimensions, and where they were found."""

    shape: ModelShape
    source: str
    """In words."""
    config: Mapping[str, Any]
    """The model's config.json, or what is known of it; untrusted."""
    measured: bool = True
    """False for a size whose estimates nobody has ever held against a card."""
    folder: Path | None = None
    """Where the model lies; None for one of a hub."""


def size_name(model: str) -> str | None:
    """`8B` for Qwen/Qwen3-VL-8B-Instruct and its copies under other owners; None for names without a known size."""
    found = HUB_NAME.search(model)
    return found[1].upper() if found and found[1].upper() in PUBLISHED else None


def find_shape(source: str) -> KnownShape:
    """Dimensions of a model.

    Args:
        source: folder or hub id, as `engine.training.model_files.resolve_model` gives it.

    Raises:
        ModelError: the folder's config.json cannot be used, or the hub id is none whose dimensions are known.
    """
    folder = Path(source)
    if (folder / CONFIG).is_file():
        config, shape = read_config(folder / CONFIG)
        return KnownShape(shape, "its config.json", config, folder=folder)
    size = size_name(source)
    if size is None:
        raise ModelError(
            f"The dimensions of {source!r} are not known",
            "It is no local folder with a config.json, and its name is none of Qwen3-VL 2B, 4B, 8B or 32B.",
            "Download the model and write its folder under model.id; its config.json tells the dimensions.",
        )
    return KnownShape(
        PUBLISHED[size], f"published dimensions of Qwen3-VL-{size}", {"model_type": MODEL_TYPE}, measured=size != "32B"
    )


def read_config(file: Path) -> tuple[Mapping[str, Any], ModelShape]:
    """The config.json of a Qwen3-VL model, and the dimensions in it. The file is not trusted: every value is checked.

    Raises:
        ModelError: it cannot be read, is of another architecture, or lacks a dimension.
    """
    try:
        if file.stat().st_size > LARGEST_CONFIG_BYTES:
            raise ValueError(f"it has {file.stat().st_size:,} bytes")
        config = json.loads(file.read_bytes())
        return config, shape_of_config(config)
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(
            f"The dimensions of the model in {file.parent} cannot be read",
            f"{file.name}: {error}",
            "Choose a Qwen3-VL model under model.id, or download this one again.",
        ) from error


def shape_of_config(config: Any) -> ModelShape:
    """Dimensions in a parsed config.json.

    Raises:
        ValueError: what is wrong with it.
    """
    if not isinstance(config, dict) or config.get("model_type") != MODEL_TYPE:
        found = config.get("model_type") if isinstance(config, dict) else type(config).__name__
        raise ValueError(f"the model type is {str(found)[:40]!r}, not {MODEL_TYPE!r}")
    text, vision = _section(config, "text_config"), _section(config, "vision_config")
    hidden, heads = _whole(text, "hidden_size"), _whole(text, "num_attention_heads")
    deepstack = vision.get("deepstack_visual_indexes", [])
    if not isinstance(deepstack, list):
        raise ValueError("deepstack_visual_indexes is no list")
    return ModelShape(
        text_hidden=hidden,
        text_layers=_whole(text, "num_hidden_layers"),
        text_heads=heads,
        key_value_heads=_whole(text, "num_key_value_heads", heads),
        head_dim=_whole(text, "head_dim", hidden // heads),
        text_intermediate=_whole(text, "intermediate_size"),
        vocabulary=_whole(text, "vocab_size"),
        tied_head=config.get("tie_word_embeddings", text.get("tie_word_embeddings", False)) is True,
        vision_hidden=_whole(vision, "hidden_size"),
        vision_layers=_whole(vision, "depth"),
        vision_heads=_whole(vision, "num_heads"),
        vision_intermediate=_whole(vision, "intermediate_size"),
        deepstack_layers=len(deepstack),
        patch=_whole(vision, "patch_size", 16),
        merge=_whole(vision, "spatial_merge_size", 2),
        position_grid=_whole(vision, "num_position_embeddings", 2304),
    )


def _section(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = config.get(name)
    if not isinstance(section, dict):
        raise ValueError(f"it has no section {name}")
    return section


def _whole(section: Mapping[str, Any], key: str, default: int | None = None) -> int:
    value = section.get(key, default)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= LARGEST_DIMENSION:
        raise ValueError(f"{key} is {str(value)[:40]!r}, not a positive whole number")
    return value
