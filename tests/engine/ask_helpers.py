"""A stand-in for the asking process, and workspaces with something to ask; no model is loaded here."""

from __future__ import annotations

import queue
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from data_helpers import ABNORMAL, eight_lines, write_image, write_lines

from engine import api
from engine.recipe.reading import parse_recipe
from engine.recipe.writing import recipe_json
from engine.store.writer import Writer
from engine.types import JobKind, State
from engine.workspace import Workspace

HOSTILE_PIECES = ("\x1b", "[2J", "Abnormal", " VSD\r", "\x07\u202e")
"""An escape sequence spread over two tokens, and characters that steer a terminal."""

FAKE = """
import sys
from engine.ask.wire import Answered, Ask, Cancel, Failed, Load, Loaded, Token, decode, encode

PIECES = {pieces!r}

def send(message):
    sys.stdout.buffer.write(encode(message))
    sys.stdout.buffer.flush()

waits = None
for line in sys.stdin.buffer:
    message = decode(line)
    if isinstance(message, Load):
        send(Loaded(0.25, "cpu"))
    elif isinstance(message, Ask) and message.prompt == "die":
        sys.stderr.write("first line\\nCUDA said \\x1b[31mno\\n")
        sys.exit(3)
    elif isinstance(message, Ask) and message.prompt == "babble":
        sys.stdout.buffer.write(b"not a message\\n")
        sys.stdout.buffer.flush()
    elif isinstance(message, Ask) and message.prompt == "fail":
        send(Failed(message.ask, "The image cannot be shown to the model", "truncated PNG.", "Choose another."))
    elif isinstance(message, Ask) and message.prompt == "wait":
        send(Token(message.ask, "half an"))
        waits = message.ask
    elif isinstance(message, Cancel) and message.ask == waits:
        send(Answered(waits, "half an", 2, False, True, 0.5, 0.25))
    elif isinstance(message, Ask):
        for piece in PIECES:
            send(Token(message.ask, piece))
        shares = {{each: 1 / len(message.candidates) for each in message.candidates}}
        text = "".join(PIECES)
        limit = message.max_new_tokens
        chance = 0.75 if shares else None
        send(Answered(message.ask, text, len(PIECES), limit == len(PIECES), False, 0.5, 0.1, chance, shares))
"""


def fake_command(folder: Path, pieces: tuple[str, ...] = HOSTILE_PIECES) -> list[str]:
    """A program that speaks the protocol: `die`, `babble`, `fail`, `wait` as questions do what they say."""
    file = folder / "fake_asker.py"
    file.write_text(FAKE.format(pieces=pieces), encoding="utf-8")
    return [sys.executable, str(file)]


def use_fake(monkeypatch: pytest.MonkeyPatch, folder: Path, pieces: tuple[str, ...] = HOSTILE_PIECES) -> None:
    """Let every session start the stand-in."""
    command = fake_command(folder, pieces)
    monkeypatch.setattr("engine.api.asking.python_module", lambda _module: command)


def asked_workspace(folder: Path) -> Workspace:
    """A workspace with the dataset `fetal` (20 femurs, every fourth abnormal) and the run `tuned` with an adapter."""
    workspace, lines = Workspace(folder / "workspace"), []
    workspace.root.mkdir()
    for number in range(20):
        path = write_image(folder / "images", f"Femur/Femur_{number:03d}.png")
        lines += eight_lines(path, **({"Q7": ABNORMAL} if number % 4 == 0 else {}))
    api.import_chat_file(workspace, "fetal", write_lines(folder / "fetal.jsonl", lines), folder / "images")
    with Writer.open(workspace) as writer:
        run = add_trained(workspace, writer, "tuned")
        for before, after in pairwise(_STATES):
            assert writer.transition(JobKind.TRAINING, run, before, after, "test")
    return workspace


_STATES = (State.QUEUED, State.STARTING, State.RUNNING, State.SUCCEEDED)


def add_trained(workspace: Workspace, writer: Writer, name: str, *, adapter: bool = True, **recipe: Any) -> int:
    """A queued run on `fetal` whose adapter folder is there."""
    content = {"name": name, "data": {"dataset": "fetal", "image_size": 96}, "evaluation": {"max_new_tokens": 12}}
    content = {**content, **recipe}
    record = api.dataset_summary(workspace, "fetal").record
    prints = (record.fingerprint, record.split_fingerprint)
    text = recipe_json(parse_recipe(content, "test"))
    run = writer.create_run(name, text, "fetal", *prints, "assets/base-model", 42)
    if adapter:
        (workspace.root / api.run_details(workspace, run).run.directory / "adapter").mkdir(parents=True)
    return run


class Events:
    """What a session delivered, in order."""

    def __init__(self) -> None:
        self.queue: queue.SimpleQueue[api.AskEvent] = queue.SimpleQueue()

    def __call__(self, event: api.AskEvent) -> None:
        self.queue.put(event)

    def next(self) -> Any:
        return self.queue.get(timeout=60)

    def until_end(self) -> tuple[list[str], Any]:
        """Pieces up to the end of the answer, and that end."""
        pieces: list[str] = []
        while isinstance(event := self.next(), api.AskToken):
            pieces.append(event.text)
        return pieces, event
