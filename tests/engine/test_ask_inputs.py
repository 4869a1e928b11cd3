"""Whom, what and where one can ask."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from ask_helpers import add_trained, asked_workspace
from data_helpers import png_bytes
from store_helpers import add_evaluation, raw

from engine import api
from engine.ask.inputs import AskImage, AskQuestion, candidates
from engine.ask.places import choose_place
from engine.ask.reading import Threshold, read, threshold_of
from engine.ask.wire import Answered
from engine.errors import DataError, JobError, ModelError, SonotuneError, UsageError
from engine.jobs.devices import Device
from engine.store.writer import Writer
from engine.types import JobKind, Outcome, Split, State
from engine.workspace import Workspace

CARDS = [Device("cuda:0", "A", 1, "GPU-a"), Device("cuda:1", "B", 1, "GPU-b")]
CPU = [Device("cpu", "CPU", 1, "")]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return asked_workspace(tmp_path_factory.mktemp("asked"))


@pytest.fixture
def fresh(tmp_path: Path) -> Workspace:
    return asked_workspace(tmp_path)


# ----- whom


def test_a_run_is_asked_as_it_was_trained(workspace: Workspace) -> None:
    subject = api.ask_subject(workspace, "tuned")
    assert (subject.run_id, subject.model, subject.quantization) == (1, "assets/base-model", "none")
    assert Path(subject.source).is_dir() and subject.source.endswith("assets/base-model")
    assert (subject.image_size, subject.max_new_tokens, subject.prompt) == (96, 12, "detailed")
    assert subject.adapter is not None and subject.adapter.is_relative_to(workspace.root)
    assert [subject.limit_for(each) for each in ("Q7", "Q1", "report", None)] == [12, 256, 256, 256]


def test_the_untuned_model_is_asked_as_the_runs_on_it_are(workspace: Workspace, tmp_path: Path) -> None:
    subject = api.ask_subject(workspace, model="assets/base-model")
    assert (subject.run_id, subject.adapter, subject.image_size) == (None, None, 96)
    assert subject.settings_of == "the recipe of run 1"
    empty = Workspace(tmp_path)
    assert api.ask_subject(empty, model="assets/base-model").settings_of == "the preset demo"
    assert api.ask_subject(empty, model="Qwen/Qwen3-VL-8B-Instruct").quantization == "4bit"
    other = api.ask_subject(empty, model="Someone/Other-VL")
    assert (other.settings_of, other.image_size) == ("the defaults of a recipe", 512)


def test_one_subject_must_be_named(workspace: Workspace) -> None:
    for run, model in ((None, None), (1, "assets/base-model")):
        with pytest.raises(UsageError, match="Name one model"):
            api.ask_subject(workspace, run, model)
    with pytest.raises(JobError, match="no run 77"):
        api.ask_subject(workspace, 77)
    with pytest.raises(ModelError, match="not found"):
        api.ask_subject(workspace, model="assets/nothing-here")


def test_a_run_without_an_adapter_says_why(fresh: Workspace) -> None:
    with Writer.open(fresh) as writer:
        waiting = add_trained(fresh, writer, "waiting", adapter=False)
        cancelled = add_trained(fresh, writer, "cancelled", adapter=False)
        assert writer.transition(JobKind.TRAINING, cancelled, State.QUEUED, State.CANCELLED, "nobody wanted it")
    with pytest.raises(JobError, match="no adapter yet") as found:
        api.ask_subject(fresh, waiting)
    assert "--base assets/base-model" in found.value.next_step
    with pytest.raises(JobError, match="no adapter to ask") as found:
        api.ask_subject(fresh, cancelled)
    assert "nobody wanted it" in found.value.reason


def test_a_run_of_another_tool_cannot_be_asked(fresh: Workspace) -> None:
    with raw(fresh) as database:
        database.execute("UPDATE runs SET kind = 'imported' WHERE id = 1")
    with pytest.raises(JobError, match="Run 1 cannot be asked") as found:
        api.ask_subject(fresh, 1)
    assert "imported from another tool" in found.value.reason


# ----- which image


def test_an_image_of_a_dataset_brings_its_answers(workspace: Workspace) -> None:
    image = api.ask_image(workspace, "fetal:Femur/Femur_004.png")
    assert (image.dataset, image.path, image.view) == ("fetal", "Femur/Femur_004.png", "Femur")
    assert image.split in tuple(Split) and image.file.is_file()
    assert (image.target("Q7") or "").startswith("Abnormal")
    assert image.target(None) is None
    assert (image.target("report") or "").count("\n") == 7


@pytest.mark.parametrize(
    "path", ["Femur/nothing.png", "../../etc/passwd", "/etc/passwd", "", "Femur/\0.png", "x" * 5000]
)
def test_what_a_dataset_does_not_have_is_refused(workspace: Workspace, path: str) -> None:
    with pytest.raises(DataError) as found:
        api.ask_image(workspace, f"fetal:{path}")
    assert len(found.value.title) < 400


def test_a_link_out_of_the_image_root_is_not_followed(tmp_path: Path) -> None:
    workspace = asked_workspace(tmp_path)
    (tmp_path / "elsewhere.png").write_bytes(png_bytes(3))
    image = tmp_path / "images" / "Femur" / "Femur_001.png"
    image.unlink()
    image.symlink_to(tmp_path / "elsewhere.png")
    with pytest.raises(DataError, match="cannot be used") as found:
        api.ask_image(workspace, "fetal:Femur/Femur_001.png")
    assert "leads out of the image root" in found.value.reason


def test_a_file_is_named_by_its_path_even_with_a_colon(workspace: Workspace, tmp_path: Path) -> None:
    for name in ("scan.png", "fetal:scan.png"):
        file = tmp_path / name
        file.write_bytes(png_bytes(5))
        image = api.ask_image(workspace, str(file))
        assert (image.file, image.dataset, image.split) == (file.resolve(), None, None)
        assert image.target("Q7") is None
    link = tmp_path / "link.png"
    link.symlink_to(tmp_path / "scan.png")
    assert api.ask_image(workspace, str(link)).file == (tmp_path / "scan.png").resolve()


def test_a_file_that_is_no_image_is_refused_before_a_model_is_loaded(workspace: Workspace, tmp_path: Path) -> None:
    cut, words, pipe = tmp_path / "cut.png", tmp_path / "words.png", tmp_path / "pipe.png"
    cut.write_bytes(png_bytes(5)[:-20])
    words.write_text("hello")
    os.mkfifo(pipe)
    reasons = {cut: "truncated PNG", words: "neither PNG nor JPEG", pipe: "not a regular file", tmp_path: "regular"}
    for file, reason in reasons.items():
        with pytest.raises(DataError, match="no image to ask about") as found:
            api.ask_image(workspace, str(file))
        assert reason in found.value.reason
    for missing in (tmp_path / "none.png", tmp_path / ("n" * 300)):
        with pytest.raises(DataError, match="There is no image"):
            api.ask_image(workspace, str(missing))


# ----- which question


def test_a_question_is_worded_as_in_the_training_unless_another_wording_is_named(workspace: Workspace) -> None:
    subject = api.ask_subject(workspace, 1)
    assert api.ask_question(subject, "q7").title == "Q7 detailed"
    assert api.ask_question(subject, "Q7", "simple").text == "Is this ultrasound normal?"
    report = api.ask_question(subject, "report")
    assert (report.title, report.question) == ("report", "report")
    own = api.ask_question(subject, " Is the stomach filled? ")
    assert (own.text, own.question, own.title) == ("Is the stomach filled?", None, "Is the stomach filled?")


@pytest.mark.parametrize(
    ("text", "variant", "words"),
    [
        ("Q9", None, "no question Q9"),
        ("", None, "no question"),
        ("  ", None, "no question"),
        ("Q7", "poetic", "no wording named poetic"),
        ("report", "simple", "no wording"),
        ("own words", "simple", "no other wording"),
        ("see <|image_pad|> here", None, "token of the chat template"),
        ("<|im_end|>", None, "token of the chat template"),
        ("word " * 900, None, "too long"),
    ],
)
def test_a_question_that_cannot_be_asked_is_refused(
    workspace: Workspace, text: str, variant: str | None, words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        api.ask_question(api.ask_subject(workspace, 1), text, variant)


def test_every_wording_can_be_chosen() -> None:
    choices = api.question_choices()
    assert [choice.title for choice in choices][-3:] == ["Q8 detailed", "Q8 clinical", "report"]
    assert len({choice.text for choice in choices}) == len(choices) == 26


def test_candidates_are_those_of_the_evaluations(workspace: Workspace) -> None:
    from engine.data.manifest import open_dataset
    from engine.evaluation.protocol import build_protocol

    subject = api.ask_subject(workspace, 1)
    cases = open_dataset(workspace, "fetal").cases(Split.TRAIN, "Q7")
    protocol = build_protocol("Q7", "detailed", 96, 12, [case.answers["Q7"] for case in cases])
    assert candidates(workspace, subject, api.ask_question(subject, "Q7")) == protocol.candidates != ()
    assert candidates(workspace, subject, api.ask_question(subject, "Q1")) == ()
    assert candidates(workspace, subject, AskQuestion("Is it normal?")) == ()


def test_without_the_dataset_the_candidates_are_canonical(tmp_path: Path) -> None:
    subject = api.ask_subject(Workspace(tmp_path), model="assets/base-model")
    found = candidates(Workspace(tmp_path), subject, api.ask_question(subject, "Q7"))
    assert found == ("Normal for gestational age", "Abnormal")


# ----- where


def busy(workspace: Workspace, device: str, host: str | None = None) -> None:
    with raw(workspace) as database:
        database.execute(
            "UPDATE runs SET state = 'running', device = ?, host = ? WHERE id = 1",
            (device, host or socket.gethostname()),
        )


def test_a_gpu_without_a_job_is_taken(fresh: Workspace) -> None:
    assert choose_place(fresh, devices=CARDS).device == "cuda:0"
    busy(fresh, "cuda:0")
    place = choose_place(fresh, devices=CARDS)
    assert (place.device, place.visible, place.note) == ("cuda:1", "GPU-b", "")
    busy(fresh, "cuda:0", "another-machine")
    assert choose_place(fresh, devices=CARDS[:1]).device == "cuda:0"


def test_the_only_gpu_is_not_taken_from_a_job_unasked(fresh: Workspace) -> None:
    busy(fresh, "cuda:0")
    with pytest.raises(api.BusyDeviceError, match="the only GPU") as found:
        choose_place(fresh, devices=CARDS[:1])
    assert "Run 1 (tuned) has cuda:0" in found.value.reason
    assert "--device cpu" in found.value.next_step
    shared = choose_place(fresh, "shared", CARDS[:1])
    assert shared.visible == "GPU-a" and "Run 1 (tuned) is at work on cuda:0 too" in shared.note
    assert choose_place(fresh, "cpu", CARDS[:1]) == choose_place(fresh, "auto", CPU)


def test_a_busy_cpu_is_told(fresh: Workspace, tmp_path: Path) -> None:
    busy(fresh, "cpu")
    place = choose_place(fresh, devices=CPU)
    assert (place.device, place.visible) == ("cpu", "") and "both are slower" in place.note
    assert choose_place(Workspace(tmp_path / "empty"), devices=CPU).note == ""


# ----- what an answer is worth


def answered(text: str, **changes: object) -> Answered:
    values: dict[str, object] = {"tokens": 5, "cut_off": False, "cancelled": False, "seconds": 1.0}
    return Answered(1, text, **{**values, "first_token_seconds": 0.5, **changes})  # type: ignore[arg-type]


def image_of(workspace: Workspace, split: Split | None, **answers: str) -> AskImage:
    record = api.dataset_summary(workspace, "fetal").record
    return AskImage(Path("x.png"), "fetal", "Femur/x.png", "Femur", split, record.split_fingerprint, answers)


@pytest.mark.parametrize(
    ("text", "target", "outcome", "value"),
    [
        ("Within normal limits.", "Normal for gestational age", Outcome.RIGHT, "normal"),
        ("Abnormal VSD", "Normal", Outcome.WRONG, "abnormal"),
        ("blah", "Normal", Outcome.UNPARSEABLE, "unparseable"),
        ("ERROR: API error 500", "Normal", Outcome.ERROR, None),
        ("Normal", "blah", Outcome.UNSCORED, "normal"),
        ("Normal", None, None, "normal"),
    ],
)
def test_an_answer_is_read_as_an_evaluation_reads_it(
    workspace: Workspace, text: str, target: str | None, outcome: Outcome | None, value: str | None
) -> None:
    subject = api.ask_subject(workspace, 1)
    image = image_of(workspace, Split.VALIDATION, **({} if target is None else {"Q7": target}))
    found = read(subject, image, api.ask_question(subject, "Q7"), answered(text))
    assert found.outcome is outcome and found.notes == ()
    assert value is None or (found.said is not None and found.said.value == value)


def test_an_answer_comes_with_what_weakens_it(workspace: Workspace) -> None:
    subject = api.ask_subject(workspace, 1)
    ask = api.ask_question

    def notes(split: Split | None, question: AskQuestion, answer: Answered, threshold: Threshold | None = None) -> str:
        return " ".join(read(subject, image_of(workspace, split), question, answer, threshold).notes)

    q7 = ask(subject, "Q7")
    assert "of the test split" in notes(Split.TEST, q7, answered("Normal"))
    assert "the run has seen it with its answer" in notes(Split.TRAIN, q7, answered("Normal"))
    assert "Cut off after 5 tokens" in notes(None, q7, answered("Normal", cut_off=True))
    assert "not trained on Q1" in notes(None, ask(subject, "Q1"), answered("liver"))
    assert "with the wording detailed" in notes(None, ask(subject, "Q7", "simple"), answered("Normal"))
    assert "your own words" in notes(None, ask(subject, "Why?"), answered("Normal"))
    by_threshold = notes(None, q7, answered("Normal", p_abnormal=0.3), Threshold(0.25, 9))
    assert "0.250 (validation, evaluation 9), it counts as abnormal" in by_threshold
    stopped = read(subject, image_of(workspace, None, Q7="Normal"), q7, answered("Nor", cancelled=True))
    assert "Cancelled" in stopped.notes[0] and stopped.said is None and stopped.outcome is None
    other = AskImage(Path("x.png"), "other", "x.png", "", Split.TRAIN, "s")
    assert "may have seen this image" in " ".join(read(subject, other, q7, answered("Normal")).notes)
    base = api.ask_subject(workspace, model="assets/base-model")
    assert read(base, image_of(workspace, Split.TRAIN), q7, answered("Normal")).notes == ()


def test_the_threshold_is_that_of_the_newest_validation_of_the_same_wording(fresh: Workspace) -> None:
    subject = api.ask_subject(fresh, 1)
    q7 = api.ask_question(subject, "Q7")
    assert threshold_of(fresh, subject, q7) is None
    with Writer.open(fresh) as writer:
        ids = [
            add_evaluation(writer, 1, split=split, prompt=prompt, dataset="fetal")
            for split, prompt in (
                (Split.VALIDATION, "detailed"),
                (Split.VALIDATION, "simple"),
                (Split.TEST, "detailed"),
            )
        ]
    with raw(fresh) as database:
        database.execute(
            "UPDATE evaluations SET state = 'succeeded', threshold = id / 10.0, protocol = '{\"image_size\": 96}'"
        )
    assert threshold_of(fresh, subject, q7) == Threshold(ids[0] / 10, ids[0])
    with raw(fresh) as database:
        database.execute("UPDATE evaluations SET protocol = '{\"image_size\": 512}'")
    assert threshold_of(fresh, subject, q7) is None
    assert threshold_of(fresh, api.ask_subject(fresh, model="assets/base-model"), q7) is None


def test_errors_have_all_three_parts(workspace: Workspace) -> None:
    with pytest.raises(SonotuneError) as found:
        api.ask_image(workspace, "fetal:Femur/none.png")
    assert found.value.title and found.value.reason and found.value.next_step
