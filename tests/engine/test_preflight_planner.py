from __future__ import annotations

import itertools
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest
from preflight_helpers import EIGHT, GIB, H100, ONE, SHAPE, lora, request

from engine.errors import ModelError
from engine.preflight.coefficients import TRANSFORMERS_DEFAULTS
from engine.preflight.estimate import estimate
from engine.preflight.margins import CONTEXT_BYTES, MARGIN_BYTES, margin, room
from engine.preflight.models import Card, Workload
from engine.preflight.parameters import AdapterShape
from engine.preflight.planner import PlanRequest, divisors, layouts, plan
from engine.preflight.proposing import Subject, propose
from engine.preflight.shapes import PUBLISHED
from engine.preflight.smaller import smaller_models, smaller_names

BIG = Card(H100, 80 * GIB)
CPU = Card("CPU, 2 cores", None)
FACTORS = TRANSFORMERS_DEFAULTS


def peak(workload: Workload, wanted: PlanRequest, card: Card) -> int:
    layout, _ = plan(SHAPE, workload, wanted, card)
    return estimate(SHAPE, workload, layout, lora()).peak


@pytest.mark.parametrize("gib", [20, 22, 24, 32, 40, 80, 140])
@pytest.mark.parametrize("packed", [False, True])
def test_the_plan_is_the_fastest_layout_that_fits(gib: int, packed: bool) -> None:
    workload, wanted, card = (EIGHT if packed else ONE), request(packed=packed), Card(H100, gib * GIB)
    layout, reason = plan(SHAPE, workload, wanted, card)
    found = {
        each: estimate(SHAPE, workload, each, lora(), card=H100)
        for each in layouts(workload, wanted, 64)
        if not packed or each.micro_batch % 8 == 0
    }
    room = gib * GIB - margin(card, FACTORS, 0)
    fitting = {each: one for each, one in found.items() if one.peak <= room}
    if fitting:
        best = max(one.samples_per_second or 0 for one in fitting.values())
        assert (found[layout].samples_per_second or 0) >= 0.98 * best
        assert found[layout].peak <= room
        assert "fastest" in reason
    else:
        assert "none of" in reason
        assert layout.checkpointing


@pytest.mark.parametrize(("batch", "accumulation", "devices"), itertools.product([1, 2, 6, 16], [1, 3, 8], [1, 2]))
def test_a_step_has_the_samples_that_the_recipe_says_whatever_is_chosen(
    batch: int, accumulation: int, devices: int
) -> None:
    wanted = request(batch=batch, accumulation=accumulation, devices=devices)
    if batch * accumulation % devices:
        with pytest.raises(ModelError, match="cannot be shared"):
            plan(SHAPE, ONE, wanted, BIG)
        return
    layout, _ = plan(SHAPE, ONE, wanted, BIG)
    assert layout.micro_batch * layout.accumulation * layout.devices == batch * accumulation


def test_more_memory_never_makes_a_plan_slower() -> None:
    speeds = []
    for gib in range(20, 141, 8):
        card = Card(H100, gib * GIB)
        layout, _ = plan(SHAPE, ONE, request(), card)
        speeds.append(estimate(SHAPE, ONE, layout, lora(), card=H100).samples_per_second or 0.0)
    assert all(later >= 0.98 * earlier for earlier, later in itertools.pairwise(speeds))
    assert speeds[-1] > speeds[0]


def test_what_the_recipe_writes_is_kept_even_where_it_does_not_fit() -> None:
    wanted = request(written=True, checkpointing=False, batch=64, accumulation=2)
    layout, reason = plan(SHAPE, ONE, wanted, BIG)
    assert (layout.micro_batch, layout.accumulation, layout.checkpointing) == (64, 2, False)
    assert "does not fit" in reason
    small = replace(wanted, batch=4)
    assert plan(SHAPE, ONE, small, BIG)[0].micro_batch == 4


def test_written_micro_batches_are_shared_by_the_devices() -> None:
    layout, _ = plan(SHAPE, ONE, request(written=True, batch=8, accumulation=4, devices=2), BIG)
    assert (layout.micro_batch, layout.accumulation, layout.devices) == (8, 2, 2)
    with pytest.raises(ModelError, match="cannot be shared") as caught:
        plan(SHAPE, ONE, request(written=True, batch=8, accumulation=1, devices=2), BIG)
    assert "training.accumulation" in caught.value.next_step


def test_packed_passes_hold_whole_images_where_such_a_split_fits() -> None:
    layout, _ = plan(SHAPE, EIGHT, request(packed=True, batch=12, accumulation=4), BIG)
    assert layout.micro_batch % 8 == 0
    alone, _ = plan(SHAPE, EIGHT, request(packed=True, batch=3, accumulation=1), BIG)
    assert alone.micro_batch in divisors(3)


def test_whole_images_win_over_a_little_speed() -> None:
    small = replace(EIGHT, patches=60, image_tokens=15, root_tokens=20)
    wanted = request(packed=True, batch=24, accumulation=1, checkpointing=False)
    card = Card(H100, round(26.5 * GIB))

    def judged(micro: int) -> tuple[bool, float]:
        layout = next(each for each in layouts(small, wanted, 24) if each.micro_batch == micro)
        found = estimate(SHAPE, small, layout, lora(), card=H100)
        return found.peak <= room(card, FACTORS, found.peak), found.samples_per_second or 0.0

    assert (judged(8)[0], judged(12)[0], judged(24)[0]) == (True, True, False)
    assert judged(12)[1] > 1.03 * judged(8)[1]  # two passes in place of three, each of one image and a half
    assert plan(SHAPE, small, wanted, card)[0].micro_batch == 8


def test_precision_falls_back_only_where_it_is_open_and_nothing_else_fits() -> None:
    small = Card("NVIDIA GeForce RTX 4090", 16 * GIB)
    layout, reason = plan(SHAPE, ONE, request(), small)
    assert layout.quantization == "none"
    assert "none of" in reason
    wanted = request(quantizations=("none", "4bit"))
    layout, reason = plan(SHAPE, ONE, wanted, small)
    assert layout.quantization == "4bit"
    assert "quantization none fits in no way" in reason
    tight = Card("NVIDIA GeForce RTX 4090", 23 * GIB)  # 4 bits would be faster here: they leave room for activations
    assert plan(SHAPE, ONE, wanted, tight)[0].quantization == "none"
    assert plan(SHAPE, ONE, request(quantizations=("4bit",)), BIG)[0].quantization == "4bit"


def test_a_cpu_keeps_what_is_written() -> None:
    layout, _ = plan(SHAPE, ONE, request(batch=2, accumulation=4), CPU)
    assert (layout.micro_batch, layout.accumulation, layout.checkpointing) == (2, 4, False)
    assert plan(SHAPE, ONE, request(checkpointing=True), CPU)[0].checkpointing


@pytest.mark.parametrize(
    ("batch", "accumulation", "questions", "micro"),
    [(2, 8, 8, 8), (4, 3, 8, 12), (2, 2, 8, 4), (4, 4, 3, 4), (2, 6, 3, 3)],
)
def test_a_cpu_widens_packed_passes_to_whole_images(batch: int, accumulation: int, questions: int, micro: int) -> None:
    workload = replace(EIGHT, samples_per_image=questions)
    wanted = request(packed=True, batch=batch, accumulation=accumulation)
    layout, _ = plan(SHAPE, workload, wanted, CPU)
    assert (layout.micro_batch, layout.micro_batch * layout.accumulation) == (micro, batch * accumulation)
    written, _ = plan(SHAPE, workload, replace(wanted, written=True), CPU)
    assert written.micro_batch == batch


def test_the_same_question_gets_the_same_plan() -> None:
    wanted = request(quantizations=("none", "4bit"))
    assert len({plan(SHAPE, EIGHT, wanted, BIG) for _ in range(5)}) == 1


def test_a_card_that_was_never_measured_keeps_more_free() -> None:
    known = replace(FACTORS, peaks=(GIB, 30 * GIB))
    assert margin(BIG, FACTORS, 40 * GIB) == 2 * margin(BIG, known, 40 * GIB) == round(0.12 * 80 * GIB)
    assert margin(Card("", 8 * GIB), known, 2 * GIB) == MARGIN_BYTES


@pytest.mark.parametrize(("peak", "near"), [(14.9, False), (15.1, True), (59.9, True), (60.1, False), (1.9, True)])
def test_only_what_was_measured_at_about_this_size_halves_the_margin(peak: float, near: bool) -> None:
    known = replace(FACTORS, peaks=(GIB, 30 * GIB))
    share = margin(BIG, known, peak * GIB) / margin(BIG, FACTORS, peak * GIB)
    assert share == pytest.approx(0.5 if near else 1.0)


def test_what_another_program_holds_of_the_card_is_left_to_it() -> None:
    def chosen(free: int | None) -> int:
        return plan(SHAPE, ONE, request(checkpointing=False), Card(H100, 80 * GIB, free))[0].micro_batch

    assert chosen(None) == chosen(79 * GIB + GIB - CONTEXT_BYTES) == chosen(79 * GIB) == 16
    assert chosen(50 * GIB) == 8
    assert chosen(30 * GIB) < 8


# ----- what to change where a recipe does not fit


def subject(model: str = "Qwen/Qwen3-VL-8B-Instruct", size: str = "8B", **changes: object) -> Subject:
    def workload(shape: object, side: int) -> Workload:
        patches = (side // 16) ** 2
        return replace(ONE, patches=patches, image_tokens=patches // 4, root_tokens=patches // 4 + 5)

    wanted = request(**changes)
    smaller = smaller_models(model)
    return Subject(PUBLISHED[size], AdapterShape(16), 512, wanted, True, workload, workload, smaller)


def proposed(asked: Subject, gib: float) -> tuple[dict[str, object], bool]:
    card = Card("", round(gib * GIB))
    found = propose(asked, card, FACTORS)
    layout = found.layout
    assert layout.micro_batch * layout.accumulation * layout.devices == asked.request.samples
    room = (card.memory or 0) - margin(card, FACTORS, found.estimate.peak)
    assert found.fits == (found.estimate.peak <= room)
    return dict(found.changes), found.fits


WRITTEN = {"written": True, "batch": 32, "accumulation": 2, "checkpointing": False}


def test_the_cheapest_change_comes_first() -> None:
    smaller = {"training.batch": 16, "training.accumulation": 4}
    assert proposed(subject(**WRITTEN), 80) == (smaller, True)
    changes, fits = proposed(subject(**WRITTEN), 22)
    assert fits
    assert changes["training.gradient_checkpointing"] == "on"
    assert "model.quantization" not in changes
    changes, fits = proposed(subject(checkpointing=True), 14)
    assert (changes, fits) == ({"model.quantization": "4bit"}, True)


def test_a_smaller_image_and_then_a_smaller_model_come_last() -> None:
    frugal = {"checkpointing": True, "quantizations": ("4bit",)}
    large = replace(subject(**frugal), image_size=2048)
    assert proposed(large, 12) == ({"data.image_size": 1536}, True)
    changes, fits = proposed(subject(**frugal), 8)
    assert fits
    assert changes == {"model.id": "Qwen/Qwen3-VL-4B-Instruct"}


def test_nothing_that_fits_is_said_so() -> None:
    found = propose(subject(), Card("", 3 * GIB), FACTORS)
    assert (found.fits, found.changes) == (False, {})
    assert "Nothing that was tried fits" in found.words
    assert "must stay free" in found.words


def test_a_model_without_a_known_id_is_not_exchanged() -> None:
    assert smaller_models("models/mine") == []
    assert smaller_models("Qwen3-VL-8B-Instruct") == []
    assert smaller_models("Qwen/Qwen3-VL-8B-Instruct") == [
        ("Qwen/Qwen3-VL-4B-Instruct", PUBLISHED["4B"]),
        ("Qwen/Qwen3-VL-2B-Instruct", PUBLISHED["2B"]),
    ]


def test_only_the_size_in_a_name_is_exchanged() -> None:
    assert smaller_names("Qwen3-VL-4B-Instruct-unsloth-bnb-4bit") == [("2B", "Qwen3-VL-2B-Instruct-unsloth-bnb-4bit")]
    assert [name for name, _ in smaller_models("8b-labs/qwen3-vl-8b-x8B")] == [
        "8b-labs/qwen3-vl-4B-x8B",
        "8b-labs/qwen3-vl-2B-x8B",
    ]


def test_of_local_models_only_those_are_named_that_lie_beside(tmp_path: Path) -> None:
    folder = tmp_path / "Qwen3-VL-8B-mine"
    assert smaller_models("models/Qwen3-VL-8B-mine", folder) == []
    other = tmp_path / "Qwen3-VL-2B-mine"
    other.mkdir()
    (other / "config.json").write_text("{}")
    (other / "model.safetensors").touch()
    assert smaller_models("models/Qwen3-VL-8B-mine", folder) == []  # what cannot be loaded is none to name
    shutil.copy("assets/base-model/config.json", other)
    (found,) = smaller_models("models/Qwen3-VL-8B-mine/", folder)
    assert found[0] == "models/Qwen3-VL-2B-mine"
    assert found[1].text_hidden < PUBLISHED["2B"].text_hidden


def test_a_proposal_is_as_fast_as_its_launch_says() -> None:
    small = replace(ONE, patches=256, image_tokens=64, root_tokens=69)
    asked = replace(subject(**WRITTEN), typical=lambda _shape, _side: small)
    card = Card(H100, 80 * GIB)
    found = propose(asked, card, FACTORS)
    alike = estimate(SHAPE, ONE, found.layout, lora(), FACTORS, typical=small, card=H100)
    assert found.estimate.step_seconds == alike.step_seconds


def test_no_more_is_proposed_than_a_measurement_leaves() -> None:
    card = Card(H100, 80 * GIB)
    found = propose(subject(**WRITTEN), card, FACTORS, most=30 * GIB)
    assert found.fits
    assert found.estimate.peak <= 30 * GIB
    nothing = propose(subject(**WRITTEN), card, FACTORS, most=2 * GIB)
    assert not nothing.fits
    assert "it may be 2.0 GiB at the most" in nothing.words


def test_the_divisors_of_a_huge_step_are_found_at_once() -> None:
    assert divisors(36) == (1, 2, 3, 4, 6, 9, 12, 18, 36)
    started = time.perf_counter()
    assert len(divisors(10**12)) == 169
    assert time.perf_counter() - started < 2


def test_what_is_free_now_limits_a_plan_with_its_context_taken_off() -> None:
    known = replace(FACTORS, peaks=(20 * GIB,))
    kept = margin(BIG, known, 20 * GIB)
    assert room(BIG, known, 20 * GIB) == 80 * GIB - kept
    idle = replace(BIG, free=80 * GIB - CONTEXT_BYTES)
    assert room(idle, known, 20 * GIB) == 80 * GIB - kept
    # A gigabyte that others hold is a gigabyte less, however small the card's margin hides it.
    held = replace(BIG, free=80 * GIB - CONTEXT_BYTES - GIB)
    assert room(held, known, 20 * GIB) == 79 * GIB - kept


def test_a_proposal_is_itself_a_recipe_that_fits() -> None:
    asked = subject(**WRITTEN)
    card = Card("", 24 * GIB)
    found = propose(asked, card, FACTORS)
    again = replace(
        asked.request,
        batch=found.changes["training.batch"],
        accumulation=found.changes["training.accumulation"],
        checkpointing=found.changes.get("training.gradient_checkpointing") == "on",
    )
    layout, reason = plan(SHAPE, ONE, again, card)
    assert "fits" in reason
    assert layout == found.layout
