from __future__ import annotations

import json
import subprocess
import sys
import threading

import pytest
from data_helpers import make_dataset, png_bytes, write_image

from engine.data.files import import_lock
from engine.data.manifest import open_dataset
from engine.data.verify import verify_dataset
from engine.errors import DataError
from engine.workspace import Workspace


@pytest.mark.parametrize("name", ["../other", "a/b", "", ".hidden", "x" * 65, "a\0b", "\x1b[31m", "a\n"])
def test_a_name_that_is_no_folder_name_is_refused(tmp_path, name):
    with pytest.raises(DataError, match="no name for a dataset") as caught:
        open_dataset(Workspace(tmp_path), name)
    assert "\x1b" not in str(caught.value)


def test_a_dataset_that_is_not_there_names_those_that_are(tmp_path):
    workspace, _ = make_dataset(tmp_path, {"Femur": 5})
    with pytest.raises(DataError, match="no dataset named other") as caught:
        open_dataset(workspace, "other")
    assert "fetal" in caught.value.reason
    assert "data import" in caught.value.next_step


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"format": 99}', b'{"format": 1}', b'{"format": 1, "record": {"x": 1}}', b"\xff"]
)
def test_a_damaged_manifest_is_explained(tmp_path, content):
    workspace, _ = make_dataset(tmp_path, {"Femur": 5})
    (workspace.dataset("fetal") / "manifest.json").write_bytes(content)
    with pytest.raises(DataError, match="damaged") as caught:
        open_dataset(workspace, "fetal")
    assert "--replace" in caught.value.next_step


def test_a_damaged_manifest_can_be_replaced_but_not_in_silence(tmp_path):
    workspace, record = make_dataset(tmp_path, {"Femur": 5})
    (workspace.dataset("fetal") / "manifest.json").write_bytes(b"{")
    with pytest.raises(DataError, match="exists already"):
        make_dataset(tmp_path, {"Femur": 5})
    _, again = make_dataset(tmp_path, {"Femur": 5}, replace=True)
    assert again.fingerprint == record.fingerprint


@pytest.mark.parametrize("damage", ["cut", "empty", "gone", "text"])
def test_a_damaged_case_file_is_explained(tmp_path, damage):
    workspace, _ = make_dataset(tmp_path, {"Femur": 5})
    file = workspace.dataset("fetal") / "cases.arrow"
    data = file.read_bytes()
    if damage == "gone":
        file.unlink()
    else:
        file.write_bytes({"cut": data[: len(data) // 2], "empty": b"", "text": b"hello" * 100}[damage])
    with pytest.raises(DataError, match=r"cases\.arrow"):
        open_dataset(workspace, "fetal").cases()


def test_the_case_file_of_another_import_is_refused(tmp_path):
    workspace, _ = make_dataset(tmp_path, {"Femur": 5})
    make_dataset(tmp_path, {"Femur": 6}, name="other")
    (workspace.dataset("other") / "cases.arrow").replace(workspace.dataset("fetal") / "cases.arrow")
    with pytest.raises(DataError) as caught:
        open_dataset(workspace, "fetal").cases()
    assert "another import" in caught.value.reason


def test_an_import_leaves_no_temporary_files(tmp_path):
    workspace, _ = make_dataset(tmp_path, {"Femur": 5})
    assert {file.name for file in workspace.dataset("fetal").iterdir()} == {
        "manifest.json",
        "cases.arrow",
        "problems.json",
        "tolerances.json",
        "files.json",
    }


def test_a_second_import_of_the_same_name_waits_for_nobody(tmp_path):
    with import_lock(Workspace(tmp_path / "workspace"), "fetal"), pytest.raises(DataError, match="is running"):
        make_dataset(tmp_path, {"Femur": 5})
    make_dataset(tmp_path, {"Femur": 5})


def test_roots_within_the_workspace_follow_it_when_it_moves(tmp_path):
    inside = tmp_path / "workspace"
    workspace, record = make_dataset(inside, {"Femur": 5})
    assert record.image_root.startswith("/")
    moved = Workspace(tmp_path / "moved")
    workspace = Workspace(inside)
    from engine.data.importers.jsonl import import_jsonl

    import_jsonl(workspace, "here", inside / "fetal.jsonl", inside / "images")
    inside.rename(moved.root)
    assert open_dataset(moved, "here").record.image_root == "images"
    assert all(case.file.is_file() for case in open_dataset(moved, "here").cases())


def test_a_check_finds_what_has_changed_since_the_import(tmp_path):
    workspace, _ = make_dataset(tmp_path, {"Femur": 5})
    root = tmp_path / "images"
    write_image(root, "Femur/Femur_001.png", png_bytes(123_456))
    (root / "Femur" / "Femur_003.png").unlink()
    seen = []
    found = verify_dataset(open_dataset(workspace, "fetal"), lambda done, total: seen.append((done, total)))
    assert [(problem.item, problem.reason) for problem in found] == [
        ("Femur/Femur_001.png", "the image's bytes have changed since the import"),
        ("Femur/Femur_003.png", "the image file is missing"),
    ]
    assert seen[-1] == (5, 5)


def test_an_interrupted_check_leaves_the_other_images_alone(tmp_path, monkeypatch):
    workspace, _ = make_dataset(tmp_path, {"Femur": 60})
    dataset = open_dataset(workspace, "fetal")
    told, looked = threading.Event(), []

    def look(_dataset, case, _known):
        looked.append(case)
        if len(looked) > 1:
            told.wait(20)
        return "damaged"

    def interrupt(_done, _total):
        threading.Timer(0.05, told.set).start()
        raise KeyboardInterrupt

    monkeypatch.setattr("engine.data.verify._look", look)
    with pytest.raises(KeyboardInterrupt):
        verify_dataset(dataset, interrupt)
    assert len(looked) < 10


def test_opening_reads_the_manifest_without_heavy_libraries(tmp_path):
    workspace, _ = make_dataset(tmp_path, {"Femur": 5})
    code = (
        "import sys, json; from engine.data.manifest import open_dataset; from engine.workspace import Workspace;"
        f"d = open_dataset(Workspace.find({str(workspace.root)!r}), 'fetal'); d.counts(); d.problems;"
        "light = sorted(sys.modules); d.cases(); print(json.dumps([light, sorted(sys.modules)]))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    light, full = (set(names) for names in json.loads(out))
    assert not light & {"numpy", "pyarrow", "PIL", "pandas", "torch", "datasets", "sqlite3", "engine.store"}
    assert "pyarrow" in full
    assert not full & {"pandas", "torch", "datasets", "transformers"}
