"""The curves of the runs on a run screen: read in the poller's thread, kept on the screen's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from engine import api
from tui.widgets.chart import Curve, Series

LOSS, EVAL_LOSS = "loss", "eval_loss"
KEYS = (LOSS, EVAL_LOSS, "learning_rate", "grad_norm", "samples_per_second")


@dataclass(frozen=True, slots=True)
class ChartKind:
    """One chart of the screen."""

    id: str
    title: str
    keys: tuple[str, ...]
    unit: str = ""


CHARTS = (
    ChartKind("loss", "loss", (LOSS, EVAL_LOSS)),
    ChartKind("rate", "learning rate", ("learning_rate",)),
    ChartKind("norm", "gradient norm", ("grad_norm",)),
    ChartKind("speed", "samples a second", ("samples_per_second",)),
)


@dataclass(frozen=True, slots=True)
class Grown:
    """What has been added to the curves, by run and key."""

    number: int
    """Each answer has another one, so that none is taken for the last."""
    fresh: bool
    """These are all points: what is on the screen is to be replaced."""
    points: Mapping[int, Mapping[str, tuple[Any, Any]]]
    """Steps and values as arrays."""


class CurveFeed:
    """Asks for new points only; belongs to the poller's thread."""

    def __init__(self, runs: Sequence[int]) -> None:
        self._cursors = dict.fromkeys(runs, 0)
        self._numbers = count()
        self._fresh = True
        self._nothing = Grown(-1, False, {})

    def read(self, live: api.Live) -> Grown:
        """New points of all runs; the same empty answer as long as there are none."""
        import numpy as np  # in this thread, because it takes a tenth of a second

        points = {}
        for run, cursor in self._cursors.items():
            batch = live.curves(run, KEYS, cursor)
            self._cursors[run] = batch.last_id
            if batch.points:
                points[run] = {
                    key: (np.asarray(steps, np.int64), np.asarray(values, np.float64))
                    for key, (steps, values) in batch.points.items()
                }
        if not points and not self._fresh:
            return self._nothing
        fresh, self._fresh = self._fresh, False
        return Grown(next(self._numbers), fresh, points)


class RunCurves:
    """All curves of a screen."""

    def __init__(self, run: int, others: Sequence[int]) -> None:
        self.run = run
        self.others = tuple(others)
        self.labels: dict[int, str] = {}
        """Names of the runs; untrusted text."""
        self._curves = {(each, key): Curve(key) for each in (run, *self.others) for key in KEYS}

    def grow(self, grown: Grown) -> bool:
        """Add what the feed has read; True when a chart has other series than before."""
        validated = len(self._curves[self.run, EVAL_LOSS]) > 0
        if grown.fresh:
            for curve in self._curves.values():
                curve.clear()
        for run, points in grown.points.items():
            for key, (steps, values) in points.items():
                if (run, key) in self._curves:
                    self._curves[run, key].extend(steps, values)
        return validated != (len(self._curves[self.run, EVAL_LOSS]) > 0)

    def series(self, kind: ChartKind) -> list[Series]:
        """What one chart shows; the run that matters lies on top, and has its raw values behind its average."""
        series = [
            Series(self._curves[run, kind.keys[0]], style_index=place, smooth=kind.id != "rate", label=self._label(run))
            for place, run in enumerate(self.others, start=1)
        ]
        averaged = kind.id != "rate"
        label = self._label(self.run) if self.others else kind.title
        series.append(Series(self._curves[self.run, kind.keys[0]], shadow=averaged, label=label))
        if EVAL_LOSS in kind.keys and len(self._curves[self.run, EVAL_LOSS]):
            style = 0 if self.others else 1
            series.append(Series(self._curves[self.run, EVAL_LOSS], style_index=style, points=True, label="validation"))
        return series

    def title(self, kind: ChartKind) -> str:
        """What a chart is called; a single curve has that name in the legend already."""
        return kind.title if self.others else ""

    def last(self, key: str) -> float | None:
        """Newest value of a curve of the run that matters."""
        curve = self._curves[self.run, key]
        return curve.last if len(curve) else None

    def _label(self, run: int) -> str:
        return f"{run} {self.labels.get(run, '')}".strip()
