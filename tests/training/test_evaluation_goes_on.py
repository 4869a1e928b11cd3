"""An evaluation that was broken off goes on where it was, and ends as if it had never been broken."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from evaluation_helpers import Desk, histories, on_first_batch, stored

from engine.errors import ModelError
from engine.evaluation.beginning import FORWARD_PASS
from engine.store.reader import Reader
from engine.types import BLANK, JobKind, Prediction, Reference, Score, Split, State

BATCH = 3
CASES = 12
"""Of the test split, with an answer to Q7."""


class Broken(Exception):  # noqa: N818 - stands for a process that ends in the middle
    pass


def fall() -> None:
    raise Broken


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Pictures of each pass that a model is asked about."""
    from engine.evaluation import answerers

    seen: list[int] = []
    fast = answerers.answer_images
    monkeypatch.setattr(
        answerers, "answer_images", lambda *given, **named: seen.append(len(given[2].sizes)) or fast(*given, **named)
    )
    return seen


def break_after(desk: Desk, batches: int, number: int, *, queue: bool = True) -> None:
    """Let an evaluation's process fall after some batches, and queue the evaluation again where that is wanted."""
    with pytest.MonkeyPatch.context() as patch:
        on_first_batch(patch, fall, after=batches)
        with pytest.raises(Broken):
            desk.evaluate(number)
    assert desk.row(number).state is State.FAILED
    if queue:
        queue_again(desk, number)


def queue_again(desk: Desk, number: int) -> None:
    state = desk.row(number).state
    assert desk.writer.transition(JobKind.EVALUATION, number, state, State.QUEUED, "resumed")


def said(predictions: Sequence[Prediction]) -> list[Prediction]:
    """Without how long it took, which no two attempts have in common."""
    return [replace(each, latency_seconds=0.0) for each in predictions]


def outcome_of(desk: Desk, number: int) -> tuple[list[Prediction], list[Score], list[tuple[str, str, str]], Any]:
    """Everything that an evaluation says, save for its speed and for what others say of it."""
    row = desk.row(number)
    with Reader(desk.workspace) as reader:
        marks = [(mark.kind, mark.scope, mark.detail) for mark in reader.marks([number])]
        scores = [each for each in reader.scores(number) if each.name != "grey"]
        columns = (row.state, row.n, row.threshold, row.threshold_source, row.cut_off, row.unparseable, row.errors)
        return said(reader.predictions(number)), scores, marks, columns


@pytest.mark.parametrize("batches", [1, 3])
def test_a_broken_evaluation_ends_like_an_unbroken_one(desk: Desk, passes: list[int], batches: int) -> None:
    unbroken = desk.queue(Split.TEST, batch=BATCH)
    assert desk.evaluate(unbroken) == 0
    broken = desk.queue(Split.TEST, batch=BATCH)
    break_after(desk, batches, broken)
    before = stored(desk, [broken])[broken]
    spent = desk.row(broken).seconds or 0
    assert len(before) == BATCH * batches
    assert spent > 0
    passes.clear()
    assert desk.evaluate(broken) == 0
    assert sum(passes) == CASES - BATCH * batches
    assert outcome_of(desk, broken) == outcome_of(desk, unbroken)
    kept = [each for each in stored(desk, [broken])[broken] if each.path in {prediction.path for prediction in before}]
    assert kept == before, "down to the latency"
    assert histories(desk, [broken], "goes on") == [f"{BATCH * batches} of {CASES} cases were measured before"]
    row = desk.row(broken)
    assert (row.seconds or 0) > spent
    assert row.seconds_per_image == pytest.approx((row.seconds or 0) / CASES)
    assert json.loads(row.protocol)[FORWARD_PASS] == "shared"


def test_members_of_a_group_may_have_different_cases_left(desk: Desk, passes: list[int]) -> None:
    unbroken = [desk.queue(Split.TEST, each, batch=BATCH) for each in ("Q1", "Q7", "Q3")]
    assert desk.evaluate(unbroken[0]) == 0
    first = desk.queue(Split.TEST, "Q1", batch=BATCH)
    break_after(desk, 3, first, queue=False)  # each falls alone
    second = desk.queue(Split.TEST, "Q7", batch=BATCH)
    break_after(desk, 2, second)
    queue_again(desk, first)
    third = desk.queue(Split.TEST, "Q3", batch=BATCH)
    left = [CASES - len(each) for each in stored(desk, [first, second, third]).values()]
    assert desk.evaluate(first) == 0
    assert left == [CASES - 3 * BATCH, CASES - 2 * BATCH, CASES]
    for one, other in zip((first, second, third), unbroken, strict=True):
        ours, theirs = outcome_of(desk, one), outcome_of(desk, other)
        # Other neighbours in a batch, so other roundings: the texts are equal, probabilities nearly.
        assert [replace(each, p_abnormal=None, probabilities={}) for each in ours[0]] == [
            replace(each, p_abnormal=None, probabilities={}) for each in theirs[0]
        ]
        assert [each.p_abnormal for each in ours[0]] == pytest.approx([each.p_abnormal for each in theirs[0]], abs=1e-5)
        assert [(each.scope, each.name, each.n) for each in ours[1]] == [
            (each.scope, each.name, each.n) for each in theirs[1]
        ]
        assert desk.row(one).n == CASES


def test_the_grey_control_goes_on_by_whole_pictures(desk: Desk) -> None:
    unbroken = desk.queue(Split.TEST, degradation=BLANK, batch=BATCH)
    assert desk.evaluate(unbroken) == 0
    broken = desk.queue(Split.TEST, degradation=BLANK, batch=BATCH)
    break_after(desk, 1, broken)
    assert desk.evaluate(broken) == 0
    assert outcome_of(desk, broken) == outcome_of(desk, unbroken)


def test_what_is_measured_and_not_scored_needs_no_model(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    import engine.evaluation.process as process
    import engine.evaluation.subject as subject

    evaluation = desk.queue(Split.TEST, batch=BATCH)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(process, "finish", lambda *_: fall())
        with pytest.raises(Broken):
            desk.evaluate(evaluation)
    spent = desk.row(evaluation).seconds
    queue_again(desk, evaluation)
    monkeypatch.setattr(subject, "load_subject", lambda *_: pytest.fail("nothing is left to ask"))
    assert desk.evaluate(evaluation) == 0
    row = desk.row(evaluation)
    assert (row.state, row.seconds) == (State.SUCCEEDED, spent)
    assert json.loads(row.protocol)[FORWARD_PASS] == "shared"


def another_adapter(desk: Desk, folder: Path) -> None:
    """As a run leaves it that trained on: other weights under the same name, and their hash in its row."""
    from safetensors.torch import load_file, save_file

    from engine.files import sha256_of

    weights = load_file(folder / "adapter_model.safetensors")
    save_file({name: 2 * value for name, value in weights.items()}, folder / "adapter_model.safetensors")
    digest = sha256_of(folder / "adapter_model.safetensors")
    desk.writer.update(JobKind.TRAINING, desk.run_id, adapter_sha256=digest)


def test_a_run_that_has_trained_on_is_measured_anew(desk: Desk, passes: list[int]) -> None:
    broken = desk.queue(Split.TEST, batch=BATCH)
    break_after(desk, 2, broken)
    before = desk.row(broken).subject_sha256
    with Reader(desk.workspace) as reader:
        another_adapter(desk, desk.workspace.root / reader.run(desk.run_id).directory / "adapter")
    passes.clear()
    assert desk.evaluate(broken) == 0
    assert sum(passes) == CASES
    assert histories(desk, [broken], "goes on") == []
    assert histories(desk, [broken], "begins anew") == [
        f"{2 * BATCH} answers of an earlier attempt are not kept: they come from another adapter"
    ]
    assert desk.row(broken).subject_sha256 not in (None, before)
    unbroken = desk.queue(Split.TEST, batch=BATCH)
    assert desk.evaluate(unbroken) == 0
    assert outcome_of(desk, broken) == outcome_of(desk, unbroken)


@pytest.mark.parametrize("changed", [False, True])
def test_answers_of_a_base_are_kept_while_its_files_stay_what_they_are(
    desk: Desk, passes: list[int], changed: bool, tmp_path: Path
) -> None:
    base = shutil.copytree(desk.recipe.model.id, tmp_path / "base")
    desk.recipe = desk.recipe.model_copy(update={"model": desk.recipe.model.model_copy(update={"id": str(base)})})
    broken = desk.queue(Split.TEST, reference=Reference.BASE, batch=BATCH)
    break_after(desk, 1, broken)
    if changed:
        weights = base / "model.safetensors"
        os.utime(weights, ns=(weights.stat().st_atime_ns, weights.stat().st_mtime_ns + 1))
    passes.clear()
    assert desk.evaluate(broken) == 0
    assert sum(passes) == (CASES if changed else CASES - BATCH)
    assert desk.row(broken).subject_sha256 is None
    assert histories(desk, [broken], "begins anew") == (
        [f"{BATCH} answers of an earlier attempt are not kept: this has changed: base"] if changed else []
    )


def test_a_model_that_changes_while_it_is_read_is_not_measured(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    import engine.evaluation.subject as module

    real = module.load_subject

    def meanwhile(*given: Any) -> Any:
        subject = real(*given)
        config = Path(given[2]) / "adapter_config.json"
        config.write_text(config.read_text().replace('"lora_alpha": 16', '"lora_alpha": 32'))
        return subject

    monkeypatch.setattr(module, "load_subject", meanwhile)
    evaluation = desk.queue(Split.TEST)
    assert desk.evaluate(evaluation) == 1
    assert desk.row(evaluation).error_title == "The model was changed while it was read"


def test_a_failed_load_does_not_cost_what_was_measured(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    import engine.evaluation.subject as module

    broken = desk.queue(Split.TEST, batch=BATCH)
    break_after(desk, 2, broken)

    def fail(*_: Any) -> None:
        raise ModelError("no room")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "load_subject", fail)
        assert desk.evaluate(broken) == 1
    assert len(stored(desk, [broken])[broken]) == 2 * BATCH
    queue_again(desk, broken)
    assert desk.evaluate(broken) == 0
    assert histories(desk, [broken], "goes on") == [f"{2 * BATCH} of {CASES} cases were measured before"] * 2


def test_a_database_that_is_locked_in_the_middle_stops_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluation = desk.queue(Split.TEST, batch=BATCH)
    other = sqlite3.connect(desk.workspace.database, isolation_level=None, check_same_thread=False)
    behind: list[int] = []

    def lock() -> None:
        other.execute("BEGIN EXCLUSIVE")
        threading.Timer(3.0, lambda: other.execute("COMMIT")).start()

    from engine.evaluation import measuring

    keep = measuring._keep

    def counted(member: Any, *given: Any) -> None:
        keep(member, *given)
        behind.append(member.session.recording.behind)

    monkeypatch.setattr(measuring, "_keep", counted)
    on_first_batch(monkeypatch, lock)
    assert desk.evaluate(evaluation) == 0
    other.close()
    assert max(behind) > 0, "batches were measured while nothing could be written"
    assert desk.row(evaluation).state is State.SUCCEEDED
    assert len(stored(desk, [evaluation])[evaluation]) == CASES


def test_hangups_are_nothing_to_an_evaluation(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluation = desk.queue(Split.TEST, batch=BATCH)
    on_first_batch(monkeypatch, lambda: os.kill(os.getpid(), signal.SIGHUP))
    assert desk.evaluate(evaluation) == 0
    assert desk.row(evaluation).state is State.SUCCEEDED
