"""What the tests of the ten mistakes share."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from cli_helpers import CommandLine
from tui_helpers import screen_text, until, workbench

from engine.data.manifest import open_dataset
from engine.types import Case, Split
from engine.workspace import Workspace

DATASET = "fetal"


def cases(workspace: Workspace, split: Split = Split.TEST, dataset: str = DATASET) -> list[Case]:
    return open_dataset(workspace, dataset).cases(split)


Said = Callable[[int, Case], str | Mapping[str, object]]
"""What a model says of a case: a text, or the fields of an entry."""


def predict(
    command: CommandLine, name: str, question: str, asked: Iterable[Case], said: Said, dataset: str = DATASET
) -> Any:
    """Import predictions as a user does, and return what the command printed as JSON."""
    file = command.folder / f"{name}.jsonl"
    with file.open("w", encoding="utf-8") as stream:
        for number, case in enumerate(asked):
            answer = said(number, case)
            fields = answer if isinstance(answer, Mapping) else {"prediction": answer}
            stream.write(json.dumps({"image": case.path, "question": question, **fields}) + "\n")
    done = command("predictions", "import", str(file), "--dataset", dataset, "--test-purpose", "a mistake", "--json")
    assert done.code == 0, done.err
    return done.json


def row_of(command: CommandLine, name: str, *words: str) -> Any:
    """The row of a run on the leaderboard."""
    rows = command("leaderboard", "--json", *words).json
    return next(row for row in rows if row["name"] == name)


def marks_of(row: Any) -> dict[str, str]:
    """Sentence by kind."""
    return {mark["kind"]: mark["detail"] for mark in row["marks"]}


async def phone(workspace: Workspace, keys: Iterable[str], wanted: str, size: tuple[int, int] = (80, 24)) -> str:
    """What stands on a small terminal after these keys, once `wanted` does."""
    app = workbench(workspace)
    async with app.run_test(size=size) as pilot:
        for key in keys:
            await pilot.press(key)
        await until(pilot, lambda: wanted in screen_text(app), f"{wanted!r} is on the screen")
        return screen_text(app)
