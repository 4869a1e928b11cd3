from __future__ import annotations

import random
from dataclasses import replace
from itertools import islice, pairwise, product

import numpy as np
import pytest
import torch
from safetensors import safe_open

from engine.basemodel.batches import IGNORED, SIZE_SHARES, Vocabulary, assemble, draw_batches
from engine.basemodel.curriculum import (
    OPINION_BY_QUALITY,
    STRUCTURED_VARIANT,
    Exchange,
    draw_exchanges,
    opinion,
    report_exchange,
)
from engine.basemodel.model_inputs import answer_loss, branch_mask
from engine.basemodel.tokenizer import build_processor
from engine.data.phantoms.labels import VIEWS, VOCABULARY, PhantomLabels
from engine.questions.parsing import parse_normality
from engine.questions.prompts import QUESTIONS, REPORT_PROMPT
from engine.training.model_files import repository_root
from engine.types import Verdict

Q7_PROMPTS = {prompt: variant for variant, prompt in QUESTIONS["Q7"].prompts.items()}
ORIENTATIONS = ("Femur tilted down to left", "Sagittal, fetal head to right", "Femur horizontal")


def twins() -> list[tuple[PhantomLabels, PhantomLabels]]:
    """Images that differ in nothing but the finding: every view, quality, side and kind of finding."""
    pairs = []
    for view, quality, orientation in product(VIEWS, OPINION_BY_QUALITY, ORIENTATIONS):
        normal = PhantomLabels(1, view, False, "", orientation, 21.0, quality)
        pairs += [(normal, replace(normal, abnormal=True, finding=finding)) for finding in VOCABULARY[view].findings]
    return pairs


def normality_pairs(labels: PhantomLabels, draws: int = 120) -> list[tuple[Exchange, ...]]:
    dice = random.Random(11)
    drawn = [draw_exchanges(labels, dice) for _ in range(draws)]
    return [exchanges for exchanges in drawn if exchanges[0].prompt in Q7_PROMPTS]


def test_q7_is_always_a_weighted_pair_of_both_answers() -> None:
    variants = set()
    for labels, _ in twins()[:6]:
        pairs = normality_pairs(labels)
        assert len(pairs) > 3
        for pair in pairs:
            assert len(pair) == 2
            normal, abnormal = pair
            assert normal.prompt == abnormal.prompt
            assert normal.weight + abnormal.weight == pytest.approx(1)
            assert abnormal.weight == pytest.approx(opinion(labels))
            variants.add(variant := Q7_PROMPTS[normal.prompt])
            if variant != STRUCTURED_VARIANT:
                verdicts = [parse_normality(each.answer) for each in pair]
                assert verdicts == [Verdict.NORMAL, Verdict.ABNORMAL]
    assert variants == set(Q7_PROMPTS.values())


@pytest.mark.parametrize("view", VIEWS)
def test_what_q7_teaches_is_the_same_with_and_without_the_finding(view: str) -> None:
    for normal, abnormal in twins():
        if normal.view != view:
            continue
        assert opinion(normal) == opinion(abnormal)
        # Kinds and prompts are drawn alike, so the pairs can be compared one by one.
        pairs = normality_pairs(normal), normality_pairs(abnormal)
        assert pairs[0] == pairs[1]
        assert {each.answer for pair in pairs[0] for each in pair} > {VOCABULARY[view].normal}


def test_the_normality_section_of_a_report_knows_nothing_either() -> None:
    for normal, abnormal in twins():
        texts = [report_exchange(labels, random.Random(3)) for labels in (normal, abnormal)]
        assert {text.prompt for text in texts} == {REPORT_PROMPT}
        sections = [[line for line in text.answer.splitlines() if mentions_normality(line)] for text in texts]
        assert len(sections[0]) == 1
        assert sections[0] == sections[1]


def mentions_normality(line: str) -> bool:
    answers = {words.normal for words in VOCABULARY.values()}
    answers |= {answer for words in VOCABULARY.values() for answer in words.abnormal.values()}
    return any(answer in line for answer in answers)


def test_the_finding_is_taught_under_other_names() -> None:
    normal, abnormal = twins()[0]
    dice = [random.Random(5), random.Random(5)]
    taught = [
        {each.answer for _ in range(200) for each in draw_exchanges(labels, die) if each.prompt not in Q7_PROMPTS}
        for labels, die in zip((normal, abnormal), dice, strict=True)
    ]
    assert any("dilated lateral ventricle" in answer for answer in taught[1] - taught[0])


def test_opinions_differ_between_images() -> None:
    assert len({round(opinion(labels), 6) for labels, _ in twins()}) > 5
    assert all(0 < opinion(labels) < 1 for labels, _ in twins())


def test_a_branch_sees_the_prefix_and_itself_alone() -> None:
    segments = torch.tensor([[0, 0, 1, 1, 2, 2, -1]])
    seen = branch_mask(segments)[0, 0]
    assert seen[3].tolist() == [True, True, True, True, False, False, False]
    assert seen[5].tolist() == [True, True, False, False, True, True, False]
    assert seen[1].tolist() == [True, True, False, False, False, False, False]
    assert seen[6].nonzero().flatten().tolist() == [6]  # padding sees itself, so that no row of attention is empty


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return Vocabulary(build_processor())


def test_only_answers_carry_loss(vocabulary: Vocabulary) -> None:
    exchanges = [Exchange("Is it?", "Yes"), Exchange("What plane?", "Mid-sagittal", 0.25)]
    batch = assemble(vocabulary, (160, 128), False, [4], [exchanges])
    for number, exchange in enumerate(exchanges, start=1):
        chosen = (batch.labels[0] != IGNORED) & (batch.segments[0] == number)
        assert batch.labels[0][chosen].tolist() == vocabulary.encode(exchange.answer) + vocabulary.answer_end
        assert np.array_equal(batch.labels[0][chosen], batch.input_ids[0][chosen])
        assert set(batch.weights[0][batch.segments[0] == number]) == {exchange.weight}
    assert (batch.labels[0][batch.segments[0] == 0] == IGNORED).all()
    assert (batch.input_ids[0] == vocabulary.image).sum() == (128 // 32) ** 2


def test_batches_are_reproducible_and_cover_all_image_sizes(vocabulary: Vocabulary) -> None:
    labels = {side: [normal for normal, _ in twins()] for side in (160, 256)}
    one, two = (list(islice(draw_batches(vocabulary, labels, 2, seed=4), 60)) for _ in range(2))
    assert all(np.array_equal(a.input_ids, b.input_ids) for a, b in zip(one, two, strict=True))
    assert {batch.side for batch in one} == set(SIZE_SHARES)
    assert all(batch.side <= batch.source for batch in one)
    assert any(not np.array_equal(a.images, b.images) for a, b in pairwise(one))


class Table:
    """Stands in for a model: hidden states are one-hot tokens, logits a fixed table."""

    def __init__(self, logits: torch.Tensor) -> None:
        self.lm_head = lambda hidden: hidden @ logits
        self._size = len(logits)

    def model(self, input_ids: torch.Tensor, use_cache: bool) -> tuple[torch.Tensor]:
        return (torch.nn.functional.one_hot(input_ids, self._size).double(),)


def test_the_loss_is_the_weighted_mean_over_answer_tokens() -> None:
    torch.manual_seed(0)
    logits = torch.randn(5, 5, dtype=torch.float64)
    ids = torch.tensor([[0, 1, 2, 3]])
    labels = torch.tensor([[IGNORED, IGNORED, 2, 3]])
    weights = torch.tensor([[9.0, 9.0, 0.5, 1.5]])
    nats = -logits.log_softmax(-1)
    expected = (0.5 * nats[1, 2] + 1.5 * nats[2, 3]) / 2
    assert float(answer_loss(Table(logits), {"input_ids": ids}, labels, weights)) == pytest.approx(
        float(expected), rel=1e-6
    )


def test_the_large_base_has_about_twice_the_parameters_in_16_bits() -> None:
    counts = {}
    for name in ("base-model", "base-model-large"):
        with safe_open(repository_root() / "assets" / name / "model.safetensors", "pt") as weights:
            shapes = [weights.get_slice(key) for key in weights.keys()]  # noqa: SIM118 - no mapping
            assert {each.get_dtype() for each in shapes} == {"BF16"}
            counts[name] = sum(int(np.prod(each.get_shape())) for each in shapes)
    assert 2_000_000 < counts["base-model"] < 3_000_000
    assert 1.6 < counts["base-model-large"] / counts["base-model"] < 2.4
