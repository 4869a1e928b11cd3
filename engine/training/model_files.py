"""Where a base model lies, found without loading anything."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import engine
from engine.errors import ModelError

ADAPTER_WEIGHTS, ADAPTER_CONFIG = "adapter_model.safetensors", "adapter_config.json"
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
            refuse_code(folder)
            return str(folder)
    path_like = given.is_absolute() or model_id.startswith((".", "~", "assets/")) or any(p.exists() for p in candidates)
    if not path_like and HUB_ID.fullmatch(model_id):
        return model_id
    raise ModelError(
        f"The base model {model_id!r} was not found",
        "No config.json in " + " or ".join(str(folder) for folder in candidates) + ".",
        "Put the model back where it was, or check model.id in the recipe: a folder (relative to the workspace or the "
        "repository) or an id such as Qwen/Qwen3-VL-2B-Instruct. The embedded model is assets/base-model.",
    )


def _require_safetensors(folder: Path) -> None:
    """Pickled weights can run code when they are loaded, on every backend: refused before anything is imported."""
    if not any(folder.glob("*.safetensors")):
        raise ModelError(
            f"The base model in {folder} has no safetensors weights",
            "Weights in other formats (pickles) can run code when they are loaded, so they never are.",
            "Convert them with `safetensors`, or download a copy of the model in that format.",
        )


def refuse_code(folder: Path) -> None:
    """Refuse a local model that names program code of its own, or weights outside its folder or of another format.

    The loaders are told not to run such code; whoever downloaded the model should learn that it has some all the same.

    Raises:
        ModelError: which file names it.
    """
    for file in sorted(folder.glob("*.json")):
        if file.name.startswith("tokenizer.") or file.name in _LARGE_TABLES:
            continue  # words and numbers, megabytes of them
        content = _json_object(file)
        if content is None:
            continue  # the loaders say what is wrong with it
        if _names_code(content):
            raise ModelError(
                f"The base model in {folder} brings program code of its own",
                f"{file.name} names it (auto_map). Code that comes with a model is never run here.",
                "Choose a model that transformers knows by itself, such as Qwen/Qwen3-VL-2B-Instruct.",
            )
        if file.name.endswith(".safetensors.index.json"):
            _require_plain_shards(folder, file, content)


_LARGE_TABLES = ("vocab.json", "added_tokens.json", "merges.json")
_LARGEST_JSON = 64 * 2**20


def _json_object(file: Path) -> dict[str, Any] | None:
    try:
        if not file.is_file() or file.stat().st_size > _LARGEST_JSON:
            return None
        content = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _names_code(value: Any, depth: int = 0) -> bool:
    """Whether a configuration, or a part of it, has the key under which transformers looks for code."""
    if depth > _DEEPEST or not isinstance(value, dict):
        return False
    return bool(value.get("auto_map")) or any(_names_code(each, depth + 1) for each in value.values())


_DEEPEST = 8


def _require_plain_shards(folder: Path, file: Path, content: dict[str, Any]) -> None:
    shards = content.get("weight_map")
    names = set(map(str, shards.values())) if isinstance(shards, dict) else set()
    odd = sorted(name for name in names if not name.endswith(".safetensors") or "/" in name or "\\" in name)
    if odd:
        raise ModelError(
            f"The base model in {folder} keeps weights elsewhere, or in another format",
            f"{file.name} names {odd[0][:200]!r}; only safetensors files of the same folder are read.",
            "Download the model anew, in the safetensors format.",
        )


def require_plain_adapter(folder: Path) -> None:
    """Refuse an adapter whose weights are no safetensors, or whose configuration names code, before it is loaded.

    Raises:
        ModelError: what is wrong with it.
    """
    if not (folder / ADAPTER_WEIGHTS).is_file():
        pickles = sorted(file.name for file in folder.glob("adapter_model.*")) if folder.is_dir() else []
        if pickles:
            raise ModelError(
                "The adapter is not in the safetensors format",
                f"{folder} holds {pickles[0][:200]!r}. Weights in other formats (pickles) can run code when they are "
                "loaded, so they never are.",
                "Train the run again, or convert the adapter with `safetensors` on a machine that you can lose.",
            )
        raise ModelError(
            "The run has no adapter",
            f"{folder / ADAPTER_WEIGHTS} does not exist.",
            "Let the run finish (`sonotune resume`), then evaluate it.",
        )
    config = _json_object(folder / ADAPTER_CONFIG)
    if config is None or config.get("peft_type") != "LORA":
        raise _odd_adapter(folder, "it does not say that this is a LoRA adapter")
    # PEFT imports the module that `megatron_core` names then. (`auto_mapping`, which Unsloth writes, is only read by
    # classes that are not used here.)
    if config.get("megatron_config"):
        raise _odd_adapter(folder, "megatron_config names program code that PEFT would import")


def _odd_adapter(folder: Path, reason: str) -> ModelError:
    return ModelError(
        "The adapter is none that sonotune has written",
        f"{folder / ADAPTER_CONFIG}: {reason}.",
        "Train the run again; an adapter of another tool cannot be put in its place.",
    )


def weight_bytes(resolved: str) -> int | None:
    """Size of the safetensors of a local model; None for one that lies elsewhere."""
    folder = Path(resolved)
    if not folder.is_dir():
        return None
    return sum(file.stat().st_size for file in folder.glob("*.safetensors")) or None
