"""Counts what really goes through a model: rows, places and patches of every forward pass, pads included.

On our side hooks on the two towers count it (their blocks, which may be compiled, see nothing of it). The other sides
count batches of their collators instead: a hook must not be able to slow down what we are compared with.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from engine.bench.flops import Work


@dataclass(slots=True)
class TrunkWatch:
    """Sums over forward passes in training mode."""

    rows: int = 0
    """Rows of the language model."""
    places: int = 0
    """Rows times length: pads count."""
    pairs: float = 0.0
    """Rows times length squared: what an attention kernel with a mask computes."""
    patches: int = 0
    patch_pairs: float = 0.0
    images: int = 0
    checkpointed: bool = False
    """Whether some block recomputes its activations."""
    _seen: list[Any] = field(default_factory=list)

    def work(self, head_positions: float) -> Work | None:
        """All that was seen, with `head_positions` of the same passes; None where no pass was seen."""
        if not self.places:
            return None
        return Work(self.patches, self.patch_pairs, self.places, self.pairs, head_positions)

    def count_rows(self, rows: int, length: int) -> None:
        """Add a batch of the language model."""
        self.rows += rows
        self.places += rows * length
        self.pairs += float(rows * length**2)

    def count_images(self, patches: Sequence[int]) -> None:
        """Add images by their numbers of patches."""
        self.images += len(patches)
        self.patches += sum(patches)
        self.patch_pairs += float(sum(size**2 for size in patches))

    def find(self, module: Any) -> bool:
        """Hook the towers of `module` where it has both; whether it has."""
        if not (hasattr(module, "visual") and hasattr(module, "language_model")):
            return False
        if not self._seen:
            self._seen = [
                module.language_model.register_forward_pre_hook(self._text, with_kwargs=True),
                module.visual.register_forward_pre_hook(self._vision, with_kwargs=True),
            ]
        return True

    def _text(self, module: Any, positional: tuple[Any, ...], named: Mapping[str, Any]) -> None:
        values = named.get("inputs_embeds")
        if values is None:
            values = named.get("input_ids", positional[0] if positional else None)
        if values is None or not module.training:
            return
        self.count_rows(*values.shape[:2])
        self.checkpointed |= any(getattr(each, "gradient_checkpointing", False) for each in module.modules())

    def _vision(self, module: Any, positional: tuple[Any, ...], named: Mapping[str, Any]) -> None:
        grid = named.get("grid_thw", positional[1] if len(positional) > 1 else None)
        if grid is None or not module.training:
            return
        self.count_images([int(count) for count in grid.prod(1).tolist()])


@contextmanager
def watched() -> Iterator[TrunkWatch]:
    """Watch the first Qwen3-VL model that runs forward inside the block."""
    from torch.nn.modules.module import register_module_forward_pre_hook

    watch = TrunkWatch()

    def look(module: Any, _inputs: Any) -> None:
        # A hook on all modules would be seen by the compiler of the blocks; it goes before the first block runs.
        if watch.find(module):
            handle.remove()

    handle = register_module_forward_pre_hook(look)
    try:
        yield watch
    finally:
        handle.remove()
        for hook in watch._seen:
            hook.remove()
