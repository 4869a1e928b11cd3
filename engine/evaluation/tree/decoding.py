"""Greedy answers to all questions of all images at once: each step adds one token for every question of every image.

The new tokens are further places of the rows: each sees the root, its own question and its own answer so far. The cache
of an image is shared by its questions and never repeated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from engine.evaluation.tree.attention import grouped, grouped_mask
from engine.evaluation.tree.cache import TreeCache

ROOM_STEPS = 32
"""Tokens an answer for which the cache gets room at a time: the limit is often far above what answers need."""
ALIGNED = 8
"""Kernels want rows of a mask to begin at multiples of so many places; others are copied for them in every layer."""
LOOK_STEPS = 8
"""How often a GPU is asked whether all answers have ended. Asking makes the host wait; until then it runs ahead, and
the launches of the first steps hide behind the pass over the prompts."""


@dataclass(frozen=True, slots=True)
class Decoding:
    """What answers go on from, on the model's device."""

    sees: torch.Tensor
    """bool (images, slots, prompt places): what of the prompt each question's answer sees."""
    positions: torch.Tensor
    """int64 (images, slots): position of the first token of each answer."""
    limits: torch.Tensor
    """int64 (images, slots): most tokens of each answer; 0 where an image has fewer questions."""
    longest: int
    """The largest limit."""
    may_end: bool
    """Some answer may be complete before the longest limit."""
    ends: torch.Tensor
    """int64 (end tokens,); empty where answers shall not end."""
    pad_id: int


def room_for(longest: int, slots: int) -> int:
    """Places that a cache should have for a start, for answers of at most `longest` tokens."""
    return -(-min(longest - 1, ROOM_STEPS) * slots // ALIGNED) * ALIGNED


def decode(
    base: Any,
    cache: TreeCache,
    first: torch.Tensor,
    given: Decoding,
    between: Callable[[], None],
) -> torch.Tensor:
    """Tokens of all answers.

    Args:
        base: Qwen3-VL, LoRA layers in place.
        cache: filled by the pass over the prompts, with `room_for` tokens.
        first: (images, slots) int64: first token of each answer.
        given: see `Decoding`.
        between: called every few steps; may raise to give up.

    Returns:
        int64 (images, slots, longest); pads behind the end of an answer.
    """
    look = LOOK_STEPS if first.is_cuda else 1
    steps, limits = _Steps(base, cache, given), given.limits
    answers = first.new_full((*first.shape, given.longest), given.pad_id)
    answers[..., 0] = tokens = first
    finished = _finished(first, 1, given.ends, limits)
    slots = torch.arange(first.shape[1], device=first.device)
    with grouped(base.config.get_text_config()):
        for step in range(1, given.longest):
            if step % look == 0:
                between()
                going = _going_on(finished) if given.may_end else slots
                if not len(going):
                    break
                if len(going) < len(slots):
                    # One long answer must not keep all others in the pass.
                    steps.keep(going)
                    tokens, finished, limits = tokens[:, going], finished[:, going], limits[:, going]
                    slots = slots[going]
            following = steps.next(torch.where(finished, given.pad_id, tokens))
            tokens = torch.where(finished, given.pad_id, following)
            answers[:, slots, step] = tokens
            finished = finished | _finished(tokens, step + 1, given.ends, limits)
    return answers


def _finished(tokens: torch.Tensor, count: int, ends: torch.Tensor, limits: torch.Tensor) -> torch.Tensor:
    return (tokens[..., None] == ends).any(-1) | (limits <= count)


def _going_on(finished: torch.Tensor) -> torch.Tensor:
    """Places of the slots in which some image's answer has not ended; the host waits for it."""
    return (~finished.all(dim=0)).nonzero()[:, 0]


class _Steps:
    """One step after another, with what stays the same between them."""

    def __init__(self, base: Any, cache: TreeCache, given: Decoding) -> None:
        self._base, self._cache = base, cache
        text = base.config.get_text_config()
        self._groups = text.num_attention_heads // text.num_key_value_heads
        self._positions = given.positions.expand(3, -1, -1)
        self._dtype = cache.layers[0].keys.dtype
        self._mask = self._with_room(grouped_mask(given.sees, self._groups, self._dtype))
        self._place = cache.prompt_length
        self._prepare(given.sees.shape[1])

    def _prepare(self, slots: int) -> None:
        device = self._mask.device
        self._offsets = torch.arange(slots, device=device)
        # A token sees the one that each earlier step has added for its own question.
        own = torch.eye(slots, dtype=torch.bool, device=device)
        self._own = grouped_mask(own[None], self._groups, self._dtype)

    def keep(self, slots: torch.Tensor) -> None:
        """Go on with some of the present slots, by their places among them."""
        images, _, _, places = self._mask.shape
        by_slot = self._mask.view(images, self._groups, len(self._offsets), places)[:, :, slots]
        self._mask = by_slot.reshape(images, 1, -1, places)
        self._positions = self._positions[..., slots]
        self._prepare(len(slots))

    def next(self, tokens: torch.Tensor) -> torch.Tensor:
        """Feed the newest `tokens` (images, slots) of the answers; return those that follow."""
        cache, count = self._cache, len(self._offsets)
        if self._place + count > cache.length:
            cache.grow(ROOM_STEPS * count)
            self._mask = self._with_room(self._mask)
        cache.places = self._offsets + self._place
        self._mask[..., self._place : self._place + count] = self._own
        hidden = self._base.model(
            input_ids=tokens,
            attention_mask=self._mask,
            position_ids=self._positions,
            past_key_values=cache,
            use_cache=True,
        )[0]
        self._place += count
        self._positions = self._positions + 1
        # In float32 as `generate`: of equal 16-bit logits both take the first.
        chosen: torch.Tensor = self._base.lm_head(hidden).float().argmax(-1)
        return chosen

    def _with_room(self, mask: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.pad(mask, (0, self._cache.length - mask.shape[-1]), value=-torch.inf)
