"""`python -m engine.bench.model SIZE FOLDER`: the base model that all sides load, with random weights. Heavy.

`--adapter FOLDER` writes a random adapter for it as well, of the kind that a training leaves; `--base PATH` takes a
model that is there already. Speed and memory do not depend on the values.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Any

from engine.basemodel.full_size import FULL_SIZES, build_full_size
from engine.bench.plan import ALPHA, RANK, SEED

SPREAD = 12.8
"""Standard deviation of an adapter's second matrix, times its outputs: enough to change what even a tiny model says."""
TINY = "tiny"
"""Name of a model with the dimensions of the tests, for machines without a GPU."""
SIZES = (TINY, *sorted(FULL_SIZES))


def build(size: str, device: str) -> tuple[Any, Any]:
    """(model, processor) of a size with random weights."""
    if size != TINY:
        return build_full_size(size, device)
    import torch

    from engine.basemodel.architecture import build_model
    from engine.basemodel.tokenizer import build_processor

    processor = build_processor(1024)
    return build_model(processor, "test", SEED).to(torch.bfloat16), processor


def write_model(size: str, folder: Path, device: str) -> None:
    """Save a model and its processor as safetensors, whole or not at all."""
    model, processor = build(size, device)
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    model.save_pretrained(partial)
    processor.save_pretrained(partial)
    partial.rename(folder)


def write_adapter(base: Path, folder: Path, device: str) -> None:
    """Save a LoRA adapter with random weights in both matrices, on the modules that a training would choose."""
    import torch
    from peft import LoraConfig, get_peft_model

    from engine.training.lora_targets import target_pattern
    from engine.training.model import load_base, save_adapter

    model = load_base(str(base), "none", torch.device(device))
    pattern = target_pattern(vision=True, language=True, attention=True, mlp=True)
    config = LoraConfig(r=RANK, lora_alpha=ALPHA, bias="none", target_modules=pattern, task_type="CAUSAL_LM")
    torch.manual_seed(SEED)
    tuned = get_peft_model(model, config)
    with torch.no_grad():
        for name, value in tuned.named_parameters():
            if "lora_B" in name:  # zero at first: an adapter that changes nothing would hide a side that leaves it out
                value.normal_(0, SPREAD / value.shape[0])
    save_adapter(tuned, folder, str(base))


def main() -> None:
    """Write what is missing."""
    import torch

    parser = argparse.ArgumentParser(prog="python -m engine.bench.model", description=__doc__)
    parser.add_argument("size", choices=SIZES)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--base", type=Path, help="a model that is there already")
    parser.add_argument("--adapter", type=Path)
    given = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    base = given.base or given.folder
    if given.base is None and not (base / "config.json").is_file():
        write_model(given.size, base, device)
    if given.adapter is not None and not given.adapter.is_dir():
        write_adapter(base, given.adapter, device)


if __name__ == "__main__":
    main()
