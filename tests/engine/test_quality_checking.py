from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading

import pytest
from data_helpers import write_image
from quality_helpers import dataset_of, encoded, phantom, signed
from store_helpers import end_process, wait_until

from engine import api
from engine.data.manifest import open_dataset
from engine.data.quality import background, checking
from engine.data.quality.background import CheckState, background_check_status, check_images
from engine.data.quality.cache import CheckCache
from engine.data.quality.checking import check_all
from engine.data.quality.signature import CHANGED
from engine.data.verify import verify_dataset
from engine.errors import DataError
from engine.jobs.lock import WorkerLock, holder
from engine.jobs.process import process_start
from engine.workspace import Workspace

COUNT = 40


def images(count=COUNT):
    return {f"Femur/Femur_{number:03d}.png": encoded(phantom(number, 64)) for number in range(count)}


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    return dataset_of(tmp_path, images())


def cache(workspace) -> CheckCache:
    return CheckCache(workspace.dataset("fetal"))


def test_every_image_is_decoded_once(workspace):
    seen = []
    outcome = check_images(workspace, "fetal", lambda done, total: seen.append((done, total)))
    assert (outcome.images, outcome.decoded, outcome.problems) == (COUNT, COUNT, [])
    assert seen[0] == (0, COUNT)
    assert seen[-1] == (COUNT, COUNT)
    assert set(cache(workspace).read()) == {case.sha256 for case in open_dataset(workspace, "fetal").cases()}
    again = check_images(workspace, "fetal")
    assert (again.decoded, again.images_per_second) == (0, 0.0)


def test_what_is_kept_is_what_was_found(workspace):
    check_images(workspace, "fetal")
    found = cache(workspace).read()
    for path, data in images().items():
        expected = signed(data)
        kept = found[expected.sha256]
        assert (kept.phash, kept.thumbnail, kept.width, kept.fault) == (
            expected.phash,
            expected.thumbnail,
            expected.width,
            None,
        ), path
        assert kept.deviation == pytest.approx(expected.deviation, rel=1e-6)


def test_a_pool_of_processes_finds_the_same(workspace):
    check_all(open_dataset(workspace, "fetal"), processes=2)
    pooled = cache(workspace).read()
    (workspace.dataset("fetal") / "checks.arrows").unlink()
    check_all(open_dataset(workspace, "fetal"), processes=1)
    assert pooled == cache(workspace).read()


def test_a_check_that_is_interrupted_goes_on_from_there(workspace, monkeypatch):
    monkeypatch.setattr(checking, "KEEP_EVERY", 8)

    def interrupt(done, _total):
        if done >= 16:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check_images(workspace, "fetal", interrupt)
    status = background_check_status(workspace, "fetal")
    assert (status.state, status.done, status.total) == (CheckState.INTERRUPTED, 16, COUNT)
    assert len(cache(workspace).read()) == 16
    first = []
    outcome = check_images(workspace, "fetal", lambda done, total: first.append((done, total)))
    assert first[0] == (16, COUNT)
    assert outcome.decoded == COUNT - 16
    assert background_check_status(workspace, "fetal").state == CheckState.DONE


def test_the_pool_lets_go_when_it_is_interrupted(workspace):
    def interrupt(done, _total):
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check_all(open_dataset(workspace, "fetal"), interrupt, processes=2)
    assert 0 < len(cache(workspace).read()) < COUNT, "what was handed out is waited for, the rest is left alone"


@pytest.mark.parametrize("cut", [1, 100, 3000, 20_000])
def test_half_a_batch_costs_that_batch_alone(workspace, monkeypatch, cut):
    monkeypatch.setattr(checking, "KEEP_EVERY", 8)
    check_images(workspace, "fetal")
    file = workspace.dataset("fetal") / "checks.arrows"
    whole = cache(workspace).read()
    file.write_bytes(file.read_bytes()[:-cut])
    left = cache(workspace).read()
    assert len(left) < COUNT
    assert left.items() <= whole.items()
    outcome = check_images(workspace, "fetal")
    assert outcome.decoded == COUNT - len(left)
    assert cache(workspace).read() == whole


@pytest.mark.parametrize("content", [b"", b"junk" * 1000, b"\xff\xff\xff\xff"])
def test_a_cache_that_cannot_be_read_is_made_anew(workspace, content):
    (workspace.dataset("fetal") / "checks.arrows").write_bytes(content)
    assert check_images(workspace, "fetal").decoded == COUNT
    assert len(cache(workspace).read()) == COUNT


def test_results_of_another_version_do_not_count(workspace, monkeypatch):
    check_images(workspace, "fetal")
    monkeypatch.setattr("engine.data.quality.cache.CHECK_VERSION", 2)
    assert cache(workspace).read() == {}
    assert check_images(workspace, "fetal").decoded == COUNT
    assert len(cache(workspace).read()) == COUNT


def test_results_survive_another_import_and_old_ones_go_in_the_end(workspace, tmp_path):
    check_images(workspace, "fetal")
    few = dict(list(images().items())[:10])
    lines = tmp_path / "few.jsonl"
    from data_helpers import eight_lines, write_lines

    write_lines(lines, [line for path in few for line in eight_lines(path)])
    api.import_chat_file(workspace, "fetal", lines, tmp_path / "images", replace=True)
    assert background_check_status(workspace, "fetal").state == CheckState.OUTDATED
    assert check_images(workspace, "fetal").decoded == 0
    assert len(cache(workspace).read()) == 10, "less than half was still of use"


def test_damaged_images_are_reported_with_their_path(tmp_path):
    pictures = images(6)
    whole = pictures["Femur/Femur_002.png"]
    broken = damaged_pixels(whole)
    pictures["Femur/Femur_002.png"] = broken
    workspace = dataset_of(tmp_path, pictures)
    outcome = check_images(workspace, "fetal")
    assert outcome.problems == []
    report = api.quality_report(workspace, "fetal")
    assert [fault.path for fault in report.checks.unreadable] == ["Femur/Femur_002.png"]
    assert "cannot be decoded" in report.checks.unreadable[0].reason
    assert [finding.code for finding in report.findings if finding.severity == "error"] == ["unreadable"]


def damaged_pixels(png: bytes) -> bytes:
    """A PNG whose checksums are right and whose pixels cannot be unpacked: only decoding notices."""
    import struct
    import zlib

    start = png.index(b"IDAT") - 4
    (length,) = struct.unpack_from(">I", png, start)
    body = b"IDAT" + b"\x00" * length
    return (
        png[:start]
        + struct.pack(">I", length)
        + body
        + struct.pack(">I", zlib.crc32(body))
        + png[start + 12 + length :]
    )


def test_files_that_are_gone_or_changed_are_problems_and_nothing_is_kept_of_them(workspace, tmp_path):
    root = tmp_path / "images"
    (root / "Femur" / "Femur_001.png").unlink()
    write_image(root, "Femur/Femur_003.png", encoded(phantom(999, 64)))
    outcome = check_images(workspace, "fetal")
    assert [(problem.item, problem.reason) for problem in outcome.problems] == [
        ("Femur/Femur_001.png", "the image file is missing"),
        ("Femur/Femur_003.png", CHANGED),
    ]
    assert len(cache(workspace).read()) == COUNT - 2
    assert background_check_status(workspace, "fetal").problems == tuple(outcome.problems)
    report = api.quality_report(workspace, "fetal")
    assert report.checks.unchecked == 2
    assert [fault.path for fault in report.checks.changed] == ["Femur/Femur_001.png", "Femur/Femur_003.png"]


def test_equal_files_are_decoded_once_and_one_may_be_gone(tmp_path):
    data = encoded(phantom(1, 64))
    workspace = dataset_of(tmp_path, {"Femur/a.png": data, "Femur/b.png": data, "Femur/c.png": data})
    (tmp_path / "images" / "Femur" / "a.png").unlink()
    outcome = check_images(workspace, "fetal")
    assert (outcome.images, outcome.decoded) == (1, 1)
    assert [problem.item for problem in outcome.problems] == ["Femur/a.png"]


def test_results_that_cannot_be_written_are_an_error_that_says_so(workspace):
    (workspace.dataset("fetal") / "checks.arrows").mkdir()
    with pytest.raises(DataError, match="could not be written"):
        check_images(workspace, "fetal")


def test_verifying_decodes_only_what_the_check_has_not(workspace, monkeypatch):
    decoded = []

    def load(file, *, root):
        decoded.append(file.name)
        return object()

    monkeypatch.setattr("engine.data.verify.load_image", load)
    dataset = open_dataset(workspace, "fetal")
    assert verify_dataset(dataset) == []
    assert len(decoded) == COUNT
    check_images(workspace, "fetal")
    assert verify_dataset(dataset) == []
    assert len(decoded) == COUNT


def test_verifying_leaves_out_what_has_just_been_read(workspace, tmp_path):
    outcome = check_images(workspace, "fetal")
    for name in ("Femur_001.png", "Femur_002.png"):
        (tmp_path / "images" / "Femur" / name).unlink()
    seen = []
    dataset = open_dataset(workspace, "fetal")
    skip = outcome.read - {"Femur/Femur_002.png"}
    found = verify_dataset(dataset, lambda done, total: seen.append((done, total)), skip=skip)
    assert [problem.item for problem in found] == ["Femur/Femur_002.png"]
    assert seen == [(COUNT, COUNT)]


# ----- in the background


def test_a_background_check_outlives_its_starter_and_says_how_far_it_is(workspace):
    assert background_check_status(workspace, "fetal").state == CheckState.NOT_RUN
    assert api.start_background_check(workspace, "fetal")
    wait_until(lambda: background_check_status(workspace, "fetal").state == CheckState.DONE, "it has checked all")
    status = background_check_status(workspace, "fetal")
    assert (status.done, status.total) == (COUNT, COUNT)
    assert status.images_per_second > 0
    assert status.describe().startswith(f"{COUNT} images checked, ")
    assert len(cache(workspace).read()) == COUNT
    assert api.check_log(workspace, "fetal") == ""
    assert not api.start_background_check(workspace, "fetal"), "there is nothing left to do"


SLOW = """
import sys, threading
from pathlib import Path
from engine.data.quality import checking, __main__
checking.KEEP_EVERY = 8
real, looked = checking.look_at, []
def slow(job):
    looked.append(job)
    if len(looked) == 3:
        Path(sys.argv[3], "reached").touch()
        threading.Event().wait(60)
    return real(job)
checking.look_at = slow
sys.exit(__main__.main())
"""


def slow_check(workspace: Workspace) -> subprocess.Popen[bytes]:
    """A background check that stands still after 16 images."""
    code = SLOW.replace("sys.argv[3]", repr(str(workspace.root)))
    words = ["fetal", "--workspace", str(workspace.root)]
    child = subprocess.Popen([sys.executable, "-c", code, *words], start_new_session=True)
    wait_until((workspace.root / "reached").exists, "it is in the middle")
    return child


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_check_that_was_killed_counts_as_interrupted_and_is_resumed(workspace, number):
    child = slow_check(workspace)
    try:
        assert background_check_status(workspace, "fetal").state == CheckState.RUNNING
        assert background_check_status(workspace, "fetal").total == COUNT
        assert not api.start_background_check(workspace, "fetal"), "one at a time"
        os.kill(child.pid, number)
        child.wait(30)
    finally:
        end_process(child.pid, process_start(child.pid))
    status = background_check_status(workspace, "fetal")
    assert status.state == CheckState.INTERRUPTED
    assert status.describe().startswith("check interrupted after ")
    assert len(cache(workspace).read()) == 16
    assert check_images(workspace, "fetal").decoded == COUNT - 16


def test_a_background_check_can_be_stopped_and_another_process_cannot(workspace):
    child = slow_check(workspace)
    try:
        assert api.stop_background_check(workspace, "fetal")
        child.wait(30)
    finally:
        end_process(child.pid, process_start(child.pid))
    assert background_check_status(workspace, "fetal").state == CheckState.INTERRUPTED
    lock = WorkerLock(background._lock_file(workspace, "fetal"))
    assert lock.acquire()
    try:
        assert holder(background._lock_file(workspace, "fetal")).pid == os.getpid()
        assert not api.stop_background_check(workspace, "fetal"), "this very process holds it"
    finally:
        lock.release()


def test_who_checks_while_another_process_does_follows_it_and_does_the_rest(workspace):
    child = slow_check(workspace)
    seen: list[tuple[int, int]] = []
    told = threading.Event()

    def hear(done, total):
        seen.append((done, total))
        told.set()

    outcomes = []
    thread = threading.Thread(target=lambda: outcomes.append(check_images(workspace, "fetal", hear)))
    thread.start()
    try:
        assert told.wait(30)
    finally:
        end_process(child.pid, process_start(child.pid))
        child.wait(30)
    thread.join(30)
    assert seen[0][1] == COUNT
    assert outcomes[0].decoded == COUNT - 16


def test_a_status_that_cannot_be_read_is_no_status(workspace):
    file = workspace.dataset("fetal") / "check.json"
    for content in (b"", b"[]", b"{}", b'{"state": "flying"}', b"\xff" * 9):
        file.write_bytes(content)
        assert background_check_status(workspace, "fetal").state == CheckState.NOT_RUN
    check_images(workspace, "fetal")
    assert json.loads(file.read_bytes())["state"] == "done"


def test_a_check_needs_a_dataset(tmp_path):
    for call in (check_images, background_check_status, api.start_background_check):
        with pytest.raises(DataError, match="no dataset named"):
            call(Workspace(tmp_path), "none")
