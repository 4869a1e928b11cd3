"""The short form of the fault suite: every kind that has one, tried once. `make faults` tries all of them often."""

from __future__ import annotations

from pathlib import Path

import pytest
from harness import Kind, carry_out
from registry import KINDS

SHORT = [(kind, number) for kind in KINDS for number in range(kind.short)]


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `tests/faults/__main__.py` sets it."""
    for name, value in {
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
        "OMP_WAIT_POLICY": "PASSIVE",
        "TOKENIZERS_PARALLELISM": "false",
        "CUDA_VISIBLE_DEVICES": "",
    }.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shared by all test processes of a run, so that the template is made once."""
    shared = tmp_path_factory.getbasetemp().parent / "faults"
    shared.mkdir(exist_ok=True)
    return shared


@pytest.mark.parametrize(("kind", "number"), SHORT, ids=[f"{kind.name}-{number}" for kind, number in SHORT])
def test_nothing_is_lost(kind: Kind, number: int, folder: Path) -> None:
    if reason := kind.missing():
        pytest.skip(reason)
    report = carry_out(kind, number, 1, folder)
    assert (report.lost_rows, report.wrong_states, report.resumed is not False) == (0, 0, True), "\n".join(report.notes)
