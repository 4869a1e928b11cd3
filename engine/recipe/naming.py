"""Names of runs outside a recipe: the rule is that of `Recipe.name`, and what a copy of a run is called."""

from __future__ import annotations

import re
from collections.abc import Container
from functools import cache
from typing import Annotated, Any

from annotated_types import MaxLen
from pydantic import TypeAdapter, ValidationError

from engine.errors import UsageError
from engine.recipe.problems import field_of, valid_values
from engine.recipe.text import shown

_NUMBERED = re.compile(r"(.*?)-([1-9]\d{0,2})", re.DOTALL)
"""A name that ends in a counter; longer numbers are dates or sizes and belong to the name."""


def check_name(name: str) -> None:
    """Raise UsageError unless a run may have this name: what a recipe may say, a rename may say, and nothing else."""
    try:
        _rule().validate_python(name, strict=True)
    except ValidationError as error:
        raise UsageError(
            f"{shown(name)} cannot be the name of a run", next_step=f"Valid: {valid_values('name')}."
        ) from error


def following_name(name: str, taken: Container[str]) -> str:
    """A free name for a copy of `name`: `NAME-2`, or the next number where it ends in one already."""
    numbered = _NUMBERED.fullmatch(name)
    stem, number = (numbered[1], int(numbered[2])) if numbered else (name, 1)
    longest = next(limit.max_length for limit in field_of("name").metadata if isinstance(limit, MaxLen))
    while True:
        number += 1
        ending = f"-{number}"
        candidate = stem[: longest - len(ending)].rstrip() + ending
        if candidate not in taken:
            return candidate


@cache
def _rule() -> TypeAdapter[Any]:
    return TypeAdapter(Annotated[str, field_of("name")])
