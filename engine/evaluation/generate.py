"""Batched greedy answers."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from engine.training.collator import pad_left
from engine.training.encoding import Encoder
from engine.training.pixels import PixelStore

GREEDY: dict[str, Any] = {
    # Written out, because a model folder may bring sampling settings or a repetition penalty of its own.
    "do_sample": False,
    "num_beams": 1,
    "temperature": 1.0,
    "top_p": 1.0,
    "top_k": 50,
    "repetition_penalty": 1.0,
}


@dataclass(frozen=True, slots=True)
class Generated:
    """One answer."""

    text: str
    """Without special tokens, otherwise unaltered."""
    tokens: int
    """Generated tokens, the end token counted, pads not."""
    cut_off: bool
    """No end token within max_new_tokens."""
    latency_seconds: float
    """Time of the batch divided by its size."""


def prompt_batch(
    encoder: Encoder, pixels: PixelStore, images: Sequence[int], prompt: str, device: torch.device
) -> dict[str, torch.Tensor]:
    """The same question about several images, padded on the left, on `device`."""
    values, grid = pixels.batch(images)
    batch = pad_left([encoder.prompt(prompt, tokens) for tokens in pixels.tokens(grid)], encoder)
    batch |= {"pixel_values": values, "image_grid_thw": grid}
    return {name: value.to(device) for name, value in batch.items()}


@torch.inference_mode()
def generate_answers(
    model: Any,
    encoder: Encoder,
    batch: dict[str, torch.Tensor],
    max_new_tokens: int,
    clock: Callable[[], float] = time.perf_counter,
) -> list[Generated]:
    """Greedy answers to a batch of prompts (see `prompt_batch`)."""
    return generate(model, encoder, batch, max_new_tokens, clock)


def generate(
    model: Any,
    encoder: Encoder,
    batch: dict[str, torch.Tensor],
    max_new_tokens: int,
    clock: Callable[[], float] = time.perf_counter,
) -> list[Generated]:
    """As `generate_answers`, under the gradient mode of the caller.

    A model that trains on afterwards must not be left with tensors of inference mode in its buffers.
    """
    ends = end_ids(model, encoder)
    started = clock()
    output = model.generate(
        **batch, max_new_tokens=max_new_tokens, eos_token_id=ends, pad_token_id=encoder.pad_id, **GREEDY
    )
    answers = output[:, batch["input_ids"].shape[1] :].tolist()
    latency = (clock() - started) / len(answers)
    return [_generated(answer, ends, encoder, latency) for answer in answers]


def end_ids(model: Any, encoder: Encoder) -> list[int]:
    """Every token that ends an answer: that of the chat template, and those of the model's own configuration."""
    known = getattr(model.generation_config, "eos_token_id", None)
    listed = known if isinstance(known, list) else [] if known is None else [known]
    return sorted({encoder.end_id, *listed})


def _generated(ids: list[int], ends: list[int], encoder: Encoder, latency: float) -> Generated:
    end = next((position for position, token in enumerate(ids) if token in ends), None)
    kept = ids if end is None else ids[:end]
    return Generated(encoder.decode(kept), len(ids) if end is None else end + 1, end is None, latency)
