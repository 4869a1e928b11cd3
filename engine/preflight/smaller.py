"""Smaller models of the same family that could take the place of one that is too large."""

from __future__ import annotations

from pathlib import Path

from engine.errors import ModelError
from engine.preflight.models import ModelShape
from engine.preflight.shapes import CONFIG, HUB_NAME, PUBLISHED, read_config


def smaller_models(model: str, folder: Path | None = None) -> list[tuple[str, ModelShape]]:
    """Model ids with their dimensions, largest first; none for a name that tells no known size.

    Args:
        model: model id of the recipe; untrusted text.
        folder: where it lies; None for one of a hub. Of local models only those are named that lie beside it.
    """
    place, slash, name = model.rstrip("/").rpartition("/")
    named = [(size, f"{place}{slash}{each}") for size, each in smaller_names(name)]
    if folder is None:
        return [(each, PUBLISHED[size]) for size, each in named] if slash else []
    beside = ((each, folder.with_name(each.rpartition("/")[2])) for _, each in named)
    return [(each, shape) for each, lies in beside if (shape := _shape_in(lies)) is not None]


def smaller_names(name: str) -> list[tuple[str, str]]:
    """(size, the name with that size in place of its own), largest first. All else in the name stays: `bnb-4bit` is no
    size."""
    found = HUB_NAME.search(name)
    if found is None or found[1].upper() not in PUBLISHED:
        return []
    sizes = list(PUBLISHED)
    smaller = reversed(sizes[: sizes.index(found[1].upper())])
    return [(size, name[: found.start(1)] + size + name[found.end(1) :]) for size in smaller]


def _shape_in(folder: Path) -> ModelShape | None:
    """Dimensions of the model in a folder; None where there is none that can be loaded, which is then none to name."""
    if not (folder / CONFIG).is_file() or not any(folder.glob("*.safetensors")):
        return None
    try:
        return read_config(folder / CONFIG)[1]
    except ModelError:
        return None
