"""Hugging Face `datasets` folders on disk, as the library itself writes them, and folders of Parquet files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from clinical_data import build_clinical
from data_helpers import ANSWERS, jpeg_bytes, png_bytes, write_image

from engine.data.importers import known_files
from engine.data.importers.hf_folder import import_hf_folder
from engine.data.importers.report import read_report
from engine.data.importers.request import SourceOptions
from engine.data.importers.sheet import import_sheet
from engine.data.manifest import Dataset, open_dataset
from engine.data.verify import verify_dataset
from engine.errors import DataError
from engine.questions.prompts import QUESTIONS
from engine.types import DatasetRecord, Split
from engine.workspace import Workspace

FREE = SourceOptions(measured=lambda record: 0)
HEADS = {question: QUESTIONS[question].column for question in ANSWERS}


def cell(data: bytes, path: str | None = None) -> dict[str, Any]:
    return {"bytes": data, "path": path}


def write_parquet(file: Path, rows: list[dict[str, Any]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), file)


def bring_in(tmp_path: Path, folder: Path, images: Path | None = None, options: SourceOptions = FREE) -> DatasetRecord:
    return import_hf_folder(Workspace(tmp_path / "workspace"), "x", folder, images, options)


def opened(tmp_path: Path) -> Dataset:
    return open_dataset(Workspace(tmp_path / "workspace"), "x")


def answers_of(tmp_path: Path) -> dict[str, dict[str, str]]:
    return {case.path: dict(case.answers) for case in opened(tmp_path).cases()}


def test_what_save_to_disk_writes_is_the_dataset_that_the_sheet_gives(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    data = build_clinical(tmp_path, images=42)
    rows: dict[str, list[Any]] = {"image": [str(data.root / path) for path in data.answers]}
    views = sorted({path.partition("/")[0] for path in data.answers})
    rows["label"] = [views.index(path.partition("/")[0]) for path in data.answers]
    rows |= {HEADS[question]: [given[question] for given in data.answers.values()] for question in HEADS}
    features = datasets.Features(
        {
            "image": datasets.Image(),
            "label": datasets.ClassLabel(names=views),
            **{head: datasets.Value("string") for head in HEADS.values()},
        }
    )
    datasets.Dataset.from_dict(rows, features=features).save_to_disk(tmp_path / "saved")
    record = bring_in(tmp_path, tmp_path / "saved")
    sheet = import_sheet(Workspace(tmp_path / "workspace"), "sheet", data.sheet, data.root, FREE)
    assert record.problems == 0
    assert record.fingerprint == sheet.fingerprint
    assert record.options["embedded"] is True
    assert record.image_root == "datasets/x/images"
    assert verify_dataset(opened(tmp_path)) == []


def test_the_splits_of_a_dataset_dict_are_kept(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")

    def part(first: int) -> Any:
        rows = [
            {"image": cell(png_bytes(n), f"{n}.png"), "view": "Femur", "Q7": "Normal"} for n in range(first, first + 3)
        ]
        return datasets.Dataset.from_list(rows)

    saved = datasets.DatasetDict({"train": part(0), "validation": part(3), "test": part(6)})
    saved.save_to_disk(tmp_path / "saved")
    record = bring_in(tmp_path, tmp_path / "saved")
    assert record.options["splits"] == "kept"
    splits = {case.path: case.split for case in opened(tmp_path).cases()}
    assert splits == {f"Femur/{n}.png": list(Split)[n // 3] for n in range(9)}


def test_parquet_files_of_questions_and_answers_become_one_entry_an_image(tmp_path: Path) -> None:
    rows = [
        {
            "image": cell(png_bytes(n), None),
            "folder": "Femur",
            "question": QUESTIONS[q].prompts["detailed"],
            "answer": said,
        }
        for n in range(4)
        for q, said in ANSWERS.items()
    ]
    rows.append({**rows[0], "question": "How are you?"})
    write_parquet(tmp_path / "set" / "data" / "train-00000-of-00001.parquet", rows)
    record = bring_in(tmp_path, tmp_path / "set")
    assert record.images == 4
    assert record.options["splits"] == "drawn"  # one part alone says nothing of the others
    assert all(given == ANSWERS for given in answers_of(tmp_path).values())
    assert all(len(Path(path).stem) == 16 for path in answers_of(tmp_path))
    (problem,) = opened(tmp_path).problems
    assert (problem.source, problem.reason) == ("set:33", "unknown question: How are you?")


def test_chats_with_named_images_use_the_files_beside_them(tmp_path: Path) -> None:
    write_image(tmp_path / "images", "NT-View/NT-View_001.png")
    messages = [
        {"role": "user", "content": "Image Quality: say"},
        {"role": "assistant", "content": "Good"},
        {"role": "user", "content": "Normality/Abnormality: say"},
        {"role": "assistant", "content": "Normal"},
    ]
    write_parquet(tmp_path / "set" / "a.parquet", [{"images": ["nt view/NT-View 001.jpg"], "messages": messages}])
    record = bring_in(tmp_path, tmp_path / "set", tmp_path / "images")
    assert answers_of(tmp_path) == {"NT-View/NT-View_001.png": {"Q6": "Good", "Q7": "Normal"}}
    assert record.options["embedded"] is False
    assert record.image_root == str(tmp_path / "images")
    assert not (tmp_path / "workspace" / "datasets" / "x" / "images").exists()
    assert len(read_report(opened(tmp_path).folder, record.fingerprint).tolerances) == 4


def test_files_are_named_after_their_bytes_when_names_clash_or_lie(tmp_path: Path) -> None:
    rows = [
        {"image": cell(png_bytes(1), "a.png"), "view": "V", "Q7": "one"},
        {"image": cell(png_bytes(2), "a.png"), "view": "V", "Q7": "two"},
        {"image": cell(jpeg_bytes(), "b.png"), "view": "V", "Q7": "jpeg"},
        {"image": cell(png_bytes(3), "../../x/../c.PNG"), "view": "a/b", "Q7": "slash"},
        {"image": cell(png_bytes(4), "Femur/d.png"), "view": None, "Q7": "folder"},
        {"image": cell(png_bytes(1), "a.png"), "view": "V", "Q7": "one"},
    ]
    write_parquet(tmp_path / "set" / "a.parquet", rows)
    record = bring_in(tmp_path, tmp_path / "set")
    said = {path: given["Q7"] for path, given in answers_of(tmp_path).items()}
    clash = next(path for path in said if path.startswith("V/a-"))
    assert said == {"V/a.png": "one", clash: "two", "V/b.jpg": "jpeg", "a-b/c.PNG": "slash", "Femur/d.png": "folder"}
    assert record.options["repeated_lines"] == 1
    assert not (tmp_path / "workspace" / "datasets" / "x" / "x").exists()


def test_rows_that_cannot_be_used_are_listed(tmp_path: Path) -> None:
    rows = [
        {"image": cell(png_bytes(1), "a.png"), "view": "V", "Q7": "Normal", "status": None},
        {"image": cell(b"GIF89a", "b.gif"), "view": "V", "Q7": "Normal", "status": None},
        {"image": cell(png_bytes(3), "c.png"), "view": "..", "Q7": "Normal", "status": None},
        {"image": cell(png_bytes(4), "d.png"), "view": None, "Q7": "Normal", "status": None},
        {"image": None, "view": "V", "Q7": "Normal", "status": None},
        {"image": cell(png_bytes(6), "f.png"), "view": "V", "Q7": " ", "status": None},
        {"image": cell(png_bytes(7)[:-9], "g.png"), "view": "V", "Q7": "Normal", "status": "Complete"},
        {"image": cell(png_bytes(8), "h" * 400 + ".png"), "view": "V", "Q7": "Normal", "status": None},
        {"image": {"bytes": None, "path": "i.png"}, "view": "V", "Q7": "Normal", "status": None},
        {"image": cell(png_bytes(9), "j.png"), "view": "V", "Q7": "Normal", "status": "draft"},
    ]
    write_parquet(tmp_path / "set" / "a.parquet", rows)
    bring_in(tmp_path, tmp_path / "set")
    assert list(answers_of(tmp_path)) == ["V/a.png"]
    reasons = {int(problem.source.removeprefix("set:")): problem.reason for problem in opened(tmp_path).problems}
    assert reasons[2] == "neither PNG nor JPEG"
    assert reasons[3] == "the path leaves the image root (..)"
    assert reasons[4].startswith("no view")
    assert reasons[5] == "the row holds no image"
    assert reasons[6] == "a row without any answer"
    assert "truncated PNG" in reasons[7]
    assert "name cannot be a file's" in reasons[8]
    assert reasons[9] == "the row names an image, while others hold theirs"
    assert set(reasons) == set(range(2, 10))


def test_importing_again_links_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_files, "SETTLED_SECONDS", -1.0)
    rows = [{"image": cell(png_bytes(n), f"{n}.png"), "view": "V", "Q7": "Normal"} for n in range(6)]
    write_parquet(tmp_path / "set" / "a.parquet", rows)
    first = bring_in(tmp_path, tmp_path / "set")
    inode = opened(tmp_path).cases()[0].file.stat().st_ino
    rows[5]["Q7"] = "Abnormal"
    rows.append({"image": cell(png_bytes(99), "99.png"), "view": "V", "Q7": "Normal"})
    write_parquet(tmp_path / "set" / "a.parquet", rows)
    second = bring_in(tmp_path, tmp_path / "set")
    report = read_report(opened(tmp_path).folder, second.fingerprint)
    assert (report.files_read, report.files_known) == (1, 6)
    assert report.changes is not None
    assert (report.changes.added, report.changes.changed) == (1, 1)
    assert opened(tmp_path).cases()[0].file.stat().st_ino == inode
    assert first.fingerprint != second.fingerprint
    assert verify_dataset(opened(tmp_path)) == []


@pytest.mark.parametrize("refused", [{"Q7": None}, {"image": None}])
def test_a_refused_import_leaves_the_images_of_the_old_one(tmp_path: Path, refused: dict[str, None]) -> None:
    rows: list[dict[str, Any]] = [{"image": cell(png_bytes(1), "1.png"), "view": "V", "Q7": "Normal"}]
    write_parquet(tmp_path / "set" / "a.parquet", rows)
    bring_in(tmp_path, tmp_path / "set")
    write_parquet(tmp_path / "set" / "a.parquet", [{**rows[0], **refused}])
    with pytest.raises(DataError):
        bring_in(tmp_path, tmp_path / "set")
    assert verify_dataset(opened(tmp_path)) == []
    assert sorted(each.name for each in opened(tmp_path).folder.iterdir() if each.name.startswith(".")) == []


def test_an_image_whose_rows_stand_in_two_splits_is_in_none(tmp_path: Path) -> None:
    def row(shade: int, question: str) -> dict[str, Any]:
        asked = QUESTIONS[question].prompts["detailed"]
        return {"image": cell(png_bytes(shade), f"{shade}.png"), "view": "V", "question": asked, "answer": "x"}

    write_parquet(tmp_path / "set" / "train.parquet", [row(1, "Q7"), row(2, "Q7")])
    write_parquet(tmp_path / "set" / "test.parquet", [row(1, "Q6"), row(3, "Q7")])
    record = bring_in(tmp_path, tmp_path / "set")
    assert {case.path: case.split for case in opened(tmp_path).cases()} == {
        "V/2.png": Split.TRAIN,
        "V/3.png": Split.TEST,
    }
    assert [problem.reason for problem in opened(tmp_path).problems] == [
        "its rows stand in train and test; an image can be in one split only"
    ]
    loud = [each for each in read_report(opened(tmp_path).folder, record.fingerprint).notices if each.loud]
    assert [each.examples for each in loud] == [["validation"]]


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({}, "Looked for"),
        ({"state.json": {"_data_files": [{"filename": "../../secret.arrow"}]}}, "is no file name"),
        ({"state.json": {"_data_files": [{"filename": "gone.arrow"}]}}, "gone.arrow"),
        ({"state.json": []}, "no JSON object"),
        ({"dataset_dict.json": {"splits": ["../x"]}}, "is no file name"),
        ({"a.parquet": "no parquet"}, "a.parquet"),
        ({"a.arrow": "no arrow"}, "a.arrow"),
    ],
)
def test_folders_that_cannot_be_read_are_refused(tmp_path: Path, files: dict[str, Any], reason: str) -> None:
    (tmp_path / "set").mkdir()
    for name, content in files.items():
        (tmp_path / "set" / name).write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(DataError) as caught:
        bring_in(tmp_path, tmp_path / "set")
    assert reason in caught.value.reason
    assert not (tmp_path / "workspace" / "datasets" / "x").exists()


@pytest.mark.parametrize("row", [{"picture_of": 1, "Q7": "x"}, {"image": cell(png_bytes()), "note": "x"}])
def test_tables_without_images_or_answers_are_refused_by_their_columns(tmp_path: Path, row: dict[str, Any]) -> None:
    write_parquet(tmp_path / "set" / "a.parquet", [row])
    with pytest.raises(DataError, match="no column") as caught:
        bring_in(tmp_path, tmp_path / "set")
    assert ", ".join(row) in caught.value.reason
