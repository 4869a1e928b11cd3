"""What of a run is kept for the next estimates."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine.preflight.cards import speed_of
from engine.preflight.models import Card, Estimate, Layout, Preflight, Workload
from engine.preflight.shapes import PUBLISHED
from engine.preflight.timing import time_terms
from engine.recipe import Recipe, parse_recipe
from engine.training import peak
from engine.training.layout import Computation
from engine.training.recipe_run import TrainingResult

CARD = "NVIDIA H100 80GB HBM3"
SHAPE = PUBLISHED["2B"]
LAYOUT = Layout("transformers", "none", True, 8, 2, False, True)
LARGEST = Workload(1024, 256, 261, 40, 10, 8, 800, 100)
TYPICAL = replace(LARGEST, patches=512, image_tokens=128, root_tokens=133)
ESTIMATE = Preflight(
    card=Card(CARD, 80 * 2**30),
    model="m",
    shape_source="",
    workload=LARGEST,
    typical=TYPICAL,
    layout=LAYOUT,
    layout_reason="",
    packing_reason="",
    estimate=Estimate(1, 1, 1, 1, 1, 1, 1, None, None),
    fits=True,
    headroom=0,
    steps=1,
    seconds=None,
    calibration="",
)


class Records:
    """Stands in for the writer of the workspace."""

    def __init__(self) -> None:
        self.rows: list[Any] = []

    def add_memory_peak(self, row: Any) -> int:
        self.rows.append(row)
        return len(self.rows)


@pytest.fixture
def recipe() -> Recipe:
    return parse_recipe({"name": "x", "data": {"dataset": "scans"}}, "test")


@pytest.fixture(autouse=True)
def on_a_card(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.get_device_name", lambda: CARD)
    monkeypatch.setattr("torch.cuda.max_memory_allocated", lambda: 9 * 10**9)
    monkeypatch.setattr("torch.cuda.max_memory_reserved", lambda: 10**10)


def kept(recipe: Recipe, **changes: Any) -> list[Any]:
    records = Records()
    result = TrainingResult(False, 9, 0.5, "", LAYOUT, relieved=False, step_seconds=2.0)
    computation = Computation(LAYOUT, "", estimate=ESTIMATE, shape=SHAPE)
    peak.record_peak(records, 1, recipe, computation, replace(result, **changes))  # type: ignore[arg-type]
    return records.rows


def test_the_peak_is_kept_with_the_time_of_a_step_of_the_largest_samples(recipe: Recipe) -> None:
    (row,) = kept(recipe)
    assert (row.card, row.reserved_peak, row.layout, row.workload) == (CARD, 10**10, LAYOUT, LARGEST)
    speed = speed_of(CARD)
    assert speed is not None
    both = [time_terms(SHAPE, each, LAYOUT, speed) for each in (LARGEST, TYPICAL)]
    seconds = [terms.compute + terms.dispatch for terms in both]
    assert row.step_seconds == pytest.approx(2.0 * seconds[0] / seconds[1])
    assert row.step_seconds > 2.0


def test_a_run_of_another_layout_than_planned_teaches_nothing(recipe: Recipe) -> None:
    assert kept(recipe, relieved=True) == []
    assert kept(recipe, layout=replace(LAYOUT, packed=False)) == []  # the proof has refused to pack


def test_time_is_kept_only_where_it_tells_something(recipe: Recipe) -> None:
    assert kept(recipe, step_seconds=None)[0].step_seconds is None
    assert kept(recipe, layout=replace(LAYOUT, devices=2))[0].step_seconds is None


def test_the_median_leaves_out_the_first_step() -> None:
    history = [{"step_seconds": each} for each in (90.0, 1.0, 2.0, 4.0)]
    assert peak.median_step([*history, {"eval_loss": 1.0}]) == 2.0
    assert peak.median_step(history[:2]) is None


def test_a_run_that_only_saved_what_was_trained_before_tells_nothing_of_memory(recipe: Recipe) -> None:
    assert kept(recipe, trained=False) == []
    assert len(kept(recipe, trained=True)) == 1
