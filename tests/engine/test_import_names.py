"""Names that people write by hand, and the files that they mean."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from data_helpers import chat_line, write_image, write_lines
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data.importers.disk import EXACT, DiskIndex, match_all
from engine.data.importers.jsonl import import_chat_lines
from engine.data.importers.naming import differences, file_key, loose_key, name_key, split_extension
from engine.data.importers.report import read_report
from engine.data.importers.request import SourceOptions
from engine.data.manifest import open_dataset
from engine.data.paths import Finder, RejectedError, locate
from engine.workspace import Workspace

WORDS = st.text(st.sampled_from("abcXYZ019"), min_size=1, max_size=4)
GAPS = st.sampled_from((" ", "_", "-", "  ", "__", " _", "\u2013"))


@pytest.mark.parametrize(
    ("said", "found", "kinds"),
    [
        ("Femur_001.png", "Femur_001.png", []),
        ("Femur 001.png", "Femur_001.png", ["spaces, underscores or hyphens"]),
        ("femur_001.PNG", "Femur_001.png", ["letter case"]),
        ("Femur_001", "Femur_001.png", ["missing extension"]),
        ("Femur_001.jpeg", "Femur_001.jpg", ["other extension"]),
        ("Femur_1.png", "Femur_001.png", ["leading zeros"]),
        (" Femur_001.png", "Femur_001.png", ["spaces around the name"]),
        ("Femur__001.png", "Femur_001.png", ["repeated spaces"]),
        ("Caf\u0065\u0301.png", "Caf\u00e9.png", ["Unicode form"]),
        ("femur  1", "Femur_01.JPG", [
            "missing extension", "letter case", "repeated spaces", "spaces, underscores or hyphens", "leading zeros",
        ]),
    ],
)  # fmt: skip
def test_each_difference_has_its_name(said: str, found: str, kinds: list[str]) -> None:
    assert differences(said, found, is_file=True) == kinds


@given(st.lists(WORDS, min_size=1, max_size=4), st.data())
@settings(max_examples=80)
def test_separators_and_case_never_change_a_key(words: list[str], data: st.DataObject) -> None:
    gaps = [data.draw(GAPS) for _ in words]
    other = "".join(word.swapcase() + gap for word, gap in zip(words, gaps, strict=True)).rstrip(" _-\u2013")
    assert name_key(other) == name_key("_".join(words))


@given(st.integers(0, 999), st.integers(0, 4))
def test_loose_keys_differ_only_where_numbers_do(number: int, zeros: int) -> None:
    assert loose_key(f"Femur_{'0' * zeros}{number}") == f"femur_{number}"
    assert loose_key(f"Femur_{number}") != loose_key(f"Femur_{number + 1}")


def test_extensions_are_those_of_images_alone() -> None:
    assert split_extension("a.b.PNG") == ("a.b", ".PNG")
    assert split_extension("scan 1.2") == ("scan 1.2", "")
    assert file_key("A b.PNG") == "a_b.png"


def test_the_strictest_match_wins_and_equal_ones_are_refused(tmp_path: Path) -> None:
    for path in ("V/a_1.png", "V/A_1.png", "V/b_1.jpg", "V/b_1.png", "V/c_01.png", "V/c_001.png", "V/d_01.png"):
        write_image(tmp_path, path)
    index = DiskIndex(tmp_path)
    assert index.match("V/a_1.png").path == "V/a_1.png"
    assert index.match("v/A-1.png").fault == "2 files fit this name: A_1.png, a_1.png"
    assert index.match("V/B 1.png").path == "V/b_1.png"  # its own extension before another
    assert index.match("V/B 1").fault == "2 files fit this name: b_1.jpg, b_1.png"
    assert index.match("V/c_1.png").fault == "2 files fit this name: c_001.png, c_01.png"
    assert index.match("V/d_0001.png").path == "V/d_01.png"
    assert index.match("V/none.png").path == "V/none.png"
    assert index.match("V/none.png").differences == ()


def test_folders_are_found_as_files_are(tmp_path: Path) -> None:
    for path in ("NT-View/a.png", "A b/1.png", "A_b/1.png"):
        write_image(tmp_path, path)
    index = DiskIndex(tmp_path)
    found = index.match("nt view/a.png")
    assert found.path == "NT-View/a.png"
    assert {kind for kind, _, _ in found.differences} == {"letter case", "spaces, underscores or hyphens"}
    assert index.match("a-b/1.png").fault == "2 folders fit 'a-b': A b, A_b"
    assert index.match("A b/1.png").level == EXACT


def test_a_path_that_begins_with_the_image_folder_is_understood(tmp_path: Path) -> None:
    root = tmp_path / "Fetal Ultrasound"
    write_image(root, "Femur/1.png")
    found = DiskIndex(root).match("fetal_ultrasound/Femur/1.png")
    assert found.path == "Femur/1.png"
    assert found.differences == (("name of the image folder in front", "fetal_ultrasound", ""),)


def test_nothing_outside_the_root_is_listed(tmp_path: Path) -> None:
    write_image(tmp_path, "outside/Femur/secret_1.png")
    root = tmp_path / "root"
    write_image(root, "Femur/1.png")
    (root / "Link").symlink_to(tmp_path / "outside" / "Femur")
    index = DiskIndex(root)
    assert index.match("Link/SECRET 1.png").path == "Link/SECRET 1.png"
    assert list(index.unnamed(["Femur/1.png", "Link/secret_1.png"])) == []


def test_two_names_of_one_file_are_taken_together(tmp_path: Path) -> None:
    write_image(tmp_path, "V/a_1.png")
    matches = match_all(DiskIndex(tmp_path), ["V/A 1.png", "V/a-1.png", "V/a_1.jpg"])
    assert [match.path for match in matches.values() if match.fault is None] == ["V/a_1.png", "V/a_1.png"]
    assert "another row names better" in str(matches["V/a_1.jpg"].fault)


def test_names_that_are_no_utf8_are_not_taken_for_anything(tmp_path: Path) -> None:
    write_image(tmp_path, "V/a.png")
    (tmp_path / "V" / os.fsdecode(b"b\xff.png")).write_bytes(b"x")
    index = DiskIndex(tmp_path)
    assert index.match("V/b.png").path == "V/b.png"
    assert list(index.unnamed(["V/a.png"])) == []


def test_chat_lines_are_as_tolerant_and_report_it(tmp_path: Path) -> None:
    write_image(tmp_path / "root", "NT-View/NT-View_001.png")
    lines = [
        chat_line("nt view/NT-View 001.JPG", "Q7", "Normal"),
        chat_line("NT-View/NT-View_001.jpg", "Q6", "Good"),
        chat_line("NT-View\\NT-View_002.png", "Q6", "Good"),
    ]
    workspace = Workspace(tmp_path / "workspace")
    file = write_lines(tmp_path / "x.jsonl", lines)
    record = import_chat_lines(workspace, "x", file, tmp_path / "root", SourceOptions())
    dataset = open_dataset(workspace, "x")
    (case,) = dataset.cases()
    assert (case.path, case.view) == ("NT-View/NT-View_001.png", "NT-View")
    assert dict(case.answers) == {"Q6": "Good", "Q7": "Normal"}
    assert [(problem.source, problem.reason) for problem in dataset.problems] == [
        ("x.jsonl:3", "the image file is missing")
    ]
    told = read_report(dataset.folder, record.fingerprint).tolerances
    assert {(each.kind, each.said, each.source) for each in told} == {
        ("letter case", "nt view", "x.jsonl:1"),
        ("spaces, underscores or hyphens", "nt view", "x.jsonl:1"),
        ("other extension", "NT-View 001.JPG", "x.jsonl:1"),
        ("spaces, underscores or hyphens", "NT-View 001.JPG", "x.jsonl:1"),
        ("other extension", "NT-View_001.jpg", "x.jsonl:2"),
    }


def test_the_quick_finder_says_what_the_careful_one_says(tmp_path: Path) -> None:
    root = tmp_path / "root"
    write_image(root, "V/a.png")
    write_image(tmp_path, "out/secret.png")
    (root / "V" / "inside.png").symlink_to(root / "V" / "a.png")
    (root / "V" / "outside.png").symlink_to(tmp_path / "out" / "secret.png")
    (root / "Out").symlink_to(tmp_path / "out")
    (root / "V" / "folder.png").mkdir()
    os.mkfifo(root / "V" / "pipe.png")
    finder = Finder(root)

    def both(path: str) -> tuple[object, object]:
        answers: list[object] = []
        for look in (lambda: finder.find(path)[0], lambda: locate(root, path)):
            try:
                answers.append(look())
            except RejectedError as rejected:
                answers.append(rejected.reason)
        return answers[0], answers[1]

    paths = ["V/a.png", "V/inside.png", "V/outside.png", "Out/secret.png", "V/folder.png", "V/pipe.png", "V/gone.png"]
    for path in [*paths, "None/a.png", "V/a.png/b.png", "V/" + "n" * 300, "a\0.png"]:
        quick, careful = both(path)
        assert quick == careful
    assert both("Out/secret.png")[0] == "a link leads out of the image root"
    assert both("V/inside.png")[0] == (root / "V" / "a.png").resolve()
