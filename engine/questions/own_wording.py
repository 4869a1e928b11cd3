"""What a wording of the user must not hold. Pure: recipes and the Ask screen refuse alike."""

from __future__ import annotations

import re
import unicodedata

_SPECIAL_TOKEN = re.compile(r"<\|[^|<>]{0,60}\|>")
_KEPT = frozenset("\n\t\u200c\u200d")
"""Control and format characters that stay: line ends, tabs, and the joiners that some scripts are written with."""


def special_token(text: str) -> str | None:
    """The first token of the chat template that `text` spells, such as `<|image_pad|>`; None where there is none.

    A prompt passes through the chat template as text, and the tokenizer would read the token: it would end the turn,
    or ask for one more image than there is.
    """
    found = _SPECIAL_TOKEN.search(text)
    return found and found[0]


def wording_fault(text: str) -> str | None:
    """What is wrong with a wording, in words; None where nothing is.

    Nothing is cut out of it: a recipe tells everything, so what it holds is what the model reads.
    """
    special = special_token(text)
    if special is not None:
        return f"it spells {special}, a token of the chat template, which the model would not read as text"
    for character in text:
        category = unicodedata.category(character)
        if character not in _KEPT and (category.startswith("C") or category in {"Zl", "Zp"}):
            return f"it holds the control or format character U+{ord(character):04X}"
    return None
