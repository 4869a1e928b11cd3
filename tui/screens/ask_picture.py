"""The picture that is asked about; decoded in a thread of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from textual import on
from textual.app import ComposeResult
from textual.containers import Container

from engine import api
from tui.screens.dataset_pictures import Picture, Pictures, Wish
from tui.widgets.image import ImagePreview

if TYPE_CHECKING:
    from tui.app import Workbench

MODE = "stretched"
READING = "reading the image …"


class AskPicture(Container):
    """Shows one image at a time, and loads its neighbours ahead."""

    def __init__(self, protocol: str, *, id: str | None = None) -> None:  # noqa: A002
        """Make it; `protocol` is that of `ImagePreview`."""
        super().__init__(id=id)
        self.drawn: Wish | None = None
        """The picture that is to be seen."""
        self._protocol = protocol
        self._place: tuple[Path, str] | None = None
        self._caption = ""
        self._around: Sequence[tuple[Path, str]] = ()
        self._pictures: Pictures | None = None

    def compose(self) -> ComposeResult:
        """The preview alone."""
        yield ImagePreview(self._protocol)

    def show(
        self, root: Path | None, path: str, caption: str = "", around: Sequence[str] = (), words: str = "no image"
    ) -> None:
        """Show an image, or say in words why there is none.

        Args:
            root: folder that it must lie under; None: there is no image.
            path: of the file below it; untrusted text.
            caption: what stands below it.
            around: paths to load ahead, the likeliest first.
            words: why there is no image.
        """
        self._place = None if root is None else (root, path)
        self._around = () if root is None else [(root, each) for each in around]
        self._caption = caption
        if root is None:
            self.drawn = None
            self._preview.show(None, "", words)
        else:
            self._load()

    @property
    def _preview(self) -> ImagePreview:
        return self.query_one(ImagePreview)

    @on(ImagePreview.BoxChanged)
    def _load(self) -> None:
        box = self._preview.box
        if self._place is None or not all(box):
            return
        wish = self._wish(self._place)
        kept = self._thread().cached(wish)
        if kept is not None:
            self._draw(wish, kept)
        elif self.drawn is None or (self.drawn.root, self.drawn.path) != self._place:
            self.drawn = None
            self._preview.show(None, self._caption, READING)
        self._thread().want(wish, [self._wish(each) for each in self._around])

    def _wish(self, place: tuple[Path, str]) -> Wish:
        return Wish(*place, self._preview.box, MODE)

    def _thread(self) -> Pictures:
        if self._pictures is None:
            workbench = cast("Workbench", self.app)  # the thread could not ask for it while this is taken down
            self._pictures = Pictures(lambda picture: workbench.from_thread(lambda: self._arrived(picture)))
            self._pictures.start()
        return self._pictures

    def _arrived(self, picture: Picture) -> None:
        if not self.is_attached or self._place is None or picture.wish != self._wish(self._place):
            return  # late: another one has been asked for
        if picture.preview is None:
            self.drawn = picture.wish
            self._preview.show(None, self._caption, picture.reason)
        else:
            self._draw(picture.wish, picture.preview)

    def _draw(self, wish: Wish, preview: api.Preview) -> None:
        self.drawn = wish
        self._preview.show(preview, self._caption)

    def on_unmount(self) -> None:
        """The thread ends with the screen."""
        if self._pictures is not None:
            self._pictures.stop()
