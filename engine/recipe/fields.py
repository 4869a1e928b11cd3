"""The keys of a recipe as a form shows them: what each may hold, what it is for, and its values as text and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, get_args, get_origin

from pydantic_core import PydanticUndefined

from engine.recipe.models import SECTIONS, Recipe
from engine.recipe.overrides import read_value
from engine.recipe.problems import field_of, valid_values

FieldKind = Literal["bool", "choice", "text", "whole", "number", "list"]

_NUMBERS: Mapping[object, FieldKind] = {bool: "bool", int: "whole", float: "number"}


@dataclass(frozen=True, slots=True)
class RecipeField:
    """One key of a recipe."""

    key: str
    """Dotted, such as `training.batch`."""
    section: str
    """Such as `training`; "" for the keys above all sections."""
    name: str
    """The key without its section."""
    kind: FieldKind
    choices: tuple[str, ...]
    """Words that a choice, a bool or the items of a list may be; empty for text and numbers."""
    description: str
    """The help text of the model."""
    valid: str
    """What may stand here, in words."""
    default: object
    """What a recipe has that does not say it; None where every recipe must say it. Lists are tuples."""


@cache
def recipe_fields() -> tuple[RecipeField, ...]:
    """All keys, in the order of the file."""
    return tuple(_field(key) for key in _keys())


def field_value(field: RecipeField, text: str) -> object:
    """The value that a text typed into a form stands for. What cannot be read stays text, for the check to name it.

    Args:
        field: where it was typed.
        text: spaces around it do not count. Numbers are read as TOML reads them. The items of a list stand between
            commas, or as in TOML.
    """
    word = text.strip()
    if field.kind == "list":
        return _list_value(word)
    return word if field.kind in ("text", "choice") else read_value(word)


def field_text(value: object) -> str:
    """A value as one edits it in a form; `field_value` reads it back. "" for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)


def _keys() -> Iterator[str]:
    yield from (name for name in Recipe.model_fields if name not in SECTIONS)
    for section, model in SECTIONS.items():
        yield from (f"{section}.{name}" for name in model.model_fields)


def _field(key: str) -> RecipeField:
    section, _, name = key.rpartition(".")
    info = field_of(key)
    kind, choices = _kind(info.annotation)
    default: Any = None if info.default is PydanticUndefined else info.default
    return RecipeField(key, section, name, kind, choices, info.description or "", valid_values(key), default)


def _kind(annotation: Any) -> tuple[FieldKind, tuple[str, ...]]:
    if get_origin(annotation) is Literal:
        return "choice", get_args(annotation)
    if get_origin(annotation) is tuple:
        return "list", get_args(get_args(annotation)[0])
    kind = _NUMBERS.get(annotation, "text")
    return kind, ("true", "false") if kind == "bool" else ()


def _list_value(word: str) -> tuple[object, ...]:
    if word.startswith("["):
        value = read_value(word)
        if isinstance(value, list):
            return tuple(value)
    return tuple(item.strip().strip("\"'") for item in word.split(",")) if word else ()
