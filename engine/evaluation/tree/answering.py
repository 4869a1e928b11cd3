"""Answers and label likelihoods of some images from one pass over vision, root and questions.

`answer_images(model, builder, pictures, asked, force_tokens=12)` is what a benchmark calls: exactly 12 new tokens for
each question, whatever the model says.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from engine.evaluation.generate import Generated, end_ids, generated
from engine.evaluation.tree.cache import TreeCache
from engine.evaluation.tree.decoding import Decoding, decode, room_for
from engine.evaluation.tree.likelihoods import Predictions, candidate_likelihoods
from engine.evaluation.tree.pictures import Pictures
from engine.evaluation.tree.rows import RowBuilder, Rows
from engine.preflight.memory import LENGTH_MULTIPLE
from engine.training.loss import unwrapped
from engine.training.packing.masks import tree_mask


@dataclass(frozen=True, slots=True)
class Answered:
    """What a model said to one question about one image."""

    ask: int
    """Number of the question."""
    generated: Generated
    log_likelihoods: torch.Tensor | None
    """float64 (candidates,) on the CPU, in nats; None for a question without candidates."""


def _nothing() -> None:
    """Nobody wants to be called between steps."""


@torch.inference_mode()
def answer_images(
    model: Any,
    builder: RowBuilder,
    pictures: Pictures,
    asked: Sequence[tuple[int, ...]],
    *,
    force_tokens: int | None = None,
    between: Callable[[], None] = _nothing,
    clock: Callable[[], float] = time.perf_counter,
) -> list[list[Answered]]:
    """Put questions to images, all in one pass, then decode all answers together.

    The answers are those of `engine.evaluation.generate.generate_answers`, the likelihoods those of
    `engine.evaluation.label_scoring.candidate_log_likelihoods`, question by question.

    Args:
        model: Qwen3-VL, with or without PEFT, in evaluation mode, attending by `sdpa` or `eager`.
        builder: lays out rows; knows the questions.
        pictures: the images.
        asked: for each image, the numbers of its questions, at least one.
        force_tokens: exactly so many new tokens for every question: end tokens and limits count for nothing.
        between: called every few tokens; may raise to give up.
        clock: seconds.

    Returns:
        For each image, one answer for each of its questions, in their order.
    """
    started = clock()
    base, encoder = unwrapped(model), builder.encoder
    device = base.device
    rows = builder.build(pictures.sizes, asked, LENGTH_MULTIPLE if device.type == "cuda" else 1)
    ends = [] if force_tokens else end_ids(model, encoder)
    limits = [[force_tokens or builder.asks[each].max_new_tokens for each in numbers] for numbers in asked]
    # All copies to the device come before the pass: each would make the host wait until the pass is over.
    given = _decoding(rows, limits, ends, encoder.pad_id, device)
    layouts = [builder.layout(*size, numbers) for size, numbers in zip(pictures.sizes, asked, strict=True)]
    wanted, last = Predictions.of(layouts, device), rows.ends.to(device)
    layers = base.config.get_text_config().num_hidden_layers
    cache = TreeCache(layers, rows.prompt_length, room_for(given.longest, last.shape[1]))
    hidden = _first_pass(base, cache, rows, pictures, device)
    likelihoods = None if wanted is None else candidate_likelihoods(base.lm_head, hidden, wanted)
    images = torch.arange(len(asked), device=device)[:, None]
    first = base.lm_head(hidden[images, last]).float().argmax(-1)
    del hidden  # not needed while answers are decoded
    tokens = decode(base, cache, first, given, between).tolist()
    scores = None if likelihoods is None else likelihoods.cpu()
    latency = (clock() - started) / sum(map(len, asked))

    def answered(image: int, slot: int, ask: int) -> Answered:
        answer = generated(tokens[image][slot][: limits[image][slot]], ends, encoder, latency)
        count = len(builder.asks[ask].candidates)
        return Answered(ask, answer, None if scores is None or not count else scores[image, slot, :count])

    return [[answered(image, slot, ask) for slot, ask in enumerate(numbers)] for image, numbers in enumerate(asked)]


def _first_pass(base: Any, cache: TreeCache, rows: Rows, pictures: Pictures, device: torch.device) -> torch.Tensor:
    """Hidden states (images, length, width) of whole rows; root and questions stay in the cache."""
    hidden: torch.Tensor = base.model(
        input_ids=rows.ids.to(device),
        attention_mask=tree_mask(rows.segments.to(device), rows.ancestors.to(device)),
        position_ids=rows.positions.to(device),
        pixel_values=pictures.pixel_values(device),
        image_grid_thw=pictures.grid(device),
        past_key_values=cache,
        use_cache=True,
    )[0]
    return hidden


def _decoding(
    rows: Rows, limits: Sequence[Sequence[int]], ends: Sequence[int], pad_id: int, device: torch.device
) -> Decoding:
    segments, padded = rows.segments.to(device), _padded(limits)
    prompt = segments[:, None, : rows.prompt_length]
    slot = torch.arange(1, rows.ends.shape[1] + 1, device=device)[None, :, None]
    return Decoding(
        # Question n of an image is segment n of its row: an answer sees the root and its question.
        sees=(prompt == 0) | (prompt == slot),
        positions=rows.next_positions.to(device),
        limits=padded.to(device),
        longest=int(padded.max()),
        may_end=bool(ends) or bool((padded < padded.max()).any()),
        ends=torch.tensor(ends, device=device, dtype=torch.long),
        pad_id=pad_id,
    )


def _padded(limits: Sequence[Sequence[int]]) -> torch.Tensor:
    found = torch.zeros((len(limits), max(map(len, limits))), dtype=torch.long)
    for image, each in enumerate(limits):
        found[image, : len(each)] = torch.tensor(each)
    return found
