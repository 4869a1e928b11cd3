"""What the annotators' answers are read as: of one image, and of a whole dataset."""

from __future__ import annotations

from pathlib import Path

import pytest
from data_helpers import eight_lines, write_image, write_lines

from engine import api
from engine.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    texts = {1: "20-25 weeks", 2: "20-25  weeks.", 3: "20-25 weeks", 4: "18-200 weeks"}
    lines = [
        line
        for n, weeks in texts.items()
        for line in eight_lines(write_image(tmp_path / "images", f"Femur/{n}.png"), Q5=weeks)
    ]
    workspace = Workspace(tmp_path / "workspace")
    workspace.root.mkdir()
    api.import_chat_file(workspace, "fetal", write_lines(tmp_path / "fetal.jsonl", lines), tmp_path / "images")
    return workspace


def test_what_became_what_those_left_alone_first(workspace: Workspace) -> None:
    found = api.answer_readings(workspace, "fetal", "Q5")
    assert [(each.raw, each.images, each.left_alone) for each in found] == [
        ("18-200 weeks", 1, True),
        ("20-25 weeks", 2, False),
        ("20-25  weeks.", 1, False),
    ]
    assert found[1].canonical == found[2].canonical == "20-25"
    assert found[2].layers[0] == "text"
    assert "impossible" in found[0].reason


def test_it_agrees_with_the_quality_report(workspace: Workspace) -> None:
    report = api.quality_report(workspace, "fetal").answers
    for question in report.missing:
        found = api.answer_readings(workspace, "fetal", question)
        assert sum(each.images for each in found) == 4
        counted = {row.canonical: row.count for row in report.distribution if row.question == question}
        for canonical, count in counted.items():
            assert sum(each.images for each in found if each.canonical == canonical) == count


def test_one_image(workspace: Workspace) -> None:
    items = api.browse(workspace, api.ImageQuery("fetal")).items
    read = api.image_readings(api.image_details(workspace, items[1].id))
    assert list(read) == [f"Q{n}" for n in range(1, 9)]
    assert read["Q7"].canonical == "normal"
    assert (read["Q5"].raw, read["Q5"].canonical, read["Q5"].left_alone) == ("20-25  weeks.", "20-25", False)


def test_errors_name_what_is_missing(workspace: Workspace) -> None:
    with pytest.raises(api.SonotuneError, match="no dataset named gone"):
        api.answer_readings(workspace, "gone", "Q5")
    with pytest.raises(api.UsageError, match="no question 'Q9'"):
        api.answer_readings(workspace, "fetal", "Q9")
