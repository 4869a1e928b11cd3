"""Out of memory in mid-run: the step is done over in smaller forward passes, and the run goes on with them."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from engine.errors import ModelError
from engine.formatting import size
from engine.training.splitting import parts


@dataclass(slots=True)
class MemoryGuard:
    """How often batches are cut in half before they go through the model, and what becomes of a failure."""

    event: Callable[[str, str], None]
    """Writes a line (kind, detail) into the run's history."""
    cuts: int = 0
    checkpointing: bool = False
    """Whether activations are recomputed already, so that no memory can be saved in this way any more."""
    relieved: bool = False
    """Whether it ever ran out."""
    window: list[Mapping[str, Any]] = field(default_factory=list)
    """The batches of the current optimizer step that came so far."""

    def pieces(self, batch: Mapping[str, Any]) -> Sequence[dict[str, Any]]:
        """What goes through the model at once, for one batch."""
        return parts(batch, self.cuts)

    def adopt(self, model: Any, cuts: int, checkpointing: bool, step: int) -> None:
        """Take over what a rank on another device came to in the step before.

        A rank that runs out of memory does its passes of the step over by itself, while the others wait for it at the
        sum of the gradients. From the next step on all of them save memory alike: their samples are alike, so the
        others would soon run out as well, and nobody is faster than the slowest.
        """
        if cuts > self.cuts or (checkpointing and not self.checkpointing):
            self.relieved = True
            self.event(
                "out of memory",
                f"at step {step}, on another device of the run: the step was done over there in smaller passes; "
                "all devices save memory alike from here on, and the steps stay the same.",
            )
        self.cuts = max(self.cuts, cuts)
        if checkpointing and not self.checkpointing:
            self.checkpointing = True
            model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})

    def relieve(self, model: Any, step: int, reason: str) -> None:
        """After an out of memory: take smaller passes, or recompute activations, from here on.

        Gradients of the step are dropped, because some layers may have added theirs and others not.

        Raises:
            ModelError: nothing is left that would need less memory.
        """
        self.relieved = True
        # Any batch that can still be cut is reason enough: the widest may be a single long sample.
        before = max(len(self.pieces(batch)) for batch in self.window)
        after = max(len(parts(batch, self.cuts + 1)) for batch in self.window)
        model.zero_grad(set_to_none=True)
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        if after > before:
            self.cuts += 1
            words = f"each forward pass is cut into {after} from here on"
        elif not self.checkpointing:
            self.checkpointing = True
            model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
            words = "activations are recomputed from here on, which takes more time"
        else:
            raise _hopeless(step, reason)
        self.event("out of memory", f"at step {step + 1}: {words}; the step is done over, and stays the same. {reason}")


def _hopeless(step: int, reason: str) -> ModelError:
    return ModelError(
        "The GPU memory is not enough for a single sample",
        f"Step {step + 1} ran out of memory with one sample in a forward pass and recomputed activations. {reason}",
        "Set model.quantization = '4bit', a smaller data.image_size or a smaller model; `sonotune preflight RECIPE` "
        "says what fits. Checkpoints of earlier steps stay.",
    )


def memory_words(error: torch.OutOfMemoryError) -> str:
    """What the card held when it ran out, for the run's history."""
    if not torch.cuda.is_available():
        return str(error).splitlines()[0]
    free, total = torch.cuda.mem_get_info()
    held = torch.cuda.max_memory_reserved()
    return f"This process held up to {size(held)} of {size(total)}; {size(free)} were free."
