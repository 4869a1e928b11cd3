"""A key-value cache with room for answers: `DynamicCache` copies all of itself for each new token.

At 8B, 32 images and 600 places that would be 2.8 GB of copying a token.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers.cache_utils import Cache, CacheLayerMixin


class TreeCache(Cache):  # type: ignore[misc]  # transformers is untyped
    """Keys and values of root and questions, then of the answers' tokens, written in place."""

    def __init__(self, layers: int, prompt_length: int, room: int) -> None:
        """Nothing is allocated yet.

        Args:
            layers: of the language model.
            prompt_length: places of the first pass that answers may go on from; what stands behind is not kept.
            room: places for tokens of answers.
        """
        self.prompt_length = prompt_length
        self.length = prompt_length + room
        """Places that the cache has, those without a token among them."""
        self.places = torch.empty(0, dtype=torch.long)
        """(tokens,) int64: where the next pass writes; of no account in the first one."""
        super().__init__(layers=[_TreeLayer(self) for _ in range(layers)])

    def grow(self, places: int) -> None:
        """Make room for more tokens of answers."""
        self.length += places
        for layer in self.layers:
            layer.keys = _longer(layer.keys, self.length)
            layer.values = _longer(layer.values, self.length)


class _TreeLayer(CacheLayerMixin):  # type: ignore[misc]
    """One layer's keys and values: (images, key-value heads, places, head dimension)."""

    is_sliding = False

    def __init__(self, cache: TreeCache) -> None:
        super().__init__()
        self._cache = cache

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        """Keep what the first pass has computed for root and questions."""
        kept = self._cache.prompt_length
        self.keys = _longer(key_states[:, :, :kept], self._cache.length)
        self.values = _longer(value_states[:, :, :kept], self._cache.length)
        self.dtype, self.device = key_states.dtype, key_states.device
        self.is_initialized = True

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_args: Any, **_kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """What attention shall look at: the first pass at itself, every later one at the whole cache."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
            return key_states, value_states
        self.keys.index_copy_(2, self._cache.places, key_states)
        self.values.index_copy_(2, self._cache.places, value_states)
        return self.keys, self.values

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Length and offset of the keys; masks are given in full, so nothing depends on it."""
        return (self._cache.length, 0) if self.is_initialized else (query_length, 0)

    def get_seq_length(self) -> int:
        """Places so far."""
        return self._cache.length if self.is_initialized else 0

    def get_max_length(self) -> int:
        """No limit: it grows."""
        return -1


def _longer(states: torch.Tensor, length: int) -> torch.Tensor:
    """A copy with room up to `length`. It is zero there: a masked place counts nothing, but 0 x NaN is NaN."""
    return torch.nn.functional.pad(states, (0, 0, 0, length - states.shape[2]))
