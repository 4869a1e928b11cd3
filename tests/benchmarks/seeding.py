"""Databases as large as a busy year leaves them, written in seconds: `seed_board(workspace, runs=10_000)`.

Straight into the tables, because ten thousand runs through the writer would take minutes. Everything follows from the
seed, so that two benchmarks see the same rows.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from typing import Any

from engine.store.connection import open_writable
from engine.store.mapping import insert
from engine.workspace import Workspace

SCORES = ("accuracy", "balanced_accuracy", "sensitivity", "specificity", "mcc", "auroc")
MODELS = ("assets/base-model", "Qwen/Qwen3-VL-2B-Instruct", "Qwen/Qwen3-VL-4B-Instruct", "Qwen/Qwen3-VL-8B-Instruct")
STUDIES = (None, "size", "layers", "prompts")
TAGS = ("keep", "paper", "odd", "ablation A")
START = 1_790_000_000.0
"""Unix time at which the first run was queued; one a minute follows."""
CASES, ABNORMAL = 1545, 44


def seed_board(workspace: Workspace, runs: int = 10_000, *, views: Sequence[str] = (), seed: int = 0) -> None:
    """Fill a new workspace with `runs` succeeded runs, each with one evaluation and six scores, in one group.

    Three reference rows (the majority class, two untuned models) stand in the same group. Every tenth run has a tag,
    every twentieth a note, and one in twenty lacks AUROC, so that sorting meets missing values.

    Args:
        workspace: without a runs.db.
        runs: how many.
        views: also write the six scores of each of these views.
        seed: of everything that is drawn.
    """
    workspace.root.mkdir(parents=True, exist_ok=True)
    draw = random.Random(seed)
    connection = open_writable(workspace.database)
    try:
        connection.execute("BEGIN")
        _insert(connection, "runs", (_run(number, draw) for number in range(1, runs + 1)))
        _insert(connection, "evaluations", (_evaluation(number, runs, draw) for number in range(1, runs + 4)))
        scopes = ("all", *(f"view:{view}" for view in views))
        _insert(connection, "scores", (row for number in range(1, runs + 4) for row in _scores(number, scopes, draw)))
        tags = [{"run_id": number, "tag": draw.choice(TAGS)} for number in range(1, runs + 1, 10)]
        _insert(connection, "tags", tags)
        notes = [{"run_id": number, "time": START, "text": "looked at"} for number in range(1, runs + 1, 20)]
        _insert(connection, "notes", notes)
        connection.execute("COMMIT")
    finally:
        connection.close()


def _insert(connection: Any, table: str, rows: Any) -> None:
    """All rows with one statement; they share their keys."""
    rows = iter(rows)
    first = next(rows, None)
    if first is not None:
        statement = insert(table, tuple(first))
        connection.execute(statement, first)
        connection.executemany(statement, rows)


def _model(number: int) -> str:
    return MODELS[number % len(MODELS)]


def _run(number: int, draw: random.Random) -> dict[str, Any]:
    queued = START + 60 * number
    return {
        "name": f"baseline-q7-{number:05d}",
        "state": "succeeded",
        "recipe": _recipe(number, draw),
        "dataset": "fetal",
        "dataset_fingerprint": "d" * 64,
        "split_fingerprint": "e" * 64,
        "model": _model(number),
        "seed": 42 + number % 5,
        "directory": f"outputs/{number}",
        "backend": ("unsloth", "transformers")[number % 2],
        "quantization": ("4bit", "none")[number % 3 == 0],
        "versions": json.dumps({"torch": "2.11.0", "transformers": "5.17.0", "peft": "0.21.0", "trl": "1.15.0"}),
        "queued_at": queued,
        "started_at": queued + 1,
        "ended_at": queued + 50,
        "train_seconds": draw.uniform(600, 14_000),
        "samples_per_second": draw.uniform(2, 90),
        "tokens_per_second": draw.uniform(200, 9000),
        "peak_vram_allocated_bytes": draw.randrange(2**32, 2**34),
        "peak_vram_reserved_bytes": draw.randrange(2**33, 2**35),
        "peak_rss_bytes": draw.randrange(2**30, 2**33),
        "final_loss": draw.uniform(0.02, 0.9),
        "trained_parameters": 1_000_000 * (1 + number % 50),
        "study": STUDIES[number % len(STUDIES)],
    }


def _recipe(number: int, draw: random.Random) -> str:
    """As large as a recipe is when it is stored."""
    rank = 2 ** (2 + number % 5)
    return json.dumps(
        {
            "name": f"baseline-q7-{number:05d}",
            "description": "Normal or abnormal, on all linear layers, vision and language.",
            "data": {
                "dataset": "fetal", "questions": ["Q7"], "prompt": "detailed", "balance": "none", "augment": "none",
                "limit": 0, "image_size": 512,
            },
            "model": {"id": _model(number), "quantization": "4bit", "backend": "auto"},
            "lora": {
                "r": rank, "alpha": rank, "dropout": 0.0, "vision": True, "language": True, "attention": True,
                "mlp": True,
            },
            "training": {
                "epochs": float(1 + number % 4), "max_steps": 0, "batch": 2, "accumulation": 4,
                "learning_rate": draw.choice((1e-4, 2e-4, 5e-4)), "schedule": "linear", "warmup": 0.03,
                "seed": 42 + number % 5, "packing": "auto", "weight_decay": 0.0, "gradient_checkpointing": "auto",
                "checkpoint_steps": 50, "evaluation_steps": 0, "max_grad_norm": 1.0,
            },
            "evaluation": {"splits": ["validation"], "limit": 0, "max_new_tokens": 64, "batch": 16},
        }
    )  # fmt: skip


def _evaluation(number: int, runs: int, draw: random.Random) -> dict[str, Any]:
    """Of the run with that number; the three numbers after the last run are reference rows."""
    reference = ("majority", "base", "base")[number - runs - 1] if number > runs else None
    queued = START + 60 * number + 51
    model = _model(number) if reference != "majority" else ""
    candidates = [f"Abnormal finding number {each}" for each in range(20)]
    return {
        "run_id": None if reference else number,
        "reference": reference,
        "name": f"baseline-q7-{number:05d}" if reference is None else f"{reference} {model}",
        "model": model,
        "dataset": "fetal",
        "dataset_fingerprint": "d" * 64,
        "split": "validation",
        "split_fingerprint": "e" * 64,
        "question": "Q7",
        "prompt": "detailed",
        "state": "succeeded",
        "protocol": json.dumps({"quantization": "4bit", "candidates": candidates, "prompt_text": "Is it?" * 40}),
        "protocol_fingerprint": "b" * 64,
        "cases_fingerprint": "a" * 64,
        "threshold": draw.uniform(0.05, 0.9),
        "n": CASES,
        "unparseable": draw.randrange(4),
        "cut_off": draw.randrange(3),
        "backend": "transformers",
        "queued_at": queued,
        "started_at": queued + 1,
        "ended_at": queued + 9,
        "seconds_per_image": draw.uniform(0.05, 2),
        "tokens_per_second": draw.uniform(20, 400),
    }


def _scores(evaluation: int, scopes: Sequence[str], draw: random.Random) -> Iterator[dict[str, Any]]:
    for scope in scopes:
        for name in SCORES:
            value = None if name == "auroc" and evaluation % 20 == 0 else draw.uniform(0.3, 0.99)
            yield {
                "evaluation_id": evaluation,
                "scope": scope,
                "name": name,
                "value": value,
                "low": None if value is None else max(0.0, value - 0.07),
                "high": None if value is None else min(1.0, value + 0.07),
                "n": ABNORMAL if name == "sensitivity" else CASES,
            }
