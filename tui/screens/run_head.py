"""The head of a run screen: is it alive, how far is it, how long will it take, what went wrong."""

from __future__ import annotations

from rich.style import Style
from textual.strip import Strip

from engine import api
from tui import clock
from tui.screens.runs_rows import SIGNS, TONES
from tui.text import bar, cut, fit, width_of, wrap
from tui.widgets.cells import CellWidget, line

PROGRESS_CELLS = 24
MOST_ROWS = (1, 2, 3)
"""Rows of the title, the reason and the next step of an error; all of it stands among the facts."""


class RunHead(CellWidget):
    """Two lines, and a third or more where something went wrong."""

    DEFAULT_CSS = "RunHead { height: auto; width: 1fr; }"

    def __init__(self) -> None:
        super().__init__()
        self._view: api.RunView | None = None
        self._loss: float | None = None

    def show_view(self, view: api.RunView, loss: float | None) -> None:
        """Set the run and its newest loss."""
        width = self.content_size.width
        rows = len(self._error_lines(width))
        self._view, self._loss = view, loss
        if len(self._error_lines(width)) != rows:
            self.refresh(layout=True)
        self.repaint()

    def get_content_height(self, container: object, viewport: object, width: int) -> int:
        """Rows."""
        return 2 + len(self._error_lines(width))

    def _error_lines(self, width: int) -> list[tuple[str, str]]:
        """What went wrong, wrapped: texts and their tones."""
        lines: list[tuple[str, str]] = []
        for text, tone, most in zip(error_parts(self._view), ("bad", "text", "accent"), MOST_ROWS, strict=True):
            wrapped = wrap(text, max(1, width - 2)) if text else []
            if len(wrapped) > most:
                wrapped = [*wrapped[: most - 1], cut(" ".join(wrapped[most - 1 :]), width - 2)]
            lines += [(f" {each}", tone) for each in wrapped]
        return lines

    def draw(self, width: int, height: int) -> list[Strip]:
        """State and progress, figures, error."""
        if self._view is None:
            return [Strip.blank(width, self.palette.text)] * height
        strips = [self._state(self._view, width), self._figures(self._view, width)]
        strips += [line((fit(text, width), self.palette.named(tone))) for text, tone in self._error_lines(width)]
        return strips[:height]

    def _state(self, view: api.RunView, width: int) -> Strip:
        run, palette = view.run, self.palette
        state = api.shown_state(run, clock.now())
        tone = palette.named(TONES[state])
        filled, track, figure = _progress(run, PROGRESS_CELLS if width >= 60 else 0)
        room = max(8, width - len(filled + track) - width_of(figure) - 3)
        left = cut(f" {SIGNS[state]} {doing(run, state)}", room)
        rest = cut(f"  {_said(view)}", max(0, room - width_of(left)))
        blank = " " * max(0, room - width_of(left) - width_of(rest))
        return line(
            (left, tone),
            (rest, palette.dim),
            (blank, palette.text),
            (f" {filled}", palette.accent),
            (track, palette.track),
            (f" {figure} ", palette.bold),
        )

    def _figures(self, view: api.RunView, width: int) -> Strip:
        run, palette = view.run, self.palette
        parts = []
        # How long a silent or a stalled run will take, nobody knows.
        if view.eta_seconds is not None and not silence(run) and not stillness(run):
            parts.append(("left", api.duration(view.eta_seconds)))
        elif run.train_seconds:
            parts.append(("trained in", api.duration(run.train_seconds)))
        loss = self._loss if run.state in api.ACTIVE or run.final_loss is None else run.final_loss
        parts.append(("loss", api.number(loss)))
        if view.step_seconds:
            parts.append(("step", f"{api.number(view.step_seconds)} s"))
        if run.samples_per_second and run.state not in api.ACTIVE:
            parts.append(("speed", f"{run.samples_per_second:.1f} samples/s"))
        if run.rolled_up_at is not None:
            parts.append(("curves", "thinned"))
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


def _said(view: api.RunView) -> str:
    """The reason of the state, or what was asked for, or for how long a lost run has been silent."""
    run = view.run
    if silent := silence(run):
        return f"no sign of life; last one {silent}"
    if stillness(run) and not view.pending:
        return f"no progress after step {run.step}; `sonotune show {run.id}` says what to do"
    if view.pending:
        return f"{' and '.join(view.pending)} was asked for: it answers at its next step"
    return run.reason


def doing(run: api.RunRow, state: str) -> str:
    """The state with what the process is doing, as in `running: validation loss`, `stalled 12 min: training`."""
    words = f"{state} {still}" if (still := stillness(run)) else state
    # A run that has ended was doing that when it ended: its reason tells more.
    return f"{words}: {run.phase}" if run.phase and state in (api.State.RUNNING, api.STALLED) else words


def stillness(run: api.RunRow) -> str:
    """For how long a run that lives has not got on, such as `12 min`; "" for any other."""
    now = clock.now()
    if api.shown_state(run, now) != api.STALLED:
        return ""
    return clock.span(now - (run.stalled_at or now))


def silence(run: api.RunRow) -> str:
    """How long ago a lost run gave its last sign of life; "" for any other."""
    now = clock.now()
    if api.shown_state(run, now) != api.LOST:
        return ""
    return "never" if run.heartbeat is None else clock.ago(now - run.heartbeat)


def _progress(run: api.RunRow, cells: int) -> tuple[str, str, str]:
    """The filled part of a bar, its track, and the figures."""
    if not run.planned_steps:
        return "", "", f"step {run.step}"
    share = run.step / run.planned_steps
    filled = bar(share, cells).rstrip()
    return filled, "·" * (cells - len(filled)), f"{share:.0%} {run.step}/{run.planned_steps}"


def error_parts(view: api.RunView | None) -> tuple[str, str, str]:
    """Title, the first line of the reason, next step of what has ended a run; "" where nothing has."""
    if view is None or view.run.state in api.ACTIVE or not view.run.error_title:
        return "", "", ""
    run = view.run
    detail = (run.error_detail or "").strip().partition("\n")[0]
    return run.error_title or "", detail, f"→ {run.error_next_step}" if run.error_next_step else ""
