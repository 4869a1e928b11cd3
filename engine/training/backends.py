"""Which backend and which quantization a run takes on this machine, and why, in words. Light: no torch."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

from engine.errors import ModelError

if TYPE_CHECKING:
    from engine.recipe import Recipe

UNSLOTH = "unsloth"
TRANSFORMERS = "transformers"
FOUR_BIT = "4bit"
NO_QUANTIZATION = "none"

SIXTEEN_BIT_SHARE = 1 / 3
"""`auto` keeps 16-bit weights that take at most this share of the GPU memory: activations need the rest."""
SMALL_CARD_BYTES = 26 * 2**30
"""Up to this much GPU memory `auto` takes Unsloth: cards of 24 GB, and a little above what is written on them. It needs
least memory; on larger cards transformers with packed rows and compiled blocks is faster."""
ROOMY_BYTES = 40 * 2**30
"""`auto` keeps 16 bits on a card of this size when the size of the weights is not known."""


@dataclass(frozen=True, slots=True)
class BackendChoice:
    """The path that a run takes."""

    backend: str
    """`unsloth` or `transformers`."""
    quantization: str
    """`4bit` or `none`."""
    reason: str
    """Why, in words that the run shows."""


def installed(package: str) -> bool:
    """Whether `package` can be imported, without importing it."""
    return find_spec(package) is not None


def choose_backend(
    recipe: Recipe,
    gpu: bool,
    unsloth_installed: bool,
    *,
    bitsandbytes_installed: bool = True,
    gpu_memory_bytes: int | None = None,
    weight_bytes: int | None = None,
) -> BackendChoice:
    """Resolve `[model] backend` and `quantization`; only an `auto` may become something else than what was written.

    Args:
        recipe: its model section is read.
        gpu: whether this process can use a CUDA device.
        unsloth_installed: whether Unsloth can be imported.
        bitsandbytes_installed: whether 4-bit weights can be loaded.
        gpu_memory_bytes: memory of the device; None when unknown. It decides what `auto` takes.
        weight_bytes: size of the base model in 16 bits; None when unknown (not downloaded yet).

    Raises:
        ModelError: the recipe demands what this machine cannot do.
    """
    backend, why = _backend(recipe.model.backend, gpu, unsloth_installed, gpu_memory_bytes)
    quantization, because = _quantization(
        recipe.model.quantization, gpu, bitsandbytes_installed, gpu_memory_bytes, weight_bytes
    )
    return BackendChoice(backend, quantization, f"{backend}: {why}; quantization {quantization}: {because}")


def _backend(wish: str, gpu: bool, unsloth_installed: bool, memory: int | None) -> tuple[str, str]:
    if wish == TRANSFORMERS:
        return TRANSFORMERS, "the recipe asks for it"
    if wish == UNSLOTH:
        if not gpu:
            raise ModelError(
                "The Unsloth backend cannot run on this machine",
                "The recipe asks for model.backend = 'unsloth', which needs an NVIDIA GPU; this process sees none.",
                "Set model.backend = 'auto' to train with transformers here, or launch on a machine with a GPU.",
            )
        if not unsloth_installed:
            raise ModelError(
                "Unsloth is not installed",
                "The recipe asks for model.backend = 'unsloth'.",
                "Run `make install` on this machine (it adds the gpu extra), or set model.backend = 'auto'.",
            )
        return UNSLOTH, "the recipe asks for it"
    if not gpu:
        return TRANSFORMERS, "no CUDA device here, and Unsloth needs one"
    if not unsloth_installed:
        return TRANSFORMERS, "Unsloth is not installed"
    if memory is None:
        return UNSLOTH, "the GPU memory is not known, and Unsloth needs least of it"
    if memory <= SMALL_CARD_BYTES:
        return UNSLOTH, f"the card has {memory / 2**30:.0f} GiB, and Unsloth needs least memory"
    return TRANSFORMERS, f"the card has {memory / 2**30:.0f} GiB, on which packed and compiled transformers is faster"


def _quantization(
    wish: str, gpu: bool, bitsandbytes_installed: bool, gpu_memory_bytes: int | None, weight_bytes: int | None
) -> tuple[str, str]:
    if wish == NO_QUANTIZATION:
        return NO_QUANTIZATION, "the recipe asks for it"
    if wish == FOUR_BIT:
        if not gpu or not bitsandbytes_installed:
            missing = "bitsandbytes, which is not installed" if gpu else "an NVIDIA GPU; this process sees none"
            raise ModelError(
                "4-bit weights cannot be loaded on this machine",
                f"The recipe asks for model.quantization = '4bit', which needs {missing}.",
                "Set model.quantization = 'auto' (4-bit only where it is possible and needed) or 'none'"
                + (", or run `make install`." if gpu else "."),
            )
        return FOUR_BIT, "the recipe asks for it"
    if not gpu:
        return NO_QUANTIZATION, "auto, and 4-bit needs a CUDA device"
    if not bitsandbytes_installed:
        return NO_QUANTIZATION, "auto, and bitsandbytes is not installed"
    return _by_memory(gpu_memory_bytes, weight_bytes)


def _by_memory(gpu_memory_bytes: int | None, weight_bytes: int | None) -> tuple[str, str]:
    if gpu_memory_bytes is None:
        return FOUR_BIT, "auto, and the GPU memory is not known"
    memory = f"{gpu_memory_bytes / 2**30:.0f} GiB of GPU memory"
    if weight_bytes is None:
        roomy = gpu_memory_bytes >= ROOMY_BYTES
        return (NO_QUANTIZATION if roomy else FOUR_BIT), f"auto, with {memory} and weights of unknown size"
    fits = weight_bytes <= SIXTEEN_BIT_SHARE * gpu_memory_bytes
    share = f"16-bit weights take {weight_bytes / gpu_memory_bytes:.0%} of {memory}"
    return (NO_QUANTIZATION if fits else FOUR_BIT), f"auto, as {share}"
