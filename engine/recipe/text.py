"""How values of a recipe are shown in a message. What stands in a recipe is untrusted text until it was checked."""

from __future__ import annotations

import json
from collections.abc import Iterable

SHOWN_CHARACTERS = 60


def shown(value: object) -> str:
    """`value` as TOML would write it, on one line, without control characters, cut at 60 characters."""
    if isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, str):
        text = json.dumps(value[: SHOWN_CHARACTERS + 1], ensure_ascii=False)
    elif isinstance(value, (list, tuple)):
        text = "[" + ", ".join(shown(item) for item in value[:8]) + (", …" if len(value) > 8 else "") + "]"
    elif isinstance(value, dict):
        text = "a section"
    elif isinstance(value, int) and value.bit_length() > 200:
        text = "a number of more than 60 digits"  # Python refuses to print very long ones
    else:
        text = str(value)
    return clean(text)


def clean(text: str) -> str:
    """`text` with everything that a terminal would obey written as an escape, cut at 60 characters."""
    short = text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in short
    )


def quoted(words: Iterable[str]) -> str:
    """`"a", "b"` for a list of choices."""
    return ", ".join(f'"{word}"' for word in words)
