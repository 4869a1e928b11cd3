"""The head of a run screen: is it alive, how far is it, how long will it take, what went wrong."""

from __future__ import annotations

from rich.style import Style
from textual.strip import Strip

from engine import api
from tui import clock
from tui.screens.runs import SIGNS, TONES
from tui.text import bar, cut, fit, width_of
from tui.widgets.cells import CellWidget, line

PROGRESS_CELLS = 24


class RunHead(CellWidget):
    """Two lines, and a third or more where something went wrong."""

    DEFAULT_CSS = "RunHead { height: auto; width: 1fr; }"

    def __init__(self) -> None:
        super().__init__()
        self._view: api.RunView | None = None
        self._loss: float | None = None

    def show_view(self, view: api.RunView, loss: float | None) -> None:
        """Set the run and its newest loss."""
        rows = self._rows()
        self._view, self._loss = view, loss
        if self._rows() != rows:
            self.refresh(layout=True)
        self.repaint()

    def get_content_height(self, container: object, viewport: object, width: int) -> int:
        """Rows."""
        return self._rows()

    def _rows(self) -> int:
        if self._view is None:
            return 2
        return 2 + sum(bool(part) for part in _error(self._view))

    def draw(self, width: int, height: int) -> list[Strip]:
        """State and progress, figures, error."""
        if self._view is None:
            return [Strip.blank(width, self.palette.text)] * height
        strips = [self._state(self._view, width), self._figures(self._view, width)]
        palette = self.palette
        for text, style in zip(_error(self._view), (palette.bad, palette.text, palette.accent), strict=True):
            if text:
                strips.append(line((fit(f" {text}", width), style)))
        return strips[:height]

    def _state(self, view: api.RunView, width: int) -> Strip:
        run, palette = view.run, self.palette
        state = api.shown_state(run, clock.now())
        tone: Style = getattr(palette, TONES[state])
        said = _said(view, state)
        progress = self._progress(run)
        room = max(8, width - width_of(progress) - 2)
        left = cut(f" {SIGNS[state]} {state}", room)
        rest = cut(f"  {said}", max(0, room - width_of(left)))
        blank = " " * max(0, room - width_of(left) - width_of(rest))
        return line((left, tone), (rest, palette.dim), (blank, palette.text), (f" {progress} ", palette.bold))

    @staticmethod
    def _progress(run: api.RunRow) -> str:
        if not run.planned_steps:
            return f"step {run.step}"
        share = run.step / run.planned_steps
        return f"{bar(share, PROGRESS_CELLS)} {share:.0%} {run.step}/{run.planned_steps}"

    def _figures(self, view: api.RunView, width: int) -> Strip:
        run, palette = view.run, self.palette
        parts = []
        if view.eta_seconds is not None:
            parts.append(("left", api.duration(view.eta_seconds)))
        elif run.train_seconds:
            parts.append(("trained in", api.duration(run.train_seconds)))
        loss = self._loss if run.state in api.ACTIVE else run.final_loss
        parts.append(("loss", api.number(loss)))
        if view.step_seconds:
            parts.append(("step", f"{api.number(view.step_seconds)} s"))
        if run.samples_per_second and run.state not in api.ACTIVE:
            parts.append(("speed", f"{run.samples_per_second:.1f} samples/s"))
        if view.tags:
            parts.append(("tags", ", ".join(view.tags)))
        pieces: list[tuple[str, Style]] = []
        used = 0
        for name, text in parts:
            short = cut(text, 40)
            length = len(name) + width_of(short) + 4
            if used + length > width:
                break
            pieces += [(f" {name} ", palette.dim), (f"{short}  ", palette.text)]
            used += length
        return line(*pieces)


def _said(view: api.RunView, state: str) -> str:
    """The reason of the state, or what was asked for, or for how long a lost run has been silent."""
    run = view.run
    if state == "lost":
        since = "never" if run.heartbeat is None else clock.ago(clock.now() - run.heartbeat)
        return f"no sign of life; last one {since}"
    if view.pending:
        return f"{' and '.join(view.pending)} was asked for: it answers at its next step"
    return run.reason


def _error(view: api.RunView) -> tuple[str, str, str]:
    run = view.run
    if run.state in api.ACTIVE or not run.error_title:
        return "", "", ""
    detail = (run.error_detail or "").strip().partition("\n")[0]
    return run.error_title, detail, f"→ {run.error_next_step}" if run.error_next_step else ""
