from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cli_helpers import HOSTILE, control_characters
from store_helpers import add_evaluation, add_run, raw, score

from engine import api
from engine.store.reader import Reader
from engine.store.writer import Writer
from engine.types import JobKind, Reference

FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\t=1", "\r=1", "\uff1d1"]
NOTE = "Research only, not for clinical use."


@pytest.fixture
def workspace(tmp_path: Path) -> api.Workspace:
    return api.Workspace(tmp_path)


@pytest.fixture
def writer(workspace: api.Workspace) -> Iterator[Writer]:
    with Writer.open(workspace) as opened:
        yield opened


def measured(writer: Writer, subject: str | Reference, auroc: float | None = 0.75, view: str = "Head") -> int:
    reference = subject if isinstance(subject, Reference) else None
    run = None if reference else add_run(writer, subject)
    evaluation = add_evaluation(writer, run, reference)
    writer.add_scores(evaluation, [score("auroc", auroc), score("mcc", -0.25), score("auroc", 0.5, f"view:{view}")])
    for before, after in (("queued", "starting"), ("starting", "running"), ("running", "succeeded")):
        more: dict[str, Any] = {"n": 40} if after == "succeeded" else {}
        states = (api.State(before), api.State(after))
        assert writer.transition(JobKind.EVALUATION, evaluation, *states, "test", **more)
    return evaluation


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_without_records_the_board_is_empty_and_queries_are_still_checked(workspace: api.Workspace) -> None:
    board = api.board(workspace)
    assert (board.group, board.rows, api.board_groups(workspace), api.pins(workspace)) == (None, [], [], [])
    assert table(api.export_board(board, "csv")) == []
    assert NOTE in api.export_board(board, "markdown")
    with pytest.raises(api.FilterError):
        api.board(workspace, api.BoardQuery(filter="auroc >"))
    with pytest.raises(api.UsageError):
        api.board(workspace, api.BoardQuery(group=api.GroupKey("a", "Q7", "test", "b", "c")))
    assert not workspace.database.exists()


def test_a_reader_that_stays_open_sees_what_is_new(workspace: api.Workspace, writer: Writer) -> None:
    measured(writer, "one")
    with Reader(workspace) as reader:
        assert len(reader.board(api.BoardQuery()).rows) == 1
        measured(writer, "two")
        assert len(reader.board(api.BoardQuery()).rows) == 2
        assert [group.runs for group in reader.board_groups()] == [2]


def test_columns_and_what_a_filter_may_name(workspace: api.Workspace, writer: Writer) -> None:
    measured(writer, "one", view="Head circ")
    names = [column.name for column in api.board_columns()]
    kinds = api.board_filter_columns()
    assert list(kinds)[: len(names)] == names
    assert {"auroc_low", "auroc_high", "auroc_n"} < set(kinds)
    board = api.board(workspace)
    kinds = api.board_filter_columns(board)
    assert set(kinds) - set(api.board_filter_columns()) == {
        f"view:Head circ:auroc{end}" for end in ("", "_low", "_high", "_n")
    }
    suggested = [each.text for each in api.complete_filter("head", 4, kinds)]
    assert suggested[0] == '"view:Head circ:auroc"'
    for name in kinds:
        assert api.board(workspace, api.BoardQuery(filter=f'"{name}" is set or name is set')).total == 1


# ----- settings and pins


def test_pins_keep_their_order_and_stand_once(workspace: api.Workspace) -> None:
    api.set_pins(workspace, [3, 1, 3, 2])
    assert api.pins(workspace) == [3, 1, 2]
    api.set_pins(workspace, [])
    assert api.pins(workspace) == []


@pytest.mark.parametrize("value", ['{"a": 1}', '["1", null, 2.5, true, 4]', "7"])
def test_pins_that_another_program_wrote_are_read_as_far_as_they_are_run_numbers(
    workspace: api.Workspace, writer: Writer, value: str
) -> None:
    with raw(workspace) as connection:
        connection.execute("INSERT INTO settings VALUES ('leaderboard_pins', ?)", (value,))
    assert api.pins(workspace) == ([4] if "4" in value else [])


def test_settings_are_replaced_and_taken_away(workspace: api.Workspace, writer: Writer) -> None:
    with Reader(workspace) as reader:
        assert reader.setting("x") is None
        for value in ({"a": [1, None, "ä"]}, False, 0, "text", []):
            writer.set_setting("x", value)
            assert reader.setting("x") == value
        writer.set_setting("x", None)
        assert reader.setting("x") is None
        with pytest.raises(ValueError, match="JSON"):
            writer.set_setting("x", float("nan"))


def test_a_setting_that_is_no_json_is_a_store_error(workspace: api.Workspace, writer: Writer) -> None:
    with raw(workspace) as connection:
        connection.execute("INSERT INTO settings VALUES ('x', '{')")
    with Reader(workspace) as reader, pytest.raises(api.StoreError, match="setting x"):
        reader.setting("x")


# ----- export


def test_csv_has_every_figure_with_its_interval_and_n_and_the_group(workspace: api.Workspace, writer: Writer) -> None:
    evaluation = measured(writer, "tuned, with comma")
    majority = measured(writer, Reference.MAJORITY, None)
    columns = ("name", "auroc", "mcc", "run", "peak_vram", "queued")
    with raw(workspace) as connection:
        connection.execute("UPDATE runs SET queued_at = 0, peak_vram_reserved_bytes = 1024")
    board = api.board(workspace, api.BoardQuery(columns=columns))
    first, second = table(api.export_board(board, "csv"))
    assert (first["evaluation"], first["run"], first["reference"]) == (str(majority), "", "majority")
    assert (first["auroc"], first["auroc_low"], first["auroc_n"]) == ("", "", "0")
    assert (second["evaluation"], second["run"], second["name"]) == (str(evaluation), "1", "tuned, with comma")
    assert [float(second[f"auroc{end}"]) for end in ("", "_low", "_high", "_n")] == [0.75, 0.65, 0.85, 40]
    assert (second["mcc"], second["peak_vram_bytes"]) == ("-0.25", "1024")
    assert second["queued_time"].startswith(("1970-01-01T", "1969-12-31T"))
    group = ("dataset", "question", "split", "cases_fingerprint", "protocol_fingerprint", "note")
    assert [second[name] for name in group] == ["phantoms", "Q7", "test", "cases-1", "protocol-1", NOTE]


@pytest.mark.parametrize("formula", FORMULAS)
def test_no_text_of_a_csv_is_taken_for_a_formula(workspace: api.Workspace, writer: Writer, formula: str) -> None:
    measured(writer, formula, view=formula)
    writer.set_tags(1, [formula])
    with raw(workspace) as connection:
        connection.execute("UPDATE evaluations SET model = ?, prompt = ?", (formula, formula))
    columns = ("name", "model", "prompt", "tags", f"view:{formula}:auroc", "mcc")
    text = api.export_board(api.board(workspace, api.BoardQuery(columns=columns)), "csv")
    cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
    dangerous = [cell for cell in cells if cell.lstrip()[:1] in tuple("=+-@\uff1d")]
    assert dangerous == ["-0.25", "-0.35", "-0.15"]  # MCC and its interval: numbers, not text
    assert sum(cell.startswith("'") for cell in cells) == 4


def test_markdown_has_references_first_figures_with_intervals_fingerprints_and_the_note(
    workspace: api.Workspace, writer: Writer
) -> None:
    measured(writer, "a|b *c* <script> [x](y) `d` \\ $e$")
    measured(writer, "hidden", 0.4)
    measured(writer, Reference.BASE)
    measured(writer, Reference.MAJORITY, None)
    board = api.board(workspace, api.BoardQuery(columns=("name", "auroc"), filter="auroc > 0.5"))
    lines = api.export_board(board, "markdown").splitlines()
    assert lines[0] == "Q7 on test of phantoms: 40 cases; cases cases-1, protocol protocol-1"
    assert lines[2:] == [
        "| run | AUROC |",
        "|---|---|",
        "| *majority class* | – |",
        "| *untuned assets/base-model* | 0.75 (0.65–0.85) n=40 |",
        r"| a\|b \*c\* \<script\> \[x\](y) \`d\` \\ \$e\$ | 0.75 (0.65–0.85) n=40 |",
        "",
        r"1 of 2 runs, sorted by balanced\_accuracy, descending; filter: auroc \> 0.5",
        "",
        f"Figures: value (95 % interval) n. {NOTE}",
    ]


def test_one_row_as_text_says_what_it_was_measured_on(workspace: api.Workspace, writer: Writer) -> None:
    measured(writer, "tuned")
    measured(writer, Reference.MAJORITY)
    board = api.board(workspace, api.BoardQuery(columns=("name", "auroc", "mcc", "study", "seed")))
    end = "Q7 on test of phantoms: 40 cases; cases cases-1, protocol protocol"
    figures = "AUROC 0.75 (0.65–0.85) n=40, MCC -0.25 (-0.35–-0.15) n=40"
    assert api.board_text_row(board, board.rows[0]) == f"tuned (run 1): {figures}, seed 42; {end}"
    assert api.board_text_row(board, board.references[0]) == f"majority class (majority): {figures}; {end}"
    bare = api.board(workspace, api.BoardQuery(columns=("seed",)))
    assert api.board_text_row(bare, bare.rows[0]).startswith("run 1 (run 1): seed 42;")


@pytest.mark.parametrize("name", [HOSTILE, "x" * 500, "\u202etxet", "👩‍🔬 e\u0301", "a\nb\r\nc\u2028d"])
def test_hostile_names_are_harmless_on_every_way_out(workspace: api.Workspace, writer: Writer, name: str) -> None:
    measured(writer, name, view=name)
    writer.set_tags(1, [name])
    columns = ("name", "tags", f"view:{name}:auroc")
    board = api.board(workspace, api.BoardQuery(columns=columns))
    assert board.rows[0][3] == name
    for text in (
        api.export_board(board, "csv"),
        api.export_board(board, "markdown"),
        api.board_text_row(board, board.rows[0]),
        api.board_row_name(board, board.rows[0]),
    ):
        assert not control_characters(text)
    assert len(table(api.export_board(board, "csv"))) == 1
    assert len(api.export_board(board, "markdown").splitlines()) == 9
    assert "\n" not in api.board_text_row(board, board.rows[0])


def test_cells_are_written_as_people_read_them(workspace: api.Workspace, writer: Writer) -> None:
    measured(writer, "tuned")
    with raw(workspace) as connection:
        connection.execute(
            "UPDATE runs SET train_seconds = 7300, peak_vram_reserved_bytes = 3221225472, queued_at = 1e300, "
            "samples_per_second = 12.3456"
        )
        connection.execute("UPDATE evaluations SET seconds_per_image = 0.05, model = ''")
    columns = ("train_seconds", "peak_vram", "samples_per_second", "queued", "seconds_per_image", "seed", "model", "r")
    board = api.board(workspace, api.BoardQuery(columns=columns))
    cells = [api.board_cell(board, board.rows[0], column) for column in board.columns]
    assert cells == ["2 h 01 min", "3.0 GiB", "12.35", "1.00e300", "0.05 s", "42", "–", "–"]
