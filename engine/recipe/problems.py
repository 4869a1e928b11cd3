"""Every fault of a recipe as one line: the key, what was found there, and what would be valid."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MultipleOf
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from engine.recipe.models import COMBINATION, SECTIONS, Recipe
from engine.recipe.rules import combination_problems
from engine.recipe.text import clean, quoted, shown

TEXTS = {
    "name": "text of 1 to 80 characters on one line",
    "data.dataset": "a name of letters, digits, spaces and . - _ that begins with a letter or digit",
    "data.prompt": 'the name of a wording, such as "detailed"',
    "data.prompt_text": "text of at most 4000 characters",
    "model.id": "a folder, or a name on the model hub",
    "description": "text",
}
"""What is valid where the type alone does not say it."""


def recipe_problems(mapping: Mapping[str, Any], error: ValidationError | None) -> list[tuple[tuple[str, ...], str]]:
    """All faults of `mapping` as (dotted keys, line): those of single fields, then impossible combinations.

    Args:
        mapping: the recipe as read.
        error: what pydantic said of it; None where every field is valid.
    """
    details = [detail for detail in (error.errors() if error else []) if detail["type"] != COMBINATION]
    wrong: dict[str, str] = {}
    for detail in details:
        parts = tuple(str(part) for part in detail["loc"][:2])
        wrong.setdefault(".".join(parts), _explanation(parts, detail))
    sound = {key: value for key, value in _with_defaults(mapping).items() if key not in wrong}
    single = [((key,), text) for key, text in wrong.items()]
    together = combination_problems(sound)
    return [(keys, f"{', '.join(map(clean, keys))}: {text}") for keys, text in [*single, *together]]


def valid_values(key: str) -> str:
    """What may stand at a dotted key, in words; also the hint of the launch form.

    Raises:
        KeyError: for a key that recipes do not have.
    """
    if key in TEXTS:
        return TEXTS[key]
    return _choices(field_of(key))


def field_of(key: str) -> FieldInfo:
    """The pydantic field at a dotted key.

    Raises:
        KeyError: for a key that recipes do not have.
    """
    section, _, name = key.rpartition(".")
    model: type[BaseModel] = SECTIONS[section] if section else Recipe
    return model.model_fields[name]


def _explanation(parts: tuple[str, ...], detail: ErrorDetails) -> str:
    key = ".".join(parts)
    if not parts:
        return f"found {shown(detail['input'])}; keys are Unicode text"  # half of a surrogate pair, through JSON
    # `[section]` holding the key "" has the dotted name `section.`, which no field has; nor is it one.
    if detail["type"] in ("extra_forbidden", "invalid_key") or not _is_field(key):
        return _unknown(parts)
    if detail["type"] == "missing":
        return f"missing; valid: {valid_values(key)}"
    if key in SECTIONS:
        return f"found {shown(detail['input'])}; this is a section: write [{key}] with its keys below"
    return f"found {shown(detail['input'])}; valid: {valid_values(key)}"


def _is_field(key: str) -> bool:
    try:
        field_of(key)
    except KeyError:
        return key in SECTIONS
    return True


def _unknown(parts: tuple[str, ...]) -> str:
    """An unknown key with the nearest known one: in its section, else in any other.

    The parts are not the dotted key taken apart: a quoted key of a file may hold dots itself.
    """
    section, name = (parts[0], parts[1]) if len(parts) > 1 and parts[0] in SECTIONS else ("", parts[0])
    own = list(SECTIONS[section].model_fields) if section else list(Recipe.model_fields)
    near = get_close_matches(name[:100], own, n=1)
    if near:
        return f"unknown key; did you mean {near[0]}?"
    homes = [f"{other}.{name}" for other, model in SECTIONS.items() if name in model.model_fields]
    if homes:
        return f"unknown key; did you mean {' or '.join(homes)}?"
    what = f"keys of [{section}]" if section else "keys and sections"
    return f"unknown key; valid {what}: {', '.join(own)}"


def _choices(field: FieldInfo) -> str:
    annotation = field.annotation
    if get_origin(annotation) is Literal:
        return _alternatives(get_args(annotation))
    if get_origin(annotation) is tuple:
        words = get_args(get_args(annotation)[0])
        return f'a list such as ["{words[0]}"] of {quoted(words)}'
    if annotation is bool:
        return "true or false"
    return _range("a whole number" if annotation is int else "a number", field)


def _alternatives(words: tuple[str, ...]) -> str:
    if len(words) == 1:
        return f'only "{words[0]}" so far'
    return f'{quoted(words[:-1])} or "{words[-1]}"'


def _range(what: str, field: FieldInfo) -> str:
    """`a whole number, at least 1, at most 4096` from the constraints of the field."""
    parts = [what]
    for limit in field.metadata:
        match limit:
            case Ge(ge=bound):
                parts.append(f"at least {bound}")
            case Gt(gt=bound):
                parts.append(f"above {bound}")
            case Le(le=bound):
                parts.append(f"at most {bound}")
            case Lt(lt=bound):
                parts.append(f"below {bound}")
            case MultipleOf(multiple_of=step):
                parts.append(f"a multiple of {step}")
    return ", ".join(parts)


def _with_defaults(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """Values by dotted key, defaults included; the keys of a section that is no table are left out."""
    values: dict[str, Any] = {}
    for section, model in SECTIONS.items():
        given = mapping.get(section, {})
        if isinstance(given, Mapping):
            for name, field in model.model_fields.items():
                values[f"{section}.{name}"] = given.get(name, field.default)
    return values
