"""Two frames of one examination stood in train and in test."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from cli_helpers import CommandLine
from data_helpers import eight_lines, write_lines
from mistake_helpers import marks_of, phone, predict, row_of
from quality_helpers import encoded, noisy, phantom

from engine import api
from engine.types import Case, Mark, Split
from engine.workspace import Workspace

LEAKED = 4
DATASET = "frames"


@pytest.fixture
def frames(workspace: Workspace, tmp_path: Path) -> Workspace:
    """Sixty phantoms of their own; four of the test split are frames of examinations in the training split."""
    root, lines, rows = tmp_path / "frames", [], []
    (root / "Femur").mkdir(parents=True)
    for number in range(60):
        split = Split.TRAIN if number < 30 else Split.VALIDATION if number < 40 else Split.TEST
        image = phantom(number)
        if 40 <= number < 40 + LEAKED:
            image = noisy(phantom(number - 40), 4.0)
        path = f"Femur/Femur_{number:03d}.png"
        (root / path).write_bytes(encoded(image))
        lines += eight_lines(path)
        rows.append((path, split.value))
    text = io.StringIO()
    csv.writer(text).writerows([("path", "split"), *rows])
    (tmp_path / "split.csv").write_text(text.getvalue())
    file = write_lines(tmp_path / "frames.jsonl", lines)
    api.import_source(workspace, file, name=DATASET, images=root, split_file=tmp_path / "split.csv")
    return workspace


def test_mistake_07_json(command: CommandLine, frames: Workspace) -> None:
    done = command("data", "check", DATASET, "--json")
    assert done.code == 1  # results on this split could not be trusted
    findings = done.json["findings"]
    crossing = next(each for each in findings if each["severity"] == "error" and "split" in each["title"])
    assert crossing["count"] == LEAKED
    mended = command("data", "split", DATASET, "--keep-near-duplicates", "--json")
    assert mended.code == 0, mended.err
    assert command("data", "check", DATASET, "--json").code == 0


def test_mistake_07_marks_the_row(command: CommandLine, frames: Workspace) -> None:
    api.check_images(frames, DATASET)
    asked: list[Case] = api_cases(frames)
    predict(command, "leaky", "Q6", asked, lambda _, case: case.answers["Q6"], dataset=DATASET)
    marks = marks_of(row_of(command, "leaky", "--dataset", DATASET))
    assert str(LEAKED) in marks[Mark.LEAK]


async def test_mistake_07_screen(command: CommandLine, frames: Workspace) -> None:
    api.check_images(frames, DATASET)
    predict(command, "leaky", "Q6", api_cases(frames), lambda _, case: case.answers["Q6"], dataset=DATASET)
    assert "leaky !leak" in await phone(frames, ["5"], "leaky")


def api_cases(workspace: Workspace) -> list[Case]:
    from mistake_helpers import cases

    return cases(workspace, Split.TEST, DATASET)
