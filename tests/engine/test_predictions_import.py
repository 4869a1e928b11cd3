"""Predictions of another tool: what is read, what is matched, what is refused, and how it enters the leaderboard."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from cli_helpers import HOSTILE, CommandLine, control_characters, small_dataset
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import api
from engine.data.manifest import open_dataset
from engine.errors import DataError
from engine.evaluation.imported.matching import match_predictions
from engine.evaluation.imported.reading import Line, Rejected, read_predictions
from engine.questions.serving_errors import DEFAULT_PATTERNS, compile_patterns
from engine.store.reader import Reader
from engine.types import IMPORTED, Case, Outcome, Reference, Split, State
from engine.workspace import Workspace

WHY = ("--test-purpose", "tests")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return small_dataset(tmp_path)


@pytest.fixture
def command(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    return CommandLine(workspace.root, capsys)


def cases(workspace: Workspace, split: Split | None = Split.TEST) -> list[Case]:
    return open_dataset(workspace, "fetal").cases(split)


def write(file: Path, entries: Iterable[Mapping[str, Any]]) -> Path:
    file.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    return file


def read_lines(file: Path, question: str | None = None) -> list[Line | Rejected]:
    return list(read_predictions(file, question))


@pytest.mark.parametrize(
    "entry",
    [
        {"image": "Abdomen/A.png", "question": "Q7", "prediction": "Normal"},
        {"image_path": "Abdomen/A.png", "question_id": "q7", "output": "Normal"},
        {"images": ["Abdomen/A.png"], "task": "7", "response": "Normal"},
        {"file_name": "Abdomen\\A.png", "prompt": "Is this ultrasound normal?", "raw_output": "Normal"},
        {"path": "./Abdomen/A.png", "question": "Normality Assessment: anything odd?", "predict": "Normal"},
    ],
)
def test_entries_of_many_tools_are_read(tmp_path: Path, entry: Mapping[str, Any]) -> None:
    [line] = read_lines(write(tmp_path / "p.jsonl", [entry]))
    assert isinstance(line, Line)
    assert (line.path, line.question, line.text, line.error, line.cut_off) == (
        "Abdomen/A.png", "Q7", "Normal", False, False
    )  # fmt: skip


def test_an_array_a_byte_order_mark_and_empty_lines_are_no_harm(tmp_path: Path) -> None:
    entry = {"image": "A/a.png", "question": "Q6", "prediction": "Good"}
    array = tmp_path / "array.json"
    array.write_text(json.dumps([entry, entry]), encoding="utf-8-sig")
    assert [line.number for line in read_lines(array)] == [1, 2]
    lines = tmp_path / "lines.jsonl"
    lines.write_bytes(b"\xef\xbb\xbf" + json.dumps(entry).encode() + b"\n\n \n" + json.dumps(entry).encode())
    assert [line.number for line in read_lines(lines)] == [1, 4]


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("not JSON {", "no JSON"),
        ("[1, 2]", "no object"),
        ('{"question": "Q7", "prediction": "x"}', "no image"),
        ('{"image": "a/b.png", "prediction": "x"}', "which question"),
        ('{"image": "a/b.png", "question": "Who are you?", "prediction": "x"}', "none of the eight"),
        ('{"image": "a/b.png", "question": "Q7"}', "no output"),
        ('{"image": "a/b.png", "question": "Q7", "prediction": 5}', "no output"),
        ('{"image": "../b.png", "question": "Q7", "prediction": "x"}', "leaves the image root"),
        ('{"image": "/etc/passwd", "question": "Q7", "prediction": "x"}', "absolute path"),
        ('{"image": "a/\\ud800.png", "question": "Q7", "prediction": "x"}', "Unicode"),
    ],
)
def test_what_cannot_be_used_is_listed_with_its_line(tmp_path: Path, entry: str, reason: str) -> None:
    file = tmp_path / "p.jsonl"
    file.write_text(f"{{}}\n{entry}\n", encoding="utf-8")
    rejected = read_lines(file)[1]
    assert isinstance(rejected, Rejected)
    assert rejected.number == 2
    assert reason in rejected.reason


@settings(max_examples=200, deadline=None)
@given(content=st.binary(max_size=300))
def test_no_content_breaks_the_reader(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / "any.jsonl"
    file.write_bytes(content)
    try:
        read_lines(file)
    except DataError as error:
        assert "no JSON" in error.title  # an array that is none


def test_errors_cut_off_outputs_and_probabilities_are_kept_apart(tmp_path: Path, workspace: Workspace) -> None:
    asked = cases(workspace)
    entries = [
        {"prediction": "Normal", "error": "timeout"},
        {"prediction": "ERROR: API error 500"},
        {"prediction": "The image shows", "finish_reason": "length"},
        {"prediction": "Normal", "p_abnormal": 0.25},
    ]
    file = write(
        tmp_path / "p.jsonl",
        [{"image": case.path, "question": "Q7", **entry} for case, entry in zip(asked, entries, strict=False)],
    )
    matched = match_predictions(read_predictions(file), cases(workspace, None), compile_patterns(DEFAULT_PATTERNS))
    found = {prediction.path: prediction for _, prediction in matched.predictions["Q7", Split.TEST]}
    outcomes = [found[case.path].outcome for case in asked[: len(entries)]]
    assert outcomes[:3] == [Outcome.ERROR, Outcome.ERROR, Outcome.CUT_OFF]
    assert found[asked[0].path].raw_output == "Normal"  # raw text is kept
    if len(asked) > 3:
        assert found[asked[3].path].p_abnormal == 0.25


def test_paths_are_found_as_other_tools_write_them(tmp_path: Path, workspace: Workspace) -> None:
    first, second, third, *_ = cases(workspace)
    entries = [
        {"image": first.path, "question": "Q6", "prediction": "Good"},
        {"image": f"data/ultrasound/{second.path}", "question": "Q6", "prediction": "Good"},
        {"image": third.path.upper().replace("_", " "), "question": "Q6", "prediction": "Good"},
        {"image": "Abdomen/nobody.png", "question": "Q6", "prediction": "Good"},
    ]
    matched = match_predictions(read_predictions(write(tmp_path / "p.jsonl", entries)), cases(workspace, None), None)
    assert {case.path for case, _ in matched.predictions["Q6", Split.TEST]} == {first.path, second.path, third.path}
    assert dict(matched.tolerated) == {"folders in front of the view": 1, "spelling of the path": 1}
    assert [each.reason for each in matched.rejected] == ["the dataset has no such image"]


def test_disagreeing_entries_are_all_left_out_and_repeats_count_once(tmp_path: Path, workspace: Workspace) -> None:
    first, second, *_ = cases(workspace)
    said = [(first, "Good"), (first, "Low"), (second, "Good"), (second, "Good")]
    entries = [{"image": case.path, "question": "Q6", "prediction": text} for case, text in said]
    matched = match_predictions(read_predictions(write(tmp_path / "p.jsonl", entries)), cases(workspace, None), None)
    assert [case.path for case, _ in matched.predictions["Q6", Split.TEST]] == [second.path]
    assert matched.repeats == 1
    assert "different predictions" in matched.rejected[0].reason


def predictions_of_all(workspace: Workspace, file: Path, question: str = "Q7") -> Path:
    return write(
        file,
        [
            {"image": case.path, "question": question, "prediction": case.answers[question]}
            for case in cases(workspace, None)
        ],
    )


def test_a_file_becomes_a_run_with_its_references_and_a_look(
    command: CommandLine, workspace: Workspace, tmp_path: Path
) -> None:
    file = predictions_of_all(workspace, tmp_path / "theirs.jsonl")
    done = command("predictions", "import", str(file), "--dataset", "fetal", "--model", "other-vlm", *WHY, "--json")
    assert done.code == 0, done.err
    assert [(part["question"], part["split"]) for part in done.json["parts"]] == [("Q7", "validation"), ("Q7", "test")]
    assert all(part["cases"] == part["of"] == part["outcomes"]["right"] for part in done.json["parts"])
    assert done.json["on_training"] == len(cases(workspace, Split.TRAIN))
    with Reader(workspace) as reader:
        [run] = reader.runs()
        rows = reader.evaluations()
    assert (run.kind, run.state, run.name, run.model) == (IMPORTED, State.SUCCEEDED, "theirs", "other-vlm")
    assert {row.reference for row in rows} == {None, Reference.MAJORITY, Reference.MAJORITY_BY_VIEW, Reference.SHUFFLED}
    board = command("leaderboard", "--split", "test", "--json").json
    assert next(row for row in board if row["name"] == "theirs")["balanced_accuracy"] == 1.0
    assert len({row["protocol_fingerprint"] for row in board}) == 1
    assert [(look.run, look.purpose) for look in api.looks(workspace, "fetal")] == [(1, "tests")]
    # A second file needs no second set of references.
    again = command("predictions", "import", str(file), "--dataset", "fetal", "--name", "again", *WHY, "--json")
    assert again.code == 0
    with Reader(workspace) as reader:
        assert len(reader.evaluations()) == len(rows) + 2


def test_the_test_split_is_not_looked_at_without_a_reason_and_nothing_is_stored(
    command: CommandLine, workspace: Workspace, tmp_path: Path
) -> None:
    file = predictions_of_all(workspace, tmp_path / "theirs.jsonl")
    done = command("predictions", "import", str(file), "--dataset", "fetal")
    assert done.code == 2
    assert "--test-purpose" in done.err
    assert command("runs", "--json").json == []
    done = command("predictions", "import", str(file), "--dataset", "fetal", "--split", "validation", "--json")
    assert done.code == 0
    assert [part["split"] for part in done.json["parts"]] == ["validation"]


def test_a_file_that_fits_nothing_says_why_and_changes_nothing(
    command: CommandLine, workspace: Workspace, tmp_path: Path
) -> None:
    entries = [{"image": f"Nowhere/{number}.png", "question": "Q7", "prediction": "x"} for number in range(3)]
    done = command("predictions", "import", str(write(tmp_path / "p.jsonl", entries)), "--dataset", "fetal")
    assert done.code == 1
    assert "3 x the dataset has no such image" in done.err
    assert command("runs", "--json").json == []
    for words, code in (
        ((str(tmp_path / "gone.jsonl"), "--dataset", "fetal"), 1),
        ((str(tmp_path / "p.jsonl"), "--dataset", "nobody"), 1),
        ((str(tmp_path / "p.jsonl"), "--dataset", "fetal", "--question", "Q9"), 2),
        ((str(tmp_path / "p.jsonl"), "--dataset", "fetal", "--split", "train"), 2),
    ):
        assert command("predictions", "import", *words).code == code, words


def test_without_probabilities_the_text_decides_and_some_are_as_good_as_none(
    command: CommandLine, workspace: Workspace, tmp_path: Path
) -> None:
    for name, known in (("all", 1.0), ("some", 0.5), ("none", 0.0)):
        asked = cases(workspace, Split.VALIDATION)
        entries = [
            {
                "image": case.path,
                "question": "Q7",
                "prediction": case.answers["Q7"],
                **(
                    {"p_abnormal": 0.9 if "bnormal" in case.answers["Q7"] else 0.1}
                    if place < known * len(asked)
                    else {}
                ),
            }
            for place, case in enumerate(asked)
        ]
        file = write(tmp_path / f"{name}.jsonl", entries)
        assert command("predictions", "import", str(file), "--dataset", "fetal").code == 0
    rows = {row["name"]: row for row in command("leaderboard", "--split", "validation", "--json").json}
    assert rows["all"]["auroc"] == 1.0
    assert rows["all"]["threshold_source"] == "chosen on these validation cases"
    for name in ("some", "none"):
        assert rows[name]["auroc"] is None
        assert rows[name]["threshold"] is None
        assert rows[name]["balanced_accuracy"] == 1.0


def test_an_imported_run_has_neither_recipe_nor_adapter(
    command: CommandLine, workspace: Workspace, tmp_path: Path
) -> None:
    file = predictions_of_all(workspace, tmp_path / "theirs.jsonl")
    assert command("predictions", "import", str(file), "--dataset", "fetal", *WHY).code == 0
    for words in (("evaluate", "theirs"), ("clone", "theirs"), ("resume", "theirs"), ("stop", "theirs")):
        done = command(*words)
        assert done.code in (1, 2), words
        assert "Traceback" not in done.err
        assert done.err.strip()
    assert "was not trained here" in command("evaluate", "theirs").err
    assert command("show", "theirs").code == 0


def test_hostile_outputs_are_kept_raw_and_shown_harmless(
    command: CommandLine, workspace: Workspace, tmp_path: Path
) -> None:
    entries = [{"image": case.path, "question": "Q8", "prediction": HOSTILE} for case in cases(workspace)]
    entries.append({"image": HOSTILE, "question": HOSTILE, "prediction": HOSTILE})
    file = write(tmp_path / "evil.jsonl", entries)
    done = command("predictions", "import", str(file), "--dataset", "fetal", "--name", HOSTILE, *WHY)
    assert done.code == 0, done.err
    assert not control_characters(done.out + done.err)
    with Reader(workspace) as reader:
        evaluation = next(row for row in reader.evaluations() if row.reference is None)
        assert {each.raw_output for each in reader.predictions(evaluation.id)} == {HOSTILE}
    assert not control_characters(command("leaderboard").out)
