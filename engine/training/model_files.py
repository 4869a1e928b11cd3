"""Where a base model lies, found without loading anything."""

from __future__ import annotations

import re
from pathlib import Path

import engine
from engine.errors import ModelError

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
"""`organisation/name` of a model hub."""


def repository_root() -> Path:
    """The folder that holds the `engine` package, and with it `assets/`."""
    return Path(engine.__file__).resolve().parents[1]


def resolve_model(model_id: str, workspace_root: Path) -> str:
    """Folder of a local model (looked for in the workspace, then beside the installed package), else its hub id.

    Raises:
        ModelError: `model_id` is a path, and no folder with a `config.json` lies there.
    """
    given = Path(model_id).expanduser()
    candidates = [given] if given.is_absolute() else [workspace_root / given, repository_root() / given]
    for folder in candidates:
        if (folder / "config.json").is_file():
            _require_safetensors(folder)
            return str(folder)
    path_like = given.is_absolute() or model_id.startswith((".", "~", "assets/")) or any(p.exists() for p in candidates)
    if not path_like and HUB_ID.fullmatch(model_id):
        return model_id
    raise ModelError(
        f"The base model {model_id!r} was not found",
        "No config.json in " + " or ".join(str(folder) for folder in candidates) + ".",
        "Check model.id in the recipe: a folder (relative to the workspace or the repository) or an id such as "
        "Qwen/Qwen3-VL-2B-Instruct. The embedded model is assets/base-model.",
    )


def _require_safetensors(folder: Path) -> None:
    """Pickled weights can run code when they are loaded, on every backend: refused before anything is imported."""
    if not any(folder.glob("*.safetensors")):
        raise ModelError(
            f"The base model in {folder} has no safetensors weights",
            "Weights in other formats (pickles) can run code when they are loaded, so they never are.",
            "Convert them with `safetensors`, or download a copy of the model in that format.",
        )


def weight_bytes(resolved: str) -> int | None:
    """Size of the safetensors of a local model; None for one that lies elsewhere."""
    folder = Path(resolved)
    if not folder.is_dir():
        return None
    return sum(file.stat().st_size for file in folder.glob("*.safetensors")) or None
