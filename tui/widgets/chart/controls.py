"""Keys and mouse of a chart."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType

from tui.widgets.cells import CellWidget
from tui.widgets.chart.frame import GUTTER
from tui.widgets.chart.plot import STRENGTHS, Plot

ZOOM = 0.7
"""The share of the steps that zooming in once leaves in view."""
PAN = 0.1
"""The share of the window by which a key moves it."""


def _key(keys: str, action: str, name: str, description: str, tooltip: str, shown: str | None = None) -> Binding:
    """A binding whose id is for keymaps of users; in the footer where `shown` says how."""
    return Binding(
        keys, action, description, show=shown is not None, key_display=shown, tooltip=tooltip, id=f"chart.{name}"
    )


class ChartControls(CellWidget, can_focus=True):
    """What a user can do with a chart. Keys that would do nothing are left to others.

    The wheel zooms at the pointer, dragging moves the window, a click starts the cursor there or, at it, leaves it.
    """

    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [
        _key("x", "cursor", "cursor", "Cursor", "Read values at a step; the arrow keys move it", "x"),
        _key("plus,equals_sign", "zoom_in", "zoom_in", "Zoom in", "Fewer steps, around the cursor or the middle", "+"),
        _key("minus", "zoom_out", "zoom_out", "Zoom out", "More steps, around the cursor or the middle", "-"),
        _key("0,home", "fit", "fit", "Fit", "Show all steps", "0"),
        _key("f", "follow", "follow", "Follow", "Keep the newest steps in view while zoomed in", "f"),
        _key("l", "log", "log", "Log", "Logarithmic or linear values", "l"),
        _key("e", "smoothing", "smoothing", "Smooth", "Raw values, or their average: EMA 0.9, 0.98, 0.995", "e"),
        _key("left", "move(-1)", "left", "Left", "Move the cursor, or the window of steps"),
        _key("right", "move(1)", "right", "Right", "Move the cursor, or the window of steps"),
        _key("shift+left", "move(-10)", "left_fast", "Left, fast", "Ten times as far"),
        _key("shift+right", "move(10)", "right_fast", "Right, fast", "Ten times as far"),
        _key("escape", "leave_cursor", "leave", "Leave the cursor", "Stop reading values at a step"),
    ]

    def __init__(self, plot: Plot, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self.plot = plot
        self._drag: tuple[int, float] | None = None
        """Where a drag began on screen, and the first visible step then."""
        self._dragged = False

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Whether a key would do something now."""
        zoomed, reading = self.plot.view.window is not None, self.plot.cursor is not None
        needed = {"leave_cursor": reading, "fit": zoomed, "follow": zoomed, "move": zoomed or reading}
        return needed.get(action, True)

    def action_zoom_in(self) -> None:
        """Show fewer steps."""
        self._zoom(ZOOM)

    def action_zoom_out(self) -> None:
        """Show more steps."""
        self._zoom(1 / ZOOM)

    def action_fit(self) -> None:
        """Show all steps."""
        self.plot.view.fit()
        self.plot.look_closely()
        self._changed()

    def action_follow(self) -> None:
        """Keep the newest step in view, or stop doing so."""
        self.plot.view.following = not self.plot.view.following
        self._changed()

    def action_log(self) -> None:
        """Change between a logarithmic and a linear value axis."""
        self.plot.set_log(not self.plot.log)
        self._changed()

    def action_smoothing(self) -> None:
        """The next strength of smoothing."""
        self.plot.smooth(STRENGTHS[(STRENGTHS.index(self.plot.strength) + 1) % len(STRENGTHS)])
        self._changed()

    def action_cursor(self) -> None:
        """Start reading values at the newest step in view, or stop."""
        if self.plot.cursor is None:
            self._read(self.plot.nearest(self.plot.view.range[1]))
        else:
            self._read(None)

    def action_leave_cursor(self) -> None:
        """Stop reading values."""
        self._read(None)

    def action_move(self, cells: int) -> None:
        """Move the cursor by so many cells, or without one the window by as many tenths of itself."""
        if self.plot.cursor is None:
            self.plot.view.following = False
            self.plot.view.pan(cells * PAN * self.plot.view.span)
            self._changed()
            return
        step = self.plot.neighbour(self.plot.cursor, cells)
        if step is not None:
            self.plot.view.reveal(step)
            self._read(step)

    def on_focus(self) -> None:
        """Show that keys go here."""
        self.repaint()

    def on_blur(self) -> None:
        """Show that keys go elsewhere."""
        self.repaint()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Zoom in at the pointer."""
        event.stop()
        self._zoom(ZOOM, self._step_under(event))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Zoom out at the pointer."""
        event.stop()
        self._zoom(1 / ZOOM, self._step_under(event))

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Begin to drag, or to click."""
        if event.button == 1:
            self.capture_mouse()
            self._drag, self._dragged = (event.screen_x, self.plot.view.range[0]), False

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Drag the window along."""
        if self._drag is None:
            return
        begun, first = self._drag
        shift = event.screen_x - begun
        self._dragged = self._dragged or shift != 0
        target = first - shift * self.plot.scale.cell_steps
        if self._dragged and self.plot.view.pan(target - self.plot.view.range[0]):
            self.plot.view.following = False
            self._changed()

    def on_mouse_up(self, event: events.MouseUp) -> None:
        """After a click without dragging: read values there, or stop if they are read there already."""
        drag, self._drag = self._drag, None
        if drag is None:
            return
        self.release_mouse()
        at = event.get_content_offset(self)
        if self._dragged or at is None or not self.plot.layout.holds(at.x, at.y):
            return
        cell = at.x - GUTTER
        here = self.plot.cursor is not None and self.plot.scale.cell(self.plot.cursor) == cell
        self._read(None if here else self.plot.nearest(self.plot.scale.step(cell)))

    def _step_under(self, event: events.MouseEvent) -> float | None:
        at = event.get_content_offset(self)
        return None if at is None else self.plot.scale.step(max(at.x - GUTTER, 0))

    def _zoom(self, factor: float, at: float | None = None) -> None:
        first, last = self.plot.view.range
        if at is None:
            cursor = self.plot.cursor
            newest = max(self.plot.newest or first, first)
            at = cursor if cursor is not None and first <= cursor <= last else min((first + last) / 2, newest)
        if self.plot.view.zoom(factor, at):
            self.plot.look_closely()
            self._changed()

    def _read(self, step: int | None) -> None:
        self.plot.cursor = step
        self._changed()

    def _changed(self) -> None:
        self.repaint()
        self.refresh_bindings()
