from __future__ import annotations

import itertools
import math
import random
from dataclasses import asdict, replace
from pathlib import Path
from statistics import mean

import pytest
from preflight_helpers import EIGHT, H100, ONE, SHAPE, lora, measured

from engine.errors import DataError
from engine.preflight.accuracy import choose_cells, judge, table
from engine.preflight.calibration import calibrate, calibration_words, fit, latest, terms_of
from engine.preflight.cards import speed_of
from engine.preflight.coefficients import DEFAULTS, TRANSFORMERS_DEFAULTS, UNSLOTH_DEFAULTS, Coefficients
from engine.preflight.fitted import calibration_of, fitted_factors, shipped_factors
from engine.preflight.memory import HELD
from engine.preflight.models import Layout, Measured
from engine.preflight.rows import measured_row, read_rows, rows_json, shipped_rows
from engine.preflight.timing import time_terms

TRUTHS = {
    "transformers": Coefficients(kept=1.3, checkpointed=1.2, working=2.2, vision=0.8, fixed=1.6, dequantized=3.0),
    "unsloth": Coefficients(kept=0.8, checkpointed=0.3, working=1.0, vision=1.4, fixed=0.5, dequantized=1.0),
}


def grid(noise: float = 0.0) -> list[Measured]:
    """96 cells as a card would measure them whose factors are far from the defaults."""
    dice = random.Random(5)
    rows = []
    for size, backend, checkpointing, micro, packed in itertools.product(
        ("2B", "4B", "8B"), ("transformers", "unsloth"), (False, True), (1, 4, 16, 32), (False, True)
    ):
        bits = "4bit" if backend == "unsloth" else "none"
        layout = Layout(backend, bits, packed, micro, 1, checkpointing, backend == "transformers")
        row = measured(size, layout, TRUTHS[backend], workload=EIGHT if packed else ONE, noise=dice.gauss(0, noise))
        rows.append(row)
    return rows


def worst(rows: list[Measured], factors: Coefficients) -> float:
    return max(abs(terms_of(row).total(factors) / row.reserved_peak - 1) for row in rows)


def test_eight_cells_bring_all_others_within_10_percent() -> None:
    judged = judge(grid(noise=0.02))
    others = [each for each in judged if not each.calibrated_on]
    assert (len(judged), len(others)) == (96, 88)
    assert max(abs(each.error) for each in others) < 0.10
    before = [abs(each.uncalibrated / each.row.reserved_peak - 1) for each in others]
    assert max(before) > 0.10
    assert mean(abs(each.error) for each in others) < 0.6 * mean(before)


def test_the_cells_are_chosen_by_layout_and_never_by_what_was_measured() -> None:
    rows = grid()
    other = [replace(row, reserved_peak=row.reserved_peak * 2, step_seconds=1.0) for row in rows]
    assert choose_cells(rows, 8) == choose_cells(other, 8)
    chosen = [rows[number].layout for number in choose_cells(rows, 8)]
    assert {layout.backend for layout in chosen} == {"transformers", "unsloth"}
    assert {layout.checkpointing for layout in chosen} == {True, False}


@pytest.mark.parametrize("backend", list(TRUTHS))
def test_enough_cells_find_the_factors_that_matter(backend: str) -> None:
    rows = [row for row in grid() if row.layout.backend == backend]
    found = fit(rows, DEFAULTS[backend])
    assert worst(rows, found) < 0.02
    assert found.kept == pytest.approx(TRUTHS[backend].kept, rel=0.05)


@pytest.mark.parametrize("cells", [1, 2, 4])
@pytest.mark.parametrize("backend", list(TRUTHS))
def test_few_cells_help_and_make_nothing_worse(backend: str, cells: int) -> None:
    rows = [row for row in grid() if row.layout.backend == backend]
    chosen = [rows[number] for number in choose_cells(rows, cells)]
    found, defaults = fit(chosen, DEFAULTS[backend]), DEFAULTS[backend]
    assert worst(chosen, found) < 0.5 * worst(chosen, defaults)
    # One cell cannot tell text from vision, so the others may become a little worse, and no more than that.
    assert worst(rows, found) < {1: 1.02, 2: 1.0, 4: 0.75}[cells] * worst(rows, defaults)


def test_a_measurement_that_agrees_changes_nothing() -> None:
    rows = [measured("8B", row.layout, UNSLOTH_DEFAULTS) for row in grid() if row.layout.backend == "unsloth"]
    found = fit(rows, UNSLOTH_DEFAULTS)
    for name in (*HELD, "working"):
        assert getattr(found, name) == pytest.approx(getattr(UNSLOTH_DEFAULTS, name), rel=1e-3)


def test_factors_never_become_negative() -> None:
    layout = Layout("transformers", "none", False, 16, 1, False, True)
    tiny = [measured("8B", layout, TRUTHS["transformers"], reserved_peak=10**9)]
    found = fit(tiny, TRANSFORMERS_DEFAULTS)
    assert all(getattr(found, name) >= 0 for name in (*HELD, "working"))


def test_own_measurements_pull_the_fit_of_all_cards_towards_themselves() -> None:
    rows = [row for row in grid() if row.layout.backend == "transformers"]
    elsewhere = [replace(row, card="NVIDIA L4", reserved_peak=2 * row.reserved_peak) for row in rows]
    own = calibrate([*rows, *elsewhere], H100.lower(), "transformers").factors
    assert own.peaks == tuple(row.reserved_peak for row in rows)
    assert worst(rows, own) < 0.1 < worst(rows, fit([*rows, *elsewhere], TRANSFORMERS_DEFAULTS))
    other = calibrate(rows, "NVIDIA L4", "transformers").factors
    assert (other, other.peaks) == (fit(rows, TRANSFORMERS_DEFAULTS), ())
    assert calibrate(rows, H100, "unsloth").factors == UNSLOTH_DEFAULTS


def test_a_tiny_measurement_of_a_card_changes_little_of_what_others_say_of_large_runs() -> None:
    rows = [row for row in grid() if row.layout.backend == "transformers"]
    small = Layout("transformers", "none", False, 1, 1, True, True)
    tiny = measured("2B", small, TRUTHS["transformers"], card="NVIDIA L4", reserved_peak=5 * 10**9)
    before = calibrate(rows, "NVIDIA L4", "transformers").factors
    after = calibrate([*rows, tiny], "NVIDIA L4", "transformers").factors
    large = max((terms_of(row) for row in rows), key=lambda terms: terms.total(before))
    assert after.peaks == (5 * 10**9,)
    assert large.total(after) == pytest.approx(large.total(before), rel=0.03)
    assert not after.near(large.total(after))
    # What a calibration on that row alone would say of it:
    assert large.total(fit([tiny], TRANSFORMERS_DEFAULTS)) != pytest.approx(large.total(before), rel=0.05)


def test_the_same_measured_again_counts_once_and_the_last_counts() -> None:
    rows = [row for row in grid() if row.layout.backend == "transformers"]
    again = [replace(rows[0], reserved_peak=2 * rows[0].reserved_peak, time=2.0 + number) for number in range(9)]
    last = replace(rows[0], time=20.0)
    assert latest([*rows, *again, last]) == [last, *rows[1:]]
    assert latest([last, *again]) == [last]
    elsewhere = replace(rows[0], card="NVIDIA L4")
    assert latest([rows[0], elsewhere]) == [rows[0], elsewhere]
    assert calibrate([*rows, *again, last], H100, "transformers").factors == (
        calibrate(rows, H100, "transformers").factors
    )


def test_a_measurement_without_a_time_does_not_hide_one_with_it() -> None:
    rows = timed(H100, 1.4)
    later = [replace(row, step_seconds=None, time=9.0) for row in rows]
    assert calibrate([*rows, *later], H100, "transformers").factors.timed == len(rows)


@pytest.mark.parametrize(
    ("shipped", "ours", "words"),
    [
        ([], [], "not calibrated for this card: may be off by 20 %"),
        (["a"] * 39, [], "fitted to 39 measurements that come with sonotune; none of this card: may be off by 15 %"),
        (["a"] * 39, [H100] * 3, "fitted to 39 measurements that come with sonotune and 3 of this card"),
        (["a", H100], [], "fitted to 2 measurements that come with sonotune (1 of this card)"),
        ([H100] * 2, [], "fitted to 2 measurements that come with sonotune (all of this card)"),
        ([], [H100], "fitted to 1 measurement of this card"),
        ([], ["b"] * 2, "fitted to 2 measurements of other cards; none of this card: may be off by 15 %"),
        (
            ["a"],
            ["b", H100, H100],
            "fitted to 1 measurement that come with sonotune, 1 of other cards and 2 of this card",
        ),
    ],
)
def test_the_words_say_both_what_comes_along_and_what_was_measured_here(
    shipped: list[str], ours: list[str], words: str
) -> None:
    row = grid()[0]
    rows = [[replace(row, card=card) for card in cards] for cards in (shipped, ours)]
    assert calibration_words(*rows, H100.upper()) == words


def timed(card: str, factor: float) -> list[Measured]:
    """Rows whose steps take `factor` times what the formula says for an H100."""
    speed = speed_of(H100)
    assert speed is not None
    rows = []
    for micro, packed in itertools.product((4, 32), (False, True)):
        layout = Layout("transformers", "none", packed, micro, 2, False, True)
        workload = EIGHT if packed else ONE
        terms = time_terms(SHAPE, workload, layout, speed)
        seconds = factor * (terms.compute + terms.dispatch)
        rows.append(measured("8B", layout, TRANSFORMERS_DEFAULTS, workload=workload, card=card, step_seconds=seconds))
    return rows


@pytest.mark.parametrize("card", [H100, "Some Accelerator"])
def test_measured_steps_tell_the_speed_of_a_card_that_is_known_and_of_one_that_is_not(card: str) -> None:
    from engine.preflight.estimate import estimate

    rows = timed(card, 1.4)
    factors = calibrate(rows, card, "transformers").factors
    assert factors.timed == len(rows)
    for row in rows:
        found = estimate(SHAPE, row.workload, row.layout, lora(), factors, card=card)
        assert found.step_seconds == pytest.approx(row.step_seconds, rel=0.1)


def test_rows_come_back_from_their_json(tmp_path: Path) -> None:
    rows = grid()[:3]
    file = tmp_path / "rows.json"
    file.write_text(rows_json(rows))
    assert read_rows(file) == rows


@pytest.mark.parametrize(
    "content", ["", "{}}", '[{"card": "x"}]', "[1]", '[{"shape": {}, "workload": {}, "layout": {}}]']
)
def test_a_damaged_file_of_rows_is_an_error_with_a_next_step(tmp_path: Path, content: str) -> None:
    file = tmp_path / "rows.json"
    file.write_text(content)
    with pytest.raises(DataError, match="cannot be read") as caught:
        read_rows(file)
    assert caught.value.next_step


def test_the_table_says_which_cells_were_fitted_and_how_far_the_others_are() -> None:
    judged = judge(grid())
    text = table(judged)
    lines = text.splitlines()
    assert len(lines) == 2 + len(judged) + 2
    assert text.count("| fitted |") == 8
    assert "8 cells to fit, 88 others: 88 within 10 %" in lines[-1]


def test_shipped_rows_can_be_read_and_are_of_known_models() -> None:
    for row in shipped_rows():
        assert row.reserved_peak >= row.allocated_peak > 0
        assert asdict(row.shape)


def test_the_factors_that_come_along_are_those_of_a_fit() -> None:
    fresh, kept = fitted_factors(shipped_rows()), shipped_factors()
    assert {name: set(cards) for name, cards in kept.items()} == {name: set(cards) for name, cards in fresh.items()}
    for backend, card in ((backend, card) for backend, cards in fresh.items() for card in cards):
        expected, found = asdict(fresh[backend][card]), asdict(kept[backend][card])
        assert found.pop("peaks") == expected.pop("peaks")
        assert found == pytest.approx(expected, rel=1e-4), "run python -m engine.preflight.accuracy --factors"


@pytest.mark.parametrize("card", ["NVIDIA H200", H100, "NVIDIA L4", ""])
@pytest.mark.parametrize("backend", list(TRUTHS))
def test_an_estimate_with_them_is_the_one_of_a_fit(card: str, backend: str) -> None:
    found, fresh = calibration_of([], card, backend), calibrate([], card, backend, shipped=shipped_rows())
    assert found.words == fresh.words
    assert found.factors.peaks == fresh.factors.peaks
    assert found.factors.kept == pytest.approx(fresh.factors.kept, rel=1e-4)
    assert found.factors.compute == pytest.approx(fresh.factors.compute, rel=1e-4)


def test_a_measurement_of_the_workspace_is_fitted_to() -> None:
    row = measured("8B", Layout("transformers", "none", False, 8, 1, False, True), TRUTHS["transformers"])
    factors = calibration_of([row], H100, "transformers").factors
    assert row.reserved_peak in factors.peaks
    assert terms_of(row).total(factors) == pytest.approx(row.reserved_peak, rel=0.05)


def test_what_another_version_writes_is_read_and_what_is_damaged_is_not() -> None:
    row = measured("8B", Layout("transformers", "none", False, 8, 1, False, True), TRANSFORMERS_DEFAULTS)
    values = asdict(row)
    other = {**values, "new": 1, "layout": {**values["layout"], "new": [2]}}
    del other["vision_adapted"], other["layout"]["devices"]
    assert measured_row(other) == row
    for part, name, value in [
        *(("layout", "micro_batch", bad) for bad in (0, -1, "8", True, 2.5, None, 2**70)),
        *(("", name, bad) for name in ("reserved_peak", "step_seconds") for bad in (0, math.nan, math.inf, "x")),
        ("shape", "text_hidden", None),
    ]:
        broken = {**values, part: {**values[part], name: value}} if part else {**values, name: value}
        with pytest.raises((ValueError, TypeError)):
            measured_row(broken)
