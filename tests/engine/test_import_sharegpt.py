"""LLaMA-Factory's ShareGPT JSON, in its own words and in those of a dataset_info.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from clinical_data import build_clinical, chat_record
from data_helpers import ANSWERS, write_image
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data.importers import json_stream
from engine.data.importers.json_stream import iterate_array
from engine.data.importers.jsonl import import_chat_lines
from engine.data.importers.request import SourceOptions
from engine.data.importers.sharegpt import import_sharegpt
from engine.data.manifest import Dataset, open_dataset
from engine.errors import DataError
from engine.questions.prompts import QUESTIONS
from engine.workspace import Workspace

PATH = "Femur/Femur_001.png"


def turns(
    role: str, content: str, user: str, assistant: str, answers: dict[str, str] = ANSWERS
) -> list[dict[str, str]]:
    said = []
    for question, answer in answers.items():
        said.append({role: user, content: f"<image>{QUESTIONS[question].prompts['detailed']}"})
        said.append({role: assistant, content: answer})
    return said


def imported(tmp_path: Path, entries: Any, name: str = "data.json") -> Dataset:
    write_image(tmp_path / "root", PATH)
    file = tmp_path / name
    file.write_text(entries if isinstance(entries, str) else json.dumps(entries))
    workspace = Workspace(tmp_path / "workspace")
    import_sharegpt(workspace, "x", file, tmp_path / "root", SourceOptions())
    return open_dataset(workspace, "x")


@pytest.mark.parametrize(
    "entry",
    [
        {"conversations": turns("from", "value", "human", "gpt"), "images": [PATH]},
        {"conversations": turns("from", "value", "human", "gpt"), "image": PATH, "system": "An expert.", "id": 7},
        {"messages": turns("role", "content", "user", "assistant"), "images": [PATH]},
        {"conversations": turns("role", "content", "user", "assistant"), "images": PATH},
        {
            "conversations": [{"from": "system", "value": "x"}, *turns("from", "value", "human", "gpt")],
            "images": ["femur/Femur 001.PNG"],
        },
    ],
)
def test_the_usual_forms_are_read(tmp_path: Path, entry: dict[str, Any]) -> None:
    dataset = imported(tmp_path, [entry])
    assert dataset.problems == []
    assert {case.path: dict(case.answers) for case in dataset.cases()} == {PATH: ANSWERS}
    assert dataset.record.options["unknown_keys"] == {}


def test_other_words_are_taken_from_dataset_info(tmp_path: Path) -> None:
    info = {
        "other": {"file_name": "other.json"},
        "mine": {
            "file_name": "data.json",
            "formatting": "sharegpt",
            "columns": {"messages": "talk", "images": "pictures"},
            "tags": {"role_tag": "who", "content_tag": "what", "user_tag": "doctor", "assistant_tag": "model"},
        },
    }
    (tmp_path / "dataset_info.json").write_text(json.dumps(info))
    dataset = imported(tmp_path, [{"talk": turns("who", "what", "doctor", "model"), "pictures": [PATH]}])
    assert dict(dataset.cases()[0].answers) == ANSWERS
    assert dataset.record.options["words_from"] == "dataset_info.json"


@pytest.mark.parametrize(
    ("info", "reason"),
    [
        ({"a": {"file_name": "data.json"}}, "in the form 'alpaca'"),
        (
            {"a": {"file_name": "data.json", "formatting": "sharegpt", "tags": {"role_tag": 5}}},
            "no text stands for: role",
        ),
        ({"a": {"file_name": "data.json", "formatting": "sharegpt", "tags": ["x"]}}, "must be objects"),
        ("{", "Expecting"),
    ],
)
def test_a_dataset_info_that_cannot_be_followed_is_refused(tmp_path: Path, info: Any, reason: str) -> None:
    (tmp_path / "dataset_info.json").write_text(info if isinstance(info, str) else json.dumps(info))
    with pytest.raises(DataError, match="cannot be followed") as caught:
        imported(tmp_path, [{"conversations": turns("from", "value", "human", "gpt"), "images": [PATH]}])
    assert reason in caught.value.reason


def test_the_same_content_has_the_fingerprint_that_jsonl_gives(tmp_path: Path) -> None:
    data = build_clinical(tmp_path, images=40)
    entries = [
        {"conversations": turns("from", "value", "human", "gpt", dict(given)), "images": [path]}
        for path, given in data.answers.items()
    ]
    (tmp_path / "a.json").write_text(json.dumps(entries))
    workspace = Workspace(tmp_path / "w")
    ours = import_sharegpt(workspace, "a", tmp_path / "a.json", data.root, SourceOptions())
    chat = import_chat_lines(workspace, "b", data.jsonl, data.root, SourceOptions())
    assert (ours.fingerprint, ours.split_fingerprint) == (chat.fingerprint, chat.split_fingerprint)


def test_what_cannot_be_used_is_listed_by_its_entry(tmp_path: Path) -> None:
    good = {"conversations": turns("from", "value", "human", "gpt"), "images": [PATH]}
    entries = [
        good,
        7,
        {"images": [PATH]},
        {"conversations": [], "images": [PATH]},
        {**good, "images": []},
        {**good, "images": ["/etc/passwd"]},
        {**good, "images": [PATH, PATH]},
        {"conversations": [{"from": "human", "value": "<image>Who?"}, {"from": "gpt", "value": "x"}], "images": [PATH]},
        {"conversations": [{"from": "tool", "value": "x"}], "images": [PATH]},
        {**chat_record(PATH, "Q6", "Low"), "extra": 1},
    ]
    dataset = imported(tmp_path, entries)
    reasons = {problem.source.removeprefix("data.json:"): problem.reason for problem in dataset.problems}
    assert reasons == {
        "2": "not a JSON object",
        "3": "no list of conversations",
        "4": "no human message",
        "5": "no list of images",
        "6": "absolute path; image paths are relative to the image root",
        "7": "2 images in one line; one is supported",
        "8": "unknown question: <image>Who?",
        "9": "a message that is neither system, user nor assistant in turn",
        "1,10": "2 different answers to Q6 (entries 1,10); none is used",
    }
    assert dataset.record.options["unknown_keys"] == {"extra": 1}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"a": 1}', "does not begin with a JSON array"),
        ("", "does not begin with a JSON array"),
        ('[{"a": 1}', "entry 1"),
        ('[{"a": 1} {"b": 2}]', "a comma is missing after entry 1"),
        ('[{"a": 1}, ]', "entry 2"),
        ("[1, 2] 3", "something follows the end"),
        ('[{"a": ' + "[" * 200_000 + "]", "entry 1"),
        ('[{"a": "unfinished}]', "entry 1"),
    ],
)
def test_half_a_file_is_not_imported(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(DataError, match="no JSON array") as caught:
        imported(tmp_path, text)
    assert reason in caught.value.reason


def test_bytes_that_are_no_utf8_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes(b'[{"a": "\xff"}]')
    with pytest.raises(DataError) as caught:
        list(iterate_array(tmp_path / "x.json"))
    assert "not UTF-8" in caught.value.reason


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(st.lists(JSON, max_size=8), st.integers(1, 17), st.booleans())
@settings(max_examples=120, deadline=None)
def test_reading_in_pieces_gives_what_reading_at_once_gives(members: list[Any], chunk: int, escaped: bool) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_stream, "CHUNK", chunk)
        file = Path(folder) / "x.json"
        file.write_text(json.dumps(members, ensure_ascii=escaped, indent=1 if escaped else None), encoding="utf-8")
        assert list(iterate_array(file)) == list(enumerate(members, 1))


def test_a_member_without_an_end_does_not_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_stream, "MAX_MEMBER", 1000)
    monkeypatch.setattr(json_stream, "CHUNK", 100)
    (tmp_path / "x.json").write_text('["' + "x" * 50_000)
    with pytest.raises(DataError) as caught:
        list(iterate_array(tmp_path / "x.json"))
    assert "entry 1" in caught.value.reason
