"""Import of LLaMA-Factory's ShareGPT JSON: one array whose members are conversations about an image.

https://llamafactory.readthedocs.io/en/latest/getting_started/data_preparation.html describes the form and the words
that a `dataset_info.json` beside the file may put in the place of the usual ones.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.data.files import check_name, import_lock
from engine.data.importers.chat import ChatForm, parse_record
from engine.data.importers.collect import Collector
from engine.data.importers.json_stream import iterate_array
from engine.data.importers.jsonl import chat_options
from engine.data.importers.pipeline import Gathered, import_gathered, require_folder
from engine.data.importers.publish import Recorder
from engine.data.importers.report import Tolerances
from engine.data.importers.request import SourceOptions
from engine.data.paths import RejectedError, storable
from engine.errors import DataError
from engine.types import DatasetRecord
from engine.workspace import Workspace

DATASET_INFO = "dataset_info.json"
MAX_INFO_BYTES = 4 * 1024**2

SHAREGPT = ChatForm("conversations", "images", "from", "value", "human", "gpt", "system")
"""The words of ShareGPT, which LLaMA-Factory takes unless told otherwise."""
OPENAI = ChatForm("messages", "images", "role", "content", "user", "assistant", "system")

_EXTRA = frozenset({"system", "tools", "id"})


def import_sharegpt(
    workspace: Workspace,
    name: str,
    file: Path,
    image_root: Path,
    options: SourceOptions,
    recorder: Recorder | None = None,
) -> DatasetRecord:
    """Import a ShareGPT file into `datasets/<name>/`; what cannot be used is listed as for chat JSONL.

    Raises:
        DataError: file or image root are missing, the file is no JSON array, nothing usable is in it, or the name is
            taken by other content.
    """
    check_name(name)
    require_folder(image_root)
    with import_lock(workspace, name):
        gathered = gather_array(file)
        return import_gathered(workspace, name, "sharegpt", gathered, image_root.resolve(), options, recorder)


def gather_array(file: Path) -> Gathered:
    """Read a ShareGPT file to its end; DataError where it cannot be read."""
    collector = Collector(file.name, "entries")
    named = _form_from_info(file)
    for number, entry in iterate_array(file):
        try:
            if not isinstance(entry, dict):
                raise RejectedError(storable(repr(entry), 120), "not a JSON object")
            collector.add(number, parse_record(entry, named or form_of(entry)))
        except RejectedError as rejected:
            collector.reject(number, rejected.item, rejected.reason)
    options = chat_options(file, collector)
    if named is not None:
        options["words_from"] = DATASET_INFO
    return Gathered(collector, Tolerances(file.name), options)


def form_of(entry: Mapping[str, Any]) -> ChatForm:
    """The words that this entry uses, from its keys and those of its first message."""
    base = OPENAI if "messages" in entry and "conversations" not in entry else SHAREGPT
    messages = entry.get(base.messages)
    first = messages[0] if isinstance(messages, list) and messages and isinstance(messages[0], dict) else {}
    words = OPENAI if "role" in first and "from" not in first else SHAREGPT if "from" in first else base
    images = "image" if "image" in entry and "images" not in entry else "images"
    return ChatForm(base.messages, images, words.role, words.content, words.user, words.assistant, words.system, _EXTRA)


def _form_from_info(file: Path) -> ChatForm | None:
    """The words that `dataset_info.json` beside the file gives it; None where it says nothing of this file."""
    info = file.with_name(DATASET_INFO)
    if not info.is_file():
        return None
    entry = _entry_for(_read_info(info), file.name)
    if entry is None:
        return None
    if entry.get("formatting", "alpaca") != "sharegpt":
        raise _refused(info, f"it says that {file.name} is in the form {entry.get('formatting', 'alpaca')!r}")
    columns, tags = entry.get("columns") or {}, entry.get("tags") or {}
    if not isinstance(columns, dict) or not isinstance(tags, dict):
        raise _refused(info, "columns and tags must be objects")
    words = {
        "messages": columns.get("messages", SHAREGPT.messages),
        "images": columns.get("images", SHAREGPT.images),
        "role": tags.get("role_tag", SHAREGPT.role),
        "content": tags.get("content_tag", SHAREGPT.content),
        "user": tags.get("user_tag", SHAREGPT.user),
        "assistant": tags.get("assistant_tag", SHAREGPT.assistant),
        "system": tags.get("system_tag", SHAREGPT.system),
    }
    wrong = [key for key, word in words.items() if not isinstance(word, str)]
    if wrong:
        raise _refused(info, f"no text stands for: {', '.join(wrong)}")
    return ChatForm(**words, extra=_EXTRA)


def _read_info(info: Path) -> Any:
    try:
        with info.open("rb") as stream:
            raw = stream.read(MAX_INFO_BYTES + 1)
        if len(raw) > MAX_INFO_BYTES:
            raise _refused(info, f"it is larger than {MAX_INFO_BYTES // 1024**2} MiB")
        return json.loads(raw.decode("utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise _refused(info, storable(str(error))) from error


def _entry_for(content: Any, file_name: str) -> Mapping[str, Any] | None:
    entries = content.values() if isinstance(content, dict) else []
    return next((each for each in entries if isinstance(each, dict) and each.get("file_name") == file_name), None)


def _refused(info: Path, reason: str) -> DataError:
    return DataError(
        f"{info.name} beside the file cannot be followed.",
        reason,
        "Mend its entry for this file (formatting sharegpt), or move it away: the usual words are then tried.",
    )
