from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from engine.errors import ModelError
from engine.training.backends import choose_backend

GIB = 2**30
Build = Callable[..., Any]


@pytest.mark.parametrize(
    ("gpu", "unsloth", "memory", "backend", "because"),
    [
        (True, True, 24 * GIB, "unsloth", "24 GiB, and Unsloth needs least memory"),
        (True, True, 26 * GIB, "unsloth", "Unsloth needs least memory"),
        (True, True, None, "unsloth", "memory is not known"),
        (True, True, 32 * GIB, "transformers", "32 GiB, on which packed and compiled transformers is faster"),
        (True, True, 80 * GIB, "transformers", "faster"),
        (True, False, 24 * GIB, "transformers", "Unsloth is not installed"),
        (False, True, None, "transformers", "no CUDA device"),
    ],
)
def test_auto_takes_unsloth_on_small_cards_where_it_can_run_and_says_why(
    recipe: Build, gpu: bool, unsloth: bool, memory: int | None, backend: str, because: str
) -> None:
    choice = choose_backend(recipe(), gpu, unsloth, gpu_memory_bytes=memory)
    assert choice.backend == backend
    assert because in choice.reason


def test_unsloth_in_4_bit_may_be_asked_for_on_a_big_card(recipe: Build) -> None:
    asked = recipe(model={"backend": "unsloth", "quantization": "4bit"})
    choice = choose_backend(asked, True, True, gpu_memory_bytes=80 * GIB)
    assert (choice.backend, choice.quantization) == ("unsloth", "4bit")


def test_a_written_backend_is_kept(recipe: Build) -> None:
    choice = choose_backend(recipe(model={"backend": "transformers"}), True, True)
    assert choice.backend == "transformers"
    assert "the recipe asks for it" in choice.reason


@pytest.mark.parametrize(("gpu", "title"), [(False, "cannot run on this machine"), (True, "not installed")])
def test_unsloth_demanded_where_it_cannot_run_is_refused_with_a_next_step(recipe: Build, gpu: bool, title: str) -> None:
    with pytest.raises(ModelError, match=title) as caught:
        choose_backend(recipe(model={"backend": "unsloth"}), gpu, False)
    assert "auto" in caught.value.next_step


def test_4bit_demanded_without_a_gpu_is_refused_and_not_replaced(recipe: Build) -> None:
    with pytest.raises(ModelError, match="4-bit") as caught:
        choose_backend(recipe(model={"quantization": "4bit"}), False, False)
    assert "model.quantization" in caught.value.next_step


@pytest.mark.parametrize(
    ("gpu", "bitsandbytes", "memory", "weights", "expected"),
    [
        (False, False, None, None, "none"),
        (True, False, 24 * GIB, 17 * GIB, "none"),
        (True, True, 24 * GIB, 17 * GIB, "4bit"),
        (True, True, 80 * GIB, 17 * GIB, "none"),
        (True, True, 24 * GIB, None, "4bit"),
        (True, True, 80 * GIB, None, "none"),
        (True, True, None, None, "4bit"),
    ],
)
def test_auto_quantization_follows_the_memory_of_the_card(
    recipe: Build, gpu: bool, bitsandbytes: bool, memory: int | None, weights: int | None, expected: str
) -> None:
    choice = choose_backend(
        recipe(model={"quantization": "auto"}),
        gpu,
        True,
        bitsandbytes_installed=bitsandbytes,
        gpu_memory_bytes=memory,
        weight_bytes=weights,
    )
    assert choice.quantization == expected
    assert "auto" in choice.reason


def test_only_the_language_layers_go_to_four_bits_as_under_unsloth(model: Any) -> None:
    import torch
    from transformers.quantizers.quantizers_utils import should_convert_module

    from engine.training.model import KEPT_IN_16_BITS

    linear = {name for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)}
    packed = {name for name in linear if should_convert_module(name, KEPT_IN_16_BITS)}
    assert packed == {name for name in linear if name.startswith("model.language_model.layers.")}
    assert "model.visual.merger.linear_fc1" in linear - packed
