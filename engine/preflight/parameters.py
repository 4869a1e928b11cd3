"""How many parameters a Qwen3-VL model and its adapter have: exact, from dimensions alone (tests build the models)."""

from __future__ import annotations

from dataclasses import dataclass

from engine.preflight.models import ModelShape

PIXEL_DEPTH = 6
"""Values of one place in a patch: three colours in the two frames of which a still image is made."""


@dataclass(frozen=True, slots=True)
class AdapterShape:
    """Rank of a LoRA adapter and the parts that carry it: the `[lora]` section of a recipe."""

    rank: int
    vision: bool = True
    language: bool = True
    attention: bool = True
    mlp: bool = True


def query_width(shape: ModelShape) -> int:
    """Width of all query heads side by side."""
    return shape.text_heads * shape.head_dim


def key_width(shape: ModelShape) -> int:
    """Width of all key heads side by side; that of the values is the same."""
    return shape.key_value_heads * shape.head_dim


def text_attention(shape: ModelShape) -> list[tuple[int, int]]:
    """(inputs, outputs) of the attention projections of one language layer: q, k, v, o. None has a bias."""
    hidden, query, key = shape.text_hidden, query_width(shape), key_width(shape)
    return [(hidden, query), (hidden, key), (hidden, key), (query, hidden)]


def text_mlp(shape: ModelShape) -> list[tuple[int, int]]:
    """(inputs, outputs) of gate, up and down of one language layer. None has a bias."""
    hidden, inner = shape.text_hidden, shape.text_intermediate
    return [(hidden, inner), (hidden, inner), (inner, hidden)]


def vision_attention(shape: ModelShape) -> list[tuple[int, int]]:
    """(inputs, outputs) of qkv and proj of one vision block. Both have a bias."""
    return [(shape.vision_hidden, 3 * shape.vision_hidden), (shape.vision_hidden, shape.vision_hidden)]


def vision_mlp(shape: ModelShape) -> list[tuple[int, int]]:
    """(inputs, outputs) of the two linear layers of one vision block. Both have a bias."""
    return [(shape.vision_hidden, shape.vision_intermediate), (shape.vision_intermediate, shape.vision_hidden)]


def language_linears(shape: ModelShape) -> int:
    """Weights of the linear layers of all language layers: those that 4-bit quantization packs."""
    return shape.text_layers * _weights([*text_attention(shape), *text_mlp(shape)])


def vision_linears(shape: ModelShape) -> int:
    """Weights of the linear layers of all vision blocks, biases aside."""
    return shape.vision_layers * _weights([*vision_attention(shape), *vision_mlp(shape)])


def embeddings(shape: ModelShape) -> int:
    """Token embeddings, and the output head where it has weights of its own."""
    return shape.vocabulary * shape.text_hidden * (1 if shape.tied_head else 2)


def mergers(shape: ModelShape) -> int:
    """The merger behind the vision tower and those of its deepstack layers, with norms and biases."""
    merged = shape.vision_hidden * shape.merge**2
    linear = merged * merged + merged + merged * shape.text_hidden + shape.text_hidden
    # The last merger normalises patches, those of the deepstack layers what was merged.
    return linear + 2 * shape.vision_hidden + shape.deepstack_layers * (linear + 2 * merged)


def vision_parameters(shape: ModelShape) -> int:
    """Everything under `visual`."""
    hidden = shape.vision_hidden
    linears = [*vision_attention(shape), *vision_mlp(shape)]
    block = _weights(linears) + sum(outputs for _, outputs in linears) + 4 * hidden
    patches = PIXEL_DEPTH * shape.patch**2 * hidden + hidden
    return shape.vision_layers * block + patches + shape.position_grid * hidden + mergers(shape)


def all_parameters(shape: ModelShape) -> int:
    """Parameters of the whole model; a tied head counts once."""
    norms = shape.text_layers * (2 * shape.text_hidden + 2 * shape.head_dim) + shape.text_hidden
    return embeddings(shape) + language_linears(shape) + norms + vision_parameters(shape)


def adapter_parameters(shape: ModelShape, adapter: AdapterShape) -> int:
    """Parameters of the LoRA matrices on the modules that `engine.training.lora_targets` names."""
    text = text_attention(shape) * adapter.attention + text_mlp(shape) * adapter.mlp
    vision = vision_attention(shape) * adapter.attention + vision_mlp(shape) * adapter.mlp
    sides = shape.text_layers * _sides(text) * adapter.language + shape.vision_layers * _sides(vision) * adapter.vision
    return adapter.rank * sides


def _weights(linears: list[tuple[int, int]]) -> int:
    return sum(inputs * outputs for inputs, outputs in linears)


def _sides(linears: list[tuple[int, int]]) -> int:
    return sum(inputs + outputs for inputs, outputs in linears)
