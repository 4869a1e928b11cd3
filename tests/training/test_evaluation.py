from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest
from evaluation_helpers import Desk, histories, on_first_batch, stored

from engine.data.labels import target_text
from engine.data.manifest import open_dataset
from engine.data.sample import stratified_sample
from engine.errors import JobError, ModelError
from engine.evaluation.judging import judge
from engine.evaluation.leaks import KnownLeaks
from engine.evaluation.protocol import SAMPLE_SEED, build_protocol
from engine.evaluation.references import majority_answer
from engine.evaluation.scores import choose
from engine.evaluation.together import companions
from engine.jobs.heartbeat import Heartbeat
from engine.recipe import Recipe
from engine.store.reader import Reader
from engine.store.records import EvaluationRow
from engine.store.writer import Writer
from engine.types import BLANK, Action, JobKind, Mark, Outcome, Reference, Split, State
from engine.workspace import Workspace

Build = Callable[..., Recipe]


def test_every_case_gets_a_stored_answer_with_verdict_and_probabilities(desk: Desk) -> None:
    evaluation = desk.queue(Split.VALIDATION)
    assert desk.evaluate(evaluation) == 0
    row = desk.row(evaluation)
    cases = open_dataset(desk.workspace, "phantoms").cases(Split.VALIDATION, "Q7")
    with Reader(desk.workspace) as reader:
        predictions = reader.predictions(evaluation)
        scores = {(score.scope, score.name) for score in reader.scores(evaluation)}
    assert row.state is State.SUCCEEDED
    assert [prediction.path for prediction in predictions] == sorted(case.path for case in cases)
    assert row.n == len(cases)
    for prediction in predictions:
        assert sum(prediction.probabilities.values()) == pytest.approx(1)
        assert prediction.p_abnormal is not None
        assert 0 <= prediction.p_abnormal <= 1
        assert prediction.generated_tokens <= 4
        assert prediction.latency_seconds > 0
    assert row.cut_off == sum(prediction.cut_off for prediction in predictions)
    assert row.unparseable == sum(prediction.outcome is Outcome.UNPARSEABLE for prediction in predictions)
    # What was cut off before it was an answer is counted apart.
    assert {prediction.outcome for prediction in predictions if prediction.parsed == "unparseable"} <= {
        Outcome.UNPARSEABLE, Outcome.CUT_OFF
    }  # fmt: skip
    assert ("all", "auroc") in scores
    assert row.seconds_per_image == pytest.approx((row.seconds or 0) / len(cases))
    assert (row.tokens_per_second or 0) > 0
    assert (row.load_seconds or 0) > 0
    protocol = json.loads(row.protocol)
    assert protocol.keys() >= {"question", "prompt", "prompt_text", "image_size", "max_new_tokens", "candidates"}


def test_one_process_serves_the_subject_validation_first_and_test_takes_its_threshold(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    import engine.evaluation.subject as module

    loads: list[str] = []
    original = module.load_subject
    monkeypatch.setattr(module, "load_subject", lambda *a: loads.append(a[0]) or original(*a))
    on_train = desk.queue(Split.TRAIN, case_limit=4)
    on_test = desk.queue(Split.TEST)
    on_validation = desk.queue(Split.VALIDATION)
    of_base = desk.queue(Split.TEST, reference=Reference.BASE)
    assert desk.evaluate(on_train) == 0
    assert len(loads) == 1
    test, validation = desk.row(on_test), desk.row(on_validation)
    assert (test.state, validation.state) == (State.SUCCEEDED, State.SUCCEEDED)
    assert test.threshold == validation.threshold
    assert test.threshold_source == f"validation, evaluation {on_validation}"
    assert desk.row(on_train).threshold_source == "default 0.5: no validation evaluation"
    assert desk.row(on_train).n == 4
    assert desk.row(of_base).state is State.QUEUED  # another subject, for another process


def test_protocol_and_cases_are_those_of_the_base_and_of_the_majority(desk: Desk) -> None:
    rows = []
    for reference, batch in ((None, 16), (Reference.BASE, 3), (Reference.MAJORITY, 16)):
        evaluation = desk.queue(Split.TEST, reference=reference, batch=batch)
        assert desk.evaluate(evaluation) == 0
        rows.append(desk.row(evaluation))
    assert len({(row.protocol_fingerprint, row.cases_fingerprint) for row in rows}) == 1
    assert {row.n for row in rows} == {rows[0].n}
    with Reader(desk.workspace) as reader:
        majority = reader.predictions(rows[2].id)
        tuned, base = reader.predictions(rows[0].id), reader.predictions(rows[1].id)
    assert len({(prediction.raw_output, prediction.p_abnormal) for prediction in majority}) == 1
    assert [p.p_abnormal for p in tuned] != pytest.approx([p.p_abnormal for p in base])


def test_batches_do_not_change_what_is_measured(desk: Desk) -> None:
    found = []
    for batch in (1, 6):
        evaluation = desk.queue(Split.VALIDATION, reference=Reference.BASE, batch=batch)
        desk.evaluate(evaluation)
        with Reader(desk.workspace) as reader:
            found.append(reader.predictions(evaluation))
    assert [p.raw_output for p in found[0]] == [p.raw_output for p in found[1]]
    assert [p.p_abnormal for p in found[0]] == pytest.approx([p.p_abnormal for p in found[1]], abs=1e-4)


QUESTIONS = ("Q1", "Q3", "Q5", "Q7")


def test_questions_measured_together_get_what_each_would_get_alone(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.evaluation import answerers

    limits = dict(zip(QUESTIONS, (3, 6, 4, 5), strict=True))
    queue = lambda: [desk.queue(Split.TEST, each, batch=5, max_new_tokens=limits[each]) for each in QUESTIONS]  # noqa: E731
    passes: list[int] = []
    fast = answerers.answer_images
    monkeypatch.setattr(
        answerers, "answer_images", lambda *given, **named: passes.append(len(given[2].sizes)) or fast(*given, **named)
    )
    started = perf_counter()
    together = queue()
    assert desk.evaluate(together[0]) == 0
    wall = perf_counter() - started
    count = desk.row(together[0]).n or 0
    assert passes == [5] * (count // 5) + ([count % 5] if count % 5 else [])
    monkeypatch.setattr(answerers, "tree_refusal", lambda _: "this is a test")
    alone = queue()
    assert desk.evaluate(alone[0]) == 0
    found = stored(desk, [*together, *alone])
    for one, other in zip(together, alone, strict=True):
        assert [(p.path, p.raw_output, p.generated_tokens, p.cut_off) for p in found[one]] == [
            (p.path, p.raw_output, p.generated_tokens, p.cut_off) for p in found[other]
        ]
        assert [p.p_abnormal for p in found[one]] == pytest.approx([p.p_abnormal for p in found[other]], abs=1e-4)
        assert desk.row(one).protocol_fingerprint == desk.row(other).protocol_fingerprint
    rows = [desk.row(each) for each in together]
    # As many answers, the same share of the common time.
    assert len({row.n for row in rows}) == 1
    assert [row.seconds for row in rows] == pytest.approx([rows[0].seconds] * 4)
    assert sum(row.seconds or 0 for row in rows) < wall
    ways = [json.loads(desk.row(each).protocol)["forward_pass"] for each in (*together, *alone)]
    assert ways == ["shared"] * 4 + ["separate"] * 4
    assert histories(desk, together, "forward_pass") == ["shared: one pass an image for Q1, Q3, Q5, Q7"] * 4
    assert all("because this is a test" in each for each in histories(desk, alone, "forward_pass"))


def test_what_shows_other_pictures_waits_for_a_round_of_its_own(desk: Desk) -> None:
    first = desk.queue(Split.TEST, "Q1")
    same, later = desk.queue(Split.TEST, "Q3", max_new_tokens=9), desk.queue(Split.TEST, "Q5", image_size=64)
    others = [
        desk.queue(Split.VALIDATION, "Q3"),
        desk.queue(Split.TEST, "Q3", case_limit=3),
        desk.queue(Split.TEST, "Q3", batch=2),
        desk.queue(Split.TEST, "Q3", degradation=BLANK),
        desk.queue(Split.TEST, "Q3", reference=Reference.BASE),
    ]
    assert companions(desk.workspace, first) == [same]
    assert companions(desk.workspace, others[0]) == []
    desk.writer.set_setting("queue_paused", {"since": 1.0, "reason": ""})
    assert companions(desk.workspace, first) == []
    desk.writer.set_setting("queue_paused", None)
    assert desk.evaluate(first) == 0
    assert {desk.row(each).state for each in (first, same, later, *others[:4])} == {State.SUCCEEDED}
    assert histories(desk, [same, later], "forward_pass") == [
        "shared: one pass an image for Q1, Q3", "shared: one pass an image for Q5"
    ]  # fmt: skip


@pytest.mark.parametrize("by", ["request", "signal"])
@pytest.mark.parametrize("action", [Action.CANCEL, Action.STOP])
def test_one_that_is_ended_leaves_the_others_alone(
    desk: Desk, by: str, action: Action, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker sends SIGTERM for a cancelled one that does not answer: it must not end its neighbours."""
    numbers = [desk.queue(Split.TEST, each, batch=3) for each in QUESTIONS]
    ended = numbers[1]

    def act() -> None:
        with Reader(desk.workspace) as reader:
            jobs = [reader.job(JobKind.EVALUATION, each) for each in numbers]
        assert {(job.state, job.pid) for job in jobs} == {(State.RUNNING, os.getpid())}
        desk.writer.request(JobKind.EVALUATION, ended, action)
        if by == "signal":
            os.kill(os.getpid(), signal.SIGTERM)

    on_first_batch(monkeypatch, act)
    # At once, and not when the thread next looks: by signal alone where that is asked for.
    monkeypatch.setattr(Heartbeat, "requests", lambda self: _requests(desk, self) if by == "request" else ())
    before = signal.getsignal(signal.SIGTERM)
    assert desk.evaluate(numbers[0]) == 0
    assert signal.getsignal(signal.SIGTERM) is before
    states = [desk.row(each).state for each in numbers]
    last = State.CANCELLED if action is Action.CANCEL else State.INTERRUPTED
    if (by, action) == ("signal", Action.STOP):
        assert states == [State.INTERRUPTED] * 4  # nobody was cancelled: the signal is for the process
        return
    assert states == [State.SUCCEEDED, last, State.SUCCEEDED, State.SUCCEEDED]
    found = stored(desk, numbers)
    assert [len(found[each]) for each in numbers] == [desk.row(numbers[0]).n, 3, *[desk.row(numbers[0]).n] * 2]


def _requests(desk: Desk, heartbeat: Any) -> tuple[Any, ...]:
    with Writer.open(desk.workspace) as writer:
        return tuple(writer.pending_requests(heartbeat._kind, heartbeat._job_id))


def test_a_signal_ends_all_and_the_process_takes_no_more(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    together = [desk.queue(Split.TEST, each, batch=3) for each in QUESTIONS[:2]]
    waiting = desk.queue(Split.VALIDATION, "Q3")
    on_first_batch(monkeypatch, lambda: os.kill(os.getpid(), signal.SIGTERM))
    assert desk.evaluate(together[0]) == 0
    assert [desk.row(each).state for each in (*together, waiting)] == [State.INTERRUPTED] * 2 + [State.QUEUED]


def test_a_signal_while_scores_are_worked_out_is_not_lost(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    import engine.evaluation.process as module

    real = module.finish

    def finish(*given: Any) -> None:
        real(*given)
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(module, "finish", finish)
    measured, waiting = desk.queue(Split.TEST, "Q1"), desk.queue(Split.VALIDATION, "Q3")
    assert desk.evaluate(measured) == 0
    assert (desk.row(measured).state, desk.row(waiting).state) == (State.SUCCEEDED, State.QUEUED)


@pytest.mark.parametrize("cancelled", [True, False])
def test_others_are_claimed_only_when_the_model_is_there(
    desk: Desk, cancelled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing answers while weights are read: a cancel then ends in a SIGKILL, which must not hit neighbours."""
    import engine.evaluation.subject as module

    numbers = [desk.queue(Split.TEST, each) for each in QUESTIONS[:2]]
    real, while_loading = module.load_subject, []

    def slow(*given: Any) -> Any:
        while_loading.append([desk.row(each).state for each in numbers])
        if cancelled:
            desk.writer.request(JobKind.EVALUATION, numbers[0], Action.CANCEL)
            os.kill(os.getpid(), signal.SIGTERM)
        return real(*given)

    monkeypatch.setattr(module, "load_subject", slow)
    assert desk.evaluate(numbers[0]) == 0
    assert while_loading == [[State.RUNNING, State.QUEUED]]
    states = [desk.row(each).state for each in numbers]
    assert states == ([State.CANCELLED, State.QUEUED] if cancelled else [State.SUCCEEDED] * 2)
    if not cancelled:
        assert histories(desk, numbers, "forward_pass") == ["shared: one pass an image for Q1, Q3"] * 2
        assert [bool(desk.row(each).load_seconds) for each in numbers] == [True, False]


def test_one_that_is_cancelled_while_others_are_scored_is_not_scored(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    import engine.evaluation.process as module

    numbers = [desk.queue(Split.TEST, each) for each in QUESTIONS[:3]]
    real, scored = module.finish, []

    def finish(workspace: Workspace, session: Any, *given: Any) -> None:
        real(workspace, session, *given)
        scored.append(session.job_id)
        desk.writer.request(JobKind.EVALUATION, numbers[1], Action.CANCEL)
        desk.writer.request(JobKind.EVALUATION, numbers[2], Action.STOP)  # too late: all is measured

    monkeypatch.setattr(module, "finish", finish)
    monkeypatch.setattr(Heartbeat, "requests", lambda self: _requests(desk, self))
    assert desk.evaluate(numbers[0]) == 0
    assert scored == [numbers[0], numbers[2]]
    assert [desk.row(each).state for each in numbers] == [State.SUCCEEDED, State.CANCELLED, State.SUCCEEDED]


def test_a_damaged_image_fails_those_that_ask_about_it_and_nobody_else(desk: Desk) -> None:
    # A sample of five of its own leaves the damaged image to the others.
    cases = open_dataset(desk.workspace, "phantoms").cases(Split.TEST)
    few = stratified_sample(cases, 5, SAMPLE_SEED)
    damaged = next(case for case in cases if case not in few)
    numbers = [desk.queue(Split.TEST, each) for each in QUESTIONS]
    waiting = desk.queue(Split.TEST, "Q6", case_limit=5)
    damaged.file.write_bytes(b"no image any more")
    assert desk.evaluate(numbers[0]) == 1
    for number in numbers:
        row = desk.row(number)
        assert row.state is State.FAILED
        assert damaged.file.name in (row.error_title or "")
        assert "sonotune data check" in (row.error_next_step or "")
    assert desk.row(waiting).state is State.QUEUED  # for another process
    assert desk.evaluate(waiting) == 0


@pytest.mark.parametrize("foreseen", [True, False])
def test_one_that_cannot_be_scored_leaves_the_others_their_scores(
    desk: Desk, foreseen: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    import engine.evaluation.process as module

    numbers = [desk.queue(Split.TEST, each) for each in QUESTIONS]
    real = module.finish

    def finish(workspace: Workspace, session: Any, plan: Any, predictions: Any) -> None:
        if plan.row.id == numbers[1]:
            raise ModelError("no probability") if foreseen else ZeroDivisionError("a fault of ours")
        real(workspace, session, plan, predictions)

    monkeypatch.setattr(module, "finish", finish)
    if foreseen:
        assert desk.evaluate(numbers[0]) == 0
    else:
        with pytest.raises(ZeroDivisionError):  # told to whoever reads the log, when all others are done
            desk.evaluate(numbers[0])
    assert [desk.row(each).state for each in numbers] == [
        State.SUCCEEDED, State.FAILED, State.SUCCEEDED, State.SUCCEEDED
    ]  # fmt: skip
    assert ("no probability" if foreseen else "a fault of ours") in (desk.row(numbers[1]).error_title or "")


def test_a_model_that_cannot_be_loaded_fails_all_that_wait_for_it(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    import engine.evaluation.subject as module

    def fail(*_: Any) -> None:
        raise ModelError("no such weights")

    monkeypatch.setattr(module, "load_subject", fail)
    numbers = [desk.queue(Split.TEST, each) for each in QUESTIONS[:2]]
    assert desk.evaluate(numbers[0]) == 1
    assert [(desk.row(each).state, desk.row(each).error_title) for each in numbers] == [
        (State.FAILED, "no such weights")
    ] * 2


def test_other_questions_are_generated_and_compared_after_normalisation(desk: Desk) -> None:
    evaluation = desk.queue(Split.VALIDATION, question="Q3")
    assert desk.evaluate(evaluation) == 0
    with Reader(desk.workspace) as reader:
        predictions = reader.predictions(evaluation)
        accuracy = {score.scope: score for score in reader.scores(evaluation)}["all"]
    assert all(prediction.p_abnormal is None for prediction in predictions)
    assert accuracy.value == sum(p.correct is True for p in predictions) / len(predictions)
    assert desk.row(evaluation).threshold is None


def test_an_adapter_that_changed_after_the_training_is_not_measured(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.writer.update(JobKind.TRAINING, desk.run_id, adapter_sha256="0" * 64)
    evaluation = desk.queue(Split.VALIDATION)
    assert desk.evaluate(evaluation) == 1
    assert desk.row(evaluation).state is State.FAILED
    assert "not the one that the run saved" in capsys.readouterr().err


def test_a_run_is_not_measured_on_a_dataset_that_was_split_anew(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.writer.update(JobKind.TRAINING, desk.run_id, split_fingerprint="of the launch")
    assert desk.evaluate(desk.queue(Split.TEST)) == 1
    assert "has changed since the run was launched" in capsys.readouterr().err


def test_a_run_without_an_adapter_fails_with_a_next_step(desk: Desk) -> None:
    with Reader(desk.workspace) as reader:
        shutil.rmtree(desk.workspace.root / reader.run(desk.run_id).directory / "adapter")
    evaluation = desk.queue(Split.VALIDATION)
    assert desk.evaluate(evaluation) == 1
    assert "sonotune resume" in (desk.row(evaluation).error_next_step or "")


def test_a_reference_row_without_settings_is_refused(desk: Desk) -> None:
    evaluation = desk.writer.create_evaluation(
        None, Reference.BASE, desk.recipe.model.id, "phantoms", Split.TEST, "Q7", "{}", "", "", False
    )
    assert desk.evaluate(evaluation) == 1
    assert "image_size" in (desk.row(evaluation).error_detail or "")


@pytest.mark.parametrize(
    ("output", "target", "correct"),
    [
        ("Normal for gestational age", "Within normal limits", True),
        ("No abnormality seen", "Normal", True),
        ("Abnormal VSD", "Normal", False),
        ("blah", "Normal", None),
        ("", "Normal", None),
    ],
)
def test_q7_is_judged_by_verdict_and_an_unread_answer_is_neither_right_nor_wrong(
    output: str, target: str, correct: bool | None
) -> None:
    assert judge("Q7", output, target).correct is correct


@pytest.mark.parametrize(
    ("output", "target", "correct"),
    [("trans-thalamic  View.", "Trans-thalamic view", True), ("Sagittal", "Axial", False), (" ", "Axial", None)],
)
def test_other_questions_are_judged_by_normalised_text(output: str, target: str, correct: bool | None) -> None:
    assert judge("Q3", output, target).correct is correct


def test_the_majority_is_that_of_the_verdicts_not_of_one_wording() -> None:
    targets = ["Abnormal VSD"] * 3 + ["Normal", "Within normal limits", "Normal for age", "Normal for age"]
    assert majority_answer("Q7", targets) == ("Normal for age", 3 / 7)
    assert majority_answer("Q3", ["Axial", "axial.", "Sagittal"]) == ("axial", None)


def test_the_fingerprint_of_a_protocol_follows_what_is_measured() -> None:
    answers = ["Normal", "Abnormal VSD"]
    base = build_protocol("Q7", "detailed", 160, 64, answers)
    assert base.fingerprint() == build_protocol("Q7", "detailed", 160, 64, answers[::-1]).fingerprint()
    others = [
        build_protocol("Q7", "simple", 160, 64, answers),
        build_protocol("Q7", "detailed", 192, 64, answers),
        build_protocol("Q7", "detailed", 160, 32, answers),
        build_protocol("Q7", "detailed", 160, 64, [*answers, "Abnormal NT thickening"]),
        build_protocol("Q6", "detailed", 160, 64, answers),
    ]
    assert len({base.fingerprint(), *(other.fingerprint() for other in others)}) == 6


@pytest.mark.parametrize(
    "change", [{}, {"clean_protocol_fingerprint": "another"}, {"run_id": 99}, {"protocol": '{"quantization": "4bit"}'}]
)
def test_a_threshold_comes_only_from_the_same_subject_under_the_same_protocol(
    desk: Desk, change: dict[str, Any]
) -> None:
    validation, test = desk.queue(Split.VALIDATION), desk.queue(Split.TEST)
    desk.evaluate(validation)
    known = desk.row(validation)
    wanted = (known.threshold, f"validation, evaluation {validation}")
    if change:
        known, wanted = replace(known, **change), (0.5, "default 0.5: no validation evaluation")
    assert choose(desk.row(test), [], [known]) == wanted


def test_targets_stand_beside_the_answers_unaltered(desk: Desk) -> None:
    evaluation = desk.queue(Split.TEST)
    desk.evaluate(evaluation)
    cases = {case.path: case for case in open_dataset(desk.workspace, "phantoms").cases(Split.TEST)}
    with Reader(desk.workspace) as reader:
        for prediction in reader.predictions(evaluation):
            assert prediction.target == target_text(cases[prediction.path].answers, "Q7")
            assert prediction.view == cases[prediction.path].view


def test_grey_images_are_all_alike_and_their_control_is_held_against_the_evaluation(desk: Desk) -> None:
    clean, control = desk.queue(Split.TEST), desk.queue(Split.TEST, degradation=BLANK)
    assert desk.evaluate(clean) == 0  # and the other ones of the subject that wait
    with Reader(desk.workspace) as reader:
        seen, grey = reader.predictions(clean), reader.predictions(control)
        scores = {(score.scope, score.name): score for score in reader.scores(clean)}
        blank = {(score.scope, score.name): score for score in reader.scores(control)}
        marks = {mark.kind for mark in reader.marks([clean, control])}
    assert [each.path for each in grey] == [each.path for each in seen]
    assert len({(each.raw_output, each.p_abnormal) for each in grey}) == 1  # one size, one picture, one answer
    assert blank["all", "auroc"].value == 0.5
    assert scores["all", "grey"].value == blank["all", "balanced_accuracy"].value
    assert Mark.BLIND not in marks  # a dozen cases cannot tell
    rows = desk.row(clean), desk.row(control)
    assert rows[0].cases_fingerprint == rows[1].cases_fingerprint
    assert rows[0].protocol_fingerprint != rows[1].protocol_fingerprint
    assert rows[0].protocol_fingerprint == rows[1].clean_protocol_fingerprint == rows[0].clean_protocol_fingerprint
    assert rows[1].threshold == rows[0].threshold
    assert (rows[0].seconds_per_image or 0) > 0
    # One grey answer stands in the row of each image: seconds and tokens by image would be made up.
    assert (rows[1].seconds_per_image, rows[1].tokens_per_second) == (None, None)
    assert (rows[1].seconds or 0) > 0


def test_a_resumed_evaluation_keeps_nothing_of_the_attempt_before(desk: Desk) -> None:
    evaluation = desk.queue(Split.VALIDATION, reference=Reference.MAJORITY)
    assert desk.evaluate(evaluation) == 0
    with Reader(desk.workspace) as reader:
        right = reader.predictions(evaluation)
    stale = [replace(right[0], path="Head/of_another_split.png"), replace(right[0], raw_output="of other content")]
    again = desk.queue(Split.VALIDATION, reference=Reference.MAJORITY)
    desk.writer.add_predictions(again, stale)
    assert desk.evaluate(again) == 0
    with Reader(desk.workspace) as reader:
        assert [(each.path, each.raw_output) for each in reader.predictions(again)] == [
            (each.path, each.raw_output) for each in right
        ]
    assert desk.row(again).n == len(right)


def test_an_evaluation_of_a_run_is_marked_where_its_images_leaked(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    leaked = open_dataset(desk.workspace, "phantoms").cases(Split.TEST)[0]
    known = KnownLeaks(training={leaked.sha256: "Head/Head_001.png"}, near={}, unchecked=0)
    monkeypatch.setattr("engine.evaluation.leaks.known_leaks", lambda *_: known)
    clean, control = desk.queue(Split.TEST), desk.queue(Split.TEST, degradation=BLANK)
    majority = desk.queue(Split.TEST, reference=Reference.MAJORITY)
    assert (desk.evaluate(clean), desk.evaluate(majority)) == (0, 0)
    with Reader(desk.workspace) as reader:
        marks = [mark for mark in reader.marks([clean, control, majority]) if mark.kind == Mark.LEAK]
        events = [event.detail for event in reader.events(evaluation_id=clean) if event.kind == "mark"]
    assert [mark.evaluation_id for mark in marks] == [clean]
    assert "(1 equal)" in marks[0].detail
    assert f"leak: {marks[0].detail}" in events


def test_only_q7_looks_for_a_threshold_and_only_among_its_own(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    real = Reader.threshold_evaluations

    def counted(self: Reader, row: EvaluationRow) -> list[EvaluationRow]:
        asked.append(row.question)
        return real(self, row)

    monkeypatch.setattr(Reader, "threshold_evaluations", counted)
    for question in ("Q5", "Q7"):
        assert desk.evaluate(desk.queue(Split.TEST, question, reference=Reference.MAJORITY_BY_VIEW)) == 0
    assert asked == ["Q7"]


def test_a_control_reads_no_file_and_knows_the_size_of_each_image(desk: Desk) -> None:
    from engine.evaluation.showing import show
    from engine.training.pixels import Geometry

    cases = open_dataset(desk.workspace, "phantoms").cases(Split.TEST)
    wide = [replace(case, width=2 * case.height, file=Path("gone.png")) for case in cases[:3]]
    tall = [replace(case, file=Path("gone.png")) for case in cases[3:5]]
    protocol = build_protocol("Q7", "detailed", 96, 8, ["Normal"], degradation=BLANK)
    geometry = Geometry(16, 2, 2, (0.5,) * 3, (0.5,) * 3, 1 / 255)
    shown = show([*wide, *tall], protocol, geometry)
    assert [[case.path for case in members] for members in shown.members] == [
        [case.path for case in wide], [case.path for case in tall]
    ]  # fmt: skip
    patches = shown.pixels.patches(0)
    assert (patches.rows, patches.columns) == (4, 6)  # 64 x 96 pixels: 96 x 48 in multiples of 32
    assert set(patches.values.ravel()) == {128}


def test_images_are_never_shown_clean_for_a_degradation_that_is_not_known() -> None:
    from engine.evaluation.showing import show
    from engine.training.pixels import Geometry

    protocol = build_protocol("Q7", "detailed", 96, 8, ["Normal"], degradation="noise\x1b[31m")
    with pytest.raises(JobError, match="no degradation noise") as refused:
        show([], protocol, Geometry(16, 2, 2, (0.5,) * 3, (0.5,) * 3, 1 / 255))
    assert "\x1b" not in str(refused.value)
    assert refused.value.next_step


@pytest.mark.parametrize("reference", [Reference.MAJORITY, Reference.MAJORITY_BY_VIEW, Reference.SHUFFLED])
@pytest.mark.parametrize("question", ["Q1", "Q3", "Q7", "report"])
def test_references_need_no_model(desk: Desk, question: str, reference: Reference) -> None:
    evaluation = desk.queue(Split.TEST, question, reference, **({"prompt": "report"} if question == "report" else {}))
    assert desk.evaluate(evaluation) == 0
    row = desk.row(evaluation)
    with Reader(desk.workspace) as reader:
        predictions = reader.predictions(evaluation)
    assert row.state is State.SUCCEEDED
    assert row.backend is None
    answers = {prediction.raw_output for prediction in predictions}
    if reference is Reference.MAJORITY:
        assert len(answers) == 1
    elif reference is Reference.MAJORITY_BY_VIEW:
        by_view = {(prediction.view, prediction.raw_output) for prediction in predictions}
        assert len(by_view) == len({view for view, _ in by_view})
    else:
        assert sorted(each.raw_output for each in predictions) == sorted(each.target for each in predictions)


def test_knowing_the_view_alone_names_the_plane(desk: Desk) -> None:
    """The row that shows what a view gives away: on Q3 it is right wherever the view decides the answer."""
    evaluation = desk.queue(Split.TEST, "Q3", Reference.MAJORITY_BY_VIEW)
    desk.evaluate(evaluation)
    with Reader(desk.workspace) as reader:
        assert {each.outcome for each in reader.predictions(evaluation)} == {Outcome.RIGHT}
