"""The asking process with real models: what it streams is what an evaluation measures."""

from __future__ import annotations

import os
import queue
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine import api
from engine.data.importers.phantoms import import_phantoms
from engine.errors import SonotuneError
from engine.evaluation.protocol import build_protocol
from engine.questions.prompts import prompt_text
from engine.recipe import recipe_json
from engine.store.writer import Writer
from engine.training.model_files import repository_root
from engine.types import JobKind, Split
from engine.workspace import Workspace

EMBEDDED = str(repository_root() / "assets" / "base-model")
SIZE = 96
LONG = 600
"""Tokens of an answer that is meant to be stopped."""


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Phantoms, drawn small."""
    found = Workspace(tmp_path_factory.mktemp("asked"))
    with Writer.open(found) as writer:
        import_phantoms(
            found,
            "phantoms",
            count=40,
            seed=1,
            abnormal_share=0.5,
            size=SIZE,
            processes=1,
            recorder=writer.record_dataset,
        )
    return found


@pytest.fixture(scope="module")
def images(workspace: Workspace) -> list[api.AskImage]:
    items = api.browse(workspace, api.ImageQuery("phantoms")).items
    return [api.listed_image(workspace, item.id) for item in items[::10]]


class Talk:
    """A session whose events are waited for."""

    def __init__(self, workspace: Workspace, **subject: Any) -> None:
        self.events: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.session = api.AskSession(workspace, deliver=self.events.put, device="cpu", **subject)
        self.session.start()

    def next(self) -> Any:
        return self.events.get(timeout=120)

    def ask(self, image: api.AskImage, words: str, limit: int | None = None) -> tuple[str, Any]:
        """The streamed text, and the end."""
        self.session.ask(image, api.ask_question(self.session.subject, words), limit)
        return self.end()

    def end(self) -> tuple[str, Any]:
        text = ""
        while isinstance(event := self.next(), api.AskToken):
            text += event.text
        return text, event


@pytest.fixture(scope="module")
def talk(workspace: Workspace) -> Iterator[Talk]:
    """The embedded base model, loaded once for all tests of this module."""
    found = Talk(workspace, model=EMBEDDED)
    loaded = found.next()
    assert isinstance(loaded, api.AskLoaded) and loaded.device == "cpu", loaded
    yield found
    found.session.close()


@pytest.fixture(scope="module")
def subject() -> Any:
    """The same model in this process, as an evaluation loads it."""
    import torch

    from engine.evaluation.subject import Subject
    from engine.training.encoding import Encoder
    from engine.training.model import load_base, load_processor
    from engine.training.pixels import Geometry

    processor = load_processor(EMBEDDED)
    model = load_base(EMBEDDED, "none", torch.device("cpu"))
    return Subject(model.eval(), Encoder(processor), Geometry.of(processor), torch.device("cpu"))


def batch_of(subject: Any, image: api.AskImage, image_size: int, prompt: str) -> Any:
    from engine.evaluation.generate import prompt_batch
    from engine.training.pixels import PixelStore

    pixels = PixelStore([image.file], image_size, subject.geometry)
    return prompt_batch(subject.encoder, pixels, [0], prompt, subject.device)


# ----- the text


@pytest.mark.parametrize(("question", "limit"), [("Q7", 16), ("Q1", 64), ("Q1", 5), ("report", 120), ("report", 1)])
def test_the_stream_is_the_text_of_an_evaluation(
    subject: Any, images: list[api.AskImage], question: str, limit: int
) -> None:
    from engine.ask.streaming import stream_answer
    from engine.evaluation.generate import generate_answers

    prompt = prompt_text(question, "detailed")
    for image in images:
        batch = batch_of(subject, image, SIZE, prompt)
        (expected,) = generate_answers(subject.model, subject.encoder, batch, limit)
        pieces: list[str] = []
        found = stream_answer(subject.model, subject.encoder, batch, limit, pieces.append)
        assert (found.text, found.tokens, found.cut_off) == (expected.text, expected.tokens, expected.cut_off)
        assert "".join(pieces) == expected.text
        assert not found.cancelled
        assert found.first_token_seconds is not None and 0 < found.first_token_seconds <= found.seconds


def test_a_cancelled_answer_ends_after_the_token_at_hand(subject: Any, images: list[api.AskImage]) -> None:
    from engine.ask.streaming import stream_answer

    batch = batch_of(subject, images[0], SIZE, prompt_text("report"))
    looks = iter(range(100))
    whole = stream_answer(subject.model, subject.encoder, batch, 64, lambda _: None)
    found = stream_answer(subject.model, subject.encoder, batch, 64, lambda _: None, lambda: next(looks) == 3)
    assert (found.cancelled, found.cut_off, found.tokens) == (True, False, 4)
    assert whole.text.startswith(found.text) and found.text != whole.text


def test_an_answer_that_ended_by_itself_is_not_called_cancelled(subject: Any, images: list[api.AskImage]) -> None:
    from engine.ask.streaming import stream_answer

    batch = batch_of(subject, images[0], SIZE, prompt_text("Q7", "detailed"))
    whole = stream_answer(subject.model, subject.encoder, batch, 64, lambda _: None)
    looks = iter(range(1, 100))
    found = stream_answer(
        subject.model, subject.encoder, batch, 64, lambda _: None, lambda: next(looks) == whole.tokens
    )
    assert (found.cancelled, found.cut_off, found.text) == (False, False, whole.text)


# ----- the process


def test_the_process_answers_as_an_evaluation_does(
    talk: Talk, workspace: Workspace, subject: Any, images: list[api.AskImage]
) -> None:
    from engine.data.manifest import open_dataset
    from engine.evaluation.generate import generate_answers
    from engine.evaluation.label_scoring import candidate_log_likelihoods, p_abnormal, probabilities

    answers = [case.answers["Q7"] for case in open_dataset(workspace, "phantoms").cases(Split.TRAIN, "Q7")]
    candidates = build_protocol("Q7", "detailed", 160, 16, answers).candidates
    for image in images:
        streamed, end = talk.ask(image, "Q7", 16)
        batch = batch_of(subject, image, talk.session.subject.image_size, prompt_text("Q7", "detailed"))
        (expected,) = generate_answers(subject.model, subject.encoder, batch, 16)
        shares = probabilities(candidate_log_likelihoods(subject.model, subject.encoder, batch, candidates), candidates)
        answer = end.read.answer
        assert streamed == answer.text == expected.text
        assert (answer.tokens, answer.cut_off, answer.cancelled) == (expected.tokens, expected.cut_off, False)
        assert answer.probabilities == pytest.approx(shares[0], abs=1e-5)
        assert answer.p_abnormal == pytest.approx(p_abnormal(shares[0]), abs=1e-5)
        assert end.read.target == image.answers["Q7"]
        assert end.read.said.value in ("normal", "abnormal")


def test_other_questions_have_no_label_scoring(talk: Talk, images: list[api.AskImage]) -> None:
    for words in ("Q3", "Is this the abdomen?"):
        answer = talk.ask(images[0], words)[1].read.answer
        assert answer.text and answer.p_abnormal is None and not answer.probabilities


def test_a_broken_image_is_refused_and_the_next_one_answered(
    talk: Talk, images: list[api.AskImage], tmp_path: Path
) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(images[0].file.read_bytes()[:-30])
    _, failed = talk.ask(api.AskImage(broken), "Q7")
    assert isinstance(failed, api.AskFailed) and failed.ask is not None
    assert "cannot be shown to the model" in failed.error.title and "truncated PNG" in failed.error.reason
    broken.unlink()
    assert "missing" in talk.ask(api.AskImage(broken), "Q7")[1].error.reason
    assert talk.ask(images[0], "Q7")[1].read.answer.text


def test_a_question_that_waits_can_be_dropped(talk: Talk, images: list[api.AskImage]) -> None:
    session = talk.session
    report = api.ask_question(session.subject, "report")
    first, second = (session.ask(images[0], report) for _ in range(2))
    session.cancel(second)
    ends = [talk.end()[1] for _ in range(2)]
    assert [end.ask for end in ends] == [first, second]
    assert ends[1].read.answer.cancelled and ends[1].read.answer.tokens == 0
    assert not ends[0].read.answer.cancelled


@pytest.mark.parametrize("way", ["message", "SIGINT"])
def test_an_answer_at_work_can_be_stopped_in_two_ways(
    way: str, workspace: Workspace, images: list[api.AskImage], endless: Talk
) -> None:
    session = endless.session
    number = session.ask(images[0], api.ask_question(session.subject, "Go on and on."), LONG)
    assert isinstance(endless.next(), api.AskToken)
    if way == "message":
        session.cancel(number)
    else:
        assert session._watched.process is not None
        os.kill(session._watched.process.pid, signal.SIGINT)
    _, end = endless.end()
    assert end.read.answer.cancelled and 0 < end.read.answer.tokens < LONG
    assert not end.read.answer.cut_off


@pytest.fixture(scope="module")
def endless(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Talk]:
    """A model that never ends by itself: the embedded one, without the head's row for the end of a turn."""
    import torch
    from safetensors.torch import load_file, save_file

    folder = tmp_path_factory.mktemp("endless")
    shutil.copytree(EMBEDDED, folder, dirs_exist_ok=True)
    _never_ends(folder, load_file, save_file, torch)
    found = Talk(workspace, model=str(folder))
    loaded = found.next()
    assert isinstance(loaded, api.AskLoaded), loaded
    yield found
    found.session.close()


def _never_ends(folder: Path, load_file: Any, save_file: Any, torch: Any) -> None:
    from engine.evaluation.generate import end_ids
    from engine.training.encoding import Encoder
    from engine.training.model import load_base, load_processor

    encoder = Encoder(load_processor(str(folder)))
    model = load_base(str(folder), "none", torch.device("cpu"))
    ends = end_ids(model, encoder)
    weights = load_file(folder / "model.safetensors")
    name = next(name for name in weights if name.endswith(("lm_head.weight", "embed_tokens.weight")))
    head = "lm_head.weight" if "lm_head.weight" in weights else name
    weights[head] = weights[head].clone()
    weights[head][ends] = 0.0
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


# ----- subjects that cannot be loaded


def test_a_run_whose_adapter_is_gone_or_changed_is_refused(
    workspace: Workspace, recipe: Callable[..., Any], images: list[api.AskImage]
) -> None:
    wanted = recipe(model={"id": EMBEDDED})
    record = api.dataset_summary(workspace, "phantoms").record
    with Writer.open(workspace) as writer:
        run = writer.create_run(
            "tiny", recipe_json(wanted), "phantoms", record.fingerprint, record.split_fingerprint, EMBEDDED, 7
        )
        writer.update(JobKind.TRAINING, run, adapter_sha256="0" * 64)
    with pytest.raises(SonotuneError, match="no adapter yet"):
        api.AskSession(workspace, run, deliver=lambda _: None)
    adapter = workspace.root / api.run_details(workspace, run).run.directory / "adapter"
    adapter.mkdir(parents=True)  # the folder is there, its weights are not
    found = Talk(workspace, run=run)
    try:
        failed = found.next()
        assert failed.ask is None and failed.error.title == "The run has no adapter"
        process = found.session._watched.process
        assert process is not None and process.wait(60) == 1
        assert found.events.empty()  # one cause is told once
    finally:
        found.session.close()
