"""Evaluation as a user writes it: AutoModel, PeftModel, the processor, and `generate` for batches of questions.

It is treated well: images are opened and processed in data loader processes that stay, the clock starts when the first
batch is ready, and the fastest of several batch sizes counts (doubled until they get slower, unless sizes are named).
The model's end tokens are switched off, so that every answer has exactly as many tokens as on our side.
"""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader

from engine.bench.device import limit_memory
from engine.bench.plan import SidePlan, SideResult
from engine.bench.sides.answered import answering_result, load_tuned
from engine.bench.sides.measured import bench_cases
from engine.bench.sides.process import Publish, side_main, tell, unpublished
from engine.bench.sides.rounds import REPEATS, measured_rounds
from engine.bench.sides.sweeping import Sweep, doubled, fastest
from engine.data.images import load_image
from engine.evaluation.generate import GREEDY
from engine.questions.prompts import prompt_text

Row = tuple[str, str]
"""File of the image, and question in words."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What all sizes share."""

    model: Any
    processor: Any
    device: torch.device
    seconds: float


def run(plan: SidePlan, publish: Publish = unpublished) -> SideResult:
    """Answer all questions of all images with each batch size; the fastest is the result.

    Raises:
        RuntimeError: no batch size ran.
    """
    limit_memory(plan.memory_limit)
    started = time.perf_counter()
    tell(f"{plan.side}: loading")
    model, processor, device = load_tuned(plan)
    loaded = Loaded(model, processor, device, time.perf_counter() - started)
    model.generation_config.eos_token_id = None
    processor.tokenizer.padding_side = "left"
    cases = list(bench_cases(plan))[: plan.steps]
    rows = [(str(case.file), prompt_text(question)) for case in cases for question in plan.questions]
    tell(f"{plan.side}: {len(rows)} questions, {REPEATS} times for each number of questions at a time")
    sizes = plan.micro_batches or doubled(len(rows))
    sweep = Sweep(sizes, "questions_at_a_time", "questions_per_second", until_slower=not plan.micro_batches)
    return fastest(plan, sweep, lambda size: _with_size(plan, loaded, rows, size), publish)


def _with_size(plan: SidePlan, loaded: Loaded, rows: Sequence[Row], size: int) -> SideResult:
    """Rounds over all questions, `size` at a time, after as many batches to warm up as our side has."""
    collate = functools.partial(collated, processor=loaded.processor, image_size=plan.image_size)
    loader: Any = DataLoader(
        list(rows),  # type: ignore[arg-type]
        batch_size=size,
        collate_fn=collate,
        num_workers=plan.workers,
        persistent_workers=plan.workers > 0,
        pin_memory=loaded.device.type == "cuda",
    )

    def answer(batch: Mapping[str, torch.Tensor]) -> list[str]:
        on_device = {name: value.to(loaded.device, non_blocking=True) for name, value in batch.items()}
        pad = loaded.processor.tokenizer.pad_token_id
        output = loaded.model.generate(**on_device, max_new_tokens=plan.new_tokens, pad_token_id=pad, **GREEDY)
        new = output[:, batch["input_ids"].shape[1] :]
        return [text.strip() for text in loaded.processor.batch_decode(new, skip_special_tokens=True)]

    for _ in range(plan.warmup):  # the first calls of a size pay for kernels and allocations
        answer(collate(rows[:size]))
    settings = {"questions_at_a_time": size, "new_tokens": plan.new_tokens, "passes": "one for a question"}
    rounds = measured_rounds(lambda: loader, answer)
    return answering_result(plan, rounds, load_seconds=loaded.seconds, settings=settings)


def collated(rows: Sequence[Row], *, processor: Any, image_size: int) -> dict[str, torch.Tensor]:
    """A batch of questions by the processor itself, padded on the left; images as large as on our side."""
    texts, images = [], []
    for file, question in rows:
        chat = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": question}]}]
        texts.append(processor.apply_chat_template(chat, tokenize=False, add_generation_prompt=True))
        images.append([load_image(Path(file), image_size)])
    return dict(processor(text=texts, images=images, padding=True, return_tensors="pt"))


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    sys.exit(side_main(run))
