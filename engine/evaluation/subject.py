"""What is measured: a base model with a run's adapter on it, or the base model alone.

Evaluation always runs on transformers and PEFT, whatever backend trained the adapter: label scoring continues from a
repeated key-value cache, which takes the library's own, and all subjects are measured by the same code.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from engine.errors import ModelError
from engine.files import sha256_of
from engine.training.backends import FOUR_BIT, installed
from engine.training.encoding import Encoder
from engine.training.fast.install import freeze_adapters, install
from engine.training.loss import unwrapped
from engine.training.model import load_adapter, load_base, load_processor
from engine.training.model_files import ADAPTER_WEIGHTS
from engine.training.pixels import Geometry


@dataclass(frozen=True, slots=True)
class Subject:
    """A loaded model, ready to answer."""

    model: Any
    encoder: Encoder
    geometry: Geometry
    device: torch.device


def load_subject(source: str, quantization: str, adapter: Path | None, adapter_sha256: str | None) -> Subject:
    """Load a base model and, for a tuned run, its adapter.

    Args:
        source: folder or hub id of the base.
        quantization: `none` or `4bit`.
        adapter: folder of the adapter; None for the base alone.
        adapter_sha256: hash that the run recorded; None where it recorded none.

    Raises:
        ModelError: something is missing, does not fit this machine, or is not what the run saved.
    """
    device = torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")
    if quantization == FOUR_BIT and (device.type != "cuda" or not installed("bitsandbytes")):
        raise ModelError(
            "4-bit weights cannot be loaded on this machine",
            "The run was trained on a 4-bit base, which needs an NVIDIA GPU and bitsandbytes; on another base its "
            "figures would be those of another model.",
            "Evaluate it on a machine with a GPU.",
        )
    processor = load_processor(source)
    model = load_base(source, quantization, device)
    if adapter is not None:
        model = load_adapter(model, adapter)
        _same_adapter(adapter, adapter_sha256)
    install(unwrapped(model))
    freeze_adapters(unwrapped(model))
    return Subject(model.eval(), Encoder(processor), Geometry.of(processor), device)


def _same_adapter(adapter: Path, expected: str | None) -> None:
    if expected is not None and sha256_of(adapter / ADAPTER_WEIGHTS) != expected:
        raise ModelError(
            "The adapter is not the one that the run saved",
            f"{adapter / ADAPTER_WEIGHTS} has changed since the training.",
            "Train the run again, or evaluate the adapter under a run of its own.",
        )
