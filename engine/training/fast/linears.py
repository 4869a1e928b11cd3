"""Linear layers that read the same input, computed together with their LoRA adapters.

Queries, keys and values read one input, and so do gate and up projection. Apart, each pays for a base product and two
thin adapter products; together there is one base product over weights laid out side by side, one product with all A
matrices, and one with the B matrices on a block diagonal. Same mathematics, fewer and larger kernels, and no detour of
activations through the float32 of the adapter's weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional


class SharedInput(nn.Module):
    """Some linear layers over one input; the layers themselves keep their places, names and parameters."""

    def __init__(self, layers: Sequence[Any]) -> None:
        """Lay the frozen base weights side by side in memory; the layers' own become views of them.

        Args:
            layers: linear layers, each plain or wrapped by PEFT's LoRA without dropout.
        """
        super().__init__()
        bases = [getattr(layer, "base_layer", layer) for layer in layers]
        self.sizes = [base.out_features for base in bases]
        # Plain attributes, not parameters: the layers own them already, and saving must find each once.
        self.down = [_factor(layer, "lora_A") for layer in layers]
        self.up = [_factor(layer, "lora_B") for layer in layers]
        self.scales = [_scale(layer) for layer in layers]
        self.weights = [base.weight for base in bases]
        self.biases = [base.bias for base in bases]
        self.kept: tuple[torch.Tensor, torch.Tensor] | None = None
        if len(bases) > 1 and not any(_is_quantized(base) for base in bases):
            self._join(bases)

    def _join(self, bases: Sequence[Any]) -> None:
        joined = torch.cat([base.weight.data for base in bases])
        for base, part in zip(bases, torch.split(joined, self.sizes), strict=True):
            base.weight.data = part
        self.weights = [joined]
        if bases[0].bias is not None:
            self.biases = [torch.cat([base.bias.data for base in bases])]
        else:
            self.biases = [None]

    def forward(self, inputs: torch.Tensor) -> list[torch.Tensor]:
        """Outputs of each layer, in their order."""
        products = [_base_product(inputs, weight, bias) for weight, bias in zip(self.weights, self.biases, strict=True)]
        change = self._change(inputs)
        if len(products) == 1:
            whole = products[0] if change is None else products[0] + change
            return list(torch.split(whole, self.sizes, dim=-1)) if len(self.sizes) > 1 else [whole]
        if change is None:
            return products
        return [product + part for product, part in zip(products, torch.split(change, self.sizes, dim=-1), strict=True)]

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        """Refuse a move or a cast: the layers' weights would part from the joined ones, and stay in memory twice.

        Raises:
            RuntimeError: the weights would change.
        """
        if any(weight is not None and fn(weight).data_ptr() != weight.data_ptr() for weight in self.weights):
            raise RuntimeError("a model with fast blocks stays where and as it is; move it before they are installed")
        return super()._apply(fn, recurse)  # type: ignore[no-untyped-call]

    def keep(self, dtype: torch.dtype) -> None:
        """Lay the adapters out once for all: they will not be trained any more.

        Args:
            dtype: of the inputs that will come.
        """
        with torch.no_grad():
            self.kept = self._factors(dtype)

    def _change(self, inputs: torch.Tensor) -> torch.Tensor | None:
        """What the adapters add to the joined outputs; None without an adapter."""
        factors = self.kept or self._factors(inputs.dtype)
        if factors is None:
            return None
        down, up = factors
        return functional.linear(functional.linear(inputs, down), up)

    def _factors(self, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor] | None:
        """All A matrices (ranks, inputs), and the scaled B matrices on a block diagonal (outputs, ranks)."""
        down = [factor for factor in self.down if factor is not None]
        if not down:
            return None
        ranks = [0 if factor is None else factor.shape[0] for factor in self.down]
        before, blocks = 0, []
        for factor, size, rank, scale in zip(self.up, self.sizes, ranks, self.scales, strict=True):
            after = sum(ranks) - before - rank
            if factor is None:
                blocks.append(down[0].new_zeros((size, sum(ranks)), dtype=dtype))
            else:
                blocks.append(functional.pad((factor * scale).to(dtype), (before, after)))
            before += rank
        return torch.cat(down).to(dtype), torch.cat(blocks)


def _base_product(inputs: torch.Tensor, weight: Any, bias: Any) -> torch.Tensor:
    state = getattr(weight, "quant_state", None)
    if state is None:
        return functional.linear(inputs, weight, bias)
    from bitsandbytes import matmul_4bit

    product: torch.Tensor = matmul_4bit(inputs, weight.t(), quant_state=state, bias=bias)
    return product


def _factor(layer: Any, name: str) -> torch.Tensor | None:
    if not hasattr(layer, name):
        return None
    factor: torch.Tensor = getattr(layer, name)["default"].weight
    return factor


def _scale(layer: Any) -> float:
    return float(layer.scaling["default"]) if hasattr(layer, "scaling") else 1.0


def _is_quantized(base: Any) -> bool:
    return getattr(base.weight, "quant_state", None) is not None
