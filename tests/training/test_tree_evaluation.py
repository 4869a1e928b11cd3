"""One pass over vision and root gives the answers and likelihoods of asking question by question."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from engine.errors import DataError, SonotuneError
from engine.evaluation import answerers
from engine.evaluation.generate import Generated, generate_answers, prompt_batch
from engine.evaluation.label_scoring import candidate_log_likelihoods
from engine.evaluation.measure import Asking, Examination
from engine.evaluation.protocol import build_protocol
from engine.evaluation.subject import Subject
from engine.evaluation.tree import answering, decoding
from engine.evaluation.tree.answering import Answered, answer_images
from engine.evaluation.tree.eligibility import tree_refusal
from engine.evaluation.tree.pictures import Pictures, prepared
from engine.evaluation.tree.rows import Ask, RowBuilder
from engine.training.encoding import Encoder
from engine.training.pixels import Geometry, PixelStore

CPU = torch.device("cpu")
# One token and the end, many, shared beginnings, and the end token alone.
CANDIDATES = ("Normal", "Abnormal", "Abnormal dilated lateral ventricle", "Normal for gestational age", "")
ASKS = (
    Ask("Which plane is it?", 9),
    Ask("Is it normal?", 5, CANDIDATES),
    Ask("Which structures are there, from the left to the right?", 14),
    Ask("Quality?", 1, ("Good image quality",)),
)
ASKED = ((0, 1, 2, 3), (1,), (3, 0), (2, 0, 1))


@pytest.fixture
def tuned(model: Any) -> Any:
    """A model whose answers differ by image and question: an untrained one with an adapter, all weights enlarged."""
    from peft import LoraConfig, get_peft_model

    from engine.training.lora_targets import target_pattern

    everything = target_pattern(vision=True, language=True, attention=True, mlp=True)
    torch.manual_seed(3)
    found = get_peft_model(model, LoraConfig(r=4, lora_alpha=16, target_modules=everything, init_lora_weights=False))
    with torch.no_grad():
        for parameter in found.parameters():
            if parameter.ndim > 1:
                parameter.mul_(3)
    return found.eval()


@pytest.fixture
def encoder(processor: Any) -> Encoder:
    return Encoder(processor)


@pytest.fixture
def pixels(processor: Any, tmp_path: Path) -> PixelStore:
    """Four images of three shapes."""
    files = []
    for number, (height, width) in enumerate([(96, 96), (64, 96), (96, 64), (96, 96)]):
        noise = np.random.default_rng(number).integers(0, 256, (height, width), dtype=np.uint8)
        files.append(tmp_path / f"{number}.png")
        Image.fromarray(noise).save(files[-1])
    return PixelStore(files, 96, Geometry.of(processor))


@pytest.fixture
def together(tuned: Any, encoder: Encoder, pixels: PixelStore) -> Callable[..., list[list[Answered]]]:
    """Asks in one pass."""

    def ask(asked: Sequence[tuple[int, ...]] = ASKED, asks: Sequence[Ask] = ASKS, **options: Any) -> Any:
        pictures = Pictures.of([pixels.patches(number) for number in range(len(asked))], pixels.geometry)
        return answer_images(tuned, RowBuilder(encoder, asks, pixels.geometry.merge), pictures, asked, **options)

    return ask


@pytest.fixture
def alone(tuned: Any, encoder: Encoder, pixels: PixelStore) -> Callable[[int, Ask], tuple[Generated, torch.Tensor]]:
    """Asks one question about one image, as evaluations did before."""

    def ask(image: int, each: Ask) -> tuple[Generated, torch.Tensor]:
        batch = prompt_batch(encoder, pixels, [image], each.prompt, CPU)
        [answer] = generate_answers(tuned, encoder, batch, each.max_new_tokens)
        return answer, candidate_log_likelihoods(tuned, encoder, batch, each.candidates or ("x",))[0]

    return ask


def words(answer: Generated) -> tuple[str, int, bool]:
    return answer.text, answer.tokens, answer.cut_off


def test_vision_and_questions_together_equal_one_by_one(
    tuned: Any, together: Any, alone: Any, encoder: Encoder
) -> None:
    # A token that comes up in mid-answer ends answers from now on: some end early, some are cut off.
    long = alone(0, ASKS[2])[0].text
    tuned.generation_config.eos_token_id = [encoder.end_id, encoder.tokenizer(long)["input_ids"][-1]]
    seen = set()
    for dtype, tolerance in ((torch.float32, 1e-4), (torch.float64, 1e-9)):
        tuned.to(dtype)
        for image, (numbers, answers) in enumerate(zip(ASKED, together(), strict=True)):
            assert [answer.ask for answer in answers] == list(numbers)
            for number, answer in zip(numbers, answers, strict=True):
                generated, likelihoods = alone(image, ASKS[number])
                assert words(answer.generated) == words(generated)
                seen.add((answer.generated.text, answer.generated.cut_off))
                assert (answer.log_likelihoods is None) is (not ASKS[number].candidates)
                if answer.log_likelihoods is not None:
                    assert answer.log_likelihoods.dtype == torch.float64
                    torch.testing.assert_close(answer.log_likelihoods, likelihoods, rtol=0, atol=tolerance)
    assert {cut for _, cut in seen} == {True, False}
    assert len(seen) > 5  # images and questions do make a difference


@pytest.mark.parametrize("change", ["rows padded to 32", "room for two steps"])
def test_pads_and_the_growth_of_the_cache_change_nothing(
    change: str, together: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = together()
    if change == "room for two steps":
        monkeypatch.setattr(decoding, "ROOM_STEPS", 2)
    else:
        build = RowBuilder.build
        monkeypatch.setattr(RowBuilder, "build", lambda self, grid, asked, _: build(self, grid, asked, 32))
    for before, after in zip(plain, together(), strict=True):
        assert [words(each.generated) for each in before] == [words(each.generated) for each in after]
        torch.testing.assert_close(before[-1].log_likelihoods, after[-1].log_likelihoods, rtol=0, atol=1e-5)


def test_an_image_is_answered_the_same_in_any_company(together: Any) -> None:
    [both, *_] = together()
    [first] = together(ASKED[:1])
    assert [words(each.generated) for each in both] == [words(each.generated) for each in first]
    [[at_once]] = together([(3,)])
    assert words(at_once.generated) == words(both[3].generated)
    [[single]] = together([(1,)])
    assert words(single.generated) == words(both[1].generated)
    torch.testing.assert_close(single.log_likelihoods, both[1].log_likelihoods, rtol=0, atol=1e-4)


def test_a_plain_causal_mask_would_be_seen(together: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    right = together()

    def causal(segments: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
        length = segments.shape[1]
        return torch.ones(length, length, dtype=torch.bool).tril().expand(len(segments), 1, -1, -1)

    monkeypatch.setattr(answering, "tree_mask", causal)
    wrong = together()
    assert (right[0][1].log_likelihoods - wrong[0][1].log_likelihoods).abs().max() > 1e-2
    assert [words(each.generated) for each in right[0]] != [words(each.generated) for each in wrong[0]]


def test_answers_that_see_each_other_would_be_seen(together: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    right = together()
    monkeypatch.setattr(torch, "eye", lambda size, **kinds: torch.ones((size, size), **kinds))
    wrong = together()
    assert [words(each.generated) for each in right[0]] != [words(each.generated) for each in wrong[0]]


def test_forced_tokens_are_exactly_as_many_whatever_ends(tuned: Any, together: Any) -> None:
    tuned.generation_config.eos_token_id = list(range(tuned.config.text_config.vocab_size))
    assert {each.generated.tokens for answers in together() for each in answers} == {1}
    forced = together(force_tokens=12)
    assert {each.generated.tokens for answers in forced for each in answers} == {12}


def test_vision_is_computed_once_for_all_questions_and_the_prompts_too(tuned: Any, together: Any) -> None:
    base = tuned.get_base_model().model
    looks, lengths = [], []
    base.visual.register_forward_hook(lambda *_: looks.append(1))
    base.language_model.register_forward_pre_hook(
        lambda _, __, given: lengths.append(given["inputs_embeds"].shape[1]), with_kwargs=True
    )
    limited = [Ask(ask.prompt, limit, ask.candidates) for ask, limit in zip(ASKS, (3, 3, 6, 3), strict=True)]
    together([(0, 1, 2, 3)] * 4, limited)
    assert len(looks) == 1
    # A token for each of four questions, then for the long answer alone; first tokens come from the pass over prompts.
    assert lengths[1:] == [4, 4, 1, 1, 1]


def test_the_way_of_attending_is_the_models_own_again_after_a_pass_that_was_given_up(tuned: Any, together: Any) -> None:
    def give_up() -> None:
        raise SonotuneError("enough")

    with pytest.raises(SonotuneError, match="enough"):
        together(between=give_up)
    assert tuned.config.text_config._attn_implementation == "sdpa"


def test_pictures_are_those_of_the_processor_to_the_bit(pixels: PixelStore) -> None:
    values, grid = pixels.batch([0, 1, 2])
    pictures = Pictures.of([pixels.patches(number) for number in range(3)], pixels.geometry)
    assert torch.equal(pictures.pixel_values(CPU), values)
    assert torch.equal(pictures.grid(CPU), grid)
    some = pictures.chosen([0, 2])
    assert torch.equal(some.pixel_values(CPU), pixels.batch([0, 2])[0])
    assert some.sizes == ((6, 6), (6, 4))


def test_a_picture_that_cannot_be_shown_is_a_failure_of_its_batch_alone(pixels: PixelStore) -> None:
    pixels.files[1].write_bytes(b"no image")
    first, second = prepared(pixels, [(0, 1), (2, 3)], pinned=False)
    assert (first.numbers, list(first.failures), second.numbers) == ((0,), [1], (2, 3))
    assert isinstance(first.failures[1], DataError)
    assert second.pictures is not None
    assert second.pictures.sizes == ((6, 4), (6, 6))


def test_other_errors_of_the_background_come_forward(pixels: PixelStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixels, "patches", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        list(prepared(pixels, [(0,)], pinned=False))


@pytest.fixture
def subject(tuned: Any, encoder: Encoder, pixels: PixelStore) -> Subject:
    return Subject(tuned, encoder, pixels.geometry, CPU)


def all_pictures(pixels: PixelStore) -> Pictures:
    return Pictures.of([pixels.patches(number) for number in range(4)], pixels.geometry)


def test_a_model_that_must_be_asked_one_by_one_gives_the_same_answers(subject: Subject, pixels: PixelStore) -> None:
    notes: list[Any] = []
    fast = answerers.answerer_for(subject, ASKS, lambda *each: notes.append(each))
    slow = answerers.OneByOne(subject, ASKS, "it is a test")
    assert (fast.refusal, slow.refusal, notes) == (None, "it is a test", [])
    pictures, looks = all_pictures(pixels), []
    for quick, plain in zip(
        fast.answer(pictures, ASKED, lambda: None), slow.answer(pictures, ASKED, lambda: looks.append(1)), strict=True
    ):
        assert [(each.ask, *words(each.generated)) for each in quick] == [
            (each.ask, *words(each.generated)) for each in plain
        ]
        for one, other in zip(quick, plain, strict=True):
            torch.testing.assert_close(one.log_likelihoods, other.log_likelihoods, rtol=0, atol=1e-4)
    tokens = sum(ask.max_new_tokens for ask in ASKS)
    assert len(looks) <= len(ASKS) + tokens + 2  # before each question, after each token, before two scorings


@pytest.mark.parametrize(("patience", "ask"), [(3, Ask("Which plane is it?", 400)), (2, Ask("Normal?", 1, CANDIDATES))])
def test_asking_one_by_one_is_given_up_in_mid_answer_too(
    subject: Subject, pixels: PixelStore, patience: int, ask: Ask
) -> None:
    looks: list[int] = []

    def between() -> None:
        looks.append(len(looks))
        if len(looks) > patience:
            raise SonotuneError("enough")

    passes: list[int] = []
    trunk = subject.model.get_base_model().model
    trunk.register_forward_hook(lambda *_: passes.append(1))
    with pytest.raises(SonotuneError, match="enough"):
        answerers.OneByOne(subject, [ask], "it is a test").answer(all_pictures(pixels), ((0,),) * 4, between)
    assert len(passes) == patience  # and neither 400 tokens nor the candidates


@pytest.mark.parametrize(
    ("owner", "attribute", "value", "said"),
    [
        (lambda model: type(model.config), "model_type", "qwen3_5", "qwen3_5"),
        (lambda model: model.config.text_config, "layer_types", ["linear_attention"] * 2, "linear_attention"),
        # Not through the configuration's own setter, which looks for the library.
        (lambda model: model.config.text_config, "_attn_implementation_internal", "flash_attention_2", "flash"),
        (lambda model: model.generation_config, "no_repeat_ngram_size", 2, "no_repeat_ngram_size"),
        (lambda model: model.generation_config, "suppress_tokens", [5], "suppress_tokens"),
    ],
)
def test_the_tree_is_refused_where_it_would_be_wrong(
    owner: Callable[[Any], Any], attribute: str, value: Any, said: str, model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tree_refusal(model) is None
    monkeypatch.setattr(owner(model), attribute, value, raising=False)
    assert said in (tree_refusal(model) or "")


def test_a_pass_that_finds_no_room_is_done_in_halves(
    subject: Subject, pixels: PixelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes: list[tuple[str, str]] = []
    sizes: list[int] = []

    def cramped(model: Any, builder: Any, pictures: Pictures, asked: Any, **options: Any) -> Any:
        sizes.append(len(asked))
        if len(asked) > 1:
            raise torch.OutOfMemoryError
        return answer_images(model, builder, pictures, asked, **options)

    whole = answerers.Together(subject, ASKS, print).answer(all_pictures(pixels), ASKED, lambda: None)
    monkeypatch.setattr(answerers, "answer_images", cramped)
    answerer = answerers.Together(subject, ASKS, lambda *each: notes.append(each))
    found = answerer.answer(all_pictures(pixels), ASKED, lambda: None)
    assert sizes == [4, 2, 1, 1, 1, 1]
    assert [detail for _, detail in notes] == [
        "no room for 4 images in one pass: at most 2 from here on",
        "no room for 2 images in one pass: at most 1 from here on",
    ]
    assert [[words(each.generated) for each in answers] for answers in found] == [
        [words(each.generated) for each in answers] for answers in whole
    ]


def test_a_batch_of_long_rows_is_cut(subject: Subject, pixels: PixelStore, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    def counted(model: Any, builder: Any, pictures: Pictures, asked: Any, **options: Any) -> Any:
        sizes.append(len(asked))
        return answer_images(model, builder, pictures, asked, **options)

    monkeypatch.setattr(answerers, "answer_images", counted)
    longest = len(RowBuilder(subject.encoder, ASKS, 2).layout(6, 6, ASKED[0]).row.ids)
    monkeypatch.setattr(answerers, "MOST_PLACES", 3 * longest + 1)
    answerers.Together(subject, ASKS, print).answer(all_pictures(pixels), ASKED, lambda: None)
    assert sizes == [3, 1]


def test_an_examination_goes_on_for_those_that_do_not_ask_about_a_damaged_image(
    model: Any, processor: Any, phantom_cases: Any, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image")
    cases = [replace(phantom_cases[2], file=broken), *phantom_cases[:2], *phantom_cases[3:5]]
    subject = Subject(model.eval(), Encoder(processor), Geometry.of(processor), CPU)
    protocols = [build_protocol(question, "detailed", 96, 3, ["Normal"]) for question in ("Q3", "Q7", "Q1")]
    askings = {
        10: Asking(protocols[0], cases),
        11: Asking(protocols[1], cases[1:]),
        12: Asking(protocols[2], cases[1:2]),
    }
    ticks = iter(range(100))
    batches = list(Examination(subject, askings, 2, clock=lambda: float(next(ticks))).batches())
    failures = [list(batch.failures) for batch in batches]
    assert [each for batch in failures for each in batch] == [10]
    assert "broken.png" in str(next(batch.failures[10] for batch in batches if batch.failures))
    asked = ["".join(f"{number} " for number in sorted(batch.predictions)) for batch in batches]
    assert asked == ["10 11 12 ", "11 ", "11 "]  # it fails in the second batch and is not asked any more
    paths = [each.path for batch in batches for each in batch.predictions.get(11, [])]
    assert paths == sorted(case.path for case in cases[1:])
    assert [each.path for batch in batches for each in batch.predictions.get(12, [])] == [cases[1].path]
    # A batch takes one tick here; its answers share it.
    for batch in batches:
        assert sum(batch.seconds.values()) == pytest.approx(1)
        for number, seconds in batch.seconds.items():
            share = len(batch.predictions[number]) / sum(map(len, batch.predictions.values()))
            assert seconds == pytest.approx(share)


def test_an_examination_ends_in_mid_answer_when_nobody_waits(model: Any, processor: Any, phantom_cases: Any) -> None:
    subject = Subject(model.eval(), Encoder(processor), Geometry.of(processor), CPU)
    protocol = build_protocol("Q3", "detailed", 96, 500, [])
    looks: list[int] = []

    def live() -> set[int]:
        looks.append(len(looks))
        return {1} if len(looks) < 5 else set()

    assert list(Examination(subject, {1: Asking(protocol, phantom_cases[:2])}, 2, live=live).batches()) == []
    assert len(looks) == 5
