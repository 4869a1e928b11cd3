"""The one thread that decodes images for the dataset screen: the image wished for last first, then its neighbours.

A wish that is not the last any more is dropped before it is begun, so that a held key never builds up a queue.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from engine import api

MOST_FILES = 4096
"""Located files that are kept in mind."""


@dataclass(frozen=True, slots=True)
class Wish:
    """One preview: of which image, how large, and how its grey levels are shown."""

    root: Path
    path: str
    """Relative to the image root; untrusted text."""
    box: tuple[int, int]
    """Pixels."""
    mode: str
    """`stretched` or `raw`."""


@dataclass(frozen=True, slots=True)
class Picture:
    """What became of a wish."""

    wish: Wish
    preview: api.Preview | None
    reason: str = ""
    """Why there is no preview; untrusted text."""


class Loader(Protocol):
    """What decodes; `engine.api.PreviewLoader` does."""

    def get(self, file: Path, width: int, height: int, mode: api.PreviewMode | str) -> api.Preview:
        """Decode, or take what is kept; SonotuneError says why neither works."""

    def cached(self, file: Path, width: int, height: int, mode: api.PreviewMode | str) -> api.Preview | None:
        """What is kept, without a look at the disk."""


class Pictures(threading.Thread):
    """See the module's text."""

    def __init__(self, tell: Callable[[Picture], None], loader: Loader | None = None) -> None:
        """Make the thread; `start` lets it work.

        Args:
            tell: called in this thread with the outcome of the first of the wishes.
            loader: None: the engine's, which keeps the recent previews.
        """
        super().__init__(name="pictures", daemon=True)
        self._tell = tell
        self._loader = api.PreviewLoader() if loader is None else loader
        self._files: dict[tuple[Path, str], Path] = {}
        self._wishes: list[Wish] = []
        self._first: Wish | None = None
        self._ended = False
        self._changed = threading.Condition()

    # ----- called from the thread of the screens

    def want(self, wish: Wish, ahead: Sequence[Wish] = ()) -> None:
        """Load this one, and then those that are likely to come next; earlier wishes are forgotten."""
        with self._changed:
            self._first, self._wishes = wish, [wish, *ahead]
            self._changed.notify()

    def cached(self, wish: Wish) -> api.Preview | None:
        """The preview where it is in memory; never looks at the disk."""
        file = self._files.get((wish.root, wish.path))
        return None if file is None else self._loader.cached(file, *wish.box, wish.mode)

    def stop(self) -> None:
        """End the thread after the image it is at; it is not waited for."""
        with self._changed:
            self._ended = True
            self._changed.notify()

    # ----- the thread

    def run(self) -> None:
        """Load what is wished for; until `stop`."""
        while (wish := self._next()) is not None:
            picture = self._load(wish)
            if wish == self._first:
                self._tell(picture)

    def _next(self) -> Wish | None:
        with self._changed:
            self._changed.wait_for(lambda: self._wishes or self._ended)
            return None if self._ended else self._wishes.pop(0)

    def _load(self, wish: Wish) -> Picture:
        try:
            file = api.locate_image(wish.root, wish.path)
            preview = self._loader.get(file, *wish.box, wish.mode)
        except api.SonotuneError as error:
            return Picture(wish, None, error.reason or error.title)
        except Exception as error:  # noqa: BLE001 - this thread must live on, and the user must see why
            return Picture(wish, None, f"{type(error).__name__}: {error}")
        if len(self._files) >= MOST_FILES:
            self._files.clear()
        self._files[wish.root, wish.path] = file
        return Picture(wish, preview)
