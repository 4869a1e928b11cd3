"""Which of the known names a person may have meant."""

from __future__ import annotations

from collections.abc import Iterable

from engine.text import one_line

LISTED = 20
"""Names listed where none is near."""
COMPARED = 60
"""Characters compared: likeness takes time with the square of the length."""


def near_names(text: str, names: Iterable[str]) -> str:
    """A sentence with the names that are like `text`; with all of them, or the first of many, where none is."""
    import difflib  # only when something is wrong

    known = {name.lower(): name for name in names}
    word = text.lower()[:COMPARED]
    near = difflib.get_close_matches(word, known, n=3, cutoff=0.6)
    near += [name for name in known if len(word) > 1 and word in name and name not in near][: 5 - len(near)]
    if near:
        return f"Did you mean {' or '.join(one_line(known[name]) for name in near)}?"
    shown = ", ".join(one_line(name) for name in list(known.values())[:LISTED])
    return f"Choose: {shown}{', …' if len(known) > LISTED else ''}."
