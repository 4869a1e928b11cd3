"""Times the steps of a Hugging Face trainer from outside. Import after `unsloth` where that runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from transformers import TrainerCallback

from engine.bench.device import synchronize
from engine.bench.sides.process import tell


class StepClock(TrainerCallback):  # type: ignore[misc]
    """Seconds from the end of one optimizer step to the end of the next, data loading included."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.clock = clock
        self.seconds: list[float] = []
        self.waited: list[float] = []
        """Of these, seconds spent waiting for batches."""
        self._since = 0.0
        self._waiting = 0.0

    def on_train_begin(self, *_args: Any, **_kwargs: Any) -> None:
        """The first step begins."""
        self._since = self.clock()

    def on_step_end(self, *_args: Any, **_kwargs: Any) -> None:
        """A step ends when the GPU is done with it."""
        synchronize()
        now = self.clock()
        self.seconds.append(now - self._since)
        tell(f"step {len(self.seconds)}: {self.seconds[-1]:.2f} s, {self._waiting:.2f} of them waiting for data")
        self.waited.append(self._waiting)
        self._since, self._waiting = now, 0.0

    def watch_data(self, trainer: Any) -> None:
        """Time the fetching of batches of a trainer."""
        fetch = trainer.get_batch_samples

        def timed(*arguments: Any, **options: Any) -> Any:
            begun = self.clock()
            fetched = fetch(*arguments, **options)
            self._waiting += self.clock() - begun
            return fetched

        trainer.get_batch_samples = timed

    def data_share(self, warmup: int) -> float | None:
        """Share of the time after the warm-up that was spent waiting; None without such a step."""
        seconds = sum(self.seconds[warmup:])
        return sum(self.waited[warmup:]) / seconds if seconds else None
