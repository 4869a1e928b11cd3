"""Images of different sizes with different numbers of answers, and models that compute in float64 throughout."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from engine.data.phantoms import answers, render
from engine.training.collator import IGNORED, AnswerCollator
from engine.training.dataset import TrainingData, prepare_data
from engine.training.encoding import Encoder
from engine.training.fast.install import install
from engine.training.lora_targets import target_pattern
from engine.training.loss import CROSS_ENTROPY, Objective, answer_loss
from engine.types import Case, Split

SIDES = [(96, 96), (96, 64), (64, 96), (96, 32)]
"""Width and height of the images in turn, in pixels."""
ANSWERED = [8, 3, 1, 8, 2]
"""How many of the eight questions are answered to the images in turn."""
ALL_MODULES = {"vision": True, "language": True, "attention": True, "mlp": True}
FIRST_KEPT = ["Q7", "Q2", "Q8", "Q1", "Q3", "Q4", "Q5", "Q6"]


def mixed_cases(folder: Path, count: int = 8, validation: int = 0) -> list[Case]:
    """Phantoms cut to different sizes, half of them abnormal; to some not every question is answered."""
    cases = []
    for seed in range(count + validation):
        pixels, labels = render(seed, abnormal=seed % 2 == 1, size=96)
        width, height = SIDES[seed % len(SIDES)]
        file = folder / f"mixed{seed:02d}.png"
        Image.fromarray(pixels).crop((0, 0, width, height)).save(file)
        kept = FIRST_KEPT[: ANSWERED[seed % len(ANSWERED)]]
        said = {question: text for question, text in answers(labels).items() if question in kept}
        split = Split.TRAIN if seed < count else Split.VALIDATION
        cases.append(Case(seed, file.name, file, labels.view, split, said, "", width, height))
    return cases


def prepared(recipe: Any, processor: Any, cases: Sequence[Case]) -> TrainingData:
    """What a run with this recipe trains on."""
    return prepare_data(recipe, processor, lambda split: [case for case in cases if case.split is split])


class Exact:
    """One set of weights in float64, with adapters that change something, as stock and as fast blocks."""

    def __init__(self, folder: Path, targets: str = "", **switches: bool) -> None:
        """Load the model in `folder`; LoRA goes to the modules of `targets`, or to all that the switches leave on."""
        from peft import LoraConfig, get_peft_model

        from engine.training.model import load_base

        torch.manual_seed(3)
        targets = targets or target_pattern(**{**ALL_MODULES, **switches})
        config = LoraConfig(r=4, lora_alpha=8, lora_dropout=0.0, bias="none", target_modules=targets)
        base = load_base(str(folder), "none", torch.device("cpu"))
        self.stock = get_peft_model(base.double(), config)
        for name, parameter in self.stock.named_parameters():
            if "lora_" in name:
                torch.nn.init.normal_(parameter, std=0.1)
        for module in self.stock.modules():
            if type(module).__name__ == "Qwen3VLTextRMSNorm":
                # The stock norm goes through float32, which can turn a difference in the 16th digit to one in the 8th.
                module.forward = _exact_norm.__get__(module)
        self.fast = copy.deepcopy(self.stock)
        for module in self.fast.modules():
            if type(module).__name__ == "Qwen3VLTextRMSNorm":
                module.forward = _exact_norm.__get__(module)
        install(self.fast.get_base_model())

    def of(self, *, fast: bool) -> Any:
        """The model with these blocks, its gradients at zero, checkpointing off."""
        model = self.fast if fast else self.stock
        model.zero_grad(set_to_none=True)
        model.gradient_checkpointing_disable()
        return model.train()


def _exact_norm(self: Any, hidden_states: torch.Tensor) -> torch.Tensor:
    variance = hidden_states.pow(2).mean(-1, keepdim=True)
    return self.weight * (hidden_states * torch.rsqrt(variance + self.variance_epsilon))


def collators(data: TrainingData, processor: Any, *, weighted: bool = False) -> tuple[AnswerCollator, AnswerCollator]:
    """What packs the samples of a run, to rows of a multiple of 8 tokens, and what makes a row of each."""

    def made(packed: bool) -> AnswerCollator:
        return AnswerCollator(
            data.examples, Encoder(processor), data.pixels, data.augmentation,
            weighted=weighted, packed=packed, multiple=8 if packed else 1,
        )  # fmt: skip

    return made(True), made(False)


def in_double(batch: Mapping[str, Any]) -> dict[str, Any]:
    """The batch with its floating tensors in float64."""
    return {
        key: value.double() if isinstance(value, torch.Tensor) and value.is_floating_point() else value
        for key, value in batch.items()
    }


def trained_tokens(batch: Mapping[str, Any]) -> int:
    """Answer tokens of a batch."""
    return int((batch["labels"] != IGNORED).sum())


def loss_and_gradients(
    model: Any, batches: Sequence[Mapping[str, Any]], objective: Objective = CROSS_ENTROPY
) -> tuple[float, dict[str, torch.Tensor]]:
    """The loss of batches that make up one optimizer step, and the gradient of every adapter weight."""
    model.zero_grad(set_to_none=True)
    tokens = sum(map(trained_tokens, batches))
    total = 0.0
    for batch in batches:
        loss = answer_loss(model, in_double(batch), tokens, objective)
        loss.backward()  # type: ignore[no-untyped-call]
        total += float(loss.detach())
    return total, dict(gradients(model))


def gradients(model: Any) -> Iterator[tuple[str, torch.Tensor]]:
    """Name and gradient of every trained weight; a weight without one is a fault."""
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, name
            yield name, parameter.grad.clone()


def farthest(one: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor]) -> float:
    """The largest difference of any gradient."""
    assert one.keys() == other.keys()
    assert one
    return max(float((one[name] - other[name]).abs().max()) for name in one)


def with_answers(case: Case, **said: str) -> Case:
    """The case with some of its answers written anew."""
    return replace(case, answers={**case.answers, **said})
