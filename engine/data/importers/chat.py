"""One record of a chat file: an image and its questions with answers.

The form is {"messages": [{"role", "content"}, ...], "images": ["<View>/<file>"]}; content is a string or a list of
{"type": "image"} and {"type": "text", "text"} items. A record may hold several question/answer pairs. Other tools use
other words for the same (`conversations`, `from`, `value`, `human`, `gpt`): a `ChatForm` says which.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.data.importers.parsed import ParsedLine
from engine.data.importers.recognise import recognise_question
from engine.data.paths import RejectedError, normalise_path, storable, view_of


@dataclass(frozen=True, slots=True)
class ChatForm:
    """The words by which a chat record names its parts."""

    messages: str = "messages"
    images: str = "images"
    role: str = "role"
    content: str = "content"
    user: str = "user"
    assistant: str = "assistant"
    system: str = "system"
    extra: frozenset[str] = frozenset()
    """Other keys of a record that have a meaning elsewhere, and are no surprise."""


CHAT = ChatForm()
"""The form of the user's own files."""


def parse_line(raw: bytes) -> ParsedLine:
    """Read one line of chat JSONL.

    Raises:
        RejectedError: nothing of the line can be used, and why.
    """
    return parse_record(_decode(raw), CHAT)


def parse_record(entry: Mapping[str, Any], form: ChatForm) -> ParsedLine:
    """Read one record.

    Raises:
        RejectedError: nothing of it can be used, and why.
    """
    path = _image_path(entry, form)
    messages = entry.get(form.messages)
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        raise RejectedError(storable(path), f"no list of {form.messages}")
    known = {form.messages, form.images, *form.extra}
    line = ParsedLine(path, unknown_keys=[storable(key, 40) for key in entry if key not in known])
    inner = {form.role, form.content}
    for message in messages:
        line.unknown_keys += [f"{form.messages}.{storable(key, 40)}" for key in message if key not in inner]
    for pair in _pairs(messages, form):
        try:
            _take_answer(line, *pair)
        except RejectedError as fault:
            line.faults.append(fault)
    if not line.answers and not line.faults:
        raise RejectedError(storable(path), f"no {form.user} message")
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


def _image_path(entry: Mapping[str, Any], form: ChatForm) -> str:
    images = entry.get(form.images)
    if isinstance(images, str):
        images = [images]
    if not isinstance(images, list) or not images:
        raise RejectedError(storable(json.dumps(entry, default=repr)[:400], 120), f"no list of {form.images}")
    if len(images) != 1:
        raise RejectedError(storable(repr(images)), f"{len(images)} images in one line; one is supported")
    path = normalise_path(images[0])
    view_of(path)
    return path


def _pairs(messages: Sequence[Mapping[str, Any]], form: ChatForm) -> Iterator[tuple[object, object]]:
    """User and assistant contents in turn; None stands for the half that is missing."""
    asked: tuple[object] | None = None
    for message in messages:
        role, content = message.get(form.role), message.get(form.content)
        if role == form.system:
            continue
        if role == form.user:
            if asked:
                yield asked[0], None
            asked = (content,)
        elif role == form.assistant:
            yield (asked[0] if asked else None), content
            asked = None
        else:
            yield None, None
    if asked:
        yield asked[0], None


def _take_answer(line: ParsedLine, asked: object, answered: object) -> None:
    if asked is None:
        raise RejectedError(storable(line.path), "a message that is neither system, user nor assistant in turn")
    prompt, answer = text_of(asked), text_of(answered)
    if prompt is None:
        raise RejectedError(storable(line.path), "the user message has no text")
    take_pair(line, prompt, answer)


def take_pair(line: ParsedLine, prompt: str, answer: str | None) -> None:
    """Add the answer to the question that `prompt` asks.

    Raises:
        RejectedError: the question is none of the eight, or there is no answer.
    """
    question = recognise_question(prompt)
    if question is None:
        raise RejectedError(storable(line.path), f"unknown question: {storable(prompt.strip(), 80)}")
    if answer is None or not answer.strip():
        raise RejectedError(storable(line.path), f"no answer to {question}")
    line.answer(question, answer)


def text_of(content: object) -> str | None:
    """The text of a message: the string itself, or its text items one below the other; None where there is none."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return None
    parts = [item.get("text") for item in content if isinstance(item, dict) and item.get("type") == "text"]
    texts = [part for part in parts if isinstance(part, str)]
    return "\n".join(texts) if texts else None
