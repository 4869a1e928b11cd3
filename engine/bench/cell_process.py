"""`python -m engine.bench.cell_process CELLS MODEL WORKSPACE`: measures the cells of one loaded model. Heavy."""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from engine.bench.cells import UNSLOTH, Cell, read_cells
from engine.bench.memory_cells import PREFIX
from engine.bench.plan import ALPHA, DATASET, RANK, SEED
from engine.bench.sides.process import first_line, tell
from engine.preflight.memory import LENGTH_MULTIPLE
from engine.preflight.models import Measured, Workload
from engine.types import QUESTION_IDS

STEPS = 3
IMAGE_SIZE = 512


@dataclass(frozen=True, slots=True)
class Loaded:
    """What the cells of a process share."""

    model: Any
    processor: Any
    device: Any
    source: str
    recipe: Any
    cases: Sequence[Any]


def main() -> int:
    """Measure the cells of a file, and print each as a line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("cells", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("workspace", type=Path)
    given = parser.parse_args()
    for values in measured_cells(read_cells(given.cells), given.model, given.workspace):
        sys.stdout.write(PREFIX + json.dumps(values) + "\n")
        sys.stdout.flush()
    return 0


def measured_cells(cells: Sequence[Cell], model: Path, workspace: Path) -> Iterator[dict[str, Any]]:
    """Load once, then measure cell after cell: a `Measured` as a mapping, or why one was skipped."""
    if cells[0].backend == UNSLOTH:
        import unsloth  # noqa: F401  # before the libraries that it changes
    import torch

    loaded = _load(cells[0], str(model), workspace)
    for cell in sorted(cells, key=lambda cell: cell.compiled):  # compiled blocks stay compiled
        tell(f"{cell.size} {cell.backend} {cell.quantization}: {cell.layout}")
        try:
            yield asdict(_measured(cell, loaded))
        except torch.OutOfMemoryError as error:
            yield {"skipped": f"out of memory: {first_line(error)}", "cell": asdict(cell)}


def _load(cell: Cell, source: str, workspace: Path) -> Loaded:
    import torch

    from engine.data.manifest import open_dataset
    from engine.recipe import parse_recipe
    from engine.training.model import load_for_training
    from engine.types import Split
    from engine.workspace import Workspace

    recipe = parse_recipe(
        {
            "name": "memory",
            "data": {"dataset": DATASET, "questions": list(QUESTION_IDS), "image_size": IMAGE_SIZE},
            "model": {"id": source},
            "lora": {"r": RANK, "alpha": ALPHA},
            "training": {"seed": SEED},
        },
        "memory cells",
    )
    device = torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")
    model, processor = load_for_training(recipe, source, cell.layout, device)
    for parameter in model.parameters():
        if parameter.requires_grad:  # as the trainer does
            parameter.data = parameter.data.float()
    model.train()
    return Loaded(
        model, processor, device, source, recipe, open_dataset(Workspace(workspace), DATASET).cases(Split.TRAIN)
    )


def _measured(cell: Cell, loaded: Loaded) -> Measured:
    from engine.bench.device import forget_peaks, peaks, synchronize
    from engine.preflight.estimate import estimate
    from engine.preflight.parameters import AdapterShape, adapter_parameters
    from engine.preflight.shapes import find_shape

    _compute_as(cell, loaded)
    batch, workload = real_batch(cell, loaded)
    gc.collect()
    forget_peaks()
    seconds = _steps(cell, loaded, batch)
    synchronize()
    found = peaks()
    del batch
    gc.collect()
    forget_peaks()
    shape = find_shape(loaded.source).shape
    parameters = adapter_parameters(shape, AdapterShape(RANK))
    return Measured(
        source="bench",
        run_id=None,
        card=_card(),
        model=cell.size,
        shape=shape,
        workload=workload,
        layout=cell.layout,
        lora_parameters=parameters,
        estimated_peak=estimate(shape, workload, cell.layout, parameters).peak,
        allocated_peak=found["peak_allocated"] or 0,
        reserved_peak=found["peak_reserved"] or 0,
        step_seconds=min(seconds[1:]),
        time=time.time(),
    )


def _card() -> str:
    from engine.bench.device import gpu_name

    return gpu_name() or ""


def _compute_as(cell: Cell, loaded: Loaded) -> None:
    """Switch checkpointing and compilation of the loaded model to what the cell wants."""
    base = loaded.model.get_base_model()
    if cell.backend != UNSLOTH:
        if cell.checkpointing:
            base.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        else:
            base.gradient_checkpointing_disable()
    if cell.compiled and not getattr(base, "_bench_compiled", False):
        from engine.training.fast.install import compile_blocks

        compile_blocks(base)
        base._bench_compiled = True


def real_batch(cell: Cell, loaded: Loaded) -> tuple[Mapping[str, Any], Workload]:
    """A batch of real samples by the product's own collator, on the device, and what it holds.

    The one place that knows how batches are made. Packed, all questions of an image share a row; else one question of
    each of `micro_batch` images has a row of its own. The workload counts pads as tokens of the branches: they take
    memory too.
    """
    import torch

    from engine.training.collator import SAMPLES, AnswerCollator
    from engine.training.dataset import prepare_data
    from engine.training.encoding import Encoder

    questions = tuple(QUESTION_IDS) if cell.packed else ("Q1",)
    recipe = loaded.recipe.model_copy(update={"data": loaded.recipe.data.model_copy(update={"questions": questions})})
    images = -(-cell.micro_batch // len(questions))
    cases = [loaded.cases[number % len(loaded.cases)] for number in range(images)]
    data = prepare_data(recipe, loaded.processor, lambda _split: cases)
    encoder = Encoder(loaded.processor)
    multiple = LENGTH_MULTIPLE if loaded.device.type == "cuda" else 1
    collator = AnswerCollator(data.examples, encoder, data.pixels, packed=cell.packed, multiple=multiple)
    batch = collator([{"example": number} for number in range(cell.micro_batch)])
    rows, length = batch["labels"].shape
    patches = int(batch["image_grid_thw"][0].prod())
    tokens = patches // data.pixels.geometry.merge**2
    root = tokens + 5  # chat start, start and end of the image
    a_row = batch[SAMPLES] / rows
    workload = Workload(
        patches=patches,
        image_tokens=tokens,
        root_tokens=root,
        branch_tokens=int((length - root) / a_row),
        answer_tokens=round(int((batch["labels"] != -100).sum()) / batch[SAMPLES]),
        samples_per_image=len(questions),
        samples=cell.micro_batch,
        images=rows,
    )
    moved = {key: value.to(loaded.device) if isinstance(value, torch.Tensor) else value for key, value in batch.items()}
    return moved, workload


def _steps(cell: Cell, loaded: Loaded, batch: Mapping[str, Any]) -> list[float]:
    """Seconds of a few optimizer steps of the real loss; optimizer and gradients are dropped afterwards."""
    import torch

    from engine.bench.device import synchronize
    from engine.training.loss import answer_loss

    gpu = loaded.device.type == "cuda"
    trained = [parameter for parameter in loaded.model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-5, fused=gpu)
    seconds = []
    try:
        for _ in range(STEPS):
            begun = time.perf_counter()
            # The fast blocks compute in the precision of the base by themselves; Unsloth runs under autocast.
            with torch.autocast("cuda", torch.bfloat16, enabled=gpu and cell.backend == UNSLOTH):
                loss = answer_loss(loaded.model, batch)
            torch.autograd.backward(loss)
            torch.nn.utils.clip_grad_norm_(trained, 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            synchronize()
            seconds.append(time.perf_counter() - begun)
    finally:
        for parameter in trained:
            parameter.grad = None
    return seconds


if __name__ == "__main__":
    sys.exit(main())
