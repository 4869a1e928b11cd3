"""The check of all images in the background: its line, its keys, and what it says of single images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.strip import Strip

from engine import api
from tui.poller import attempt
from tui.screens.dataset_reading import CheckData
from tui.text import cut, width_of
from tui.widgets.cells import CellWidget, line
from tui.widgets.lines import Piece

if TYPE_CHECKING:
    from tui.app import Workbench

CHECK_SECONDS = 1.0
"""Between two looks at how far the check is."""
BETWEEN = " · "


class OneLine(CellWidget):
    """Pieces of text with dots between them on one line, as many as there is room for: the gravest come first."""

    DEFAULT_CSS = "OneLine { height: 1; width: 1fr; }"

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._pieces: tuple[Piece, ...] = ()

    def show_pieces(self, pieces: Sequence[Piece]) -> None:
        """Show others; the most important first."""
        self._pieces = tuple(pieces)
        self.repaint()

    def draw(self, width: int, height: int) -> list[Strip]:
        """The line."""
        palette, room = self.palette, width - 2
        parts = [(" ", palette.dim)]
        for place, (text, tone) in enumerate(self._pieces):
            between = BETWEEN if place else ""
            safe = cut(text, room - len(between)) if not place else api.one_line(text)
            if place and len(between) + width_of(safe) > room:
                parts.append((" …" if room > 1 else "", palette.dim))
                break
            parts += [(between, palette.track), (safe, palette.named(tone))]
            room -= len(between) + width_of(safe)
        return [line(*parts)][:height]


class DatasetCheck(Screen[None]):
    """Mixin of a screen; it hands over what the poller knows of the check, and is told what is the matter with images.

    A screen that is told begins with `hear_check`, and puts a `OneLine` with the id `check` into its body.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "K",
            "check_images",
            "Check images",
            show=False,
            id="dataset.check_images",
            tooltip="Decode every image in the background, and look for near-duplicates; again: stop that",
        ),
    ]

    CHECK_WORDS: ClassVar[Sequence[Piece]] = ()
    """What else stands in the line, after how far the check is."""
    workbench: Workbench
    check: CheckData | None = None
    """None before the first answer, and where there is no dataset."""
    flags: api.ImageFlags | api.SonotuneError | None = None
    """None until they are known; or why they cannot be."""
    _asked_for: tuple[object, ...] = ()

    def show_flags(self, flags: api.ImageFlags | None) -> None:
        """What the check says of images is known; None: not any more."""

    def hear_check(self, check: CheckData | None) -> None:
        """Take how far the check is; once it has ended, ask what it says."""
        before, self.check = self.check, check
        if check is None or before is None or check.dataset != before.dataset:
            self.flags, self._asked_for = None, ()
            self.show_flags(None)
        if check is not None and _has_said(check) and check.result != self._asked_for:
            self._asked_for = check.result
            self.read_flags(check)
        self.show_check_line()

    def read_flags(self, check: CheckData) -> None:
        """Ask what the check says of images, in a thread."""
        workspace, name = self.workbench.workspace, check.dataset.name

        def done(answer: api.ImageFlags | api.SonotuneError) -> None:
            if self.check is None or self.check.result != check.result or not self.is_attached:
                return  # late: there is something newer
            self.flags = answer
            self.show_flags(None if isinstance(answer, api.SonotuneError) else answer)
            self.show_check_line()

        self.workbench.act(lambda: attempt(lambda: api.image_flags(workspace, name)), done)

    def show_check_line(self) -> None:
        """Write the line again."""
        self.query_one("#check", OneLine).show_pieces(check_pieces(self.check, self.flags, self.CHECK_WORDS))

    def action_check_images(self) -> None:
        """Start the check; stop one that is running: what it has found is kept."""
        check, workspace = self.check, self.workbench.workspace
        if check is None:
            return
        name = check.dataset.name
        if check.running:
            self.workbench.act(lambda: _stopped(api.stop_background_check(workspace, name)))
        else:
            self.workbench.act(lambda: _started(api.start_background_check(workspace, name)))


def _has_said(check: CheckData) -> bool:
    status = check.status
    return status is not None and status.state in (api.CheckState.DONE, api.CheckState.INTERRUPTED)


def _started(started: bool) -> str:
    if started:
        return "The check runs in the background; it goes on when the workbench is left."
    return "Nothing to do: every image has been checked, or a check is running."


def _stopped(stopped: bool) -> str:
    if stopped:
        return "The check is being stopped. What it has found is kept; K goes on with it."
    return "The check has just ended, or belongs to another terminal: it is stopped there."


def check_pieces(
    check: CheckData | None, flags: api.ImageFlags | api.SonotuneError | None, more: Sequence[Piece] = ()
) -> list[Piece]:
    """How far the check is, the keys, and what it says.

    Args:
        more: what else stands there, after how far it is.
    """
    if check is None:
        return []
    if check.status is None:
        return [(f"✗ {check.trouble}", "bad")]
    status = check.status
    progress = f"{status.done:,} of {status.total:,} images"
    if status.state is api.CheckState.RUNNING:
        speed = [(f"{status.images_per_second:,.0f} images/s", "text")] if status.images_per_second else []
        words = f"checking {progress}" if status.total else "checking: reading the list of images"
        return [(words, "accent"), *speed, ("K stops it", "dim"), *more]
    if status.state is api.CheckState.INTERRUPTED:
        said = [(check.trouble, "warn")] if check.trouble else []
        return [(f"! check interrupted after {progress}", "warn"), ("K goes on", "dim"), *more, *said, *_said(flags)]
    if status.state is api.CheckState.OUTDATED:
        return [("! images changed since the check", "warn"), ("K checks them", "dim"), *more]
    if status.state is api.CheckState.NOT_RUN:
        return [("images not checked: K starts it", "warn"), *more]
    return [(f"✓ {status.done:,} images checked", "good"), *more, *_said(flags)]


def _said(flags: api.ImageFlags | api.SonotuneError | None) -> list[Piece]:
    if isinstance(flags, api.SonotuneError):
        return [(f"✗ {flags.title}", "bad")]
    if flags is None:
        return [("looking for near-duplicates …", "dim")]
    kinds = (api.FlagKind.UNREADABLE, api.FlagKind.CHANGED, api.FlagKind.BLANK, api.FlagKind.TINY)
    crossing = [(f"≈ {flags.crossing_pairs:,} {_pairs(flags.crossing_pairs)} across splits", "bad")]
    found = [(kind, flags.count(kind)) for kind in kinds]
    words = [
        (f"{_sign(kind)} {count:,} {kind}", "bad" if _sign(kind) == "✗" else "warn") for kind, count in found if count
    ]
    return [*(crossing if flags.crossing_pairs else []), *words] or [("nothing found", "dim")]


def _pairs(count: int) -> str:
    return "pair" if count == 1 else "pairs"


def _sign(kind: api.FlagKind) -> str:
    return "✗" if kind in (api.FlagKind.UNREADABLE, api.FlagKind.CHANGED) else "!"
