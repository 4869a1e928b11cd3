"""The pane of the chosen image: its preview, and the eight questions with their answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.timer import Timer

from engine import api
from tui.screens.dataset_descriptions import Described, Descriptions
from tui.screens.dataset_lists import short_path
from tui.screens.dataset_pictures import Loader, Picture, Pictures, Wish
from tui.screens.dataset_text import details_paragraphs, flag_paragraph, waiting_paragraphs
from tui.widgets.image import ImagePreview
from tui.widgets.lines import Lines

if TYPE_CHECKING:
    from tui.app import Workbench

GRACE_SECONDS = 0.15
"""So long the last picture stays while the next one is being read: quick ones follow each other without a flicker."""
READING = "reading the image …"


class ImagePane(Vertical):
    """Shows one image at a time; pictures come from a thread of its own, answers from the poller."""

    @dataclass
    class Looked(Message):
        """A file has been read: `reason` says why it cannot be shown, "" that it can."""

        item: api.ImageItem
        reason: str

    class Outdated(Message):
        """The image is another one than the list says: the dataset has been imported again."""

    def __init__(self, protocol: str, loader: Loader | None = None, *, id: str | None = None) -> None:  # noqa: A002
        """Make the pane; `protocol` is that of `ImagePreview`, `loader` that of `Pictures`."""
        super().__init__(id=id)
        self.drawn: Wish | None = None
        """The picture that is to be seen."""
        self._protocol, self._loader = protocol, loader
        self._pictures: Pictures | None = None
        self._root = Path()
        self._item: api.ImageItem | None = None
        self._around: Sequence[api.ImageItem] = ()
        self._mode = "stretched"
        self._preview: api.Preview | None = None
        self._descriptions: Descriptions | None = None
        self._known, self._reason = "", ""
        self._flag: api.ImageFlag | None = None
        self._outdated: api.ImageItem | None = None
        self._grace: Timer | None = None

    def compose(self) -> ComposeResult:
        """Preview above, answers below."""
        yield ImagePreview(self._protocol, id="preview")
        yield Lines(id="answers")

    # ----- from the screen

    def show_item(
        self,
        item: api.ImageItem | None,
        root: Path = Path(),
        around: Sequence[api.ImageItem] = (),
        known: str = "",
        flag: api.ImageFlag | None = None,
    ) -> None:
        """Show an image of the list, or none.

        Args:
            item: the image.
            root: where its file lies.
            around: images to load ahead, the likeliest first.
            known: what a check has found to be wrong with the file.
            flag: what else is the matter with the image.
        """
        if item != self._item or root != self._root:
            self._reason = ""
        self._root, self._item, self._around, self._known, self._flag = root, item, around, known, flag
        self._show_picture()
        self._show_details()
        if item is not None and self._details() is None:
            self._answers().want(item.id)

    def toggle_raw(self) -> None:
        """Grey levels as they are in the file, or stretched again."""
        self._mode = "stretched" if self._mode == "raw" else "raw"
        self._show_picture()

    def forget(self) -> None:
        """Drop what was loaded: files of the same names may be other ones now."""
        for source in (self._pictures, self._descriptions):
            if source is not None:
                source.stop()
        self._pictures, self._descriptions, self.drawn, self._preview = None, None, None, None

    def on_unmount(self) -> None:
        """The thread ends with the pane."""
        self.forget()

    # ----- the picture

    @on(ImagePreview.BoxChanged)
    def _show_picture(self) -> None:
        preview = self.query_one(ImagePreview)
        self._stop_grace()
        if self._item is None:
            self.drawn = None
            preview.show(None)
            return
        if not all(preview.box):
            return
        wish, pictures = self._wish(self._item), self._thread()
        kept = pictures.cached(wish)
        if kept is not None:
            self._draw(wish, kept)
        else:
            pictures.want(wish)
            if wish != self.drawn:
                self._grace = self.set_timer(GRACE_SECONDS, self._still_reading)
        self.call_after_refresh(self._look_ahead)

    def _look_ahead(self) -> None:
        """Once this image is on the screen, so that the work of threads does not hold it up: load its neighbours.

        It is asked for again itself: what is kept of it may have changed since.
        """
        if self._item is not None and self.is_attached and all(self.query_one(ImagePreview).box):
            self._thread().want(self._wish(self._item), [self._wish(item) for item in self._around])
            self._answers().want(self._item.id, [item.id for item in self._around])

    def _wish(self, item: api.ImageItem) -> Wish:
        return Wish(self._root, item.path, self.query_one(ImagePreview).box, self._mode)

    def _thread(self) -> Pictures:
        if self._pictures is None:
            workbench = cast("Workbench", self.app)  # the thread could not ask for it while the pane is taken down
            self._pictures = Pictures(
                lambda picture: workbench.from_thread(lambda: self._arrived(picture)), self._loader
            )
            self._pictures.start()
        return self._pictures

    def _arrived(self, picture: Picture) -> None:
        if not self.is_attached or self._item is None or picture.wish != self._wish(self._item):
            return  # late: another one has been asked for
        self._stop_grace()
        if picture.preview is None:
            self.drawn, self._preview = picture.wish, None
            self.query_one(ImagePreview).show(None, api.one_line(picture.wish.path), picture.reason)
        elif picture.preview is not self._preview or picture.wish != self.drawn:
            self._draw(picture.wish, picture.preview)
        if self._reason != picture.reason:
            self._reason = picture.reason
            self._show_details()
        self.post_message(self.Looked(self._item, picture.reason))

    def _draw(self, wish: Wish, preview: api.Preview) -> None:
        self.drawn, self._preview = wish, preview
        size = f"{preview.original_width}×{preview.original_height}"
        self.query_one(ImagePreview).show(preview, f"{self._place_words()}{size} {wish.mode}")

    def _place_words(self) -> str:
        """What the caption begins with where nothing else says which image it is."""
        item = self._item
        if item is None or self.query_one("#answers").display:
            return ""
        return ", ".join([short_path(item), item.split or "left out", item.verdict or "unanswered", ""])

    def _stop_grace(self) -> None:
        if self._grace is not None:
            self._grace.stop()
            self._grace = None

    def _still_reading(self) -> None:
        """It takes long: no other image may be taken for this one."""
        if self._item is None:
            return
        self.drawn = self._preview = None
        self.query_one(ImagePreview).show(None, api.one_line(self._item.path), READING)
        if self._details() is None:
            self.query_one(Lines).show_paragraphs(waiting_paragraphs(self._item))

    # ----- the answers

    def _answers(self) -> Descriptions:
        if self._descriptions is None:
            self._descriptions = Descriptions(cast("Workbench", self.app).poller, self._described)
        return self._descriptions

    def _described(self, image: int, outcome: Described | api.SonotuneError) -> None:
        item = self._item
        if not self.is_attached or item is None or item.id != image:
            return
        if isinstance(outcome, api.SonotuneError):
            self.query_one(Lines).show_paragraphs([[(outcome.title, "bad")], [(outcome.reason, "text")]])
        if self._details() is not None:
            self._show_details()
        elif item != self._outdated:
            # Once an image: a list that has been read again and still says so would be asked for without end.
            self._outdated = item
            self.post_message(self.Outdated())

    def _details(self) -> Described | None:
        """Those of the image, where they have been read and are those of this very image."""
        if self._item is None or self._descriptions is None:
            return None
        found = self._descriptions.kept(self._item.id)
        return found if found is not None and found.details.path == self._item.path else None

    def _show_details(self) -> None:
        lines, details = self.query_one(Lines), self._details()
        if self._item is None:
            lines.show_paragraphs([])
        elif details is not None:
            known = self._reason or self._known
            lines.show_paragraphs(
                details_paragraphs(details.details, known, lines.size, details.readings, flag_paragraph(self._flag))
            )

    def on_resize(self) -> None:
        """Titles are long or short by the width."""
        self._show_details()
