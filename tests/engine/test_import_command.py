"""`sonotune data import` and `data show` for every kind of source."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path
from typing import Any

import pytest
from cli_helpers import HOSTILE, CommandLine, control_characters
from clinical_data import HEADS, build_clinical, chat_record, sheet_row, write_sheet
from data_helpers import ANSWERS, write_image, write_lines

from engine import api
from engine.data.importers.source import SourceKind, kind_of
from engine.errors import DataError
from engine.store.writer import Writer


@pytest.fixture
def command(tmp_path: Path, capfd: Any) -> CommandLine:
    return CommandLine(tmp_path / "workspace", capfd)


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a.xlsx", b"PK\x03\x04", "sheet"),
        ("a.xls", b"\xd0\xcf\x11\xe0", "sheet"),
        ("a.dat", b"PK\x03\x04", "sheet"),
        ("a.jsonl", b'{"a": 1}', "jsonl"),
        ("a.json", b'\xef\xbb\xbf {"a": 1}\n{"a": 2}', "jsonl"),
        ("a.jsonl", b"broken first line", "jsonl"),
        ("a.json", b" [\n{", "sharegpt"),
        ("a.jsonl", b"[1, 2]", "sharegpt"),
    ],
)
def test_the_kind_of_a_file_is_told_by_how_it_begins(tmp_path: Path, name: str, content: bytes, kind: str) -> None:
    (tmp_path / name).write_bytes(content)
    assert kind_of(tmp_path / name) == kind
    assert kind_of(tmp_path / name, "jsonl") is SourceKind.JSONL


@pytest.mark.parametrize(
    ("name", "asked"), [("pipe.jsonl", "jsonl"), ("gone", "sheet"), ("folder", "jsonl"), ("a.csv", "huggingface")]
)
def test_what_is_asked_for_must_be_there_and_of_its_kind(tmp_path: Path, name: str, asked: str) -> None:
    (tmp_path / "a.csv").write_text("a,b")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe.jsonl")  # opened, it would block for ever
    with pytest.raises(DataError, match="cannot be read"):
        kind_of(tmp_path / name, asked)


@pytest.mark.parametrize("name", ["a.csv", "folder", "gone.xlsx", "pipe.jsonl"])
def test_what_is_nothing_known_is_refused_with_the_way_out(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.csv").write_text("a,b")
    os.mkfifo(tmp_path / "pipe.jsonl")
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError) as caught:
        kind_of(tmp_path / name)
    assert caught.value.next_step
    with pytest.raises(DataError, match="no kind of source"):
        kind_of(tmp_path / name, "zip")


def test_a_sheet_is_imported_mended_and_imported_again(command: CommandLine, tmp_path: Path) -> None:
    data = build_clinical(tmp_path, images=60, sheet_names=True)
    rows = [sheet_row(path, given, by_hand=True) for path, given in data.answers.items()]
    rows[5][1] = "gone.png"
    rows[6][1] = "gone too.png"
    write_sheet(data.sheet, [HEADS, *rows])
    words = ("data", "import", str(data.sheet), "--images", str(data.root))
    done = command(*words)
    assert done.code == 0
    assert "annotations (sheet): 58 images, 2 problems" in done.out
    assert "left out 2: the image file is missing" in done.out
    assert "forgiven" in done.out
    assert "missing extension" in done.out
    rows[5] = sheet_row(list(data.answers)[5], data.answers[list(data.answers)[5]])
    write_sheet(data.sheet, [HEADS, *rows])
    done = command(*words)
    assert done.code == 0
    assert "1 entry mended, 1 still rejected; images: 1 added" in done.out
    summary = command("data", "show", "annotations", "--json").json
    assert summary["report"]["changes"] == {
        "mended": 1, "still": 1, "new": 0, "added": 1, "removed": 0, "changed": 0,
    }  # fmt: skip
    assert summary["record"]["images"] == 59


def test_a_dataset_that_runs_belong_to_is_not_replaced_unasked(command: CommandLine, tmp_path: Path) -> None:
    data = build_clinical(tmp_path, images=40)
    words = ("data", "import", str(data.sheet), "--images", str(data.root), "--name", "x")
    assert command(*words).code == 0
    record = command("data", "show", "x", "--json").json["record"]
    workspace = api.Workspace(command.folder)
    with Writer.open(workspace) as writer:
        prints = (record["fingerprint"], record["split_fingerprint"])
        writer.create_run("baseline", "{}", "x", *prints, "assets/base-model", 42)
    assert command(*words).code == 0  # the same content is no change
    rows = [sheet_row(path, given) for path, given in data.answers.items()]
    write_sheet(data.sheet, [HEADS, *rows[1:]])
    done = command(*words)
    assert done.code == 1
    assert "1 run or evaluations belong to it" in done.err
    assert "--replace" in done.err
    assert command("data", "show", "x", "--json").json["record"] == record
    assert command(*words, "--replace").code == 0


def test_problems_and_tolerances_are_lists_for_people_and_programs(command: CommandLine, tmp_path: Path) -> None:
    path = write_image(tmp_path / "root", "NT-View/NT-View_001.png")
    lines = [
        json.dumps(chat_record("nt view/NT-View 1.jpg", "Q7", ANSWERS["Q7"])),
        json.dumps(chat_record(f"NT-View/{HOSTILE}.png", "Q7", "x")),
        json.dumps(chat_record("=cmd/x.png", "Q7", "x")),
    ]
    file = write_lines(tmp_path / "x.jsonl", lines)
    assert command("data", "import", str(file), "--images", str(tmp_path / "root")).code == 0
    done = command("data", "show", "x", "--problems", "--csv")
    assert not control_characters(done.out.replace("\r\n", "\n"))
    rows = list(csv.DictReader(io.StringIO(done.out)))
    assert [row["source"] for row in rows] == ["x.jsonl:3", "x.jsonl:2"]
    assert rows[0]["item"] == "'=cmd/x.png"  # no formula for whoever opens it
    assert {row["reason"] for row in rows} == {"the image file is missing"}
    problems = command("data", "show", "x", "--problems", "--json").json
    assert [problem["item"] for problem in problems] == ["=cmd/x.png", f"NT-View/{HOSTILE}.png"]
    listed = command("data", "show", "x", "--problems").out
    assert not control_characters(listed)
    assert "x.jsonl:3: =cmd/x.png: the image file is missing" in listed
    forgiven = command("data", "show", "x", "--tolerances", "--json").json
    assert {(each["kind"], each["found"]) for each in forgiven} == {
        ("letter case", "NT-View"),
        ("spaces, underscores or hyphens", "NT-View"),
        ("other extension", path.partition("/")[2]),
        ("spaces, underscores or hyphens", path.partition("/")[2]),
        ("leading zeros", path.partition("/")[2]),
    }
    assert "x.jsonl:1: letter case: nt view: NT-View: 1" in command("data", "show", "x", "--tolerances").out


@pytest.mark.parametrize("words", [("--problems",), ("x", "--csv"), ("x", "--problems", "--tolerances")])
def test_lists_that_make_no_sense_are_refused(command: CommandLine, words: tuple[str, ...]) -> None:
    command.folder.mkdir()
    assert command("data", "show", *words).code == 2


def test_the_users_split_and_the_kind_are_options(command: CommandLine, tmp_path: Path) -> None:
    data = build_clinical(tmp_path, images=40)
    paths = sorted(data.answers)
    split = tmp_path / "split.csv"
    split.write_text(
        "path,split\n" + "\n".join(f"{path},{'test' if n < 10 else 'train'}" for n, path in enumerate(paths[:30]))
    )
    words = (
        "data",
        "import",
        str(data.jsonl),
        "--images",
        str(data.root),
        "--kind",
        "jsonl",
        "--split-file",
        str(split),
    )
    done = command(*words)
    assert done.code == 1
    assert "10 images are not named" in done.err
    summary = command(*words, "--split-rest", "train", "--json").json
    totals: dict[str, int] = {}
    for count in summary["counts"]:
        seen = sum(count[each] for each in ("normal", "abnormal", "unclear", "unparseable", "unanswered"))
        totals[count["split"]] = totals.get(count["split"], 0) + seen
    assert totals == {"test": 10, "train": 30}
    assert command("data", "import", str(data.jsonl), "--kind", "zip").code == 1
    assert command("data", "import", str(data.jsonl), "--sheet", "A").code == 1


def test_a_name_is_made_from_whatever_the_source_is_called(tmp_path: Path) -> None:
    from engine.api.datasets import default_name

    assert default_name(Path("Annotations (final) v2.xlsx")) == "Annotations-final-v2"
    assert default_name(Path("fetal_2026.v2.xlsx")) == "fetal_2026.v2"
    assert default_name(Path("日本.jsonl")) == "dataset"
    (tmp_path / "my set").mkdir()
    assert default_name(tmp_path / "my set") == "my-set"
