"""The user's own split."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from clinical_data import build_clinical
from data_helpers import ANSWERS, eight_lines, png_bytes, write_image, write_lines
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data.importers.jsonl import import_chat_lines
from engine.data.importers.report import Tolerances, read_report
from engine.data.importers.request import SourceOptions
from engine.data.importers.sheet import import_sheet
from engine.data.importers.split_file import read_split_file
from engine.data.manifest import open_dataset
from engine.errors import DataError
from engine.types import Split
from engine.workspace import Workspace

PATHS = ["Femur/Femur_001.png", "Femur/Femur_002.png", "NT-View/NT-View_001.png", "NT-View/NT-View_002.png"]
MEANT = dict(zip(PATHS, (Split.TRAIN, Split.VALIDATION, Split.TEST, Split.TRAIN), strict=True))


def written(tmp_path: Path, text: str | bytes, name: str = "split.csv") -> Path:
    file = tmp_path / name
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


LINES = [f"{path},{split}" for path, split in MEANT.items()]
BY_SPLIT = {split: [path for path, own in MEANT.items() if own == split] for split in Split}


@pytest.mark.parametrize(
    "text",
    [
        "path,split\n" + "\n".join(LINES),
        "\n".join(LINES) + "\n\n",
        "\ufeffSplit;Image Path\r\n" + "\r\n".join(f"{split};{path}" for path, split in MEANT.items()),
        "path\tsubset\tnote\n" + "\n".join(f"{path}\t{split}\tx" for path, split in MEANT.items()),
        json.dumps(BY_SPLIT),
        json.dumps({"Training": BY_SPLIT["train"], "val": BY_SPLIT["validation"], "TEST": BY_SPLIT["test"]}),
        json.dumps(MEANT),
        json.dumps([{"image": path, "split": split} for path, split in MEANT.items()]),
        "\n".join(f"./{path},{split}" for path, split in MEANT.items()),
        "\n".join(f'"{path}","{split}"' for path, split in MEANT.items()),
    ],
)
def test_every_form_is_read(tmp_path: Path, text: str) -> None:
    tolerances = Tolerances("split.csv")
    assert read_split_file(written(tmp_path, text), PATHS, tolerances=tolerances) == MEANT
    assert tolerances.listed() == []


def test_paths_are_forgiven_and_reported(tmp_path: Path) -> None:
    lines = ["femur/Femur 1,train", "Femur_002.jpg,val", "NT View\\NT-View_001.png,test", "nt-view_2,train", "x/y,test"]
    tolerances = Tolerances("split.csv")
    assert read_split_file(written(tmp_path, "\n".join(lines)), PATHS, tolerances=tolerances) == MEANT
    told = {(each.kind, each.said, each.source) for each in tolerances.listed()}
    assert ("folder missing", "Femur_002.jpg", "split.csv:2") in told
    assert ("other extension", "Femur_002.jpg", "split.csv:2") in told
    assert ("leading zeros", "nt-view_2", "split.csv:4") in told
    assert ("no image of the dataset", "x/y", "split.csv:5") in told
    assert {said for _, said, _ in told} == {line.rsplit(",", 1)[0] for line in lines}


def test_folders_in_front_of_a_path_are_cut_off(tmp_path: Path) -> None:
    lines = [f"/data/me/Fetal Ultrasound/{path},{split}" for path, split in MEANT.items()]
    tolerances = Tolerances("split.csv")
    assert read_split_file(written(tmp_path, "\n".join(lines)), PATHS, tolerances=tolerances) == MEANT
    assert {each.kind for each in tolerances.listed()} == {"folders in front"}


def test_a_bare_name_that_two_folders_have_is_not_guessed(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        read_split_file(written(tmp_path, "001.png,train\nA/001.png,test"), ["A/001.png", "B/001.png"])
    assert "1 images are not named: B/001.png" in caught.value.reason


def test_images_that_are_not_named_are_refused_unless_it_is_said_what_becomes_of_them(tmp_path: Path) -> None:
    file = written(tmp_path, "\n".join(LINES[:3]))
    with pytest.raises(DataError, match="does not fit") as caught:
        read_split_file(file, PATHS)
    assert PATHS[3] in caught.value.reason
    assert "--split-rest" in caught.value.next_step
    assert read_split_file(file, PATHS, rest="train") == MEANT
    assert read_split_file(file, PATHS, rest="leave-out") == {path: MEANT[path] for path in PATHS[:3]}
    with pytest.raises(DataError, match="no choice"):
        read_split_file(file, PATHS, rest="somewhere")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f"{PATHS[0]},train\n{PATHS[0]},test", "stands in train (line 1) and test"),
        (f"{PATHS[0]},holdout", "'holdout' is no split"),
        ("nothing,train", "names no image of the dataset"),
        ("", "names no image of the dataset"),
        ('{"train": [1]}', "no pair of a path and a split"),
        ('["a", "b"]', "no pair of a path and a split"),
        ("{", "invalid JSON"),
        ("just one column", "has 1 columns"),
        (b"\xff\xfe\x00", "not UTF-8"),
    ],
)
def test_what_cannot_be_followed_is_refused_with_the_reason(tmp_path: Path, text: str | bytes, reason: str) -> None:
    with pytest.raises(DataError) as caught:
        read_split_file(written(tmp_path, text), PATHS, rest="train")
    assert reason in caught.value.reason
    with pytest.raises(DataError, match="cannot be read"):
        read_split_file(tmp_path / "none.csv", PATHS)


@given(st.lists(st.sampled_from(list(Split)), min_size=1, max_size=30), st.randoms())
@settings(max_examples=40, deadline=None)
def test_any_split_comes_back_whatever_the_order_of_lines(splits: list[Split], draw: object) -> None:
    meant = {f"V{number % 3}/V_{number:03d}.png": split for number, split in enumerate(splits)}
    lines = [f"{path},{split}" for path, split in meant.items()]
    draw.shuffle(lines)  # type: ignore[attr-defined]
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        assert read_split_file(written(Path(folder), "\n".join(lines)), list(meant)) == meant


def test_an_import_follows_the_file_and_a_second_one_keeps_it(tmp_path: Path) -> None:
    data = build_clinical(tmp_path, images=60)
    meant = {path: list(Split)[number % 3] for number, path in enumerate(sorted(data.answers))}
    file = written(tmp_path, json.dumps(meant), "split.json")
    workspace, options = Workspace(tmp_path / "w"), SourceOptions(split_file=file, measured=lambda _: 0)
    record = import_sheet(workspace, "x", data.sheet, data.root, options)
    assert {case.path: case.split for case in open_dataset(workspace, "x").cases()} == meant
    assert record.options["split_file"] == "split.json"
    again = import_sheet(workspace, "x", data.sheet, data.root, dataclasses.replace(options, split_file=None))
    assert again.split_fingerprint == record.split_fingerprint
    assert again.options["split_file"] == "split.json"


def test_images_left_out_by_the_split_are_told(tmp_path: Path) -> None:
    data = build_clinical(tmp_path, images=60)
    named = sorted(data.answers)[:50]
    file = written(tmp_path, "\n".join(f"{path},train" for path in named))
    workspace = Workspace(tmp_path / "w")
    options = SourceOptions(split_file=file, split_rest="leave-out")
    record = import_sheet(workspace, "x", data.sheet, data.root, options)
    assert record.images == 50
    report = read_report(workspace.dataset("x"), record.fingerprint)
    assert [(each.title, each.count) for each in report.notices] == [
        ("images left out because the split file does not name them", 10)
    ]


def test_one_picture_in_two_splits_is_kept_and_loudly_told(tmp_path: Path) -> None:
    root = tmp_path / "root"
    paths = [write_image(root, f"V/{number}.png", png_bytes(number // 2)) for number in range(6)]
    file = written(tmp_path, "\n".join(f"{path},{'train' if n % 2 else 'test'}" for n, path in enumerate(paths[:4]))
                   + f"\n{paths[4]},train\n{paths[5]},train")  # fmt: skip
    lines = [line for path in paths for line in eight_lines(path, **ANSWERS)]
    workspace = Workspace(tmp_path / "w")
    chat = write_lines(tmp_path / "x.jsonl", lines)
    record = import_chat_lines(workspace, "x", chat, root, SourceOptions(split_file=file))
    dataset = open_dataset(workspace, "x")
    assert record.images == 6
    assert [(problem.item, "in more than one split" in problem.reason) for problem in dataset.problems] == [
        ("V/0.png", True),
        ("V/2.png", True),
    ]
    assert "V/0.png in test, V/1.png in train" in dataset.problems[0].reason
    (loud,) = [each for each in read_report(dataset.folder, record.fingerprint).notices if each.loud]
    assert loud.count == 2
