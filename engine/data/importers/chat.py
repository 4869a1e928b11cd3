"""One line of a chat file: an image and its questions with answers.

The form is {"messages": [{"role", "content"}, ...], "images": ["<View>/<file>"]}; content is a string or a list of
{"type": "image"} and {"type": "text", "text"} items. A line may hold several question/answer pairs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.data.importers.recognise import recognise_question
from engine.data.paths import RejectedError, is_encodable, normalise_path, storable, view_of

KNOWN_KEYS = frozenset({"messages", "images"})
KNOWN_MESSAGE_KEYS = frozenset({"role", "content"})


@dataclass(slots=True)
class ParsedLine:
    """What one line says."""

    path: str
    """Normalised image path; its first folder is the view."""
    answers: list[tuple[str, str]] = field(default_factory=list)
    """(question id, raw answer)."""
    faults: list[RejectedError] = field(default_factory=list)
    """Pairs of this line that cannot be used."""
    unknown_keys: list[str] = field(default_factory=list)
    """Keys without a meaning here; the import counts them and goes on."""


def parse_line(raw: bytes) -> ParsedLine:
    """Read one line.

    Raises:
        RejectedError: nothing of the line can be used, and why.
    """
    entry = _decode(raw)
    path = _image_path(entry)
    messages = entry.get("messages")
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        raise RejectedError(storable(path), "no list of messages")
    line = ParsedLine(path, unknown_keys=[storable(key, 40) for key in entry if key not in KNOWN_KEYS])
    for message in messages:
        line.unknown_keys += [f"messages.{storable(key, 40)}" for key in message if key not in KNOWN_MESSAGE_KEYS]
    for pair in _pairs(messages):
        try:
            line.answers.append(_answer(path, *pair))
        except RejectedError as fault:
            line.faults.append(fault)
    if not line.answers and not line.faults:
        raise RejectedError(storable(path), "no user message")
    return line


def _decode(raw: bytes) -> dict[str, Any]:
    shown = storable(raw[:400].decode("utf-8", "backslashreplace").strip(), 120)
    try:
        entry = json.loads(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise RejectedError(shown, f"not UTF-8 (byte {error.start + 1} of the line)") from None
    except RecursionError:
        raise RejectedError(shown, "invalid JSON: nested too deeply") from None
    except ValueError as error:
        raise RejectedError(shown, f"invalid JSON: {storable(str(error), 120)}") from None
    if not isinstance(entry, dict):
        raise RejectedError(shown, "not a JSON object")
    return entry


def _image_path(entry: Mapping[str, Any]) -> str:
    images = entry.get("images")
    if not isinstance(images, list) or not images:
        raise RejectedError(storable(json.dumps(entry)[:400], 120), "no list of images")
    if len(images) != 1:
        raise RejectedError(storable(repr(images)), f"{len(images)} images in one line; one is supported")
    path = normalise_path(images[0])
    view_of(path)
    return path


def _pairs(messages: Sequence[Mapping[str, Any]]) -> Iterator[tuple[object, object]]:
    """User and assistant contents in turn; None stands for the half that is missing."""
    asked: tuple[object] | None = None
    for message in messages:
        match message.get("role"):
            case "system":
                continue
            case "user":
                if asked:
                    yield asked[0], None
                asked = (message.get("content"),)
            case "assistant":
                yield (asked[0] if asked else None), message.get("content")
                asked = None
            case _:
                yield None, None
    if asked:
        yield asked[0], None


def _answer(path: str, asked: object, answered: object) -> tuple[str, str]:
    if asked is None:
        raise RejectedError(storable(path), "a message that is neither system, user nor assistant in turn")
    prompt, answer = _text(asked), _text(answered)
    if prompt is None:
        raise RejectedError(storable(path), "the user message has no text")
    question = recognise_question(prompt)
    if question is None:
        raise RejectedError(storable(path), f"unknown question: {storable(prompt.strip(), 80)}")
    if answer is None or not answer.strip():
        raise RejectedError(storable(path), f"no answer to {question}")
    if not is_encodable(answer):
        raise RejectedError(storable(path), f"the answer to {question} is not valid Unicode")
    return question, answer


def _text(content: object) -> str | None:
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return None
    parts = [item.get("text") for item in content if isinstance(item, dict) and item.get("type") == "text"]
    texts = [part for part in parts if isinstance(part, str)]
    return "\n".join(texts) if texts else None
