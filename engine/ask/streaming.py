"""One greedy answer, piece by piece, with the decoding of evaluations: the same text, only sooner on the screen."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from transformers import StoppingCriteria, StoppingCriteriaList
from transformers.generation.streamers import BaseStreamer

from engine.ask.pieces import Pieces
from engine.evaluation.generate import GREEDY, end_ids
from engine.training.encoding import Encoder


@dataclass(frozen=True, slots=True)
class Streamed:
    """A whole answer."""

    text: str
    """Without special tokens and stripped, as `engine.evaluation.generate.Generated.text`."""
    tokens: int
    """Generated tokens, the end token counted."""
    cut_off: bool
    """No end token within max_new_tokens; never of a cancelled answer."""
    cancelled: bool
    seconds: float
    first_token_seconds: float | None


@torch.inference_mode()
def stream_answer(
    model: Any,
    encoder: Encoder,
    batch: dict[str, torch.Tensor],
    max_new_tokens: int,
    deliver: Callable[[str], None],
    cancelled: Callable[[], bool] = lambda: False,
    clock: Callable[[], float] = time.perf_counter,
) -> Streamed:
    """Generate one answer and hand out its text as it comes.

    Args:
        model: Qwen3-VL, with or without PEFT.
        encoder: of its processor.
        batch: one prompt (`engine.evaluation.generate.prompt_batch`).
        max_new_tokens: longest answer in tokens.
        deliver: gets each piece of text; joined, the pieces are the answer.
        cancelled: looked at after each token; True ends the answer there.
        clock: seconds.
    """
    ends = end_ids(model, encoder)
    tokens = _Tokens(Pieces(lambda ids: encoder.tokenizer.decode(ids, skip_special_tokens=True), deliver), ends, clock)
    started = clock()
    stopping = _Stopping(cancelled)
    model.generate(
        **batch,
        max_new_tokens=max_new_tokens,
        eos_token_id=ends,
        pad_token_id=encoder.pad_id,
        streamer=tokens,
        stopping_criteria=StoppingCriteriaList([stopping]),
        **GREEDY,
    )
    seconds = clock() - started
    tokens.pieces.finish()
    stopped = stopping.asked and not tokens.ended
    return Streamed(
        text=encoder.decode(tokens.ids),
        tokens=tokens.count,
        cut_off=not tokens.ended and not stopped,
        cancelled=stopped,
        seconds=seconds,
        first_token_seconds=None if tokens.first_at is None else tokens.first_at - started,
    )


class _Tokens(BaseStreamer):  # type: ignore[misc]  # transformers is untyped
    """Takes the tokens from `generate`: first all those of the prompt at once, then each new one."""

    def __init__(self, pieces: Pieces, ends: Iterable[int], clock: Callable[[], float]) -> None:
        self.pieces = pieces
        self.ids: list[int] = []
        """Of the answer, without its end."""
        self.count = 0
        self.ended = False
        self.first_at: float | None = None
        self._ends = frozenset(ends)
        self._clock = clock
        self._prompt = True

    def put(self, value: torch.Tensor) -> None:
        """The next token."""
        if self._prompt:
            self._prompt = False
            return
        if self.first_at is None:
            self.first_at = self._clock()
        for token in value.reshape(-1).tolist():
            if self.ended:
                return
            self.count += 1
            if token in self._ends:
                self.ended = True
            else:
                self.ids.append(token)
                self.pieces.add(token)

    def end(self) -> None:
        """Nothing: what is held back is handed out by `stream_answer`."""


class _Stopping(StoppingCriteria):  # type: ignore[misc]  # transformers is untyped
    """Ends the generation where the answer has been cancelled."""

    def __init__(self, cancelled: Callable[[], bool]) -> None:
        self._cancelled = cancelled
        self.asked = False

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        """One flag a row of the batch."""
        self.asked = self.asked or self._cancelled()
        return torch.full((input_ids.shape[0],), self.asked, dtype=torch.bool, device=input_ids.device)
