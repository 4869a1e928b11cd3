"""`sonotune coherence`: which answers are held against each other, what breaks a rule, and how it is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cases_helpers import measured, said
from cli_helpers import HOSTILE, CommandLine, control_characters
from clinical_data import build_clinical
from data_helpers import eight_lines, write_image, write_lines
from store_helpers import add_run

from engine import api
from engine.errors import DataError, JobError
from engine.questions.coherence import RULES
from engine.questions.prompts import report_text
from engine.store.reader import Reader
from engine.store.writer import Writer
from engine.types import BLANK, QUESTION_IDS, Outcome, Prediction, Reference, Split
from engine.workspace import Workspace

VALIDATION = Split.VALIDATION
RESEARCH = "Research only, not for clinical use."
FITTING = {
    "Q1": "liver, stomach, umbilical vein", "Q2": "Axial upper abdomen", "Q3": "Transverse trans-abdominal plane",
    "Q4": "AC", "Q5": "20-25 weeks", "Q6": "Good", "Q7": "Normal", "Q8": "Prenatal routine monitoring",
}  # fmt: skip
"""Answers about an abdomen that break no rule."""
IMAGES = [f"Abdomen/Abdomen_{number:03d}.png" for number in range(8)]


def rows(question: str, answers: Mapping[int, str] | None = None, target: str | None = None) -> list[Prediction]:
    """What was said of each image: fitting answers but for some."""
    given = {**dict.fromkeys(range(len(IMAGES)), FITTING.get(question, "")), **(answers or {})}
    meant = FITTING[question] if target is None else target
    return [said(path, given[number], meant, question=question) for number, path in enumerate(IMAGES)]


def ask(
    writer: Writer, subject: int | Reference, question: str, answers: Mapping[int, str] | None = None, **where: Any
) -> int:
    """A finished validation evaluation of one question."""
    where = {"split": VALIDATION, "cases": f"cases-{question}", "dataset_fingerprint": "data-1", **where}
    return measured(writer, subject, rows(question, answers), question=question, threshold=None, **where)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Run 1 answers Q1, Q3, Q4, Q7 and Q8; two of its abnormal findings are told to go home."""
    workspace = Workspace(tmp_path / "workspace")
    workspace.root.mkdir()
    with Writer.open(workspace) as writer:
        add_run(writer, "baseline")
        for question in ("Q1", "Q3", "Q4"):
            ask(writer, 1, question)
        ask(writer, 1, "Q7", {0: "Abnormal VSD", 1: "Increased NT", 2: "Abnormal VSD"})
        ask(writer, 1, "Q8", {2: "Follow up"})
    return workspace


def rule(view: api.CoherenceView, name: str) -> api.CoherenceRule:
    return next(each for each in view.rules if each.rule == name)


def figure(view: api.CoherenceView, name: str) -> Any:
    return next(score for score in view.scores if (score.scope, score.name) == ("all", name))


def test_rules_are_counted_over_the_answers_to_all_questions(workspace: Workspace) -> None:
    view = api.coherence(workspace, "baseline")
    assert (view.subject, view.run, view.dataset, view.split) == ("run 1 (baseline)", 1, "fetal", VALIDATION)
    assert [(each.question, each.images) for each in view.used] == [(q, 8) for q in ("Q1", "Q3", "Q4", "Q7", "Q8")]
    assert (view.images, view.judged) == (8, 8)
    first = view.rules[0]
    assert (first.rule, first.applied, first.broken) == ("abnormal-needs-more", 3, 2)
    assert first.share.value == pytest.approx(2 / 3)
    assert first.share.low < 2 / 3 < first.share.high
    assert rule(view, "normal-is-not-urgent").applied == 5
    assert rule(view, "measurements-fit-plane").broken == 0
    # Q2 and Q5 were not asked.
    assert {each.rule for each in view.rules if not each.applied} >= {"section-fits-plane", "early-view-early-weeks"}
    assert {each.rule for each in view.rules} == {each.id for each in RULES}
    assert not view.rules[-1].applied


def test_examples_show_what_was_said_in_path_order_and_no_more_than_asked_for(workspace: Workspace) -> None:
    first, second = api.coherence(workspace, 1).rules[0].examples
    assert (first.path, first.view) == (IMAGES[0], "Abdomen")
    assert first.said == (("Q7", "abnormal"), ("Q8", "prenatal routine monitoring"))
    assert second.raw == (("Q7", "Increased NT"), ("Q8", "Prenatal routine monitoring"))
    assert len(api.coherence(workspace, 1, examples=1).rules[0].examples) == 1
    assert api.coherence(workspace, 1, examples=0).rules[0].examples == ()


def test_figures_have_intervals_and_stand_beside_those_of_the_annotations(workspace: Workspace) -> None:
    view = api.coherence(workspace, 1)
    whole = figure(view, "coherent_images")
    assert (whole.value, whole.n) == (6 / 8, 8)
    assert whole.low < whole.value < whole.high
    assert figure(view, "coherence").value < 1
    assert "view:Abdomen" in {score.scope for score in view.scores}
    assert {score.name: score.value for score in view.annotated} == {"coherence": 1.0, "coherent_images": 1.0}


def test_a_serving_error_and_what_cannot_be_read_break_nothing(workspace: Workspace) -> None:
    with Writer.open(workspace) as writer:
        add_run(writer, "served")
        ask(writer, 2, "Q7", dict.fromkeys(range(8), "Abnormal VSD"))
        answers = {0: "ERROR: API error 503", 1: "?", 2: "Follow up"}
        failed = ask(writer, 2, "Q8", answers)
    with Reader(workspace) as reader:
        assert reader.predictions(failed)[0].outcome is Outcome.ERROR
    view = api.coherence(workspace, 2)
    found = rule(view, "abnormal-needs-more")
    # Neither the error nor the question mark counts, and one of the six others is told to come back.
    assert (found.applied, found.broken) == (6, 5)
    assert [each.path for each in found.examples] == IMAGES[3:6]


def test_an_error_by_a_pattern_of_the_users_own_breaks_nothing(workspace: Workspace) -> None:
    """The stored outcome decides: the text alone reads like an answer."""
    with Writer.open(workspace) as writer:
        add_run(writer, "patterns")
        ask(writer, 2, "Q7", dict.fromkeys(range(8), "Abnormal VSD"))
        odd = [replace(each, outcome=Outcome.ERROR, correct=None) for each in rows("Q8")]
        measured(writer, 2, odd, question="Q8", threshold=None, split=VALIDATION, dataset_fingerprint="data-1")
    assert rule(api.coherence(workspace, 2), "abnormal-needs-more").applied == 0


def test_the_newest_evaluation_counts_and_grey_images_never(workspace: Workspace) -> None:
    with Writer.open(workspace) as writer:
        newer = ask(writer, 1, "Q8", dict.fromkeys(range(8), "Follow up"))
        ask(writer, 1, "Q7", dict.fromkeys(range(8), "Abnormal VSD"), degradation=BLANK, protocol="grey")
    view = api.coherence(workspace, 1)
    assert view.used[-1].evaluation == newer
    found = rule(view, "abnormal-needs-more")
    assert (found.applied, found.broken) == (3, 0)


def test_answers_about_another_content_or_split_are_not_mixed_in(workspace: Workspace) -> None:
    with Writer.open(workspace) as writer:
        # One question alone on what the dataset became: the older answers still belong together.
        ask(writer, 1, "Q8", dict.fromkeys(range(8), "Follow up"), dataset_fingerprint="data-2")
        ask(writer, 1, "Q7", split=Split.TEST)
    assert rule(api.coherence(workspace, 1), "abnormal-needs-more").broken == 2
    with pytest.raises(DataError, match="cannot be held against each other") as error:
        api.coherence(workspace, 1, Split.TEST)
    assert "only Q7" in error.value.reason
    with Writer.open(workspace) as writer:
        ask(writer, 1, "Q7", dict.fromkeys(range(8), "Abnormal VSD"), dataset_fingerprint="data-2")
    assert rule(api.coherence(workspace, 1), "abnormal-needs-more").applied == 8


def report_rows(changes: Mapping[int, Mapping[str, str]]) -> list[Prediction]:
    target = report_text(FITTING)
    texts = [report_text({**FITTING, **changes.get(number, {})}) for number in range(len(IMAGES))]
    texts[7] = texts[7].split("\n")[0]
    return [said(path, text, target, question="report") for path, text in zip(IMAGES, texts, strict=True)]


def test_a_report_is_held_against_itself(workspace: Workspace) -> None:
    with Writer.open(workspace) as writer:
        add_run(writer, "reports")
        answers = report_rows({3: {"Q2": "Longitudinal view of the spine", "Q7": "Abnormal VSD"}})
        measured(writer, 2, answers, question="report", threshold=None, split=VALIDATION)
        measured(writer, 1, answers, question="report", threshold=None, split=VALIDATION, dataset_fingerprint="data-1")
    view = api.coherence(workspace, 2)
    assert [each.question for each in view.used] == ["report"]
    assert rule(view, "abnormal-needs-more").broken == 1
    assert rule(view, "measurements-fit-plane").applied == 7
    assert {score.value for score in view.annotated} == {1.0}
    # Single questions win over a report, unless it is asked for.
    assert len(api.coherence(workspace, 1).used) == 5
    assert [each.question for each in api.coherence(workspace, 1, report=True).used] == ["report"]


def test_references_are_subjects_too_and_their_models_stay_apart(workspace: Workspace) -> None:
    with Writer.open(workspace) as writer:
        for model in ("2B", "8B"):
            for question in ("Q7", "Q8"):
                answers = dict.fromkeys(range(8), "Abnormal VSD") if (model, question) == ("2B", "Q7") else None
                number = ask(writer, Reference.BASE, question, answers)
                with writer._transaction() as connection:
                    connection.execute("UPDATE evaluations SET model = ? WHERE id = ?", (model, number))
    assert rule(api.coherence(workspace, "base"), "abnormal-needs-more").applied == 0
    small = api.coherence(workspace, "base:2B")
    assert (small.subject, small.run) == ("reference base:2B", None)
    assert rule(small, "abnormal-needs-more").broken == 8


def test_who_does_not_exist_or_was_asked_too_little_is_told(workspace: Workspace) -> None:
    with Writer.open(workspace) as writer:
        add_run(writer, "lonely")
        ask(writer, 2, "Q7")
    with pytest.raises(JobError, match="no run nobody"):
        api.coherence(workspace, "nobody")
    for subject in (2, "shuffled"):
        with pytest.raises(DataError, match="cannot be held against each other"):
            api.coherence(workspace, subject)
    with pytest.raises(DataError) as error:
        api.coherence(workspace, 1, report=True)
    assert "no combined report" in error.value.reason


# ----- annotated answers


def annotated(folder: Path, changes: Mapping[int, Mapping[str, str]]) -> Workspace:
    workspace, lines = Workspace(folder / "workspace"), []
    workspace.root.mkdir()
    for number in range(20):
        path = write_image(folder / "images", f"Abdomen/Abdomen_{number:03d}.png")
        lines += eight_lines(path, **{**FITTING, **changes.get(number, {})})
    api.import_chat_file(workspace, "fetal", write_lines(folder / "fetal.jsonl", lines), folder / "images")
    return workspace


def test_annotated_answers_that_do_not_fit_are_found(tmp_path: Path) -> None:
    workspace = annotated(tmp_path, {4: {"Q7": "Abnormal VSD"}, 5: {"Q4": "BPD and HC"}})
    view = api.annotated_coherence(workspace, "fetal")
    broken = {each.rule: [example.path for example in each.examples] for each in view.rules if each.broken}
    assert broken == {
        "abnormal-needs-more": ["Abdomen/Abdomen_004.png"],
        "measurements-fit-plane": ["Abdomen/Abdomen_005.png"],
    }
    assert (view.images, figure(view, "coherent_images").value, view.annotated) == (20, 18 / 20, ())
    assert [each.question for each in view.used] == list(QUESTION_IDS)
    parts = [api.annotated_coherence(workspace, "fetal", split).images for split in Split]
    assert sum(parts) == 20


def test_one_question_alone_has_nothing_to_be_held_against(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "workspace")
    workspace.root.mkdir()
    line = eight_lines(write_image(tmp_path / "images", "Femur/Femur_000.png"))[6]
    api.import_chat_file(workspace, "few", write_lines(tmp_path / "f.jsonl", [line]), tmp_path / "images")
    with pytest.raises(DataError, match="cannot be held against each other"):
        api.annotated_coherence(workspace, "few")


# ----- the command line


@pytest.fixture
def command(workspace: Workspace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    monkeypatch.setenv("COLUMNS", "80")
    return CommandLine(workspace.root, capsys)


def test_it_prints_rules_with_counts_examples_and_what_the_annotations_come_to(command: CommandLine) -> None:
    done = command("coherence", "baseline")
    assert done.code == 0, done.err
    for words in (
        "run 1 (baseline): validation of fetal",
        "Q7 (8 images, evaluation 4)",
        "images that break no rule: 0.75 (0.41–0.93), n = 8",
        "annotated answers, images that break no rule: 1.00",
        "66.7 %",
        "! An abnormal finding asks for more than routine monitoring. Broken by 2:",
        "Abdomen/Abdomen_001.png",
        "Q7  abnormal  “Increased NT”",
        "can still be wrong",
        RESEARCH,
    ):
        assert words in done.out, words
    assert max(map(len, done.out.splitlines())) <= 80
    assert "… and 1 more" in command("coherence", "1", "--limit", "1").out


def test_json_has_everything(command: CommandLine) -> None:
    found = command("coherence", "1", "--json").json
    assert found["rules"][0]["broken"] == 2
    assert found["rules"][0]["examples"][0]["said"] == [["Q7", "abnormal"], ["Q8", "prenatal routine monitoring"]]
    assert found["note"] == RESEARCH
    assert found["normalisation_version"] >= 1


def test_hostile_names_and_answers_steer_nothing(workspace: Workspace, command: CommandLine) -> None:
    with Writer.open(workspace) as writer:
        add_run(writer, HOSTILE)
        ask(writer, 2, "Q7", {0: f"Abnormal VSD {HOSTILE}"})
        ask(writer, 2, "Q8")
    done = command("coherence", "2")
    assert done.code == 0, done.err
    assert "Broken by 1" in done.out
    assert not control_characters(done.out)


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        ((), 2, "Whose answers?"),
        (("1", "--dataset", "fetal"), 2, "Whose answers?"),
        (("1", "--split", "train"), 2, "split train"),
        (("--dataset", "fetal", "--report"), 2, "--report is for runs"),
        (("1", "--split", "test"), 1, "cannot be held against each other"),
        (("nobody",), 1, "no run nobody"),
        (("--dataset", "nowhere"), 1, "nowhere"),
    ],
)
def test_what_makes_no_sense_is_refused(command: CommandLine, words: tuple[str, ...], code: int, reason: str) -> None:
    done = command("coherence", *words)
    assert (done.code, reason in done.err) == (code, True), done.err


def test_annotations_of_a_clinical_dataset(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    built = build_clinical(tmp_path, 60)
    workspace = Workspace(tmp_path / "workspace")
    workspace.root.mkdir()
    api.import_source(workspace, built.sheet, name="clinical", images=built.root)
    done = CommandLine(workspace.root, capsys)("coherence", "--dataset", "clinical", "--limit", "1")
    assert done.code == 0, done.err
    assert "annotated answers: all images of clinical" in done.out
    assert "may be an annotation error" in done.out
    assert max(map(len, done.out.splitlines())) <= 80
