"""What only a CUDA device can show; figures of such runs stand in docs/benchmarks.md."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from engine.training.backends import installed

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.slow,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU: torch sees no CUDA device"),
    pytest.mark.skipif(
        not installed("unsloth"), reason="needs Unsloth: `make install` adds it where a driver is present"
    ),
]


def sonotune(workspace: Path, *words: str) -> str:
    command = [sys.executable, "-m", "engine.cli", "--workspace", str(workspace), *words]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout


def test_the_demo_learns_through_unsloth(tmp_path: Path) -> None:
    sonotune(tmp_path, "data", "import", "phantoms", "--count", "2400")
    sonotune(tmp_path, "launch", "demo-gpu", "--wait", "--test-purpose", "tests")
    rows = json.loads(sonotune(tmp_path, "leaderboard", "--split", "test", "--json"))
    tuned = next(row for row in rows if row["reference"] is None)
    assert tuned["backend"] == "unsloth"
    assert tuned["auroc"] >= 0.90
    assert tuned["peak_vram_bytes"] > 0
    assert tuned["train_seconds"] > 0
