"""Answers of images for the pane of the dataset screen: those of the image wished for last first, then its neighbours'.

One question to the poller at a time: a held key builds up no queue, and the neighbours' answers are there before the
cursor is.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from engine import api
from tui.poller import Poller

MOST_KEPT = 64


@dataclass(frozen=True, slots=True)
class Described:
    """One image in words."""

    details: api.ImageDetails
    readings: Mapping[str, api.AnswerReading]
    """What its answers are read as, by question."""


Tell = Callable[[int, "Described | api.SonotuneError"], None]


def describe(live: api.Live, image: int) -> Described:
    """Everything known about an image, and what its answers are read as; belongs to the poller's thread."""
    details = api.image_details(live, image)
    return Described(details, api.image_readings(details))


class Descriptions:
    """Belongs to the thread of the screens."""

    def __init__(self, poller: Poller, tell: Tell) -> None:
        """Make it; `tell` gets the outcome for the image that was wished for last, by its id."""
        self._poller, self._tell = poller, tell
        self._kept: OrderedDict[int, Described] = OrderedDict()
        self._wishes: list[int] = []
        self._first = self._asked = -1
        self._busy = self._ended = False

    def want(self, image: int, ahead: Sequence[int] = ()) -> None:
        """Ask for this one, then for those that are likely to come next; earlier wishes are forgotten."""
        self._first = image
        self._wishes = [image, *(each for each in ahead if each not in self._kept)]
        self._ask()

    def kept(self, image: int) -> Described | None:
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
        self._poller.ask(lambda live: describe(live, image), self._arrived, self._failed)

    def _arrived(self, found: Described) -> None:
        self._kept[found.details.id] = found
        self._kept.move_to_end(found.details.id)
        if len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        self._settle(found)

    def _failed(self, error: api.SonotuneError) -> None:
        self._kept.pop(self._asked, None)
        self._settle(error)

    def _settle(self, outcome: Described | api.SonotuneError) -> None:
        self._busy = False
        if not self._ended:
            if self._asked == self._first:
                self._tell(self._asked, outcome)
            self._ask()
