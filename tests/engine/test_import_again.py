"""Importing a source again: what is read, what stays, what is asked."""

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from clinical_data import HEADS, Clinical, build_clinical, sheet_row, write_sheet
from data_helpers import png_bytes, write_image
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data.importers import known_files
from engine.data.importers.report import ImportReport, read_report
from engine.data.importers.request import SourceOptions
from engine.data.importers.sheet import import_sheet
from engine.data.importers.stable_split import continue_split
from engine.data.manifest import open_dataset
from engine.data.split import DEFAULT_SHARES, SplitKey, stratified_split
from engine.errors import DataError
from engine.types import DatasetRecord, Split
from engine.workspace import Workspace

FREE = SourceOptions(measured=lambda record: 0)
"""Nothing was measured on any dataset."""


@pytest.fixture(autouse=True)
def settled_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of a test are younger than those that a stamp is trusted for."""
    monkeypatch.setattr(known_files, "SETTLED_SECONDS", -1.0)


class Source:
    """A sheet that is mended and imported again."""

    def __init__(self, folder: Path, images: int = 120) -> None:
        self.data: Clinical = build_clinical(folder, images)
        self.workspace = Workspace(folder / "workspace")
        self.rows = {path: sheet_row(path, given) for path, given in self.data.answers.items()}

    def bring_in(self, options: SourceOptions = FREE) -> tuple[DatasetRecord, ImportReport]:
        write_sheet(self.data.sheet, [HEADS, *self.rows.values()])
        record = import_sheet(self.workspace, "x", self.data.sheet, self.data.root, options)
        return record, read_report(self.workspace.dataset("x"), record.fingerprint)

    def splits(self) -> dict[str, Split]:
        return {case.path: case.split for case in open_dataset(self.workspace, "x").cases()}

    def break_rows(self, count: int) -> list[str]:
        """Misspell the file name of some rows beyond what is forgiven."""
        paths = sorted(self.rows)[:: len(self.rows) // count][:count]
        for path in paths:
            self.rows[path][1] = f"lost {self.rows[path][1]}"
        return paths

    def mend(self, path: str) -> None:
        self.rows[path] = sheet_row(path, self.data.answers[path])


def test_mending_three_rows_reads_three_files_and_says_what_changed(tmp_path: Path) -> None:
    source = Source(tmp_path)
    broken = source.break_rows(15)
    first, report = source.bring_in()
    assert (first.images, first.problems, report.changes) == (105, 15, None)
    assert (report.files_read, report.files_known) == (105, 0)
    for path in broken[:3]:
        source.mend(path)
    second, report = source.bring_in()
    assert (second.images, second.problems) == (108, 12)
    assert (report.files_read, report.files_known) == (3, 105)
    assert report.changes is not None
    assert dataclasses.astuple(report.changes) == (3, 12, 0, 3, 0, 0)


def test_the_content_fingerprint_is_that_of_a_full_import(tmp_path: Path) -> None:
    source = Source(tmp_path)
    for path in source.break_rows(6):
        source.bring_in()
        source.mend(path)
    record, _ = source.bring_in()
    whole = import_sheet(source.workspace, "whole", source.data.sheet, source.data.root, FREE)
    assert record.fingerprint == whole.fingerprint


def test_images_keep_their_split_when_others_come_in(tmp_path: Path) -> None:
    source = Source(tmp_path, images=200)
    broken = source.break_rows(60)
    source.bring_in()
    before = source.splits()
    for path in broken:
        source.mend(path)
    source.bring_in()
    after = source.splits()
    assert {path: after[path] for path in before} == before
    assert len(after) == 200
    fresh = import_sheet(source.workspace, "fresh", source.data.sheet, source.data.root, FREE)
    drawn = {case.path: case.split for case in open_dataset(source.workspace, "fresh").cases()}
    assert any(drawn[path] != before[path] for path in before)  # drawing anew would have moved some
    assert fresh.images == 200
    counts = Counter(after.values())
    assert abs(counts[Split.TRAIN] - 160) <= len(set(source.data.answers)) * 0.06


def test_a_changed_file_is_read_and_an_unchanged_one_is_not(tmp_path: Path) -> None:
    source = Source(tmp_path)
    first, _ = source.bring_in()
    path = sorted(source.data.answers)[7]
    split = source.splits()[path]
    (source.data.root / path).write_bytes(png_bytes(987_654, 24, 24))
    second, report = source.bring_in()
    assert (report.files_read, report.files_known) == (1, 119)
    assert second.fingerprint != first.fingerprint
    assert report.changes is not None
    assert report.changes.changed == 1
    assert source.splits()[path] == split  # exported anew, it is still that image
    _, report = source.bring_in(dataclasses.replace(FREE, reread=True))
    assert (report.files_read, report.files_known) == (120, 0)


def test_a_file_replaced_under_an_equal_size_and_time_is_read(tmp_path: Path) -> None:
    source = Source(tmp_path)
    first, _ = source.bring_in()
    files = [source.data.root / path for path in sorted(source.data.answers)]
    file, facts = files[0], files[0].stat()
    other = next(each for each in files[1:] if each.stat().st_size == facts.st_size)
    swapped = file.with_suffix(".new")
    swapped.write_bytes(other.read_bytes())
    os.utime(swapped, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    swapped.replace(file)
    second, report = source.bring_in()
    assert report.files_read == 1
    assert second.fingerprint != first.fingerprint


def test_a_file_changed_a_moment_ago_is_not_trusted_next_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_files, "SETTLED_SECONDS", 3600.0)
    source = Source(tmp_path)
    old = source.data.root / sorted(source.data.answers)[0]
    os.utime(old, (1_700_000_000, 1_700_000_000))
    source.bring_in()
    _, report = source.bring_in()
    assert (report.files_read, report.files_known) == (119, 1)


@pytest.mark.parametrize("damage", [b"{", b"[]", b'{"format": 1}', b"\xff", None])
def test_without_its_notes_an_import_reads_everything_and_gives_the_same(tmp_path: Path, damage: bytes | None) -> None:
    source = Source(tmp_path)
    first, _ = source.bring_in()
    notes = source.workspace.dataset("x") / known_files.FILES
    if damage is None:
        notes.unlink()
    else:
        notes.write_bytes(damage)
    second, report = source.bring_in()
    assert second == first
    assert report.files_read == 120


def test_replacing_needs_no_permission_until_something_was_measured(tmp_path: Path) -> None:
    source = Source(tmp_path)
    path = source.break_rows(2)[0]
    first, _ = source.bring_in()
    source.mend(path)
    asked: list[str] = []

    def two(record: DatasetRecord) -> int:
        asked.append(record.fingerprint)
        return 2

    with pytest.raises(DataError, match="exists already") as caught:
        source.bring_in(SourceOptions(measured=two))
    assert "2 runs or evaluations belong to it" in caught.value.reason
    assert asked == [first.fingerprint]
    assert open_dataset(source.workspace, "x").record == first
    with pytest.raises(DataError, match="exists already"):
        source.bring_in(SourceOptions())  # nobody can say
    second, _ = source.bring_in(SourceOptions(measured=two, replace=True))
    assert second.images == first.images + 1


def test_another_source_under_the_same_name_always_needs_permission(tmp_path: Path) -> None:
    source = Source(tmp_path)
    first, _ = source.bring_in()
    other = build_clinical(tmp_path / "other", images=60, seed=1)
    with pytest.raises(DataError, match="exists already"):
        import_sheet(source.workspace, "x", other.sheet, other.root, FREE)
    record = import_sheet(source.workspace, "x", other.sheet, other.root, dataclasses.replace(FREE, replace=True))
    assert read_report(source.workspace.dataset("x"), record.fingerprint).changes is None
    assert record.images == 60
    assert first.images == 120


def test_another_seed_draws_the_split_anew_and_the_old_seed_is_remembered(tmp_path: Path) -> None:
    source = Source(tmp_path)
    source.bring_in()
    drawn, _ = source.bring_in(dataclasses.replace(FREE, split_seed=5))
    before = source.splits()
    again, _ = source.bring_in()
    assert drawn.split_seed == again.split_seed == 5
    assert source.splits() == before
    fresh = import_sheet(
        source.workspace, "y", source.data.sheet, source.data.root, dataclasses.replace(FREE, split_seed=5)
    )
    assert fresh.split_fingerprint == drawn.split_fingerprint


def test_rows_that_vanish_and_new_faults_are_counted(tmp_path: Path) -> None:
    source = Source(tmp_path)
    source.bring_in()
    paths = sorted(source.rows)
    del source.rows[paths[0]]
    source.rows[paths[1]][1] = "nothing like it.png"
    source.rows[paths[2]][3] = "other structures"
    _, report = source.bring_in()
    assert report.changes is not None
    assert dataclasses.astuple(report.changes) == (0, 0, 1, 0, 2, 1)


def test_a_new_copy_of_a_known_picture_joins_its_split(tmp_path: Path) -> None:
    source = Source(tmp_path)
    source.bring_in()
    splits = source.splits()
    tested = next(path for path, split in splits.items() if split is Split.TEST)
    copy = write_image(source.data.root, "Aorta/copy.png", (source.data.root / tested).read_bytes())
    source.rows[copy] = sheet_row(copy, source.data.answers[tested])
    source.bring_in()
    assert source.splits()[copy] is Split.TEST


KEYS = st.lists(
    st.tuples(st.integers(0, 60), st.sampled_from("AB"), st.sampled_from(("normal", "abnormal"))), max_size=80
)


def keys_of(rows: list[tuple[int, str, str]]) -> list[SplitKey]:
    return [SplitKey(str(identity), view, label) for identity, view, label in rows]


@given(KEYS, KEYS, st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_a_continued_split_moves_nobody_and_parts_no_twins(
    old: list[tuple[int, str, str]], new: list[tuple[int, str, str]], seed: int
) -> None:
    known = dict(zip([row[0] for row in old], stratified_split(keys_of(old), seed), strict=True))
    rows = old + new
    given_splits = [known.get(row[0]) for row in rows]
    splits = continue_split(keys_of(rows), given_splits, seed, DEFAULT_SHARES)
    homes: dict[int, set[Split]] = {}
    for row, split in zip(rows, splits, strict=True):
        homes.setdefault(row[0], set()).add(split)
        assert known.get(row[0], split) == split
    assert all(len(each) == 1 for each in homes.values())


@given(st.integers(0, 40), st.integers(1, 200), st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_new_members_go_where_most_is_missing(have: int, new: int, seed: int) -> None:
    keys = [SplitKey(f"{number}", "A", "normal") for number in range(have + new)]
    given_splits: list[Split | None] = [*[Split.TRAIN] * have, *[None] * new]
    counts = Counter(continue_split(keys, given_splits, seed, DEFAULT_SHARES))
    total = have + new
    for split, share in zip(Split, DEFAULT_SHARES, strict=True):
        if split is Split.TRAIN:
            assert counts[split] >= have
        elif have <= 0.8 * total - 1:
            assert abs(counts[split] - share * total) <= 1
    assert counts.total() == total


def shuffled(order: Callable[[list[int]], list[int]]) -> list[Split]:
    rows = list(range(50))
    keys = {number: SplitKey(f"{number}", "A", "x") for number in rows}
    given_splits = {number: Split.TRAIN if number % 3 == 0 else None for number in rows}
    ordered = order(rows)
    found = continue_split([keys[n] for n in ordered], [given_splits[n] for n in ordered], 1, DEFAULT_SHARES)
    return [split for _, split in sorted(zip(ordered, found, strict=True))]


def test_a_continued_split_does_not_depend_on_the_order_of_rows() -> None:
    assert shuffled(lambda rows: rows) == shuffled(lambda rows: rows[::-1])
