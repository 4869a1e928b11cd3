from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from data_helpers import ABNORMAL, ANSWERS, eight_lines, make_dataset, write_image, write_lines
from store_helpers import raw

from engine.data.importers.jsonl import import_jsonl
from engine.data.importers.phantoms import import_phantoms
from engine.errors import StoreError, UsageError
from engine.store.images import SORTS, ImageItem, image_condition, natural_key, sort_items
from engine.store.reader import Reader
from engine.store.records import ImageRow
from engine.store.writer import Writer
from engine.types import DatasetRecord, Split, Verdict
from engine.workspace import Workspace


def record(name: str = "fetal") -> DatasetRecord:
    return DatasetRecord(name, "jsonl", "data", "split", 0, "images", 1, 0, 1.0)


def image(path: str, verdict: Verdict | None = Verdict.NORMAL, **changes: object) -> ImageRow:
    values: dict[str, object] = {
        "path": path,
        "view": path.split("/")[0],
        "split": Split.TRAIN,
        "sha256": "00",
        "width": 800,
        "height": 600,
        "q7_verdict": verdict,
        "problem": None,
        "answers": {"Q1": "liver", "Q7": "Normal"},
    }
    return ImageRow(**{**values, **changes})  # type: ignore[arg-type]


def left_out(path: str, reason: str = "the image file is missing") -> ImageRow:
    return ImageRow(path, path.split("/")[0], None, None, None, None, None, reason)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Two datasets; the first has two views, every kind of verdict, and two problems."""
    place = Workspace(tmp_path)
    rows = [
        image("Femur/Femur_10.png"),
        image("Femur/Femur_2.png", Verdict.ABNORMAL, split=Split.TEST, width=64, answers={"Q7": ABNORMAL}),
        image("Femur/Femur_1.png", None, split=Split.VALIDATION, answers={"Q1": "femur"}),
        image("Aorta/b.png", Verdict.UNCLEAR, split=Split.TEST),
        image("Aorta/a.png", Verdict.UNPARSEABLE),
        left_out("Femur/Femur_3.png"),
        left_out("Heart/x.png", "truncated PNG"),
    ]
    with Writer.open(place) as writer:
        writer.record_dataset(record(), rows)
        writer.record_dataset(record("other"), [image("Femur/Femur_10.png")])
    return place


def test_items_are_those_of_one_dataset_in_named_columns(workspace: Workspace) -> None:
    with Reader(workspace) as reader:
        items = sort_items(reader.image_items("fetal"), "path")
        assert reader.image_count("fetal") == len(items) == 7
        assert reader.image_items("none such") == []
    assert isinstance(items[0], ImageItem)
    assert items[3][1:] == ("Femur/Femur_2.png", "Femur", "test", "abnormal", 64, 600, None)
    assert (items[4].path, items[4].split, items[4].problem) == ("Femur/Femur_3.png", None, "the image file is missing")


def test_conditions_are_joined_and_their_values_are_never_sql(workspace: Workspace) -> None:
    with Reader(workspace) as reader:

        def found(*conditions: tuple[str, str]) -> list[str]:
            return sorted(
                item.path for item in reader.image_items("fetal", [image_condition(*each) for each in conditions])
            )

        assert found(("view", "Aorta")) == ["Aorta/a.png", "Aorta/b.png"]
        assert found(("view", "Aorta"), ("split", "test")) == ["Aorta/b.png"]
        assert found(("verdict", "unanswered")) == ["Femur/Femur_1.png"], "a problem is not unanswered"
        assert found(("verdict", "abnormal")) == ["Femur/Femur_2.png"]
        assert found(("Q1", "femur")) == ["Femur/Femur_1.png"]
        assert found(("view", "x' OR '1'='1")) == []


def test_numbers_in_paths_sort_by_their_value() -> None:
    ordered = ["A/2.png", "a/x.png", "a/x_9.png", "a/x_009b.png", "a/x_10.png", "a/x_10_2.png", "a/x_10_10.png"]
    assert sorted(random.Random(3).sample(ordered, len(ordered)), key=natural_key) == ordered
    assert natural_key("a/\u0663.png") == "a/\u0663.png", "digits of other scripts are letters here"
    assert natural_key("9" * 50) == "9" * 50


def test_lists_sort_by_every_column_with_missing_values_last(workspace: Workspace) -> None:
    with Reader(workspace) as reader:
        items = reader.image_items("fetal")
    for column in SORTS:
        up, down = sort_items(items, column), sort_items(items, column, descending=True)
        assert sorted(up) == sorted(down) == sorted(items)
        place = ImageItem._fields.index(column)
        there = [item[place] for item in down if item[place] is not None]
        assert [item[place] for item in up][: len(there)] == there[::-1]
        assert all(item[place] is None for item in [*up[len(there) :], *down[len(there) :]])
    assert [item.split for item in sort_items(items, "split")][:5] == ["train", "train", "validation", "test", "test"]
    by_verdict = [item.path for item in sort_items(items, "verdict")]
    assert by_verdict[-3:] == ["Femur/Femur_1.png", "Femur/Femur_3.png", "Heart/x.png"], "ties in natural order"
    with pytest.raises(UsageError, match="sorted by"):
        sort_items(items, "sha256; DROP TABLE images")


def test_views_are_counted_by_split_verdict_and_problem(workspace: Workspace) -> None:
    with Reader(workspace) as reader:
        rows = reader.image_views("fetal")
    assert sum(row.images for row in rows) == 7
    assert {row.view for row in rows} == {"Aorta", "Femur", "Heart"}
    assert [row.images for row in rows if row.left_out] == [1, 1]
    assert [tuple(row[1:]) for row in rows if row.view == "Heart"] == [(None, None, True, 1)]


def test_one_image_comes_with_its_dataset_and_answers(workspace: Workspace) -> None:
    with Reader(workspace) as reader:
        (item,) = [item for item in reader.image_items("fetal") if item.path == "Femur/Femur_2.png"]
        found = reader.image(item.id)
        assert found is not None
        dataset, row = found
        assert dataset == "fetal"
        assert row.answers == {"Q7": ABNORMAL}
        assert row.q7_verdict is Verdict.ABNORMAL
        assert reader.image(10_000) is None


def test_answers_are_counted_for_usable_images(workspace: Workspace) -> None:
    with Reader(workspace) as reader:
        assert dict(reader.image_answers("fetal", "Q1")) == {"liver": 3, "femur": 1, None: 1}
        assert dict(reader.image_answers("fetal", "Q7", "Aorta")) == {"Normal": 2}
        with pytest.raises(UsageError, match="no question"):
            reader.image_answers("fetal", "Q7') OR ('")


def test_problems_are_listed_by_path(workspace: Workspace) -> None:
    with Reader(workspace) as reader:
        assert reader.image_problems("fetal") == [
            ("Femur/Femur_3.png", "the image file is missing"),
            ("Heart/x.png", "truncated PNG"),
        ]


def test_answers_that_another_program_broke_are_a_store_error(workspace: Workspace) -> None:
    connection = raw(workspace)
    connection.execute("UPDATE images SET answers = '{' WHERE path = 'Aorta/a.png'")
    connection.close()
    with Reader(workspace) as reader, pytest.raises(StoreError):
        reader.image_answers("fetal", "Q1")


def forget_answers(workspace: Workspace) -> None:
    """Leave the rows as an importer of an older version wrote them."""
    connection = raw(workspace)
    connection.execute("UPDATE images SET answers = NULL")
    connection.close()


def recorded_answers(workspace: Workspace, dataset: str) -> dict[str, dict[str, str] | None]:
    with Reader(workspace) as reader:
        return {row.path: None if row.answers is None else dict(row.answers) for row in reader.images(dataset)}


def test_importing_chat_lines_again_fills_in_answers_that_an_older_version_left_out(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "workspace")
    with Writer.open(workspace) as writer:
        make_dataset(tmp_path, {"Femur": 6}, recorder=writer.record_dataset)
        with Reader(workspace) as reader:
            assert not reader.lacks_answers("fetal")
        before = recorded_answers(workspace, "fetal")
        assert before["Femur/Femur_001.png"] == ANSWERS
        forget_answers(workspace)
        with Reader(workspace) as reader:
            assert reader.lacks_answers("fetal")
        make_dataset(tmp_path, {"Femur": 6}, recorder=writer.record_dataset)
    assert recorded_answers(workspace, "fetal") == before


def test_importing_phantoms_again_fills_in_their_answers_without_rendering(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    with Writer.open(workspace) as writer:

        def again() -> None:
            import_phantoms(workspace, count=8, size=32, processes=1, recorder=writer.record_dataset)

        again()
        before = recorded_answers(workspace, "phantoms")
        files = {file: file.stat().st_mtime_ns for file in workspace.dataset("phantoms").rglob("*.png")}
        assert all(answers is not None and len(answers) == 8 for answers in before.values())
        forget_answers(workspace)
        again()
    assert recorded_answers(workspace, "phantoms") == before
    assert {file: file.stat().st_mtime_ns for file in files} == files


def test_an_image_that_is_left_out_has_no_answers(tmp_path: Path) -> None:
    workspace, root = Workspace(tmp_path), tmp_path / "images"
    lines = eight_lines(write_image(root, "Femur/1.png"), Q1='\x1b[31m"quoted" \U0001f930 שלום') + eight_lines(
        "Femur/2.png"
    )
    with Writer.open(workspace) as writer:
        file = write_lines(tmp_path / "x.jsonl", lines)
        import_jsonl(workspace, "x", file, root, recorder=writer.record_dataset)
    answers = recorded_answers(workspace, "x")
    assert answers["Femur/2.png"] is None
    good = answers["Femur/1.png"]
    assert good is not None
    assert good["Q1"] == '\x1b[31m"quoted" \U0001f930 שלום'
    with Reader(workspace) as reader:
        assert dict(reader.image_answers("x", "Q1")) == {good["Q1"]: 1}
    assert (
        json.loads(raw(workspace).execute("SELECT answers FROM images WHERE answers IS NOT NULL").fetchone()[0]) == good
    )
