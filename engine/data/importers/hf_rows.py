"""One row of a `datasets` table: its image, its view, its answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.data.importers.chat import parse_record, take_pair
from engine.data.importers.columns import meaning_of
from engine.data.importers.parsed import ParsedLine
from engine.data.importers.sharegpt import form_of
from engine.data.importers.split_file import split_of_word
from engine.data.paths import RejectedError, storable
from engine.errors import DataError
from engine.types import QUESTION_IDS, Split

IMAGE_NAMES = ("image", "images", "img", "picture", "image_path")
FILE_NAMES = ("image_name", "file_name", "filename", "name", "path")
VIEW_NAMES = ("view", "folder", "folder_name", "view_name", "label", "labels", "class", "category")
ASKED_NAMES = ("question", "prompt", "query", "instruction", "input")
ANSWER_NAMES = ("answer", "response", "output", "target", "completion")
CHAT_NAMES = ("messages", "conversations")
SPLIT_NAMES = ("split", "subset")


@dataclass(frozen=True, slots=True)
class RowForm:
    """Which columns of a table hold what, and the names behind class numbers."""

    image: str
    file: str | None = None
    view: str | None = None
    asked: str | None = None
    answered: str | None = None
    chat: str | None = None
    split: str | None = None
    status: str | None = None
    questions: Mapping[str, str] = field(default_factory=dict)
    """Column by question id."""
    classes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Class names by column."""

    @property
    def columns(self) -> list[str]:
        """All columns that are read."""
        single = (self.image, self.file, self.view, self.asked, self.answered, self.chat, self.split, self.status)
        return list(dict.fromkeys([*(name for name in single if name), *self.questions.values()]))

    def text(self, row: Mapping[str, Any], column: str | None) -> str | None:
        """A cell as text: class numbers by their names; None where the cell is empty or no such column exists."""
        value = row.get(column) if column else None
        if column is not None and column in self.classes and isinstance(value, int):
            names = self.classes[column]
            return str(names[value]) if 0 <= value < len(names) else None
        return None if value is None or isinstance(value, dict | list | bytes) else str(value)


def form_of_table(names: Sequence[str], features: Mapping[str, Any]) -> RowForm:
    """Find the columns of a table.

    Raises:
        DataError: no column holds images, or none holds answers.
    """
    by_name = {name.strip().casefold(): name for name in reversed(names)}

    def first(wanted: Sequence[str]) -> str | None:
        return next((by_name[name] for name in wanted if name in by_name), None)

    typed = [name for name in names if isinstance(features.get(name), dict) and features[name].get("_type") == "Image"]
    image = typed[0] if typed else first(IMAGE_NAMES)
    asked, answered, chat = first(ASKED_NAMES), first(ANSWER_NAMES), first(CHAT_NAMES)
    questions = {meaning: name for name in reversed(names) if (meaning := meaning_of(name)) in QUESTION_IDS}
    if image is None or not (chat or questions or (asked and answered)):
        lacking = "images (image)" if image is None else "answers (Q1 to Q8, question and answer, or messages)"
        raise DataError(
            f"The table has no column of {lacking}.",
            f"Its columns are: {storable(', '.join(names))}.",
            "Rename the column, then import again.",
        )
    return RowForm(
        image,
        file=first(FILE_NAMES),
        view=first(VIEW_NAMES),
        asked=asked if answered and not chat else None,
        answered=answered if asked and not chat else None,
        chat=chat,
        split=first(SPLIT_NAMES),
        status=first(("status",)),
        questions={} if chat or (asked and answered) else questions,
        classes=_classes(features),
    )


def image_of(row: Mapping[str, Any], form: RowForm) -> tuple[bytes | None, str | None]:
    """(bytes, name) of a row's image; either may be None.

    Raises:
        RejectedError: the row has no image, or several.
    """
    cell = row.get(form.image)
    if isinstance(cell, list):
        if len(cell) != 1:
            raise RejectedError("", f"{len(cell)} images in one row; one is supported")
        cell = cell[0]
    named = form.text(row, form.file)
    match cell:
        case {"bytes": bytes() as data, **rest}:
            return data, named or _text(rest.get("path"))
        case {"path": str() as path}:
            return None, path
        case bytes():
            return cell, named
        case str():
            return None, cell
    raise RejectedError(storable(named or ""), "the row holds no image")


def view_of_row(row: Mapping[str, Any], form: RowForm, name: str | None) -> str:
    """The view of a row: its view column, else the folder in the image's name.

    Raises:
        RejectedError: neither tells.
    """
    view = form.text(row, form.view)
    if view is not None and view.strip():
        return view.replace("/", "-").replace("\\", "-")
    folders = (name or "").replace("\\", "/").strip("/").split("/")[:-1]
    if folders and folders[-1] not in {"", ".", ".."}:
        return folders[-1]
    reason = "no view: there is neither a column view, folder or label, nor a folder in the image's name"
    raise RejectedError(storable(name or ""), reason)


def take_answers(line: ParsedLine, row: Mapping[str, Any], form: RowForm) -> None:
    """Add the answers of a row to `line`.

    Raises:
        RejectedError: nothing of the row can be used.
    """
    if form.chat:
        entry = {form.chat: row.get(form.chat), "images": [line.path]}
        parsed = parse_record(entry, form_of(entry))
        line.answers, line.faults = parsed.answers, parsed.faults
    elif form.asked:
        prompt = form.text(row, form.asked)
        if prompt is None:
            raise RejectedError(storable(line.path), "the row holds no question")
        take_pair(line, prompt, form.text(row, form.answered))
    else:
        for question in QUESTION_IDS:
            answer = form.text(row, form.questions.get(question))
            if answer is not None and answer.strip():
                line.answer(question, answer)
        if not line.answers and not line.faults:
            raise RejectedError(storable(line.path), "a row without any answer")


def split_of_row(row: Mapping[str, Any], form: RowForm, word: str | None) -> Split | None:
    """The split of a row: its split column, else that of its file.

    Raises:
        RejectedError: what it says is no split.
    """
    said = form.text(row, form.split) or word
    if said is None:
        return None
    split = split_of_word(said)
    if split is None:
        raise RejectedError(storable(said, 80), f"{storable(said, 40)!r} is no split")
    return split


def _classes(features: Mapping[str, Any]) -> dict[str, list[str]]:
    return {
        name: feature["names"]
        for name, feature in features.items()
        if isinstance(feature, dict) and feature.get("_type") == "ClassLabel" and isinstance(feature.get("names"), list)
    }


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
