"""An evaluation and its blank-image control, whichever ends first, and both at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from compare_helpers import ABNORMAL, NORMAL, Said, predictions
from store_helpers import add_evaluation, add_run, workspace_at

from engine.evaluation.control import GREY, settle_controls
from engine.evaluation.scores import CHOSEN_HERE, score
from engine.store.reader import Reader
from engine.store.writer import Writer
from engine.types import BLANK, JobKind, Mark, State
from engine.workspace import Workspace

MEANT = [ABNORMAL] * 20 + [NORMAL] * 60


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return workspace_at(tmp_path)


@pytest.fixture
def writer(workspace: Workspace) -> Iterator[Writer]:
    with Writer.open(workspace) as opened:
        yield opened


def running(writer: Writer, run: int, degradation: str | None) -> int:
    evaluation = add_evaluation(
        writer, run, degradation=degradation, protocol=degradation or "clean", clean_protocol_fingerprint="clean"
    )
    writer.update(JobKind.EVALUATION, evaluation, clean_protocol_fingerprint="clean")
    for before, after in ((State.QUEUED, State.STARTING), (State.STARTING, State.RUNNING)):
        assert writer.transition(JobKind.EVALUATION, evaluation, before, after, "test")
    return evaluation


def scored(writer: Writer, evaluation: int, p: list[float], threshold: float) -> None:
    """As far as an evaluation is when it asks for its control: scored, and still running."""
    rows = predictions(MEANT, [Said(NORMAL, each) for each in p])
    writer.add_predictions(evaluation, rows)
    writer.add_scores(evaluation, score("Q7", rows, threshold))
    writer.update(JobKind.EVALUATION, evaluation, threshold=threshold, threshold_source=CHOSEN_HERE)


def told(workspace: Workspace, evaluation: int) -> tuple[float | None, bool]:
    with Reader(workspace) as reader:
        values = {each.name: each.value for each in reader.scores(evaluation) if each.scope == "all"}
        return values.get(GREY), any(mark.kind == Mark.BLIND for mark in reader.marks([evaluation]))


@pytest.mark.parametrize("first", [0, 1])
def test_two_that_finish_at_once_do_not_miss_each_other(workspace: Workspace, writer: Writer, first: int) -> None:
    run = add_run(writer)
    both = clean, blank = running(writer, run, None), running(writer, run, BLANK)
    for each in (both[first], both[1 - first]):
        settle_controls(workspace, writer, each)
        assert told(workspace, clean) == (None, False)  # the other one is not scored yet
        scored(writer, each, [0.3] * 80, 0.5)
        settle_controls(workspace, writer, each)
        if each == both[first]:
            assert told(workspace, clean) == (None, False)
    assert told(workspace, clean) == (0.5, True)
    assert told(workspace, blank) == (None, False)


def test_grey_stands_at_the_threshold_of_the_row_beside_which_it_stands(workspace: Workspace, writer: Writer) -> None:
    run = add_run(writer)
    clean, blank = running(writer, run, None), running(writer, run, BLANK)
    images = [0.9] * 20 + [0.1] * 60
    grey = [0.4] * 20 + [0.2] * 60
    scored(writer, clean, images, 0.3)
    scored(writer, blank, grey, 0.5)
    settle_controls(workspace, writer, blank)
    assert told(workspace, clean)[0] == 1.0
    with Reader(workspace) as reader:
        own = {each.name: each.value for each in reader.scores(blank) if each.scope == "all"}
    assert own["balanced_accuracy"] == 0.5  # at its own threshold, which says nothing about this one
