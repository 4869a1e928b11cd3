from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from engine.evaluation.generate import end_ids, generate_answers, prompt_batch
from engine.evaluation.label_scoring import candidate_log_likelihoods, p_abnormal, probabilities
from engine.questions.prompts import prompt_text
from engine.training.collator import pad_left
from engine.training.encoding import Encoder
from engine.training.loss import unwrapped
from engine.training.pixels import Geometry, PixelStore

PROMPT = prompt_text("Q7", "detailed")
# From two tokens (one and the end) to many.
CANDIDATES = [
    "Normal",
    "Abnormal",
    "Abnormal dilated lateral ventricle",
    "Normal for gestational age",
    "Within limits, 3",
]


@pytest.fixture
def lora(model: Any) -> Any:
    """A model with an adapter that does something."""
    from peft import LoraConfig, get_peft_model

    from engine.training.lora_targets import target_pattern

    everything = target_pattern(vision=True, language=True, attention=True, mlp=True)
    tuned = get_peft_model(model, LoraConfig(r=4, lora_alpha=16, target_modules=everything, init_lora_weights=False))
    return tuned.eval()


@pytest.fixture
def pixels(processor: Any, tmp_path: Path) -> PixelStore:
    """Three images, one of them oblong: prompts of different lengths."""
    files = []
    for number, (height, width) in enumerate([(96, 96), (64, 96), (96, 96)]):
        noise = np.random.default_rng(number).integers(0, 256, (height, width), dtype=np.uint8)
        files.append(tmp_path / f"{number}.png")
        Image.fromarray(noise).save(files[-1])
    return PixelStore(files, 96, Geometry.of(processor))


def one_by_one(model: Any, encoder: Encoder, pixels: PixelStore, image: int, text: str) -> float:
    """Log-likelihood of one answer about one image: a plain forward pass over the whole sequence."""
    values, grid = pixels.batch([image])
    prompt, answer = encoder.prompt(PROMPT, pixels.tokens(grid)[0]), encoder.answer(text)
    batch = {**pad_left([(*prompt, *answer)], encoder), "pixel_values": values, "image_grid_thw": grid}
    base = unwrapped(model)
    with torch.no_grad():
        hidden = base.model(**batch, use_cache=False)[0]
        logits = base.lm_head(hidden[0, len(prompt) - 1 : -1])
    return float(logits.log_softmax(-1).gather(-1, torch.tensor(answer)[:, None]).sum())


@pytest.mark.parametrize("max_rows", [1, 6, 64])
def test_cached_scoring_equals_scoring_each_pair_alone(
    lora: Any, processor: Any, pixels: PixelStore, max_rows: int
) -> None:
    encoder = Encoder(processor)
    batch = prompt_batch(encoder, pixels, [0, 1, 2], PROMPT, torch.device("cpu"))
    scored = candidate_log_likelihoods(lora, encoder, batch, CANDIDATES, max_rows)
    alone = [[one_by_one(lora, encoder, pixels, image, text) for text in CANDIDATES] for image in range(3)]
    torch.testing.assert_close(scored, torch.tensor(alone, dtype=torch.float64), rtol=0, atol=1e-4)
    assert scored.std(dim=0).max() > 1e-3  # the images do make a difference


def test_an_image_scores_the_same_in_any_company(lora: Any, processor: Any, pixels: PixelStore) -> None:
    encoder = Encoder(processor)
    together = prompt_batch(encoder, pixels, [0, 1], PROMPT, torch.device("cpu"))
    alone = prompt_batch(encoder, pixels, [1], PROMPT, torch.device("cpu"))
    torch.testing.assert_close(
        candidate_log_likelihoods(lora, encoder, together, CANDIDATES)[1:],
        candidate_log_likelihoods(lora, encoder, alone, CANDIDATES),
        rtol=0,
        atol=1e-4,
    )


def test_probabilities_sum_to_one_and_p_abnormal_sums_the_abnormal_ones() -> None:
    likelihoods = torch.log(torch.tensor([[0.3, 0.1, 0.05, 0.05, 0.5]], dtype=torch.float64)) - 7
    (shares,) = probabilities(likelihoods, CANDIDATES)
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["Normal"] == pytest.approx(0.3)
    assert p_abnormal(shares) == pytest.approx(0.15)


def test_batched_generation_equals_generation_one_by_one(lora: Any, processor: Any, pixels: PixelStore) -> None:
    encoder = Encoder(processor)
    cpu = torch.device("cpu")
    together = generate_answers(lora, encoder, prompt_batch(encoder, pixels, [0, 1, 2], PROMPT, cpu), 6)
    alone = [
        generate_answers(lora, encoder, prompt_batch(encoder, pixels, [image], PROMPT, cpu), 6)[0] for image in range(3)
    ]
    assert [answer.text for answer in together] == [answer.text for answer in alone]
    assert [answer.tokens for answer in together] == [answer.tokens for answer in alone]


class Scripted:
    """A model whose generated ids are given."""

    def __init__(self, rows: list[list[int]], prompt: int) -> None:
        self.rows, self.prompt = rows, prompt
        self.generation_config = type("Config", (), {"eos_token_id": None})

    def generate(self, **_: Any) -> torch.Tensor:
        return torch.tensor([[0] * self.prompt + row for row in self.rows])


def test_an_answer_without_an_end_is_cut_off_and_pads_are_not_counted(processor: Any) -> None:
    encoder = Encoder(processor)
    word = processor.tokenizer("Normal", add_special_tokens=False)["input_ids"]
    ended = [*word, encoder.end_id] + [encoder.pad_id] * 2
    endless = (word * 9)[: len(ended)]
    ticks = iter([10.0, 13.0])
    batch = {"input_ids": torch.zeros((2, 3), dtype=torch.long)}
    clock: Callable[[], float] = lambda: next(ticks)  # noqa: E731
    first, second = generate_answers(Scripted([ended, endless], 3), encoder, batch, len(ended), clock)
    assert (first.text, first.tokens, first.cut_off) == ("Normal", len(word) + 1, False)
    assert (second.tokens, second.cut_off) == (len(ended), True)
    assert first.latency_seconds == 1.5


def test_every_end_token_of_the_model_ends_an_answer(model: Any, processor: Any) -> None:
    encoder = Encoder(processor)
    assert encoder.end_id in end_ids(model, encoder)
    assert set(model.generation_config.eos_token_id) <= set(end_ids(model, encoder))
