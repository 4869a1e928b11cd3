from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from engine.data.images import load_image
from engine.errors import DataError
from engine.questions.prompts import prompt_text
from engine.training.collator import IGNORED, SAMPLES, TOKENS
from engine.training.dataset import build_examples
from engine.training.encoding import Encoder
from engine.training.loss import answer_loss
from engine.training.pixels import Geometry, PixelStore
from engine.types import Case, Split

Collate = Callable[..., dict[str, Any]]
PIXELS = ("pixel_values", "image_grid_thw")


def real_tokens(batch: dict[str, Any]) -> torch.Tensor:
    """1 where a row has a token, 0 behind its last answer token; nothing but pads comes after that."""
    last = (batch["labels"] != IGNORED).int() * torch.arange(batch["labels"].shape[1])
    return (torch.arange(batch["labels"].shape[1]) <= last.amax(dim=1, keepdim=True)).long()


def test_the_trained_tokens_are_the_answer_and_its_end_and_nothing_else(
    processor: Any, phantom_cases: list[Case], collate: Collate
) -> None:
    cases = phantom_cases[:4]
    batch = collate(cases, ("Q7", "Q1"))
    trained = [processor.tokenizer.decode(row[row != IGNORED]) for row in batch["labels"]]
    assert trained == [f"{case.answers[question]}<|im_end|>" for case in cases for question in ("Q7", "Q1")]
    assert (batch["labels"] != IGNORED).any(dim=1).all()
    assert batch[SAMPLES] == 8
    assert batch[TOKENS] == int(real_tokens(batch).sum()) < batch["input_ids"].numel()


def test_a_row_reads_as_the_processors_own_chat_template(
    processor: Any, phantom_cases: list[Case], collate: Collate
) -> None:
    case = phantom_cases[0]
    batch = collate([case])
    content = [{"type": "image"}, {"type": "text", "text": prompt_text("Q7", "detailed")}]
    text = processor.apply_chat_template(
        [{"role": "user", "content": content}], tokenize=False, add_generation_prompt=True
    )
    official = processor(
        text=[text + case.answers["Q7"] + "<|im_end|>"],
        images=[load_image(case.file, 96)],
        return_tensors="pt",
        do_resize=False,
    )
    for name in ("input_ids", "image_grid_thw", "mm_token_type_ids"):
        assert torch.equal(batch[name], official[name]), name
    assert official["attention_mask"].all()  # so that none is needed
    torch.testing.assert_close(batch["pixel_values"], official["pixel_values"], rtol=0, atol=1e-5)


def test_pixels_equal_the_image_processors_for_colour_and_oblong_images(processor: Any, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 128, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "colour.png")
    store = PixelStore([tmp_path / "colour.png"], 128, Geometry.of(processor))
    values, grid = store.batch([0])
    official = processor.image_processor(
        images=[load_image(tmp_path / "colour.png", 128)], return_tensors="pt", do_resize=False
    )
    assert grid.tolist() == official["image_grid_thw"].tolist()
    torch.testing.assert_close(values, official["pixel_values"], rtol=0, atol=1e-5)


def test_an_image_is_decoded_once_while_the_budget_lasts(
    processor: Any, phantom_cases: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[Path] = []

    def counting(file: Path, size: int, *, root: Path | None = None) -> Image.Image:
        decoded.append(file)
        return load_image(file, size, root=root)

    monkeypatch.setattr("engine.training.pixels.load_image", counting)
    files = [case.file for case in phantom_cases[:3]]
    kept = PixelStore(files, 96, Geometry.of(processor))
    kept.prepare()
    kept.batch([0, 1, 2, 0])
    assert decoded == files
    lazy = PixelStore(files, 96, Geometry.of(processor), budget_bytes=1000)
    lazy.prepare()
    assert not lazy.cached
    assert len(decoded) == 3
    assert torch.equal(lazy.batch([1])[0], kept.batch([1])[0])


def test_special_tokens_spelt_in_an_answer_stay_plain_text(processor: Any) -> None:
    encoder = Encoder(processor)
    ids = encoder.answer("Normal<|im_end|><|image_pad|>")
    assert ids.count(encoder.end_id) == 1
    assert ids[-1] == encoder.end_id
    assert encoder.image_token_id not in ids
    assert processor.tokenizer.decode(ids) == "Normal<|im_end|><|image_pad|><|im_end|>"


def test_an_example_without_a_trained_token_is_refused(
    phantom_cases: list[Case], monkeypatch: pytest.MonkeyPatch, collate: Collate
) -> None:
    monkeypatch.setattr(Encoder, "_encode_answer", lambda self, text: ())
    with pytest.raises(ValueError, match="no trained token"):
        collate(phantom_cases[:2])


def test_unanswered_questions_make_no_example(phantom_cases: list[Case]) -> None:
    first = phantom_cases[0]
    silent = Case(9, "x.png", first.file, "Abdomen", Split.TRAIN, {"Q7": "  "}, "", 96, 96)
    assert [example.image for example in build_examples([silent, first], ("Q7",), "detailed")] == [1]
    with pytest.raises(DataError, match="nothing to train"):
        build_examples([silent], ("Q7",), "detailed")


def test_the_loss_equals_the_models_own_over_whole_sequences(
    model: Any, phantom_cases: list[Case], collate: Collate
) -> None:
    batch = collate(phantom_cases[:4], ("Q7", "Q3"))
    with torch.no_grad():
        ours = answer_loss(model, batch)
        # By its own positions and with the mask of the pads, where ours come with the batch and need none.
        official = {key: batch[key] for key in ("input_ids", "labels", "mm_token_type_ids", *PIXELS)}
        theirs = model(**official, attention_mask=real_tokens(batch)).loss
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


def test_micro_batches_add_up_to_the_mean_over_their_window(
    model: Any, phantom_cases: list[Case], collate: Collate
) -> None:
    whole = collate(phantom_cases[:4], ("Q1",))
    tokens = int((whole["labels"] != IGNORED).sum())
    halves = [collate(phantom_cases[start : start + 2], ("Q1",)) for start in (0, 2)]
    with torch.no_grad():
        together = answer_loss(model, whole)
        parts = sum(answer_loss(model, half, tokens) for half in halves)
    torch.testing.assert_close(parts, together, rtol=1e-5, atol=1e-6)
