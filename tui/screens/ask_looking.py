"""The images of the Ask screen: which one is on the screen, and how to get to another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.screen import Screen

from engine import api
from tui.screens.ask_images import SPLITS, ImageChoice, around, facts, place_of, read_images
from tui.screens.ask_picture import AskPicture

if TYPE_CHECKING:
    from tui.app import Workbench


class AskLooking(Screen[None]):
    """Mixin of the Ask screen."""

    workbench: Workbench
    _choice: ImageChoice | None = None
    _at: int = 0
    _file: api.AskImage | None = None
    """An image that was named by its path, instead of one of the list."""
    _first: tuple[str, str] | None = None
    """Dataset and path of the image to begin with."""

    # ----- what the screen gives

    if TYPE_CHECKING:  # what the screen itself gives

        def image_changed(self) -> None:
            """Another picture is on the screen."""

    if TYPE_CHECKING:

        def show_facts(self, facts: str) -> None:
            """Of `WorkbenchScreen`."""

    # ----- the image

    def _read_images(self, dataset: str, split: str) -> None:
        self.workbench.poller.ask(lambda live: read_images(live, dataset, split), self._show_images, self._no_images)

    def _show_images(self, choice: ImageChoice) -> None:
        before = self._item_path()
        self._choice, self._file = choice, None
        self._at = place_of(choice, before or (self._first[1] if self._first is not None else ""))
        self._show_image()

    def _no_images(self, error: api.SonotuneError) -> None:
        self.query_one(AskPicture).show(None, "", words=f"{error.title}\n{error.reason}\ni names an image file.")

    def _item_path(self) -> str:
        choice = self._choice
        return choice.items[self._at].path if choice is not None and choice.items else ""

    def _show_image(self) -> None:
        picture, choice = self.query_one(AskPicture), self._choice
        if self._file is not None:
            picture.show(self._file.file.parent, self._file.file.name)
        elif choice is None or not choice.items:
            words = f"no image of the {choice.split} split · s: another split" if choice is not None else "no image"
            picture.show(None, "", words=words)
        else:
            item = choice.items[self._at]
            picture.show(choice.root, item.path, "", around(choice, self._at))
        self.show_facts(self._facts())
        self.image_changed()

    def _facts(self) -> str:
        if self._file is not None:
            return f"file · {self._file.path}"
        choice = self._choice
        return "" if choice is None or not choice.items else facts(choice, self._at)

    def action_image(self, by: int) -> None:
        """A neighbour in the list."""
        choice = self._choice
        if self._file is not None:
            self._file = None
        elif choice is not None and choice.items:
            self._at = max(0, min(self._at + by, len(choice.items) - 1))
        self._show_image()

    def action_split(self) -> None:
        """Images of the next split."""
        if self._choice is not None:
            place = SPLITS.index(self._choice.split)
            self._read_images(self._choice.dataset, SPLITS[(place + 1) % len(SPLITS)])

    def show_file(self, image: api.AskImage) -> None:
        """An image that was named: a file, or one of a dataset."""
        if image.dataset is None:
            self._file = image
            self._show_image()
        else:
            self._first, self._choice = (image.dataset, image.path), None
            self._read_images(image.dataset, "all")

    def is_here(self, image: api.AskImage) -> bool:
        """Whether it is the picture on the screen."""
        if image.dataset is None or self._file is not None:
            return self._file is not None and image.file == self._file.file
        return self._choice is not None and (image.dataset, image.path) == (self._choice.dataset, self._item_path())

    def show_again(self, image: api.AskImage) -> None:
        """The picture of an earlier question, where it is in reach."""
        choice = self._choice
        if image.dataset is None:
            self._file = image
        elif choice is not None and choice.dataset == image.dataset:
            paths = [item.path for item in choice.items]
            if image.path in paths:
                self._file, self._at = None, paths.index(image.path)
        self._show_image()
