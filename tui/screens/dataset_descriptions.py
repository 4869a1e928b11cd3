"""Answers of images for the pane of the dataset screen: those of the image wished for last first, then its neighbours'.

One question to the poller at a time: a held key builds up no queue, and the neighbours' answers are there before the
cursor is.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence

from engine import api
from tui.poller import Poller

MOST_KEPT = 64

Tell = Callable[[int, "api.ImageDetails | api.SonotuneError"], None]


class Descriptions:
    """Belongs to the thread of the screens."""

    def __init__(self, poller: Poller, tell: Tell) -> None:
        """Make it; `tell` gets the outcome for the image that was wished for last, by its id."""
        self._poller, self._tell = poller, tell
        self._kept: OrderedDict[int, api.ImageDetails] = OrderedDict()
        self._wishes: list[int] = []
        self._first = self._asked = -1
        self._busy = self._ended = False

    def want(self, image: int, ahead: Sequence[int] = ()) -> None:
        """Ask for this one, then for those that are likely to come next; earlier wishes are forgotten."""
        self._first = image
        self._wishes = [image, *(each for each in ahead if each not in self._kept)]
        self._ask()

    def kept(self, image: int) -> api.ImageDetails | None:
        """What was answered before, while an answer of now is on its way."""
        return self._kept.get(image)

    def stop(self) -> None:
        """Tell nothing any more."""
        self._ended = True
        self._wishes.clear()

    def _ask(self) -> None:
        if self._busy or not self._wishes:
            return
        self._busy, self._asked = True, self._wishes.pop(0)
        image = self._asked
        self._poller.ask(lambda live: api.image_details(live, image), self._arrived, self._failed)

    def _arrived(self, details: api.ImageDetails) -> None:
        self._kept[details.id] = details
        self._kept.move_to_end(details.id)
        if len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        self._settle(details)

    def _failed(self, error: api.SonotuneError) -> None:
        self._kept.pop(self._asked, None)
        self._settle(error)

    def _settle(self, outcome: api.ImageDetails | api.SonotuneError) -> None:
        self._busy = False
        if not self._ended:
            if self._asked == self._first:
                self._tell(self._asked, outcome)
            self._ask()
