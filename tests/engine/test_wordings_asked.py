"""Asking a run in the words that it was trained with."""

from __future__ import annotations

import json

import pytest
from ask_helpers import add_trained, asked_workspace
from store_helpers import add_evaluation, raw

from engine import api
from engine.ask.inputs import candidates
from engine.ask.reading import Threshold, threshold_of
from engine.errors import UsageError
from engine.questions.answer_forms import formed_answer
from engine.questions.parsing import parse_normality
from engine.questions.prompts import OWN, REPORT_ID, prompt_text
from engine.store.writer import Writer
from engine.types import JobKind, Split, State, Verdict
from engine.workspace import Workspace

OWN_TEXT = "Is anything abnormal here?"
OTHER_TEXT = "Anything odd?"
STRUCTURED = "structured"


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Run 2 was trained on Q7 with an own wording."""
    workspace = asked_workspace(tmp_path_factory.mktemp("own"))
    with Writer.open(workspace) as writer:
        data = {"dataset": "fetal", "image_size": 96, "prompt": OWN, "prompt_text": OWN_TEXT}
        add_trained(workspace, writer, "own", data=data)
    return workspace


def test_a_run_with_an_own_wording_is_asked_in_it(asked: Workspace) -> None:
    subject = api.ask_subject(asked, "own")
    question = api.ask_question(subject, "Q7")
    assert (question.text, question.title) == (OWN_TEXT, "Q7 own")
    assert api.ask_question(subject, "Q7", "simple").text == prompt_text("Q7", "simple")
    assert api.ask_question(subject, "Q1").variant == "detailed"
    assert api.ask_question(subject, REPORT_ID).variant == REPORT_ID
    with pytest.raises(UsageError, match="no wording named own"):
        api.ask_question(subject, "Q1", OWN)
    with pytest.raises(UsageError, match="no wording named own"):
        api.ask_question(api.ask_subject(asked, "tuned"), "Q7", OWN)


def test_asking_chooses_among_candidates_in_the_form_of_the_wording(asked: Workspace) -> None:
    subject = api.ask_subject(asked, "own")
    plain, formed = (candidates(asked, subject, api.ask_question(subject, "Q7", each)) for each in (OWN, STRUCTURED))
    assert {parse_normality(each) for each in plain} == {Verdict.NORMAL, Verdict.ABNORMAL}
    assert formed == tuple(formed_answer("Q7", STRUCTURED, each) for each in plain) != plain


def test_a_threshold_belongs_to_the_words_and_the_form_that_it_was_chosen_with(asked: Workspace) -> None:
    subject = api.ask_subject(asked, "own")
    chosen = {}
    with Writer.open(asked) as writer:
        for prompt, text, others in (
            (OWN, OTHER_TEXT, {}),
            (OWN, OWN_TEXT, {}),
            (STRUCTURED, "", {}),
            (STRUCTURED, "", {"answer_form": "verdict_first"}),
        ):
            number = add_evaluation(writer, 2, split=Split.VALIDATION, prompt=prompt)
            for before, after in ((State.QUEUED, State.STARTING), (State.STARTING, State.RUNNING)):
                assert writer.transition(JobKind.EVALUATION, number, before, after, "test")
            protocol = json.dumps({"image_size": 96, "prompt_text": text, **others})
            assert writer.transition(
                JobKind.EVALUATION, number, State.RUNNING, State.SUCCEEDED, "test", threshold=number / 10
            )
            with raw(asked) as database:
                database.execute("UPDATE evaluations SET protocol = ? WHERE id = ?", (protocol, number))
            chosen[prompt, text, len(others)] = Threshold(number / 10, number)
    own, structured = api.ask_question(subject, "Q7"), api.ask_question(subject, "Q7", STRUCTURED)
    assert threshold_of(asked, subject, own) == chosen[OWN, OWN_TEXT, 0]
    assert threshold_of(asked, subject, structured) == chosen[STRUCTURED, "", 1]
    with raw(asked) as database:
        database.execute("DELETE FROM evaluations WHERE id IN (?, ?)", (2, 4))
    assert threshold_of(asked, subject, own) is None
    assert threshold_of(asked, subject, structured) is None
