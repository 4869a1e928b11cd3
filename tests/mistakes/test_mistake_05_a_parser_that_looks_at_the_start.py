"""A parser anchored at the start of the text scored gestational age 0.0 for models of which 30 % were right."""

from __future__ import annotations

from cli_helpers import CommandLine
from mistake_helpers import cases, phone, predict, row_of

from engine.workspace import Workspace

SENTENCES = (
    "Based on the biometry that is visible, the gestational age is about {} at the time of the scan.",
    "Gestational Age: the fetus appears to be at **{}**.",
    "I estimate {}, judging by the size of the head.",
)


def answer_in_sentences(command: CommandLine, workspace: Workspace) -> int:
    asked = cases(workspace)
    predict(
        command,
        "talker",
        "Q5",
        asked,
        lambda number, case: SENTENCES[number % 3].format(" ".join(case.answers["Q5"].strip(" .").split())),
    )
    return len(asked)


def test_mistake_05_json(command: CommandLine, workspace: Workspace) -> None:
    count = answer_in_sentences(command, workspace)
    row = row_of(command, "talker", "--question", "Q5")
    assert (row["accuracy"], row["within_one_bin"], row["accuracy_n"], row["unparseable"]) == (1.0, 1.0, count, 0)


async def test_mistake_05_screen(command: CommandLine, workspace: Workspace) -> None:
    answer_in_sentences(command, workspace)
    text = await phone(workspace, ["5"], "talker")
    row = next(line for line in text.splitlines() if "talker" in line and "1.00" in line)
    assert row.count("1.00") >= 2
