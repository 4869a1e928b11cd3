"""No file outside the image root is read: at import, and days later, when a link may lie where a picture lay."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from fuzzing import LIBRARIES, opened_files
from PIL import Image

from engine.data.arrow import write_cases
from engine.data.images import load_image
from engine.data.importers.hf_files import find_shards, read_schema
from engine.data.importers.jsonl import import_chat_lines
from engine.data.importers.request import SourceOptions
from engine.data.importers.start import start_import
from engine.data.manifest import CASES, case_key, open_dataset
from engine.data.paths import MAX_PATH, RejectedError, normalise_path, open_regular
from engine.data.preview import load_preview
from engine.data.quality.signature import sign_image
from engine.data.verify import verify_dataset
from engine.errors import DataError, SonotuneError, StoreError
from engine.jobs.devices import Device
from engine.jobs.dispatch import child_environment, python_module, start_job
from engine.store.reader import Reader
from engine.store.writer import Writer
from engine.training.start import ENVIRONMENT
from engine.types import Case, DatasetRecord, JobKind, State
from engine.workspace import Workspace

sys.path.append(str(Path(__file__).resolve().parents[1] / "engine"))
from data_helpers import eight_lines, make_dataset, png_bytes, write_image, write_lines
from store_helpers import add_run

HOSTILE_PATHS = (
    "../secret.png", "Femur/../../secret.png", "..\\secret.png", "Femur/..\\..\\secret.png", "/etc/passwd", "//etc/passwd",
    "/dev/zero", "/proc/self/environ", "C:\\secret.png", "c:secret.png", "\\\\host\\share\\x.png", "out/secret.png", "OUT/Secret.PNG",
    "Femur/link.png", "femur/LINK.jpg", "Femur/pipe.png", "Femur/zero.png", "Femur/loop.png", "Femur/\u2024\u2024/secret.png",
    "\uff0e\uff0e/secret.png", "Femur/\uff0e\uff0e\uff0fsecret.png", "Femur/.. /secret.png", "Femur/..%2fsecret.png", "~/secret.png",
    "Femur/secret.png.", "Femur/" + "a/" * 3000 + "x.png", "Femur/" + " " * 5000 + "x.png", "file:///etc/passwd", "Femur/\0/../../secret.png",
)  # fmt: skip


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An image root with a picture in it, a secret beside it, and everything that could lead there."""
    root = tmp_path / "root"
    write_image(root, "Femur/a.png")
    (tmp_path / "outside").mkdir()
    for secret in (tmp_path / "secret.png", tmp_path / "outside" / "secret.png"):
        secret.write_bytes(png_bytes(99))
    (root / "out").symlink_to(tmp_path / "outside")
    (root / "Femur" / "link.png").symlink_to(tmp_path / "secret.png")
    (root / "Femur" / "zero.png").symlink_to("/dev/zero")
    (root / "Femur" / "loop.png").symlink_to("loop.png")
    os.mkfifo(root / "Femur" / "pipe.png")
    return root


def outside(seen: list[tuple[str, bool]], *allowed: Path) -> list[str]:
    """Files that were opened elsewhere than below `allowed` and Python's own folders."""
    known = [os.path.realpath(path) for path in (*allowed, *LIBRARIES)]
    return [path for path, _ in seen if not any(os.path.realpath(path).startswith(each) for each in known)]


def test_no_hostile_path_of_a_source_opens_anything_outside(tmp_path: Path, root: Path) -> None:
    lines = [line for path in ("Femur/a.png", *HOSTILE_PATHS) for line in eight_lines(path)]
    (tmp_path / "in").mkdir()
    file = write_lines(tmp_path / "in" / "x.jsonl", lines)
    workspace = Workspace(tmp_path / "workspace")
    with opened_files() as seen:
        record = start_import(workspace, "x", file, root, "auto", None, SourceOptions())
    assert record.images == 1
    assert not outside(seen, root, tmp_path / "in", workspace.root)
    assert len(open_dataset(workspace, "x").problems) >= len(HOSTILE_PATHS)


def test_long_paths_are_refused_before_they_are_compared() -> None:
    assert normalise_path("a/" * 2000 + "b.png")
    with pytest.raises(RejectedError, match="more than 4,096 characters"):
        normalise_path("a" * (MAX_PATH + 1))


# ----- later: what was sound at the import is a link, a pipe or a bomb when it is read


def dataset(tmp_path: Path) -> tuple[Workspace, DatasetRecord, list[Case]]:
    workspace, record = make_dataset(tmp_path, {"Femur": 12})
    (tmp_path / "secret.png").write_bytes(png_bytes(99))
    return workspace, record, open_dataset(workspace, record.name).cases()


def to_link(file: Path, secret: Path) -> None:
    file.unlink()
    file.symlink_to(secret)


def to_pipe(file: Path, _secret: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def to_device(file: Path, _secret: Path) -> None:
    file.unlink()
    file.symlink_to("/dev/zero")


def to_linked_folder(file: Path, secret: Path) -> None:
    aside = secret.with_name("elsewhere")
    file.parent.rename(aside)
    file.parent.symlink_to(aside)


SWAPS = (to_link, to_pipe, to_device, to_linked_folder)


@pytest.mark.parametrize("swap", SWAPS)
def test_a_file_swapped_after_the_import_is_not_read(tmp_path: Path, swap: Callable[[Path, Path], None]) -> None:
    workspace, record, cases = dataset(tmp_path)
    case = cases[3]
    assert load_image(case.file, 64, root=case.image_root).width
    swap(case.file, tmp_path / "secret.png")
    with pytest.raises(DataError, match="cannot be decoded") as caught:
        load_image(case.file, 64, root=case.image_root)
    assert caught.value.reason in ("not a regular file", "a link leads out of the image root")
    if swap is not to_linked_folder:
        with pytest.raises(DataError):
            load_preview(case.file, 20, 20)
    assert isinstance(sign_image(case.image_root, case.path, case.sha256), str)
    problems = verify_dataset(open_dataset(workspace, record.name))
    assert case.path in {problem.item for problem in problems}


@pytest.mark.parametrize("swap", SWAPS)
def test_training_and_evaluation_refuse_it_too(tmp_path: Path, swap: Callable[[Path, Path], None]) -> None:
    from engine.training.pixels import Geometry, PixelStore, root_of

    _, _, cases = dataset(tmp_path)
    store = PixelStore(
        [case.file for case in cases], 64, Geometry(16, 2, 2, (0.5,) * 3, (0.5,) * 3, 1 / 255), root=root_of(cases)
    )
    swap(cases[3].file, tmp_path / "secret.png")
    with pytest.raises(DataError):
        store.image(3)


def test_a_link_within_the_root_is_fine(tmp_path: Path) -> None:
    """People keep their pictures once and link them into the folders of views."""
    _, _, cases = dataset(tmp_path)
    first, second = cases[0], cases[1]
    second.file.unlink()
    second.file.symlink_to(first.file)
    assert load_image(second.file, 64, root=second.image_root).tobytes() == load_image(first.file, 64).tobytes()
    with open_regular(second.file, second.image_root) as stream:
        assert stream.read(4) == b"\x89PNG"


def test_a_foreign_case_file_leads_nowhere_else(tmp_path: Path) -> None:
    """Whoever can write cases.arrow of a workspace cannot make its next user read other files."""
    workspace, record, cases = dataset(tmp_path)
    for path in ("../secret.png", "/etc/passwd", "Femur/../../secret.png", "Femur\\a.png"):
        hostile = [Case(0, path, cases[0].file, "Femur", cases[0].split, cases[0].answers, "0" * 64, 4, 3)]
        write_cases(workspace.dataset(record.name) / CASES, hostile, case_key(record))
        with pytest.raises(DataError, match="cannot be used"):
            open_dataset(workspace, record.name).cases()


@pytest.mark.parametrize("name", ["../../etc", "a/b", "..", ".", "/etc", "a\0b", "x\n", ".hidden", ""])
def test_no_name_of_a_dataset_is_a_path(tmp_path: Path, name: str) -> None:
    for act in (
        lambda: open_dataset(Workspace(tmp_path), name),
        lambda: import_chat_lines(Workspace(tmp_path), name, tmp_path / "x", tmp_path, SourceOptions()),
    ):
        with pytest.raises(SonotuneError):
            act()
    assert not list(tmp_path.iterdir())


def test_a_data_file_of_a_saved_dataset_that_is_a_pipe_or_lies_elsewhere_is_refused(tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "saved", tmp_path / "elsewhere.arrow"
    folder.mkdir()
    elsewhere.write_bytes(b"secret")
    os.mkfifo(folder / "pipe.arrow")
    (folder / "link.arrow").symlink_to(elsewhere)
    (folder / "link.parquet").symlink_to(elsewhere)
    for name in ("pipe.arrow", "link.arrow", "link.parquet"):
        (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": name}]}))
        with pytest.raises(DataError, match="cannot be read") as caught:
            read_schema(folder, find_shards(folder)[0])
        assert "regular file" in caught.value.reason or "leads out" in caught.value.reason


def test_pictures_that_unfold_to_gigabytes_are_refused_before_they_are_decoded(tmp_path: Path) -> None:
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0))
    bomb = tmp_path / "bomb.png"
    bomb.write_bytes(
        b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 10_000_000)) + chunk(b"IEND", b"")
    )
    assert bomb.stat().st_size < 20_000
    for act in (lambda: load_image(bomb), lambda: load_preview(bomb, 20, 20)):
        with pytest.raises(DataError, match="cannot be"):
            act()
    assert Image.MAX_IMAGE_PIXELS is not None, "Pillow's own limit stays on as well"


# ----- somebody else's runs.db


@pytest.mark.parametrize(
    "directory", ["../../etc", "/etc", "outputs/../..", "outputs", ".", "datasets/x", "outputs/link"]
)
def test_no_row_leads_a_job_out_of_outputs(tmp_path: Path, directory: str) -> None:
    workspace = Workspace(tmp_path / "workspace")
    (workspace.outputs).mkdir(parents=True)
    (workspace.outputs / "link").symlink_to(tmp_path)
    with pytest.raises((StoreError, ValueError)):
        workspace.job_folder(directory)


def test_outputs_may_lie_on_another_disk(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "workspace").mkdir()
    (tmp_path / "workspace" / "outputs").symlink_to(tmp_path / "disk")
    workspace = Workspace(tmp_path / "workspace")
    assert workspace.job_folder("outputs/00001-x") == workspace.root / "outputs" / "00001-x"


def test_a_hostile_row_is_not_started_and_does_not_stop_the_queue(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    with Writer.open(workspace) as writer:
        hostile, sound = add_run(writer, "hostile"), add_run(writer, "sound")
    with sqlite3.connect(workspace.database) as connection:
        connection.execute("UPDATE runs SET directory = '../../../tmp/x' WHERE id = ?", (hostile,))
    with Reader(workspace) as reader:
        jobs, broken = reader.sound_jobs()
        assert [job.id for job in jobs] == [sound]
        assert len(broken) == 1
        assert "directory" in broken[0]
        with pytest.raises(StoreError, match="none of its jobs"):
            workspace.job_folder(reader.run(hostile).directory)


def test_a_folder_that_is_a_link_out_of_outputs_fails_its_job_and_is_not_written(tmp_path: Path) -> None:
    workspace, elsewhere = Workspace(tmp_path / "workspace"), tmp_path / "elsewhere"
    elsewhere.mkdir()
    with Writer.open(workspace) as writer, Reader(workspace) as reader:
        run = add_run(writer, "x")
        workspace.outputs.mkdir()
        (workspace.root / reader.run(run).directory).symlink_to(elsewhere)
        device = Device("cpu", "a CPU", 2**30, "")
        command = [sys.executable, "-c", "raise SystemExit('started')"]
        assert start_job(workspace, writer, reader.job(JobKind.TRAINING, run), device, lambda *_: command) is None
        failed = reader.run(run)
        assert failed.state == State.FAILED
        assert "none of its jobs" in (failed.error_detail or "")
    assert not list(elsewhere.iterdir())


def test_no_code_of_a_workspace_is_imported_by_its_jobs(tmp_path: Path) -> None:
    """A torch.py, or an `engine` of its own, in the folder that a job starts in."""
    trace = tmp_path / "trace"
    for name in ("torch.py", "sitecustomize.py", "engine.py", "numpy.py"):
        (tmp_path / name).write_text(f"open({str(trace)!r}, 'w')")
    child = subprocess.run(
        [*python_module("engine.jobs"), "--workspace", str(tmp_path), "--idle-exit", "0"],
        cwd=tmp_path,
        env=child_environment(),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert child.returncode == 0, child.stderr
    assert not trace.exists()


def test_generated_code_is_not_kept_in_the_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.training.start import prepare_environment

    for name in ("UNSLOTH_COMPILE_LOCATION", "TORCHINDUCTOR_CACHE_DIR", *ENVIRONMENT):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    before = dict(os.environ)
    try:
        prepare_environment()
        for name in ("UNSLOTH_COMPILE_LOCATION", "TORCHINDUCTOR_CACHE_DIR"):
            assert Path(os.environ[name]).is_relative_to(tmp_path / "cache" / "sonotune")
    finally:
        os.environ.clear()
        os.environ.update(before)
