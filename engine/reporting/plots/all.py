"""All plots of a report, in the order of the page."""

from __future__ import annotations

from engine.reporting.model import Report
from engine.reporting.plots.calibration import calibration_plot
from engine.reporting.plots.confusion import confusion_plot
from engine.reporting.plots.intervals import intervals_plot
from engine.reporting.plots.picture import Picture
from engine.reporting.plots.roc import roc_plot
from engine.reporting.plots.views import views_plot

NAMES = ("intervals", "views", "roc", "calibration", "confusion")
"""All that there can be."""


def draw_all(report: Report) -> list[Picture]:
    """The plots that apply to this question and these runs."""
    pictures = (plot(report) for plot in (intervals_plot, views_plot, roc_plot, calibration_plot, confusion_plot))
    return [picture for picture in pictures if picture is not None]
