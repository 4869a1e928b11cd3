"""`sonotune bench train` and `sonotune bench evaluate`: ours against plain Unsloth and plain `generate`, on this
machine."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from engine import api
from engine.cli.bench_table import print_bench, result_as_json
from engine.cli.console import print_json, say
from engine.cli.options import AsJson
from engine.cli.sizes import memory_bytes
from engine.errors import UsageError

Model = Annotated[str, typer.Option(help="2b, 4b, 8b, or tiny (runs on a CPU).")]
Weights = Annotated[str, typer.Option(help="random, or the folder of a model; speed does not depend on the values.")]
Sides = Annotated[str, typer.Option(help="What is compared, with commas between.")]
Questions = Annotated[int, typer.Option(help="Questions an image: 8, or 1 (Q7 alone).")]
Images = Annotated[int, typer.Option(min=0, help="PNG files of 800x600; 0 = as many as are needed.")]
ImageSize = Annotated[int, typer.Option(help="Longest side after loading, in pixels.")]
Limit = Annotated[str, typer.Option(metavar="SIZE", help="Of GPU memory for each side, as in 20GB (10^9) or 20GiB.")]
Workers = Annotated[int, typer.Option(min=0, help="Data loader processes of the other sides.")]
Keep = Annotated[Path | None, typer.Option(help="Folder where model, images and logs stay [default: none do].")]
Timeout = Annotated[
    float, typer.Option(min=1, help="Seconds after which a process is ended; what it has measured by then counts.")
]


def register(app: typer.Typer) -> None:
    """Add the sub-commands."""
    bench = typer.Typer(help="Measure speed and memory against plain Unsloth and plain generate.", no_args_is_help=True)
    bench.command("train")(train)
    bench.command("evaluate")(evaluate)
    app.add_typer(bench, name="bench")


def train(
    model: Model = "8b",
    weights: Weights = "random",
    sides: Sides = "ours,unsloth",
    questions: Questions = 8,
    images: Images = 0,
    image_size: ImageSize = 512,
    steps: Annotated[int, typer.Option(min=1, help="Optimizer steps that count.")] = 12,
    warmup: Annotated[int, typer.Option(min=1, help="Steps before these: compilation, first allocations.")] = 4,
    batch: Annotated[int, typer.Option(min=1, help="Samples of one optimizer step, on every side.")] = 64,
    micro_batch: Annotated[int, typer.Option(min=1, help="Samples of one forward pass of the other sides.")] = 16,
    changes: Annotated[list[str] | None, typer.Option("--set", help="Change a key of our recipe.")] = None,
    cache_pixels: Annotated[
        bool, typer.Option(help="Let our side keep decoded images, which the user's data would not allow.")
    ] = False,
    memory_limit: Limit = "",
    workers: Workers = 8,
    keep: Keep = None,
    timeout: Timeout = 1800,
    as_json: AsJson = False,
) -> None:
    """Train the same samples on each side, one process each: samples a second, memory, utilisation, ratios."""
    _run(
        api.BenchRequest(
            kind="train",
            model=model.lower(),
            weights=weights,
            sides=_sides(sides, "train"),
            questions=questions,
            images=images,
            image_size=image_size,
            steps=steps,
            warmup=warmup,
            batch=batch,
            micro_batches=(min(micro_batch, batch),),
            memory_limit=memory_bytes(memory_limit),
            overrides=tuple(changes or ()),
            cache_pixels=cache_pixels,
            workers=workers,
            keep=keep,
            timeout=timeout,
        ),
        as_json,
    )


def evaluate(
    model: Model = "8b",
    weights: Weights = "random",
    sides: Sides = "ours,plain",
    questions: Questions = 8,
    images: Images = 0,
    image_size: ImageSize = 512,
    new_tokens: Annotated[int, typer.Option(min=1, help="Tokens of every answer, no fewer and no more.")] = 12,
    batch: Annotated[int, typer.Option(min=1, help="Images that our side takes at a time.")] = 16,
    micro_batches: Annotated[
        str,
        typer.Option(
            help="Questions that plain generate takes at a time, as 32,64; the fastest counts [default: 32, doubled "
            "until that makes it slower, the memory is short, or 1024]."
        ),
    ] = "",
    memory_limit: Limit = "",
    workers: Workers = 8,
    keep: Keep = None,
    timeout: Timeout = 1800,
    as_json: AsJson = False,
) -> None:
    """Answer the same questions with and without sharing the image: questions a second, memory, same answers or not."""
    _run(
        api.BenchRequest(
            kind="evaluate",
            model=model.lower(),
            weights=weights,
            sides=_sides(sides, "evaluate"),
            questions=questions,
            images=images,
            image_size=image_size,
            warmup=1,
            batch=batch,
            micro_batches=_numbers(micro_batches),
            memory_limit=memory_bytes(memory_limit),
            new_tokens=new_tokens,
            workers=workers,
            keep=keep,
            timeout=timeout,
        ),
        as_json,
    )


def _run(request: api.BenchRequest, as_json: bool) -> None:
    result = api.benchmark(request, say)
    command = shlex.join(["sonotune", *sys.argv[1:]]) if sys.argv[1:] else "sonotune bench"
    if as_json:
        print_json(result_as_json(result, command))
    else:
        print_bench(result, command)
    if all(side.failure for side in result.sides):
        raise typer.Exit(1)


def _sides(text: str, kind: Literal["train", "evaluate"]) -> tuple[str, ...]:
    named = [side.strip() for side in text.split(",") if side.strip()]
    if kind == "evaluate":
        named = [side if side.startswith("evaluate-") else f"evaluate-{side}" for side in named]
    return tuple(dict.fromkeys(named))


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(each) for each in text.split(",") if each.strip())
    except ValueError:
        raise UsageError(f"{text!r} is no list of numbers", next_step="Write it as 16,32,64.") from None
