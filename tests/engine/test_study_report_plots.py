"""Plots of a study: many arms stay readable, labels cover nothing, axes fit what they show."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import pytest
from PIL import Image
from study_result_helpers import ARMS, DEGRADATIONS, curve_chart, estimate, figures, many_arms, rich, scatter_chart

from engine.reporting.plots import study_forest, study_scatter
from engine.reporting.plots.canvas import COLOURS
from engine.reporting.plots.picture import Picture
from engine.reporting.plots.study_axes import fitting, padded, series_style
from engine.reporting.plots.study_curves import curves_chart
from engine.reporting.plots.study_forest import forest_plots
from engine.reporting.plots.study_intervals import intervals_chart
from engine.reporting.plots.study_labels import Box, Labelled, place_labels
from engine.reporting.plots.study_scatter import scatter_chart as draw_scatter
from engine.study.results import Estimate, Point, Series, StudyChart


def size(picture: Picture) -> tuple[int, int]:
    with Image.open(io.BytesIO(picture.png)) as image:
        return image.size


def words(picture: Picture) -> list[str]:
    """All text of a plot."""
    return re.findall(r"<text[^>]*>([^<]*)</text>", picture.svg)


# ----- forest plots


def test_the_forest_plot_grows_with_the_arms_and_names_all_of_them() -> None:
    few = forest_plots([each for each in figures() if each.question == "Q7"], "figures")
    many = forest_plots(many_arms().figures, "figures")
    assert [len(few), len(many)] == [1, 1]
    assert size(many[0])[1] > 1.8 * size(few[0])[1]
    assert size(many[0])[0] == size(few[0])[0]
    for figure in many_arms().figures:
        if not figure.reference:
            assert figure.arm in words(many[0])
    assert {"majority class", "majority by view", "untuned base"} <= set(words(many[0]))
    assert "0.83 (0.78–0.88)" in words(few[0])
    assert "n = 240 cases" in few[0].caption


def test_a_mark_is_seen_beside_the_arm_and_explained() -> None:
    [picture] = forest_plots(figures(), "figures")
    assert "none †" in words(picture)
    assert "†" in picture.caption
    [clean] = forest_plots([replace(each, marks=()) for each in figures()], "figures")
    assert "†" not in clean.caption + "".join(words(clean))


def test_what_does_not_fit_on_a_page_goes_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(forest_plots(figures(), "figures")) == 1
    monkeypatch.setattr(study_forest, "MOST_ROWS", 12)
    pictures = forest_plots(figures(), "figures")
    assert [picture.name for picture in pictures] == ["figures-1", "figures-2"]
    assert ["Q7 Normality Assessment: AUROC" in words(each) for each in pictures] == [True, False]
    assert ["Q6 Image Quality: macro recall" in words(each) for each in pictures] == [False, True]


def test_undefined_figures_have_a_row_and_no_marker() -> None:
    nothing = Estimate(None, None, None, 0)
    one = [replace(each, estimate=nothing) if each.arm == "basic" else each for each in figures()[:3]]
    [picture] = forest_plots(one, "figures")
    assert "basic" in words(picture)
    assert "–" in words(picture)
    assert forest_plots([replace(each, estimate=nothing) for each in figures()], "figures") == []


# ----- curves


def test_curves_have_one_panel_each_and_one_legend() -> None:
    picture = curves_chart([curve_chart(kind) for kind in DEGRADATIONS], "robustness-1")
    found = words(picture)
    assert [each for each in found if each in DEGRADATIONS] == list(DEGRADATIONS)
    for arm in ARMS:
        assert found.count(arm) == 1
    assert "n = 240 cases a point" in picture.caption
    assert "95 % intervals" in picture.caption


def test_of_many_curves_the_intervals_are_left_out_and_that_is_said() -> None:
    picture = curves_chart([each for each in many_arms().charts if each.kind == "curves"], "robustness-1")
    assert "Intervals are left out" in picture.caption
    assert {f"wording {place}" for place in (1, 3, 13)} <= set(words(picture))


def test_words_and_numbers_on_an_axis_keep_their_order() -> None:
    series = (Series("a", tuple(Point(x, estimate(0.5)) for x in ("low", "medium", "good"))),)
    tiers = StudyChart("quality", "By quality", "curves", "tier", "auroc", series)
    found = words(curves_chart([tiers], "quality-1"))
    assert [each for each in found if each in ("low", "medium", "good")] == ["low", "medium", "good"]
    assert "AUROC" in found
    mixed = (Series("a", (Point(3, estimate(0.5)), Point(0, estimate(0.6)), Point(float("nan"), estimate(0.6)))),)
    assert {"0", "3"} <= set(words(curves_chart([replace(tiers, series=mixed)], "quality-1")))


# ----- charts of intervals


def test_intervals_name_categories_and_series() -> None:
    chart = rich().charts[-1]
    found = words(intervals_chart([chart], "forgetting-1"))
    assert {"Q1 Anatomical Structures", "Q8 Clinical Recommendations", "one question alone", "question",
            "figure that decides"} <= set(found)  # fmt: skip


@pytest.mark.parametrize("x", ["", "all"])
def test_series_of_one_point_are_rows_and_have_no_legend(x: str) -> None:
    series = tuple(Series(arm, (Point(x or arm, estimate(0.5)),)) for arm in ARMS)
    found = words(intervals_chart([replace(rich().charts[-1], series=series)], "wordings-1"))
    assert [found.count(arm) for arm in ARMS] == [1, 1, 1]
    assert "all" not in found


def test_many_panels_of_intervals_stand_in_a_grid() -> None:
    charts = [replace(rich().charts[-1], title=f"panel {place}", panel="p") for place in range(7)]
    one, seven = intervals_chart(charts[:1], "p-1"), intervals_chart(charts, "p-1")
    assert {f"panel {place}" for place in range(7)} <= set(words(seven))
    assert size(seven)[0] == size(one)[0]
    assert size(seven)[1] > 2.5 * size(one)[1]


# ----- labels


class Labels:
    """Catches where the labels of a scatter are put."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.boxes: list[Box] = []
        self.frame = Box(0, 0, 0, 0)
        self.markers: list[tuple[float, float]] = []
        monkeypatch.setattr(study_scatter, "place_labels", self._place)

    def _place(self, figure: Any, panel: Any, points: Sequence[Labelled]) -> list[Box]:
        self.boxes = place_labels(figure, panel, points)
        extent = panel.get_window_extent()
        self.frame = Box(extent.x0, extent.y0, extent.x1, extent.y1)
        self.markers = [tuple(panel.transData.transform((point.x, point.y))) for point in points]
        return self.boxes


def crowd(count: int) -> StudyChart:
    return scatter_chart([f"other questions, wording {place}" for place in range(count)])


@pytest.mark.parametrize("chart", [scatter_chart(), crowd(8), crowd(13)], ids=["3", "8", "13"])
def test_labels_cover_neither_each_other_nor_a_point(chart: StudyChart, monkeypatch: pytest.MonkeyPatch) -> None:
    labels = Labels(monkeypatch)
    draw_scatter([chart], "tradeoff-1")
    assert len(labels.boxes) == len(chart.series)
    for one, other in combinations(labels.boxes, 2):
        assert one.overlap(other) == 0
    for box in labels.boxes:
        assert box.outside(labels.frame) == pytest.approx(0, abs=1e-6)
        for x, y in labels.markers:
            assert not (box.left < x < box.right and box.low < y < box.high)


def test_points_at_one_place_have_labels_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    same = tuple(Series(f"arm {place}", (Point(1.0, estimate(0.5)),)) for place in range(6))
    labels = Labels(monkeypatch)
    picture = draw_scatter([replace(scatter_chart(), series=same)], "tradeoff-1")
    assert {f"arm {place}" for place in range(6)} <= set(words(picture))
    assert all(one.overlap(other) == 0 for one, other in combinations(labels.boxes, 2))


def test_amounts_that_span_decades_have_a_logarithmic_axis() -> None:
    wide = tuple(Series(f"arm {x}", (Point(float(x), estimate(0.5)),)) for x in (1, 10, 200))
    assert "logarithmic" in draw_scatter([replace(scatter_chart(), series=wide)], "tradeoff-1").caption
    assert "logarithmic" not in draw_scatter([scatter_chart()], "tradeoff-1").caption


def test_points_without_a_place_are_left_out() -> None:
    points = (Point("x", estimate(0.5)), Point(float("inf"), estimate(0.5)), Point(1.0, Estimate(None, None, None, 0)),
              Point(2.0, estimate(0.4), "here"))  # fmt: skip
    found = words(draw_scatter([replace(scatter_chart(), series=(Series("a", points),))], "tradeoff-1"))
    assert "here" in found
    assert "a" not in found


# ----- axes


def test_axes_hold_their_values_and_do_not_blow_up_small_differences() -> None:
    low, high = padded([0.80, 0.81])
    assert low < 0.8 < 0.81 < high
    assert high - low >= 0.2
    assert padded([0.0, 1.0]) == (-0.02, 1.02)
    assert padded([]) == (-0.02, 1.02)
    low, high = padded([-0.4, 0.9])
    assert low < -0.4
    low, high = padded([500.0, 900.0])
    assert low < 500 < 900 < high < 1000
    low, high = padded([7.0, 7.0])
    assert low < 7 < high


def test_eighteen_series_can_be_told_apart() -> None:
    styles = [series_style(place) for place in range(3 * len(COLOURS))]
    assert len(set(styles)) == len(styles)
    assert len({(colour, marker) for colour, marker, _ in styles}) == len(styles)  # by the marker too


def test_a_title_is_cut_to_its_panel() -> None:
    assert fitting("AUROC", 2.0) == "AUROC"
    assert len(fitting("x" * 500, 2.0)) < 40
    assert "\n" not in fitting("a\nb", 2.0)
