"""The loss of a run under Unsloth, packed and separate: only a CUDA device can show it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from test_gpu import pytestmark as needs_unsloth
from test_gpu import sonotune

pytestmark = needs_unsloth

RECIPE = """
name = "weights"
[data]
dataset = "phantoms"
questions = ["Q1", "Q2", "Q7"]
image_size = 160
limit = 80
balance = "oversample"
augment = "basic"
[model]
id = "assets/base-model"
[training]
max_steps = 12
batch = 48
accumulation = 1
learning_rate = 1e-3
loss = "weighted_focal"
answer_checks = 0
[evaluation]
splits = []
"""


def test_class_weights_and_focal_loss_are_the_same_packed_under_unsloth_and_under_transformers(tmp_path: Path) -> None:
    (tmp_path / "weights.toml").write_text(RECIPE, encoding="utf-8")
    sonotune(tmp_path, "data", "import", "phantoms", "--count", "200", "--size", "160")
    losses = {}
    for backend in ("unsloth", "transformers"):
        for packing in ("auto", "off"):
            name = f"{backend}-{packing}"
            changes = [f"name={name}", f"model.backend={backend}", f"training.packing={packing}"]
            words = [word for change in changes for word in ("--set", change)]
            sonotune(tmp_path, "launch", "weights.toml", "--wait", "--no-references", *words)
            shown = json.loads(sonotune(tmp_path, "show", name, "--json"))
            assert shown["run"]["packing"] == ("on" if packing == "auto" else "off")
            losses[name] = shown["run"]["final_loss"]
    assert losses["unsloth-auto"] == pytest.approx(losses["unsloth-off"], rel=0.02)
    assert losses["transformers-auto"] == pytest.approx(losses["transformers-off"], rel=0.02)
    # Another backend draws another adapter; it is the same objective on the same samples.
    assert losses["unsloth-auto"] == pytest.approx(losses["transformers-auto"], rel=0.25)
