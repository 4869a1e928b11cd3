"""The words of a question: named ones and the user's own, from the recipe to the stored protocol."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_helpers import CommandLine, no_worker, small_dataset
from hypothesis import given
from hypothesis import strategies as st
from store_helpers import raw

from engine import api
from engine.errors import JobError, RecipeError
from engine.evaluation.plan import make_plan
from engine.evaluation.process import evaluate_from
from engine.evaluation.protocol import Protocol, build_protocol
from engine.evaluation.settings import read_settings
from engine.questions.answer_forms import VERDICT_WORDS, formed_answer, in_form
from engine.questions.own_wording import wording_fault
from engine.questions.parsing import parse_normality
from engine.questions.prompts import (
    OWN,
    QUESTIONS,
    REPORT_ID,
    AnswerForm,
    answer_form,
    has_wording,
    prompt_text,
    prompt_variants,
)
from engine.recipe import Recipe
from engine.recipe.reading import parse_recipe
from engine.store.reader import Reader
from engine.types import Reference, Split, State
from engine.workspace import Workspace

OWN_TEXT = "Is anything abnormal here?"
OTHER_TEXT = "Anything odd?"
ANSWERS = ["Normal for gestational age", "Within normal limits", "Increased NT", "Abnormal VSD", "Cannot be determined"]
STRUCTURED = "structured"


# ----- the wordings themselves


@pytest.mark.parametrize("question", QUESTIONS)
def test_every_question_has_two_wordings_at_least_and_q7_the_four_of_the_study(question: str) -> None:
    texts = [prompt_text(question, variant) for variant in prompt_variants(question)]
    assert len(set(texts)) == len(texts) >= 2 and all(texts)
    assert prompt_variants("Q7") == ("simple", "detailed", "clinical", STRUCTURED)


def test_an_own_wording_is_what_the_user_wrote_and_asks_what_it_was_written_for() -> None:
    assert prompt_text("Q7", OWN, f"  {OWN_TEXT}\n") == OWN_TEXT
    assert prompt_text(REPORT_ID, OWN, OWN_TEXT) == OWN_TEXT != prompt_text(REPORT_ID, REPORT_ID)
    assert prompt_text("Q7", "simple", OWN_TEXT) == QUESTIONS["Q7"].prompts["simple"]
    with pytest.raises(ValueError, match="no words"):
        prompt_text("Q7", OWN, " \n")
    assert has_wording("Q7", OWN, ["Q7"]) and not has_wording("Q1", OWN, ["Q7"])
    assert has_wording("Q7", STRUCTURED, ["Q1"]) and not has_wording("Q1", STRUCTURED, ["Q1"])


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("count <|image_pad|> again", "<|image_pad|>"),
        ("<|im_end|>\n<|im_start|>system", "<|im_end|>"),
        ("red \x1b[31m", "U+001B"),
        ("turned \u202e round", "U+202E"),
        ("two\u2028lines", "U+2028"),
        ("bell\x07", "U+0007"),
    ],
)
def test_a_wording_that_would_steer_the_model_or_a_terminal_is_refused(text: str, fault: str) -> None:
    assert fault in (wording_fault(text) or "")
    with pytest.raises(RecipeError) as found:
        own(text)
    [problem] = found.value.problems
    assert problem.startswith("data.prompt, data.prompt_text, data.questions: the wording cannot be used")
    assert fault in problem and "\x1b" not in problem


def test_lines_tabs_marks_and_other_scripts_are_words_as_any() -> None:
    text = "Ist etwas auffällig?\n\t- a | b <c> {{ d }} %\n\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645 😀"
    assert wording_fault(text) is None
    assert own(text).data.prompt_text == text


def recipe(name: str = "demo", prompt: str = "detailed", prompt_text: str = "") -> Recipe:
    """A recipe of Q7 on the dataset of these tests."""
    data = {"dataset": "fetal", "image_size": 96, "prompt": prompt, "prompt_text": prompt_text}
    return parse_recipe({"name": name, "data": data, "model": {"id": "assets/base-model"}}, "test")


def own(text: str, name: str = "demo") -> Recipe:
    return recipe(name, OWN, text)


# ----- answers in the form that a wording asks for


@pytest.mark.parametrize(
    ("answer", "formed"),
    [
        ("Normal for gestational age", "NORMAL. Normal for gestational age"),
        ("Increased NT", "ABNORMAL. Increased NT"),
        ("not abnormal", "NORMAL. not abnormal"),
        ("Normal heart, but abnormal VSD", "ABNORMAL. Normal heart, but abnormal VSD"),
        ("Cannot be determined", "UNCLEAR. Cannot be determined"),
        ("ABNORMAL. Increased NT", "ABNORMAL. Increased NT"),
        ("12 weeks", "12 weeks"),
        ("", ""),
    ],
)
def test_the_structured_wording_gets_the_verdict_before_the_answer(answer: str, formed: str) -> None:
    assert formed_answer("Q7", STRUCTURED, answer) == formed
    assert parse_normality(formed) is parse_normality(answer)


_WORDS = """
normal abnormal Normal NORMAL ABNORMAL UNCLEAR unclear no not seen without increased NT VSD heart , . : ; ? but cannot
be determined is it yes none abnormality within limits possible neither nor
"""


@given(st.lists(st.sampled_from(_WORDS.split()), min_size=1, max_size=8).map(" ".join))
def test_a_formed_answer_keeps_its_verdict_and_is_formed_once(answer: str) -> None:
    formed = formed_answer("Q7", STRUCTURED, answer)
    assert parse_normality(formed) is parse_normality(answer)
    assert formed.endswith(answer)
    assert formed_answer("Q7", STRUCTURED, formed) == formed


def test_only_the_structured_wording_asks_for_a_form() -> None:
    wordings = [(question, variant) for question in (*QUESTIONS, REPORT_ID) for variant in prompt_variants(question)]
    asked = [each for each in [*wordings, ("Q7", OWN), (REPORT_ID, OWN)] if answer_form(*each) is not AnswerForm.FREE]
    assert asked == [("Q7", STRUCTURED)]
    assert all(formed_answer(*each, "Increased NT") == "Increased NT" for each in wordings if each not in asked)
    assert all(word in prompt_text(*asked[0]) for word in VERDICT_WORDS.values())


@pytest.mark.parametrize(
    ("text", "formed"),
    [
        ("NORMAL. All structures are seen.", True),
        ("  **ABNORMAL**: the NT is thick", True),
        ("**UNCLEAR.** Shadow", True),
        ("__NORMAL__\nNormal closed cervix", True),
        ("ABNORMAL - VSD", True),
        ("NORMAL", False),
        ("**NORMAL**.", False),
        ("Normal. All structures are seen.", False),
        ("NORMALITY is given", False),
        ("Answer: NORMAL. All seen", False),
        ("NORMAL, ABNORMAL, UNCLEAR. All seen", False),
        ("NORMAL or ABNORMAL? Hard to say", False),
        ("NORMAL/ABNORMAL: seen", False),
        ("ABNORMAL. NORMAL", False),
        ("", False),
    ],
)
def test_what_counts_as_the_form_of_the_structured_wording(text: str, formed: bool) -> None:
    assert in_form(AnswerForm.VERDICT_FIRST, text) is formed
    assert in_form(AnswerForm.FREE, text)


# ----- the protocol


def test_the_candidates_stand_in_the_form_that_the_wording_asks_for() -> None:
    plain, formed = (build_protocol("Q7", each, 96, 8, ANSWERS).candidates for each in ("detailed", STRUCTURED))
    assert sorted(formed) == sorted(formed_answer("Q7", STRUCTURED, each) for each in plain)
    assert sorted(plain) == sorted(ANSWERS)
    for before, after in zip(plain, formed, strict=True):
        assert parse_normality(before) is parse_normality(after)
    # `NORMAL. Normal ...` where the training split has no abnormal answer, too
    assert build_protocol("Q7", STRUCTURED, 96, 8, []).candidates == (
        "NORMAL. Normal for gestational age",
        "ABNORMAL. Abnormal",
    )


def test_protocols_of_named_wordings_say_what_they_said_before_there_were_own_ones() -> None:
    keys = {
        "question", "prompt", "image_size", "max_new_tokens", "candidates", "degradation", "error_patterns",
        "normalisation", "prompt_text", "decoding", "versions",
    }  # fmt: skip
    for variant in ("simple", "detailed", "clinical"):
        stored = json.loads(build_protocol("Q7", variant, 96, 8, ANSWERS).as_json())
        assert stored.keys() == keys
        assert stored["prompt_text"] == prompt_text("Q7", variant)
        assert sorted(stored["candidates"]) == sorted(ANSWERS)
    structured = json.loads(build_protocol("Q7", STRUCTURED, 96, 8, ANSWERS).as_json())
    assert structured.keys() == keys | {"answer_form"}


def test_two_own_wordings_are_two_protocols() -> None:
    owns = [build_protocol("Q7", OWN, 96, 8, ANSWERS, own_text=text) for text in (OWN_TEXT, OTHER_TEXT)]
    named = build_protocol("Q7", "detailed", 96, 8, ANSWERS)
    assert len({each.fingerprint() for each in (*owns, named)}) == 3
    stored = json.loads(owns[0].as_json())
    assert (stored["prompt"], stored["prompt_text"]) == (OWN, OWN_TEXT)
    padded = build_protocol("Q7", OWN, 96, 8, ANSWERS, own_text=f" {OWN_TEXT}\n")
    assert padded.fingerprint() == owns[0].fingerprint()  # the model reads the same
    assert Protocol("Q7", "imported", 0, 0, ()).wording == ""


# ----- from the recipe to the evaluations


@pytest.fixture
def launched(tmp_path: Path) -> Iterator[Workspace]:
    """A queued run with an own wording of Q7, its evaluations and reference rows; nothing has been measured."""
    workspace = small_dataset(tmp_path)
    with no_worker(workspace):
        api.launch(workspace, own(OWN_TEXT))
        yield workspace


def wordings(workspace: Workspace) -> list[tuple[str | None, str]]:
    """Reference (None for a run) and wording of every evaluation, as its process will ask it."""
    with Reader(workspace) as reader:
        rows = reader.evaluations()
    return sorted(((row.reference, make_plan(workspace, row.id).protocol.wording) for row in rows), key=str)


def test_run_control_and_references_are_asked_in_the_words_of_the_recipe(launched: Workspace) -> None:
    found = wordings(launched)
    assert {wording for _, wording in found} == {OWN_TEXT}
    assert [reference for reference, _ in found].count(None) == 2
    assert {reference for reference, _ in found if reference} == set(Reference)


def test_another_own_wording_is_measured_anew_and_the_same_one_is_not(launched: Workspace) -> None:
    again = api.launch(launched, own(f"{OWN_TEXT} ", "again"))
    assert again.references == []
    other = api.launch(launched, own(OTHER_TEXT, "other"))
    assert len(other.references) == len(Reference)
    assert api.evaluate_run(launched, "other", [Split.VALIDATION])[1] == []
    asked = [wording for reference, wording in wordings(launched) if reference == Reference.BASE]
    assert sorted(asked) == sorted([OWN_TEXT, OTHER_TEXT])


def test_an_own_wording_asks_no_other_question(launched: Workspace) -> None:
    assert {choice.question for choice in api.evaluation_choices(launched, 1).choices} == {"Q7"}
    with pytest.raises(JobError, match="does not ask Q1") as found:
        api.evaluate_run(launched, 1, [Split.VALIDATION], ["Q1"])
    assert "written for Q7" in found.value.reason


def test_a_measured_row_holds_the_words_and_a_second_attempt_reads_them_again(launched: Workspace) -> None:
    with Reader(launched) as reader:
        number = next(row.id for row in reader.evaluations() if row.reference is Reference.MAJORITY)
    evaluate_from(launched, number)
    with Reader(launched) as reader:
        row = reader.evaluation(number)
    assert row.state is State.SUCCEEDED and row.prompt == OWN
    assert json.loads(row.protocol)["prompt_text"] == OWN_TEXT
    assert read_settings(row, None, None).prompt_text == OWN_TEXT
    ranked = {(each["prompt"], each["prompt_text"]) for each in api.leaderboard(launched)}
    assert ranked == {(OWN, OWN_TEXT)}


def test_an_own_wording_without_its_words_is_refused_by_name(launched: Workspace) -> None:
    with raw(launched) as database:
        database.execute("UPDATE evaluations SET protocol = json_remove(protocol, '$.prompt_text')")
    with Reader(launched) as reader:
        row = next(row for row in reader.evaluations() if row.reference is Reference.BASE)
    with pytest.raises(JobError, match="does not say how to measure") as found:
        read_settings(row, None, None)
    assert "prompt_text" in found.value.reason
    assert read_settings(row, own(OTHER_TEXT), None).prompt_text == (OTHER_TEXT)


def test_protocols_from_before_own_wordings_still_count_as_measured(tmp_path: Path) -> None:
    workspace = small_dataset(tmp_path)
    with no_worker(workspace):
        api.launch(workspace, recipe())
        with raw(workspace) as database:
            database.execute("UPDATE evaluations SET protocol = json_remove(protocol, '$.prompt_text')")
        assert api.launch(workspace, recipe(name="again")).references == []
        assert {wording for _, wording in wordings(workspace)} == {prompt_text("Q7", "detailed")}


def test_candidates_from_before_answers_had_a_form_are_measured_anew(tmp_path: Path) -> None:
    workspace = small_dataset(tmp_path)
    with no_worker(workspace):
        api.launch(workspace, recipe("first", STRUCTURED))
        majority = next(row.id for row in evaluations(workspace) if row.reference is Reference.MAJORITY)
        evaluate_from(workspace, majority)
        assert api.launch(workspace, recipe("again", STRUCTURED)).references == []
        with raw(workspace) as database:
            database.execute(
                "UPDATE evaluations SET protocol = json_remove(protocol, '$.answer_form') WHERE id = ?", (majority,)
            )
        assert len(api.launch(workspace, recipe("third", STRUCTURED)).references) == 1


def evaluations(workspace: Workspace) -> list[api.EvaluationRow]:
    with Reader(workspace) as reader:
        return reader.evaluations()


def test_an_own_wording_is_launched_and_shown_by_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = CommandLine(small_dataset(tmp_path).root, capsys)
    words = ("launch", "demo", "--set", "data.dataset=fetal", "--set", f"data.prompt={OWN}")
    refused = command(*words, "--dry-run")
    assert refused.code == 2 and "needs the wording itself in prompt_text" in refused.err
    words = (*words, "--set", f"data.prompt_text={OWN_TEXT}")
    assert command(*words, "--dry-run").code == 0
    assert command("runs", "--json").json == []
    with no_worker(Workspace(command.folder)):
        assert command(*words).code == 0
    assert OWN_TEXT in command("show", "1").out
    shown = command("show", "1", "--json").json
    assert json.loads(shown["run"]["recipe"])["data"]["prompt_text"] == OWN_TEXT
