"""One file of predictions, JSONL or a JSON array; every entry is untrusted, and what cannot be used is listed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.data.importers.recognise import recognise_question
from engine.data.paths import RejectedError, is_encodable, normalise_path, storable
from engine.errors import DataError
from engine.questions.prompts import REPORT_ID
from engine.types import QUESTION_IDS

IMAGE_KEYS = ("image", "image_path", "path", "images", "file", "file_name", "filename")
QUESTION_KEYS = ("question", "question_id", "task", "prompt", "instruction")
ANSWER_KEYS = ("prediction", "predict", "output", "response", "raw_output", "generated_text", "answer")
PROBABILITY_KEYS = ("p_abnormal", "probability_abnormal")
MAX_FILE_BYTES = 2 * 1024**3
MAX_LINE_BYTES = 4 * 1024**2


@dataclass(frozen=True, slots=True)
class Line:
    """One prediction as the file has it."""

    number: int
    """Of the line, or of the element, from 1 on."""
    path: str
    question: str
    text: str
    """The output; where a server reported an error, that."""
    error: bool
    """The entry itself says that it is no answer."""
    cut_off: bool
    p_abnormal: float | None


@dataclass(frozen=True, slots=True)
class Rejected:
    """An entry that cannot be used, and why."""

    number: int
    item: str
    """Untrusted text."""
    reason: str


def read_predictions(file: Path, question: str | None = None) -> Iterator[Line | Rejected]:
    """The entries of a file, in its order.

    Args:
        file: JSONL, or one JSON array.
        question: of entries that name none.

    Raises:
        DataError: the file cannot be read, or is larger than 2 GiB.
    """
    for number, entry in _entries(file):
        if isinstance(entry, Rejected):
            yield entry
            continue
        try:
            yield _line(number, entry, question)
        except RejectedError as rejected:
            yield Rejected(number, rejected.item, rejected.reason)


def _entries(file: Path) -> Iterator[tuple[int, Any]]:
    try:
        if file.stat().st_size > MAX_FILE_BYTES:
            raise DataError(f"The file {file} is larger than 2 GiB", next_step="Split it, and import its parts.")
        with file.open("rb") as stream:
            start = stream.read(64).lstrip(b"\xef\xbb\xbf \t\r\n")
            stream.seek(0)
            if start.startswith(b"["):
                yield from enumerate(_array(stream.read(), file), 1)
                return
            for number, raw in enumerate(stream, 1):
                if raw.strip():
                    yield number, _decoded(number, raw)
    except OSError as error:
        raise DataError(
            f"The file {storable(str(file))} cannot be read",
            error.strerror or str(error),
            "Check the path and its permissions.",
        ) from error


def _array(data: bytes, file: Path) -> list[Any]:
    try:
        value = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"The file {storable(str(file))} is no JSON", str(error), "One entry a line (JSONL) can be read in parts."
        ) from error
    return value if isinstance(value, list) else [value]


def _decoded(number: int, raw: bytes) -> Any:
    if len(raw) > MAX_LINE_BYTES:
        return Rejected(number, "", f"the line is longer than {MAX_LINE_BYTES // 1024**2} MiB")
    try:
        return json.loads(raw.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        return Rejected(number, storable(raw[:200].decode("utf-8", "replace")), f"no JSON: {error}")


def _line(number: int, entry: Any, question: str | None) -> Line:
    if not isinstance(entry, dict):
        raise RejectedError(storable(repr(entry)), "the entry is no object")
    path = normalise_path(_image(entry))
    asked = _question(entry, question)
    error = entry.get("error")
    text = _first(entry, ANSWER_KEYS)
    if error not in (None, "", False):
        shown = error if isinstance(error, str) else json.dumps(error)
        told = text if isinstance(text, str) and text else shown
        return Line(number, path, asked, _storable_text(told), True, False, None)
    if not isinstance(text, str):
        raise RejectedError(storable(path), f"no output: none of {', '.join(ANSWER_KEYS)} is text")
    cut = entry.get("finish_reason") == "length" or entry.get("cut_off") is True
    return Line(number, path, asked, _storable_text(text), False, cut, _probability(entry))


def _storable_text(text: str) -> str:
    """The text in full, with what UTF-8, and so the database, cannot hold written as escapes."""
    return text if is_encodable(text) else text.encode("utf-8", "backslashreplace").decode("utf-8")


def _first(entry: Mapping[str, Any], keys: tuple[str, ...]) -> Any:
    return next((entry[key] for key in keys if entry.get(key) is not None), None)


def _image(entry: Mapping[str, Any]) -> Any:
    image = _first(entry, IMAGE_KEYS)
    if isinstance(image, list):
        image = image[0] if len(image) == 1 else None
    if image is None:
        raise RejectedError(storable(json.dumps(entry)[:200]), f"no image: one of {', '.join(IMAGE_KEYS)} is needed")
    return image


def _question(entry: Mapping[str, Any], given: str | None) -> str:
    named = _first(entry, QUESTION_KEYS)
    if named is None:
        if given is None:
            raise RejectedError(storable(json.dumps(entry)[:200]), "it does not say which question it answers")
        return given
    text = str(named).strip()
    known = {each.casefold(): each for each in (*QUESTION_IDS, REPORT_ID)}
    found = known.get(text.casefold()) or known.get(f"q{text}") or recognise_question(text)
    if found is None:
        raise RejectedError(storable(text), "none of the eight questions is asked")
    return found


def _probability(entry: Mapping[str, Any]) -> float | None:
    value = _first(entry, PROBABILITY_KEYS)
    # Compared first: NaN and infinity are outside too, and a whole number of 400 digits becomes no float.
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        return None
    return float(value)
