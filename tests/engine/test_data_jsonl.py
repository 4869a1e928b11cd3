from __future__ import annotations

import json
import random

import pytest
from data_helpers import ABNORMAL, ANSWERS, chat_line, eight_lines, make_dataset, png_bytes, write_image, write_lines

from engine.data.importers.jsonl import import_jsonl
from engine.data.manifest import dataset_names, open_dataset
from engine.data.verify import verify_dataset
from engine.errors import DataError
from engine.types import Split, Verdict
from engine.workspace import Workspace

VIEWS = {"Femur": 12, "Thorax": 10}


def files_of(workspace, name="fetal"):
    return {file.name: file.read_bytes() for file in workspace.dataset(name).iterdir()}


def test_an_import_can_be_opened_again_with_all_its_answers(tmp_path):
    workspace, record = make_dataset(tmp_path, VIEWS)
    dataset = open_dataset(workspace, "fetal")
    assert dataset.record == record
    assert (record.images, record.problems, record.kind) == (22, 0, "jsonl")
    cases = dataset.cases()
    assert [case.path for case in cases] == sorted(case.path for case in cases)
    assert [case.index for case in cases] == list(range(22))
    assert dict(cases[1].answers) == ANSWERS
    assert (cases[1].view, cases[1].width, cases[1].height) == ("Femur", 40, 30)
    assert all(case.file.is_file() for case in cases)
    assert dataset_names(workspace) == ["fetal"]
    assert verify_dataset(dataset) == []


def test_cases_can_be_chosen_by_split_and_question(tmp_path):
    root, workspace = tmp_path / "images", Workspace(tmp_path)
    write_image(root, "Femur/1.png")
    write_image(root, "Femur/2.png")
    import_jsonl(
        workspace,
        "x",
        write_lines(tmp_path / "x.jsonl", [*eight_lines("Femur/1.png"), chat_line("Femur/2.png", "Q6", "Good")]),
        root,
    )
    dataset = open_dataset(workspace, "x")
    assert [case.path for case in dataset.cases(question="Q7")] == ["Femur/1.png"]
    assert [case.path for case in dataset.cases(question="report")] == ["Femur/1.png"]
    assert len(dataset.cases(question="Q6")) == 2
    by_split = [dataset.cases(split) for split in Split]
    assert sum(map(len, by_split)) == 2
    assert dataset.cases("train") == by_split[0]


def test_counts_tell_views_splits_and_labels(tmp_path):
    workspace, _ = make_dataset(tmp_path, VIEWS)
    rows = open_dataset(workspace, "fetal").counts()
    assert [(row.view, row.split) for row in rows] == [(view, split) for view in VIEWS for split in Split]
    assert {view: sum(row.total for row in rows if row.view == view) for view in VIEWS} == VIEWS
    assert sum(row.abnormal for row in rows) == 5
    assert sum(row.normal for row in rows) == 17


def test_the_plain_string_form_with_an_image_tag_is_read(tmp_path):
    write_image(tmp_path, "Femur/1.png")
    line = {
        "messages": [
            {"role": "user", "content": "<image>\nnormality/abnormality: say"},
            {"role": "assistant", "content": [{"type": "text", "text": ABNORMAL}]},
            {"role": "user", "content": "Image Quality: say"},
            {"role": "assistant", "content": "Good"},
        ],
        "images": ["Femur/1.png"],
    }
    record = import_jsonl(
        Workspace(tmp_path),
        "x",
        write_lines(tmp_path / "x.jsonl", [b"\xef\xbb\xbf" + json.dumps(line).encode()]),
        tmp_path,
    )
    assert record.problems == 0
    assert open_dataset(Workspace(tmp_path), "x").cases()[0].answers == {"Q6": "Good", "Q7": ABNORMAL}


def test_the_order_of_the_lines_does_not_matter(tmp_path):
    workspace, record = make_dataset(tmp_path, VIEWS)
    lines = (tmp_path / "fetal.jsonl").read_text().splitlines()
    random.Random(4).shuffle(lines)
    again = import_jsonl(workspace, "other", write_lines(tmp_path / "other.jsonl", lines), tmp_path / "images")
    assert (again.fingerprint, again.split_fingerprint) == (record.fingerprint, record.split_fingerprint)
    assert open_dataset(workspace, "other").cases() == open_dataset(workspace, "fetal").cases()


def test_one_changed_byte_of_an_image_or_answer_changes_the_fingerprint(tmp_path):
    workspace, record = make_dataset(tmp_path, VIEWS)
    file, root = tmp_path / "fetal.jsonl", tmp_path / "images"
    lines = file.read_text().splitlines()
    changed = import_jsonl(
        workspace, "answer", write_lines(tmp_path / "a.jsonl", [lines[0].replace("aorta", "aortA"), *lines[1:]]), root
    )
    write_image(root, "Femur/Femur_000.png", png_bytes(999_999))
    image = import_jsonl(workspace, "image", file, root)
    assert len({record.fingerprint, changed.fingerprint, image.fingerprint}) == 3


def test_importing_the_same_again_keeps_fingerprint_and_date(tmp_path):
    _, record = make_dataset(tmp_path, VIEWS)
    _, again = make_dataset(tmp_path, VIEWS)
    assert again == record


@pytest.mark.parametrize("change", [{"views": {"Femur": 13, "Thorax": 10}}, {"split_seed": 9}])
def test_other_content_or_another_split_needs_replace(tmp_path, change):
    workspace, record = make_dataset(tmp_path, VIEWS)
    before = files_of(workspace)
    views, options = change.get("views", VIEWS), {key: value for key, value in change.items() if key != "views"}
    with pytest.raises(DataError, match="exists already") as caught:
        make_dataset(tmp_path, views, **options)
    assert "--replace" in caught.value.next_step
    assert files_of(workspace) == before
    _, replaced = make_dataset(tmp_path, views, replace=True, **options)
    assert replaced.split_fingerprint != record.split_fingerprint
    assert open_dataset(workspace, "fetal").record == replaced


def test_the_hostile_file_loses_nothing_usable_and_lists_everything_else(tmp_path):
    root, outside = tmp_path / "images", write_image(tmp_path, "outside/secret.png")
    good = [write_image(root, f"Femur/good_{number}.png") for number in range(3)]
    write_image(root, "Femur/cut.png", png_bytes()[:-20])
    write_image(root, "Femur/empty.png", b"")
    write_image(root, "Femur/no_end.jpg", b"\xff\xd8\xff\xe0\x00\x04ab")
    escape = write_image(root, "View\x1b[31m/\x1b]0;owned\x07.png")
    (root / "Femur" / "link.png").symlink_to(tmp_path / outside)
    long_answer, coloured = "Normal " + "x" * 10_000, "Normal\x1b[2J\x1b[31m limits\0"
    lines: list[str | bytes] = [
        chat_line(good[0], "Q7", long_answer),  # 1
        chat_line(good[1], "Q7", coloured, patient="unknown key", id=7),  # 2
        chat_line(good[2], "Q7", "Normal"),  # 3
        chat_line(good[2], "Q7", ABNORMAL),  # 4: contradicts line 3
        chat_line(good[2], "Q6", "Good"),  # 5
        chat_line(good[2], "Q6", "Good"),  # 6: a repeat
        chat_line(escape),  # 7
        chat_line("Femur/missing.png"),  # 8
        chat_line("Femur/missing.png", "Q6", "Good"),  # 9
        chat_line("Femur/cut.png"),  # 10
        chat_line("Femur/empty.png"),  # 11
        chat_line("Femur/no_end.jpg"),  # 12
        chat_line("Femur/link.png"),  # 13
        chat_line("../../etc/passwd"),  # 14
        chat_line("/etc/passwd"),  # 15
        chat_line("Femur/\0.png"),  # 16
        chat_line("root.png"),  # 17
        "{not json",  # 18
        b'{"messages": "\xff\xfe"}',  # 19
        "[" * 100_000,  # 20
        "[1, 2]",  # 21
        '{"images": ["Femur/good_0.png"]}',  # 22
        '{"messages": []}',  # 23
        '{"messages": [], "images": ["Femur/a.png", "Femur/b.png"]}',  # 24
        chat_line(good[0], "Q6", ""),  # 25
        chat_line(good[0], "Q6", {"no": "text"}),  # 26
        chat_line(good[0]).replace("Normality", "Zodiac").replace("Abnormality", "sign"),  # 27
        chat_line(good[0], "Q8", "half \ud800 pair"),  # 28
        b"x" * (4 * 1024**2 + 50),  # 29
        "",  # 30
        '{"messages": [], "images": ["Femur/good_0.png"]}',  # 31
        '{"messages": [{"role": "tool"}], "images": ["Femur/good_0.png"]}',  # 32
        '{"messages": [{"role": "assistant", "content": "x"}, 5], "images": ["Femur/good_0.png"]}',  # 33
        '{"messages": [{"role": "user", "content": "Image Quality: x"}], "images": ["Femur/good_0.png"]}',  # 34
        '{"a": 1' + "0" * 5000 + "}",  # 35
    ]
    workspace, rows = Workspace(tmp_path / "workspace"), []
    record = import_jsonl(
        workspace,
        "hostile",
        write_lines(tmp_path / "bad.jsonl", lines),
        root,
        recorder=lambda _, images: rows.extend(images),
    )
    dataset = open_dataset(workspace, "hostile")
    answers = {case.path: dict(case.answers) for case in dataset.cases()}
    assert answers == {
        good[0]: {"Q7": long_answer},
        good[1]: {"Q7": coloured},
        good[2]: {"Q6": "Good"},
        escape: {"Q7": ANSWERS["Q7"]},
    }
    problems = dataset.problems
    assert record.problems == len(problems)
    lines_named = {problem.source.removeprefix("bad.jsonl:") for problem in problems}
    assert lines_named == {"3-4", "8-9", *map(str, [*range(10, 30), *range(31, 36)])}
    assert record.options["repeated_lines"] == 1
    assert record.options["unknown_keys"] == {"patient": 1, "id": 1}
    reasons = {problem.source.removeprefix("bad.jsonl:"): problem.reason for problem in problems}
    assert "2 different answers to Q7 (lines 3-4)" in reasons["3-4"]
    assert reasons["8-9"] == "the image file is missing"
    assert "truncated PNG" in reasons["10"]
    assert "leaves the image root" in reasons["14"]
    assert "not UTF-8" in reasons["19"]
    assert "unknown question" in reasons["27"]
    assert "longer than 4 MiB" in reasons["29"]
    assert {row.path: row.problem for row in rows if row.problem}["Femur/empty.png"] == reasons["11"]
    assert len([row for row in rows if row.problem is None]) == record.images == 4


def test_the_recorder_gets_one_row_an_image(tmp_path):
    seen = []
    workspace, record = make_dataset(tmp_path, {"Femur": 5}, recorder=lambda *given: seen.append(given))
    ((stored, rows),) = seen
    assert stored == record
    assert [row.path for row in rows] == [case.path for case in open_dataset(workspace, "fetal").cases()]
    assert [row.q7_verdict for row in rows] == [Verdict.ABNORMAL, *[Verdict.NORMAL] * 4]
    assert all(row.split is not None and row.sha256 and row.width == 40 for row in rows)


@pytest.mark.parametrize("lines", [[], ["{broken"], [chat_line("Femur/none.png")], [b"\xff"]])
def test_when_nothing_usable_remains_the_existing_dataset_stays(tmp_path, lines):
    workspace, record = make_dataset(tmp_path, VIEWS)
    before = files_of(workspace)
    with pytest.raises(DataError, match="Nothing usable") as caught:
        import_jsonl(workspace, "fetal", write_lines(tmp_path / "bad.jsonl", lines), tmp_path / "images", replace=True)
    assert caught.value.reason
    assert caught.value.next_step
    assert files_of(workspace) == before
    assert open_dataset(workspace, "fetal").record == record


def test_a_failed_first_import_leaves_no_dataset(tmp_path):
    with pytest.raises(DataError):
        import_jsonl(Workspace(tmp_path), "x", write_lines(tmp_path / "x.jsonl", ["{"]), tmp_path)
    assert dataset_names(Workspace(tmp_path)) == []


def test_missing_inputs_are_explained(tmp_path):
    file = write_lines(tmp_path / "x.jsonl", [chat_line("Femur/1.png")])
    with pytest.raises(DataError, match="image root"):
        import_jsonl(Workspace(tmp_path), "x", file, tmp_path / "nowhere")
    with pytest.raises(DataError, match="cannot be read"):
        import_jsonl(Workspace(tmp_path), "x", tmp_path / "none.jsonl", tmp_path)
    with pytest.raises(DataError, match="cannot be read"):
        import_jsonl(Workspace(tmp_path), "x", tmp_path, tmp_path)


@pytest.mark.parametrize("shares", [(0.5, 0.1, 0.1), (1.2, -0.1, -0.1), (0.0, 0.5, 0.5)])
def test_impossible_shares_are_refused(tmp_path, shares):
    with pytest.raises(DataError, match="shares"):
        make_dataset(tmp_path, {"Femur": 5}, shares=shares)


def test_progress_is_told_to_the_end(tmp_path):
    seen = []
    make_dataset(tmp_path, {"Femur": 5}, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(number, 5) for number in range(1, 6)]


def test_equal_images_under_two_names_share_a_split_and_are_counted(tmp_path):
    root = tmp_path / "images"
    paths = [write_image(root, f"Femur/{number:02d}.png", png_bytes(number % 20)) for number in range(40)]
    lines = [chat_line(path) for path in paths]
    record = import_jsonl(Workspace(tmp_path), "x", write_lines(tmp_path / "x.jsonl", lines), root)
    splits: dict[str, set[Split]] = {}
    for case in open_dataset(Workspace(tmp_path), "x").cases():
        splits.setdefault(case.sha256, set()).add(case.split)
    assert record.options["identical_images"] == 20
    assert all(len(each) == 1 for each in splits.values())
    assert set.union(*splits.values()) == set(Split)
