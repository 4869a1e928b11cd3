"""Another split of a dataset that is imported already."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from quality_helpers import COPIES, dataset_of, encoded, phantom
from store_helpers import add_evaluation

from engine import api
from engine.data.files import import_lock
from engine.data.labels import case_label
from engine.data.manifest import open_dataset
from engine.data.verify import verify_dataset
from engine.errors import DataError
from engine.store.reader import Reader
from engine.store.writer import Writer
from engine.types import Reference, Split
from engine.workspace import Workspace


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    """80 phantoms of two views, every fifth with a shifted copy."""
    pictures = {f"View{seed % 2}/{seed:03}.png": encoded(phantom(seed)) for seed in range(80)}
    for seed in range(0, 80, 5):
        pictures[f"View{seed % 2}/copy_{seed:03}.png"] = COPIES["shifted"](phantom(seed))
    sick = {path: "Abnormal VSD" for place, path in enumerate(sorted(pictures)) if place % 4 == 0}
    return dataset_of(tmp_path, pictures, Q7=sick)


def splits(workspace: Workspace) -> dict[str, Split]:
    return {case.path: case.split for case in open_dataset(workspace, "fetal").cases()}


def torn(workspace: Workspace) -> int:
    found = splits(workspace)
    return sum(
        found[path] != found[path.replace("/", "/copy_")] for path in found if path.replace("/", "/copy_") in found
    )


def test_near_duplicates_share_a_split_afterwards(workspace):
    before = open_dataset(workspace, "fetal").record
    assert torn(workspace) > 0
    api.check_images(workspace, "fetal")
    crossing = api.quality_report(workspace, "fetal").duplicates.near_crossing
    assert crossing == torn(workspace)
    done = api.resplit_dataset(workspace, "fetal")
    assert torn(workspace) == 0
    assert (done.crossing, done.kept_together) == (0, 16)
    assert 0 < done.moved < 40, "the seed is the same: most images stay where they are"
    assert done.record.fingerprint == before.fingerprint
    assert done.record.split_fingerprint != before.split_fingerprint == done.old_split_fingerprint
    assert done.record.created_at == before.created_at
    assert "near_duplicates_cross" not in {finding.code for finding in api.quality_report(workspace, "fetal").findings}


def test_views_and_labels_stay_in_proportion(workspace):
    def shares():
        return Counter(
            (case.view, case_label(case.answers), case.split) for case in open_dataset(workspace, "fetal").cases()
        )

    before = shares()
    api.resplit_dataset(workspace, "fetal")
    after = shares()
    assert all(abs(after[cell] - before[cell]) <= 2 for cell in before | after), "a group has two images"


def test_files_and_database_agree_and_the_dataset_is_whole(workspace):
    done = api.resplit_dataset(workspace, "fetal", seed=7, shares=(0.6, 0.2, 0.2))
    dataset = open_dataset(workspace, "fetal")
    assert verify_dataset(dataset) == []
    assert (dataset.record.split_seed, dataset.record.options["shares"]) == (7, [0.6, 0.2, 0.2])
    assert done.record == dataset.record
    assert done.counts == dataset.counts()
    with Reader(workspace) as reader:
        assert reader.dataset("fetal") == dataset.record
        rows = reader.image_items("fetal")
    assert {row.path: row.split for row in rows} == {path: str(split) for path, split in splits(workspace).items()}
    counts = Counter(splits(workspace).values())
    assert abs(counts[Split.TRAIN] - 58) <= 2


def test_the_same_words_give_the_same_split(workspace):
    first = api.resplit_dataset(workspace, "fetal", seed=3)
    again = api.resplit_dataset(workspace, "fetal", seed=3)
    assert again.moved == 0
    assert again.record == first.record
    assert api.resplit_dataset(workspace, "fetal", seed=4).moved > 0
    back = api.resplit_dataset(workspace, "fetal", seed=3)
    assert back.record.split_fingerprint == first.record.split_fingerprint


def test_scattering_gives_the_split_of_the_import(workspace):
    before = splits(workspace)
    api.resplit_dataset(workspace, "fetal")
    assert splits(workspace) != before
    done = api.resplit_dataset(workspace, "fetal", keep_near_duplicates=False)
    assert splits(workspace) == before
    assert done.crossing == torn(workspace) > 0


def test_what_was_measured_is_not_moved_from_under_without_a_word(workspace):
    record = open_dataset(workspace, "fetal").record
    with Writer.open(workspace) as writer:
        prints = {"dataset_fingerprint": record.fingerprint, "split_fingerprint": record.split_fingerprint}
        add_evaluation(writer, None, Reference.BASE, dataset="fetal", **prints)
        add_evaluation(writer, None, Reference.BASE, dataset="fetal", split_fingerprint="another")
        add_evaluation(writer, None, Reference.BASE, dataset="other", split_fingerprint=record.split_fingerprint)
        writer.create_run("a", "{}", "fetal", record.fingerprint, record.split_fingerprint, "model", 1)
    assert api.measured_on_split(workspace, "fetal") == api.MeasuredOnSplit(runs=1, evaluations=1, waiting=2)
    before = splits(workspace)
    with pytest.raises(api.MeasuredSplitError) as caught:
        api.resplit_dataset(workspace, "fetal")
    assert "1 runs and 1 evaluations" in caught.value.reason
    assert "2 of them have not ended" in caught.value.reason
    assert "--replace" in caught.value.next_step
    assert splits(workspace) == before
    done = api.resplit_dataset(workspace, "fetal", replace=True)
    assert done.measured.evaluations == 1
    assert api.measured_on_split(workspace, "fetal") == api.MeasuredOnSplit(0, 0, 0)
    with Reader(workspace) as reader:
        assert record.split_fingerprint in {row.split_fingerprint for row in reader.evaluations()}


def test_a_split_that_changes_nothing_needs_no_word(workspace):
    record = open_dataset(workspace, "fetal").record
    with Writer.open(workspace) as writer:
        add_evaluation(writer, None, Reference.BASE, dataset="fetal", split_fingerprint=record.split_fingerprint)
    assert api.resplit_dataset(workspace, "fetal", keep_near_duplicates=False).moved == 0


def test_images_that_were_left_out_stay_listed(tmp_path):
    pictures = {f"Femur/{seed:03}.png": encoded(phantom(seed)) for seed in range(12)}
    pictures["Femur/cut.png"] = encoded(phantom(50))[:-30]
    workspace = dataset_of(tmp_path, pictures)
    problems = open_dataset(workspace, "fetal").problems
    assert len(problems) == 1
    api.resplit_dataset(workspace, "fetal", seed=5)
    assert open_dataset(workspace, "fetal").problems == problems
    with Reader(workspace) as reader:
        assert [path for path, _ in reader.image_problems("fetal")] == ["Femur/cut.png"]


# ----- the user's own split


def given(workspace: Workspace) -> dict[str, Split]:
    return {path: list(Split)[place % 3] for place, path in enumerate(sorted(splits(workspace)))}


def test_a_split_file_is_taken_as_it_is_and_its_crossing_pairs_are_counted(workspace, tmp_path):
    wanted = given(workspace)
    file = tmp_path / "mine.csv"
    file.write_text("path,split\n" + "".join(f"{path},{split}\n" for path, split in wanted.items()))
    api.check_images(workspace, "fetal")
    done = api.resplit_dataset(workspace, "fetal", file=file)
    assert splits(workspace) == wanted
    assert done.crossing == torn(workspace) > 0
    assert done.record.options["split_file"] == "mine.csv"
    assert verify_dataset(open_dataset(workspace, "fetal")) == []


def test_another_reader_of_the_file_may_be_passed(workspace, tmp_path):
    asked = []

    def read(file, paths):
        asked.append((file, set(paths)))
        return given(workspace)

    api.resplit_dataset(workspace, "fetal", file=tmp_path / "x", read_file=read)
    assert asked == [(tmp_path / "x", set(splits(workspace)))]
    assert splits(workspace) == given(workspace)


def test_an_image_without_a_split_is_refused(workspace, tmp_path):
    wanted, before = given(workspace), splits(workspace)
    wanted.pop("View0/000.png")
    with pytest.raises(DataError) as caught:
        api.resplit_dataset(workspace, "fetal", file=tmp_path / "x", read_file=lambda *_: wanted)
    assert "View0/000.png" in caught.value.reason
    assert splits(workspace) == before
    file = tmp_path / "short.json"
    file.write_text(json.dumps({str(split): [p for p, s in wanted.items() if s == split] for split in Split}))
    with pytest.raises(DataError, match="does not fit"):
        api.resplit_dataset(workspace, "fetal", file=file)
    api.resplit_dataset(workspace, "fetal", file=file, rest="train")
    assert splits(workspace) == {**wanted, "View0/000.png": Split.TRAIN}


# ----- what can go wrong


@pytest.mark.parametrize("shares", [(0.5, 0.2, 0.2), (0.0, 0.5, 0.5), (1.2, -0.1, -0.1)])
def test_shares_that_make_no_split_are_refused(workspace, shares):
    with pytest.raises(DataError, match="cannot be used"):
        api.resplit_dataset(workspace, "fetal", shares=shares)


def test_an_import_at_the_same_time_is_not_overwritten(workspace):
    before = splits(workspace)
    with import_lock(workspace, "fetal"), pytest.raises(DataError, match="Another import"):
        api.resplit_dataset(workspace, "fetal")
    assert splits(workspace) == before


def test_a_dataset_that_changed_meanwhile_is_left_as_it_is(workspace, tmp_path):
    def read(_file, _paths):
        wanted = given(workspace)
        api.resplit_dataset(workspace, "fetal", seed=99)
        return wanted

    with pytest.raises(DataError, match="has changed while"):
        api.resplit_dataset(workspace, "fetal", file=tmp_path / "x", read_file=read)
    assert open_dataset(workspace, "fetal").record.split_seed == 99
