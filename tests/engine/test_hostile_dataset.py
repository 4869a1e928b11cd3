"""A data file that means harm, through the command line: what is usable comes in, all else is listed, nothing leaks."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from cli_helpers import HOSTILE, CommandLine, control_characters
from data_helpers import ABNORMAL, ANSWERS, chat_line, eight_lines, png_bytes, write_image, write_lines

from engine.data.manifest import open_dataset
from engine.store.reader import Reader
from engine.types import QUESTION_IDS
from engine.workspace import Workspace

LONG_ANSWER = "Normal for gestational age. " * 400
ESCAPED_VIEW = "\x1b[31mred\u202e"
CONFIDENTIAL = "patient 4711, not to be read"

REASONS = {
    "Femur/missing.png": "the image file is missing",
    "Femur/truncated.png": "truncated PNG: its end is missing",
    "Femur/empty.png": "the image file is empty (zero bytes)",
    "Femur/text.png": "neither PNG nor JPEG",
    "Femur/flipped.png": "damaged PNG: wrong checksum in chunk at byte",
    "../../etc/passwd": "the path leaves the image root (..)",
    "Femur/../../secret.png": "the path leaves the image root (..)",
    "..\\..\\secret.png": "the path leaves the image root (..)",
    "/etc/passwd": "absolute path; image paths are relative to the image root",
    "C:\\secret.png": "absolute path; image paths are relative to the image root",
    "Femur/link.png": "a link leads out of the image root",
    "Femur/folder.png": "not a regular file",
    "Femur/pipe.png": "not a regular file",
    "no_view.png": "the image lies in no view folder",
    "Femur/NUL\0.png": "the image path holds a NUL byte",
}
"""Image path as the file writes it, and the beginning of the reason why it is left out."""


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """The JSONL file; the images lie in `root` beside it, and a secret beside that."""
    assert len(LONG_ANSWER) > 10_000
    root = tmp_path / "root"
    lines: list[str | bytes] = []
    for number in range(20):
        path = write_image(root, f"Femur/good_{number:02d}.png")
        lines += eight_lines(path, **({"Q7": ABNORMAL} if number % 4 == 0 else {}))
    lines += eight_lines(write_image(root, "Femur/long.png"), Q1=LONG_ANSWER, Q7=LONG_ANSWER)
    lines += eight_lines(write_image(root, f"{ESCAPED_VIEW}/escaped.png"), Q1=HOSTILE, Q7=f"Normal {HOSTILE}")
    lines += bad_images(tmp_path, root)
    lines += [
        chat_line(write_image(root, "Femur/columns.png"), **{HOSTILE: 1, "patient_name": "x", "__proto__": {}}),
        '{"messages": [',
        "",
        "[1, 2, 3]",
        b"\xff\xfe\x00broken bytes",
        "[" * 100_000,
        f'{{"images": ["Femur/{HOSTILE.encode("unicode_escape").decode()}',
        json.dumps({"messages": "none", "images": ["Femur/good_01.png"]}),
        json.dumps({"images": ["Femur/good_01.png"]}),
        chat_line("Femur/good_00.png", "Q7", "Another answer than before"),
        chat_line("Femur/good_02.png", "Q7", "   "),
        chat_line("Femur/good_02.png", "Q7", 42),
        chat_line(["Femur/good_03.png"]),
        chat_line(f"Femur/{HOSTILE}.png"),
        json.dumps({"messages": [{"role": "user", "content": HOSTILE}], "images": ["Femur/good_04.png"]}),
    ]
    return write_lines(tmp_path / "hostile.jsonl", lines)


def bad_images(base: Path, root: Path) -> list[str]:
    whole = png_bytes(99)
    (base / "secret.png").write_bytes(png_bytes(77) + CONFIDENTIAL.encode())
    write_image(root, "Femur/truncated.png", whole[:-30])
    write_image(root, "Femur/empty.png", b"")
    write_image(root, "Femur/text.png", HOSTILE.encode())
    write_image(root, "Femur/flipped.png", whole[:60] + bytes([whole[60] ^ 255]) + whole[61:])
    (root / "Femur" / "link.png").symlink_to(base / "secret.png")
    (root / "Femur" / "folder.png").mkdir()
    os.mkfifo(root / "Femur" / "pipe.png")
    write_image(root, "no_view.png")
    names = ("missing", "truncated", "empty", "text", "flipped", "link", "folder", "pipe")
    paths = [f"Femur/{name}.png" for name in names]
    paths += ["../../etc/passwd", "Femur/../../secret.png", "..\\..\\secret.png", "/etc/passwd", "C:\\secret.png"]
    paths += ["no_view.png", "Femur/NUL\0.png"]
    return [line for path in paths for line in eight_lines(path)]


@pytest.fixture
def command(tmp_path: Path, capfd: Any) -> CommandLine:
    return CommandLine(tmp_path / "workspace", capfd)


def run_import(command: CommandLine, file: Path, *words: str) -> Any:
    return command("data", "import", str(file), "--images", str(file.parent / "root"), "--name", "fetal", *words)


def test_what_is_usable_comes_in_and_all_else_is_listed_with_its_reason(command: CommandLine, hostile: Path) -> None:
    done = run_import(command, hostile, "--json")
    assert done.code == 0, done.err
    summary = done.json
    problems = summary["problems"]
    assert summary["record"]["images"] == 23  # 20 good ones, long.png, escaped.png, columns.png
    assert summary["record"]["problems"] == len(problems)
    assert sum(normal_and_others(count) for count in summary["counts"]) == 23
    for item, reason in REASONS.items():
        found = {each["reason"] for each in problems if each["item"] == item}
        assert len(found) == 1, item
        assert found.pop().startswith(reason), item
    reasons = Counter(each["reason"].split(":")[0] for each in problems)
    assert reasons["invalid JSON"] == 3
    assert reasons["not a JSON object"] == 1
    assert reasons["not UTF-8 (byte 1 of the line)"] == 1
    assert reasons["no list of messages"] == 2
    assert reasons["no answer to Q7"] == 2
    assert reasons["unknown question"] == 1
    assert reasons["the image path is not text"] == 1
    assert any("2 different answers to Q7" in each["reason"] for each in problems)
    assert all(each["source"].startswith("hostile.jsonl:") for each in problems)


def normal_and_others(count: dict[str, Any]) -> int:
    return sum(count[name] for name in ("normal", "abnormal", "unclear", "unparseable", "unanswered"))


def test_unknown_columns_are_counted_and_ignored(command: CommandLine, hostile: Path) -> None:
    options = run_import(command, hostile, "--json").json["record"]["options"]
    assert options["unknown_keys"] == {HOSTILE: 1, "patient_name": 1, "__proto__": 1}


def test_the_terminal_is_left_in_peace(command: CommandLine, hostile: Path) -> None:
    done = run_import(command, hostile)
    assert done.code == 0
    assert "23 images" in done.out
    assert not control_characters(done.out + done.err)
    for words in (["show"], ["show", "fetal"], ["show", "fetal", "--json"], ["check", "fetal"]):
        shown = command("data", *words)
        assert shown.code == 0, shown.err
        assert not control_characters(shown.out + shown.err)
    assert "left out" in command("data", "show", "fetal").out


def test_answers_are_kept_as_they_are(command: CommandLine, hostile: Path) -> None:
    assert run_import(command, hostile).code == 0
    cases = {case.path: case for case in open_dataset(Workspace(command.folder), "fetal").cases()}
    assert cases["Femur/long.png"].answers["Q7"] == LONG_ANSWER
    assert cases[f"{ESCAPED_VIEW}/escaped.png"].answers["Q1"] == HOSTILE
    assert "Q7" not in cases["Femur/good_00.png"].answers  # two lines disagree: neither is believed
    assert cases["Femur/good_02.png"].answers == ANSWERS  # lines without an answer take nothing away
    assert set(cases["Femur/good_01.png"].answers) == set(QUESTION_IDS)


def test_the_records_say_why_each_image_was_left_out(command: CommandLine, hostile: Path) -> None:
    assert run_import(command, hostile).code == 0
    with Reader(Workspace(command.folder)) as reader:
        rows = reader.images("fetal")
    assert sum(row.problem is None for row in rows) == 23
    assert {row.path: row.problem for row in rows}["Femur/truncated.png"] == REASONS["Femur/truncated.png"]


_opened: list[str] = []
"""Resolved paths of the files that this process has opened while it was watched (the interpreter's audit events)."""
_watching: list[bool] = []


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if _watching and event == "open" and isinstance(arguments[0], (str, bytes, os.PathLike)):
        _opened.append(os.path.realpath(os.fsdecode(arguments[0])))


sys.addaudithook(_audit)  # there is no way to take it back; it does nothing while nobody watches


def test_nothing_outside_the_root_is_read(command: CommandLine, hostile: Path) -> None:
    _opened.clear()
    _watching.append(True)
    try:
        assert run_import(command, hostile).code == 0
    finally:
        _watching.clear()
    root = hostile.parent / "root"
    assert str(root / "Femur" / "good_00.png") in _opened
    assert str(hostile) in _opened
    assert not [path for path in _opened if path.startswith("/etc/passwd") or "secret" in path]
    assert not [path for path in _opened if path.endswith("pipe.png")]
    written = b"".join(file.read_bytes() for file in command.folder.rglob("*") if file.is_file())
    assert CONFIDENTIAL.encode() not in written
    assert b"root:x:0" not in written


def test_a_file_with_nothing_usable_fails_and_leaves_the_dataset_alone(command: CommandLine, hostile: Path) -> None:
    assert run_import(command, hostile).code == 0
    dataset = command.folder / "datasets" / "fetal"
    before = {file.name: file.read_bytes() for file in dataset.iterdir()}
    useless = write_lines(hostile.parent / "useless.jsonl", [chat_line(f"../{HOSTILE}"), "{", *eight_lines("a/b.png")])
    for words in ([], ["--replace"], ["--json"]):
        done = run_import(command, useless, *words)
        assert done.code == 1
        assert done.out == ""
        assert "Nothing usable was found" in done.err
        assert "the path leaves the image root" in done.err
        assert not control_characters(done.err)
        assert {file.name: file.read_bytes() for file in dataset.iterdir()} == before
    with Reader(Workspace(command.folder)) as reader:
        assert reader.dataset("fetal") is not None


def test_a_useless_first_file_leaves_no_dataset(command: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    for content in (b"", b"\n\n", b"\0" * 5000, b"{}\n" * 100):
        file = tmp_path / "useless.jsonl"
        file.write_bytes(content)
        done = run_import(command, file)
        assert done.code == 1
        assert "Nothing usable was found" in done.err
    assert command("data", "show", "--json").json == []


def test_other_content_needs_replace(command: CommandLine, hostile: Path) -> None:
    assert run_import(command, hostile).code == 0
    other = write_lines(hostile.parent / "other.jsonl", eight_lines("Femur/good_01.png"))
    done = run_import(command, other)
    assert done.code == 1
    assert "--replace" in done.err
    assert command("data", "show", "fetal", "--json").json["record"]["images"] == 23
    assert run_import(command, other, "--replace").code == 0
    assert command("data", "show", "fetal", "--json").json["record"]["images"] == 1


def test_a_root_that_is_no_folder_is_a_failure(command: CommandLine, hostile: Path) -> None:
    done = command("data", "import", str(hostile), "--images", str(hostile))
    assert done.code == 1
    assert "is no folder" in done.err
