"""Which cases are asked while a run trains."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from engine.data.importers.phantoms import import_phantoms
from engine.data.manifest import open_dataset
from engine.training.answer_watch import choose_cases
from engine.workspace import Workspace


def test_targets_that_cannot_be_read_are_never_asked(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    import_phantoms(workspace, "phantoms", count=24, size=64, processes=1)
    cases = open_dataset(workspace, "phantoms").cases()
    damaged = [
        replace(case, answers={**case.answers, "Q5": "2021-03-04"}) if number % 2 else case
        for number, case in enumerate(cases)
    ]
    unread = {case.path for case in damaged[1::2]}
    chosen = choose_cases(damaged, "Q5")
    assert chosen
    assert not unread & {case.path for case in chosen}
    assert choose_cases(damaged[1::2], "Q5") == []
