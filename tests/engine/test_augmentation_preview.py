from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from quality_helpers import encoded, phantom

from engine import api
from engine.data.augmentation.degrading import (
    DEGRADATIONS,
    SEVERITIES,
    degradation_id,
    degrade,
    parse_degradation,
)
from engine.data.phantoms import VIEWS
from engine.errors import DataError, UsageError
from engine.store.records import degradation_words, images_shown
from engine.types import BLANK

BOX = (96, 96)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    file = tmp_path / "image.png"
    file.write_bytes(encoded(phantom(4, 160, "Abdomen")))
    return file


def distance(one: api.Preview, other: api.Preview) -> float:
    levels = (np.frombuffer(each.pixels, np.uint8).astype(int) for each in (one, other))
    return float(np.abs(next(levels) - next(levels)).mean())


# ----- degradations


@pytest.mark.parametrize("kind", DEGRADATIONS)
def test_a_higher_severity_takes_more_away_from_every_view(kind: str) -> None:
    for view in VIEWS:
        picture = phantom(5, 160, view).convert("RGB")
        levels = np.asarray(picture, int)
        lost = [np.abs(np.asarray(degrade(picture, kind, each, "sha"), int) - levels).mean() for each in SEVERITIES]
        assert 0.5 < lost[0] < lost[1] < lost[2] < 60, view


@pytest.mark.parametrize("size", [64, 96, 160, 512])
@pytest.mark.parametrize("kind", DEGRADATIONS)
def test_every_size_of_image_is_degraded(kind: str, size: int) -> None:
    picture = phantom(5, 160).convert("RGB").resize((size, size))
    for severity in SEVERITIES:
        degraded = degrade(picture, kind, severity, "sha")
        assert degraded.size == (size, size)
        assert degraded.tobytes() != picture.tobytes()
        assert degraded.tobytes() == degrade(picture, kind, severity, "sha").tobytes()


def test_names_of_degradations_go_there_and_back() -> None:
    for kind in DEGRADATIONS:
        for severity in SEVERITIES:
            assert parse_degradation(degradation_id(kind, severity)) == (kind, severity)
    assert degradation_id("speckle", 2) == "speckle:2"
    assert len(DEGRADATIONS) == 5


@pytest.mark.parametrize(
    "text", ["", "speckle", "speckle:0", "speckle: 2", "speckle:2:2", "fog:1", "\x1b[31m:1", BLANK]
)
def test_an_unknown_degradation_is_refused_with_all_that_are_known(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_degradation(text)
    assert all(kind in refused.value.reason for kind in DEGRADATIONS)
    assert "\x1b" not in str(refused.value)
    with pytest.raises(UsageError):
        degradation_id("speckle", 4)


def test_words_of_degradations() -> None:
    assert degradation_words("low_gain:2") == " on images with low gain, severity 2"
    assert degradation_words(BLANK) == " on grey images"
    assert (degradation_words(None), images_shown(None)) == ("", "")
    assert images_shown("fog of a newer version") == "images with fog of a newer version"


# ----- previews


def test_choices_cover_levels_operations_synthetic_cases_and_degradations() -> None:
    choices = api.change_choices()
    assert len({each.id for each in choices}) == len(choices) == 2 + 9 + 1 + 15
    assert [each.title for each in choices[-3:]] == [f"low resolution, severity {each}" for each in SEVERITIES]
    assert [each.drawn for each in choices] == [True] * 12 + [False] * 15


def test_every_choice_can_be_seen_and_looks_like_the_image(image: Path) -> None:
    for choice in api.change_choices():
        seen = api.changed_preview(image, choice.id, 3, BOX)
        assert (seen.changed.width, seen.changed.height) == (seen.original.width, seen.original.height) == BOX
        assert (seen.original.original_width, seen.original.colour) == (160, False)
        assert distance(seen.original, seen.changed) < 90
        assert (distance(seen.original, seen.changed) > 0.3) == (seen.words != "unchanged"), choice.id


def test_versions_differ_where_they_are_drawn_and_only_there(image: Path) -> None:
    one, again, two = (api.changed_preview(image, "alone:speckle", each, BOX) for each in (1, 1, 2))
    assert one == again
    assert one.changed.pixels != two.changed.pixels
    first, second = (api.changed_preview(image, "degradation:speckle:2", each, BOX, key="sha") for each in (1, 2))
    assert first == second


def test_brightness_is_not_stretched_away(image: Path) -> None:
    seen = api.changed_preview(image, "degradation:low_gain:3", 1, BOX)
    before, after = (np.frombuffer(each.pixels, np.uint8).mean() for each in (seen.original, seen.changed))
    assert after < 0.8 * before
    raw = api.changed_preview(image, "degradation:low_gain:3", 1, BOX, "raw")
    assert raw.original.pixels != seen.original.pixels


def test_answers_are_rewritten_or_forbid_the_change(image: Path) -> None:
    said = {"Q1": "left ventricle", "Q2": "Femur tilted down to left", "Q7": "Normal"}
    mirrored = api.changed_preview(image, "alone:mirror", 1, BOX, answers=said).answers
    assert mirrored == (api.AnswerChange("Q2", api.AnswerFate.REWRITTEN, said["Q2"], "Femur tilted down to right"),)
    turned = api.changed_preview(image, "alone:rotation", 1, BOX, answers=said).answers
    assert turned == (api.AnswerChange("Q2", api.AnswerFate.NOT_TURNED, said["Q2"], ""),)
    said["Q2"] = "left lateral decubitus"
    refused = api.changed_preview(image, "alone:mirror", 1, BOX, answers=said).answers
    assert [each.fate for each in refused] == [api.AnswerFate.NOT_MIRRORED]
    assert api.changed_preview(image, "alone:shadow", 1, BOX, answers=said).answers == ()


def test_what_cannot_be_shown_is_told(image: Path, tmp_path: Path) -> None:
    for choice in ("", "level:heavy", "alone:", "degradation:", "degradation:fog:1", "speckle"):
        with pytest.raises(UsageError):
            api.changed_preview(image, choice, 1, BOX)
    with pytest.raises(DataError, match=r"gone\.png"):
        api.changed_preview(tmp_path / "gone.png", "synthetic", 1, BOX)


def test_choices_load_neither_numpy_nor_pillow() -> None:
    code = (
        "import sys; from engine import api; api.change_choices();"
        "print([name for name in ('numpy', 'scipy', 'PIL') if name in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
