from __future__ import annotations

import os
import shutil

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

SIZE = 96


@pytest.fixture(autouse=True)
def no_other_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs that a test carries out in its own process start no worker, which would take the other jobs in its queue."""
    monkeypatch.setattr("engine.jobs.keeping.keep_worker", lambda _workspace: False)


@pytest.fixture(scope="session")
def base_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained Qwen3-VL of test size, saved like a real one."""
    import torch

    from engine.basemodel.architecture import build_model
    from engine.basemodel.tokenizer import build_processor

    torch.set_num_threads(2)
    folder = tmp_path_factory.mktemp("base")
    processor = build_processor(160)
    model = build_model(processor, "test")
    model.to(torch.bfloat16).save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def processor(base_folder: Path) -> Any:
    from engine.training.model import load_processor

    return load_processor(str(base_folder))


@pytest.fixture
def model(base_folder: Path) -> Any:
    import torch

    from engine.training.model import load_base

    return load_base(str(base_folder), "none", torch.device("cpu"))


@pytest.fixture(scope="session")
def phantom_cases(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """32 phantoms for training and 8 for validation, drawn small."""
    from PIL import Image

    from engine.data.phantoms import answers, render
    from engine.types import Case, Split

    root = tmp_path_factory.mktemp("images")
    cases = []
    for seed in range(40):
        pixels, labels = render(seed, abnormal=seed % 2 == 1, size=SIZE)
        file = root / f"{seed:03d}.png"
        Image.fromarray(pixels).save(file)
        split = Split.TRAIN if seed < 32 else Split.VALIDATION
        cases.append(Case(seed, file.name, file, labels.view, split, answers(labels), "", SIZE, SIZE))
    return cases


@pytest.fixture
def collate(processor: Any) -> Callable[..., Any]:
    """One batch of all questions about some cases, as the trainer would get it."""
    from engine.training.collator import AnswerCollator
    from engine.training.dataset import build_examples
    from engine.training.encoding import Encoder
    from engine.training.pixels import Geometry, PixelStore

    def build(cases: list[Any], questions: tuple[str, ...] = ("Q7",)) -> Any:
        examples = build_examples(cases, questions, "detailed")
        pixels = PixelStore([case.file for case in cases], SIZE, Geometry.of(processor))
        rows = [{"example": number} for number in range(len(examples))]
        return AnswerCollator(examples, Encoder(processor), pixels)(rows)

    return build


@pytest.fixture
def recipe() -> Callable[..., Any]:
    """A recipe for tests; keyword arguments are whole sections."""
    from engine.recipe import parse_recipe

    def build(**sections: dict[str, Any]) -> Any:
        content: dict[str, Any] = {
            "name": "tiny",
            "data": {"image_size": SIZE},
            "lora": {"r": 4, "alpha": 8},
            "training": {
                "batch": 4,
                "accumulation": 2,
                "max_steps": 6,
                "learning_rate": 1e-2,
                "checkpoint_steps": 2,
                "seed": 7,
            },
            "evaluation": {"max_new_tokens": 8, "batch": 4},
        }
        for section, values in sections.items():
            content[section] = {**content.get(section, {}), **values}
        return parse_recipe(content, "test")

    return build


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, base_folder: Path) -> Path:
    """A workspace with phantoms and an adapter of an untrained model, under outputs/adapter."""
    import torch
    from peft import LoraConfig, get_peft_model

    from engine.data.importers.phantoms import import_phantoms
    from engine.training.lora_targets import target_pattern
    from engine.training.model import load_base, save_adapter
    from engine.workspace import Workspace

    root = tmp_path_factory.mktemp("evaluated")
    import_phantoms(Workspace(root), "phantoms", count=60, seed=1, abnormal_share=0.5, size=96, processes=1)
    torch.manual_seed(0)
    pattern = target_pattern(vision=True, language=True, attention=True, mlp=True)
    tuned = get_peft_model(
        load_base(str(base_folder), "none", torch.device("cpu")),
        LoraConfig(r=4, lora_alpha=16, target_modules=pattern, init_lora_weights=False),
    )
    save_adapter(tuned, root / "adapter", "assets/base-model")
    return root


@pytest.fixture
def desk(trained: Path, tmp_path: Path, base_folder: Path, recipe: Callable[..., Any]) -> Iterator[Any]:
    """A `Desk` in a copy of that workspace, with the adapter as that of its run."""
    from evaluation_helpers import Desk

    from engine.data.manifest import open_dataset
    from engine.recipe import recipe_json
    from engine.store.reader import Reader
    from engine.store.writer import Writer
    from engine.workspace import Workspace

    root = shutil.copytree(trained, tmp_path / "workspace")
    workspace = Workspace(root)
    wanted = recipe(model={"id": str(base_folder)})
    record = open_dataset(workspace, "phantoms").record
    with Writer.open(workspace) as writer:
        run_id = writer.create_run(
            "tiny", recipe_json(wanted), "phantoms", record.fingerprint, record.split_fingerprint, wanted.model.id, 7
        )
        with Reader(workspace) as reader:
            directory = root / reader.run(run_id).directory
        directory.mkdir(parents=True)
        shutil.copytree(root / "adapter", directory / "adapter")
        yield Desk(workspace, writer, wanted, run_id)
