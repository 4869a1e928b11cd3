"""Predictions of another tool: what is read, what is matched, what is refused, and how it enters the leaderboard."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cli_helpers import HOSTILE, CommandLine, control_characters, small_dataset
from data_helpers import eight_lines, write_image, write_lines
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import api
from engine.data.manifest import open_dataset
from engine.errors import DataError
from engine.evaluation.imported.matching import match_predictions
from engine.evaluation.imported.reading import Line, Rejected, read_predictions
from engine.evaluation.imported.scoring import finished_evaluations
from engine.evaluation.scores import CHOSEN_HERE, NOT_CHOSEN
from engine.questions.serving_errors import DEFAULT_PATTERNS, compile_patterns
from engine.store.reader import Reader
from engine.store.writer_imports import FinishedEvaluation
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
    assert rows["all"]["threshold_source"] == "chosen on these validation cases, which flatters them"
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


def q7(case: Case, **fields: Any) -> dict[str, Any]:
    """A right answer to Q7 with its probability."""
    p = 0.9 if "bnormal" in case.answers["Q7"] else 0.1
    entry = {"image": case.path, "question": "Q7", "prediction": case.answers["Q7"], "p_abnormal": p, **fields}
    return {key: value for key, value in entry.items() if value is not None}


def test_one_error_does_not_take_the_probabilities_of_a_file(
    command: CommandLine, workspace: Workspace, tmp_path: Path
) -> None:
    asked = cases(workspace, Split.VALIDATION)
    failures: dict[str, dict[str, Any]] = {
        "field": {"error": "timeout"},
        "text": {"prediction": "ERROR: API error 500"},
        "bare": {"prediction": "ERROR: API error 500", "p_abnormal": None},
    }
    for name, first in failures.items():
        file = write(tmp_path / f"{name}.jsonl", [q7(asked[0], **first), *map(q7, asked[1:])])
        assert command("predictions", "import", str(file), "--dataset", "fetal").code == 0
    rows = {row["name"]: row for row in command("leaderboard", "--split", "validation", "--json").json}
    for name in failures:
        assert rows[name]["auroc"] == 1.0, name
        assert rows[name]["threshold"] is not None
        assert rows[name]["accuracy"] == (len(asked) - 1) / len(asked)  # the error is not right
        assert rows[name]["probability_rate"] == (len(asked) - 1) / len(asked)
        assert rows[name]["errors"] == 1


@pytest.mark.parametrize("other", [{"p_abnormal": 0.4}, {"finish_reason": "length"}, {"error": "timeout"}])
def test_entries_that_differ_in_more_than_the_text_disagree(
    tmp_path: Path, workspace: Workspace, other: dict[str, Any]
) -> None:
    first, *_ = cases(workspace)
    file = write(tmp_path / "p.jsonl", [q7(first), q7(first, **other)])
    matched = match_predictions(read_predictions(file), cases(workspace, None), None)
    assert not matched.predictions
    assert "2 different predictions" in matched.rejected[0].reason


def views_apart(tmp_path: Path) -> Workspace:
    """Abdomen is abnormal in 6 of 20, Femur in 1 of 20: the view alone ranks cases, below a P of 0.5."""
    workspace, lines = Workspace(tmp_path / "apart"), []
    workspace.root.mkdir()
    for view, every in (("Abdomen", 3), ("Femur", 20)):
        for number in range(20):
            path = write_image(tmp_path / "pictures", f"{view}/{view}_{number:03d}.png")
            lines += eight_lines(path, **({"Q7": "Abnormal VSD"} if number % every == 0 else {}))
    api.import_chat_file(workspace, "fetal", write_lines(tmp_path / "apart.jsonl", lines), tmp_path / "pictures")
    return workspace


def finished(workspace: Workspace, entries: Iterable[Mapping[str, Any]], file: Path) -> list[FinishedEvaluation]:
    all_cases = cases(workspace, None)
    matched = match_predictions(read_predictions(write(file, entries)), all_cases, None)
    training = [case for case in all_cases if case.split is Split.TRAIN]
    return list(finished_evaluations(matched, training, (), ()))


def test_the_majority_by_view_chooses_its_threshold_on_validation_as_anybody(tmp_path: Path) -> None:
    workspace = views_apart(tmp_path)
    asked = [*cases(workspace, Split.VALIDATION), *cases(workspace, Split.TEST)]
    found = finished(workspace, map(q7, asked), tmp_path / "p.jsonl")
    by_view = {each.split: each for each in found if each.reference is Reference.MAJORITY_BY_VIEW}
    assert by_view[Split.VALIDATION].threshold_source == CHOSEN_HERE
    assert by_view[Split.TEST].threshold_source == "validation, of the same file"
    said = {each.p_abnormal for each in by_view[Split.TEST].predictions}
    threshold = by_view[Split.TEST].threshold
    assert threshold == by_view[Split.VALIDATION].threshold
    assert threshold is not None
    assert min(p for p in said if p is not None) < threshold < max(p for p in said if p is not None) < 0.5
    others = [each for each in found if each.reference in (Reference.MAJORITY, Reference.SHUFFLED)]
    assert {each.threshold for each in others} == {0.5}
    alone = finished(workspace, map(q7, cases(workspace, Split.TEST)), tmp_path / "test.jsonl")
    assert {each.threshold_source for each in alone if each.reference is Reference.MAJORITY_BY_VIEW} == {NOT_CHOSEN}


def test_training_answers_that_cannot_be_read_cost_the_majorities_alone(workspace: Workspace, tmp_path: Path) -> None:
    asked = cases(workspace, Split.VALIDATION)
    matched = match_predictions(
        read_predictions(write(tmp_path / "p.jsonl", map(q7, asked))), cases(workspace, None), None
    )
    unread = [replace(case, answers={**case.answers, "Q7": "??"}) for case in cases(workspace, Split.TRAIN)]
    found = list(finished_evaluations(matched, unread, (), ()))
    assert [each.reference for each in found] == [None, Reference.SHUFFLED]
