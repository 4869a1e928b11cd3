from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from preflight_helpers import SHAPE

from engine.errors import DataError
from engine.preflight.packing_choice import packing_choice
from engine.preflight.workload import (
    ASK_TOKENS,
    END_TOKENS,
    TURN_TOKENS,
    Census,
    largest_workload,
    take_census,
    text_tokens,
    typical_workload,
)
from engine.questions.prompts import QUESTIONS, prompt_text
from engine.recipe import Recipe, parse_recipe
from engine.training.balance import Sample
from engine.training.model_files import repository_root
from engine.types import QUESTION_IDS, Case, Split

EMBEDDED = repository_root() / "assets" / "base-model"


def recipe(**data: Any) -> Recipe:
    return parse_recipe({"name": "census", "data": data}, "test")


def sample(number: int, answers: dict[str, str], width: int = 800, height: int = 600) -> Sample:
    path = f"{number}.png"
    return Sample(Case(number, path, Path(path), "Abdomen", Split.TRAIN, answers, "", width, height))


def census(samples: list[Sample], **data: Any) -> Census:
    return take_census(samples, recipe(**data))


def test_a_census_counts_what_is_answered() -> None:
    counted = census(
        [
            sample(0, {"Q1": "aorta", "Q7": "Normal"}),
            sample(1, {"Q7": "Normal for gestational age"}, 600, 800),
            sample(2, {"Q7": "  "}),
            sample(3, {"Q2": "Cephalic presentation"}),
        ],
        questions=["Q1", "Q7"],
    )
    assert (counted.samples, counted.images) == (3, 2)
    assert counted.sizes == {(800, 600): 1, (600, 800): 1}
    assert counted.per_image == {2: 1, 1: 1}
    asked = [text_tokens(prompt_text(question)) for question in ("Q1", "Q7", "Q7")]
    assert counted.prompts == {length: asked.count(length) for length in asked}
    answers = [text_tokens(text) + END_TOKENS for text in ("aorta", "Normal", "Normal for gestational age")]
    assert counted.answers == {length: answers.count(length) for length in answers}


def test_every_wording_is_a_sample() -> None:
    counted = census(
        [sample(0, {"Q7": "Normal"})], questions=["Q7"], prompt="detailed", more_prompts=["simple", "clinical"]
    )
    assert (counted.samples, counted.images, counted.per_image) == (3, 1, {3: 1})
    assert max(counted.prompts) == text_tokens(QUESTIONS["Q7"].prompts["detailed"])


def test_the_report_is_one_long_answer() -> None:
    complete = dict.fromkeys(QUESTION_IDS, "Normal")
    counted = census([sample(0, complete), sample(1, {"Q7": "Normal"})], questions=["report"], prompt="report")
    assert (counted.samples, counted.images) == (1, 1)
    assert min(counted.answers) > 30


def test_nothing_to_train_on_is_an_error() -> None:
    with pytest.raises(DataError, match="nothing to train"):
        census([sample(0, {"Q1": "aorta"})], questions=["Q7"])


def test_the_largest_and_the_typical_image_are_scaled_as_the_training_scales_them() -> None:
    counted = census(
        [sample(0, {"Q7": "Normal"}, 800, 600), sample(1, {"Q7": "Normal"}, 1000, 1000), sample(2, {"Q7": "Normal"})]
    )
    largest = largest_workload(counted, SHAPE, 512)
    assert (largest.patches, largest.image_tokens) == (32 * 32, 256)
    typical = typical_workload(counted, SHAPE, 512)
    assert typical.patches == round((2 * 32 * 24 + 32 * 32) / 3)
    assert largest.root_tokens == 256 + TURN_TOKENS
    question, answer = text_tokens(prompt_text("Q7")), text_tokens("Normal") + END_TOKENS
    assert largest.branch_tokens == question + ASK_TOKENS + answer
    assert largest.answer_tokens == answer


@pytest.mark.parametrize("text", ["x", "", "18-20", "Normal for gestational age", "aorta, liver, stomach"])
def test_text_has_a_token_for_every_digit_and_every_four_other_characters(text: str) -> None:
    digits = sum(letter.isdigit() for letter in text)
    assert text_tokens(text) == max(1, digits + -(-(len(text) - digits) // 4))


@pytest.mark.skipif(not (EMBEDDED / "tokenizer.json").exists(), reason="the embedded model is not there")
def test_a_workload_is_not_below_what_the_embedded_tokenizer_makes() -> None:
    """The encoder of the training, with real wordings and answers: text is estimated from above, images are exact."""
    from transformers import AutoProcessor

    from engine.training.encoding import Encoder

    encoder = Encoder(AutoProcessor.from_pretrained(EMBEDDED))
    answers = ["Normal for gestational age", "aorta, inferior vena cava, liver, stomach, umbilical vein", "20-25"]
    for question in QUESTION_IDS:
        for answer in answers:
            counted = census([sample(0, {question: answer}, 512, 512)], questions=[question])
            found = largest_workload(counted, SHAPE, 512)
            prompt = encoder.prompt(prompt_text(question), found.image_tokens)
            written = encoder.answer(answer)
            assert found.root_tokens + found.branch_tokens >= len(prompt) + len(written)
            assert found.root_tokens + found.branch_tokens <= 1.2 * (len(prompt) + len(written))
    root = encoder.prompt("", 256)
    assert len(root) == 256 + TURN_TOKENS + ASK_TOKENS


def test_a_census_of_the_users_data_takes_a_fraction_of_a_second() -> None:
    texts = [f"Normal for gestational age {number}" for number in range(500)]
    samples = [
        sample(number, {question: texts[(number + place) % 500] for place, question in enumerate(QUESTION_IDS)})
        for number in range(15_446)
    ]
    started = time.process_time()
    counted = census(samples, questions=list(QUESTION_IDS))
    assert time.process_time() - started < 1.0  # 0.06 s alone; other processes share the cores
    assert counted.samples == 8 * 15_446


CONFIG = {"model_type": "qwen3_vl"}
TWO = census([sample(0, {"Q1": "aorta", "Q7": "Normal"})], questions=["Q1", "Q7"])


@pytest.mark.parametrize(
    ("content", "counted", "config", "packed", "because"),
    [
        ({}, TWO, CONFIG, True, "up to 2 questions"),
        ({"training": {"packing": "off"}}, TWO, CONFIG, False, 'training.packing = "off"'),
        ({"lora": {"dropout": 0.1}}, TWO, CONFIG, False, "dropout"),
        ({}, TWO, {"model_type": "qwen3_5"}, False, "qwen3_5"),
        ({}, census([sample(0, {"Q7": "Normal"})]), CONFIG, False, "one question to an image"),
    ],
)
def test_packing_is_chosen_where_it_is_right_and_says_why(
    content: dict[str, Any], counted: Census, config: dict[str, Any], packed: bool, because: str
) -> None:
    found, reason = packing_choice(parse_recipe({"name": "packing", **content}, "test"), counted, config)
    assert found is packed
    assert because in reason
    assert reason.startswith("Packed: " if packed else "Not packed: ")
