from __future__ import annotations

import itertools
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.errors import ModelError
from engine.preflight.memory import FOUR_BIT_BITS, weight_bytes
from engine.preflight.parameters import (
    AdapterShape,
    adapter_parameters,
    all_parameters,
    language_linears,
    vision_linears,
    vision_parameters,
)
from engine.preflight.shapes import PUBLISHED, find_shape, read_config, shape_of_config, size_name
from engine.training.lora_targets import target_pattern
from engine.training.model_files import repository_root

EMBEDDED = repository_root() / "assets" / "base-model"
SWITCHES = [each for each in itertools.product([False, True], repeat=4) if any(each[:2]) and any(each[2:])]


def on_meta(config: Any) -> Any:
    """The model without memory for its weights."""
    import torch
    from transformers import Qwen3VLForConditionalGeneration

    with torch.device("meta"):
        return Qwen3VLForConditionalGeneration(config)


def published_model(size: str) -> Any:
    from engine.basemodel.full_size import FULL_SIZES, _config
    from engine.basemodel.tokenizer import SPECIAL_TOKENS

    return on_meta(_config(FULL_SIZES[size.lower()], {token: number for number, token in enumerate(SPECIAL_TOKENS)}))


@pytest.fixture(scope="module", params=["2B", "8B", "embedded"])
def built(request: pytest.FixtureRequest) -> Any:
    """(model on the meta device, its dimensions): a tied head and one of its own, and the small model of the tests."""
    if request.param != "embedded":
        return published_model(request.param), PUBLISHED[request.param]
    from transformers import AutoConfig

    return on_meta(AutoConfig.from_pretrained(EMBEDDED)), read_config(EMBEDDED / "config.json")[1]


def test_parameters_are_those_of_the_built_model(built: Any) -> None:
    model, shape = built
    assert all_parameters(shape) == sum(parameter.numel() for parameter in model.parameters())
    assert vision_parameters(shape) == sum(parameter.numel() for parameter in model.model.visual.parameters())


def test_linear_layers_are_those_of_the_built_model(built: Any) -> None:
    import torch

    model, shape = built
    linear = {name: each for name, each in model.named_modules() if isinstance(each, torch.nn.Linear)}
    language = [each.weight.numel() for name, each in linear.items() if "language_model.layers." in name]
    vision = [each.weight.numel() for name, each in linear.items() if "visual.blocks." in name]
    assert (language_linears(shape), vision_linears(shape)) == (sum(language), sum(vision))


@pytest.mark.parametrize("switches", SWITCHES)
def test_adapters_have_the_parameters_of_the_modules_that_carry_them(built: Any, switches: tuple[bool, ...]) -> None:
    import torch

    model, shape = built
    chosen = dict(zip(("vision", "language", "attention", "mlp"), switches, strict=True))
    pattern = re.compile(target_pattern(**chosen))
    sides = [
        each.in_features + each.out_features
        for name, each in model.named_modules()
        if isinstance(each, torch.nn.Linear) and pattern.fullmatch(name)
    ]
    assert adapter_parameters(shape, AdapterShape(16, **chosen)) == 16 * sum(sides) > 0


def test_the_published_dimensions_say_what_is_built_at_full_size() -> None:
    from engine.basemodel.full_size import FULL_SIZES, VOCABULARY_SIZE

    for name, size in FULL_SIZES.items():
        shape = PUBLISHED[name.upper()]
        assert (shape.vocabulary, shape.tied_head) == (VOCABULARY_SIZE, size.tied_head)
        assert (shape.text_hidden, shape.text_layers, shape.text_heads) == (
            size.text_hidden, size.text_layers, size.text_heads
        )  # fmt: skip
        assert (shape.vision_hidden, shape.vision_layers, shape.vision_intermediate) == (
            size.vision_hidden, size.vision_layers, size.vision_intermediate
        )  # fmt: skip
        assert (shape.text_intermediate, shape.deepstack_layers) == (
            size.text_intermediate, len(size.deepstack_layers)
        )  # fmt: skip


def test_32b_has_33_billion_parameters() -> None:
    assert all_parameters(PUBLISHED["32B"]) == pytest.approx(33.4e9, rel=0.01)


def test_four_bits_shrink_the_linear_layers_of_the_language_alone() -> None:
    shape = PUBLISHED["8B"]
    saved = weight_bytes(shape, "none") - weight_bytes(shape, "4bit")
    assert saved == pytest.approx(language_linears(shape) * (2 - FOUR_BIT_BITS / 8))
    assert pytest.approx(4.127, abs=0.001) == FOUR_BIT_BITS


@pytest.mark.parametrize(
    ("model", "size"),
    [
        ("Qwen/Qwen3-VL-8B-Instruct", "8B"),
        ("unsloth/qwen3-vl-2b-instruct-unsloth-bnb-4bit", "2B"),
        ("Qwen/Qwen3-VL-32B", "32B"),
        ("Qwen/Qwen3-VL-30B-A3B-Instruct", None),
        ("Qwen/Qwen2.5-VL-7B-Instruct", None),
    ],
)
def test_a_hub_name_tells_the_size_where_it_is_known(model: str, size: str | None) -> None:
    assert size_name(model) == size
    if size is None:
        with pytest.raises(ModelError, match="dimensions") as caught:
            find_shape(model)
        assert "config.json" in caught.value.next_step
    else:
        assert find_shape(model).shape == PUBLISHED[size]
        assert size in find_shape(model).source


def test_a_folder_tells_its_own_dimensions() -> None:
    known = find_shape(str(EMBEDDED))
    assert known.source == "its config.json"
    assert (known.shape.text_hidden, known.shape.deepstack_layers, known.shape.tied_head) == (192, 1, True)


def test_a_head_is_of_its_own_unless_the_config_ties_it() -> None:
    config = json.loads((EMBEDDED / "config.json").read_bytes())
    tied = shape_of_config(config)
    config["tie_word_embeddings"] = False
    assert shape_of_config(config) == replace(tied, tied_head=False)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda config: config.update(model_type="llama"), "llama"),
        (lambda config: config.pop("vision_config"), "no section vision_config"),
        (lambda config: config["text_config"].update(hidden_size="192"), "hidden_size is '192'"),
        (lambda config: config["text_config"].update(num_hidden_layers=True), "num_hidden_layers"),
        (lambda config: config["text_config"].update(vocab_size=2**40), "vocab_size"),
        (lambda config: config["vision_config"].update(depth=-1), "depth is '-1'"),
        (lambda config: config["vision_config"].update(deepstack_visual_indexes=3), "deepstack"),
    ],
)
def test_a_config_that_cannot_be_used_is_refused_with_what_is_wrong(tmp_path: Path, change: Any, reason: str) -> None:
    config = json.loads((EMBEDDED / "config.json").read_bytes())
    change(config)
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match=re.escape(reason)) as caught:
        find_shape(str(tmp_path))
    assert caught.value.next_step


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{", b'"qwen3_vl"', b"\xff", b"[" * 100_000],
    ids=["empty", "list", "half", "text", "bytes", "deep"],
)
def test_a_config_that_is_no_json_object_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(ModelError, match="cannot be read"):
        find_shape(str(tmp_path))
