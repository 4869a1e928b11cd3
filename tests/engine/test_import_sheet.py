"""The annotation sheet: what people write in it, and what becomes of it."""

from __future__ import annotations

import dataclasses
import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from clinical_data import (
    BROKEN_CELLS,
    HEADS,
    VIEW_SIZES,
    build_clinical,
    sheet_row,
    view_counts,
    write_chat,
    write_sheet,
)
from data_helpers import ANSWERS, write_image

from engine.data.apportion import apportion
from engine.data.importers import workbook
from engine.data.importers.jsonl import import_chat_lines
from engine.data.importers.report import ImportReport, read_report
from engine.data.importers.request import SourceOptions
from engine.data.importers.sheet import import_sheet
from engine.data.labels import case_label
from engine.data.manifest import Dataset, open_dataset
from engine.data.sample import stratified_sample
from engine.errors import DataError
from engine.workspace import Workspace

PLAIN = SourceOptions()


def imported(tmp_path: Path, file: Path, root: Path, *, sheet: str | None = None) -> tuple[Dataset, ImportReport]:
    workspace = Workspace(tmp_path / "workspace")
    import_sheet(workspace, "x", file, root, PLAIN, sheet=sheet)
    dataset = open_dataset(workspace, "x")
    return dataset, read_report(dataset.folder, dataset.record.fingerprint)


def answers_of(dataset: Dataset) -> dict[str, dict[str, str]]:
    return {case.path: dict(case.answers) for case in dataset.cases()}


def one_image(tmp_path: Path, rows: Sequence[Sequence[object]], path: str = "Femur/Femur_001.png") -> Path:
    """A root with one image, and a sheet of these rows."""
    write_image(tmp_path / "root", path)
    return write_sheet(tmp_path / "s.xlsx", rows)


def test_a_dataset_like_the_users_comes_in_whole_by_sheet_and_by_jsonl_with_one_fingerprint(tmp_path: Path) -> None:
    data = build_clinical(tmp_path, images=280)
    workspace = Workspace(tmp_path / "workspace")
    by_sheet = import_sheet(workspace, "sheet", data.sheet, data.root, PLAIN)
    by_chat = import_chat_lines(workspace, "chat", data.jsonl, data.root, PLAIN)
    assert by_sheet.problems == by_chat.problems == 0
    assert by_sheet.images == 280
    assert (by_sheet.fingerprint, by_sheet.split_fingerprint) == (by_chat.fingerprint, by_chat.split_fingerprint)
    assert answers_of(open_dataset(workspace, "sheet")) == data.answers
    dataset = open_dataset(workspace, "sheet")
    assert Counter(case.view for case in dataset.cases()) == view_counts(280)
    assert sum(count.abnormal for count in dataset.counts()) == round(0.02 * 280)


def test_names_typed_by_hand_give_the_same_dataset_and_each_tolerance_is_reported(tmp_path: Path) -> None:
    exact = build_clinical(tmp_path / "a", images=280)
    by_hand = build_clinical(tmp_path / "b", images=280, sheet_names=True)
    first, no_report = imported(tmp_path / "a", exact.sheet, exact.root)
    second, report = imported(tmp_path / "b", by_hand.sheet, by_hand.root)
    assert second.record.fingerprint == first.record.fingerprint
    assert second.record.problems == 0
    assert no_report.tolerances == []
    by_kind = {kind: rows for kind, rows, _ in report.tolerances_by_kind()}
    assert set(by_kind) == {
        "spaces, underscores or hyphens",
        "repeated spaces",
        "letter case",
        "leading zeros",
        "missing extension",
        "other extension",
    }
    without_extension = [path for path in by_hand.answers if int(path[-7:-4]) % 8 == 4]
    assert by_kind["missing extension"] == len(without_extension)
    first_tolerance = next(each for each in report.tolerances if each.kind == "missing extension")
    assert (first_tolerance.said, first_tolerance.found) == ("Abdomen_004", "Abdomen_004.png")
    assert first_tolerance.source == "annotations.xlsx:5"
    folder = next(each for each in report.tolerances if each.found == "CRL-View")
    assert (folder.said, folder.entries) == ("CRL View", view_counts(280)["CRL-View"])


def test_a_cap_keeps_all_views_in_proportion_where_the_file_is_sorted_by_view(tmp_path: Path) -> None:
    """Mistake 2: the first lines of a file sorted by view are one view only."""
    data = build_clinical(tmp_path, images=700)
    workspace = Workspace(tmp_path / "workspace")
    import_chat_lines(workspace, "x", data.jsonl, data.root, PLAIN)
    cases = open_dataset(workspace, "x").cases()
    sample = stratified_sample(cases, 100, seed=3)
    sizes = Counter(case.view for case in cases)
    views = sorted(sizes)
    exact = dict(zip(views, apportion([sizes[view] for view in views], 100, minimum=1), strict=True))
    assert Counter(case.view for case in sample) == exact
    assert set(exact) == set(VIEW_SIZES)
    labels = Counter(case_label(case.answers) for case in sample)
    assert labels["abnormal"] == round(100 * 0.02)


def test_only_complete_rows_are_used_and_the_others_are_counted_by_status(tmp_path: Path) -> None:
    paths = [write_image(tmp_path / "root", f"Femur/Femur_{number:03d}.png") for number in range(5)]
    status = ["complete", " Complete ", "draft", None, "draft"]
    rows = [sheet_row(path, ANSWERS, status=said) for path, said in zip(paths, status, strict=True)]
    dataset, report = imported(tmp_path, write_sheet(tmp_path / "s.xlsx", [HEADS, *rows]), tmp_path / "root")
    assert list(answers_of(dataset)) == paths[:2]
    assert dataset.problems == []
    (noticed,) = report.notices  # and no image counts as missing from the sheet
    assert (noticed.title, noticed.count) == ("rows that are not complete", 3)
    assert noticed.examples == ["draft: 2 rows", "(empty): 1 rows"]
    assert [(each.kind, each.said) for each in report.tolerances] == [("status", " Complete ")]


def test_images_that_no_row_names_are_listed(tmp_path: Path) -> None:
    file = one_image(tmp_path, [HEADS, sheet_row("Femur/Femur_001.png", ANSWERS)])
    for path in ("Femur/Femur_002.png", "Thorax/Thorax_001.jpg", "Thorax/notes.txt", ".thumbs/t.png"):
        write_image(tmp_path / "root", path)
    _, report = imported(tmp_path, file, tmp_path / "root")
    (noticed,) = report.notices
    assert noticed.title == "images on disk that the source does not name"
    assert noticed.examples == ["Femur/Femur_002.png", "Thorax/Thorax_001.jpg"]


def test_broken_cells_are_kept_as_text_and_noticed(tmp_path: Path) -> None:
    file = one_image(tmp_path, [HEADS, sheet_row("Femur/Femur_001.png", {**ANSWERS, **BROKEN_CELLS})])
    dataset, report = imported(tmp_path, file, tmp_path / "root")
    kept = {"Q5": "2013-08-15", "Q6": "3", "Q4": "18-200 weeks", "Q8": "TRUE"}
    assert answers_of(dataset)["Femur/Femur_001.png"] == {**ANSWERS, **kept}
    assert {each.title: each.examples for each in report.notices} == {
        "a date where weeks belong": ["row 2, Q5: 2013-08-15"],
        "a number where text belongs": ["row 2, Q6: 3"],
        "a truth value where text belongs": ["row 2, Q8: TRUE"],
    }


def test_every_rejected_row_has_its_number_its_name_and_a_reason(tmp_path: Path) -> None:
    root = tmp_path / "root"
    good = write_image(root, "Femur/Femur_001.png")
    write_image(root, "Femur/cut.png", b"\x89PNG\r\n\x1a\n")
    write_image(root, "Femur/two.png")
    write_image(root, "Femur/two.jpg")
    write_image(root, "Femur/A-1.png")
    write_image(root, "Femur/A_1.png")
    (root / "Femur" / "link.png").symlink_to(write_sheet(tmp_path / "outside.xlsx", [HEADS]))
    rows = [
        HEADS,
        sheet_row(good, ANSWERS),  # 2
        sheet_row(good, {**ANSWERS, "Q6": "Low"}),  # 3: contradicts row 2
        sheet_row("Femur/gone.png", ANSWERS),  # 4
        sheet_row("Femur/cut.png", ANSWERS),  # 5
        sheet_row("Femur/two", ANSWERS),  # 6: two.png or two.jpg
        sheet_row("Femur/a 1.png", ANSWERS),  # 7: A-1.png or A_1.png
        sheet_row("Femur/link.png", ANSWERS),  # 8
        sheet_row("../x.png", ANSWERS),  # 9
        ["Femur", None, "complete", "aorta"],  # 10
        [None, "Femur_001.png", "complete", "aorta"],  # 11
        sheet_row(good, {}),  # 12
        sheet_row(good, {"Q1": "#REF!"}),  # 13
        [],  # 14
        sheet_row("Femur/" + "n" * 100_000 + ".png", ANSWERS),  # 15
    ]
    dataset, _ = imported(tmp_path, write_sheet(tmp_path / "s.xlsx", rows), root)
    reasons = {problem.source.removeprefix("s.xlsx:"): problem.reason for problem in dataset.problems}
    assert reasons.pop("15") == "the image path has more than 4,096 characters"
    assert reasons.pop("5").startswith("truncated PNG")
    assert reasons.pop("2-3") == "2 different answers to Q6 (rows 2-3); none is used"
    assert reasons.pop("13") == "Q1 holds the spreadsheet error #REF!"
    assert reasons == {
        "4": "the image file is missing",
        "6": "2 files fit this name: two.jpg, two.png",
        "7": "2 files fit this name: A-1.png, A_1.png",
        "8": "a link leads out of the image root",
        "9": "the path leaves the image root (..)",
        "10": "no image name (empty, or a formula without a stored value)",
        "11": "the image lies in no view folder",
        "12": "a complete row without any answer",
    }
    expected = {question: ANSWERS[question] for question in ANSWERS if question != "Q6"}
    assert answers_of(dataset) == {good: expected}
    assert all(problem.item or problem.source == "s.xlsx:10" for problem in dataset.problems)


def test_a_loosely_named_row_does_not_take_the_place_of_an_exact_one(tmp_path: Path) -> None:
    rows = [HEADS, sheet_row("Femur/Femur_001.png", ANSWERS), sheet_row("Femur/Femur_001.jpg", {"Q6": "Low"})]
    dataset, _ = imported(tmp_path, one_image(tmp_path, rows), tmp_path / "root")
    assert answers_of(dataset) == {"Femur/Femur_001.png": ANSWERS}
    (problem,) = dataset.problems
    assert problem.source == "s.xlsx:3"
    assert "another row names better" in problem.reason


def test_heads_may_stand_lower_and_be_written_otherwise(tmp_path: Path) -> None:
    heads = ["Image name", "FOLDER_NAME", "status", "Q1", "q2 - fetal orientation", "Imaging Plane", "notes"]
    heads += ["Q4: Biometric Measurments", "Q5_Gestational_Age", "Image Quality", "Normality assesment", "Q8"]
    row: list[object] = ["Femur_001.png", "Femur", "complete", "Q1", "Q2", "Q3", "x", "Q4", "Q5", "Q6", "Q7", "Q8"]
    file = one_image(tmp_path, [["Annotations 2026"], [], heads, row])
    dataset, report = imported(tmp_path, file, tmp_path / "root")
    assert answers_of(dataset)["Femur/Femur_001.png"] == {question: question for question in ANSWERS}
    assert {each.kind for each in report.tolerances} == {"column name"}
    assert {each.source for each in report.tolerances} == {"s.xlsx:3"}
    assert dataset.record.options["unknown_columns"] == ["notes"]


def test_two_columns_of_one_meaning_and_sheets_without_columns_are_refused(tmp_path: Path) -> None:
    file = one_image(tmp_path, [[*HEADS, "Q5"], sheet_row("Femur/Femur_001.png", ANSWERS)])
    with pytest.raises(DataError, match="mean the same") as caught:
        imported(tmp_path, file, tmp_path / "root")
    assert "Q5" in caught.value.reason
    with pytest.raises(DataError, match="has the columns"):
        imported(tmp_path, write_sheet(tmp_path / "t.xlsx", [["a", "b"], [1, 2]]), tmp_path / "root")


def test_the_sheet_that_fits_is_chosen_and_another_can_be_asked_for(tmp_path: Path) -> None:
    from openpyxl import Workbook

    path = write_image(tmp_path / "root", "Femur/Femur_001.png")
    book = Workbook()
    book.active.title = "Read me"
    for title, quality in (("Final", "Good"), ("Old version", "Low")):
        sheet = book.create_sheet(title)
        sheet.append(list(HEADS))
        sheet.append(sheet_row(path, {**ANSWERS, "Q6": quality}))
    book.save(tmp_path / "s.xlsx")
    dataset, report = imported(tmp_path, tmp_path / "s.xlsx", tmp_path / "root")
    assert answers_of(dataset)[path]["Q6"] == "Good"
    assert [each.examples for each in report.notices] == [["Final; not read: Read me, Old version"]]
    other, _ = imported(tmp_path / "b", tmp_path / "s.xlsx", tmp_path / "root", sheet="old_version")
    assert answers_of(other)[path]["Q6"] == "Low"
    with pytest.raises(DataError, match="no sheet named") as caught:
        imported(tmp_path, tmp_path / "s.xlsx", tmp_path / "root", sheet="none")
    assert "Final" in caught.value.reason


def test_merged_cells_hold_for_all_their_rows(tmp_path: Path) -> None:
    from openpyxl import Workbook

    paths = [write_image(tmp_path / "root", f"Femur/Femur_{number:03d}.png") for number in range(4)]
    book = Workbook()
    sheet = book.active
    sheet.append(["", "2026"])
    sheet.append(list(HEADS))
    for path in paths:
        sheet.append(sheet_row(path, ANSWERS))
    sheet.merge_cells("A1:C1")
    sheet.merge_cells("A3:A5")  # the folder of three rows; the fourth has its own
    sheet.merge_cells("I3:I4")  # Q6
    sheet["I5"] = None
    book.save(tmp_path / "s.xlsx")
    dataset, report = imported(tmp_path, tmp_path / "s.xlsx", tmp_path / "root")
    assert list(answers_of(dataset)) == paths
    assert [given.get("Q6") for given in answers_of(dataset).values()] == ["Good image quality"] * 2 + [
        None,
        "Good image quality",
    ]
    assert {(each.kind, each.found, each.source) for each in report.tolerances} == {
        ("merged cells", "Femur", "s.xlsx:4-5"),
        ("merged cells", "Good image quality", "s.xlsx:4"),
    }


def test_formulas_are_not_evaluated_and_spreadsheet_errors_are_no_answers(tmp_path: Path) -> None:
    file = one_image(
        tmp_path, [HEADS, sheet_row("Femur/Femur_001.png", {**ANSWERS, "Q5": '=1+1&" weeks"', "Q6": "#REF!"})]
    )
    dataset, report = imported(tmp_path, file, tmp_path / "root")
    assert set(answers_of(dataset)["Femur/Femur_001.png"]) == set(ANSWERS) - {"Q5", "Q6"}
    (problem,) = dataset.problems
    assert problem.reason == "Q6 holds the spreadsheet error #REF!"
    assert [(each.title, each.examples) for each in report.notices] == [
        ("answers missing in complete rows", ["Q5: 1 rows"])
    ]


def patch_sheet(file: Path, change: object, part: str = "xl/worksheets/sheet1.xml") -> None:
    """Rewrite one part of a workbook; fails when nothing changes."""
    with zipfile.ZipFile(file) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    before = parts[part]
    parts[part] = change(before)  # type: ignore[operator]
    assert parts[part] != before
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)


def test_a_wrong_size_note_in_the_file_loses_no_row(tmp_path: Path) -> None:
    paths = [write_image(tmp_path / "root", f"Femur/Femur_{number:03d}.png") for number in range(30)]
    from openpyxl import Workbook

    book = Workbook()
    for row in [HEADS, *(sheet_row(path, ANSWERS) for path in paths)]:
        book.active.append(list(row))
    book.save(tmp_path / "s.xlsx")
    patch_sheet(tmp_path / "s.xlsx", lambda xml: xml.replace(b'ref="A1:K31"', b'ref="A1:C4"'))
    dataset, _ = imported(tmp_path, tmp_path / "s.xlsx", tmp_path / "root")
    assert list(answers_of(dataset)) == paths


@pytest.mark.parametrize(
    ("limits", "part"),
    [({"MAX_PART_BYTES": 10_000}, "Unpacked it has"), ({"MAX_RATIO": 2, "RATIO_FROM": 1000}, "is packed")],
)
def test_a_zip_bomb_is_refused_before_it_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limits: Mapping[str, int], part: str
) -> None:
    file = one_image(tmp_path, [HEADS, *[sheet_row("Femur/Femur_001.png", ANSWERS)] * 200])
    for name, value in limits.items():
        monkeypatch.setattr(workbook, name, value)
    with pytest.raises(DataError) as caught:
        imported(tmp_path, file, tmp_path / "root")
    assert part in caught.value.reason


def test_an_xml_bomb_is_refused(tmp_path: Path) -> None:
    file = one_image(tmp_path, [HEADS, sheet_row("Femur/Femur_001.png", ANSWERS)])
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    bomb = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e0 "ha">{entities}]>'.encode()

    def plant(xml: bytes) -> bytes:
        body = xml.split(b"?>", 1)[1] if xml.startswith(b"<?xml") else xml
        return bomb + body.replace(b"Femur_001.png", b"&e9;")

    patch_sheet(file, plant)
    with pytest.raises(DataError, match="cannot be read"):
        imported(tmp_path, file, tmp_path / "root")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\xd0\xcf\x11\xe0" + bytes(600), "old .xls"),
        (b"PK\x03\x04 not a zip", "no undamaged workbook"),
        (b"", "no undamaged workbook"),
    ],
)
def test_what_is_no_workbook_is_refused_with_the_reason(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "s.xlsx").write_bytes(content)
    with pytest.raises(DataError) as caught:
        imported(tmp_path, tmp_path / "s.xlsx", tmp_path / "root")
    assert reason in caught.value.reason
    assert caught.value.next_step


def test_escaped_characters_and_long_cells_are_kept_as_they_stand(tmp_path: Path) -> None:
    long, odd = "Normal " + "x" * 99_993, "Normal_x001B_[31m"
    file = one_image(tmp_path, [HEADS, sheet_row("Femur/Femur_001.png", {"Q1": "a", "Q7": odd, "Q2": "LONG"})])
    patch_sheet(file, lambda xml: xml.replace(b"LONG", long.encode()))
    dataset, _ = imported(tmp_path, file, tmp_path / "root")
    assert answers_of(dataset)["Femur/Femur_001.png"] == {"Q1": "a", "Q2": long, "Q7": "Normal\x1b[31m"}


def test_the_order_of_rows_does_not_matter(tmp_path: Path) -> None:
    data = build_clinical(tmp_path, images=60)
    workspace = Workspace(tmp_path / "workspace")
    first = import_sheet(workspace, "a", data.sheet, data.root, PLAIN)
    rows = [sheet_row(path, given) for path, given in data.answers.items()]
    second = import_sheet(workspace, "b", write_sheet(tmp_path / "r.xlsx", [HEADS, *rows[::-1]]), data.root, PLAIN)
    assert (first.fingerprint, first.split_fingerprint) == (second.fingerprint, second.split_fingerprint)
    other = import_sheet(workspace, "c", data.sheet, data.root, dataclasses.replace(PLAIN, split_seed=7))
    assert other.fingerprint == first.fingerprint
    assert other.split_fingerprint != first.split_fingerprint
    by_chat = write_chat(tmp_path / "r.jsonl", dict(reversed(data.answers.items())))
    assert import_chat_lines(workspace, "d", by_chat, data.root, PLAIN).fingerprint == first.fingerprint
