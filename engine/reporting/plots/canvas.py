"""Figures of matplotlib without pyplot: the same input gives the same bytes, and no name becomes a formula.

matplotlib takes some settings from a global dictionary alone, so plots are drawn one at a time, under a lock.
"""

from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from engine.reporting.plots.picture import FAMILY, GRID, INK, MUTED, PAPER, Picture

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Okabe and Ito (2008): told apart with every kind of colour vision; each also has a marker of its own."""
MARKERS = ("o", "s", "^", "D", "v", "P")
GREY = "#8a9099"
"""References."""
WIDTH = 7.2
"""Inches: the text width of a page."""
MOST_COLOURED = 4
"""Runs in one plot; more cannot be told apart."""
_DPI = 160
_LOCK = threading.Lock()
_SETTINGS: dict[str, Any] = {
    "font.family": ["DejaVu Sans"],
    "font.size": 8.5,
    "axes.titlesize": 8.5,
    "axes.labelsize": 8.5,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 8,
    "legend.fontsize": 8,
    "text.parse_math": False,  # a name with dollar signs is no formula
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.edgecolor": MUTED,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "figure.facecolor": PAPER,
    "savefig.facecolor": PAPER,
    "svg.fonttype": "none",  # text stays text: small, searchable, sharp
}


@contextmanager
def _settings(name: str) -> Iterator[None]:
    import matplotlib as mpl

    with _LOCK, mpl.rc_context(), warnings.catch_warnings():
        # A character that the font lacks is a box in the PNG and itself in the SVG: nothing to warn of.
        warnings.filterwarnings("ignore", message=".*[Gg]lyph.*")
        mpl.rcdefaults()
        mpl.rcParams.update({**_SETTINGS, "svg.hashsalt": f"sonotune-{name}"})
        yield


def drawn(
    name: str, size: tuple[float, float], draw: Callable[[Any], None], *, caption: str, alternative: str
) -> Picture:
    """A plot as SVG and PNG.

    Args:
        name: of its files.
        size: width and height in inches.
        draw: fills the empty figure.
        caption: what it shows, with n.
        alternative: the same in words and numbers.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with _settings(name):
        # Laid out at the resolution of the PNG: at another one letters are narrower, and the last would be cut off.
        figure = Figure(figsize=size, dpi=_DPI, layout="constrained")
        FigureCanvasAgg(figure)
        draw(figure)
        # Laid out once for both files: that is half of the time, and both look the same.
        layout = figure.get_layout_engine()
        if layout is not None:
            layout.execute(figure)
        figure.set_layout_engine("none")
        vector, raster = io.StringIO(), io.BytesIO()
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(vector, format="svg", metadata=nothing)
        figure.savefig(raster, format="png", dpi=_DPI, metadata={"Software": None})
    text = vector.getvalue().replace("'DejaVu Sans'", FAMILY)
    return Picture(name, caption, alternative, text, raster.getvalue())


def grid_of(figure: Any, count: int, columns: int, **options: Any) -> list[Any]:
    """So many panels in rows; what the last row lacks is left empty."""
    rows = -(-count // columns)
    panels: list[Any] = figure.subplots(rows, columns, squeeze=False, **options).ravel().tolist()
    for panel in panels[count:]:
        panel.set_axis_off()
    return panels[:count]


def panel_size(columns: int, rows: int) -> tuple[float, float]:
    """Width and height in inches of a figure with square panels."""
    width = {1: 3.6, 2: 5.6}.get(columns, WIDTH)
    # What stands beside and between the panels; two lines above each, the axis below the last.
    return width, rows * ((width - 0.65) / columns + 0.4) + 0.45


def share_axis(axis: Any) -> None:
    """An axis from 0 to 1 with few ticks."""
    axis.set_ticks([0, 0.25, 0.5, 0.75, 1], ["0", "0.25", "0.5", "0.75", "1"])


def errors(low: float | None, value: float, high: float | None) -> list[list[float]]:
    """Lengths of an interval below and above the value, as matplotlib wants them."""
    return [[max(0.0, value - (value if low is None else low))], [max(0.0, (value if high is None else high) - value)]]


def style(place: int) -> tuple[str, str]:
    """Colour and marker of the run at this place."""
    return COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)]


def limits(values: Sequence[float]) -> tuple[float, float]:
    """Ends of an axis: 0 to 1, further where a figure is negative (MCC)."""
    low = min([0.0, *values])
    return (low - 0.03 if low < 0 else -0.02), max([1.0, *values]) + 0.02
