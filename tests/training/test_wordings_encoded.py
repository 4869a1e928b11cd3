"""Every wording as a model reads it: in training, in the answer watch, and in an evaluation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from engine.evaluation.protocol import build_protocol
from engine.questions.own_wording import wording_fault
from engine.questions.parsing import parse_normality
from engine.questions.prompts import OWN, QUESTIONS, REPORT_ID, prompt_text, prompt_variants
from engine.types import Split

OWN_TEXT = "Is anything abnormal here?\nLook at <the heart> and 50 % of {{ it }}."
IMAGE_TOKENS = 9
WORDINGS = [
    (question, variant) for question in (*QUESTIONS, REPORT_ID) for variant in (*prompt_variants(question), OWN)
]


@pytest.fixture(scope="module")
def encoder(processor: Any) -> Any:
    from engine.training.encoding import Encoder

    return Encoder(processor)


@pytest.mark.parametrize(("question", "variant"), WORDINGS)
def test_every_wording_is_read_whole_with_the_tokens_of_one_image(encoder: Any, question: str, variant: str) -> None:
    text = prompt_text(question, variant, OWN_TEXT)
    ids = encoder.prompt(text, IMAGE_TOKENS)
    assert ids.count(encoder.image_token_id) == IMAGE_TOKENS
    assert ids.count(encoder.end_id) == 1
    assert text in encoder.decode(ids)


def test_tokens_of_the_template_would_break_a_prompt_and_are_refused_in_wordings(encoder: Any) -> None:
    assert encoder.prompt(f"a {encoder.image_token} b", IMAGE_TOKENS).count(encoder.image_token_id) == IMAGE_TOKENS + 1
    tokens = encoder.tokenizer.get_added_vocab()
    assert encoder.image_token in tokens and len(tokens) > 4
    for token in tokens:
        assert token in (wording_fault(f"Is it {token} normal?") or "")


@pytest.mark.parametrize(("question", "variant"), WORDINGS)
def test_every_wording_of_every_question_can_be_trained(phantom_cases: Any, question: str, variant: str) -> None:
    from engine.training.dataset import build_examples

    [example] = build_examples(phantom_cases[:1], [question], variant, OWN_TEXT)
    assert example.prompt == prompt_text(question, variant, OWN_TEXT)
    assert example.answer


def test_the_structured_wording_is_trained_with_the_verdict_first(phantom_cases: Any) -> None:
    from engine.training.dataset import build_examples
    from engine.training.selection import answer_of

    cases = phantom_cases[:8]
    plain = [answer_of(case, "Q7") for case in cases]
    trained = [example.answer for example in build_examples(cases, ["Q7"], "structured")]
    verdicts = [parse_normality(answer or "").value.upper() for answer in plain]
    assert trained == [f"{verdict}. {answer}" for verdict, answer in zip(verdicts, plain, strict=True)]
    assert set(verdicts) == {"NORMAL", "ABNORMAL"}
    assert [example.answer for example in build_examples(cases, ["Q7"], OWN, OWN_TEXT)] == plain


def test_the_data_of_a_run_and_its_answer_watch_have_the_words_of_the_recipe(
    phantom_cases: Any, processor: Any, recipe: Callable[..., Any]
) -> None:
    from engine.training.answer_watch import AnswerWatch
    from engine.training.dataset import prepare_data

    asked = recipe(data={"prompt": OWN, "prompt_text": OWN_TEXT}, training={"evaluation_steps": 2})
    parts = {split: [case for case in phantom_cases if case.split is split] for split in Split}
    data = prepare_data(asked, processor, parts.__getitem__)
    assert {example.prompt for example in data.examples} == {OWN_TEXT}
    assert 0 < data.trained < len(data.examples)
    watch = AnswerWatch(asked, parts[Split.VALIDATION], 6, processor, None, print, None)  # type: ignore[arg-type]
    assert [(question, prompt) for question, prompt, _, _ in watch.asked] == [("Q7", OWN_TEXT)]


def test_further_wordings_are_trained_and_not_evaluated(
    phantom_cases: Any, processor: Any, recipe: Callable[..., Any]
) -> None:
    from engine.training.answer_watch import AnswerWatch
    from engine.training.dataset import prepare_data

    asked = recipe(
        data={"questions": ["Q2", "Q7"], "prompt": "simple", "more_prompts": ["clinical", "detailed"], "limit": 6},
        training={"evaluation_steps": 2},
    )
    parts = {split: [case for case in phantom_cases if case.split is split] for split in Split}
    data = prepare_data(asked, processor, parts.__getitem__)
    trained, checked = data.examples[: data.trained], data.examples[data.trained :]
    assert [example.prompt for example in trained[:6]] == [
        prompt_text(question, variant) for question in ("Q2", "Q7") for variant in ("simple", "clinical", "detailed")
    ]
    assert len(trained) == 6 * 2 * 3
    assert [example.sample for example in trained] == [number for number in range(6) for _ in range(6)]
    assert {example.prompt for example in checked} == {prompt_text("Q2", "simple"), prompt_text("Q7", "simple")}
    watch = AnswerWatch(asked, parts[Split.VALIDATION], 6, processor, None, print, None)  # type: ignore[arg-type]
    assert {prompt for _, prompt, _, _ in watch.asked} == {prompt_text("Q2", "simple"), prompt_text("Q7", "simple")}


class Recording:
    """An encoder that remembers what it was asked to encode."""

    def __init__(self, encoder: Any) -> None:
        self._encoder = encoder
        self.prompts: list[str] = []
        self.answers: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._encoder, name)

    def prompt(self, text: str, image_tokens: int) -> Any:
        self.prompts.append(text)
        return self._encoder.prompt(text, image_tokens)

    def answer(self, text: str) -> Any:
        self.answers.append(text)
        return self._encoder.answer(text)


@pytest.mark.parametrize("variant", [OWN, "structured"])
def test_an_evaluation_asks_in_the_words_of_its_protocol_and_keeps_its_targets(
    variant: str, phantom_cases: Any, model: Any, encoder: Any
) -> None:
    import torch

    from engine.evaluation.measure import Asking, Examination
    from engine.evaluation.subject import Subject
    from engine.training.pixels import Geometry

    cases = [replace(case, split=Split.VALIDATION) for case in phantom_cases[:2]]
    targets = [case.answers["Q7"] for case in cases]
    protocol = build_protocol("Q7", variant, 96, 4, targets, own_text=OWN_TEXT)
    recording = Recording(encoder)
    subject = Subject(model.eval(), recording, Geometry.of(encoder.processor), torch.device("cpu"))  # type: ignore[arg-type]
    [batch] = Examination(subject, {7: Asking(protocol, cases)}, 2).batches()
    assert set(recording.prompts) == {prompt_text("Q7", variant, OWN_TEXT)}
    assert set(recording.answers) == set(protocol.candidates)
    assert [each.target for each in batch.predictions[7]] == targets
    assert all(set(each.probabilities) == set(protocol.candidates) for each in batch.predictions[7])
    assert all(
        candidate.startswith(("NORMAL. ", "ABNORMAL. ")) is (variant != OWN) for candidate in protocol.candidates
    )
