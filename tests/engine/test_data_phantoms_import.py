from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter

import psutil
import pytest

from engine.data.files import import_lock
from engine.data.importers import phantom_rendering
from engine.data.importers.phantom_rendering import plan_phantoms
from engine.data.importers.phantoms import import_phantoms
from engine.data.labels import case_verdict
from engine.data.manifest import open_dataset
from engine.data.phantoms import VIEWS
from engine.errors import DataError
from engine.types import QUESTION_IDS, Verdict
from engine.workspace import Workspace

SMALL = {"count": 18, "size": 64, "abnormal_share": 0.3, "processes": 1}


def image_bytes(workspace, name="phantoms"):
    root = workspace.dataset(name) / "images"
    return {file.relative_to(root).as_posix(): file.read_bytes() for file in root.rglob("*.png")}


@pytest.fixture
def renderings(monkeypatch):
    """Paths of the phantoms rendered in this process."""
    seen = []
    real = phantom_rendering._render_one
    monkeypatch.setattr(phantom_rendering, "_render_one", lambda job: seen.append(job[0].path) or real(job))
    return seen


def test_phantoms_become_a_dataset_like_any_other(tmp_path):
    workspace = Workspace(tmp_path)
    record = import_phantoms(workspace, **SMALL)
    dataset = open_dataset(workspace, "phantoms")
    cases = dataset.cases()
    assert (record.kind, record.images, record.problems) == ("phantoms", 18, 0)
    assert record.image_root == "datasets/phantoms/images"
    assert cases[0].path == f"{min(VIEWS)}/{min(VIEWS)}_00001.png"
    assert all((case.width, case.height) == (64, 64) and tuple(case.answers) == QUESTION_IDS for case in cases)
    assert {file.name for file in workspace.dataset("phantoms").iterdir()} == {
        "manifest.json",
        "cases.arrow",
        "problems.json",
        "images",
    }


def test_the_verdict_of_every_answer_is_that_of_the_plan(tmp_path):
    workspace = Workspace(tmp_path)
    import_phantoms(workspace, count=48, size=32, abnormal_share=0.5, seed=11, processes=1)
    verdicts = {case.path: case_verdict(case.answers) for case in open_dataset(workspace, "phantoms").cases()}
    for plan in plan_phantoms(48, 11, 0.5, 32):
        assert verdicts[plan.path] == (Verdict.ABNORMAL if plan.abnormal else Verdict.NORMAL), plan


@pytest.mark.parametrize(("count", "share"), [(600, 0.25), (602, 0.03), (60, 0.0), (60, 1.0), (7, 0.5)])
def test_views_come_in_equal_numbers_with_their_exact_share_of_abnormal_ones(count, share):
    plans = plan_phantoms(count, 0, share, 64)
    views = Counter(plan.view for plan in plans)
    abnormal = Counter(plan.view for plan in plans if plan.abnormal)
    assert sum(views.values()) == len({plan.path for plan in plans}) == len({plan.seed for plan in plans}) == count
    assert max(views.values()) - min(views[view] for view in VIEWS) <= 1
    assert sum(abnormal.values()) == round(count * share)
    assert all(abs(abnormal[view] - views[view] * share) < 1 for view in VIEWS)


def test_file_numbers_do_not_give_the_label_away():
    femurs = [plan.abnormal for plan in plan_phantoms(600, 0, 0.3, 64) if plan.view == "Femur"]
    assert femurs != sorted(femurs)
    assert femurs != sorted(femurs, reverse=True)


def test_the_number_of_processes_changes_nothing(tmp_path):
    one = import_phantoms(Workspace(tmp_path / "one"), **SMALL)
    two = import_phantoms(Workspace(tmp_path / "two"), **{**SMALL, "processes": 2})
    assert (one.fingerprint, one.split_fingerprint) == (two.fingerprint, two.split_fingerprint)
    assert image_bytes(Workspace(tmp_path / "one")) == image_bytes(Workspace(tmp_path / "two"))


def test_another_seed_draws_other_phantoms(tmp_path):
    first = import_phantoms(Workspace(tmp_path), "a", seed=1, **SMALL)
    second = import_phantoms(Workspace(tmp_path), "b", seed=2, **SMALL)
    assert first.fingerprint != second.fingerprint


def test_the_same_request_renders_nothing_the_second_time(tmp_path, renderings):
    rows = []
    record = import_phantoms(Workspace(tmp_path), **SMALL)
    assert len(renderings) == 18
    again = import_phantoms(Workspace(tmp_path), **SMALL, recorder=lambda _, images: rows.extend(images))
    assert again == record
    assert len(renderings) == 18
    assert len(rows) == 18


@pytest.mark.parametrize("damage", [lambda file: file.unlink(), lambda file: file.write_bytes(file.read_bytes()[:-9])])
def test_lost_or_damaged_images_are_rendered_again(tmp_path, renderings, damage):
    workspace = Workspace(tmp_path)
    record = import_phantoms(workspace, **SMALL)
    before = image_bytes(workspace)
    damage(open_dataset(workspace, "phantoms").cases()[3].file)
    assert import_phantoms(workspace, **SMALL) == record
    assert len(renderings) == 36
    assert image_bytes(workspace) == before


def test_other_options_need_replace_and_are_refused_before_rendering(tmp_path, renderings):
    workspace = Workspace(tmp_path)
    record = import_phantoms(workspace, **SMALL)
    before = image_bytes(workspace)
    with pytest.raises(DataError, match="exists already") as caught:
        import_phantoms(workspace, **{**SMALL, "abnormal_share": 0.5})
    assert "abnormal_share is 0.3 there, 0.5 now" in caught.value.reason
    assert len(renderings) == 18
    assert image_bytes(workspace) == before
    replaced = import_phantoms(workspace, **{**SMALL, "abnormal_share": 0.5}, replace=True)
    assert replaced.fingerprint != record.fingerprint
    assert open_dataset(workspace, "phantoms").record == replaced


def test_phantoms_drawn_by_other_code_leave_the_old_ones_untouched(tmp_path, monkeypatch):
    import engine.data.phantoms as generator

    workspace = Workspace(tmp_path)
    record = import_phantoms(workspace, **SMALL)
    before = image_bytes(workspace)
    real = generator.render
    monkeypatch.setattr("engine.data.importers.phantoms.generator_fingerprint", lambda: "newer")
    assert import_phantoms(workspace, **SMALL).fingerprint == record.fingerprint, "new code, same pixels"
    monkeypatch.setattr(generator, "render", lambda seed, **options: real(seed + 1, **options))
    monkeypatch.setattr("engine.data.importers.phantoms.generator_fingerprint", lambda: "newest")
    with pytest.raises(DataError, match="exists already"):
        import_phantoms(workspace, **SMALL)
    assert image_bytes(workspace) == before
    assert not [file for file in workspace.dataset("phantoms").iterdir() if file.name.startswith(".")]


def test_a_rendering_that_fails_leaves_nothing_behind(tmp_path, monkeypatch):
    def fail(job):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(phantom_rendering, "_render_one", fail)
    with pytest.raises(DataError) as caught:
        import_phantoms(Workspace(tmp_path), **SMALL)
    assert "No space left" in caught.value.reason
    assert not Workspace(tmp_path).dataset("phantoms").exists()


def test_what_a_killed_import_left_is_cleared_away_and_mended(tmp_path):
    # Killed between the two renames of the image folder: the old images stand aside, new ones were not yet moved in.
    workspace = Workspace(tmp_path)
    record = import_phantoms(workspace, **SMALL)
    before, folder = image_bytes(workspace), workspace.dataset("phantoms")
    (folder / "images").rename(folder / ".images-old")
    (folder / ".images-new" / "Femur").mkdir(parents=True)
    (folder / ".images-new" / "Femur" / "Femur_00001.png").write_bytes(b"half")
    assert import_phantoms(workspace, **SMALL) == record
    assert image_bytes(workspace) == before
    assert not [file for file in folder.iterdir() if file.name.startswith(".")]


def test_a_killed_import_leaves_no_process_behind_and_the_next_one_works(tmp_path):
    code = (
        "from engine.data.importers.phantoms import import_phantoms\nfrom engine.workspace import Workspace\n"
        f"import_phantoms(Workspace.find({str(tmp_path)!r}), count=20_000, size=96, processes=2)"
    )
    importing = subprocess.Popen([sys.executable, "-c", code])
    workspace = Workspace(tmp_path)
    while not list(workspace.datasets.glob("phantoms/.images-new/*/*.png")):
        assert importing.poll() is None, "the import ended before its first image"
        time.sleep(0.05)
    children = psutil.Process(importing.pid).children(recursive=True)
    importing.kill()
    importing.wait()
    _, alive = psutil.wait_procs(children, timeout=30)
    assert len(children) >= 2
    assert not [child for child in alive if child.status() != psutil.STATUS_ZOMBIE]
    assert import_phantoms(workspace, **SMALL).images == 18
    assert not (workspace.dataset("phantoms") / ".images-new").exists()


def test_options_out_of_range_are_all_named(tmp_path):
    with pytest.raises(DataError) as caught:
        import_phantoms(Workspace(tmp_path), count=0, abnormal_share=2, size=8)
    assert all(name in caught.value.reason for name in ("count", "abnormal_share", "size"))


def test_two_imports_of_one_name_do_not_mix(tmp_path):
    with import_lock(Workspace(tmp_path), "phantoms"), pytest.raises(DataError, match="is running"):
        import_phantoms(Workspace(tmp_path), **SMALL)


def test_progress_reaches_the_total(tmp_path):
    seen = []
    import_phantoms(Workspace(tmp_path), **SMALL, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (18, 18)
    assert seen == sorted(seen)


def test_importers_load_no_heavy_library_before_they_work():
    code = (
        "import sys, json, engine.data.importers.phantoms, engine.data.importers.jsonl, engine.data.verify, "
        "engine.data.sample, engine.data.images; print(json.dumps(sorted(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not set(json.loads(out)) & {"numpy", "PIL", "pyarrow", "torch", "pandas", "datasets", "engine.store"}
