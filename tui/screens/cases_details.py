"""What evaluations say of images, for the pane of a case: of the image wished for last first, then of its neighbours.

One question to the poller at a time: a held key builds up no queue, and the neighbours' answers are there before the
cursor is. What the image check knows follows after the answers, because its results may have to be read first.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from engine import api
from tui.poller import Poller

MOST_KEPT = 64


@dataclass(slots=True)
class KnownCase:
    """What is known of one image."""

    details: api.CaseDetails
    quality: api.CaseQuality | None = None


class CaseAnswers:
    """Belongs to the thread of the screens."""

    def __init__(
        self, poller: Poller, evaluations: Sequence[int], tell: Callable[[str, api.SonotuneError | None], None]
    ):
        """Make it.

        Args:
            poller: whom to ask.
            evaluations: those that stand side by side.
            tell: gets the path of the image that was wished for last when more is known of it, or why nothing is.
        """
        self._poller, self._evaluations, self._tell = poller, tuple(evaluations), tell
        self._kept: OrderedDict[str, KnownCase] = OrderedDict()
        self._wishes: list[str] = []
        self._first = ""
        self._busy = self._ended = False

    def want(self, path: str, ahead: Sequence[str] = ()) -> None:
        """Ask for this one, then for those that are likely to come next; earlier wishes are forgotten."""
        self._first = path
        self._wishes = [path, *ahead]
        if path in self._kept:
            self._kept.move_to_end(path)
            self._ask_quality(path)
        self._ask()

    def kept(self, path: str) -> KnownCase | None:
        """What is known already."""
        return self._kept.get(path)

    def stop(self) -> None:
        """Tell nothing any more."""
        self._ended = True
        self._wishes.clear()

    def _ask(self) -> None:
        self._wishes = [each for each in self._wishes if each not in self._kept]  # it may have come meanwhile
        if self._busy or not self._wishes:
            return
        self._busy = True
        path, evaluations = self._wishes.pop(0), self._evaluations
        self._poller.ask(
            lambda live: api.case_details(live, evaluations, path),
            self._arrived,
            lambda error: self._settle(path, error),
        )

    def _arrived(self, details: api.CaseDetails) -> None:
        self._kept[details.path] = KnownCase(details)
        if len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        self._settle(details.path, None)
        if details.path == self._first:
            self._ask_quality(details.path)

    def _settle(self, path: str, error: api.SonotuneError | None) -> None:
        self._busy = False
        if not self._ended:
            if path == self._first:
                self._tell(path, error)
            self._ask()

    def _ask_quality(self, path: str) -> None:
        known = self._kept.get(path)
        if known is None or known.quality is not None or known.details.image is None or self._ended:
            return
        dataset = known.details.image.dataset

        def arrived(quality: api.CaseQuality) -> None:
            known.quality = quality
            if not self._ended and path == self._first:
                self._tell(path, None)

        def failed(error: api.SonotuneError) -> None:
            arrived(api.CaseQuality((), (f"What the image check found cannot be read. {error.title}",), checked=False))

        self._poller.ask(lambda live: api.case_quality(live, dataset, path), arrived, failed)
