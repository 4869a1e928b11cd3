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
    return question_batch(encoder, prompt, values.to(device), grid.to(device), pixels.tokens(grid))


def question_batch(
    encoder: Encoder, prompt: str, values: torch.Tensor, grid: torch.Tensor, tokens: Sequence[int]
) -> dict[str, torch.Tensor]:
    """The same question about images that are on a device already.

    Args:
        encoder: of the model's processor.
        prompt: the wording.
        values: `pixel_values` (patches, features).
        grid: `image_grid_thw` (images, 3).
        tokens: image tokens of each image.
    """
    batch = pad_left([encoder.prompt(prompt, count) for count in tokens], encoder)
    placed = {name: value.to(values.device) for name, value in batch.items()}
    return placed | {"pixel_values": values, "image_grid_thw": grid}


@torch.inference_mode()
def generate_answers(
    model: Any,
    encoder: Encoder,
    batch: dict[str, torch.Tensor],
    max_new_tokens: int,
    clock: Callable[[], float] = time.perf_counter,
    between: Callable[[], None] | None = None,
) -> list[Generated]:
    """Greedy answers to a batch of prompts (see `prompt_batch`).

    `between` is called after every token; it may raise to give up.
    """
    return generate(model, encoder, batch, max_new_tokens, clock, between)


def generate(
    model: Any,
    encoder: Encoder,
    batch: dict[str, torch.Tensor],
    max_new_tokens: int,
    clock: Callable[[], float] = time.perf_counter,
    between: Callable[[], None] | None = None,
) -> list[Generated]:
    """As `generate_answers`, under the gradient mode of the caller.

    A model that trains on afterwards must not be left with tensors of inference mode in its buffers.
    """
    watched = {} if between is None else {"stopping_criteria": _calls(between)}
    ends = end_ids(model, encoder)
    started = clock()
    output = model.generate(
        **batch, max_new_tokens=max_new_tokens, eos_token_id=ends, pad_token_id=encoder.pad_id, **GREEDY, **watched
    )
    answers = output[:, batch["input_ids"].shape[1] :].tolist()
    latency = (clock() - started) / len(answers)
    return [generated(answer, ends, encoder, latency) for answer in answers]


def _calls(between: Callable[[], None]) -> Any:
    """For `generate`: a criterion that stops nothing, and calls `between` after each token."""
    from transformers import StoppingCriteria, StoppingCriteriaList

    class Between(StoppingCriteria):  # type: ignore[misc]
        def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
            between()
            return torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)

    return StoppingCriteriaList([Between()])


def end_ids(model: Any, encoder: Encoder) -> list[int]:
    """Every token that ends an answer: that of the chat template, and those of the model's own configuration."""
    known = getattr(model.generation_config, "eos_token_id", None)
    listed = known if isinstance(known, list) else [] if known is None else [known]
    return sorted({encoder.end_id, *listed})


def generated(ids: list[int], ends: Sequence[int], encoder: Encoder, latency: float) -> Generated:
    """One answer from its tokens, which may go on behind an end token; `ends` are those that end it."""
    end = next((position for position, token in enumerate(ids) if token in ends), None)
    kept = ids if end is None else ids[:end]
    return Generated(encoder.decode(kept), len(ids) if end is None else end + 1, end is None, latency)
