"""Live charts of runs: loss, learning rate, scores by step."""

from __future__ import annotations

from tui.widgets.chart.curves import Curve
from tui.widgets.chart.series import Series
from tui.widgets.chart.spark import sparkline
from tui.widgets.chart.widget import Chart

__all__ = ["Chart", "Curve", "Series", "sparkline"]
