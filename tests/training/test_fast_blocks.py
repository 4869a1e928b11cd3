"""The blocks of `engine.training.fast` compute what the stock ones compute."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from packing_helpers import Exact, collators, farthest, in_double, loss_and_gradients, mixed_cases, prepared

from engine.recipe import Recipe, parse_recipe
from engine.training.dataset import TrainingData
from engine.training.encoding import Encoder
from engine.training.fast.install import compile_blocks, install
from engine.training.loss import answer_logits, answer_loss, unwrapped
from engine.training.model import has_fast_blocks

Build = Callable[..., Recipe]
TARGETS = {
    "all": {},
    "no vision": {"vision": False},
    "no language": {"language": False},
    "no attention": {"attention": False},
    "no mlp": {"mlp": False},
    "some of the joined": {"targets": r".*\.(q_proj|v_proj|up_proj|linear_fc2)"},
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, processor: Any) -> TrainingData:
    recipe = parse_recipe({"name": "fast", "data": {"image_size": 96, "questions": ["Q7", "Q2", "Q8", "Q1"]}}, "test")
    return prepared(recipe, processor, mixed_cases(tmp_path_factory.mktemp("mixed"), 13))


@pytest.fixture(scope="module")
def exact(base_folder: Path) -> Exact:
    return Exact(base_folder)


def batch_of(data: TrainingData, processor: Any, images: Sequence[int], *, packed: bool = False) -> dict[str, Any]:
    numbers = [n for n in range(data.trained) if data.examples[n].image in images]
    return collators(data, processor)[0 if packed else 1]([{"example": n} for n in numbers])


@pytest.mark.parametrize("targets", TARGETS)
def test_logits_and_every_gradient_are_those_of_the_stock_blocks(
    base_folder: Path, data: TrainingData, processor: Any, targets: str
) -> None:
    exact = Exact(base_folder, **TARGETS[targets])  # type: ignore[arg-type]
    for images, packed in (([0, 4], False), ([0, 1, 2, 3], False), ([0, 1, 2, 4], True)):
        batch = batch_of(data, processor, images, packed=packed)
        sizes = {tuple(grid) for grid in batch["image_grid_thw"].tolist()}
        assert (len(sizes) == 1) == (images == [0, 4])
        expected_loss, expected = loss_and_gradients(exact.of(fast=False), [batch])
        loss, found = loss_and_gradients(exact.of(fast=True), [batch])
        assert loss == pytest.approx(expected_loss, abs=1e-12)
        assert farthest(found, expected) < 1e-11
        with torch.no_grad():
            logits, _ = answer_logits(exact.of(fast=True), in_double(batch))
            stock, _ = answer_logits(exact.of(fast=False), in_double(batch))
        torch.testing.assert_close(logits, stock, rtol=0, atol=1e-11)


def test_the_adapters_change_what_is_compared(exact: Exact, data: TrainingData, processor: Any) -> None:
    batch = in_double(batch_of(data, processor, [0, 1]))
    model = exact.of(fast=False)
    with torch.no_grad(), model.disable_adapter():
        plain, _ = answer_logits(model, batch)
    with torch.no_grad():
        tuned, _ = answer_logits(exact.of(fast=True), batch)
    assert (plain - tuned).abs().max() > 1e-2


@pytest.mark.parametrize("images", [[0, 1, 4], [0, 4]], ids=["padded", "of one length"])
def test_answers_generated_with_a_cache_are_the_same(
    exact: Exact, data: TrainingData, processor: Any, images: list[int]
) -> None:
    from engine.training.collator import pad_left

    encoder = Encoder(processor)
    values, grid = data.pixels.batch(images)
    tokens = (grid.prod(1) // data.pixels.geometry.merge**2).tolist()
    prompts = pad_left([encoder.prompt(data.examples[0].prompt, count) for count in tokens], encoder)
    # Without pads there is no mask while a token is added, and the one query must see all that is in the cache.
    assert bool((prompts["attention_mask"] == 0).any()) == (len(images) == 3)
    said, scores = [], []
    for fast in (False, True):
        model = exact.of(fast=fast).eval()
        with torch.no_grad():
            found = model.generate(
                **prompts, pixel_values=values.double(), image_grid_thw=grid, do_sample=False, max_new_tokens=6,
                min_new_tokens=6, output_logits=True, return_dict_in_generate=True,
            )  # fmt: skip
        said.append(found.sequences[:, -6:])
        scores.append(torch.stack(found.logits))
    assert torch.equal(said[0], said[1])
    torch.testing.assert_close(scores[1], scores[0], rtol=0, atol=1e-10)


def test_modules_keep_their_names_and_weights(base_folder: Path) -> None:
    from peft import get_peft_model_state_dict

    exact = Exact(base_folder)
    stock, fast = (dict(model.named_parameters()) for model in (exact.stock, exact.fast))
    assert stock.keys() == fast.keys()
    assert all(torch.equal(fast[name], value) for name, value in stock.items())
    assert get_peft_model_state_dict(exact.fast).keys() == get_peft_model_state_dict(exact.stock).keys()
    attention = unwrapped(exact.fast).model.language_model.layers[0].self_attn
    joined = attention.joined_in.weights[0]
    for layer in (attention.q_proj, attention.k_proj, attention.v_proj):
        base = layer.base_layer.weight
        assert base.untyped_storage().data_ptr() == joined.untyped_storage().data_ptr()  # no second copy in memory


def test_16_bit_bases_are_computed_in_16_bits_with_adapters_in_32(
    base_folder: Path, data: TrainingData, processor: Any
) -> None:
    """What `bf16=False` of the trainer relies on: no autocast is needed."""
    from peft import LoraConfig, get_peft_model

    from engine.training.model import load_base

    base = load_base(str(base_folder), "none", torch.device("cpu")).to(torch.bfloat16)
    torch.manual_seed(3)
    model = get_peft_model(base, LoraConfig(r=4, target_modules=TARGETS["some of the joined"]["targets"]))
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = torch.randn_like(parameter, dtype=torch.float32) * 0.1
    install(base)
    batch = batch_of(data, processor, [0, 1], packed=True)
    dtypes: list[torch.dtype] = []
    layer = unwrapped(model).model.language_model.layers[1]
    layer.register_forward_pre_hook(lambda _layer, inputs: dtypes.append(inputs[0].dtype))
    batch["pixel_values"] = batch["pixel_values"].to(torch.bfloat16)
    logits, targets = answer_logits(model, batch)
    torch.nn.functional.cross_entropy(logits.float(), targets).backward()
    assert dtypes == [torch.bfloat16]
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, name
            assert parameter.grad.dtype == torch.float32
            assert parameter.grad.abs().max() > 0, name


def test_dropout_leaves_the_stock_blocks_in_place(recipe: Build) -> None:
    from types import SimpleNamespace

    layouts = {name: SimpleNamespace(backend=name) for name in ("transformers", "unsloth")}
    plain, dropping = recipe(), recipe(lora={"dropout": 0.1})
    assert has_fast_blocks(plain, layouts["transformers"])  # type: ignore[arg-type]
    assert not has_fast_blocks(dropping, layouts["transformers"])  # type: ignore[arg-type]
    assert not has_fast_blocks(plain, layouts["unsloth"])  # type: ignore[arg-type]


def test_compiled_blocks_serve_training_alone(
    base_folder: Path, data: TrainingData, processor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    def recording(plain: Callable[..., Any]) -> Callable[..., Any]:
        def compiled(*arguments: Any, **named: Any) -> Any:
            calls.append("compiled")
            return plain(*arguments, **named)

        return compiled

    exact = Exact(base_folder)
    batch = in_double(batch_of(data, processor, [0, 1]))
    with torch.no_grad():
        before, _ = answer_logits(exact.of(fast=True), batch)
    monkeypatch.setattr(torch, "compile", recording)
    model = exact.of(fast=True)
    base = unwrapped(model)
    compile_blocks(base)
    blocks = len(base.model.visual.blocks) + len(base.model.language_model.layers)
    with torch.no_grad():
        after, _ = answer_logits(model, batch)
        assert calls == ["compiled"] * blocks
        assert torch.equal(after, before)
        model.eval()
        assert torch.equal(answer_logits(model, batch)[0], before)
        assert len(calls) == blocks
        # Some loops generate in training mode; a cache that grows would be compiled for every length.
        model.train()
        base.model.language_model(input_ids=batch["input_ids"][:, :4], use_cache=True)
        assert len(calls) == blocks


@pytest.mark.long
def test_blocks_are_compiled_for_a_few_shapes_and_then_for_all(
    base_folder: Path, data: TrainingData, processor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Traced as for the GPU, but run as it is: generating code takes a minute here, and is not what is tested.
    graphs: list[int] = []

    def counting(graph: Any, _inputs: Any) -> Any:
        graphs.append(1)
        return graph.forward

    original = torch.compile
    monkeypatch.setattr(torch, "compile", lambda plain: original(plain, backend=counting))
    torch._dynamo.reset()
    exact = Exact(base_folder)
    batches = [
        batch_of(data, processor, images, packed=True)
        for images in ([0, 4], [0, 4, 8], [4, 12], [0, 4, 8, 12], [8, 12])
    ]
    assert len({batch["labels"].shape for batch in batches}) > 3
    expected = [answer_loss(exact.of(fast=True), in_double(batch)).item() for batch in batches]
    _, gradients = loss_and_gradients(exact.of(fast=True), batches[-1:])
    model = exact.of(fast=True)
    compile_blocks(unwrapped(model))
    compiled = []
    for batch, loss in zip(batches, expected, strict=True):
        assert answer_loss(model, in_double(batch)).item() == pytest.approx(loss, abs=1e-10)
        compiled.append(len(graphs))
    assert farthest(loss_and_gradients(model, batches[-1:])[1], gradients) < 1e-10
    torch._dynamo.reset()
    assert 0 < compiled[0] < compiled[1]
    assert compiled[2:] == [compiled[2]] * 3
    assert compiled[2] <= compiled[1] + 1


def test_a_model_with_fast_blocks_can_be_moved_no_more(base_folder: Path) -> None:
    model = Exact(base_folder).of(fast=True)
    model.to(torch.device("cpu"))  # stays as it is, as the trainer asks for it
    with pytest.raises(RuntimeError, match="before they are installed"):
        model.to(torch.float16)
