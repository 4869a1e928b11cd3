"""The conversation and the command, with a stand-in for the process that answers."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ask_helpers import HOSTILE_PIECES, Events, asked_workspace, fake_command, use_fake
from cli_helpers import CommandLine, control_characters
from store_helpers import end_process, raw, wait_until

from engine import api
from engine.jobs.devices import Device
from engine.jobs.process import is_alive, process_start
from engine.workspace import Workspace

IMAGE = "fetal:Femur/Femur_004.png"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return asked_workspace(tmp_path_factory.mktemp("asked"))


@pytest.fixture
def events() -> Events:
    return Events()


@pytest.fixture
def session(workspace: Workspace, events: Events, tmp_path: Path) -> Any:
    made = api.AskSession(workspace, 1, deliver=events, device="cpu", command=fake_command(tmp_path))
    yield made
    made.close()


def own(session: api.AskSession, words: str) -> api.AskQuestion:
    return api.ask_question(session.subject, words)


def test_events_come_in_order_and_the_answer_is_read(
    workspace: Workspace, session: api.AskSession, events: Events
) -> None:
    session.start()
    assert events.next() == api.AskLoaded(0.25, "cpu")
    image = api.ask_image(workspace, IMAGE)
    for _ in range(2):
        number = session.ask(image, api.ask_question(session.subject, "Q7"))
        pieces, end = events.until_end()
        assert tuple(pieces) == HOSTILE_PIECES
        assert end.ask == number
        assert end.read.answer.text == "".join(HOSTILE_PIECES)
        assert (end.read.said.value, end.read.outcome) == ("abnormal", "right")
        assert end.read.answer.p_abnormal == 0.75
        assert sum(end.read.answer.probabilities.values()) == pytest.approx(1)


def test_the_limit_is_that_of_the_recipe_unless_another_is_given(
    workspace: Workspace, session: api.AskSession, events: Events
) -> None:
    session.start()
    events.next()
    image, q7 = api.ask_image(workspace, IMAGE), api.ask_question(session.subject, "Q7")
    session.ask(image, q7)
    assert not events.until_end()[1].read.answer.cut_off  # 12 tokens
    session.ask(image, q7, len(HOSTILE_PIECES))
    assert events.until_end()[1].read.answer.cut_off


def test_an_answer_is_cancelled_and_the_next_question_answered(
    workspace: Workspace, session: api.AskSession, events: Events
) -> None:
    session.start()
    events.next()
    image = api.ask_image(workspace, IMAGE)
    number = session.ask(image, own(session, "wait"))
    assert events.next() == api.AskToken(number, "half an")
    session.cancel(number)
    end = events.next()
    assert end.read.answer.cancelled and end.read.said is None
    session.ask(image, own(session, "fine?"))
    assert not events.until_end()[1].read.answer.cancelled


def test_a_question_that_fails_leaves_the_conversation_alive(
    workspace: Workspace, session: api.AskSession, events: Events
) -> None:
    session.start()
    events.next()
    image = api.ask_image(workspace, IMAGE)
    number = session.ask(image, own(session, "fail"))
    failed = events.next()
    assert failed.ask == number
    assert (failed.error.title, failed.error.reason) == ("The image cannot be shown to the model", "truncated PNG.")
    session.ask(image, own(session, "and now?"))
    assert events.until_end()[1].read.answer.tokens == len(HOSTILE_PIECES)


def test_a_process_that_dies_says_with_which_words(
    workspace: Workspace, session: api.AskSession, events: Events
) -> None:
    session.start()
    events.next()
    session.ask(api.ask_image(workspace, IMAGE), own(session, "die"))
    failed = events.next()
    assert failed.ask is None
    assert "exit code 3" in failed.error.reason and "CUDA said" in failed.error.reason
    with pytest.raises(api.SonotuneError, match="is gone"):
        session.ask(api.ask_image(workspace, IMAGE), own(session, "still there?"))


def test_a_line_that_is_no_event_is_told(workspace: Workspace, session: api.AskSession, events: Events) -> None:
    session.start()
    events.next()
    session.ask(api.ask_image(workspace, IMAGE), own(session, "babble"))
    assert "something else than agreed" in events.next().error.title


def test_nothing_is_left_and_nothing_is_told_after_closing(
    workspace: Workspace, session: api.AskSession, events: Events
) -> None:
    session.start()
    events.next()
    process = session._watched.process
    assert process is not None
    session.close()
    session.close()
    session.cancel(1)
    assert process.returncode == 0
    with pytest.raises(api.SonotuneError, match="Nobody is there"):
        session.ask(api.ask_image(workspace, IMAGE), own(session, "hello?"))
    assert events.queue.empty()


def test_a_process_that_does_not_listen_is_killed(
    workspace: Workspace, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.jobs.watched.PATIENCE_SECONDS", 0.1)
    deaf = [sys.executable, "-c", "import time; time.sleep(600)"]
    session = api.AskSession(workspace, 1, deliver=events, device="cpu", command=deaf)
    session.start()
    session.close()
    assert session._watched.process is not None and session._watched.process.returncode == -9


def test_a_program_that_is_not_there_is_told(workspace: Workspace, events: Events) -> None:
    session = api.AskSession(workspace, 1, deliver=events, device="cpu", command=["/nowhere/python"])
    with pytest.raises(api.SonotuneError, match="could not be started"):
        session.start()
    session.close()


def test_the_process_sees_the_chosen_device_alone(
    workspace: Workspace, events: Events, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("engine.ask.places.known_devices", lambda: (Device("cuda:1", "B", 1, "GPU-b"),))
    show = tmp_path / "show.py"
    show.write_text("import os, sys\nsys.stderr.write(repr([os.environ[k] for k in sys.argv[1:]]))\nsys.exit(4)\n")
    command = [sys.executable, str(show), "CUDA_VISIBLE_DEVICES", "SONOTUNE_DEVICE"]
    session = api.AskSession(workspace, 1, deliver=events, command=command)
    session.start()
    assert "['GPU-b', 'cuda:1']" in events.next().error.reason
    session.close()


OWNER = """
import sys, time
from pathlib import Path
from engine import api
session = api.AskSession(api.Workspace(Path(sys.argv[1])), 1, deliver=lambda event: None, device="cpu")
if sys.argv[2] == "start":
    session.start()
print(session._watched.process.pid, flush=True)
time.sleep(600)
"""


def test_the_process_ends_when_its_owner_is_killed(workspace: Workspace) -> None:
    """The real process, in the middle of loading; its owner gets SIGKILL, so that nobody closes anything."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(each for each in sys.path if each)}
    command = [sys.executable, "-c", OWNER, str(workspace.root), "start"]
    owner = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True)
    try:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline())
        start = process_start(pid)
        assert start is not None
    finally:
        owner.kill()
        owner.wait()
    try:
        wait_until(lambda: not is_alive(pid, start), "the asking process has ended")
    finally:
        end_process(pid, start)


# ----- the command


@pytest.fixture
def sonotune(
    workspace: Workspace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> CommandLine:
    use_fake(monkeypatch, tmp_path)
    return CommandLine(workspace.root, capsys)


def test_the_command_shows_the_answer_and_what_it_is_worth(sonotune: CommandLine) -> None:
    done = sonotune("ask", "tuned", "--image", IMAGE)
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert (
        lines[0]
        == "\N{REPLACEMENT CHARACTER}[2JAbnormal VSD\N{REPLACEMENT CHARACTER}" + "\N{REPLACEMENT CHARACTER}" * 2
    )
    for words in ("Q7 detailed", IMAGE, "read as      abnormal", "outcome      right", "0.750, among"):
        assert words in done.out
    assert "5 tokens, 10.0 tokens/s, the first after 0.10 s" in done.out
    assert lines[-1] == "Research only, not for clinical use."
    assert not control_characters(done.out + done.err)
    assert "Loading tuned on cpu" in done.err and "Ready after 0.2 s on cpu" in done.err


def test_on_a_terminal_the_answer_streams_once_and_without_control_characters(
    sonotune: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    flushed: list[str] = []
    monkeypatch.setattr("engine.cli.asking.plain", lambda text: flushed.append(text) or api.plain(text))
    done = sonotune("ask", "tuned", "--image", IMAGE)
    assert done.code == 0
    assert done.out.count("Abnormal VSD") == 1
    assert flushed[: len(HOSTILE_PIECES)] == list(HOSTILE_PIECES)
    assert not control_characters(done.out)


def test_json_has_the_answer_raw(sonotune: CommandLine) -> None:
    done = sonotune("ask", "1", "--image", IMAGE, "--json")
    assert done.code == 0
    found = done.json
    assert found["text"] == "".join(HOSTILE_PIECES)
    assert not control_characters(done.out)
    assert (found["run"], found["question"], found["read_as"], found["outcome"]) == (1, "Q7", "abnormal", "right")
    assert found["image"]["path"] == "Femur/Femur_004.png"
    assert found["p_abnormal"] == 0.75
    assert "Research only" in found["research_note"]


def test_own_words_the_untuned_model_and_a_file(sonotune: CommandLine, workspace: Workspace) -> None:
    file = api.ask_image(workspace, IMAGE).file
    words = ("--image", str(file), "--question", "What is [b]this[/b]?", "--json")
    found = sonotune("ask", "--base", "assets/base-model", *words).json
    assert (found["run"], found["question"], found["read_as"], found["outcome"]) == (None, None, None, None)
    assert (found["prompt_text"], found["image"]["dataset"]) == ("What is [b]this[/b]?", None)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("ask", "tuned"), 2, "--image"),
        (("ask", "--image", IMAGE), 2, "Name one model to ask"),
        (("ask", "tuned", "--base", "x/y", "--image", IMAGE), 2, "Name one model to ask"),
        (("ask", "tuned", "--image", IMAGE, "--question", "Q9"), 2, "no question Q9"),
        (("ask", "tuned", "--image", IMAGE, "--prompt", "poetic"), 2, "no wording named poetic"),
        (("ask", "tuned", "--image", IMAGE, "--device", "tpu"), 2, "no device tpu"),
        (("ask", "tuned", "--image", IMAGE, "--max-new-tokens", "0"), 2, "max-new-tokens"),
        (("ask", "tuned", "--image", "fetal:none.png"), 1, "no image none.png"),
        (("ask", "tuned", "--image", "nowhere.png"), 1, "There is no image"),
        (("ask", "99", "--image", IMAGE), 1, "no run 99"),
        (("ask", "tuned", "--image", IMAGE, "--question", "die"), 1, "CUDA said"),
        (("ask", "tuned", "--image", IMAGE, "--question", "fail"), 1, "truncated PNG"),
    ],
)
def test_what_goes_wrong_is_told_with_its_exit_code(
    sonotune: CommandLine, words: tuple[str, ...], code: int, said: str
) -> None:
    done = sonotune(*words)
    assert (done.code, said in done.err) == (code, True), done.err
    assert not control_characters(done.err)


def test_ctrl_c_ends_the_answer_and_keeps_what_there_is(sonotune: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupts = iter([False, False, True])

    class Interrupted(queue.SimpleQueue):  # type: ignore[type-arg]
        def get(self, *_: Any, **__: Any) -> Any:
            if next(interrupts, False):
                raise KeyboardInterrupt
            return super().get(timeout=60)

    monkeypatch.setattr("engine.cli.asking.queue.SimpleQueue", Interrupted)
    done = sonotune("ask", "tuned", "--image", IMAGE, "--question", "wait")
    assert done.code == 1
    assert done.out.startswith("half an\n") and "Cancelled: this is not the whole answer." in done.out


def test_a_gpu_at_work_is_not_taken_unasked(
    workspace: Workspace, sonotune: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    monkeypatch.setattr("engine.ask.places.known_devices", lambda: (Device("cuda:0", "A", 1, "GPU-a"),))
    state = "UPDATE runs SET state = ?, device = 'cuda:0', host = ?, pid = ?, process_start = ? WHERE id = 1"
    own = (socket.gethostname(), os.getpid(), process_start(os.getpid()))
    with raw(workspace) as database:
        database.execute(state, ("running", *own))
    try:
        refused = sonotune("ask", "tuned", "--image", IMAGE)
        shared = sonotune("ask", "tuned", "--image", IMAGE, "--device", "shared")
    finally:
        with raw(workspace) as database:
            database.execute(state, ("succeeded", *own))
    assert refused.code == 1 and "at work on the only GPU" in refused.err and "--device shared" in refused.err
    assert shared.code == 0 and "is at work on cuda:0 too" in shared.err
