"""From wordings and answers to token ids: the processor's own chat template, with the answer kept apart."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

END_TOKEN = "<|im_end|>"  # noqa: S105 - a marker of the chat template, not a secret
"""Ends the assistant's turn; it is trained, so that the model learns to stop."""


class Encoder:
    """Token ids of prompts and answers for one processor.

    Training and evaluation both encode through this class, so a model is asked exactly as it was trained.
    """

    def __init__(self, processor: Any) -> None:
        self.processor = processor
        self.tokenizer = processor.tokenizer
        self.image_token = processor.image_token
        self.image_token_id: int = processor.image_token_id
        self.end_id: int = self.tokenizer.convert_tokens_to_ids(END_TOKEN)
        pad = self.tokenizer.pad_token_id
        self.pad_id: int = self.end_id if pad is None else pad
        # One entry for each (wording, image size) of a run: dozens at most.
        self._prompt = lru_cache(maxsize=4096)(self._encode_prompt)
        self._answer = lru_cache(maxsize=65536)(self._encode_answer)

    def prompt(self, text: str, image_tokens: int) -> tuple[int, ...]:
        """Ids of the user turn (one image of `image_tokens` merged tokens, then `text`) and the generation prompt."""
        return self._prompt(text, image_tokens)

    def answer(self, text: str) -> tuple[int, ...]:
        """Ids of an answer and its end token.

        Answers come from data: a text that spells a special token (`<|im_end|>`, `<|image_pad|>`) is read as plain
        characters, so it can neither end a turn nor unsettle the count of image tokens.
        """
        return self._answer(text)

    def decode(self, ids: Any) -> str:
        """Text of generated ids without special tokens."""
        return str(self.tokenizer.decode(ids, skip_special_tokens=True)).strip()

    def _encode_prompt(self, text: str, image_tokens: int) -> tuple[int, ...]:
        content = [{"type": "image"}, {"type": "text", "text": text}]
        rendered = self.processor.apply_chat_template(
            [{"role": "user", "content": content}], tokenize=False, add_generation_prompt=True
        )
        rendered = rendered.replace(self.image_token, self.image_token * image_tokens, 1)
        return tuple(self.tokenizer(rendered, add_special_tokens=False)["input_ids"])

    def _encode_answer(self, text: str) -> tuple[int, ...]:
        ids = self.tokenizer(text.strip(), add_special_tokens=False, split_special_tokens=True)["input_ids"]
        return (*ids, self.end_id)
