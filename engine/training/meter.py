"""How fast the training steps are. Plain counting, so that recording costs next to nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch


@dataclass(slots=True)
class StepMeter:
    """Samples, tokens and seconds of the current optimizer step.

    A step lasts from the end of the last one to its own end, data loading included. Checkpoints and validation losses
    come between two steps and are left out, because `mark` is called after them; answers are looked at before the
    figures of their step are taken, so that is a pause within it.
    """

    clock: Callable[[], float] = time.perf_counter
    samples: int = 0
    tokens: int = 0
    waited: float = 0.0
    """Seconds of this step in which the next batches were waited for."""
    _since: float | None = None

    def mark(self) -> None:
        """Start counting time from now."""
        self._since = self.clock()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """What happens inside is no part of the current step's time, which goes on afterwards."""
        if torch.cuda.is_available():
            torch.cuda.synchronize()  # work of the step that is still queued belongs to the step
        begun = self.clock()
        try:
            yield
        finally:
            if self._since is not None:
                self._since += self.clock() - begun

    def count(self, samples: int, tokens: int) -> None:
        """Add a micro-batch."""
        self.samples += samples
        self.tokens += tokens

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """What happens inside is waiting for data."""
        begun = self.clock()
        try:
            yield
        finally:
            self.waited += self.clock() - begun

    def forget(self) -> None:
        """Leave out what was counted since the last step: it was a trial."""
        self.samples, self.tokens, self.waited = 0, 0, 0.0
        self.mark()

    def finish_step(self) -> dict[str, float]:
        """Seconds, those of them spent waiting for data, samples and tokens (without pads) a second of the step that
        ends now."""
        now = self.clock()
        seconds = max(now - (now if self._since is None else self._since), 1e-9)
        figures = {
            "step_seconds": seconds,
            "data_seconds": self.waited,
            "samples_per_second": self.samples / seconds,
            "tokens_per_second": self.tokens / seconds,
        }
        self.samples, self.tokens, self.waited = 0, 0, 0.0
        self._since = now
        return figures


def rates(history: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Samples and tokens a second over all steps of a run, from the figures of each; empty without a step.

    From the history and not from a count of its own, because a resumed run gets its history back.
    """
    steps = [entry for entry in history if "step_seconds" in entry]
    seconds = sum(entry["step_seconds"] for entry in steps)
    if not seconds:
        return {}
    names = ("samples_per_second", "tokens_per_second")
    return {name: sum(entry[name] * entry["step_seconds"] for entry in steps) / seconds for name in names}
