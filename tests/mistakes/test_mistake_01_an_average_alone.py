"""82 % on 50 images was reported as a result, where always answering "normal" scores 95 % and more."""

from __future__ import annotations

from cli_helpers import CommandLine
from mistake_helpers import cases, marks_of, phone, predict, row_of

from engine.data.labels import case_verdict
from engine.types import Mark, Verdict
from engine.workspace import Workspace


def report_82_percent(command: CommandLine, workspace: Workspace) -> None:
    """41 of 50 right; the nine others are normal images called abnormal."""
    asked = [case for case in cases(workspace) if case_verdict(case.answers) is Verdict.NORMAL][:50]
    predict(command, "proud", "Q7", asked, lambda number, _: "Abnormal NT thickening" if number < 9 else "Normal")


def test_mistake_01_json(command: CommandLine, workspace: Workspace) -> None:
    report_82_percent(command, workspace)
    row = row_of(command, "proud", "--split", "test")
    assert (row["accuracy"], row["n"], row["accuracy_n"]) == (0.82, 50, 50)
    assert 0.68 < row["accuracy_low"] < 0.72 < 0.89 < row["accuracy_high"] < 0.92
    assert row["sensitivity"] is None  # there was no abnormal image among them
    assert row["sensitivity_n"] == 0
    assert "only 0 abnormal cases" in marks_of(row)[Mark.FEW_CASES]
    assert "is right in 100.0%, this in 82.0%" in marks_of(row)[Mark.BELOW_MAJORITY]
    majority = row_of(command, "majority class", "--split", "test")
    assert majority["accuracy"] == 1.0
    assert (majority["cases_fingerprint"], majority["protocol_fingerprint"]) == (
        row["cases_fingerprint"], row["protocol_fingerprint"]
    )  # fmt: skip


async def test_mistake_01_screen(command: CommandLine, workspace: Workspace) -> None:
    report_82_percent(command, workspace)
    text = await phone(workspace, ["5"], "proud")
    assert "50 cases, 0 abnormal" in text
    assert "majority class" in text
    assert "proud !≤ majority" in text
    assert "is right in 100.0%, this in 82.0%" in text
    assert "only 0 abnormal cases" in text
