"""Floating-point operations of a training step, and what share of the card's arithmetic a step makes of them.

Two shares, never to be mixed up:

- **model FLOP utilisation**: forward and backward of the tokens that the step had to process, pads and recomputation
  left out, attention only between the pairs that may see each other. What the mathematics of the step need.
- **hardware FLOP utilisation**: what was really computed: pads too, every pair of places of a padded row, and the
  blocks' second forward pass where activations are recomputed. (Recomputation inside an attention kernel and the
  unpacking of 4-bit weights are arithmetic as well; they are not counted.)

A multiplication with an addition counts as 2. The base is frozen: its linear layers take one product forward and one
backward (the gradient of the input), not two. Adapters and attention take two backward. Norms, activation functions,
softmax and the optimizer are left out: together below 1 %.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.preflight.models import ModelShape
from engine.preflight.parameters import (
    PIXEL_DEPTH,
    AdapterShape,
    adapter_parameters,
    language_linears,
    mergers,
    query_width,
    vision_linears,
)


@dataclass(frozen=True, slots=True)
class Work:
    """What the model goes through, for one sample or for any number of them. Means are fractions, so these are
    floats."""

    patches: float
    """Patches of the vision tower."""
    patch_pairs: float
    """Pairs of patches in one image, summed over images: attention there is full."""
    positions: float
    """Places of the language model."""
    pairs: float
    """Pairs of places between which its attention is computed."""
    head_positions: float
    """Places whose logits are computed."""

    def scaled(self, factor: float) -> Work:
        """This work `factor` times."""
        return Work(
            self.patches * factor,
            self.patch_pairs * factor,
            self.positions * factor,
            self.pairs * factor,
            self.head_positions * factor,
        )


def separate_work(patches: float, root: float, branch: float, head: float) -> Work:
    """Work of one sample that stands in a row of its own.

    Args:
        patches: of its image.
        root: tokens before the question, image tokens among them.
        branch: tokens of the question with its answer.
        head: places whose logits are needed.
    """
    length = root + branch
    return Work(patches, patches**2, length, length * (length + 1) / 2, head)


def packed_work(patches: float, root: float, branch: float, head: float, samples: float) -> Work:
    """Work of one of `samples` samples that share the row of one image; arguments as of `separate_work`."""
    pairs = root * (root + 1) / 2 / samples + branch * root + branch * (branch + 1) / 2
    return Work(patches / samples, patches**2 / samples, root / samples + branch, pairs, head)


def forward_flops(shape: ModelShape, work: Work) -> float:
    """FLOPs of one forward pass of the base model without adapter."""
    return blocks_flops(shape, work) + _outside_flops(shape, work)


def blocks_flops(shape: ModelShape, work: Work) -> float:
    """Forward FLOPs of all blocks of both towers without adapter: what recomputation repeats."""
    return _linear_flops(shape, work) + _attention_flops(shape, work)


def training_flops(shape: ModelShape, work: Work, adapter: AdapterShape, *, recomputed: bool = False) -> float:
    """FLOPs of forward and backward with LoRA on a frozen base.

    Args:
        shape: of the model.
        work: of one sample, or of any number of them.
        adapter: rank and parts of the adapter.
        recomputed: whether the blocks run forward once more in the backward pass.
    """
    adapters = _adapter_flops(shape, work, adapter)
    flops = 2 * (_linear_flops(shape, work) + _outside_flops(shape, work))
    flops += 3 * (_attention_flops(shape, work) + adapters)
    return flops + (blocks_flops(shape, work) + adapters) * recomputed


def utilisation(flops_per_sample: float, samples_per_second: float, peak_flops: float | None) -> float | None:
    """Share of a card's measured arithmetic (FLOP/s of a large matrix product); None where that is not known."""
    return flops_per_sample * samples_per_second / peak_flops if peak_flops else None


def _linear_flops(shape: ModelShape, work: Work) -> float:
    return 2 * (language_linears(shape) * work.positions + vision_linears(shape) * work.patches)


def _attention_flops(shape: ModelShape, work: Work) -> float:
    """Scores and weighted values: two products over the width of all heads for each pair."""
    text = 4 * shape.text_layers * query_width(shape) * work.pairs
    return text + 4 * shape.vision_layers * shape.vision_hidden * work.patch_pairs


def _outside_flops(shape: ModelShape, work: Work) -> float:
    """Patch embedding, mergers (their biases and norms are counted as weights: below 0.1 %) and output head."""
    embedding = PIXEL_DEPTH * shape.patch**2 * shape.vision_hidden * work.patches
    merging = mergers(shape) * work.patches / shape.merge**2
    return 2 * (embedding + merging + shape.text_hidden * shape.vocabulary * work.head_positions)


def _adapter_flops(shape: ModelShape, work: Work, adapter: AdapterShape) -> float:
    def part(vision: bool) -> int:
        chosen = adapter.vision if vision else adapter.language
        sides = AdapterShape(adapter.rank, vision, not vision, adapter.attention, adapter.mlp)
        return adapter_parameters(shape, sides) if chosen else 0

    return 2 * (part(vision=False) * work.positions + part(vision=True) * work.patches)
