"""`--set key=value`: changes to a recipe from the command line, named as their own source in every message."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

from engine.recipe.text import clean, shown


def apply_overrides(
    mapping: Mapping[str, Any], overrides: Sequence[str]
) -> tuple[dict[str, Any], dict[str, str], list[str]]:
    """`mapping` with `overrides` laid over it; later ones win.

    Args:
        mapping: the recipe as read; left as it is.
        overrides: `section.key=value` (or `name=value`); the value is TOML, a bare word counts as text.

    Returns:
        The changed mapping, the override that set each dotted key, and those that could not be read, in words.
    """
    # two levels are all that is written to; a deep copy would follow a hostile file as deep as it goes
    changed = {key: dict(value) if isinstance(value, dict) else value for key, value in mapping.items()}
    sources: dict[str, str] = {}
    problems = []
    for override in overrides:
        key, equals, text = override.partition("=")
        parts = [part.strip() for part in key.split(".")]
        if not equals or not all(parts) or len(parts) > 2:
            problems.append(f"--set {clean(override)}: write it as section.key=value, such as training.batch=4")
            continue
        target = changed
        if len(parts) == 2:
            inner = changed.setdefault(parts[0], {})
            if not isinstance(inner, dict):
                problems.append(f"--set {clean(override)}: {clean(parts[0])} holds {shown(inner)} and has no keys")
                continue
            target = inner
        target[parts[-1]] = read_value(text)
        sources[".".join(parts)] = f"--set {clean(override)}"
    return changed, sources, problems


def read_value(text: str) -> Any:
    """A value as TOML reads it; what is no TOML value is text, without the spaces around it."""
    word = text.strip()
    try:
        table = tomllib.loads(f"value = {word}")
    except (ValueError, RecursionError):
        return word
    return table["value"] if list(table) == ["value"] else word
