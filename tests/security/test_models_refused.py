"""Weights come from safetensors alone, and no code that comes with a model or an adapter is run."""

from __future__ import annotations

import ast
import json
import pickle
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from engine.errors import ModelError
from engine.training.model_files import require_plain_adapter, resolve_model

BASE = Path(__file__).resolve().parents[2] / "assets" / "base-model"
LIBRARIES = ("transformers/trainer.py", "peft/utils/save_and_load.py")


class Harm:
    """A pickle that leaves a trace where somebody loads it."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> Any:
        return Path.touch, (self.trace,)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A copy of the embedded model that may be spoilt."""
    folder = tmp_path / "base"
    folder.mkdir()
    for file in BASE.iterdir():
        (folder / file.name).symlink_to(file) if file.suffix == ".safetensors" else shutil.copy(file, folder)
    return folder


def set_key(file: Path, key: str, value: object) -> None:
    content = json.loads(file.read_text()) if file.exists() else {}
    file.write_text(json.dumps({**content, key: value}))


def test_the_base_as_it_is_is_taken(base: Path, tmp_path: Path) -> None:
    assert resolve_model(str(base), tmp_path) == str(base)
    assert resolve_model("assets/base-model", tmp_path)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "model.ckpt"])
def test_a_base_with_pickled_weights_alone_is_refused(base: Path, tmp_path: Path, name: str) -> None:
    (base / "model.safetensors").unlink()
    (base / name).write_bytes(pickle.dumps(Harm(tmp_path / "trace")))
    with pytest.raises(ModelError, match="no safetensors weights"):
        resolve_model(str(base), tmp_path)
    assert not (tmp_path / "trace").exists()


@pytest.mark.parametrize(
    "name",
    [
        "config.json",
        "processor_config.json",
        "tokenizer_config.json",
        "preprocessor_config.json",
        "generation_config.json",
    ],
)
def test_a_base_that_names_code_is_refused(base: Path, tmp_path: Path, name: str) -> None:
    set_key(base / name, "auto_map", {"AutoConfig": "harm.Config", "AutoProcessor": "harm.Processor"})
    (base / "harm.py").write_text(f"open({str(tmp_path / 'trace')!r}, 'w')")
    with pytest.raises(ModelError, match="program code of its own") as caught:
        resolve_model(str(base), tmp_path)
    assert name in caught.value.reason
    assert not (tmp_path / "trace").exists()


def test_code_named_deeper_down_is_found(base: Path, tmp_path: Path) -> None:
    set_key(base / "config.json", "text_config", {"auto_map": {"AutoModel": "harm.Model"}})
    with pytest.raises(ModelError, match="program code"):
        resolve_model(str(base), tmp_path)


@pytest.mark.parametrize("shard", ["pytorch_model.bin", "../secret.safetensors", "/etc/passwd", "a\\b.safetensors"])
def test_shards_elsewhere_or_of_another_format_are_refused(base: Path, tmp_path: Path, shard: str) -> None:
    (base / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"lm_head.weight": shard}}))
    with pytest.raises(ModelError, match="elsewhere, or in another format"):
        resolve_model(str(base), tmp_path)


def adapter(folder: Path, **config: object) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": 8, **config}))
    return folder


@pytest.mark.parametrize("name", ["adapter_model.bin", "adapter_model.pt", "adapter_model.pkl"])
def test_an_adapter_in_another_format_is_refused(tmp_path: Path, name: str) -> None:
    folder = adapter(tmp_path / "adapter")
    (folder / name).write_bytes(pickle.dumps(Harm(tmp_path / "trace")))
    with pytest.raises(ModelError, match="not in the safetensors format"):
        require_plain_adapter(folder)
    assert not (tmp_path / "trace").exists()


@pytest.mark.parametrize(
    "config",
    [{"peft_type": "PREFIX_TUNING"}, {"megatron_config": {"x": 1}, "megatron_core": "os"}, {"peft_type": ["LORA"]}],
)
def test_an_adapter_that_names_code_or_is_no_lora_is_refused(tmp_path: Path, config: dict[str, object]) -> None:
    folder = adapter(tmp_path / "adapter", **config)
    (folder / "adapter_model.safetensors").write_bytes(b"x")
    with pytest.raises(ModelError, match="none that sonotune has written"):
        require_plain_adapter(folder)


def test_a_plain_adapter_passes_this_check(tmp_path: Path) -> None:
    folder = adapter(tmp_path / "adapter", auto_mapping={"unsloth_fixed": True}, megatron_config=None)
    (folder / "adapter_model.safetensors").write_bytes(b"x")
    require_plain_adapter(folder)


def test_a_pickle_beside_the_weights_is_not_touched(tmp_path: Path) -> None:
    """PEFT takes the safetensors where both are there; what is no safetensors file is an error, never a pickle."""
    import torch

    from engine.training.model import load_adapter

    folder = adapter(tmp_path / "adapter", target_modules=["linear"])
    (folder / "adapter_model.safetensors").write_bytes(pickle.dumps(Harm(tmp_path / "trace")))
    (folder / "adapter_model.bin").write_bytes(pickle.dumps(Harm(tmp_path / "trace")))
    model = torch.nn.ModuleDict({"linear": torch.nn.Linear(2, 2)})
    with pytest.raises(ModelError, match="could not be loaded"):
        load_adapter(model, folder)
    assert not (tmp_path / "trace").exists()


def test_checkpoints_of_somebody_else_cannot_run_code(tmp_path: Path) -> None:
    """How the trainer reads optimizer.pt, scheduler.pt and rng_state.pth of a checkpoint that it resumes from."""
    import torch

    harmful = tmp_path / "optimizer.pt"
    torch.save({"state": Harm(tmp_path / "trace")}, harmful)
    with pytest.raises(pickle.UnpicklingError):
        torch.load(harmful, weights_only=True)
    assert not (tmp_path / "trace").exists()


@pytest.mark.parametrize("name", LIBRARIES)
def test_the_libraries_load_no_pickle_with_code(name: str) -> None:
    """Each `torch.load` of the trainer and of PEFT says weights_only=True; a newer version may not."""
    import transformers

    tree = ast.parse((Path(transformers.__file__).parents[1] / name).read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load"]
    assert calls
    wrapped = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == "torch_load"]
    for call in calls:
        given = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
        # PEFT's own wrapper passes on what it is given, True where nobody says anything.
        through = any(call in ast.walk(each) and "weights_only=True" in ast.unparse(each.args) for each in wrapped)
        assert given.get("weights_only") == "True" or through, ast.unparse(call)


def test_nothing_of_ours_loads_pickles_or_trusts_remote_code() -> None:
    engine = Path(__file__).resolve().parents[2] / "engine"
    for file in sorted(engine.rglob("*.py")):
        if file.relative_to(engine).parts[0] == "basemodel":
            continue  # keeps its own tables while the embedded model is made, in a folder of its own
        text = file.read_text(encoding="utf-8")
        if not re.search(r"torch\.load|pickle|eval\(|exec\(|trust_remote_code", text):
            continue
        tree = ast.parse(text)
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                assert ast.unparse(node.func) not in ("torch.load", "pickle.load", "pickle.loads", "eval", "exec"), file
                for keyword in node.keywords:
                    assert keyword.arg != "trust_remote_code" or ast.unparse(keyword.value) == "False", file
