from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from cli_helpers import HOSTILE, CommandLine, control_characters, finish_evaluation
from store_helpers import add_evaluation, add_run

from engine.store.writer import Writer
from engine.types import Reference, Split
from engine.workspace import Workspace

NOTE = "Research only, not for clinical use."


@pytest.fixture
def command(tmp_path: Path, capfd: Any, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    monkeypatch.setattr("engine.cli.console.output.width", 200)
    with Writer.open(Workspace(tmp_path)) as writer:
        validation = add_evaluation(writer, add_run(writer, HOSTILE), split=Split.VALIDATION)
        finish_evaluation(writer, validation)
        for name in ("apple", "beta"):
            finish_evaluation(writer, add_evaluation(writer, add_run(writer, name)))
        finish_evaluation(writer, add_evaluation(writer, None, Reference.MAJORITY))
    return CommandLine(tmp_path, capfd)


def test_a_filter_shows_one_group_with_its_references(command: CommandLine) -> None:
    done = command("leaderboard", "--filter", "name = beta")
    assert done.code == 0
    assert "Q7 on test of phantoms: 40 cases" in done.out
    assert "majority class" in done.out
    assert "beta" in done.out
    assert "apple" not in done.out
    assert "1 of 2 runs" in done.out
    assert "--group 2: Q7 on validation of phantoms, 1 runs" in done.out
    assert NOTE in done.out


def test_a_fault_of_the_filter_has_a_caret_under_its_place(command: CommandLine) -> None:
    done = command("leaderboard", "--filter", "name = beta and aurc > 1")
    assert (done.code, done.out) == (2, "")
    assert done.err.splitlines() == [
        "There is no such column",
        "name = beta and aurc > 1",
        " " * 16 + "^",
        "→ Did you mean auroc or auroc_n or accuracy?",
    ]


def test_a_hostile_filter_is_repeated_harmlessly(command: CommandLine) -> None:
    done = command("leaderboard", "--filter", f"name = a {HOSTILE}", "--sort", HOSTILE)
    assert done.code == 2
    assert not control_characters(done.err)
    assert not control_characters(command("leaderboard", "--sort", HOSTILE).err)


def test_columns_and_order_can_be_chosen(command: CommandLine) -> None:
    done = command("leaderboard", "--columns", "auroc, seed", "--sort", "name", "--ascending")
    assert done.code == 0
    heads = next(line for line in done.out.splitlines() if "AUROC" in line)
    assert heads.split() == ["run", "AUROC", "seed"]
    assert done.out.index("majority class") < done.out.index("apple") < done.out.index("beta")
    backwards = command("leaderboard", "--columns", "name", "--sort", "name").out
    assert backwards.index("majority class") < backwards.index("beta") < backwards.index("apple")


def test_the_best_value_is_marked(command: CommandLine) -> None:
    done = command("leaderboard", "--columns", "auroc")
    assert done.out.count("0.75*") == 2
    assert "* best of the 2 runs of this group." in done.out


def test_groups_are_numbered_within_what_was_asked_for(command: CommandLine) -> None:
    assert "on test of" in command("leaderboard", "--group", "1").out.splitlines()[0]
    second = command("leaderboard", "--group", "2")
    assert "on validation of" in second.out.splitlines()[0]
    assert "--group 1: Q7 on test of phantoms, 2 runs" in second.out
    assert not control_characters(second.out)
    narrowed = command("leaderboard", "--split", "validation", "--group", "1")
    assert "on validation of" in narrowed.out.splitlines()[0]
    assert "--group" not in narrowed.out
    for words in (["--group", "3"], ["--question", "Q3", "--group", "1"], ["--group", "0"]):
        done = command("leaderboard", *words)
        assert (done.code, done.out) == (2, ""), words


def test_nothing_that_fits_is_no_board_of_another_group(command: CommandLine) -> None:
    done = command("leaderboard", "--question", "Q3", "--sort", "auroc")
    assert (done.code, done.out) == (0, "")
    assert "Nothing has been evaluated yet" in done.err
    assert command("leaderboard", "--question", "Q3", "--sort", "auroc", "--json").json["rows"] == []


def test_csv_and_markdown_go_to_standard_output_alone(command: CommandLine) -> None:
    done = command("leaderboard", "--csv", "--columns", "auroc", "--group", "2")
    (row,) = csv.DictReader(io.StringIO(done.out))
    assert (done.code, done.err) == (0, "")
    assert row["split"] == "validation"
    assert float(row["auroc_low"]) == pytest.approx(0.65)
    assert row["note"] == NOTE
    assert not control_characters(done.out)
    done = command("leaderboard", "--markdown", "--filter", "beta")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("Q7 on test of phantoms")
    assert "| beta |" in done.out
    assert NOTE in done.out


def test_json_with_a_filter_has_the_group_and_its_rows(command: CommandLine) -> None:
    board = command("leaderboard", "--json", "--filter", "apple", "--columns", "auroc").json
    assert board["group"]["split"] == "test"
    assert (board["total"], board["best"], board["filter"]) == (2, {"auroc": 0.75}, "apple")
    assert [row["name"] for row in board["rows"]] == ["apple"]
    assert [row["reference"] for row in board["references"]] == ["majority"]


def test_json_without_the_new_options_is_a_list_of_all_rows(command: CommandLine) -> None:
    rows = command("leaderboard", "--json").json
    assert isinstance(rows, list)
    assert len(rows) == 4
    assert {"peak_vram_bytes", "auroc_low", "threshold_source"} <= set(rows[0])


def test_ways_out_exclude_each_other(command: CommandLine) -> None:
    for words in (["--csv", "--markdown"], ["--csv", "--json"], ["--json", "--markdown"]):
        done = command("leaderboard", *words)
        assert done.code == 2
        assert "exclude each other" in done.err


def test_an_empty_workspace_has_an_empty_board(tmp_path: Path, capfd: Any) -> None:
    command = CommandLine(tmp_path, capfd)
    assert "Nothing has been evaluated yet" in command("leaderboard", "--sort", "auroc").err
    assert command("leaderboard", "--csv").out.count("\n") == 1
    assert command("leaderboard", "--filter", "auroc >").code == 2
    assert not (tmp_path / "runs.db").exists()


def test_the_table_of_a_long_group_ends_and_says_so(command: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "more below" not in command("leaderboard").out
    monkeypatch.setattr("engine.cli.scores.MOST_ROWS", 2)
    done = command("leaderboard", "--split", "test").out
    assert "1 more below these" in done
    assert "majority class" in done, "references stand first"
    assert len(command("leaderboard", "--split", "test", "--json").json) == 3
