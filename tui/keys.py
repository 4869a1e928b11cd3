"""Keys that a user may set: by the ids of bindings, which `?` shows."""

from __future__ import annotations

import importlib
import string
from collections.abc import Iterator, Mapping

from textual.binding import Binding
from textual.dom import DOMNode
from textual.keys import Keys, _character_to_key, key_to_character

import tui

_MODIFIERS = ("ctrl", "shift", "alt", "super", "hyper", "meta")


def key_problems(keys: Mapping[str, str]) -> list[str]:
    """What is wrong with keys that a user has set, a sentence each; slow, because it imports every screen.

    Args:
        keys: keys by binding id, several of them with commas between.
    """
    from difflib import get_close_matches

    known = binding_ids()
    problems = []
    for name, wanted in keys.items():
        if name not in known:
            near = get_close_matches(name, known, 1)
            problems.append(
                f"[keys] there is no {name}{f'; did you mean {near[0]}?' if near else ': ? shows the names'}"
            )
        problems += [
            f"[keys] {name}: there is no key {key.strip() or 'without a name'}"
            for key in wanted.split(",")
            if not _is_key(key.strip())
        ]
    return problems + _clashes(keys)


def _clashes(keys: Mapping[str, str]) -> list[str]:
    """Keys that are taken from something else in the same place."""
    problems: dict[str, None] = {}
    for node in _nodes():
        bindings = [binding for _, binding in node._merged_bindings or ()]
        for name, wanted in keys.items():
            if not any(binding.id == name for binding in bindings):
                continue
            taken = {_character_to_key(key) if len(key) == 1 else key for key in map(str.strip, wanted.split(","))}
            for other in bindings:
                if other.key in taken and other.id != name and other.id not in keys:
                    problems[f"[keys] {name}: {other.key} was {other.description} ({other.id or other.action})"] = None
    return [*problems]


def _nodes() -> list[type[DOMNode]]:
    """Everything of the workbench that may have keys."""
    import pkgutil

    for module in pkgutil.walk_packages(tui.__path__, "tui."):
        importlib.import_module(module.name)
    return [node for node in _below(DOMNode) if node.__module__.startswith("tui.")]


def binding_ids() -> frozenset[str]:
    """Ids of all bindings of the workbench."""
    return frozenset(
        binding.id
        for node in _nodes()
        for binding in node.__dict__.get("BINDINGS", ())
        if isinstance(binding, Binding) and binding.id
    )


def _below(node: type[DOMNode]) -> Iterator[type[DOMNode]]:
    for each in node.__subclasses__():
        yield each
        yield from _below(each)


def _is_key(key: str) -> bool:
    """Whether a terminal could send it: `o`, `ctrl+o`, `f5`, `question_mark`."""
    *modifiers, last = key.split("+") if len(key) > 1 else [key]
    if not all(each in _MODIFIERS for each in modifiers):
        return False
    return len(last) == 1 or last in _NAMED or character_of(last) is not None


_NAMED = frozenset(key.value for key in Keys)
_CHARACTERS = {_character_to_key(character): character for character in string.printable.strip()}


def character_of(key: str) -> str | None:
    """The character that a key types, such as `/` for `slash`; None for keys that type none."""
    if len(key) == 1:
        return key
    return _CHARACTERS.get(key) or key_to_character(key)
