"""`sonotune data answers`: what became of every answer, on a terminal, as JSON and as CSV."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from cli_helpers import HOSTILE, CommandLine, control_characters
from clinical_data import build_clinical
from data_helpers import ANSWERS, eight_lines, write_image, write_lines

from engine import api
from engine.errors import DataError, UsageError
from engine.questions.normalise.layers import NORMALISATION_VERSION, Layer
from engine.types import QUESTION_IDS
from engine.workspace import Workspace

FORMULA = '=HYPERLINK("http://evil.example","x")'
UNREAD = "2013-08-15 00:00:00"
RESEARCH = "Research only, not for clinical use."


@pytest.fixture(scope="module")
def clinical(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    folder = tmp_path_factory.mktemp("clinical")
    built = build_clinical(folder, 140)
    workspace = Workspace(folder / "workspace")
    workspace.root.mkdir()
    api.import_source(workspace, built.sheet, name="fetal", images=built.root)
    return workspace


@pytest.fixture
def command(clinical: Workspace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    monkeypatch.setenv("COLUMNS", "80")
    return CommandLine(clinical.root, capsys)


@pytest.fixture
def odd(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """Answers that are broken, hostile or long, in the minority."""
    monkeypatch.setenv("COLUMNS", "80")
    workspace, lines = Workspace(tmp_path / "workspace"), []
    workspace.root.mkdir()
    changes = ({"Q5": UNREAD}, {"Q8": FORMULA}, {"Q3": HOSTILE}, {"Q1": "liver, zzyzx, " + "aorta, " * 60}, {}, {}, {})
    for number, changed in enumerate(changes):
        path = write_image(tmp_path / "images", f"Abdomen/Abdomen_{number:03d}.png")
        lines += eight_lines(path, **changed)
    api.import_chat_file(workspace, "odd", write_lines(tmp_path / "odd.jsonl", lines), tmp_path / "images")
    return CommandLine(workspace.root, capsys)


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_every_distinct_answer_is_there_with_its_count_and_what_changed_it(clinical: Workspace) -> None:
    table = api.normalised_answers(clinical, "fetal")
    assert (table.version, table.layers) == (NORMALISATION_VERSION, tuple(Layer))
    assert table.distinct == len(table.rows) == len({(row.question, row.raw) for row in table.rows})
    for question in QUESTION_IDS:
        assert sum(row.images for row in table.rows if row.question == question) == 140
    rows = {row.raw: row for row in table.rows}
    assert (rows["Trans-thalamic veiw"].canonical, rows["Trans-thalamic veiw"].layers) == (
        "transthalamic plane",
        ("text", "spelling", "meaning"),
    )
    assert rows["20 - 25  weeks."].canonical == rows["20-25 weeks"].canonical == "20-25"
    assert table.left_alone == sum(row.left_alone for row in table.rows)


def test_layers_that_are_off_change_nothing(clinical: Workspace) -> None:
    table = api.normalised_answers(clinical, "fetal", ["Q3"], layers=frozenset({Layer.TEXT, Layer.SPELLING}))
    rows = {row.raw: row for row in table.rows}
    assert set(rows) >= {"Trans-thalamic veiw"}
    assert (rows["Trans-thalamic veiw"].canonical, rows["Trans-thalamic veiw"].layers) == (
        "trans-thalamic view",
        ("text", "spelling"),
    )
    text = api.normalised_answers(clinical, "fetal", ["Q3"], layers=frozenset({Layer.TEXT}))
    assert {row.canonical for row in text.rows} >= {"trans-thalamic veiw"}
    assert {layer for row in text.rows for layer in row.layers} == {"text"}
    raw = api.normalised_answers(clinical, "fetal", ["Q3"], layers=frozenset())
    assert all(row.canonical == row.raw and row.layers == () for row in raw.rows)


def test_what_was_left_alone_comes_first_with_the_reason(odd: CommandLine) -> None:
    done = odd("data", "answers", "odd", "--json")
    assert done.code == 0, done.err
    for question in ("Q3", "Q5"):
        rows = [row for row in done.json["rows"] if row["question"] == question]
        assert [row["left_alone"] for row in rows] == [True, False], question
        assert rows[0]["reason"]
        assert rows[0]["images"] < rows[1]["images"]
    (listed,) = [row for row in done.json["rows"] if row["raw"].startswith("liver, zzyzx")]
    assert not listed["left_alone"]
    assert "zzyzx" in listed["reason"]
    alone = odd("data", "answers", "odd", "--left-alone", "--json").json
    assert all(row["left_alone"] for row in alone["rows"])
    assert (len(alone["rows"]), alone["distinct"]) == (done.json["left_alone"], done.json["distinct"])
    assert done.json["note"] == RESEARCH


def test_the_table_fits_80_columns_and_lets_no_answer_steer_the_terminal(odd: CommandLine) -> None:
    done = odd("data", "answers", "odd")
    assert done.code == 0, done.err
    for words in (
        f"Normalisation version {NORMALISATION_VERSION}; layers: text, spelling, meaning.",
        "! left alone:",
        UNREAD[:10],
        RESEARCH,
    ):
        assert words in done.out, words
    assert max(map(len, done.out.splitlines())) <= 80
    assert not control_characters(done.out)
    assert "aorta, " * 30 not in done.out


def test_a_limit_is_said_and_lifted(command: CommandLine) -> None:
    short = command("data", "answers", "fetal", "--question", "q3", "--limit", "1")
    assert "Q3: 3 more; --limit 0 shows all" in short.err
    whole = command("data", "answers", "fetal", "--question", "Q3", "--limit", "0")
    assert not whole.err
    assert len(whole.out.splitlines()) > len(short.out.splitlines())
    assert "Q4" not in whole.out


def test_csv_is_safe_in_a_spreadsheet_complete_and_says_what_it_is_of(odd: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "answers.csv"
    done = odd("data", "answers", "odd", "--layers", "text,meaning", "--csv", str(file))
    assert done.code == 0, done.err
    text = file.read_text(encoding="utf-8")
    assert not control_characters(text)
    rows = rows_of(text)
    table = api.normalised_answers(Workspace(odd.folder), "odd", layers=frozenset({Layer.TEXT, Layer.MEANING}))
    assert [row["question"] for row in rows] == [row.question for row in table.rows]
    assert [int(row["images"]) for row in rows] == [row.images for row in table.rows]
    assert f"'{FORMULA}" in [row["answer"] for row in rows]
    assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "-", "@"))]
    ends = {(row["dataset"], row["layers"], row["normalisation_version"], row["note"]) for row in rows}
    assert ends == {("odd", "text+meaning", str(NORMALISATION_VERSION), RESEARCH)}
    (unread,) = [row for row in rows if row["answer"] == UNREAD]
    assert (unread["left_alone"], bool(unread["reason"])) == ("yes", True)
    again = odd("data", "answers", "odd", "--csv", str(file))
    assert (again.code, "is there already" in again.err) == (2, True)
    assert file.read_text(encoding="utf-8") == text
    assert rows_of(odd("data", "answers", "odd", "--csv", "-").out)


def test_what_does_not_exist_is_named(command: CommandLine) -> None:
    for words, code, reason in (
        (("fetal", "--question", "Q9"), 2, "no question Q9"),
        (("fetal", "--layers", "grammar"), 2, "no layer of normalisation grammar"),
        (("nowhere",), 1, "nowhere"),
        (("fetal", "--csv", "-", "--json"), 2, "exclude each other"),
    ):
        done = command("data", "answers", *words)
        assert done.code == code, (words, done.err)
        assert reason in done.err
    with pytest.raises(UsageError):
        api.normalised_answers(Workspace(command.folder), "fetal", ["report"])
    with pytest.raises(DataError):
        api.normalised_answers(Workspace(command.folder), "nowhere")


def test_answers_that_a_question_lacks_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    workspace = Workspace(tmp_path / "workspace")
    workspace.root.mkdir()
    path = write_image(tmp_path / "images", "Femur/Femur_000.png")
    lines = [line for line in eight_lines(path) if ANSWERS["Q8"] not in line]
    api.import_chat_file(workspace, "few", write_lines(tmp_path / "f.jsonl", lines), tmp_path / "images")
    done = CommandLine(workspace.root, capsys)("data", "answers", "few")
    assert done.code == 0, done.err
    assert "Q8: none." in done.out
