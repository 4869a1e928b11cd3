"""How fast the training steps are. Plain counting, so that recording costs next to nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

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
    _tokens: list[torch.Tensor] = field(default_factory=list)
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

    def count(self, samples: int, tokens: torch.Tensor) -> None:
        """Add a micro-batch; `tokens` stays on its device, so that the GPU is not waited for here."""
        self.samples += samples
        self._tokens.append(tokens)

    def finish_step(self) -> dict[str, float]:
        """Seconds, samples a second and tokens a second (pads not counted) of the step that ends now."""
        now = self.clock()
        seconds = max(now - (now if self._since is None else self._since), 1e-9)
        tokens = sum(int(count.item()) for count in self._tokens)
        figures = {
            "step_seconds": seconds,
            "samples_per_second": self.samples / seconds,
            "tokens_per_second": tokens / seconds,
        }
        self.samples = 0
        self._tokens.clear()
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
