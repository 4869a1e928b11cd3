"""The loss covered the question as well as the answer, and so looked excellent."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from cli_helpers import CommandLine
from mistake_helpers import cases, phone
from store_helpers import add_run

from engine.questions.prompts import prompt_text
from engine.store.writer import Writer
from engine.types import JobKind, Split
from engine.workspace import Workspace

BASE = Path(__file__).resolve().parents[2] / "assets" / "base-model"


@pytest.fixture(scope="module")
def batch(imported: Path) -> Mapping[str, object]:
    """The first sample of a run on this data, as the trainer gets it."""
    from engine.training.collator import AnswerCollator
    from engine.training.dataset import build_examples
    from engine.training.encoding import Encoder
    from engine.training.model import load_processor
    from engine.training.pixels import Geometry, PixelStore

    case = cases(Workspace(imported), Split.TRAIN)[0]
    processor = load_processor(str(BASE))
    pixels = PixelStore([case.file], 64, Geometry.of(processor))
    return AnswerCollator(build_examples([case], ["Q7"], "detailed"), Encoder(processor), pixels)([{"example": 0}])


def trained_run(workspace: Workspace, batch: Mapping[str, object]) -> str:
    """A run whose history has the line that every training writes before its first step."""
    from engine.training.recipe_run import trained_words

    words = trained_words(batch)  # type: ignore[arg-type]
    with Writer.open(workspace) as writer:
        writer.add_event(JobKind.TRAINING, add_run(writer, "careful"), "loss", words)
    return words


def test_mistake_06_json(command: CommandLine, workspace: Workspace, batch: Mapping[str, object]) -> None:
    from engine.training.collator import IGNORED
    from engine.training.encoding import Encoder
    from engine.training.model import load_processor

    labels = batch["labels"][batch["labels"] != IGNORED]  # type: ignore[index]
    text = Encoder(load_processor(str(BASE))).tokenizer.decode(labels)
    answer = cases(workspace, Split.TRAIN)[0].answers["Q7"].strip()
    assert text == f"{answer}<|im_end|>"
    assert prompt_text("Q7").split(":")[0] not in text
    words = trained_run(workspace, batch)
    events = command("show", "careful", "--json").json["events"]
    assert [event["detail"] for event in events if event["kind"] == "loss"] == [words]
    assert f"{len(labels)} of the" in words
    # And there is no way to ask for the other loss.
    done = command("launch", "demo", "--set", "training.loss=all", "--json")
    assert done.code == 2
    assert 'training.loss: found "all"; valid: "cross_entropy"' in done.err


async def test_mistake_06_screen(workspace: Workspace, batch: Mapping[str, object]) -> None:
    trained_run(workspace, batch)
    text = await phone(workspace, ["3", "enter", "tab", "tab"], "on the answer alone")
    assert "not on image and question" in " ".join(text.split())
