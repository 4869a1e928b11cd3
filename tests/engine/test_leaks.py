"""Leaks: measured images that the training split has too, and what the check says of single images."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from quality_helpers import dataset_of, encoded, phantom

from engine import api
from engine.api import FlagKind, Mark
from engine.data.manifest import Dataset, open_dataset
from engine.data.quality.cache import CheckCache
from engine.data.quality.flags import flag_images
from engine.evaluation.leaks import leak_mark, leaks
from engine.types import Case, Problem, Split
from engine.workspace import Workspace

PATHS = [f"{view}/{view}_{n}.png" for n in range(6) for view in ("Abdomen", "NT-View")]
NEAR, EQUAL = "NT-View/near.png", "NT-View/equal.png"


def split_as(workspace: Workspace, splits: Mapping[str, Split]) -> Dataset:
    """The dataset with exactly this split; what is not named goes into training."""
    api.resplit_dataset(
        workspace,
        "fetal",
        file=Path("given.csv"),
        read_file=lambda _, paths: {path: splits.get(path, Split.TRAIN) for path in paths},
    )
    return open_dataset(workspace, "fetal")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """12 phantoms; a near-duplicate of the first, and a copy of the second byte for byte."""
    files = {path: encoded(phantom(n, 96)) for n, path in enumerate(PATHS)}
    files[NEAR] = encoded(phantom(0, 96).rotate(1))
    files[EQUAL] = files[PATHS[1]]
    return dataset_of(tmp_path, files)


@pytest.fixture
def dataset(workspace: Workspace) -> Dataset:
    """Both copies and two others in the test split, one image in validation, everything else in training."""
    test = dict.fromkeys((NEAR, EQUAL, PATHS[10], PATHS[11]), Split.TEST)
    return split_as(workspace, {**test, PATHS[9]: Split.VALIDATION})


def measured(dataset: Dataset, split: Split = Split.TEST) -> list[Case]:
    return dataset.cases(split)


def test_equal_images_are_known_without_a_check(dataset: Dataset) -> None:
    found = leaks(dataset, measured(dataset))
    assert found is not None
    assert found[0] == 1
    assert found[1].startswith("at least 1 of 4 measured images stand in the training split too (1 equal), such as")
    assert f"{EQUAL} and {PATHS[1]}" in found[1]
    assert found[1].endswith("13 images are not checked yet")


def test_near_duplicates_are_counted_once_they_were_checked(workspace: Workspace, dataset: Dataset) -> None:
    api.check_images(workspace, "fetal")
    assert leak_mark(workspace, dataset, measured(dataset)) == (
        Mark.LEAK,
        "2 of 4 measured images stand in the training split too (1 equal and 1 near-duplicate), such as "
        f"{NEAR} and {PATHS[0]}: figures look better than they are",
    )


def test_a_sample_is_judged_by_its_own_cases(workspace: Workspace, dataset: Dataset) -> None:
    api.check_images(workspace, "fetal")
    clean = [case for case in measured(dataset) if case.path not in (NEAR, EQUAL)]
    assert leaks(dataset, clean) == (0, "none of 2 measured images has a near-duplicate in the training split")
    assert leak_mark(workspace, dataset, clean) is None
    assert leak_mark(workspace, dataset, measured(dataset, Split.VALIDATION)) is None


def test_where_nothing_is_known_nothing_is_said(workspace: Workspace, dataset: Dataset) -> None:
    near = [case for case in measured(dataset) if case.path != EQUAL]
    assert leaks(dataset, near) is None
    assert leak_mark(workspace, dataset, near) is None
    api.check_images(workspace, "fetal")
    found = leaks(dataset, near)
    assert found is not None
    assert found[0] == 1


def test_a_check_half_done_says_at_least(workspace: Workspace, dataset: Dataset) -> None:
    api.check_images(workspace, "fetal")
    cache = CheckCache(dataset.folder)
    wanted = {case.sha256 for case in dataset.cases() if case.path in (NEAR, PATHS[0])}
    kept = [signature for sha256, signature in cache.read().items() if sha256 in wanted]
    (dataset.folder / "checks.arrows").unlink()
    cache.append(kept)
    found = leaks(dataset, [case for case in measured(dataset) if case.path != EQUAL])
    assert found is not None
    assert found[1].startswith("at least 1 of 3 measured images")
    assert found[1].endswith("11 images are not checked yet")


def test_images_of_the_training_split_itself_are_not_counted(workspace: Workspace, dataset: Dataset) -> None:
    api.check_images(workspace, "fetal")
    assert leaks(dataset, measured(dataset, Split.TRAIN)) == (
        0,
        "none of 9 measured images has a near-duplicate in the training split",
    )


def test_duplicates_in_the_same_split_are_no_leak(workspace: Workspace) -> None:
    dataset = split_as(workspace, {NEAR: Split.TEST, PATHS[0]: Split.TEST, PATHS[5]: Split.VALIDATION})
    api.check_images(workspace, "fetal")
    found = leaks(dataset, measured(dataset))
    assert found is not None
    assert found[0] == 0


def test_a_dataset_that_was_split_anew_gets_no_mark(workspace: Workspace, dataset: Dataset) -> None:
    api.check_images(workspace, "fetal")
    cases = measured(dataset)
    assert leak_mark(workspace, dataset, cases) is not None
    split_as(workspace, {PATHS[3]: Split.TEST, PATHS[4]: Split.VALIDATION, NEAR: Split.TEST})
    assert leak_mark(workspace, dataset, cases) is None


def test_paths_in_the_sentence_are_harmless(dataset: Dataset) -> None:
    hostile = [replace(case, path=f"NT-View/\x1b[2J\u202e{'x' * 200}.png") for case in measured(dataset)]
    found = leaks(dataset, hostile)
    assert found is not None
    assert found[1].isprintable()
    assert len(found[1]) < 400


def test_it_needs_no_machine_learning_stack() -> None:
    probe = "import sys, engine.evaluation.leaks; print(sorted({'torch', 'transformers', 'numpy'} & {*sys.modules}))"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# ----- what the check says of single images


def test_images_are_flagged_with_what_they_resemble(workspace: Workspace, dataset: Dataset) -> None:
    before = api.image_flags(workspace, "fetal")
    assert set(before.by_path) == {EQUAL, PATHS[1]}
    assert before.by_path[EQUAL].reason == f"equal to {PATHS[1]} in train"
    api.check_images(workspace, "fetal")
    flags = api.image_flags(workspace, "fetal")
    assert set(flags.by_path) == {EQUAL, PATHS[1], NEAR, PATHS[0]}
    assert flags.crossing_pairs == 2
    report = api.quality_report(workspace, "fetal").duplicates
    assert flags.crossing_pairs == report.near_crossing + report.exact_crossing
    assert flags.by_path[PATHS[0]].kind is FlagKind.CROSSES
    assert flags.by_path[PATHS[0]].reason.startswith(f"near-duplicate of {NEAR} in test, similarity 0.9")


def test_the_gravest_fault_comes_first_and_all_are_named(workspace: Workspace, dataset: Dataset) -> None:
    api.check_images(workspace, "fetal")
    signatures = CheckCache(dataset.folder).read()
    cases = dataset.cases()
    one = next(case for case in cases if case.path == EQUAL)
    changed = {**signatures, one.sha256: replace(signatures[one.sha256], width=20, deviation=0.5)}
    flags = flag_images(dataset.folder, cases, changed, [Problem("manifest", EQUAL, "the image file is missing")])
    flag = flags.by_path[EQUAL]
    assert flag.kind is FlagKind.CHANGED
    parts = flag.reason.split("; ")
    assert [part.split(" ")[0] for part in parts] == ["the", "equal", "blank:", "tiny:"]
    assert (flags.count(FlagKind.CHANGED), flags.count(FlagKind.CROSSES)) == (1, 2 + 1)


def test_many_copies_are_counted_without_looking_at_all_pairs(tmp_path: Path) -> None:
    same = encoded(phantom(1, 80))
    paths = [f"Femur/{n:03}.png" for n in range(30)]
    workspace = dataset_of(tmp_path, {**dict.fromkeys(paths, same), "Femur/x.png": encoded(Image.new("L", (80, 80)))})
    split_as(workspace, dict.fromkeys(paths[:10], Split.TEST) | {paths[10]: Split.VALIDATION})
    flags = api.image_flags(workspace, "fetal")
    assert flags.crossing_pairs == 10 * 19 + 10 + 19
    assert flags.by_path[paths[0]].reason == f"equal to {paths[10]} in validation and 19 more"
    assert "Femur/x.png" not in flags.by_path
