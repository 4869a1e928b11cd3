"""Trains one embedded base model from nothing: images, batches, steps, save."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from engine.basemodel.architecture import SizeName, build_model
from engine.basemodel.batches import IGNORED, Batch, Vocabulary, assemble, draw_batches
from engine.basemodel.curriculum import Exchange
from engine.basemodel.images import ImageTable
from engine.basemodel.model_inputs import PositionTable, answer_loss, forward_inputs, resize
from engine.basemodel.tokenizer import build_processor
from engine.data.phantoms import answers
from engine.questions.prompts import prompt_text

WARMUP_STEPS = 200
WEIGHT_DECAY = 0.05
TIMED_STEPS = 200
"""Steps after which a training that was given minutes knows how many it can do."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Settings of one base training."""

    size: SizeName
    steps: int
    """Optimizer steps; 0 with `minutes`."""
    minutes: float = 0.0
    """Instead of a number of steps: as many as this machine does in this time, counted from the first."""
    batch: int = 128
    """Images a step."""
    learning_rate: float = 2e-3
    start: Path | None = None
    """A saved base to go on from; None starts from random weights."""
    seed: int = 0
    workers: int = 6
    device: str = "cuda"


class _Batches(IterableDataset[Batch]):
    def __init__(self, vocabulary: Vocabulary, tables: dict[int, ImageTable], plan: Plan) -> None:
        self._vocabulary = vocabulary
        self._labels = {side: table.labels for side, table in tables.items()}
        self._plan = plan

    def __iter__(self) -> Iterator[Batch]:
        worker = get_worker_info()
        seed = 1000 * self._plan.seed + (worker.id if worker else 0)
        return draw_batches(self._vocabulary, self._labels, self._plan.batch, seed)


def train_base(
    plan: Plan, tables: dict[int, ImageTable], unseen: ImageTable, report: Callable[[str], None]
) -> tuple[Any, Any]:
    """Train a base model; returns (model, processor).

    `report` gets one line every hundred steps (step, loss in nats a token, images a second), and every thousand the
    shares of exactly right answers on the `unseen` phantoms.
    """
    model, processor = _start(plan)
    vocabulary = Vocabulary(processor)
    table = PositionTable(model)
    model.to(plan.device).train()
    images = {side: torch.from_numpy(table.pixels).to(plan.device) for side, table in tables.items()}
    optimizer = _optimizer(model, plan)
    stream = iter(DataLoader(_Batches(vocabulary, tables, plan), batch_size=None, num_workers=plan.workers))
    dice = torch.Generator(plan.device).manual_seed(plan.seed)
    started, recent = time.monotonic(), torch.zeros((), device=plan.device)
    step, since, steps = 0, 0, plan.steps or 10 * TIMED_STEPS
    while step < steps:
        step += 1
        if step == TIMED_STEPS and plan.minutes:
            steps = int(plan.minutes * 60 / (time.monotonic() - started) * step)
            report(f"{plan.size}: {steps} steps fit into {plan.minutes} minutes")
        for group in optimizer.param_groups:
            group["lr"] = plan.learning_rate * schedule(step, steps)
        batch = next(stream)
        loss = _loss(model, table, batch, _pixels(batch, images, dice))
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        recent += loss.detach()
        since += 1
        if step % 100 == 0 or step == steps:
            rate = step * plan.batch / (time.monotonic() - started)
            report(f"{plan.size} step {step}/{steps} loss {recent.item() / since:.4f} images/s {rate:.0f}")
            recent.zero_()
            since = 0
        if step % 1000 == 0 or step == steps:
            report(f"{plan.size} unseen {exact_answers(model, table, vocabulary, unseen)}")
    return model.eval(), processor


def _start(plan: Plan) -> tuple[Any, Any]:
    if plan.start is None:
        processor = build_processor()
        return build_model(processor, plan.size, plan.seed), processor
    from transformers import AutoModelForImageTextToText, AutoProcessor

    model = AutoModelForImageTextToText.from_pretrained(plan.start, dtype=torch.float32, use_safetensors=True)
    return model, AutoProcessor.from_pretrained(plan.start)


def schedule(step: int, steps: int) -> float:
    """Learning-rate factor: linear warm-up, then half a cosine down to 2 %."""
    return min(1.0, step / WARMUP_STEPS) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / steps)))


def _optimizer(model: Any, plan: Plan) -> torch.optim.Optimizer:
    """AdamW with weight decay on matrices only."""
    matrices = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    vectors = [parameter for parameter in model.parameters() if parameter.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": WEIGHT_DECAY}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=plan.learning_rate, betas=(0.9, 0.98), fused=plan.device == "cuda")


def _pixels(batch: Batch, images: dict[int, Tensor], dice: torch.Generator) -> Tensor:
    """(B, S, S) images with random gain, offset and a shift of at most 2 %: probes are never held twice alike."""
    rows = torch.from_numpy(batch.images).to(dice.device, non_blocking=True)
    pixels = resize(images[batch.source][rows].float(), batch.side)
    gain, offset = torch.rand(2, len(rows), 1, 1, generator=dice, device=dice.device)
    limit = max(1, batch.side // 50)
    down, right = torch.randint(-limit, limit + 1, (2,), generator=dice, device=dice.device).tolist()
    pixels = torch.roll(pixels, (down, right), (1, 2))
    varied: Tensor = pixels * (0.8 + 0.4 * gain) + 16 * offset - 8
    return varied.clamp(0, 255)


def _loss(model: Any, table: PositionTable, batch: Batch, pixels: Tensor) -> Tensor:
    device = pixels.device
    labels = torch.from_numpy(batch.labels).to(device, non_blocking=True)
    weights = torch.from_numpy(batch.weights).to(device, non_blocking=True)
    with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
        return answer_loss(model, forward_inputs(batch, table, pixels), labels, weights)


@torch.no_grad()
def exact_answers(model: Any, table: PositionTable, vocabulary: Vocabulary, unseen: ImageTable) -> dict[str, float]:
    """Share of unseen phantoms whose answer is right token by token, given the right tokens before; by question."""
    device = next(model.parameters()).device
    side = unseen.pixels.shape[-1]
    pixels = torch.from_numpy(unseen.pixels).to(device).float()
    sheets = [answers(labels) for labels in unseen.labels]
    shares = {}
    for question in ("Q1", "Q2", "Q3", "Q4", "Q5", "Q6", "Q8"):
        branches = [[Exchange(prompt_text(question), sheet[question])] for sheet in sheets]
        batch = assemble(vocabulary, (side, side), False, range(len(sheets)), branches)
        labels = torch.from_numpy(batch.labels).to(device)[:, 1:]
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            logits = model.lm_head(model.model(**forward_inputs(batch, table, pixels), use_cache=False)[0][:, :-1])
        right = (logits.argmax(-1) == labels) | (labels == IGNORED)
        shares[question] = round(right.all(1).float().mean().item(), 3)
    return shares


def save_base(model: Any, processor: Any, folder: Path) -> None:
    """Write the model in bfloat16 as safetensors, with its processor, loadable by the Auto classes."""
    model.to("cpu", torch.bfloat16).save_pretrained(folder)
    processor.save_pretrained(folder)
