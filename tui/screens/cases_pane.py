"""One case: its picture, and what every evaluation says of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from textual import on
from textual.app import ComposeResult
from textual.containers import Container
from textual.timer import Timer

from engine import api
from tui.screens.cases_details import CaseAnswers, KnownCase
from tui.screens.cases_text import case_paragraphs
from tui.screens.dataset_image import GRACE_SECONDS, READING
from tui.screens.dataset_pictures import Loader, Picture, Pictures, Wish
from tui.widgets.image import ImagePreview
from tui.widgets.lines import Lines

if TYPE_CHECKING:
    from tui.app import Workbench


class CasePane(Container):
    """Shows one case at a time; pictures come from a thread of their own, answers from the poller."""

    def __init__(self, protocol: str, loader: Loader | None = None, *, id: str | None = None) -> None:  # noqa: A002
        """Make the pane; `protocol` is that of `ImagePreview`, `loader` that of `Pictures`."""
        super().__init__(id=id)
        self.drawn: Wish | None = None
        """The picture that is to be seen."""
        self.decision = api.Decision.TEXT
        self._protocol, self._loader = protocol, loader
        self._pictures: Pictures | None = None
        self._answers: CaseAnswers | None = None
        self._path = ""
        self._around: Sequence[str] = ()
        self._root: Path | None = None
        self._mode = "stretched"
        self._reason = ""
        self._preview: api.Preview | None = None
        self._grace: Timer | None = None

    def compose(self) -> ComposeResult:
        """Picture and words; the style sheet lays them beside or below each other."""
        yield ImagePreview(self._protocol, id="picture")
        yield Lines(id="replies")

    # ----- from the screen

    def set_evaluations(self, evaluations: Sequence[int]) -> None:
        """Whose answers are shown."""
        if self._answers is not None:
            self._answers.stop()
        self._answers = CaseAnswers(cast("Workbench", self.app).poller, evaluations, self._told)
        self._show()

    def show_case(self, path: str, root: Path | None, around: Sequence[str] = ()) -> None:
        """Show an image of the list, or none ("").

        Args:
            path: relative to the image root.
            root: the image root where it is known; the answers know it too.
            around: images to load ahead, the likeliest first.
        """
        if path != self._path:
            self._reason = ""
        self._path, self._around, self._root = path, around, root or self._root
        self._show()

    def show_decision(self, decision: api.Decision) -> None:
        """Show outcomes by text or by threshold."""
        self.decision = decision
        self._show()

    def toggle_raw(self) -> None:
        """Grey levels as they are in the file, or stretched again."""
        self._mode = "stretched" if self._mode == "raw" else "raw"
        self._show_picture()

    def on_unmount(self) -> None:
        """The thread ends with the pane."""
        for source in (self._pictures, self._answers):
            if source is not None:
                source.stop()
        self._pictures = self._answers = None

    def _show(self) -> None:
        if not self.query(ImagePreview):  # not composed yet: the picture says when it has a size
            return
        self._show_picture()
        self._show_words()
        if self._path and self._answers is not None:
            self._answers.want(self._path)
            self.call_after_refresh(self._look_ahead)

    def _look_ahead(self) -> None:
        """Once this case is on the screen, so that the work of threads does not hold it up: load its neighbours."""
        if not self.is_attached or not self._path or self._answers is None:
            return
        self._answers.want(self._path, self._around)
        wish = self._wish(self._path)
        if wish is not None:
            ahead = (self._wish(path) for path in self._around)
            self._thread().want(wish, [each for each in ahead if each is not None])

    # ----- the picture

    @on(ImagePreview.BoxChanged)
    def _fitted(self) -> None:
        """The picture has another size, or its first one."""
        self._show()

    def _show_picture(self) -> None:
        preview = self.query_one(ImagePreview)
        self._stop_grace()
        wish = self._wish(self._path)
        if wish is None:
            self.drawn = self._preview = None
            preview.show(None)
            return
        pictures = self._thread()
        kept = pictures.cached(wish)
        if kept is not None:
            self._draw(wish, kept)
        else:
            pictures.want(wish)
            if wish != self.drawn:
                self._grace = self.set_timer(GRACE_SECONDS, self._still_reading)

    def _wish(self, path: str) -> Wish | None:
        box = self.query_one(ImagePreview).box
        return Wish(self._root, path, box, self._mode) if path and self._root is not None and all(box) else None

    def _thread(self) -> Pictures:
        if self._pictures is None:
            workbench = cast("Workbench", self.app)  # the thread could not ask for it while the pane is taken down
            self._pictures = Pictures(
                lambda picture: workbench.from_thread(lambda: self._arrived(picture)), self._loader
            )
            self._pictures.start()
        return self._pictures

    def _arrived(self, picture: Picture) -> None:
        if not self.is_attached or picture.wish != self._wish(self._path):
            return  # late: another one has been asked for
        self._stop_grace()
        if picture.preview is None:
            self.drawn, self._preview = picture.wish, None
            self.query_one(ImagePreview).show(None, api.one_line(picture.wish.path), picture.reason)
        elif picture.preview is not self._preview or picture.wish != self.drawn:
            self._draw(picture.wish, picture.preview)
        if self._reason != picture.reason:
            self._reason = picture.reason
            self._show_words()

    def _draw(self, wish: Wish, preview: api.Preview) -> None:
        self.drawn, self._preview = wish, preview
        size = f"{preview.original_width}×{preview.original_height}"
        self.query_one(ImagePreview).show(preview, f"{size} {wish.mode}")

    def _stop_grace(self) -> None:
        if self._grace is not None:
            self._grace.stop()
            self._grace = None

    def _still_reading(self) -> None:
        """It takes long: no other image may be taken for this one."""
        self.drawn = self._preview = None
        self.query_one(ImagePreview).show(None, api.one_line(self._path), READING)

    # ----- the words

    def known(self) -> KnownCase | None:
        """What is known of the case that is shown."""
        return None if self._answers is None else self._answers.kept(self._path)

    def _told(self, path: str, error: api.SonotuneError | None) -> None:
        if not self.is_attached or path != self._path:
            return
        if error is not None:
            self.query_one(Lines).show_paragraphs([[(error.title, "bad")], [(error.reason, "text")]])
            return
        known = self.known()
        if self._root is None and known is not None and known.details.root is not None:
            self._root = known.details.root
            self._show_picture()
            self.call_after_refresh(self._look_ahead)
        self._show_words()

    def _show_words(self) -> None:
        known, lines = self.known(), self.query_one(Lines)
        if not self._path:
            lines.show_paragraphs([])
        elif known is not None:
            lines.show_paragraphs(case_paragraphs(known.details, known.quality, self.decision, self._reason))
