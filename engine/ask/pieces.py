"""From tokens to text while an answer is still being generated. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

UNFINISHED = "\N{REPLACEMENT CHARACTER}"
MOST_HELD = 8
"""Tokens that may wait for the rest of a character: its bytes come in four tokens at most. What is still unfinished
then is no character, and waiting on would make the time grow with the square of the answer."""


class Pieces:
    """Hands out text as soon as it is whole, without white space at either end, as `Encoder.decode` gives it.

    The tokens of Qwen3-VL are pieces of bytes, so the text of an answer is that of its tokens one after the other, but
    for a character whose bytes are spread over several of them: those are held back until it is whole.
    """

    def __init__(self, decode: Callable[[Sequence[int]], str], deliver: Callable[[str], None]) -> None:
        self._decode = decode
        self._deliver = deliver
        self._held: list[int] = []
        self._blank = ""
        """White space that is handed out only where something follows it."""
        self._begun = False

    def add(self, token: int) -> None:
        """Take the next token."""
        self._held.append(token)
        text = self._decode(self._held)
        if not text.endswith(UNFINISHED) or len(self._held) >= MOST_HELD:
            self._held.clear()
            self._hand_out(text)

    def finish(self) -> None:
        """There is no next token: hand out what was held back."""
        if self._held:
            self._hand_out(self._decode(self._held))
            self._held.clear()

    def _hand_out(self, text: str) -> None:
        text = self._blank + text if self._begun else text.lstrip()
        kept = text.rstrip()
        self._blank = text[len(kept) :]
        if kept:
            self._begun = True
            self._deliver(kept)
