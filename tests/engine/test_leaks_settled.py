"""Leak marks follow the image check, whenever evaluations have ended; and a report says where nothing is known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cli_helpers import succeed
from quality_helpers import dataset_of, encoded, phantom
from report_helpers import full_workspace
from store_helpers import add_evaluation, add_run, prediction, raw, wait_until

from engine import api
from engine.api.report_facts import read_data
from engine.data.manifest import Dataset, open_dataset
from engine.data.quality import background
from engine.data.quality.background import CheckState, background_check_status
from engine.errors import StoreError
from engine.evaluation import leaks
from engine.evaluation.leaks import mark_leaks, settle_leaks
from engine.reporting.prose.limitations import limitations
from engine.store.reader import Reader
from engine.store.records import MarkRow
from engine.store.writer import Writer
from engine.types import BLANK, Case, JobKind, Mark, Reference, Split, State
from engine.workspace import Workspace

PATHS = [f"{view}/{view}_{n}.png" for n in range(4) for view in ("Abdomen", "NT-View")]
NEAR = "NT-View/near.png"
SENTENCE = f"1 of 2 measured images stand in the training split too (1 near-duplicate), such as {NEAR} and {PATHS[0]}"
NOT_KNOWN = "near-duplicates in the training split is not known"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Eight phantoms and a near-duplicate of the first; it and the last one are the test split."""
    files = {path: encoded(phantom(n, 96)) for n, path in enumerate(PATHS)}
    found = dataset_of(tmp_path, {**files, NEAR: encoded(phantom(0, 96).rotate(1))})
    split_as(found, dict.fromkeys((NEAR, PATHS[7]), Split.TEST) | {PATHS[6]: Split.VALIDATION})
    return found


def split_as(workspace: Workspace, splits: dict[str, Split]) -> None:
    api.resplit_dataset(
        workspace,
        "fetal",
        file=Path("given.csv"),
        read_file=lambda _, paths: {path: splits.get(path, Split.TRAIN) for path in paths},
        replace=True,
    )


@pytest.fixture
def writer(workspace: Workspace) -> Iterator[Writer]:
    with Writer.open(workspace) as opened:
        yield opened


def dataset(workspace: Workspace) -> Dataset:
    return open_dataset(workspace, "fetal")


def measured(
    workspace: Workspace,
    writer: Writer,
    subject: str | Reference,
    split: Split = Split.TEST,
    cases: Sequence[Case] | None = None,
    *,
    ended: bool = True,
    key: str = "",
    **columns: Any,
) -> int:
    """An evaluation of a new run, or a reference row, on a split of the dataset as it is now."""
    reference = subject if isinstance(subject, Reference) else None
    run = None if reference else add_run(writer, subject)
    now = dataset(workspace)
    prints = {"dataset_fingerprint": now.record.fingerprint, "split_fingerprint": now.record.split_fingerprint}
    seen = now.cases(split) if cases is None else cases
    columns = {"cases": key or split.value, "n": len(seen), **prints, **columns}
    evaluation = add_evaluation(writer, run, reference, split=split, dataset="fetal", **columns)
    writer.add_predictions(evaluation, [prediction(case.path) for case in seen])
    if ended:
        succeed(writer, JobKind.EVALUATION, evaluation)
    return evaluation


def sentences(workspace: Workspace, *evaluations: int) -> list[str | None]:
    """The leak mark of each, None where it has none."""
    with Reader(workspace) as reader:
        found = {mark.evaluation_id: mark.detail for mark in reader.marks(evaluations) if mark.kind == Mark.LEAK}
    return [found.get(each) for each in evaluations]


def test_a_check_marks_what_was_measured_before_it(workspace: Workspace, writer: Writer) -> None:
    first, second = measured(workspace, writer, "first"), measured(workspace, writer, "second")
    writer.set_marks(first, [MarkRow(first, Mark.COLLAPSED, "all", "one answer")])
    api.check_images(workspace, "fetal")
    found = sentences(workspace, first, second)
    assert found[0] is not None
    assert found[0].startswith(SENTENCE)
    assert found[1] == found[0]
    with Reader(workspace) as reader:
        assert {mark.kind for mark in reader.marks([first])} == {Mark.COLLAPSED, Mark.LEAK}, "others are left alone"


def test_a_check_in_the_background_does_so_too(workspace: Workspace, writer: Writer) -> None:
    evaluation = measured(workspace, writer, "first")
    assert api.start_background_check(workspace, "fetal")
    wait_until(lambda: background_check_status(workspace, "fetal").state == CheckState.DONE, "it has checked all")
    assert api.check_log(workspace, "fetal") == ""
    assert (sentences(workspace, evaluation)[0] or "").startswith(SENTENCE)


def test_only_runs_on_this_split_and_images_as_they_are(workspace: Workspace, writer: Writer) -> None:
    others = [
        measured(workspace, writer, Reference.BASE),
        measured(workspace, writer, "grey", degradation=BLANK),
        measured(workspace, writer, "old split", split_fingerprint="old"),
        measured(workspace, writer, "old images", dataset_fingerprint="old"),
        measured(workspace, writer, "clean", Split.VALIDATION),
        measured(workspace, writer, "waits", ended=False),
    ]
    api.check_images(workspace, "fetal")
    assert sentences(workspace, *others) == [None] * len(others)


def test_a_mark_that_is_no_longer_true_goes(workspace: Workspace, writer: Writer) -> None:
    evaluation = measured(workspace, writer, "clean", Split.VALIDATION)
    writer.set_marks(evaluation, [MarkRow(evaluation, Mark.LEAK, "all", "at least 1 of 1")])
    api.check_images(workspace, "fetal")
    assert sentences(workspace, evaluation) == [None]


def test_each_evaluation_is_judged_by_its_own_cases_and_each_set_is_read_once(
    workspace: Workspace, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = [measured(workspace, writer, f"run {number}") for number in range(3)]
    clean = [case for case in dataset(workspace).cases(Split.TEST) if case.path != NEAR]
    part = measured(workspace, writer, "part", cases=clean, key="part")
    background.check_images(workspace, "fetal")
    asked: list[int] = []
    real = Reader.measured_paths
    monkeypatch.setattr(Reader, "measured_paths", lambda self, each: asked.append(each) or real(self, each))
    assert settle_leaks(workspace, "fetal") == 3
    assert asked == [whole[0], part]
    assert sentences(workspace, part) == [None]
    assert settle_leaks(workspace, "fetal") == 0, "what stands there already is not written again"


def test_nothing_was_measured_yet(workspace: Workspace) -> None:
    assert settle_leaks(workspace, "fetal") == 0


def test_a_check_that_cannot_settle_is_not_done(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise StoreError("runs.db is locked by another program")

    monkeypatch.setattr(leaks, "settle_leaks", refuse)
    with pytest.raises(StoreError):
        api.check_images(workspace, "fetal")
    assert background_check_status(workspace, "fetal").state == CheckState.INTERRUPTED
    monkeypatch.undo()
    assert api.check_images(workspace, "fetal").decoded == 0, "what it has found is kept"
    assert background_check_status(workspace, "fetal").state == CheckState.DONE


@pytest.mark.parametrize("when", ["while leaks are looked for", "before the mark is written"])
def test_a_check_that_ends_while_an_evaluation_ends_is_not_overwritten(
    workspace: Workspace, writer: Writer, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    evaluation = measured(workspace, writer, "first", ended=False)
    for before, after in ((State.QUEUED, State.STARTING), (State.STARTING, State.RUNNING)):
        writer.transition(JobKind.EVALUATION, evaluation, before, after, "test")
    now = dataset(workspace)
    if when == "before the mark is written":
        real = leaks.leak_mark

        def slow(*given: Any) -> Any:
            found = real(*given)
            monkeypatch.undo()
            api.check_images(workspace, "fetal")
            return found

        monkeypatch.setattr(leaks, "leak_mark", slow)
    else:
        api.check_images(workspace, "fetal")
        assert sentences(workspace, evaluation)[0], "it is at work, and has measured everything"
    found = mark_leaks(workspace, writer, evaluation, now, now.cases(Split.TEST))
    assert found is not None
    assert found[1].startswith(SENTENCE)
    assert sentences(workspace, evaluation) == [found[1]]


def test_one_that_has_not_measured_everything_is_left_to_itself(workspace: Workspace, writer: Writer) -> None:
    evaluation = measured(workspace, writer, "first", ended=False, n=3)
    for before, after in ((State.QUEUED, State.STARTING), (State.STARTING, State.RUNNING)):
        writer.transition(JobKind.EVALUATION, evaluation, before, after, "test")
    api.check_images(workspace, "fetal")
    assert sentences(workspace, evaluation) == [None]


def test_another_split_meanwhile_gets_no_mark_and_no_error(workspace: Workspace, writer: Writer) -> None:
    evaluation, now = measured(workspace, writer, "first"), dataset(workspace)
    cases = now.cases(Split.TEST)
    split_as(workspace, {PATHS[2]: Split.TEST, PATHS[3]: Split.VALIDATION})
    assert mark_leaks(workspace, writer, evaluation, now, cases) is None


# ----- what a report says


def test_known_only_where_the_check_was_done_for_these_images(workspace: Workspace, writer: Writer) -> None:
    evaluation = measured(workspace, writer, "first")
    with Reader(workspace) as reader:
        row = reader.evaluation(evaluation)
    assert not read_data(workspace, row).checked
    background.check_images(workspace, "fetal")
    assert read_data(workspace, row).checked
    status = workspace.dataset("fetal") / background.STATUS
    status.write_text(status.read_text().replace('"done"', '"interrupted"', 1))
    assert not read_data(workspace, row).checked, "all images are known, but the marks may not be settled"


def test_what_is_not_known_is_said_even_beside_a_leak(tmp_path: Path) -> None:
    found = full_workspace(tmp_path, n=16)
    said = " ".join(limitations(api.build_report(found)))
    assert f"Whether these images have {NOT_KNOWN}" in said
    with raw(found) as connection:
        connection.execute(
            "INSERT INTO marks (evaluation_id, kind, scope, detail) SELECT id, 'leak', 'all', 'at least 1' "
            "FROM evaluations WHERE run_id IS NOT NULL AND degradation IS NULL"
        )
    page = api.build_report(found)
    said = " ".join(limitations(page))
    assert "have near-duplicates in the training split of" in said
    assert f"Whether more of these images have {NOT_KNOWN}" in said
    done = replace(page, data=replace(page.data, checked=True))
    assert NOT_KNOWN not in " ".join(limitations(done))
