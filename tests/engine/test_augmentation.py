from __future__ import annotations

import hashlib
import subprocess
import sys
from functools import lru_cache

import numpy as np
import pytest
from PIL import Image

from engine.data.augmentation.beams import Beams
from engine.data.augmentation.change import Change
from engine.data.augmentation.drawing import CHANCES, draw_change, single_change, synthetic_change
from engine.data.augmentation.geometry import Deform, Mirror, Turn
from engine.data.augmentation.intensity import Attenuate, Brightness, Contrast, LowGain, TimeGain
from engine.data.augmentation.levels import smooth_field, to_image, to_levels
from engine.data.augmentation.names import LEVELS, OPERATIONS
from engine.data.augmentation.shadow import Shadow
from engine.data.augmentation.speckle import Speckle, rayleigh
from engine.data.phantoms import VIEWS, render

NAMES = [operation.name for operation in OPERATIONS]
SIZE = 128


@lru_cache(maxsize=16)
def phantom(view: str = "Abdomen", seed: int = 3, size: int = SIZE) -> Image.Image:
    return Image.fromarray(render(seed, view=view, size=size)[0]).convert("RGB")


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image, np.int64)


def sector(size: int = 160) -> Image.Image:
    """An even grey sector whose beams meet at row -40, column 80."""
    rows, columns = np.mgrid[0:size, 0:size].astype(float)
    away = np.hypot(rows + 40, columns - size / 2)
    seen = (away > 60) & (away < 190) & (np.abs(columns - size / 2) < 0.6 * (rows + 40))
    return Image.fromarray(np.where(seen, 120, 0).astype(np.uint8), "L").convert("RGB")


# ----- drawing


@pytest.mark.parametrize("level", LEVELS)
def test_the_same_key_draws_the_same_and_another_key_something_else(level: str) -> None:
    keys = [f"42/epoch {epoch}/image {image}" for epoch in range(4) for image in range(10)]
    drawn = [draw_change(level, key, may_mirror=True) for key in keys]
    assert drawn == [draw_change(level, key, may_mirror=True) for key in keys]
    if level == "none":
        assert {change.words for change in drawn} == {"unchanged"}
    else:
        assert len({change.words for change in drawn}) > 30


def test_a_key_gives_the_same_pixels_in_another_process() -> None:
    code = (
        "import hashlib; from PIL import Image; from engine.data.phantoms import render;"
        "from engine.data.augmentation.drawing import draw_change;"
        "image = Image.fromarray(render(3, view='Abdomen', size=128)[0]).convert('RGB');"
        "change = draw_change('advanced', 'k/4', may_mirror=True);"
        "print(change.words, hashlib.sha256(change.apply(image).tobytes()).hexdigest())"
    )
    elsewhere = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    here = draw_change("advanced", "k/4", may_mirror=True)
    assert len(here.steps) > 3, "a key that draws a lot"
    digest = hashlib.sha256(here.apply(phantom()).tobytes()).hexdigest()
    assert elsewhere.split()[-1] == digest
    assert elsewhere.startswith(here.words)


def test_a_level_draws_its_operations_as_often_as_it_says() -> None:
    changes = [draw_change("advanced", str(number), may_mirror=True) for number in range(2000)]
    kinds = {type(single_change(name, "x").steps[0]): name for name in NAMES}
    seen = dict.fromkeys(NAMES, 0)
    for change in changes:
        for step in change.steps:
            seen[kinds[type(step)]] += 1
    for name in NAMES:
        assert abs(seen[name] / len(changes) - CHANCES[name]) < 0.04, name
    basic = {type(step) for n in range(300) for step in draw_change("basic", str(n), may_mirror=True).steps}
    assert basic == {Turn, Mirror, Brightness, Contrast}


def test_what_is_forbidden_is_left_out_and_changes_nothing_else() -> None:
    for number in range(200):
        free = draw_change("advanced", str(number), may_mirror=True)
        bound = draw_change("advanced", str(number), may_mirror=False, may_turn=False)
        assert not bound.mirrored
        assert not bound.turned
        assert bound.steps == tuple(step for step in free.steps if not isinstance(step, Mirror | Turn))
        assert free.mirrored == any(isinstance(step, Mirror) for step in free.steps)


def test_strengths_stay_within_their_bounds() -> None:
    for number in range(300):
        for step in draw_change("advanced", str(number), may_mirror=True).steps:
            match step:
                case Turn(degrees):
                    assert abs(degrees) <= 10
                case Deform(amplitude, _, _):
                    assert amplitude <= 0.04
                case Brightness(factor):
                    assert 0.8 <= factor <= 1.2


def test_a_level_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="none, basic, advanced"):
        draw_change("heavy", "x", may_mirror=True)


# ----- what is applied


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [96, (96, 160)])
def test_every_operation_changes_the_picture_and_keeps_size_mode_and_greyness(
    name: str, size: int | tuple[int, int]
) -> None:
    image = phantom("Thorax", 7)
    image = image.resize((size, size) if isinstance(size, int) else size)
    before = image.tobytes()
    changed = single_change(name, "key/2").apply(image)
    assert image.tobytes() == before, "the original stays as it is"
    assert (changed.mode, changed.size) == ("RGB", image.size)
    levels = pixels(changed)
    assert (levels[..., 0] == levels[..., 1]).all()
    assert (levels[..., 0] == levels[..., 2]).all()
    assert changed.tobytes() != before
    assert levels.max() > 60, "the picture is still there"


def test_colour_stays_colour_and_every_channel_moves_alike() -> None:
    image = phantom()
    red, green, blue = image.split()
    coloured = Image.merge("RGB", (red, green, blue.point(lambda level: level // 2)))
    for number in range(20):
        change = draw_change("advanced", str(number), may_mirror=True)
        assert change.apply(coloured).size == image.size
    turned, plain = (Change((Turn(8.0), Mirror())).apply(each) for each in (coloured, image))
    assert pixels(turned)[..., 0].tolist() == pixels(plain)[..., 0].tolist()
    assert pixels(turned)[..., 2].sum() < pixels(plain)[..., 2].sum()


def test_no_change_is_a_copy_of_the_same_pixels() -> None:
    image = phantom()
    copy = draw_change("none", "x", may_mirror=True).apply(image)
    assert copy.tobytes() == image.tobytes()
    assert copy is not image
    assert to_image(to_levels(image)).tobytes() == image.tobytes(), "levels go there and back without a loss"


def test_the_mirror_is_exact_and_twice_is_the_original() -> None:
    image = phantom()
    once = Change((Mirror(),)).apply(image)
    assert (pixels(once) == pixels(image)[:, ::-1]).all()
    assert Change((Mirror(),)).apply(once).tobytes() == image.tobytes()


def test_a_turn_is_clockwise_and_about_the_centre() -> None:
    image = Image.new("L", (101, 101))
    image.putpixel((90, 50), 255)  # to the right of the centre
    for degrees, place in ((90, (90, 50)), (30, (70, 85)), (-30, (30, 85))):
        turned = pixels(Change((Turn(degrees),)).apply(image.convert("RGB")))[..., 0]
        assert np.unravel_index(turned.argmax(), turned.shape) == place
    dot = Image.new("L", (101, 101))
    dot.putpixel((50, 50), 255)
    assert pixels(Change((Turn(7.0),)).apply(dot.convert("RGB")))[50, 50, 0] == 255


def test_a_deformation_moves_no_further_than_it_says_and_never_folds() -> None:
    for seed in range(12):
        step = Deform(0.04, 5, seed)
        grid = np.mgrid[0:120, 0:160].astype(np.float32)
        rows, columns = step.source(grid[0], grid[1], (120, 160))
        assert np.abs(rows - grid[0]).max() <= 0.04 * 120 + 1e-3
        stretch = np.gradient(rows, axis=0) * np.gradient(columns, axis=1)
        shear = np.gradient(rows, axis=1) * np.gradient(columns, axis=0)
        assert (stretch - shear).min() > 0, "the Jacobian never changes its sign"


def test_smooth_fields_have_no_seams_and_a_largest_value_of_one() -> None:
    field = smooth_field(np.random.default_rng(0), (200, 200), 5)
    assert np.abs(field).max() == pytest.approx(1)
    assert np.abs(np.diff(field, axis=0)).max() < 0.12
    assert np.abs(np.diff(field, n=2, axis=0)).max() < 0.01


# ----- physics


def test_beams_of_a_sector_meet_where_its_edges_do() -> None:
    beams = Beams.of(to_levels(sector()))
    assert beams.apex[1] == pytest.approx(80, abs=4)
    assert beams.apex[0] == pytest.approx(-40, abs=15)
    depth = beams.depth
    assert depth[20:150, 80].tolist() == sorted(depth[20:150, 80].tolist())
    assert depth[145, 80] > 0.9


@pytest.mark.parametrize("view", VIEWS)
def test_beams_of_phantoms_come_from_above(view: str) -> None:
    """Depth ticks and the word PHANTOM beside the sector must not be taken for a part of it."""
    for seed in range(5):
        beams = Beams.of(to_levels(phantom(view, seed)))
        assert -3 * SIZE < beams.apex[0] < 0.35 * SIZE, (view, seed)
        assert abs(beams.apex[1] - SIZE / 2) < 0.2 * SIZE, (view, seed)


@pytest.mark.parametrize("level", [0, 200])
def test_where_no_sector_is_seen_beams_are_parallel(level: int) -> None:
    beams = Beams.of(to_levels(Image.new("RGB", (80, 60), (level,) * 3)))
    assert np.ptp(beams.depth[30]) < 0.02
    for name in NAMES:
        assert single_change(name, "k").apply(Image.new("RGB", (80, 60), (level,) * 3)).size == (80, 60)


def test_tiny_images_are_changed_too() -> None:
    for number in range(30):
        assert draw_change("advanced", str(number), may_mirror=True).apply(phantom().resize((7, 5))).size == (7, 5)


def test_black_stays_black() -> None:
    image, outside = sector(), pixels(sector())[..., 0] == 0
    for step in (
        Brightness(1.2),
        Contrast(0.75),
        TimeGain((1.2, 0.8)),
        Attenuate(0.3),
        LowGain(0.2),
        Speckle(0.3, 0.01, 1),
    ):
        assert pixels(Change((step,)).apply(image))[..., 0][outside].max() == 0, step


def test_a_shadow_lies_below_its_reflector_along_the_beam() -> None:
    levels = pixels(sector())
    levels[60:64, 108:112] = 255  # 28 px beside the middle, 100 px from the apex: the beam goes on to column 122
    image = Image.fromarray(levels.astype(np.uint8))
    shadowed = pixels(Change((Shadow(0.9, 0.08, 0),)).apply(image))[..., 0]
    lost = levels[..., 0] - shadowed
    assert lost[:60].max() == 0, "nothing above it"
    middle = [int(np.average(np.arange(160), weights=lost[row])) for row in (80, 100, 120)]
    assert middle[0] < middle[1] < middle[2], "it follows the beam outwards"
    assert lost[100].max() == pytest.approx(0.9 * 120, abs=3)
    assert (lost[100] > 10).sum() < 40, "the rest of the row is as it was"


def test_attenuation_takes_more_the_deeper_it_gets() -> None:
    lost = (pixels(sector()) - pixels(Change((Attenuate(0.3),)).apply(sector())))[..., 0]
    assert lost[25, 80] < 15 < lost[80, 80] < lost[140, 80] <= 77


def test_gain_follows_its_sliders() -> None:
    changed = pixels(Change((TimeGain((1.25, 1.0, 0.75)),)).apply(sector()))[..., 0]
    assert changed[22, 80] > 140 > changed[85, 80] > 105 > changed[145, 80] > 80


def test_speckle_has_a_rayleigh_distribution() -> None:
    noise = rayleigh(np.random.default_rng(0), (400, 400), 0.01)
    assert noise.mean() == pytest.approx(0, abs=0.01)
    assert noise.std() == pytest.approx(1, abs=0.01)
    skewness = float((noise**3).mean())
    assert skewness == pytest.approx(0.631, abs=0.12), "of a Rayleigh distribution"
    assert noise.min() == pytest.approx(-1.91, abs=0.1), "its signal-to-noise ratio (Wagner et al. 1983)"


def test_contrast_keeps_the_mean_of_the_tissue() -> None:
    image = phantom("Femur", 4)
    tissue = pixels(image)[..., 0] > 12
    for factor in (0.75, 1.3):
        changed = pixels(Change((Contrast(factor),)).apply(image))[..., 0][tissue]
        before = pixels(image)[..., 0][tissue]
        assert changed.mean() == pytest.approx(before.mean(), rel=0.06)
        assert (changed.std() > before.std()) == (factor > 1)


# ----- synthetic cases


def test_a_synthetic_case_is_never_mirrored_always_another_picture_and_close_to_its_origin() -> None:
    made = set()
    for number in range(40):
        image = phantom(VIEWS[number % len(VIEWS)], 11)
        change = synthetic_change(f"seed/{number}")
        changed = change.apply(image)
        made.add(changed.tobytes())
        assert not change.mirrored
        assert not change.turned
        assert change == synthetic_change(f"seed/{number}")
        difference = np.abs(pixels(changed) - pixels(image)).mean()
        assert 2 < difference < 40
    assert len(made) == 40


def test_words_say_what_was_drawn() -> None:
    change = Change((Turn(4.04), Mirror(), TimeGain((0.82, 1.1, 1.1)), Brightness(1.1), Shadow(0.6, 0.1, 0)))
    assert change.words == "turned 4.0°, mirrored, gain x0.82 to x1.10, brightness x1.10, shadow 60 %"
    assert {operation.level for operation in OPERATIONS} == {"basic", "advanced"}
    assert all(operation.about.endswith(".") for operation in OPERATIONS)
