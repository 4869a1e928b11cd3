from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from PIL import Image
from test_recipe_run import Bench, Wishes, tensors
from torch.utils.data import DataLoader

from engine.data.augmentation.drawing import Change, draw_change, synthetic_change
from engine.data.images import load_image
from engine.recipe import Recipe
from engine.store.reader import Reader
from engine.training.augmented import Augmentation, augmentation_words, variable
from engine.training.balance import Origin
from engine.training.balance_record import read_balance
from engine.training.callbacks import EpochCallback
from engine.training.collator import IGNORED, AnswerCollator
from engine.training.dataset import Example, TrainingData, build_examples, prepare_data
from engine.training.encoding import Encoder
from engine.training.pixels import PixelStore, to_patches
from engine.training.recipe_run import loader_workers
from engine.types import Action, Case, Split

Build = Callable[..., Recipe]
SIZE = 96
EVERYTHING = {"augment": "advanced", "balance": "synthetic"}


@pytest.fixture(scope="module")
def few_abnormal(phantom_cases: list[Case]) -> list[Case]:
    """16 normal and 4 abnormal images to train on, 8 to validate."""
    train = [case for case in phantom_cases if case.split is Split.TRAIN]
    return [*train[::2], *train[1:8:2], *phantom_cases[len(train) :]]


@pytest.fixture
def bench(tmp_path: Path, base_folder: Path, few_abnormal: list[Case]) -> Iterator[Bench]:
    made = Bench(tmp_path, base_folder, few_abnormal)
    yield made
    made.writer.close()


def prepared(recipe: Recipe, processor: Any, cases: Sequence[Case], **options: Any) -> TrainingData:
    return prepare_data(recipe, processor, lambda split: [case for case in cases if case.split is split], **options)


def collator_of(data: TrainingData, processor: Any) -> AnswerCollator:
    return AnswerCollator(data.examples, Encoder(processor), data.pixels, data.augmentation)


def same(one: Any, other: Any) -> bool:
    """Two values of a batch are equal: tensors, or plain counts."""
    return torch.equal(one, other) if isinstance(one, torch.Tensor) else bool(one == other)


def with_answer(case: Case, question: str, answer: str) -> Case:
    return replace(case, answers={**case.answers, question: answer})


# --- drawing ---


def test_all_questions_to_an_image_see_one_picture_and_every_epoch_another(phantom_cases: list[Case]) -> None:
    cases = phantom_cases[:4]
    examples = variable(build_examples(cases, ("Q2", "Q7"), "detailed"), [case.path for case in cases])
    augmentation = Augmentation("advanced", 7)
    epochs = []
    for augmentation.epoch in range(3):
        drawn = [augmentation.draw(example) for example in examples]
        assert drawn[::2] == drawn[1::2]
        epochs.append(drawn[0])
    assert len({change.words for change in epochs if change}) == 3
    repeat = replace(examples[0], drawn_by=f"{examples[0].drawn_by}#1")
    assert augmentation.draw(repeat) != augmentation.draw(examples[0])
    assert Augmentation("advanced", 7).draw(examples[0]) == epochs[0]
    assert Augmentation("advanced", 8).draw(examples[0]) != epochs[0]
    assert augmentation.draw(build_examples(cases, ("Q7",), "detailed")[0]) is None


def test_an_image_is_mirrored_only_where_every_trained_answer_follows(phantom_cases: list[Case]) -> None:
    plain = with_answer(phantom_cases[0], "Q2", "Vertebral column to left")
    odd = with_answer(phantom_cases[1], "Q2", "Left lateral decubitus")
    tilted = with_answer(phantom_cases[2], "Q2", "Femur tilted down to left")
    names = ["a", "b", "c"]

    def turned_and_mirrored(questions: tuple[str, ...]) -> dict[str, tuple[bool, bool]]:
        examples = variable(build_examples([plain, odd, tilted], questions, "detailed"), names)
        drawn: dict[str, list[Change]] = {name: [] for name in names}
        augmentation = Augmentation("basic", 7)
        for augmentation.epoch in range(40):
            for example in examples:
                drawn[example.drawn_by] += filter(None, [augmentation.draw(example)])
        return {
            name: (any("turned" in change.words for change in changes), any(change.mirrored for change in changes))
            for name, changes in drawn.items()
        }

    assert turned_and_mirrored(("Q7",)) == {"a": (True, True), "b": (True, True), "c": (True, True)}
    assert turned_and_mirrored(("Q7", "Q2")) == {"a": (True, True), "b": (True, False), "c": (False, True)}
    examples = variable(build_examples([plain, odd, tilted], ("Q7", "Q2"), "detailed"), names)
    assert [example.mirrored for example in examples[1::2]] == [
        "Vertebral column to right",
        None,
        "Femur tilted down to right",
    ]
    words = augmentation_words("basic", examples)
    assert "its answer to Q2 is rewritten" in words
    assert "1 of 3 images are never mirrored" in words
    assert "1 of 3 are never turned" in words
    with pytest.raises(ValueError, match="mirrored answer is not known"):
        examples[3].answer_to(mirrored=True)


def test_the_answer_is_true_of_the_picture_that_is_shown(
    processor: Any, recipe: Build, phantom_cases: list[Case]
) -> None:
    # A chest with "vertebral column to left" or "to right" as the phantom was drawn.
    sided = [case for case in phantom_cases if "vertebral column" in case.answers["Q2"]][:3]
    data = prepared(recipe(data={"augment": "basic", "questions": ["Q2"]}), processor, sided)
    assert data.augmentation is not None
    collator = collator_of(data, processor)
    seen: Counter[tuple[bool, bool]] = Counter()
    for data.augmentation.epoch in range(6):
        for number, (example, case) in enumerate(zip(data.examples, sided, strict=True)):
            batch = collator([{"example": number}])
            said = processor.tokenizer.decode(batch["labels"][batch["labels"] != IGNORED], skip_special_tokens=True)
            change = draw_change(
                "basic", f"7/epoch {data.augmentation.epoch}/{case.path}", may_mirror=True, may_turn=example.may_turn
            )
            expected = to_patches(change.apply(load_image(case.file, SIZE)), data.pixels.geometry)
            shown = PixelStore([], SIZE, data.pixels.geometry)
            shown._kept[0] = expected
            assert torch.equal(batch["pixel_values"], shown.batch([0])[0])
            sides = {"left": "right", "right": "left"}
            own = case.answers["Q2"].rsplit(" ", 1)[1]
            assert said.rsplit(" ", 1)[1] == (sides[own] if change.mirrored else own)
            seen[change.mirrored, said == case.answers["Q2"]] += 1
    assert set(seen) == {(True, False), (False, True)}


# --- pictures ---


def test_pixels_are_decoded_once_and_changed_each_time(
    processor: Any, recipe: Build, few_abnormal: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: Counter[str] = Counter()

    def counting(file: Path, size: int, *, root: Path | None = None) -> Image.Image:
        decoded[file.name] += 1
        return load_image(file, size, root=root)

    monkeypatch.setattr("engine.training.pixels.load_image", counting)
    data = prepared(recipe(data=EVERYTHING), processor, few_abnormal)
    prepared_once = dict(decoded)
    assert data.augmentation is not None
    collator, rows = collator_of(data, processor), [{"example": number} for number in range(data.trained)]
    first = collator(rows)["pixel_values"]
    data.augmentation.epoch = 1
    second = collator(rows)["pixel_values"]
    assert decoded == prepared_once
    assert max(decoded.values()) == 4  # an abnormal image, and the three that were made from it
    assert first.shape == second.shape
    assert not torch.equal(first, second)


def test_a_synthetic_image_is_its_source_changed_once_and_for_all(
    processor: Any, recipe: Build, few_abnormal: list[Case]
) -> None:
    data = prepared(recipe(data={"balance": "synthetic"}), processor, few_abnormal)
    real = {case.file: case for case in few_abnormal}
    made = [example for example in data.examples if example.origin is Origin.SYNTHETIC]
    assert len(made) == 12
    for example in made:
        file, key = data.pixels.files[example.image], data.pixels.made[example.image]
        assert (real[file].split, example.answer) == (Split.TRAIN, real[file].answers["Q7"])
        source = load_image(file, SIZE)
        expected = to_patches(synthetic_change(key).apply(source), data.pixels.geometry).values
        assert (data.pixels.patches(example.image).values == expected).all()
        assert data.pixels.patches(example.image) is data.pixels.patches(example.image)
        original = to_patches(source, data.pixels.geometry).values
        assert abs(expected.astype(int) - original.astype(int)).mean() > 1
    assert len(set(data.pixels.made.values())) == 12


def test_validation_sees_real_cases_as_they_are(processor: Any, recipe: Build, few_abnormal: list[Case]) -> None:
    wanted = recipe(data=EVERYTHING, training={"loss": "weighted", "evaluation_steps": 3})
    data = prepared(wanted, processor, few_abnormal)
    plain = prepared(recipe(training={"evaluation_steps": 3}), processor, few_abnormal)
    check, control = data.examples[data.trained :], plain.examples[plain.trained :]
    assert len(check) == len(control) == 8
    for one, other in zip(check, control, strict=True):
        assert replace(one, image=0, sample=0) == replace(other, image=0, sample=0)
        assert (one.origin, one.drawn_by, one.weight) == (Origin.REAL, "", 1.0)
        assert one.image not in data.pixels.made
        assert data.pixels.files[one.image] == plain.pixels.files[other.image]
    rows = [[{"example": start + number} for number in range(8)] for start in (data.trained, plain.trained)]
    one, other = collator_of(data, processor)(rows[0]), collator_of(plain, processor)(rows[1])
    assert one.keys() == other.keys()
    assert all(same(one[name], other[name]) for name in one)
    trained = Counter(example.origin for example in data.examples[: data.trained])
    assert trained == {Origin.REAL: 20, Origin.SYNTHETIC: 12}


def test_worker_processes_draw_what_this_process_would(processor: Any, recipe: Build, few_abnormal: list[Case]) -> None:
    wanted = recipe(data={**EVERYTHING, "limit": 10, "questions": ["Q2"]})
    here = prepared(wanted, processor, few_abnormal)
    there = prepared(wanted, processor, few_abnormal, budget_bytes=1000)
    assert (here.pixels.cached, there.pixels.cached) == (True, False)
    assert here.augmentation is not None
    assert there.augmentation is not None
    own = collator_of(here, processor)
    loader = DataLoader(
        here.train_rows.to_list(), batch_size=4, num_workers=2, collate_fn=collator_of(there, processor)
    )
    for epoch in (0, 1):
        for each in (here.augmentation, there.augmentation):
            EpochCallback(each).on_epoch_begin(None, SimpleNamespace(epoch=epoch + 0.25), None)
        for start, batch in enumerate(loader):
            rows = [{"example": number} for number in range(4 * start, min(4 * start + 4, here.trained))]
            expected = own(rows)
            assert batch.keys() == expected.keys()
            assert all(same(batch[name], expected[name]) for name in expected)


# --- whole runs ---


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, str]]:
    """(epoch, sample) of every drawing."""
    found: list[tuple[int, str]] = []
    original = Augmentation.draw

    def watching(self: Augmentation, example: Example) -> Any:
        change = original(self, example)
        if change is not None:
            found.append((self.epoch, example.drawn_by))
        return change

    monkeypatch.setattr(Augmentation, "draw", watching)
    return found


def test_a_resumed_run_with_everything_ends_as_an_unbroken_one(
    bench: Bench, recipe: Build, drawn: list[tuple[int, str]]
) -> None:
    # Two epochs of 4 windows over 20 real and 12 synthetic samples; the break lies inside the second.
    wanted = recipe(
        data=EVERYTHING, training={"loss": "weighted_focal", "max_steps": 0, "epochs": 2, "evaluation_steps": 4}
    )
    unbroken = bench.launch(wanted)
    whole = bench.train(unbroken, wanted)
    assert whole.step == 8
    looked = drawn[1:]  # the first was for the history
    assert Counter(epoch for epoch, _ in looked) == {0: 32, 1: 32}
    assert len(set(looked)) == 64
    drawn.clear()
    broken = bench.launch(wanted)
    bench.train(broken, wanted, Wishes(Action.STOP, after=6))
    again = bench.train(broken, wanted)
    assert again.final_loss == pytest.approx(whole.final_loss, abs=1e-4)
    assert bench.losses(broken) == pytest.approx(bench.losses(unbroken), abs=1e-4)
    assert drawn[-8:] == looked[-8:]
    with Reader(bench.workspace) as reader:
        seconds = [point.value for point in reader.metrics(unbroken, ["step_seconds"])]
    assert min(seconds) > max(seconds) / 50  # also of the steps after which answers were looked at
    history = dict(bench.events(unbroken))
    counts = read_balance(history["balance"])
    assert counts is not None
    assert (counts.abnormal, counts.judged, counts.added, counts.share) == (4, 20, 12, 0.5)
    assert history["augmentation"].startswith("advanced: ")
    assert history["loss"].endswith(
        "; focal loss, gamma 2; class weights: abnormal x1 (16 samples), normal x1 (16 samples), from the samples "
        "trained on"
    )
    shutil.rmtree(bench.directory(broken))


def test_a_run_whose_batches_come_from_other_processes_is_the_same_run(
    bench: Bench, recipe: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    # 5 steps of 8 reach into the second epoch of 32 samples.
    wanted = recipe(data=EVERYTHING, training={"max_steps": 5, "answer_checks": 0, "checkpoint_steps": 0})
    losses = []
    for workers in (0, 2):
        monkeypatch.setattr("engine.training.recipe_run.loader_workers", lambda *_, count=workers: count)
        run_id = bench.launch(wanted)
        bench.train(run_id, wanted)
        losses.append(bench.losses(run_id))
    assert losses[1] == pytest.approx(losses[0], abs=1e-5)


@pytest.mark.parametrize(
    ("cached", "gpu", "some"), [(True, False, False), (True, True, True), (False, False, True), (False, True, True)]
)
def test_other_processes_make_batches_where_a_step_would_wait(cached: bool, gpu: bool, some: bool) -> None:
    data = SimpleNamespace(pixels=SimpleNamespace(cached=cached))
    assert (loader_workers(data, gpu) > 0) == some  # type: ignore[arg-type]


def test_every_loss_trains_the_adapter_and_is_another_one(bench: Bench, recipe: Build) -> None:
    first, checked, adapters = {}, {}, {}
    for loss in ("cross_entropy", "weighted", "focal", "weighted_focal"):
        wanted = recipe(training={"loss": loss, "max_steps": 2, "evaluation_steps": 1, "answer_checks": 0})
        run_id = bench.launch(wanted)
        bench.train(run_id, wanted)
        first[loss] = bench.losses(run_id)[0]
        adapters[loss] = tensors(bench.directory(run_id) / "adapter" / "adapter_model.safetensors")
        checked[loss] = dict(bench.events(run_id))["loss"]
    assert len({round(value, 6) for value in first.values()}) == 4
    assert first["focal"] < first["cross_entropy"]
    for name in ("weighted", "weighted_focal"):
        assert "abnormal x2.5 (4 samples), normal x0.625 (16 samples)" in checked[name]
        assert any(not torch.equal(value, adapters[name][key]) for key, value in adapters["cross_entropy"].items())
    assert "class weights" not in checked["focal"] + checked["cross_entropy"]


def test_the_validation_loss_is_cross_entropy_whatever_is_minimised(bench: Bench, recipe: Build) -> None:
    found = []
    for loss in ("cross_entropy", "weighted_focal"):
        # So small a step that both adapters are still the same.
        training = {"loss": loss, "max_steps": 1, "evaluation_steps": 1, "answer_checks": 0, "learning_rate": 1e-9}
        wanted = recipe(training=training)
        run_id = bench.launch(wanted)
        bench.train(run_id, wanted)
        with Reader(bench.workspace) as reader:
            found += [point.value for point in reader.metrics(run_id, ["eval_loss"])]
    assert found[0] == pytest.approx(found[1], rel=1e-5)
