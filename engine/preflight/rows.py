"""Measured peaks as JSON files: those that come with sonotune, and those that a benchmark has written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from functools import cache
from pathlib import Path
from types import NoneType
from typing import Any, TypeVar

from engine.errors import DataError
from engine.preflight.models import Layout, Measured, ModelShape, Workload

SHIPPED = Path("assets") / "memory"
"""Folder of the measurements that come with sonotune, one file a card."""


LARGEST = 2**62
"""Beyond every count and every size in bytes; keeps a broken row from making numbers that mean nothing."""
MAY_BE_NOTHING = frozenset(
    {"deepstack_layers", "estimated_peak", "allocated_peak", "lora_parameters", "time", "run_id"}
)
"""Figures that can be 0; all others stand below fractions somewhere."""
_KINDS: Mapping[str, tuple[type, ...]] = {
    "int": (int,),
    "int | None": (int, NoneType),
    "float": (int, float),
    "float | None": (int, float, NoneType),
    "str": (str,),
    "bool": (bool,),
}
"""What a field may hold, by its annotation."""
Value = TypeVar("Value")


def measured_row(values: Mapping[str, Any]) -> Measured:
    """A measured peak from plain values, its parts as mappings; every value is checked.

    What other versions of sonotune write is read as well: unknown keys are left out, and what is missing gets the
    default of its field.

    Raises:
        ValueError, TypeError, KeyError: the values are not those of a `Measured`.
    """
    parts = {"shape": ModelShape, "workload": Workload, "layout": Layout}
    return _checked(
        Measured,
        {
            **values,
            **{name: _checked(kind, values[name]) for name, kind in parts.items()},
            "vision_adapted": bool(values.get("vision_adapted", True)),
        },
    )


def _checked(kind: type[Value], values: Mapping[str, Any]) -> Value:
    """A dataclass from plain values.

    Raises:
        ValueError, TypeError: one is missing, of another type, or no figure that can be.
    """
    if not isinstance(values, Mapping):
        raise TypeError(f"{kind.__name__} is {type(values).__name__}, no object")
    made = kind(**{each.name: values[each.name] for each in fields(kind) if each.name in values})  # type: ignore[arg-type]
    for each in fields(kind):  # type: ignore[arg-type]
        _check(each.name, str(each.type), getattr(made, each.name))
    return made


def _check(name: str, annotation: str, value: Any) -> None:
    kinds = _KINDS.get(annotation)
    if kinds is None:  # a part, which was checked by itself
        return
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise TypeError(f"{name} is {type(value).__name__}, not {annotation}")
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return
    least = 0 if name in MAY_BE_NOTHING else 1e-9
    if not least <= value <= LARGEST:
        raise ValueError(f"{name} is {str(value)[:40]}")


def read_rows(file: Path) -> list[Measured]:
    """The measured peaks in a JSON list.

    Raises:
        DataError: the file cannot be read, or an entry is not one.
    """
    try:
        return [measured_row(values) for values in json.loads(file.read_bytes())]
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise DataError(
            f"The measured peaks in {file} cannot be read",
            f"{type(error).__name__}: {error}",
            "Write a list of measurements with `sonotune bench`, or restore the file from the repository.",
        ) from error


def rows_json(rows: list[Measured]) -> str:
    """Measured peaks as JSON, one a line."""
    lines = (json.dumps(asdict(row), sort_keys=True) for row in rows)
    return "[\n" + ",\n".join(lines) + "\n]\n"


@cache
def shipped_rows() -> tuple[Measured, ...]:
    """Measurements that come with sonotune; none where the folder is missing, as in an installation without assets.

    Raises:
        DataError: one of the files is damaged.
    """
    from engine.training.model_files import repository_root

    files = sorted((repository_root() / SHIPPED).glob("*.json"))
    return tuple(row for file in files for row in read_rows(file))
