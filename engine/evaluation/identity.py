"""Who answers an evaluation, told from files before anything is loaded: may the answers of two attempts be one?

Two attempts answer alike only when adapter, base, bits, kind of device and libraries are the same. The adapter is known
by the hash of its bytes. Sixteen gigabytes of base weights are not read once more for that: what stands for them are
the hashes of their headers, with the size and the time of each file. So a base that was copied or written again with
equal content counts as another one, and the evaluation begins anew, which costs time and never a false figure. A base
whose weights were changed in place, with size and time put back, would not be noticed.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

from engine.errors import ModelError
from engine.evaluation.plan import Plan
from engine.files import sha256_of
from engine.training.model_files import resolve_model
from engine.workspace import Workspace

PACKAGES = ("torch", "transformers", "peft", "bitsandbytes")
"""Libraries whose arithmetic answers."""
_CONTENT = frozenset({".json", ".jinja", ".txt", ".model"})
"""Endings of the small files that shape a model: configurations, vocabulary, chat template."""
_ADAPTER_WEIGHTS, _ADAPTER_CONFIG = "adapter_model.safetensors", "adapter_config.json"
_LONGEST_HEADER = 100_000_000
"""Bytes; the format allows no more."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who answers."""

    adapter_sha256: str | None
    """Of the adapter's weights; None for a base alone, and where there is no adapter."""
    details: Mapping[str, str]
    """What else has to be the same, by name; "" where it is not known."""
    is_known: bool
    """False where something could not be found: then nothing of before is kept."""


def identity_of(workspace: Workspace, plan: Plan) -> Identity:
    """Who would answer an evaluation now. Imports torch, because the kind of device is part of the answer.

    What is missing makes it unknown and raises nothing: loading says it better.
    """
    adapter = None if plan.run is None else workspace.job_folder(plan.run.directory) / "adapter"
    weights = None if adapter is None else _content(adapter / _ADAPTER_WEIGHTS)
    config = "" if adapter is None else _content(adapter / _ADAPTER_CONFIG)
    base = base_fingerprint(plan.row.model, workspace)
    details = {
        "base": base,
        "adapter configuration": config,
        "quantization": plan.settings.quantization,
        "device": _device(),
        "libraries": ", ".join(_versions()),
    }
    return Identity(weights or None, details, bool(base) and (adapter is None or bool(weights and config)))


def _device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


@lru_cache(maxsize=1)
def _versions() -> tuple[str, ...]:
    found = []
    for package in PACKAGES:
        try:
            found.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            continue
    return tuple(found)


def base_fingerprint(model: str, workspace: Workspace) -> str:
    """SHA-256 that stands for the files of a base model; "" where no files of it lie on this machine.

    Args:
        model: folder (relative to the workspace or the repository) or hub id.
        workspace: of the run.
    """
    try:
        folder = _folder_of(resolve_model(model, workspace.root))
        return "" if folder is None else _fingerprint(folder)
    except (ModelError, OSError):
        return ""  # loading it fails as well, and says why


def _folder_of(resolved: str) -> Path | None:
    """Folder of a resolved model; of a hub id the one in the local cache, or None."""
    if (folder := Path(resolved)).is_dir():
        return folder
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(resolved, "config.json")
    return Path(found).parent if isinstance(found, str) else None


def _fingerprint(folder: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted(folder.iterdir()):
        if file.suffix == ".safetensors":
            status = file.stat()
            known = f"{status.st_size}:{status.st_mtime_ns}:{_header(file)}"
        elif file.suffix in _CONTENT and file.is_file():
            known = _content(file)
        else:
            continue
        digest.update(f"{len(file.name)}:{file.name}:{known}\n".encode())
    return digest.hexdigest()


def _header(file: Path) -> str:
    """SHA-256 of the header of a safetensors file: names, types, shapes and places of its tensors."""
    with file.open("rb") as handle:
        start = handle.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        return hashlib.sha256(start + handle.read(min(length, _LONGEST_HEADER))).hexdigest()


def _content(file: Path) -> str:
    """SHA-256 of a file; "" where there is none. Read once for as long as the file stays what it is."""
    try:
        status = file.stat()
        return _hashed(file, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    except OSError:
        return ""


@lru_cache(maxsize=64)
def _hashed(file: Path, *_status: int) -> str:
    return sha256_of(file)


def differences(before: object, after: Identity) -> list[str]:
    """Names of what is not as it was, by the details that an earlier attempt has stored (any JSON value)."""
    known: Mapping[str, Any] = before if isinstance(before, dict) else {}
    return [name for name, value in after.details.items() if known.get(name) != value]
